package bus

import (
	"context"
	"errors"
	"fmt"

	"tandem/eventlog"
)

// ErrNotOwner says that this node does not own the partition, or lost it before the write.
var ErrNotOwner = errors.New("this node does not own the partition")

// keeper waits for the append that takes its puts along.
type keeper struct {
	puts []eventlog.KV
	done chan error // buffered, gets exactly one
}

// Keep stores entries in the partition's key–value space, with the owner's next append; one of its own
// when there is nothing else to append. It returns once they are durable. Only the owner can write, so
// what an owner of before still wants to keep is refused with ErrNotOwner; after any other error
// nobody knows whether it was stored. When ctx ends first it may still be stored later.
func (b *Bus) Keep(ctx context.Context, p eventlog.Partition, puts []eventlog.KV) error {
	if len(puts) == 0 {
		return nil
	}
	done, err := b.owners[p].keep(puts)
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

// Moved returns a channel that gets a signal after partitions were taken or given up. It has room for
// one signal, and there is one channel: it is for one reader, who then asks Owns.
func (b *Bus) Moved() <-chan struct{} { return b.moved }

func (b *Bus) announceMove() {
	select {
	case b.moved <- struct{}{}:
	default:
	}
}

// keep queues the puts behind what is decided.
func (o *owner) keep(puts []eventlog.KV) (<-chan error, error) {
	k := keeper{puts, make(chan error, 1)}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.running {
		return nil, ErrNotOwner
	}
	o.decided.keepers = append(o.decided.keepers, k)
	o.wakeUp()
	return k.done, nil
}

// join puts what the keepers want into the batch, later wishes after earlier ones.
func join(keepers []keeper, b *eventlog.Batch) {
	for _, k := range keepers {
		b.Puts = append(b.Puts, k.puts...)
	}
}

// tell answers keepers.
func tell(keepers []keeper, err error) {
	if err != nil && !errors.Is(err, ErrNotOwner) {
		err = fmt.Errorf("keep: %w", err)
	}
	for _, k := range keepers {
		k.done <- err
	}
}
