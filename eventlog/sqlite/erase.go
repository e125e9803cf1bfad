package sqlite

import (
	"database/sql/driver"
	"errors"
)

// Deleted data stays in the files in two places that PRAGMA secure_delete does not cover: in the write-ahead file
// until it is overwritten, and in the unused parts of pages between which SQLite has moved rows. An append that erases
// therefore rewrites the whole kv table over zeroed pages and truncates the write-ahead file. TestErase fails without
// either step.

// rewriteValues runs in the transaction of the erasure. Its duration grows with the number of values.
func (w *fileWriter) rewriteValues() error {
	var rows [][]driver.Value
	err := w.conn.query("SELECT partition, key, value FROM kv ORDER BY partition, key", func(row []driver.Value) error {
		rows = append(rows, append([]driver.Value(nil), row...))
		return nil
	})
	if err != nil {
		return err
	}
	if err := w.conn.exec("DELETE FROM kv"); err != nil { // without a condition, so that SQLite frees and zeroes whole pages
		return err
	}
	for _, row := range rows {
		if err := w.statements.put.exec(row...); err != nil {
			return err
		}
	}
	return nil
}

// emptyWAL truncates the write-ahead file; readers wait meanwhile. While another program reads the file, such as a
// backup, it cannot; it tries again later, at the latest when the log is opened.
func (w *fileWriter) emptyWAL() error {
	w.uncheckpointedBytes = 0
	w.log.readers.gate.Lock()
	defer w.log.readers.gate.Unlock()
	emptied, err := emptyWAL(w.conn)
	if err == nil && !emptied && !w.walHoldsErased {
		w.log.cfg.Logger.Warn("erased data stays in the write-ahead file while another program reads the log")
	}
	w.walHoldsErased = !emptied
	return err
}

// emptyWAL moves the write-ahead file into the database and truncates it. It returns false if another program uses the
// file.
func emptyWAL(conn *connection) (bool, error) {
	if err := conn.exec("PRAGMA busy_timeout = 200"); err != nil { // all other callers wait meanwhile
		return false, err
	}
	busy, err := scalar(conn, "PRAGMA wal_checkpoint(TRUNCATE)")
	return busy == int64(0), errors.Join(err, conn.exec(busyTimeout))
}

const busyTimeout = "PRAGMA busy_timeout = 5000"
