package sqlite

import (
	"database/sql/driver"
	"errors"
)

// What is deleted stays in the files in two ways that PRAGMA secure_delete does not reach: in the
// write-ahead file, until that is written over, and in the unused part of pages between which SQLite
// has moved rows. So an append that erases writes the whole table of values anew, over zeroes, and
// empties the write-ahead file. TestErase fails without either.

// rewriteValues is done in the transaction that erased. Its time grows with the values that there are.
func (w *fileWriter) rewriteValues() error {
	var rows [][]driver.Value
	err := w.conn.query("SELECT partition, key, value FROM kv ORDER BY partition, key", func(row []driver.Value) error {
		rows = append(rows, append([]driver.Value(nil), row...))
		return nil
	})
	if err != nil {
		return err
	}
	if err := w.conn.exec("DELETE FROM kv"); err != nil { // without a condition, so that whole pages are freed and zeroed
		return err
	}
	for _, row := range rows {
		if err := w.statements.put.exec(row...); err != nil {
			return err
		}
	}
	return nil
}

// emptyWAL makes readers wait for a moment. While another program reads the file, such as a backup,
// it cannot be done; it is tried again later, at the latest with the next start.
func (w *fileWriter) emptyWAL() error {
	w.uncheckpointedBytes = 0
	w.log.readers.gate.Lock()
	defer w.log.readers.gate.Unlock()
	emptied, err := emptyWAL(w.conn)
	if err == nil && !emptied && !w.walHoldsErased {
		w.log.cfg.Logger.Warn("what was erased is still in the write-ahead file, because another program reads the log; it goes when that ends")
	}
	w.walHoldsErased = !emptied
	return err
}

// emptyWAL moves everything into the database and cuts the write-ahead file to nothing; false if
// somebody else uses that.
func emptyWAL(conn *connection) (bool, error) {
	if err := conn.exec("PRAGMA busy_timeout = 200"); err != nil { // all others wait meanwhile
		return false, err
	}
	busy, err := scalar(conn, "PRAGMA wal_checkpoint(TRUNCATE)")
	return busy == int64(0), errors.Join(err, conn.exec(busyTimeout))
}

const busyTimeout = "PRAGMA busy_timeout = 5000"
