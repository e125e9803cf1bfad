package eventlogtest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"tandem/eventlog"
)

// Memory is an eventlog.Log in memory. Its content, including the command queue, outlives Close: Reopen returns a new
// Memory with the same content.
type Memory struct {
	faults faults
	closed chan struct{}

	mu           sync.Mutex
	isClosed     bool
	stopped      error // set by Stop
	owners       [eventlog.Partitions]*memoryLease
	ownerChanged [eventlog.Partitions]signal
	store        *memoryStore
}

var _ eventlog.Log = (*Memory)(nil)

// memoryStore is the content that outlives a Memory. The mutex of the open Memory guards it.
type memoryStore struct {
	fence      uint64
	entries    []eventlog.Entry // commits and outcomes in order of arrival
	arrived    signal
	topics     map[string]*memoryTopic
	reported   []eventlog.LostTailError // losses in order of arrival, without ignored reports
	partitions [eventlog.Partitions]memoryPartition
}

type memoryPartition struct {
	commits     []*eventlog.Commit
	receipts    []eventlog.Receipt
	deadLetters []eventlog.DeadLetter
	values      map[string][]byte
	fence       uint64 // fencing token of the latest lease
	epoch       uint64
	loss        *eventlog.LostTailError
}

func (p *memoryPartition) head() eventlog.Head {
	if len(p.commits) == 0 {
		return eventlog.Head{}
	}
	return p.commits[len(p.commits)-1].Head()
}

// signal wakes all goroutines that wait for a change. The mutex of its owner guards it.
type signal struct{ ch chan struct{} }

func (s *signal) wait() <-chan struct{} {
	if s.ch == nil {
		s.ch = make(chan struct{})
	}
	return s.ch
}

func (s *signal) fire() {
	if s.ch != nil {
		close(s.ch)
		s.ch = nil
	}
}

// NewMemory returns an empty log.
func NewMemory() *Memory {
	return openMemory(&memoryStore{topics: map[string]*memoryTopic{}})
}

func openMemory(store *memoryStore) *Memory {
	return &Memory{store: store, closed: make(chan struct{})}
}

// Reopen closes m and returns a Memory with the same content and without scheduled failures.
func (m *Memory) Reopen() *Memory {
	m.close()
	return openMemory(m.store)
}

// Close ends every lease and all blocked calls, which return eventlog.ErrStopped.
func (m *Memory) Close() error {
	m.close()
	return nil
}

func (m *Memory) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.isClosed {
		return
	}
	m.isClosed = true
	close(m.closed)
	for partition := range m.owners {
		m.endLease(eventlog.Partition(partition), m.owners[partition])
	}
}

// Health returns nil until Stop or Close.
func (m *Memory) Health() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.appendError()
}

// appendError returns the reason why the log refuses appends, or nil. The caller holds m.mu.
func (m *Memory) appendError() error {
	if m.isClosed {
		return errClosed()
	}
	return m.stopped
}

// checkOpen returns an error if the log is closed or ctx has ended. The caller holds m.mu.
func (m *Memory) checkOpen(ctx context.Context) error {
	if m.isClosed {
		return errClosed()
	}
	return ctx.Err()
}

func errClosed() error { return fmt.Errorf("the log is closed: %w", eventlog.ErrStopped) }

// Append stores the batch, unless a failure is scheduled.
func (m *Memory) Append(ctx context.Context, batch eventlog.Batch) error {
	if err := m.faults.waitIfHeld(ctx, m.closed); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := cmp.Or(m.checkOpen(ctx), m.appendError(), m.checkBatch(batch)); err != nil {
		return err
	}
	lost, failure := m.faults.nextFailure()
	if !lost {
		m.apply(batch)
	}
	return failure
}

// checkBatch returns an error that is ErrConflict unless the batch continues the partition. The caller holds m.mu.
func (m *Memory) checkBatch(batch eventlog.Batch) error {
	owner, head, topic := m.owners[batch.Partition], m.store.partitions[batch.Partition].head(), m.topic(eventlog.Topic(batch.Partition))
	switch {
	case owner == nil || owner.fence != batch.Fence:
		return conflict(batch, "fencing token %d is not the owner's", batch.Fence)
	case head != batch.Head:
		return conflict(batch, "the head is at %d, expected %d", head.Seq, batch.Head.Seq)
	case topic.checkpoint != batch.From:
		return conflict(batch, "the checkpoint is at %d, expected %d", topic.checkpoint, batch.From)
	case batch.To.Compare(batch.From) < 0:
		return conflict(batch, "the checkpoint would move back to %d", batch.To)
	}
	for i := range batch.Commits {
		if err := batch.Commits[i].Verify(head); err != nil || batch.Commits[i].Partition != batch.Partition {
			return conflict(batch, "its commits are not a chain: %v", err)
		}
		head = batch.Commits[i].Head()
	}
	return nil
}

func conflict(batch eventlog.Batch, format string, args ...any) error {
	return fmt.Errorf("append to partition %d: %s: %w", batch.Partition, fmt.Sprintf(format, args...), eventlog.ErrConflict)
}

func (m *Memory) apply(batch eventlog.Batch) {
	stored := &m.store.partitions[batch.Partition]
	for i := range batch.Commits {
		stored.commits = append(stored.commits, &batch.Commits[i])
		m.store.entries = append(m.store.entries, eventlog.Entry{Partition: batch.Partition, Commit: &batch.Commits[i]})
	}
	for i := range batch.Outcomes {
		m.store.entries = append(m.store.entries, eventlog.Entry{Partition: batch.Partition, Outcome: &batch.Outcomes[i]})
	}
	stored.receipts = append(stored.receipts, batch.Receipts...)
	stored.deadLetters = append(stored.deadLetters, batch.DeadLetters...)
	for _, kv := range batch.Puts {
		stored.put(kv)
	}
	m.topic(eventlog.Topic(batch.Partition)).advance(batch.To)
	m.store.arrived.fire()
}

func (p *memoryPartition) put(kv eventlog.KV) {
	if kv.Value == nil {
		delete(p.values, kv.Key)
		return
	}
	if p.values == nil {
		p.values = map[string][]byte{}
	}
	p.values[kv.Key] = kv.Value
}

// Head returns the head of the partition.
func (m *Memory) Head(ctx context.Context, partition eventlog.Partition) (eventlog.Head, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.store.partitions[partition].head(), m.checkOpen(ctx)
}

// Heads returns the heads of all partitions at one time.
func (m *Memory) Heads(ctx context.Context) (heads eventlog.Positions, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for partition := range heads {
		heads[partition] = m.store.partitions[partition].head()
	}
	return heads, m.checkOpen(ctx)
}

// Read returns the commits with the given sequence numbers.
func (m *Memory) Read(ctx context.Context, partition eventlog.Partition, seqs []uint64) ([]eventlog.Commit, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.checkOpen(ctx); err != nil {
		return nil, err
	}
	stored := m.store.partitions[partition].commits
	commits := make([]eventlog.Commit, len(seqs))
	for i, seq := range seqs {
		if seq == 0 || seq > uint64(len(stored)) {
			return nil, fmt.Errorf("partition %d has no commit %d, only 1 to %d", partition, seq, len(stored))
		}
		commits[i] = *stored[seq-1]
	}
	return commits, nil
}

// Receipts returns the partition's receipts since the given time, in order of arrival.
func (m *Memory) Receipts(ctx context.Context, partition eventlog.Partition, since time.Time) ([]eventlog.Receipt, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []eventlog.Receipt
	for _, receipt := range m.store.partitions[partition].receipts {
		if !receipt.At.Before(since) {
			found = append(found, receipt)
		}
	}
	return found, m.checkOpen(ctx)
}

// DeadLetters returns the partition's dead letters.
func (m *Memory) DeadLetters(ctx context.Context, partition eventlog.Partition) ([]eventlog.DeadLetter, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.store.partitions[partition].deadLetters), m.checkOpen(ctx)
}

// Get returns the value of a key.
func (m *Memory) Get(ctx context.Context, partition eventlog.Partition, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.store.partitions[partition].values[key], m.checkOpen(ctx)
}

// Scan returns the entries whose key starts with prefix, in the order of their keys.
func (m *Memory) Scan(ctx context.Context, partition eventlog.Partition, prefix string) ([]eventlog.KV, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []eventlog.KV
	for key, value := range m.store.partitions[partition].values {
		if strings.HasPrefix(key, prefix) {
			found = append(found, eventlog.KV{Key: key, Value: value})
		}
	}
	slices.SortFunc(found, func(a, b eventlog.KV) int { return strings.Compare(a.Key, b.Key) })
	return found, m.checkOpen(ctx)
}
