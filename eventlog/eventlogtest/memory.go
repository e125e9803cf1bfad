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

// Memory is an eventlog.Log that keeps everything in memory and appends at once. Its content,
// the inbox included, outlives Close: Reopen returns a new Memory over it.
type Memory struct {
	faults faults
	closed chan struct{}

	mu       sync.Mutex
	shut     bool
	stopped  error // why nothing can be appended any more
	owners   [eventlog.Partitions]*memoryLease
	handover [eventlog.Partitions]signal
	store    *memoryStore
}

var _ eventlog.Log = (*Memory)(nil)

// memoryStore is what outlives a Memory. The Memory in use guards it.
type memoryStore struct {
	fence      uint64
	entries    []eventlog.Entry // commits and outcomes in the order of their arrival
	arrived    signal
	topics     map[string]*memoryTopic
	reported   []eventlog.LostTailError // every report that was kept, in order
	partitions [eventlog.Partitions]memoryPartition
}

type memoryPartition struct {
	commits []*eventlog.Commit
	records []eventlog.Record
	letters []eventlog.DeadLetter
	values  map[string][]byte
	fence   uint64 // of the latest lease
	epoch   uint64
	loss    *eventlog.LostTailError
}

func (p *memoryPartition) head() eventlog.Head {
	if len(p.commits) == 0 {
		return eventlog.Head{}
	}
	return p.commits[len(p.commits)-1].Head()
}

// signal wakes everybody who waits for a change. Its owner's mutex guards it.
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

// Reopen closes m and returns a Memory without faults over the same content.
func (m *Memory) Reopen() *Memory {
	m.close()
	return openMemory(m.store)
}

// Close ends every lease and everybody who follows or waits; they get eventlog.ErrStopped.
func (m *Memory) Close() error {
	m.close()
	return nil
}

func (m *Memory) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.shut {
		return
	}
	m.shut = true
	close(m.closed)
	for p := range m.owners {
		m.end(eventlog.Partition(p), m.owners[p])
	}
}

// Health returns nil until Stop or Close.
func (m *Memory) Health() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.refusal()
}

// refusal says why nothing can be appended. The caller holds m.mu.
func (m *Memory) refusal() error {
	if m.shut {
		return errClosed()
	}
	return m.stopped
}

// open returns an error when a caller with this context can get no answer. The caller holds m.mu.
func (m *Memory) open(ctx context.Context) error {
	if m.shut {
		return errClosed()
	}
	return ctx.Err()
}

func errClosed() error { return fmt.Errorf("the log is closed: %w", eventlog.ErrStopped) }

// Append stores the batch at once, unless a fault was ordered.
func (m *Memory) Append(ctx context.Context, b eventlog.Batch) error {
	if err := m.faults.hold(ctx, m.closed); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := cmp.Or(m.open(ctx), m.refusal(), m.fits(b)); err != nil {
		return err
	}
	lost, failure := m.faults.failure()
	if !lost {
		m.apply(b)
	}
	return failure
}

// fits returns an error unless the batch continues what is stored. The caller holds m.mu.
func (m *Memory) fits(b eventlog.Batch) error {
	owner, head, topic := m.owners[b.Partition], m.store.partitions[b.Partition].head(), m.topic(eventlog.Topic(b.Partition))
	switch {
	case owner == nil || owner.fence != b.Fence:
		return conflict(b, "fence %d is not the owner's", b.Fence)
	case head != b.Head:
		return conflict(b, "the head is at %d, expected %d", head.Seq, b.Head.Seq)
	case topic.checkpoint != b.From:
		return conflict(b, "the checkpoint is at %d, expected %d", topic.checkpoint, b.From)
	case b.To.Compare(b.From) < 0:
		return conflict(b, "the checkpoint would move back to %d", b.To)
	}
	for i := range b.Commits {
		if err := b.Commits[i].Verify(head); err != nil || b.Commits[i].Partition != b.Partition {
			return conflict(b, "its commits are no chain: %v", err)
		}
		head = b.Commits[i].Head()
	}
	return nil
}

func conflict(b eventlog.Batch, format string, args ...any) error {
	return fmt.Errorf("append to partition %d: %s: %w", b.Partition, fmt.Sprintf(format, args...), eventlog.ErrConflict)
}

func (m *Memory) apply(b eventlog.Batch) {
	p := &m.store.partitions[b.Partition]
	for i := range b.Commits {
		p.commits = append(p.commits, &b.Commits[i])
		m.store.entries = append(m.store.entries, eventlog.Entry{Partition: b.Partition, Commit: &b.Commits[i]})
	}
	for i := range b.Outcomes {
		m.store.entries = append(m.store.entries, eventlog.Entry{Partition: b.Partition, Outcome: &b.Outcomes[i]})
	}
	p.records = append(p.records, b.Records...)
	p.letters = append(p.letters, b.DeadLetters...)
	for _, kv := range b.Puts {
		p.put(kv)
	}
	m.topic(eventlog.Topic(b.Partition)).advance(b.To)
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

// Head returns the end of the partition's chain.
func (m *Memory) Head(ctx context.Context, p eventlog.Partition) (eventlog.Head, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.store.partitions[p].head(), m.open(ctx)
}

// Heads returns the ends of all chains, as they are at one moment.
func (m *Memory) Heads(ctx context.Context) (heads eventlog.Positions, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for p := range heads {
		heads[p] = m.store.partitions[p].head()
	}
	return heads, m.open(ctx)
}

// Read returns the commits with the given sequence numbers.
func (m *Memory) Read(ctx context.Context, p eventlog.Partition, seqs []uint64) ([]eventlog.Commit, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.open(ctx); err != nil {
		return nil, err
	}
	stored := m.store.partitions[p].commits
	commits := make([]eventlog.Commit, len(seqs))
	for i, seq := range seqs {
		if seq == 0 || seq > uint64(len(stored)) {
			return nil, fmt.Errorf("partition %d has no commit %d, only 1 to %d", p, seq, len(stored))
		}
		commits[i] = *stored[seq-1]
	}
	return commits, nil
}

// Records returns the partition's records since the given time, in the order of their arrival.
func (m *Memory) Records(ctx context.Context, p eventlog.Partition, since time.Time) ([]eventlog.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []eventlog.Record
	for _, r := range m.store.partitions[p].records {
		if !r.At.Before(since) {
			found = append(found, r)
		}
	}
	return found, m.open(ctx)
}

// DeadLetters returns the partition's dead letters.
func (m *Memory) DeadLetters(ctx context.Context, p eventlog.Partition) ([]eventlog.DeadLetter, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.store.partitions[p].letters), m.open(ctx)
}

// Get returns the value of a key.
func (m *Memory) Get(ctx context.Context, p eventlog.Partition, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.store.partitions[p].values[key], m.open(ctx)
}

// Scan returns the entries whose key begins with prefix.
func (m *Memory) Scan(ctx context.Context, p eventlog.Partition, prefix string) ([]eventlog.KV, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []eventlog.KV
	for key, value := range m.store.partitions[p].values {
		if strings.HasPrefix(key, prefix) {
			found = append(found, eventlog.KV{Key: key, Value: value})
		}
	}
	slices.SortFunc(found, func(a, b eventlog.KV) int { return strings.Compare(a.Key, b.Key) })
	return found, m.open(ctx)
}
