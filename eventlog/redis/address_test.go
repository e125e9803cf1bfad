package redis

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestURLs: each part of a URL reaches the client's options, with default ports.
func TestURLs(t *testing.T) {
	single, err := parseURL(" rediss://mei:s3cret@example.org:7000/2 \n")
	require.NoError(t, err)
	require.Equal(t, "example.org:7000", single.single.Addr)
	require.Equal(t, []any{"mei", "s3cret", 2}, []any{single.single.Username, single.single.Password, single.single.DB})
	require.NotNil(t, single.single.TLSConfig)
	require.Equal(t, "rediss://example.org:7000/2", single.display)
	several, err := parseURL("redis+cluster://a:1,b,[::1]")
	require.NoError(t, err)
	require.Equal(t, "redis+cluster://a:1,b,[::1]", several.display)

	sentinel, err := parseURL("redis+sentinel://:s3cret@a,b:7000,10.0.0.1,[::1],[::1]:7001/main")
	require.NoError(t, err)
	require.Equal(t, []string{"a:26379", "b:7000", "10.0.0.1:26379", "[::1]:26379", "[::1]:7001"}, sentinel.sentinel.SentinelAddrs)
	require.Equal(t, []string{"main", "", "s3cret"}, []string{sentinel.sentinel.MasterName, sentinel.sentinel.Username, sentinel.sentinel.Password})

	cluster, err := parseURL("redis+cluster://mei:s3cret@a,b:7000")
	require.NoError(t, err)
	require.Equal(t, []string{"a:6379", "b:7000"}, cluster.cluster.Addrs)
	require.Equal(t, []string{"mei", "s3cret"}, []string{cluster.cluster.Username, cluster.cluster.Password})
	six, err := parseURL("redis+cluster://[::1]")
	require.NoError(t, err)
	require.Equal(t, []string{"[::1]:6379"}, six.cluster.Addrs)
	for _, addr := range []address{single, sentinel, cluster} {
		require.NotContains(t, addr.display, "s3cret")
	}
}

// wrongURLs are invalid URLs and a part of their errors.
var wrongURLs = map[string]string{
	"":                                  "is no URL with a host",
	"localhost:6379":                    "is no URL with a host",
	"redis:///0":                        "is no URL with a host",
	"redis+cluster://a,,b":              "is no URL with a host",
	"redis+cluster://a:1,b:c":           "is no URL with a host",
	"http://a":                          `scheme "http": want redis`,
	"redis+sentinel://a":                "the master's name is missing",
	"redis://a:b:c":                     "is no URL with a host",
	"redis://a/x":                       "invalid database number",
	"redis://a,b":                       "has several hosts",
	"redis://a:1,b:2":                   "has several hosts",
	"redis://:pass/word@a:6379":         "percent-encode",
	"redis://mei:12#s3cret@a:6379":      "percent-encode",
	"redis://mei:12?s3cret@a:6379":      "percent-encode",
	"redis+cluster://mei:1/s3cret@a":    "percent-encode",
	"redis://mei:%zzs3cret@a:6379":      "percent-encode",
	"redis://mei:s3cret@a:6379/x":       "invalid database number",
	"redis://mei:s3cret@a?no_such=1":    "unexpected option",
	"redis+sentinel://mei:s3cret@a:1,b": "the master's name is missing",
	"s3cret@a":                          "percent-encode",
}

// TestWrongURLs: the error of an invalid URL gives the reason and does not repeat the password.
func TestWrongURLs(t *testing.T) {
	for text, reason := range wrongURLs {
		t.Run(strings.ReplaceAll(text, "/", "|"), func(t *testing.T) {
			_, err := parseURL(text)
			require.ErrorContains(t, err, reason)
			require.NotContains(t, err.Error(), "s3cret")
			require.ErrorContains(t, Config{URL: text}.Validate(), reason)
		})
	}
}

// FuzzParseURL: no error and no display name contains the password.
func FuzzParseURL(f *testing.F) {
	const password = "pa55W0rd"
	for text := range wrongURLs {
		f.Add(strings.ReplaceAll(text, "s3cret", ""), "/0")
	}
	f.Add("redis://mei:", "@a:6379/1")
	f.Add("redis+cluster://:", "@a,b")
	f.Add("redis://", "@a")
	f.Fuzz(func(t *testing.T, before, behind string) {
		if !strings.Contains(behind, "@") {
			return // not a password
		}
		addr, err := parseURL(before + password + behind)
		if err != nil {
			require.NotContains(t, err.Error(), password)
			return
		}
		require.NotContains(t, addr.display, password)
	})
}

// TestValidateReturnsAllErrors: all errors of a configuration are returned together.
func TestValidateReturnsAllErrors(t *testing.T) {
	err := Config{URL: "redis://a/x", Durability: "ram", Replicas: -1, KeepReceipts: time.Hour}.Validate()
	for _, fault := range []string{"invalid database number", `durability "ram": want disk or replicated`, "-1 replicas", "at least 24 hours, not 1h0m0s"} {
		require.ErrorContains(t, err, fault)
	}
	require.NoError(t, Config{URL: "redis://a"}.Validate())
}
