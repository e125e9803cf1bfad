package eventlogtest

import (
	"cmp"
	"context"

	"tandem/eventlog"
)

type memoryLease struct {
	log       *Memory
	partition eventlog.Partition
	fence     uint64
	lost      chan struct{}
}

func (l *memoryLease) Fence() uint64         { return l.fence }
func (l *memoryLease) Lost() <-chan struct{} { return l.lost }

func (l *memoryLease) Release(context.Context) error {
	l.log.mu.Lock()
	defer l.log.mu.Unlock()
	l.log.endLease(l.partition, l)
	return nil
}

// endLease ends a lease that has not ended yet. The caller holds m.mu.
func (m *Memory) endLease(partition eventlog.Partition, lease *memoryLease) {
	if lease == nil || m.owners[partition] != lease {
		return
	}
	close(lease.lost)
	m.owners[partition] = nil
	m.ownerChanged[partition].fire()
}

// Own waits until the partition has no owner and no open loss.
func (m *Memory) Own(ctx context.Context, partition eventlog.Partition) (eventlog.Lease, error) {
	for {
		lease, free, err := m.grant(ctx, partition)
		if err != nil {
			return nil, err
		}
		if lease != nil {
			return lease, nil
		}
		if err := m.await(ctx, free); err != nil {
			return nil, err
		}
	}
}

// grant returns a lease, or a signal after which the caller should try again.
func (m *Memory) grant(ctx context.Context, partition eventlog.Partition) (*memoryLease, <-chan struct{}, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := cmp.Or(m.checkOpen(ctx), m.appendError()); err != nil {
		return nil, nil, err
	}
	stored := &m.store.partitions[partition]
	if m.owners[partition] != nil || stored.loss != nil {
		return nil, m.ownerChanged[partition].wait(), nil
	}
	m.store.fence++
	stored.fence = m.store.fence
	m.owners[partition] = &memoryLease{log: m, partition: partition, fence: m.store.fence, lost: make(chan struct{})}
	return m.owners[partition], nil, nil
}

// await returns nil after the signal, or an error when ctx ends or the log is closed.
func (m *Memory) await(ctx context.Context, woken <-chan struct{}) error {
	select {
	case <-woken:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-m.closed:
		return errClosed()
	}
}
