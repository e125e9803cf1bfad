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
	owned := &l.log.owners.partitions[l.partition]
	if owned.lease == l {
		owned.revoke()
		l.log.grant(l.partition)
	}
	return nil
}

// Own waits until the partition is free in this process and has no open loss; the file's lock keeps others out. A log
// that has stopped gives nothing away: an owner could do nothing.
func (l *Log) Own(ctx context.Context, partition eventlog.Partition) (eventlog.Lease, error) {
	granted, err := l.requestLease(ctx, partition)
	if err != nil {
		return nil, err
	}
	select {
	case lease := <-granted:
		return lease, nil
	case <-l.closed:
		return nil, errClosed()
	case <-ctx.Done():
		l.cancelRequest(partition, granted)
		return nil, ctx.Err()
	}
}

func (l *Log) requestLease(ctx context.Context, partition eventlog.Partition) (chan *lease, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.checkOpen(ctx); err != nil {
		return nil, err
	}
	if err := l.appendError(); err != nil {
		return nil, err
	}
	granted := make(chan *lease, 1)
	owned := &l.owners.partitions[partition]
	owned.waiting = append(owned.waiting, granted)
	l.grant(partition)
	return granted, nil
}

// cancelRequest takes back what ask asked for, also when it was granted in the same moment.
func (l *Log) cancelRequest(partition eventlog.Partition, granted chan *lease) {
	l.mu.Lock()
	owned := &l.owners.partitions[partition]
	owned.waiting = slices.DeleteFunc(owned.waiting, func(ch chan *lease) bool { return ch == granted })
	l.mu.Unlock()
	select {
	case lease := <-granted:
		_ = lease.Release(context.Background()) // it only fails where a server is asked
	default:
	}
}

// grant gives a free partition that has no open loss to the first who waits for it. The caller holds l.mu.
func (l *Log) grant(partition eventlog.Partition) {
	owned := &l.owners.partitions[partition]
	if owned.lease != nil || owned.writing || len(owned.waiting) == 0 || l.losses.open[partition] != nil {
		return
	}
	l.owners.fence++
	owned.fence = l.owners.fence
	owned.lease = &lease{log: l, partition: partition, fence: owned.fence, lost: make(chan struct{})}
	owned.waiting[0] <- owned.lease
	owned.waiting = owned.waiting[1:]
}

// isOwner reports whether the fence is that of the present owner. The caller holds Log.mu.
func (o *owners) isOwner(partition eventlog.Partition, fence uint64) bool {
	lease := o.partitions[partition].lease
	return lease != nil && lease.fence == fence
}

// revokeAll takes every lease away. The caller holds Log.mu.
func (o *owners) revokeAll() {
	for partition := range o.partitions {
		o.partitions[partition].revoke()
	}
}
