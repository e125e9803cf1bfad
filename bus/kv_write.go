package bus

import (
	"context"
	"errors"
	"fmt"

	"tandem/eventlog"
)

// ErrNotOwner means that this node does not own the partition, or lost it before the write.
var ErrNotOwner = errors.New("this node does not own the partition")

// kvWrite is a call of PutKV that waits for the append of its entries.
type kvWrite struct {
	puts []eventlog.KV
	done chan error // buffered; receives exactly one error or nil
}

// PutKV stores entries in the partition's key–value space and returns once they are durable. The owner's
// next append includes them, so the lease's fencing token protects them like commits. An entry with a nil
// Value deletes its key. The error is ErrNotOwner if this node does not own the partition; the
// entries are not stored then. After any other error, and when ctx ends first, they may or may not be stored.
func (b *Bus) PutKV(ctx context.Context, partition eventlog.Partition, puts []eventlog.KV) error {
	if len(puts) == 0 {
		return nil
	}
	done, err := b.owners[partition].queueKV(puts)
	if err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// queueKV adds the puts to the owner's next append.
func (o *owner) queueKV(puts []eventlog.KV) (<-chan error, error) {
	write := kvWrite{puts, make(chan error, 1)}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.running {
		return nil, ErrNotOwner
	}
	o.state.kvWrites = append(o.state.kvWrites, write)
	o.wake.Notify()
	return write.done, nil
}

// appendPuts adds the puts of the writes to the batch, in the order of the calls.
func appendPuts(writes []kvWrite, batch *eventlog.Batch) {
	for _, write := range writes {
		batch.Puts = append(batch.Puts, write.puts...)
	}
}

// completeWrites returns err from the waiting calls of PutKV.
func completeWrites(writes []kvWrite, err error) {
	if err != nil && !errors.Is(err, ErrNotOwner) {
		err = fmt.Errorf("put key–value entries: %w", err)
	}
	for _, write := range writes {
		write.done <- err
	}
}
