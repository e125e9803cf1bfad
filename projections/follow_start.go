package projections

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"tandem/eventlog"
)

// restoreAndCompare takes over what an earlier run has kept, compares it with the log, and halts the partitions
// that have lost some of it.
func (m *ReadModel) restoreAndCompare(ctx context.Context) error {
	losses, err := m.cfg.Log.Losses(ctx)
	if err != nil {
		return fmt.Errorf("ask the log for its losses: %w", err)
	}
	m.restore(losses.Epochs)
	m.mu.Lock()
	m.store.beginReplay()
	m.store.epochs = losses.Epochs
	m.mu.Unlock()
	for _, epochs := range losses.Epochs {
		m.acceptedLosses.Add(epochs)
	}
	m.readSeenHeads()
	m.dropOutdatedHeads()
	heads, err := m.cfg.Log.Heads(ctx)
	if err != nil {
		return fmt.Errorf("ask the log for its heads: %w", err)
	}
	m.halt(losses.Open)
	lost, err := m.findMissing(ctx, heads)
	if err != nil {
		return fmt.Errorf("compare with the log what was seen of it: %w", err)
	}
	m.halt(lost)
	if err := m.reportLosses(ctx, lost); err != nil {
		return err
	}
	return m.applyHalted(ctx, heads)
}

// dropOutdatedHeads forgets the marks of before an accepted loss.
func (m *ReadModel) dropOutdatedHeads() {
	for partition := range m.seenHeads.heads {
		if known := &m.seenHeads.heads[partition]; known.epoch < m.store.epochs[partition] {
			m.cfg.Logger.Info("a mark of before an accepted loss is void", "partition", partition, "commit", known.head.Seq)
			*known = seenHead{}
		}
	}
}

// findMissing returns what this node has seen, by its marks and its snapshot, and the log does not hold.
// Partitions that are halted already are left out.
func (m *ReadModel) findMissing(ctx context.Context, heads eventlog.Positions) ([]eventlog.LostTailError, error) {
	var lost []eventlog.LostTailError
	for n, head := range heads {
		partition := eventlog.Partition(n)
		if m.OpenLossIn(partition) != nil {
			continue
		}
		known := []eventlog.Head{m.seenHeads.heads[partition].head, m.store.heads[partition]}
		slices.SortFunc(known, func(one, other eventlog.Head) int { return cmp.Compare(other.Seq, one.Seq) })
		for _, seen := range slices.Compact(known) {
			stored, err := m.storedHead(ctx, partition, seen.Seq, head)
			if err != nil {
				return nil, err
			}
			if stored != seen {
				lost = append(lost, eventlog.LostTailError{Partition: partition, Known: seen, Stored: stored})
				break // and with it whatever else is
			}
		}
	}
	return lost, nil
}

// storedHead returns what the log holds at seq: that commit, or its head if it ends before.
func (m *ReadModel) storedHead(ctx context.Context, partition eventlog.Partition, seq uint64, head eventlog.Head) (eventlog.Head, error) {
	switch {
	case seq == 0:
		return eventlog.Head{}, nil
	case seq >= head.Seq:
		return head, nil
	}
	commits, err := m.cfg.Log.Read(ctx, partition, []uint64{seq})
	if err != nil {
		return eventlog.Head{}, err
	}
	return commits[0].Head(), nil
}

// applyHalted applies what the log still has of halted partitions. Following leaves them out, but who
// may see what is lost, and who is told so, follows from it.
func (m *ReadModel) applyHalted(ctx context.Context, heads eventlog.Positions) error {
	for _, loss := range m.OpenLosses() {
		known := m.store.heads[loss.Partition]
		stored, err := m.storedHead(ctx, loss.Partition, known.Seq, heads[loss.Partition])
		if err == nil && stored == known {
			err = m.applyRange(ctx, loss.Partition, known.Seq+1, heads[loss.Partition].Seq)
		}
		if err != nil {
			return fmt.Errorf("read what is left of partition %d: %w", loss.Partition, err)
		}
	}
	return nil
}

// applyRange applies the commits of a partition from first to last.
func (m *ReadModel) applyRange(ctx context.Context, partition eventlog.Partition, first, last uint64) error {
	for first <= last {
		var seqs []uint64
		for ; first <= last && len(seqs) < readAhead; first++ {
			seqs = append(seqs, first)
		}
		commits, err := m.cfg.Log.Read(ctx, partition, seqs)
		if err != nil {
			return err
		}
		group := &entryGroup{}
		for n := range commits {
			group.entries = append(group.entries, eventlog.Entry{Partition: partition, Commit: &commits[n]})
		}
		group.decode()
		if err := m.applyGroup(group); err != nil {
			return err
		}
	}
	return nil
}
