package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
	"tandem/eventlog/redis"
	"tandem/eventlog/redis/redistest"
	"tandem/eventlog/sqlite"
)

// copyLog runs tandem log copy in this process and returns its output.
func copyLog(ctx context.Context, from, to string, more ...string) (stdout string, err error) {
	var out bytes.Buffer
	cmd := copyCommand(&out)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetErr(io.Discard)
	cmd.SetArgs(append([]string{"--from", from, "--to", to}, more...))
	err = cmd.ExecuteContext(ctx)
	return out.String(), err
}

func openSQLite(t testing.TB, dir string) eventlog.Log {
	t.Helper()
	log, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir})
	require.NoError(t, err)
	t.Cleanup(func() { _ = log.Close() })
	return log
}

func openRedis(t testing.TB, url string) eventlog.Log {
	t.Helper()
	log, err := redis.Open(t.Context(), redis.Config{URL: url})
	require.NoError(t, err)
	t.Cleanup(func() { _ = log.Close() })
	return log
}

// sourceDir returns a data directory with secrets and an embedded log.
func sourceDir(t testing.TB, commits int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	require.NoError(t, writeSecret(filepath.Join(dir, keyFile), strings.Repeat("5c", keySize)+"\n"))
	require.NoError(t, writeSecret(filepath.Join(dir, operatorFile), strings.Repeat("0f", sha256.Size)+"\n"))
	log := openSQLite(t, dir)
	eventlogtest.RaiseEpoch(t, log, 7, 3)
	eventlogtest.Fill(t, log, commits)
	require.NoError(t, log.Close())
	return dir
}

// contentsOf reads the embedded log of a directory, without the receipts that may become too old during the test.
func contentsOf(t testing.TB, dir string) [eventlog.Partitions]eventlogtest.PartitionContents {
	t.Helper()
	log := openSQLite(t, dir)
	defer func() { require.NoError(t, log.Close()) }()
	return eventlogtest.Contents(t, log, time.Now().Add(-23*time.Hour))
}

// TestCopyUsage: all usage errors are reported together, and no log is opened.
func TestCopyUsage(t *testing.T) {
	dir := t.TempDir()
	for _, test := range []struct{ name, from, to, want string }{
		{"no source", "", "", "--from is missing: want sqlite:DIR or a Redis URL"},
		{"no target", "", "", "--to is missing"},
		{"no directory", "sqlite:", "redis://h", "--from sqlite:: the directory is missing"},
		{"a bare directory", "./data", "redis://h", "--from: want sqlite:DIR or a Redis URL"},
		{"another scheme", "sqlite:" + dir, "http://h", "--to: want sqlite:DIR or a Redis URL"},
		{"one directory", "sqlite:" + dir, "sqlite:" + dir + "/../" + filepath.Base(dir), "the same directory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := copyLog(t.Context(), test.from, test.to)
			require.ErrorContains(t, err, test.want)
			_, usage := errors.AsType[*usageError](err)
			require.True(t, usage, "%v", err)
		})
	}
	t.Setenv("TANDEM_TO", "sqlite:"+dir)
	_, err := copyLog(t.Context(), "", "redis://h")
	require.ErrorContains(t, err, "--from is missing", "flags take precedence over the environment")
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, files)
}

// TestCopyRefusesSource: a directory without a log or without its key is refused, and the target is not created.
func TestCopyRefusesSource(t *testing.T) {
	target := filepath.Join(t.TempDir(), "target")
	keyless := sourceDir(t, 62)
	require.NoError(t, os.Remove(filepath.Join(keyless, keyFile)))
	for _, test := range []struct{ name, dir, want string }{
		{"no log", t.TempDir(), "has no log"},
		{"key missing", keyless, "TANDEM_KEY"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := copyLog(t.Context(), "sqlite:"+test.dir, "sqlite:"+target)
			require.ErrorContains(t, err, test.want)
			require.NoDirExists(t, target)
		})
	}
}

// TestCopyInstallsTheKey: an embedded target gets the secrets of the source. A shared log refuses nodes with another key.
func TestCopyInstallsTheKey(t *testing.T) {
	dir, target, shared := sourceDir(t, 62), t.TempDir(), redistest.Start(t).URL()
	output, err := copyLog(t.Context(), "sqlite:"+dir, "sqlite:"+target)
	require.NoError(t, err)
	require.Contains(t, output, "tandem serve --data "+target)
	for _, name := range []string{keyFile, operatorFile} {
		want, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(target, name))
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))
	}

	output, err = copyLog(t.Context(), "sqlite:"+dir, shared)
	require.NoError(t, err)
	require.Contains(t, output, "tandem serve --redis "+shared+" --data "+dir)
	log := openRedis(t, shared)
	require.ErrorContains(t, claimInstallation(t.Context(), log, make([]byte, keySize)), "another key")
	require.NoError(t, log.Close())

	other := t.TempDir()
	require.NoError(t, writeSecret(filepath.Join(other, keyFile), strings.Repeat("00", keySize)))
	_, err = copyLog(t.Context(), "sqlite:"+dir, "sqlite:"+other)
	require.ErrorContains(t, err, "another installation's key")
	_, err = copyLog(t.Context(), shared, "sqlite:"+other)
	require.ErrorContains(t, err, "the installation key is not that of the source")
	require.NoFileExists(t, filepath.Join(other, sqlite.FileName))

	keyless := filepath.Join(t.TempDir(), "new")
	output, err = copyLog(t.Context(), shared, "sqlite:"+keyless)
	require.NoError(t, err)
	require.Contains(t, output, "provide the installation key")
}
