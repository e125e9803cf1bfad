package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/gofrs/flock"

	"tandem/eventlog"
)

// Log is an eventlog.Log in one SQLite file.
type Log struct {
	cfg      Config
	lock     *flock.Flock
	readers  *readerPool
	writer   *fileWriter
	commands *commandQueue
	receipts receiptCache
	closed   chan struct{} // closed by Close after the last append
	closing  sync.Once

	mu         sync.Mutex // guards the following fields
	isClosed   bool       // Close was called
	writeError error      // that stopped the writer
	index      *commitIndex
	owners     owners
	tail       *tail
	losses     lossTable
}

var _ eventlog.Log = (*Log)(nil)

func newLog(cfg Config, lock *flock.Flock, conn *connection, readers *readerPool, index *commitIndex, opened uint64) (*Log, error) {
	log := &Log{
		cfg: cfg, lock: lock, readers: readers, closed: make(chan struct{}),
		index: index, owners: owners{fence: opened << 32}, tail: newTail(index.last(), cfg.limits),
	}
	log.commands = newCommandQueue(log.closed)
	var err error
	if err = log.losses.load(conn); err != nil {
		return nil, err
	}
	log.writer, err = newFileWriter(log, conn)
	return log, err
}

func errClosed() error { return fmt.Errorf("the log is closed: %w", eventlog.ErrStopped) }

// Append passes the batch to the writer and waits for the sync of its transaction. When ctx ends first, the batch may
// still be stored.
func (l *Log) Append(ctx context.Context, batch eventlog.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := l.Health(); err != nil {
		return err
	}
	request, err := newRequest(batch)
	if err != nil {
		return err
	}
	if !l.writer.queue.put(request) {
		return errClosed()
	}
	select {
	case err := <-request.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Health returns nil while the log accepts appends, else an eventlog.ErrStopped with the cause.
func (l *Log) Health() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.appendError()
}

// appendError returns the reason why the log refuses appends, or nil. The caller holds l.mu.
func (l *Log) appendError() error {
	if l.isClosed {
		return errClosed()
	}
	return l.writeError
}

// stop makes the log refuse all later appends.
func (l *Log) stop(cause error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writeError = fmt.Errorf("%w: %w", eventlog.ErrStopped, cause)
	l.cfg.Logger.Error("the log has stopped and refuses all appends", "cause", cause)
	return l.writeError
}

// checkOpen returns an error if the log is closed or ctx has ended. The caller holds l.mu.
func (l *Log) checkOpen(ctx context.Context) error {
	if l.isClosed {
		return errClosed()
	}
	return ctx.Err()
}

// Head returns the durable head of the partition.
func (l *Log) Head(ctx context.Context, partition eventlog.Partition) (eventlog.Head, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.index.heads[partition], l.checkOpen(ctx)
}

// Read returns the commits with the given sequence numbers and checks their hashes.
func (l *Log) Read(ctx context.Context, partition eventlog.Partition, seqs []uint64) ([]eventlog.Commit, error) {
	places, err := l.arrivals(ctx, partition, seqs)
	if err != nil {
		return nil, err
	}
	commits := make([]eventlog.Commit, len(seqs))
	err = l.readers.read(func(reader *readConnection) error {
		for i, place := range places {
			commit, err := reader.commit(place, partition, seqs[i])
			if err != nil {
				return err
			}
			commits[i] = *commit
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return commits, nil
}

// arrivals returns the arrival numbers of commits.
func (l *Log) arrivals(ctx context.Context, partition eventlog.Partition, seqs []uint64) ([]uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.checkOpen(ctx); err != nil {
		return nil, err
	}
	places := make([]uint64, len(seqs))
	for i, seq := range seqs {
		place, ok := l.index.arrival(partition, seq)
		if !ok {
			return nil, fmt.Errorf("partition %d has no commit %d, only 1 to %d", partition, seq, l.index.heads[partition].Seq)
		}
		places[i] = place
	}
	return places, nil
}

// publish makes a stored group visible to readers, followers and the command queue.
func (l *Log) publish(group []*writeRequest) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, request := range group {
		if request.meta != nil {
			continue
		}
		for i := range request.batch.Commits {
			l.index.add(&request.batch.Commits[i])
		}
		l.tail.add(request)
		l.commands.advance(eventlog.Topic(request.batch.Partition), request.batch.To)
	}
	if lost := l.tail.trim(); lost > 0 {
		l.cfg.Logger.Warn("a follower is too slow: outcomes were dropped before it read them", "outcomes", lost)
	}
	l.tail.wake()
}

// Close refuses new appends, waits for those that have started, ends every lease and all blocked calls, and closes the
// file. They return eventlog.ErrStopped.
func (l *Log) Close() error {
	var err error
	l.closing.Do(func() {
		l.mu.Lock()
		l.isClosed = true
		l.mu.Unlock()
		l.writer.close()
		l.mu.Lock()
		close(l.closed)
		l.owners.revokeAll()
		l.mu.Unlock()
		err = errors.Join(l.readers.close(), l.writer.conn.close(), l.lock.Close())
	})
	return err
}
