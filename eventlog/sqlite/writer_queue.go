package sqlite

import (
	"database/sql/driver"
	"fmt"
	"sync"

	"tandem/eventlog"
	"tandem/eventlog/wakeup"
)

// writeRequest is a batch, or a change of table meta, in the writer's queue.
type writeRequest struct {
	batch  eventlog.Batch
	frames [][]byte                // of the batch's commits
	bytes  int                     // total size of the frames
	meta   map[string]driver.Value // rows of table meta to write; then there is no batch
	err    error
	done   chan error // receives err when the group is finished
}

// newRequest encodes the batch on the caller's goroutine. It refuses a broken chain, which would count as damage once
// it is stored.
func newRequest(batch eventlog.Batch) (*writeRequest, error) {
	request := &writeRequest{batch: batch, done: make(chan error, 1), frames: make([][]byte, len(batch.Commits))}
	head := batch.Head
	for i := range batch.Commits {
		commit := &batch.Commits[i]
		if err := commit.Verify(head); err != nil {
			return nil, conflict(batch, "its commits are not a chain: %v", err)
		}
		if commit.Partition != batch.Partition {
			return nil, conflict(batch, "it has a commit of partition %d", commit.Partition)
		}
		head = commit.Head()
		request.frames[i] = commit.AppendFrame(make([]byte, 0, frameSize(commit)))
		request.bytes += len(request.frames[i])
	}
	return request, nil
}

// frameSize returns an estimate of the size of the frame.
func frameSize(commit *eventlog.Commit) int {
	size := 192 + len(commit.Stream) + len(commit.Actor) + len(commit.Partner)
	for i := range commit.Events {
		event := &commit.Events[i]
		size += 64 + len(event.Type) + len(event.Subject) + len(event.Audience) + len(event.Data)
	}
	return size
}

// durable reports whether the request has anything to write to the file.
func (r *writeRequest) durable() bool {
	batch := &r.batch
	return len(batch.Commits)+len(batch.Receipts)+len(batch.DeadLetters)+len(batch.Puts)+len(r.meta) > 0
}

func conflict(batch eventlog.Batch, format string, args ...any) error {
	return fmt.Errorf("append to partition %d: %s: %w", batch.Partition, fmt.Sprintf(format, args...), eventlog.ErrConflict)
}

// writeQueue holds the requests that arrive while the writer is busy.
type writeQueue struct {
	mu      sync.Mutex
	waiting []*writeRequest
	closed  bool
	wakeup  wakeup.Signal
}

func newWriteQueue() *writeQueue { return &writeQueue{wakeup: wakeup.New()} }

// put adds a request. It returns false after close.
func (q *writeQueue) put(request *writeRequest) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.waiting = append(q.waiting, request)
	q.signal()
	return true
}

func (q *writeQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.signal()
}

func (q *writeQueue) signal() {
	q.wakeup.Notify()
}

// take waits for requests and appends to group as many as fit into one transaction, in order of arrival. It appends
// none once the queue is closed and empty.
func (q *writeQueue) take(group []*writeRequest, bounds limits) []*writeRequest {
	for {
		q.mu.Lock()
		n := q.countFitting(bounds)
		group = append(group, q.waiting[:n]...)
		q.waiting = append(q.waiting[:0], q.waiting[n:]...)
		clear(q.waiting[len(q.waiting):cap(q.waiting)])
		ended := q.closed
		q.mu.Unlock()
		if n > 0 || ended {
			return group
		}
		<-q.wakeup
	}
}

// countFitting returns the number of queued requests for one transaction, at least one.
func (q *writeQueue) countFitting(bounds limits) int {
	commits, bytes := 0, 0
	for n, request := range q.waiting {
		commits, bytes = commits+len(request.batch.Commits), bytes+request.bytes
		if n > 0 && (commits > bounds.groupCommits || bytes > bounds.groupBytes) {
			return n
		}
	}
	return len(q.waiting)
}
