package sqlite

import (
	"database/sql/driver"
	"fmt"
	"sync"

	"tandem/eventlog"
)

// request is a batch on its way through the writer.
type request struct {
	batch  eventlog.Batch
	frames [][]byte                // of its commits
	bytes  int                     // of its frames
	meta   map[string]driver.Value // instead of a batch: rows of table meta
	err    error
	done   chan error // gets err when the group is finished
}

// newRequest encodes the batch on its caller's goroutine, and refuses commits that are no chain:
// once stored they would be damage.
func newRequest(b eventlog.Batch) (*request, error) {
	r := &request{batch: b, done: make(chan error, 1), frames: make([][]byte, len(b.Commits))}
	head := b.Head
	for i := range b.Commits {
		c := &b.Commits[i]
		if err := c.Verify(head); err != nil {
			return nil, conflict(b, "its commits are no chain: %v", err)
		}
		if c.Partition != b.Partition {
			return nil, conflict(b, "it has a commit of partition %d", c.Partition)
		}
		head = c.Head()
		r.frames[i] = c.AppendFrame(make([]byte, 0, frameSize(c)))
		r.bytes += len(r.frames[i])
	}
	return r, nil
}

// frameSize returns about as many bytes as the frame of c takes.
func frameSize(c *eventlog.Commit) int {
	size := 192 + len(c.Stream) + len(c.Actor) + len(c.Partner)
	for i := range c.Events {
		e := &c.Events[i]
		size += 64 + len(e.Type) + len(e.Subject) + len(e.Audience) + len(e.Data)
	}
	return size
}

// durable reports whether the batch has anything that belongs into the file.
func (r *request) durable() bool {
	b := &r.batch
	return len(b.Commits)+len(b.Records)+len(b.DeadLetters)+len(b.Puts)+len(r.meta) > 0
}

func conflict(b eventlog.Batch, format string, args ...any) error {
	return fmt.Errorf("append to partition %d: %s: %w", b.Partition, fmt.Sprintf(format, args...), eventlog.ErrConflict)
}

// queue holds what came while the writer was busy.
type queue struct {
	mu      sync.Mutex
	waiting []*request
	closed  bool
	more    chan struct{} // has room for one signal
}

func newQueue() *queue { return &queue{more: make(chan struct{}, 1)} }

// put adds a request; false after close.
func (q *queue) put(r *request) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.waiting = append(q.waiting, r)
	q.signal()
	return true
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.more <- struct{}{}:
	default:
	}
}

// take waits for requests and returns them in the order in which they came, as many as fit into
// one transaction. It returns nothing once the queue is closed and empty.
func (q *queue) take(group []*request, most limits) []*request {
	for {
		q.mu.Lock()
		n := q.fitting(most)
		group = append(group, q.waiting[:n]...)
		q.waiting = append(q.waiting[:0], q.waiting[n:]...)
		clear(q.waiting[len(q.waiting):cap(q.waiting)])
		ended := q.closed
		q.mu.Unlock()
		if n > 0 || ended {
			return group
		}
		<-q.more
	}
}

// fitting returns how many of the waiting requests make one transaction, at least one.
func (q *queue) fitting(most limits) int {
	commits, bytes := 0, 0
	for n, r := range q.waiting {
		commits, bytes = commits+len(r.batch.Commits), bytes+r.bytes
		if n > 0 && (commits > most.group || bytes > most.groupBytes) {
			return n
		}
	}
	return len(q.waiting)
}
