package sqlite

import (
	"context"
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"tandem/eventlog"
	"tandem/eventlog/wire"
)

// packedReceipts is the stored form of the receipts of one transaction. Each has: partition, command, request,
// sequence number, microseconds, length of the rejection plus one (0: none), rejection.
type packedReceipts struct {
	bytes  []byte
	newest int64
}

func (p *packedReceipts) add(batch *eventlog.Batch) {
	for i := range batch.Receipts {
		receipt := &batch.Receipts[i]
		at := receipt.At.UnixMicro()
		p.newest = max(p.newest, at)
		p.bytes = append(p.bytes, byte(batch.Partition))
		p.bytes = append(p.bytes, receipt.Command[:]...)
		p.bytes = append(p.bytes, receipt.Request[:]...)
		p.bytes = binary.AppendUvarint(p.bytes, receipt.Seq)
		p.bytes = binary.AppendVarint(p.bytes, at)
		p.bytes = wire.AppendNullable(p.bytes, receipt.Rejection)
	}
}

// unpackReceipts calls add for each receipt of a stored row.
func unpackReceipts(b []byte, add func(eventlog.Partition, eventlog.Receipt)) error {
	for reader := wire.NewReader(b); reader.Len() > 0; {
		var receipt eventlog.Receipt
		partition := eventlog.Partition(reader.Byte())
		reader.Array(receipt.Command[:])
		reader.Array(receipt.Request[:])
		receipt.Seq, receipt.At = reader.Uvarint(), time.UnixMicro(reader.Varint()).UTC()
		receipt.Rejection = reader.Nullable()
		if reader.Err() != nil || partition >= eventlog.Partitions {
			return errDamagedReceipts()
		}
		add(partition, receipt)
	}
	return nil
}

func errDamagedReceipts() error {
	return fmt.Errorf("a row of table records: %w; restore a backup", eventlog.ErrDamaged)
}

func (w *fileWriter) writeReceipts(receipts packedReceipts) error {
	if len(receipts.bytes) == 0 {
		return nil
	}
	w.uncheckpointedBytes += len(receipts.bytes)
	w.receiptRow++ // SQLite would start at 1 again when all rows are trimmed
	if err := w.statements.receipts.exec(w.receiptRow, receipts.newest, receipts.bytes); err != nil {
		return err
	}
	if w.groupsSinceTrim++; w.groupsSinceTrim < w.log.cfg.limits.trimEvery {
		return nil
	}
	w.groupsSinceTrim = 0
	// Twice as many rows as were added since the last trim, so that the table cannot outgrow trimming.
	return w.trim(2 * w.log.cfg.limits.trimEvery)
}

// trim deletes those of the n oldest rows whose receipts are all old enough.
func (w *fileWriter) trim(n int) error {
	oldest := w.log.cfg.Now().Add(-w.log.cfg.KeepReceipts).UnixMicro()
	return w.statements.trim.exec(int64(n), oldest)
}

// loadReceipts finds the newest row and deletes all old ones when the log is opened.
func (w *fileWriter) loadReceipts() error {
	newest, err := scalar(w.conn, "SELECT max(id) FROM records")
	if err != nil {
		return err
	}
	w.receiptRow, _ = newest.(int64)
	return w.trim(int(w.receiptRow))
}

// receiptCache serves the owners of all partitions from one pass over the stored receipts. When a process starts, they
// usually read theirs one after the other.
type receiptCache struct {
	mu         sync.Mutex
	last       int64 // row up to which the table was read
	partitions [eventlog.Partitions][]eventlog.Receipt
	unclaimed  [eventlog.Partitions]bool
}

// Receipts returns the partition's receipts since the given time, in order of arrival.
func (l *Log) Receipts(ctx context.Context, partition eventlog.Partition, since time.Time) ([]eventlog.Receipt, error) {
	l.mu.Lock()
	err := l.checkOpen(ctx)
	l.mu.Unlock()
	if err != nil {
		return nil, err
	}
	var all []eventlog.Receipt
	if err := l.readers.read(func(reader *readConnection) error {
		all, err = l.receipts.claim(reader, partition, l.cfg.limits.receiptRows)
		return err
	}); err != nil {
		return nil, err
	}
	var found []eventlog.Receipt
	for _, receipt := range all {
		if !receipt.At.Before(since) {
			found = append(found, receipt)
		}
	}
	return found, nil
}

// claim returns all receipts of the partition and removes them from the cache.
func (c *receiptCache) claim(reader *readConnection, partition eventlog.Partition, atOnce int) ([]eventlog.Receipt, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.unclaimed[partition] {
		c.partitions = [eventlog.Partitions][]eventlog.Receipt{}
		last, err := scanReceipts(reader, 0, atOnce, func(of eventlog.Partition, receipt eventlog.Receipt) {
			c.partitions[of] = append(c.partitions[of], receipt)
		})
		if err != nil {
			return nil, err
		}
		c.last = last
		for i := range c.unclaimed {
			c.unclaimed[i] = true
		}
	}
	found := c.partitions[partition]
	c.partitions[partition], c.unclaimed[partition] = nil, false
	_, err := scanReceipts(reader, c.last, atOnce, func(of eventlog.Partition, receipt eventlog.Receipt) {
		if of == partition {
			found = append(found, receipt)
		}
	})
	return found, err
}

// scanReceipts reads the rows after the given one and returns the number of the last row. It reads some rows at a
// time, so that it holds no snapshot for long.
func scanReceipts(reader *readConnection, after int64, atOnce int, add func(eventlog.Partition, eventlog.Receipt)) (int64, error) {
	for {
		rows := 0
		err := reader.query("SELECT id, packed FROM records WHERE id > ? ORDER BY id LIMIT ?", func(row []driver.Value) error {
			rows++
			after, _ = row[0].(int64)
			b, _ := row[1].([]byte)
			return unpackReceipts(b, add)
		}, after, int64(atOnce))
		if err != nil || rows < atOnce {
			return after, err
		}
	}
}
