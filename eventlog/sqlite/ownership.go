package sqlite

import (
	"context"
	"slices"

	"tandem/eventlog"
)

// owners holds the owner of every partition.
type owners struct {
	fence      uint64 // latest fencing token
	partitions [eventlog.Partitions]ownership
}

type ownership struct {
	lease   *lease
	fence   uint64        // fencing token of the latest lease; 0 if there was none since Open
	writing bool          // a transaction under way has a batch of the owner
	waiting []chan *lease // in order of arrival
}

// revoke ends the lease, if there is one. The caller holds Log.mu.
func (o *ownership) revoke() {
	if o.lease != nil {
		close(o.lease.lost)
		o.lease = nil
	}
}

// lease is the lease of a partition. Log.mu guards its end.
type lease struct {
	log       *Log
	partition eventlog.Partition
	fence     uint64
	lost      chan struct{}
}

func (l *lease) Fence() uint64         { return l.fence }
func (l *lease) Lost() <-chan struct{} { return l.lost }

// Release ends the lease at once. The next owner gets the partition when no transaction under way has a batch of this
// lease.
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

// Own waits until the partition has no owner in this process and no open loss. The lock on the file excludes other
// processes. A stopped log grants no leases.
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

// cancelRequest withdraws a request for a lease, also one that was granted at the same time.
func (l *Log) cancelRequest(partition eventlog.Partition, granted chan *lease) {
	l.mu.Lock()
	owned := &l.owners.partitions[partition]
	owned.waiting = slices.DeleteFunc(owned.waiting, func(ch chan *lease) bool { return ch == granted })
	l.mu.Unlock()
	select {
	case lease := <-granted:
		_ = lease.Release(context.Background()) // fails in logs on a server only
	default:
	}
}

// grant gives a free partition without an open loss to the first waiting caller. The caller holds l.mu.
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

// isOwner reports whether the fencing token is that of the present lease. The caller holds Log.mu.
func (o *owners) isOwner(partition eventlog.Partition, fence uint64) bool {
	lease := o.partitions[partition].lease
	return lease != nil && lease.fence == fence
}

// revokeAll ends every lease. The caller holds Log.mu.
func (o *owners) revokeAll() {
	for partition := range o.partitions {
		o.partitions[partition].revoke()
	}
}
