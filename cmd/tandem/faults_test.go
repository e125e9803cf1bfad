package main

import (
	"database/sql"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// ends runs the program, which must exit with status 1, and returns its stderr.
func ends(t *testing.T, args ...string) string {
	t.Helper()
	program := launch(t, args...)
	err := <-program.ended
	require.Error(t, err, "%s", program.stderr)
	require.Equal(t, exitError, program.cmd.ProcessState.ExitCode(), "%s", program.stderr)
	return program.stderr.String()
}

func TestSecondProcessOnTheSameData(t *testing.T) {
	data := t.TempDir()
	program := start(t, data, "serve")
	require.Contains(t, ends(t, "serve", "--listen", "127.0.0.1:0", "--data", data), "in use by another process")
	program.do(200, operatorSecret, "GET", "/v1/partners", "")
	program.stop()
}

func TestBusyPort(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	data := filepath.Join(t.TempDir(), "data")
	require.Contains(t, ends(t, "serve", "--listen", listener.Addr().String(), "--data", data), "address already in use")
	_, err = os.Stat(data)
	require.ErrorIs(t, err, os.ErrNotExist, "the program listens before it creates files")
}

// TestKeyIsGone: a log that is not empty gets no new installation key.
func TestKeyIsGone(t *testing.T) {
	data := t.TempDir()
	program := start(t, data, "serve")
	program.do(201, operatorSecret, "POST", "/v1/partners", `{"id":"nokia","name":"nokia","country":"FI","time_zone":"Europe/Helsinki"}`)
	program.stop()
	require.NoError(t, os.Remove(filepath.Join(data, "key")))
	require.Contains(t, ends(t, "serve", "--listen", "127.0.0.1:0", "--data", data), "installation key")
}

// TestLogIsGone: a lost log is not replaced by a new one, even if the program was killed before its first
// snapshot.
func TestLogIsGone(t *testing.T) {
	data := t.TempDir()
	program := start(t, data, "serve")
	program.do(201, operatorSecret, "POST", "/v1/partners", `{"id":"nokia","name":"nokia","country":"FI","time_zone":"Europe/Helsinki"}`)
	program.kill()
	for _, name := range []string{"tandem.db", "tandem.db-wal", "tandem.db-shm"} {
		require.NoError(t, os.Remove(filepath.Join(data, name)))
	}
	require.Contains(t, ends(t, "serve", "--listen", "127.0.0.1:0", "--data", data), "is lost")
}

// TestAdminListener: with its own listener, /metrics is served only there.
func TestAdminListener(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	admin := listener.Addr().String()
	require.NoError(t, listener.Close())
	program := start(t, t.TempDir(), "serve", "--admin-listen", admin)
	program.do(404, operatorSecret, "GET", "/metrics", "")
	program.url = "http://" + admin
	require.Contains(t, string(program.do(200, operatorSecret, "GET", "/metrics", "").body), "tandem_http_requests_total")
	program.stop()
}

// TestPrivateFiles: only the owner can read the files in the data directory.
func TestPrivateFiles(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	require.NoError(t, os.Mkdir(data, 0o755))
	program := start(t, data, "demo")
	files, err := os.ReadDir(data)
	require.NoError(t, err)
	for _, entry := range files {
		info, err := entry.Info()
		require.NoError(t, err)
		require.Zerof(t, info.Mode().Perm()&0o077, "%s has mode %v", entry.Name(), info.Mode())
	}
	program.stop()
}

func TestUnusableFiles(t *testing.T) {
	for name, tc := range map[string]struct {
		damage func(t *testing.T, file string)
		want   string
	}{
		"not a database": {func(t *testing.T, file string) {
			require.NoError(t, os.WriteFile(file, make([]byte, 8192), 0o600))
		}, "not a database"},
		"cut": {func(t *testing.T, file string) {
			require.NoError(t, os.Truncate(file, 5000))
		}, "damaged"},
		"gone": {func(t *testing.T, file string) {
			require.NoError(t, os.Remove(file))
		}, "lost"},
		"newer": {func(t *testing.T, file string) {
			change(t, file, "UPDATE meta SET value = 99 WHERE name = 'format'")
		}, "newer"},
		"altered": {func(t *testing.T, file string) {
			change(t, file, "UPDATE commits SET frame = CAST(replace(CAST(frame AS TEXT), 'nokia', 'nokja') AS BLOB) WHERE id = (SELECT max(id) FROM commits)")
		}, "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			data := t.TempDir()
			program := start(t, data, "serve")
			program.do(201, operatorSecret, "POST", "/v1/partners", `{"id":"nokia","name":"nokia","country":"FI","time_zone":"Europe/Helsinki"}`)
			program.stop()
			file := filepath.Join(data, "tandem.db")
			tc.damage(t, file)
			require.Contains(t, ends(t, "serve", "--listen", "127.0.0.1:0", "--data", data), tc.want)
		})
	}
}

func change(t *testing.T, file, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	require.NoError(t, err)
	_, err = db.Exec(statement)
	require.NoError(t, err)
	_, err = db.Exec("PRAGMA wal_checkpoint(TRUNCATE)")
	require.NoError(t, err)
	require.NoError(t, db.Close())
}
