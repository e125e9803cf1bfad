package sqlite

import (
	"context"
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"tandem/eventlog"
)

// packed is the stored form of the records of one transaction: for each the partition, command,
// request, seq, microseconds, and the rejection's length plus one, 0 for none, with its bytes.
type packed struct {
	bytes  []byte
	newest int64
}

func (p *packed) add(b *eventlog.Batch) {
	for i := range b.Records {
		r := &b.Records[i]
		at := r.At.UnixMicro()
		p.newest = max(p.newest, at)
		p.bytes = append(p.bytes, byte(b.Partition))
		p.bytes = append(p.bytes, r.Command[:]...)
		p.bytes = append(p.bytes, r.Request[:]...)
		p.bytes = binary.AppendUvarint(p.bytes, r.Seq)
		p.bytes = binary.AppendVarint(p.bytes, at)
		if r.Rejection == nil {
			p.bytes = append(p.bytes, 0)
			continue
		}
		p.bytes = binary.AppendUvarint(p.bytes, uint64(len(r.Rejection))+1)
		p.bytes = append(p.bytes, r.Rejection...)
	}
}

// unpack calls add for each record of a stored row.
func unpack(b []byte, add func(eventlog.Partition, eventlog.Record)) error {
	const fixed = 1 + len(eventlog.CommandID{}) + len(eventlog.Fingerprint{})
	for len(b) > 0 {
		if len(b) < fixed || b[0] >= eventlog.Partitions {
			return errRecords()
		}
		var r eventlog.Record
		p := eventlog.Partition(b[0])
		copy(r.Command[:], b[1:])
		copy(r.Request[:], b[1+len(r.Command):])
		seq, n := binary.Uvarint(b[fixed:])
		at, m := binary.Varint(b[fixed+max(n, 0):])
		if n <= 0 || m <= 0 {
			return errRecords()
		}
		b = b[fixed+n+m:]
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n)+1 {
			return errRecords()
		}
		b = b[n:]
		if size > 0 {
			r.Rejection, b = b[:size-1:size-1], b[size-1:]
		}
		r.Seq, r.At = seq, time.UnixMicro(at).UTC()
		add(p, r)
	}
	return nil
}

func errRecords() error {
	return fmt.Errorf("a row of table records: %w; restore a backup", eventlog.ErrDamaged)
}

func (w *writer) writeRecords(records packed) error {
	if len(records.bytes) == 0 {
		return nil
	}
	w.unsettled += len(records.bytes)
	w.recordRow++ // counted here, as SQLite would begin again at 1 when all rows were trimmed
	if err := w.statements.records.exec(w.recordRow, records.newest, records.bytes); err != nil {
		return err
	}
	if w.untrimmed++; w.untrimmed < w.log.cfg.limits.trimEvery {
		return nil
	}
	w.untrimmed = 0
	// Twice as many rows as came since the last trim, so that the table cannot outgrow trimming.
	return w.trim(2 * w.log.cfg.limits.trimEvery)
}

// trim drops those of the n oldest rows in which every record is old enough.
func (w *writer) trim(n int) error {
	oldest := w.log.cfg.Now().Add(-w.log.cfg.KeepRecords).UnixMicro()
	return w.statements.trim.exec(int64(n), oldest)
}

// loadRecords finds the newest row and drops every old one, when the log is opened.
func (w *writer) loadRecords() error {
	newest, err := scalar(w.conn, "SELECT max(id) FROM records")
	if err != nil {
		return err
	}
	w.recordRow, _ = newest.(int64)
	return w.trim(int(w.recordRow))
}

// recordCache makes one pass over the stored records serve the owners of all partitions, which
// usually ask one after the other when a process starts.
type recordCache struct {
	mu         sync.Mutex
	last       int64 // row up to which the table was read
	partitions [eventlog.Partitions][]eventlog.Record
	unclaimed  [eventlog.Partitions]bool
}

// Records returns the partition's records since the given time, in the order of their arrival.
func (l *Log) Records(ctx context.Context, p eventlog.Partition, since time.Time) ([]eventlog.Record, error) {
	l.mu.Lock()
	err := l.open(ctx)
	l.mu.Unlock()
	if err != nil {
		return nil, err
	}
	var all []eventlog.Record
	if err := l.readers.read(func(r *reader) error { all, err = l.records.claim(r, p, l.cfg.limits.recordsAtOnce); return err }); err != nil {
		return nil, err
	}
	var found []eventlog.Record
	for _, r := range all {
		if !r.At.Before(since) {
			found = append(found, r)
		}
	}
	return found, nil
}

// claim returns all records of the partition and forgets them.
func (c *recordCache) claim(r *reader, p eventlog.Partition, atOnce int) ([]eventlog.Record, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.unclaimed[p] {
		c.partitions = [eventlog.Partitions][]eventlog.Record{}
		last, err := scanRecords(r, 0, atOnce, func(of eventlog.Partition, record eventlog.Record) {
			c.partitions[of] = append(c.partitions[of], record)
		})
		if err != nil {
			return nil, err
		}
		c.last = last
		for i := range c.unclaimed {
			c.unclaimed[i] = true
		}
	}
	found := c.partitions[p]
	c.partitions[p], c.unclaimed[p] = nil, false
	_, err := scanRecords(r, c.last, atOnce, func(of eventlog.Partition, record eventlog.Record) {
		if of == p {
			found = append(found, record)
		}
	})
	return found, err
}

// scanRecords reads the rows after the given one, some at a time so that no snapshot is held for
// long, and returns the number of the last.
func scanRecords(r *reader, after int64, atOnce int, add func(eventlog.Partition, eventlog.Record)) (int64, error) {
	for {
		rows := 0
		err := r.query("SELECT id, packed FROM records WHERE id > ? ORDER BY id LIMIT ?", func(row []driver.Value) error {
			rows++
			after, _ = row[0].(int64)
			b, _ := row[1].([]byte)
			return unpack(b, add)
		}, after, int64(atOnce))
		if err != nil || rows < atOnce {
			return after, err
		}
	}
}
