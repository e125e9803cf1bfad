package redis

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"tandem/eventlog"
)

// partitionLease is the right to append to a partition.
type partitionLease struct {
	coordinator *coordinator
	partition   eventlog.Partition
	fence       uint64
	once        sync.Once
	lost        chan struct{}
}

var _ eventlog.Lease = (*partitionLease)(nil)

func (l *partitionLease) Fence() uint64         { return l.fence }
func (l *partitionLease) Lost() <-chan struct{} { return l.lost }

// nextBatchName returns a name for a batch that no other one has, also where a server has given a fence out twice.
func (l *partitionLease) nextBatchName() string {
	return l.coordinator.node + "-" + formatFence(l.fence) + "-" + strconv.FormatUint(l.coordinator.batches.Add(1), 10)
}

// invalidate makes the lease worthless in this process. The partition stays this node's until Release.
func (l *partitionLease) invalidate() {
	l.once.Do(func() {
		coord := l.coordinator
		coord.mu.Lock()
		if coord.leases[l.partition] == l {
			coord.leases[l.partition] = nil
		}
		coord.mu.Unlock()
		close(l.lost)
		coord.log.feed.updateMarkReaders(l.partition)
		coord.log.commands.stopReadAhead(l.partition)
	})
}

// Release gives the partition up, so that another node can have it at once.
func (l *partitionLease) Release(ctx context.Context) error {
	l.invalidate()
	log := l.coordinator.log
	if log.ctx.Err() != nil {
		return nil // Close does it
	}
	meta := log.keys[l.partition].meta
	if err := log.eval(ctx, log.scripts.release, meta, []string{meta}, formatFence(l.fence), l.coordinator.node).Err(); err != nil {
		return fmt.Errorf("release partition %d: %w", l.partition, explain(err))
	}
	l.coordinator.forgetFence(l)
	l.coordinator.wake()
	return log.client.Publish(ctx, ownersSignal, formatFence(l.fence)).Err()
}

// forgetFence notes that the partition no longer stands under this node's name.
func (c *coordinator) forgetFence(lease *partitionLease) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.storedFences[lease.partition] == lease.fence {
		c.storedFences[lease.partition] = 0
	}
}

// Own waits until this process owns the partition or ctx ends.
func (l *Log) Own(ctx context.Context, partition eventlog.Partition) (eventlog.Lease, error) {
	if err := l.checkOpen(ctx); err != nil {
		return nil, err
	}
	got := l.coordinator.requestLease(partition)
	select {
	case lease := <-got:
		return lease, nil
	case <-ctx.Done():
	case <-l.ctx.Done():
	}
	if lease := l.coordinator.cancelRequest(partition, got); lease != nil {
		return lease, nil // it came at the same time
	}
	return nil, l.checkOpen(ctx)
}

func (c *coordinator) requestLease(partition eventlog.Partition) chan *partitionLease {
	got := make(chan *partitionLease, 1)
	c.mu.Lock()
	c.waiting[partition] = append(c.waiting[partition], got)
	c.started = true
	c.mu.Unlock()
	c.wake()
	return got
}

// cancelRequest takes a request back, or returns what was given already.
func (c *coordinator) cancelRequest(partition eventlog.Partition, got chan *partitionLease) *partitionLease {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting[partition] = slices.DeleteFunc(c.waiting[partition], func(other chan *partitionLease) bool { return other == got })
	select {
	case lease := <-got:
		return lease
	default:
		return nil
	}
}

// grant gives the lease to whoever waited longest.
func (c *coordinator) grant(lease *partitionLease) {
	c.mu.Lock()
	waiting := c.waiting[lease.partition]
	if len(waiting) > 0 {
		waiting[0] <- lease // has room for one
		c.waiting[lease.partition] = waiting[1:]
	}
	c.mu.Unlock()
	if len(waiting) == 0 {
		_ = lease.Release(c.log.ctx) // nobody wants it any more; if that fails, a later beat does it
	}
}

// leaseWithFence returns the partition's lease if it has this fence.
func (c *coordinator) leaseWithFence(partition eventlog.Partition, fence uint64) *partitionLease {
	if lease := c.localLease(partition); lease != nil && lease.fence == fence {
		return lease
	}
	return nil
}

// localLease returns the partition's lease here, whatever its fence, or nil.
func (c *coordinator) localLease(partition eventlog.Partition) *partitionLease {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leases[partition]
}

// heldLeases returns the leases of this node.
func (c *coordinator) heldLeases() (held []*partitionLease) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, lease := range c.leases {
		if lease != nil {
			held = append(held, lease)
		}
	}
	return held
}
