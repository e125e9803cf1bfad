package sqlite

import (
	"crypto/rand"
	"database/sql/driver"
	"fmt"

	"tandem/eventlog"
)

// formatVersion is the version of the file format. A file with a higher version is refused.
const formatVersion = 1

// pageSize of the file in bytes. Larger pages make single appends write more without a gain in speed.
const pageSize = 4096

// schema is stored in the file with its comments, for users of the sqlite3 shell.
var schema = []string{
	`CREATE TABLE meta (
	name  TEXT PRIMARY KEY, -- format, partitions, id (of this log), opened (times), loss and epoch of partitions that lost commits
	value
) WITHOUT ROWID`,
	`CREATE TABLE commits (
	id          INTEGER PRIMARY KEY, -- order of arrival, dense from 1
	partition   INTEGER NOT NULL,
	seq         INTEGER NOT NULL,    -- dense in its partition, from 1
	stream      TEXT    NOT NULL,
	recorded_at INTEGER NOT NULL,    -- microseconds since 1970, UTC
	frame       BLOB    NOT NULL     -- the commit; the other columns repeat parts of it
)`,
	`CREATE TABLE locations (
	id         INTEGER PRIMARY KEY, -- n is about the commits 4096*(n-1)+1 to 4096*n
	partitions BLOB NOT NULL        -- one byte per commit
)`,
	`CREATE TABLE records (
	id     INTEGER PRIMARY KEY,
	newest INTEGER NOT NULL, -- time of the newest of them, microseconds since 1970, UTC
	packed BLOB    NOT NULL  -- the records of one transaction, of any partition
)`,
	`CREATE TABLE dead_letters (
	id        INTEGER PRIMARY KEY,
	partition INTEGER NOT NULL,
	message   TEXT    NOT NULL,
	reason    TEXT    NOT NULL,
	at        INTEGER NOT NULL, -- microseconds since 1970, UTC
	payload   BLOB    NOT NULL
)`,
	`CREATE TABLE kv (
	partition INTEGER NOT NULL,
	key       TEXT    NOT NULL,
	value     BLOB    NOT NULL,
	PRIMARY KEY (partition, key)
) WITHOUT ROWID`,
}

// hasSchema reports whether the file has a log that this program can use. It returns false for an empty file and an
// error for any other content.
func hasSchema(conn *connection) (bool, error) {
	tables, err := scalar(conn, "SELECT count(*) FROM sqlite_master")
	if err != nil || tables == int64(0) {
		return false, err
	}
	return true, checkSchema(conn)
}

// initSchema creates the tables of a new file and returns how many times the log has been opened, including this time.
func initSchema(conn *connection, known bool) (opened uint64, err error) {
	if err := conn.exec("BEGIN IMMEDIATE"); err != nil {
		return 0, err
	}
	if !known {
		err = createSchema(conn)
	}
	if err != nil {
		return 0, err
	}
	if err := conn.exec("UPDATE meta SET value = value + 1 WHERE name = 'opened'"); err != nil {
		return 0, err
	}
	times, err := scalar(conn, "SELECT value FROM meta WHERE name = 'opened'")
	if err != nil {
		return 0, err
	}
	count, _ := times.(int64)
	return uint64(count), conn.exec("COMMIT")
}

func createSchema(conn *connection) error {
	for _, statement := range schema {
		if err := conn.exec(statement); err != nil {
			return err
		}
	}
	insert, err := conn.prepare("INSERT INTO meta VALUES (?, ?)")
	if err != nil {
		return err
	}
	for name, value := range map[string]driver.Value{
		"format": int64(formatVersion), "partitions": int64(eventlog.Partitions), "id": rand.Text(), "opened": int64(0),
	} {
		if err := insert.exec(name, value); err != nil {
			return err
		}
	}
	return nil
}

func checkSchema(conn *connection) error {
	meta, err := scalar(conn, "SELECT count(*) FROM sqlite_master WHERE name = 'meta'")
	if err != nil {
		return err
	}
	if meta != int64(1) {
		return fmt.Errorf("the file is another program's database: move it away or name another data directory")
	}
	found, err := scalar(conn, "SELECT value FROM meta WHERE name = 'format'")
	if err != nil {
		return err
	}
	if version, ok := found.(int64); !ok || version < 1 {
		return fmt.Errorf("the file has no format number: %w; restore a backup", eventlog.ErrDamaged)
	} else if version > formatVersion {
		return fmt.Errorf("the file has format %d, this program reads up to %d: %w; run the newer version", version, formatVersion, eventlog.ErrNewer)
	}
	partitions, err := scalar(conn, "SELECT value FROM meta WHERE name = 'partitions'")
	if err != nil {
		return err
	}
	if partitions != int64(eventlog.Partitions) {
		return fmt.Errorf("the file has %v partitions, this program has %d: run the version that created it", partitions, eventlog.Partitions)
	}
	return nil
}

// scalar returns the first value of a query, or nil.
func scalar(conn *connection, query string) (value driver.Value, err error) {
	err = conn.query(query, func(row []driver.Value) error {
		value = row[0]
		return errStopQuery
	})
	return value, err
}
