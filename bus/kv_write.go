package bus

import (
	"context"
	"errors"
	"fmt"

	"tandem/eventlog"
)

// ErrNotOwner says that this node does not own the partition, or lost it before the write.
var ErrNotOwner = errors.New("this node does not own the partition")

// kvWrite waits for the append that takes its puts along.
type kvWrite struct {
	puts []eventlog.KV
	done chan error // buffered, gets exactly one
}

// PutKV stores entries in the partition's key–value space, with the owner's next append; one of its own
// when there is nothing else to append. It returns once they are durable. Only the owner can write, so
// what an owner of before still wants to keep is refused with ErrNotOwner; after any other error
// nobody knows whether it was stored. When ctx ends first it may still be stored later.
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

// OwnershipChanged returns a channel that gets a signal after partitions were taken or given up. It has room for
// one signal, and there is one channel: it is for one reader, who then asks Owns.
func (b *Bus) OwnershipChanged() <-chan struct{} { return b.ownershipChanged }

func (b *Bus) signalOwnershipChange() {
	select {
	case b.ownershipChanged <- struct{}{}:
	default:
	}
}

// queueKV queues the puts behind what is decided.
func (o *owner) queueKV(puts []eventlog.KV) (<-chan error, error) {
	write := kvWrite{puts, make(chan error, 1)}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.running {
		return nil, ErrNotOwner
	}
	o.state.kvWrites = append(o.state.kvWrites, write)
	o.wakeAppender()
	return write.done, nil
}

// appendPuts puts what the keepers want into the batch, later wishes after earlier ones.
func appendPuts(writes []kvWrite, batch *eventlog.Batch) {
	for _, write := range writes {
		batch.Puts = append(batch.Puts, write.puts...)
	}
}

// completeWrites answers keepers.
func completeWrites(writes []kvWrite, err error) {
	if err != nil && !errors.Is(err, ErrNotOwner) {
		err = fmt.Errorf("keep: %w", err)
	}
	for _, write := range writes {
		write.done <- err
	}
}
