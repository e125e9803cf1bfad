package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"

	"tandem/eventlog"
)

// FileName is the name of the log's file in its directory.
const FileName = "tandem.db"

const lockName = "tandem.lock"

// Open opens the log in the configured directory, or creates it. The error is eventlog.ErrInUse if another process has
// the log open, eventlog.ErrDamaged or, for the file of a newer version, eventlog.ErrNewer. Every error includes a
// remedy. Open checks ctx only before it starts.
func Open(ctx context.Context, cfg Config) (*Log, error) {
	if err := errors.Join(cfg.Validate(), ctx.Err()); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if err := makeDir(cfg.Dir); err != nil {
		return nil, err
	}
	lock, err := lockDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	log, err := openFile(cfg, lock)
	if err != nil {
		file := filepath.Join(cfg.Dir, FileName)
		return nil, errors.Join(fmt.Errorf("open the log %s: %w", file, err), lock.Close())
	}
	go log.writer.run()
	return log, nil
}

// makeDir creates the directory for this user only, if it does not exist.
func makeDir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	switch {
	case err == nil:
		return syncDir(filepath.Dir(dir))
	case errors.Is(err, fs.ErrExist):
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("cannot create the data directory %s: %w; create its parent or name another directory", dir, err)
	}
	return fmt.Errorf("cannot create the data directory %s: %w; name one that this user may write to", dir, err)
}

// lockDir keeps other processes out of the directory.
func lockDir(dir string) (*flock.Flock, error) {
	lock := flock.New(filepath.Join(dir, lockName))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w; make the data directory writable for this user", lock.Path(), err)
	}
	if !locked {
		return nil, fmt.Errorf("%s is locked: %w; end that process or name another data directory", lock.Path(), eventlog.ErrInUse)
	}
	return lock, nil
}

func openFile(cfg Config, lock *flock.Flock) (_ *Log, err error) {
	file := filepath.Join(cfg.Dir, FileName)
	if err := checkFiles(file); err != nil {
		return nil, err
	}
	if file, err = filepath.Abs(file); err != nil {
		return nil, err
	}
	if err := createPrivate(file); err != nil {
		return nil, err
	}
	conn, err := connect(file, busyTimeout, "PRAGMA secure_delete = ON") // so that erased data does not stay in free pages
	if err != nil {
		return nil, err
	}
	defer closeUnless(&err, conn)
	opened, err := prepareFile(conn)
	if err != nil {
		return nil, err
	}
	if _, err := emptyWAL(conn); err != nil { // a process that was killed may have left erased data there
		return nil, err
	}
	if err := syncDir(cfg.Dir); err != nil {
		return nil, err
	}
	readers := newReaderPool(file, cfg.limits.readers)
	defer func() {
		if err != nil {
			err = errors.Join(err, readers.close())
		}
	}()
	var index *commitIndex
	err = readers.read(func(reader *readConnection) (err error) {
		index, err = loadIndex(conn, reader, cfg.limits.locationCommits)
		return err
	})
	if err != nil {
		return nil, err
	}
	return newLog(cfg, lock, conn, readers, index, opened)
}

// prepareFile prepares the file for writing. It does not change the file of another program.
func prepareFile(conn *connection) (opened uint64, err error) {
	known, err := hasSchema(conn)
	if err != nil {
		return 0, err
	}
	for _, setting := range []string{
		fmt.Sprint("page_size = ", pageSize), "journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 0", "journal_size_limit = 67108864",
	} {
		if err := conn.exec("PRAGMA " + setting); err != nil {
			return 0, err
		}
	}
	return initSchema(conn, known)
}

// createPrivate creates the file for this user only, if it does not exist. SQLite gives the files beside it the same
// permissions.
func createPrivate(file string) error {
	handle, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("%w; make the data directory and its files writable for this user", err)
	}
	return handle.Close()
}

// closeUnless closes the connection if the function that defers it fails.
func closeUnless(err *error, conn *connection) {
	if *err != nil {
		*err = errors.Join(*err, conn.close())
	}
}

// checkFiles refuses a truncated file, of which SQLite would read the rest, and a write-ahead file without a database,
// because a new log would overwrite it. Beside a write-ahead file the database may end within a page: the rest is in
// the write-ahead file.
func checkFiles(file string) error {
	size := int64(0)
	if db, err := os.Stat(file); err == nil {
		size = db.Size()
	}
	wal, err := os.Stat(file + "-wal")
	ahead := err == nil && wal.Size() > 0
	switch {
	case size == 0 && ahead:
		return fmt.Errorf("the file is missing or empty, but %s exists: %w; restore a backup, or move that file away to start a new log", wal.Name(), eventlog.ErrDamaged)
	case size%pageSize != 0 && !ahead:
		return fmt.Errorf("the file ends in the middle of a page: %w; keep the file for inspection and restore a backup", eventlog.ErrDamaged)
	}
	return nil
}

// syncDir makes the names of new files durable.
func syncDir(dir string) error {
	handle, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(handle.Sync(), handle.Close())
}
