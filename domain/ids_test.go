package domain

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestValidSlug(t *testing.T) {
	for name, row := range map[string]struct {
		text string
		want bool
	}{
		"hyphen at the end":    {"a-", true},
		"maximum length":       {strings.Repeat("0", MaxSlug), true},
		"empty":                {"", false},
		"hyphen at the start":  {"-a", false},
		"upper case":           {"A", false},
		"underscore":           {"a_b", false},
		"space":                {"a b", false},
		"letter outside ASCII": {"ä", false},
		"above maximum length": {strings.Repeat("a", MaxSlug+1), false},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, row.want, ValidSlug(row.text)) })
	}
}

func TestStreams(t *testing.T) {
	for name, root := range map[string]string{
		"partner/nokia": "partner/nokia", "agreement/a": "agreement/a", "project/a/p": "agreement/a",
	} {
		t.Run(name, func(t *testing.T) {
			stream, err := ParseStream(name)
			require.NoError(t, err)
			require.Equal(t, name, stream.String())
			require.Equal(t, root, stream.Root())
		})
	}
	for _, bad := range []string{
		"", "partner", "partner/", "partner/a/b", "agreement/", "agreement/a/b", "project/a", "project//p",
		"project/a/", "project/a/p/m", "milestone/a", "PARTNER/a",
	} {
		t.Run("not "+bad, func(t *testing.T) {
			_, err := ParseStream(bad)
			require.Error(t, err)
		})
	}
}

func FuzzParseStream(f *testing.F) {
	for _, seed := range []string{"partner/nokia", "agreement/a", "project/a/p", "project/a/b/c", "agreement//", "//"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		s, err := ParseStream(name)
		if err != nil {
			return
		}
		require.Equal(t, name, s.String())
		require.True(t, s.Partner != "" || s.Agreement != "")
		again, err := ParseStream(s.Root())
		require.NoError(t, err)
		require.Equal(t, s.Root(), again.Root())
	})
}
