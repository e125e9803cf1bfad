package redis

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"tandem/eventlog"
)

// partitionLease is the lease of a partition.
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

// nextBatchName returns a unique name for a batch, also when a server has handed out a fencing token twice.
func (l *partitionLease) nextBatchName() string {
	return l.coordinator.node + "-" + formatFence(l.fence) + "-" + strconv.FormatUint(l.coordinator.batches.Add(1), 10)
}

// invalidate ends the lease in this process. The meta hash names this node until Release.
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

// Release releases the partition, so that another node can own it at once.
func (l *partitionLease) Release(ctx context.Context) error {
	l.invalidate()
	log := l.coordinator.log
	if log.ctx.Err() != nil {
		return nil // Close releases all partitions
	}
	meta := log.keys[l.partition].meta
	if err := log.eval(ctx, log.scripts.release, meta, []string{meta}, formatFence(l.fence), l.coordinator.node).Err(); err != nil {
		return fmt.Errorf("release partition %d: %w", l.partition, explain(err))
	}
	l.coordinator.forgetFence(l)
	l.coordinator.wake()
	return log.client.Publish(ctx, ownersSignal, formatFence(l.fence)).Err()
}

// forgetFence notes that the meta hash no longer names this node.
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
		return lease, nil // granted at the same time
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

// cancelRequest withdraws a request for a lease, or returns the lease that was granted already.
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

// grant gives the lease to the caller that has waited longest.
func (c *coordinator) grant(lease *partitionLease) {
	c.mu.Lock()
	waiting := c.waiting[lease.partition]
	if len(waiting) > 0 {
		waiting[0] <- lease // the channel buffers one lease
		c.waiting[lease.partition] = waiting[1:]
	}
	c.mu.Unlock()
	if len(waiting) == 0 {
		_ = lease.Release(c.log.ctx) // no caller waits; after an error a later heartbeat releases it
	}
}

// leaseWithFence returns this node's lease of the partition if it has the fencing token, else nil.
func (c *coordinator) leaseWithFence(partition eventlog.Partition, fence uint64) *partitionLease {
	if lease := c.localLease(partition); lease != nil && lease.fence == fence {
		return lease
	}
	return nil
}

// localLease returns this node's lease of the partition, or nil.
func (c *coordinator) localLease(partition eventlog.Partition) *partitionLease {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leases[partition]
}

// heldLeases returns this node's leases.
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
