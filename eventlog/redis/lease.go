package redis

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"tandem/eventlog"
)

// lease is the right to append to a partition.
type lease struct {
	owners *owners
	p      eventlog.Partition
	fence  uint64
	once   sync.Once
	lost   chan struct{}
}

var _ eventlog.Lease = (*lease)(nil)

func (l *lease) Fence() uint64         { return l.fence }
func (l *lease) Lost() <-chan struct{} { return l.lost }

// nextBatch returns a name for a batch that no other one has, also where a server has given a fence out twice.
func (l *lease) nextBatch() string {
	return l.owners.node + "-" + formatFence(l.fence) + "-" + strconv.FormatUint(l.owners.batches.Add(1), 10)
}

// end makes the lease worthless in this process. The partition stays this node's until Release.
func (l *lease) end() {
	l.once.Do(func() {
		o := l.owners
		o.mu.Lock()
		if o.leases[l.p] == l {
			o.leases[l.p] = nil
		}
		o.mu.Unlock()
		close(l.lost)
		o.log.hub.tune(l.p)
		o.log.inbox.rest(l.p)
	})
}

// Release gives the partition up, so that another node can have it at once.
func (l *lease) Release(ctx context.Context) error {
	l.end()
	log := l.owners.log
	if log.ctx.Err() != nil {
		return nil // Close does it
	}
	meta := log.keys[l.p].meta
	if err := log.eval(ctx, log.scripts.release, meta, []string{meta}, formatFence(l.fence), l.owners.node).Err(); err != nil {
		return fmt.Errorf("release partition %d: %w", l.p, explain(err))
	}
	l.owners.forget(l)
	l.owners.wake()
	return log.client.Publish(ctx, ownersSignal, formatFence(l.fence)).Err()
}

// forget notes that the partition no longer stands under this node's name.
func (o *owners) forget(l *lease) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.named[l.p] == l.fence {
		o.named[l.p] = 0
	}
}

// Own waits until this process owns the partition or ctx ends.
func (l *Log) Own(ctx context.Context, p eventlog.Partition) (eventlog.Lease, error) {
	if err := l.open(ctx); err != nil {
		return nil, err
	}
	got := l.owners.ask(p)
	select {
	case lease := <-got:
		return lease, nil
	case <-ctx.Done():
	case <-l.ctx.Done():
	}
	if lease := l.owners.withdraw(p, got); lease != nil {
		return lease, nil // it came at the same time
	}
	return nil, l.open(ctx)
}

func (o *owners) ask(p eventlog.Partition) chan *lease {
	got := make(chan *lease, 1)
	o.mu.Lock()
	o.waiting[p] = append(o.waiting[p], got)
	o.begun = true
	o.mu.Unlock()
	o.wake()
	return got
}

// withdraw takes a request back, or returns what was given already.
func (o *owners) withdraw(p eventlog.Partition, got chan *lease) *lease {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting[p] = slices.DeleteFunc(o.waiting[p], func(other chan *lease) bool { return other == got })
	select {
	case lease := <-got:
		return lease
	default:
		return nil
	}
}

// hand gives the lease to whoever waited longest.
func (o *owners) hand(l *lease) {
	o.mu.Lock()
	waiting := o.waiting[l.p]
	if len(waiting) > 0 {
		waiting[0] <- l // has room for one
		o.waiting[l.p] = waiting[1:]
	}
	o.mu.Unlock()
	if len(waiting) == 0 {
		_ = l.Release(o.log.ctx) // nobody wants it any more; if that fails, a later beat does it
	}
}

// lease returns the partition's lease if it has this fence.
func (o *owners) lease(p eventlog.Partition, fence uint64) *lease {
	if l := o.any(p); l != nil && l.fence == fence {
		return l
	}
	return nil
}

// any returns the partition's lease here, whatever its fence, or nil.
func (o *owners) any(p eventlog.Partition) *lease {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.leases[p]
}

// held returns the leases of this node.
func (o *owners) held() (held []*lease) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, l := range o.leases {
		if l != nil {
			held = append(held, l)
		}
	}
	return held
}
