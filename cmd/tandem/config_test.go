package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

func configured(t *testing.T, env map[string]string, args ...string) (config, error) {
	t.Helper()
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	cfg := bindConfig(flags)
	bound := bindSettings(flags)
	require.NoError(t, flags.Parse(args))
	err := cfg.load(bound, func(name string) (string, bool) { value, ok := env[name]; return value, ok })
	return *cfg, err
}

func TestConfigDefaults(t *testing.T) {
	cfg, err := configured(t, nil)
	require.NoError(t, err)
	require.Equal(t, config{listen: "127.0.0.1:8080", data: "./data", durability: "disk", replicas: 1}, cfg)
}

func TestConfigFlagsTakePrecedence(t *testing.T) {
	env := map[string]string{"TANDEM_LISTEN": "127.0.0.1:1", "TANDEM_PUBLIC_URL": "https://tandem.example/"}
	cfg, err := configured(t, env, "--listen", "127.0.0.1:2")
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:2", cfg.listen)
	require.Equal(t, "https://tandem.example", cfg.publicURL)
	env["TANDEM_ALLOW_PRIVATE_WEBHOOKS"] = "10.0.0.0/8,fd00::/8"
	cfg, err = configured(t, env)
	require.NoError(t, err)
	require.Len(t, cfg.privatePrefixes, 2)
}

func TestConfigSecrets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte("from-the-token-file\n"), 0o600))
	cfg, err := configured(t, map[string]string{"TANDEM_KEY": "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"}, "--operator-token-file", file)
	require.NoError(t, err)
	require.Equal(t, "from-the-token-file", cfg.operatorToken)
	require.Len(t, cfg.key, keySize)
}

func TestExitStatus(t *testing.T) {
	for _, tc := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"version"}, exitOK, "tandem"},
		{[]string{"serve", "--listen", "nowhere"}, exitUsage, "want host:port"},
		{[]string{"serve", "--listen", "127.0.0.1:99999"}, exitUsage, "invalid port"},
		{[]string{"serve", "--unknown"}, exitUsage, "unknown flag"},
		{[]string{"serve", "surplus"}, exitUsage, "takes no arguments"},
		{[]string{"serve", "--listen", "127.0.0.1:0", "--data", "/dev/null/data"}, exitError, "data directory"},
	} {
		t.Run(strings.Join(tc.args, " "), func(t *testing.T) {
			var out bytes.Buffer
			require.Equal(t, tc.status, run(t.Context(), tc.args, &out, &out), &out)
			require.Contains(t, out.String(), tc.want)
		})
	}
}

func TestSecretsAreMadeOnceAndKept(t *testing.T) {
	cfg := config{data: t.TempDir()}
	key, err := installationKey(cfg, true)
	require.NoError(t, err)
	again, err := installationKey(cfg, true)
	require.NoError(t, err)
	require.Equal(t, key, again)
	again, err = installationKey(cfg, false)
	require.NoError(t, err)
	require.Equal(t, key, again)
	_, err = installationKey(config{data: t.TempDir()}, false)
	require.ErrorContains(t, err, "is gone", "a log that is not empty gets no new key")
	hash, fresh, err := operatorToken(cfg, nil)
	require.NoError(t, err)
	require.NotEmpty(t, fresh)
	sameHash, shown, err := operatorToken(cfg, nil)
	require.NoError(t, err)
	require.Equal(t, hash, sameHash)
	require.Empty(t, shown, "the token is shown once")
	info, err := os.Stat(filepath.Join(cfg.data, "key"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}
