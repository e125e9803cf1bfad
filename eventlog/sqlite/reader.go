package sqlite

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"

	"tandem/eventlog"
)

// reader is a connection for reading commits. It holds a snapshot of the file only during one
// call, so that the write-ahead file can begin again.
type reader struct {
	conn   *conn
	frames *stmt
	gate   *sync.RWMutex
}

func openReader(file string, gate *sync.RWMutex) (*reader, error) {
	c, err := connect(file, busyTimeout, "PRAGMA query_only = 1")
	if err != nil {
		return nil, err
	}
	frames, err := c.prepare("SELECT frame FROM commits WHERE id BETWEEN ? AND ? ORDER BY id")
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return &reader{c, frames, gate}, nil
}

// page returns the frames of the commits that arrived from first to last, at least one, and ends
// early when they have more bytes than allowed.
func (r *reader) page(first, last uint64, bytes int) ([][]byte, error) {
	r.gate.RLock()
	defer r.gate.RUnlock()
	frames := make([][]byte, 0, last-first+1)
	err := r.frames.query(func(row []driver.Value) error {
		frame, _ := row[0].([]byte)
		frames = append(frames, frame)
		if bytes -= len(frame); bytes < 0 {
			return errEnough
		}
		return nil
	}, int64(first), int64(last))
	if err == nil && bytes >= 0 && uint64(len(frames)) != last-first+1 {
		err = fmt.Errorf("of the commits %d to %d by arrival only %d are there: %w; restore a backup", first, last, len(frames), eventlog.ErrDamaged)
	}
	return frames, err
}

// query runs a statement once and calls row for each of its rows.
func (r *reader) query(statement string, row func([]driver.Value) error, args ...driver.Value) error {
	r.gate.RLock()
	defer r.gate.RUnlock()
	return r.conn.query(statement, row, args...)
}

// commit reads one commit and checks that it is the one expected there and unaltered.
func (r *reader) commit(arrival uint64, p eventlog.Partition, seq uint64) (*eventlog.Commit, error) {
	frames, err := r.page(arrival, arrival, 0)
	if err != nil {
		return nil, fmt.Errorf("partition %d: commit %d: %w", p, seq, err)
	}
	return parse(frames[0], p, seq, nil)
}

// parse reads a frame and checks that it is commit seq of the partition and unaltered. With a
// hash it also checks that the commit continues the chain there.
func parse(frame []byte, p eventlog.Partition, seq uint64, prev *eventlog.Hash) (*eventlog.Commit, error) {
	c := new(eventlog.Commit)
	var err error
	if *c, err = eventlog.ParseFrame(frame); err != nil {
		return nil, fmt.Errorf("partition %d: commit %d: %w", p, seq, err)
	}
	if c.Partition != p {
		return nil, fmt.Errorf("partition %d: commit %d says it is of partition %d: %w", p, seq, c.Partition, eventlog.ErrDamaged)
	}
	if prev == nil {
		prev = &c.Prev
	}
	return c, c.Verify(eventlog.Head{Seq: seq - 1, Hash: *prev})
}

// pool lends readers. It opens them when they are needed, up to a number.
type pool struct {
	file  string
	slots chan *reader // nil where none has been opened yet
	// gate is held by every statement that reads. The writer closes it for the moment in which
	// nobody may use the write-ahead file.
	gate sync.RWMutex
}

func newPool(file string, size int) *pool {
	p := &pool{file: file, slots: make(chan *reader, size)}
	for range size {
		p.slots <- nil
	}
	return p
}

// read calls f with a reader.
func (p *pool) read(f func(*reader) error) (err error) {
	r, ok := <-p.slots
	if !ok {
		return errClosed()
	}
	defer func() { p.slots <- r }()
	if r == nil {
		if r, err = openReader(p.file, &p.gate); err != nil {
			return err
		}
	}
	return f(r)
}

// close waits for the readers and closes them.
func (p *pool) close() error {
	var errs []error
	for range cap(p.slots) {
		if r := <-p.slots; r != nil {
			errs = append(errs, r.conn.close())
		}
	}
	close(p.slots)
	return errors.Join(errs...)
}
