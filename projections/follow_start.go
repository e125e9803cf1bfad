package projections

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"tandem/eventlog"
)

// restoreAndCompare reads the snapshot and the seen heads, compares them with the log, and halts the partitions
// that have lost commits.
func (f *follower) restoreAndCompare(ctx context.Context) error {
	losses, err := f.log.Losses(ctx)
	if err != nil {
		return fmt.Errorf("read the losses of the log: %w", err)
	}
	f.restore(losses.Epochs)
	f.present.mu.Lock()
	f.present.store.beginReplay()
	f.present.store.epochs = losses.Epochs
	f.present.mu.Unlock()
	for _, epochs := range losses.Epochs {
		f.losses.losses.accepted.Add(epochs)
	}
	f.seen.read()
	f.seen.dropOutdated(losses.Epochs)
	heads, err := f.log.Heads(ctx)
	if err != nil {
		return fmt.Errorf("read the heads of the log: %w", err)
	}
	f.losses.halt(losses.Open)
	lost, err := f.findMissing(ctx, heads)
	if err != nil {
		return fmt.Errorf("compare the seen heads with the log: %w", err)
	}
	f.losses.halt(lost)
	if err := f.losses.report(ctx, lost); err != nil {
		return err
	}
	return f.applyHalted(ctx, heads)
}

// findMissing returns a loss for each partition whose seen head or snapshot the log does not contain. It skips
// partitions that are halted already.
func (f *follower) findMissing(ctx context.Context, heads eventlog.Positions) ([]eventlog.LostTailError, error) {
	var lost []eventlog.LostTailError
	for n, head := range heads {
		partition := eventlog.Partition(n)
		if f.losses.losses.OpenLossIn(partition) != nil {
			continue
		}
		known := []eventlog.Head{f.seen.heads[partition].head, f.present.store.heads[partition]}
		slices.SortFunc(known, func(one, other eventlog.Head) int { return cmp.Compare(other.Seq, one.Seq) })
		for _, seen := range slices.Compact(known) {
			stored, err := f.storedHead(ctx, partition, seen.Seq, head)
			if err != nil {
				return nil, err
			}
			if stored != seen {
				lost = append(lost, eventlog.LostTailError{Partition: partition, Known: seen, Stored: stored})
				break // an earlier head cannot be missing more
			}
		}
	}
	return lost, nil
}

// storedHead returns the stored commit with number seq as a head, or the stored head if it is before seq.
func (f *follower) storedHead(ctx context.Context, partition eventlog.Partition, seq uint64, head eventlog.Head) (eventlog.Head, error) {
	switch {
	case seq == 0:
		return eventlog.Head{}, nil
	case seq >= head.Seq:
		return head, nil
	}
	commits, err := f.log.Read(ctx, partition, []uint64{seq})
	if err != nil {
		return eventlog.Head{}, err
	}
	return commits[0].Head(), nil
}

// applyHalted applies the remaining commits of halted partitions, which Follow skips. They determine who is
// affected by the loss.
func (f *follower) applyHalted(ctx context.Context, heads eventlog.Positions) error {
	for _, loss := range f.losses.losses.OpenLosses() {
		known := f.present.store.heads[loss.Partition]
		stored, err := f.storedHead(ctx, loss.Partition, known.Seq, heads[loss.Partition])
		if err == nil && stored == known {
			err = f.applyRange(ctx, loss.Partition, known.Seq+1, heads[loss.Partition].Seq)
		}
		if err != nil {
			return fmt.Errorf("read the remaining commits of partition %d: %w", loss.Partition, err)
		}
	}
	return nil
}

// applyRange applies the commits of a partition from first to last.
func (f *follower) applyRange(ctx context.Context, partition eventlog.Partition, first, last uint64) error {
	for first <= last {
		var seqs []uint64
		for ; first <= last && len(seqs) < readAhead; first++ {
			seqs = append(seqs, first)
		}
		commits, err := f.log.Read(ctx, partition, seqs)
		if err != nil {
			return err
		}
		group := &entryGroup{}
		for n := range commits {
			group.entries = append(group.entries, eventlog.Entry{Partition: partition, Commit: &commits[n]})
		}
		group.decode()
		if err := f.applyGroup(group, nil); err != nil {
			return err
		}
	}
	return nil
}

// restore replaces the empty store by the snapshot, if there is a usable one, and wakes the goroutines that
// wait for its commits.
func (f *follower) restore(epochs [eventlog.Partitions]uint64) {
	state := f.snapshots.read(epochs)
	if state == nil {
		return
	}
	f.present.mu.Lock()
	f.present.store = state
	f.present.mu.Unlock()
	f.waits.wakeAll()
}
