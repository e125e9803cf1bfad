package sqlite

import (
	"context"
	"slices"

	"tandem/eventlog"
)

// owners says who may append to which partition.
type owners struct {
	fence      uint64 // the last one granted
	partitions [eventlog.Partitions]ownership
}

type ownership struct {
	lease   *lease
	fence   uint64        // of the latest lease; 0 if there was none since Open
	writing bool          // a transaction under way holds a batch of it
	waiting []chan *lease // in the order in which they came
}

// revoke ends the lease, if there is one. The caller holds Log.mu.
func (o *ownership) revoke() {
	if o.lease != nil {
		close(o.lease.lost)
		o.lease = nil
	}
}

// lease is the right to append to a partition. Log.mu guards its end.
type lease struct {
	log       *Log
	partition eventlog.Partition
	fence     uint64
	lost      chan struct{}
}

func (l *lease) Fence() uint64         { return l.fence }
func (l *lease) Lost() <-chan struct{} { return l.lost }

// Release gives the partition up at once. The next owner gets it when no transaction with a batch
// of this lease is under way any more.
func (l *lease) Release(context.Context) error {
	l.log.mu.Lock()
	defer l.log.mu.Unlock()
	o := &l.log.owners.partitions[l.partition]
	if o.lease == l {
		o.revoke()
		l.log.grant(l.partition)
	}
	return nil
}

// Own waits until the partition is free in this process and has no open loss; the file's lock keeps others out. A log
// that has stopped gives nothing away: an owner could do nothing.
func (l *Log) Own(ctx context.Context, p eventlog.Partition) (eventlog.Lease, error) {
	granted, err := l.ask(ctx, p)
	if err != nil {
		return nil, err
	}
	select {
	case lease := <-granted:
		return lease, nil
	case <-l.closed:
		return nil, errClosed()
	case <-ctx.Done():
		l.withdraw(p, granted)
		return nil, ctx.Err()
	}
}

func (l *Log) ask(ctx context.Context, p eventlog.Partition) (chan *lease, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.open(ctx); err != nil {
		return nil, err
	}
	if err := l.refusal(); err != nil {
		return nil, err
	}
	granted := make(chan *lease, 1)
	o := &l.owners.partitions[p]
	o.waiting = append(o.waiting, granted)
	l.grant(p)
	return granted, nil
}

// withdraw takes back what ask asked for, also when it was granted in the same moment.
func (l *Log) withdraw(p eventlog.Partition, granted chan *lease) {
	l.mu.Lock()
	o := &l.owners.partitions[p]
	o.waiting = slices.DeleteFunc(o.waiting, func(ch chan *lease) bool { return ch == granted })
	l.mu.Unlock()
	select {
	case lease := <-granted:
		_ = lease.Release(context.Background()) // it only fails where a server is asked
	default:
	}
}

// grant gives a free partition that has no open loss to the first who waits for it. The caller holds l.mu.
func (l *Log) grant(p eventlog.Partition) {
	o := &l.owners.partitions[p]
	if o.lease != nil || o.writing || len(o.waiting) == 0 || l.losses.open[p] != nil {
		return
	}
	l.owners.fence++
	o.fence = l.owners.fence
	o.lease = &lease{log: l, partition: p, fence: o.fence, lost: make(chan struct{})}
	o.waiting[0] <- o.lease
	o.waiting = o.waiting[1:]
}

// owns reports whether the fence is that of the present owner. The caller holds Log.mu.
func (o *owners) owns(p eventlog.Partition, fence uint64) bool {
	lease := o.partitions[p].lease
	return lease != nil && lease.fence == fence
}

// end takes every lease away. The caller holds Log.mu.
func (o *owners) end() {
	for p := range o.partitions {
		o.partitions[p].revoke()
	}
}
