package sqlite

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
)

// closedLog creates a log of n commits, closes it and returns its configuration.
func closedLog(t *testing.T, n int) Config {
	t.Helper()
	cfg := Config{Dir: t.TempDir()}
	log := mustOpen(t, cfg)
	fill(t, log, n)
	require.NoError(t, log.Close())
	return cfg
}

// copyLog returns the configuration of a copy of a closed log.
func copyLog(t *testing.T, cfg Config) Config {
	t.Helper()
	again := Config{Dir: t.TempDir()}
	require.NoError(t, os.CopyFS(again.Dir, os.DirFS(cfg.Dir)))
	return again
}

// execSQL runs a statement on the file of a closed log.
func execSQL(t *testing.T, cfg Config, statement string) {
	t.Helper()
	conn, err := connect(filepath.Join(cfg.Dir, FileName), statement)
	require.NoError(t, err)
	require.NoError(t, conn.close())
}

// requireOpenFails checks that Open fails and leaves no lock behind.
func requireOpenFails(t *testing.T, cfg Config, cause error, want string) {
	t.Helper()
	for range 2 {
		_, err := Open(t.Context(), cfg)
		if cause != nil {
			require.ErrorIs(t, err, cause)
		}
		require.ErrorContains(t, err, want)
	}
}

func TestConfigFaultsAreAllNamed(t *testing.T) {
	_, err := Open(t.Context(), Config{KeepReceipts: time.Hour})
	require.ErrorContains(t, err, "data directory: it is missing")
	require.ErrorContains(t, err, "24 hours")
}

func TestOpenWithAnEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Open(ctx, Config{Dir: t.TempDir()})
	require.ErrorIs(t, err, context.Canceled)
}

func TestOpenMakesItsDirectoryOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "odd name?with%20#signs", "data")
	requireOpenFails(t, Config{Dir: dir}, os.ErrNotExist, "create its parent")
	require.NoError(t, os.Mkdir(filepath.Dir(dir), 0o755))
	log := mustOpen(t, Config{Dir: dir})
	require.NoError(t, log.Close())
	require.FileExists(t, filepath.Join(dir, FileName))
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Zero(t, info.Mode().Perm()&0o077, "the log is confidential")
}

func TestOpenWhereAFileStands(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	requireOpenFails(t, Config{Dir: file}, nil, "lock "+file)
}

func TestOpenTwice(t *testing.T) {
	cfg := closedLog(t, 10)
	log := mustOpen(t, cfg)
	requireOpenFails(t, cfg, eventlog.ErrInUse, filepath.Join(cfg.Dir, lockName))
	newTestOwner(t, log, 1)
	require.NoError(t, log.Close())
	require.NoError(t, mustOpen(t, cfg).Close())
}

func TestOpenRefusesWhatItCannotRead(t *testing.T) {
	intact := closedLog(t, 10)
	for name, c := range map[string]struct {
		statement string
		cause     error
		says      string
	}{
		"a newer format":         {"UPDATE meta SET value = 2 WHERE name = 'format'", eventlog.ErrNewer, "run the newer version"},
		"no format":              {"DELETE FROM meta WHERE name = 'format'", eventlog.ErrDamaged, "restore a backup"},
		"another partitioning":   {"UPDATE meta SET value = 128 WHERE name = 'partitions'", nil, "the file has 128 partitions"},
		"another program's file": {"DROP TABLE meta", nil, "another program's database"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := copyLog(t, intact)
			execSQL(t, cfg, c.statement)
			before, err := os.ReadFile(filepath.Join(cfg.Dir, FileName))
			require.NoError(t, err)
			requireOpenFails(t, cfg, c.cause, c.says)
			after, err := os.ReadFile(filepath.Join(cfg.Dir, FileName))
			require.NoError(t, err)
			require.Equal(t, before, after, "the file is left as it was")
		})
	}
}

func TestOpenFindsDamage(t *testing.T) {
	intact := closedLog(t, 5000)
	for name, c := range map[string]struct {
		statement string
		says      string
	}{
		"a last commit is altered":       {"UPDATE commits SET frame = CAST(replace(frame, 'mei.chen', 'mei.chan') AS BLOB) WHERE id = 5000", "partition 35: commit 100 was altered"},
		"a last commit is cut":           {"UPDATE commits SET frame = substr(frame, 1, 100) WHERE id = 5000", "partition 35: commit 100"},
		"a late commit is gone":          {"DELETE FROM commits WHERE id = 4990", "commit with arrival number 4991"},
		"a partition is none":            {"UPDATE commits SET partition = 64 WHERE id = 4990", "commit with arrival number 4990"},
		"a partition is another":         {"UPDATE commits SET partition = 2 WHERE id = 4990", "partition 2: commit"},
		"a location is another":          {"UPDATE locations SET partitions = x'02' || substr(partitions, 2)", "row 1 of table locations"},
		"a block of locations is gone":   {"DELETE FROM locations; DELETE FROM commits WHERE id = 1", "commit with arrival number 2"},
		"a block of locations is cut":    {"UPDATE locations SET partitions = substr(partitions, 2)", "row 1 of table locations"},
		"a location is beyond the count": {"UPDATE locations SET partitions = CAST(x'FF' || substr(partitions, 2) AS BLOB)", "commit with arrival number 1: partition 255"},
		"a loss is unreadable":           {"INSERT INTO meta VALUES ('loss 04', '{')", "'loss 04' of table meta"},
		"a loss is of no partition":      {"INSERT INTO meta VALUES ('loss 64', '{}')", "'loss 64' of table meta"},
		"a loss is a number":             {"INSERT INTO meta VALUES ('loss 04', 1)", "'loss 04' of table meta"},
		"a loss is empty":                {"INSERT INTO meta VALUES ('loss 04', '{}')", "'loss 04' of table meta"},
		"an epoch is a text":             {"INSERT INTO meta VALUES ('epoch 04', 'two')", "'epoch 04' of table meta"},
		"a location was swapped":         {"UPDATE locations SET partitions = CAST(x'02' || substr(partitions, 2) AS BLOB)", "partition 0"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := copyLog(t, intact)
			execSQL(t, cfg, c.statement)
			requireOpenFails(t, cfg, eventlog.ErrDamaged, c.says)
		})
	}
}

func TestOpenFindsABrokenFile(t *testing.T) {
	intact := closedLog(t, 1000)
	for name, breakIt := range map[string]func(b []byte) []byte{
		"not a database": func([]byte) []byte {
			return []byte("Dear reader, this is a letter and no database, whatever its name says.\n")
		},
		"cut in half":         func(b []byte) []byte { return b[:len(b)/2] },
		"cut within a page":   func(b []byte) []byte { return b[:len(b)-100] },
		"a header of zeroes":  func(b []byte) []byte { clear(b[:100]); return b },
		"a schema of zeroes":  func(b []byte) []byte { clear(b[100:4096]); return b },
		"a tree made of ones": func(b []byte) []byte { return fillWith(b, 4096, 0xff) },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := copyLog(t, intact)
			file := filepath.Join(cfg.Dir, FileName)
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(file, breakIt(content), 0o600))
			requireOpenFails(t, cfg, eventlog.ErrDamaged, "restore a backup")
		})
	}
}

func fillWith(b []byte, from int, value byte) []byte {
	for i := range b[from:] {
		b[from+i] = value
	}
	return b
}

func TestOpenRefusesToBeginOverAnOldLog(t *testing.T) {
	for name, lose := range map[string]func(string) error{
		"gone":  os.Remove,
		"empty": func(file string) error { return os.Truncate(file, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := closedLog(t, 10)
			file := filepath.Join(cfg.Dir, FileName)
			require.NoError(t, os.WriteFile(file+"-wal", []byte("what was not yet moved into the database"), 0o600))
			require.NoError(t, lose(file))
			requireOpenFails(t, cfg, eventlog.ErrDamaged, FileName+"-wal")
		})
	}
}

// TestFollowFindsDamage alters commits that Open does not check.
func TestFollowFindsDamage(t *testing.T) {
	intact := closedLog(t, 5000)
	for name, c := range map[string]struct{ statement, says string }{
		"a byte is another":    {"UPDATE commits SET frame = CAST(replace(frame, 'mei.chen', 'mei.chan') AS BLOB) WHERE id = 20", "partition 0: commit 20 was altered"},
		"a frame is cut":       {"UPDATE commits SET frame = substr(frame, 1, 100) WHERE id = 20", "partition 0: commit 20"},
		"a frame is empty":     {"UPDATE commits SET frame = x'' WHERE id = 20", "partition 0: commit 20"},
		"a commit is gone":     {"DELETE FROM commits WHERE id = 20", "only 511 exist"},
		"commits are swapped":  {"UPDATE commits SET frame = (SELECT frame FROM commits WHERE id = 21) WHERE id = 20", "partition 0: commit 21 follows 19"},
		"of another partition": {"UPDATE commits SET frame = (SELECT frame FROM commits WHERE id = 70) WHERE id = 20", "partition 0: commit 20 belongs to partition 1"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := copyLog(t, intact)
			execSQL(t, cfg, c.statement)
			log := mustOpen(t, cfg)
			defer log.Close()
			_, err := followAll(log)
			require.ErrorIs(t, err, eventlog.ErrDamaged)
			require.ErrorContains(t, err, c.says)
			_, err = log.Read(t.Context(), 0, []uint64{20})
			require.ErrorIs(t, err, eventlog.ErrDamaged)
			_, err = log.Read(t.Context(), 0, []uint64{19, 22})
			require.NoError(t, err, "the others can be read")
		})
	}
}
