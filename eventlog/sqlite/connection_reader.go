package sqlite

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"

	"tandem/eventlog"
)

// readConnection is a connection for reading commits. It holds a snapshot of the file only during a call, so that the
// write-ahead file can restart.
type readConnection struct {
	conn   *connection
	frames *preparedStmt
	gate   *sync.RWMutex
}

func openReader(file string, gate *sync.RWMutex) (*readConnection, error) {
	conn, err := connect(file, busyTimeout, "PRAGMA query_only = 1")
	if err != nil {
		return nil, err
	}
	frames, err := conn.prepare("SELECT frame FROM commits WHERE id BETWEEN ? AND ? ORDER BY id")
	if err != nil {
		return nil, errors.Join(err, conn.close())
	}
	return &readConnection{conn, frames, gate}, nil
}

// page returns the frames of the commits with arrival numbers first to last, at least one. It ends early when their
// size exceeds bytes.
func (r *readConnection) page(first, last uint64, bytes int) ([][]byte, error) {
	r.gate.RLock()
	defer r.gate.RUnlock()
	frames := make([][]byte, 0, last-first+1)
	err := r.frames.query(func(row []driver.Value) error {
		frame, _ := row[0].([]byte)
		frames = append(frames, frame)
		if bytes -= len(frame); bytes < 0 {
			return errStopQuery
		}
		return nil
	}, int64(first), int64(last))
	if err == nil && bytes >= 0 && uint64(len(frames)) != last-first+1 {
		err = fmt.Errorf("of the commits with arrival numbers %d to %d only %d exist: %w; restore a backup", first, last, len(frames), eventlog.ErrDamaged)
	}
	return frames, err
}

// query prepares a statement, runs it once and calls row for each row.
func (r *readConnection) query(sql string, row func([]driver.Value) error, args ...driver.Value) error {
	r.gate.RLock()
	defer r.gate.RUnlock()
	return r.conn.query(sql, row, args...)
}

// commit reads one commit and checks its position and its hash.
func (r *readConnection) commit(arrival uint64, partition eventlog.Partition, seq uint64) (*eventlog.Commit, error) {
	frames, err := r.page(arrival, arrival, 0)
	if err != nil {
		return nil, fmt.Errorf("partition %d: commit %d: %w", partition, seq, err)
	}
	return parse(frames[0], partition, seq, nil)
}

// parse parses a frame and checks that it is the unaltered commit seq of the partition. If prev is not nil, it also
// checks that the commit continues the chain there.
func parse(frame []byte, partition eventlog.Partition, seq uint64, prev *eventlog.Hash) (*eventlog.Commit, error) {
	commit := new(eventlog.Commit)
	var err error
	if *commit, err = eventlog.ParseFrame(frame); err != nil {
		return nil, fmt.Errorf("partition %d: commit %d: %w", partition, seq, err)
	}
	if commit.Partition != partition {
		return nil, fmt.Errorf("partition %d: commit %d belongs to partition %d: %w", partition, seq, commit.Partition, eventlog.ErrDamaged)
	}
	if prev == nil {
		prev = &commit.Prev
	}
	return commit, commit.Verify(eventlog.Head{Seq: seq - 1, Hash: *prev})
}

// readerPool lends read connections. It opens them on first use, up to its size.
type readerPool struct {
	file  string
	slots chan *readConnection // nil for a connection that is not open yet
	// gate is read-locked by every reading statement. The writer locks it while the write-ahead file must have no
	// readers.
	gate sync.RWMutex
}

func newReaderPool(file string, size int) *readerPool {
	pool := &readerPool{file: file, slots: make(chan *readConnection, size)}
	for range size {
		pool.slots <- nil
	}
	return pool
}

// read calls use with a connection.
func (p *readerPool) read(use func(*readConnection) error) (err error) {
	reader, ok := <-p.slots
	if !ok {
		return errClosed()
	}
	defer func() { p.slots <- reader }()
	if reader == nil {
		if reader, err = openReader(p.file, &p.gate); err != nil {
			return err
		}
	}
	return use(reader)
}

// close waits for the connections and closes them.
func (p *readerPool) close() error {
	var errs []error
	for range cap(p.slots) {
		if reader := <-p.slots; reader != nil {
			errs = append(errs, reader.conn.close())
		}
	}
	close(p.slots)
	return errors.Join(errs...)
}
