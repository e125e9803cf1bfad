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
	cfg     Config
	lock    *flock.Flock
	readers *pool
	writer  *writer
	inbox   *inbox
	records recordCache
	closed  chan struct{} // closed when nothing more is answered
	closing sync.Once

	mu     sync.Mutex // guards what follows
	shut   bool       // Close was called
	fault  error      // why the writer stopped
	index  *index
	owners owners
	tail   *tail
	losses losses
}

var _ eventlog.Log = (*Log)(nil)

func newLog(cfg Config, lock *flock.Flock, c *conn, readers *pool, x *index, opened uint64) (*Log, error) {
	l := &Log{
		cfg: cfg, lock: lock, readers: readers, closed: make(chan struct{}),
		index: x, owners: owners{fence: opened << 32}, tail: newTail(x.last(), cfg.limits),
	}
	l.inbox = newInbox(l.closed)
	var err error
	if err = l.losses.load(c); err != nil {
		return nil, err
	}
	l.writer, err = newWriter(l, c)
	return l, err
}

func errClosed() error { return fmt.Errorf("the log is closed: %w", eventlog.ErrStopped) }

// Append hands the batch to the writer and waits for the sync of its transaction. When ctx ends
// first the batch may still be stored.
func (l *Log) Append(ctx context.Context, b eventlog.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := l.Health(); err != nil {
		return err
	}
	r, err := newRequest(b)
	if err != nil {
		return err
	}
	if !l.writer.queue.put(r) {
		return errClosed()
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Health returns nil while the log can append, else an eventlog.ErrStopped with the cause.
func (l *Log) Health() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refusal()
}

// refusal says why nothing can be appended. The caller holds l.mu.
func (l *Log) refusal() error {
	if l.shut {
		return errClosed()
	}
	return l.fault
}

// stop ends appending for good.
func (l *Log) stop(cause error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = fmt.Errorf("%w: %w", eventlog.ErrStopped, cause)
	l.cfg.Logger.Error("the log has stopped: nothing is accepted any more", "cause", cause)
	return l.fault
}

// open returns an error when a caller with this context can get no answer. The caller holds l.mu.
func (l *Log) open(ctx context.Context) error {
	if l.shut {
		return errClosed()
	}
	return ctx.Err()
}

// Head returns the durable end of the partition's chain.
func (l *Log) Head(ctx context.Context, p eventlog.Partition) (eventlog.Head, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.index.heads[p], l.open(ctx)
}

// Read returns the commits with the given sequence numbers, each checked to be unaltered.
func (l *Log) Read(ctx context.Context, p eventlog.Partition, seqs []uint64) ([]eventlog.Commit, error) {
	places, err := l.places(ctx, p, seqs)
	if err != nil {
		return nil, err
	}
	commits := make([]eventlog.Commit, len(seqs))
	err = l.readers.read(func(r *reader) error {
		for i, place := range places {
			c, err := r.commit(place, p, seqs[i])
			if err != nil {
				return err
			}
			commits[i] = *c
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return commits, nil
}

// places returns the arrival numbers of commits.
func (l *Log) places(ctx context.Context, p eventlog.Partition, seqs []uint64) ([]uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.open(ctx); err != nil {
		return nil, err
	}
	places := make([]uint64, len(seqs))
	for i, seq := range seqs {
		place, ok := l.index.arrival(p, seq)
		if !ok {
			return nil, fmt.Errorf("partition %d has no commit %d, only 1 to %d", p, seq, l.index.heads[p].Seq)
		}
		places[i] = place
	}
	return places, nil
}

// published makes a stored group visible: to readers, to followers, to the inbox.
func (l *Log) published(group []*request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range group {
		if r.meta != nil {
			continue
		}
		for i := range r.batch.Commits {
			l.index.add(&r.batch.Commits[i])
		}
		l.tail.add(r)
		l.inbox.advance(eventlog.Topic(r.batch.Partition), r.batch.To)
	}
	if lost := l.tail.trim(); lost > 0 {
		l.cfg.Logger.Warn("a follower is too slow: outcomes were dropped before it saw them", "outcomes", lost)
	}
	l.tail.wake()
}

// Close refuses new work, waits for the appends under way, ends every lease, every follower and
// whoever waits, and closes the file. They get eventlog.ErrStopped.
func (l *Log) Close() error {
	var err error
	l.closing.Do(func() {
		l.mu.Lock()
		l.shut = true
		l.mu.Unlock()
		l.writer.close()
		l.mu.Lock()
		close(l.closed)
		l.owners.end()
		l.mu.Unlock()
		err = errors.Join(l.readers.close(), l.writer.conn.close(), l.lock.Close())
	})
	return err
}
