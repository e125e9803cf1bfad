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
	l.log.end(l.partition, l)
	return nil
}

// end closes a lease that still holds. The caller holds m.mu.
func (m *Memory) end(p eventlog.Partition, lease *memoryLease) {
	if lease == nil || m.owners[p] != lease {
		return
	}
	close(lease.lost)
	m.owners[p] = nil
	m.handover[p].fire()
}

// Own waits until the partition has no owner in this Memory and no open loss.
func (m *Memory) Own(ctx context.Context, p eventlog.Partition) (eventlog.Lease, error) {
	for {
		lease, free, err := m.grant(ctx, p)
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

// grant returns a lease, or the signal after which it is worth asking again.
func (m *Memory) grant(ctx context.Context, p eventlog.Partition) (*memoryLease, <-chan struct{}, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := cmp.Or(m.open(ctx), m.refusal()); err != nil {
		return nil, nil, err
	}
	stored := &m.store.partitions[p]
	if m.owners[p] != nil || stored.loss != nil {
		return nil, m.handover[p].wait(), nil
	}
	m.store.fence++
	stored.fence = m.store.fence
	m.owners[p] = &memoryLease{log: m, partition: p, fence: m.store.fence, lost: make(chan struct{})}
	return m.owners[p], nil, nil
}

// await returns nil after the signal, or the reason why it is pointless to wait for it.
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
