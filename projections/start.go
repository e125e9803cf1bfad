package projections

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"tandem/eventlog"
)

// begin takes over what an earlier run has kept, compares it with the log, and halts the partitions
// that have lost some of it.
func (i *Image) begin(ctx context.Context) error {
	losses, err := i.cfg.Log.Losses(ctx)
	if err != nil {
		return fmt.Errorf("ask the log for its losses: %w", err)
	}
	i.restore(losses.Epochs)
	i.mu.Lock()
	i.s.beginReplay()
	i.s.epochs = losses.Epochs
	i.mu.Unlock()
	for _, n := range losses.Epochs {
		i.accepted.Add(n)
	}
	i.readMarks()
	i.voidMarks()
	heads, err := i.cfg.Log.Heads(ctx)
	if err != nil {
		return fmt.Errorf("ask the log for its heads: %w", err)
	}
	i.halt(losses.Open)
	lost, err := i.missed(ctx, heads)
	if err != nil {
		return fmt.Errorf("compare with the log what was seen of it: %w", err)
	}
	i.halt(lost)
	if err := i.report(ctx, lost); err != nil {
		return err
	}
	return i.readHalted(ctx, heads)
}

// voidMarks forgets the marks of before an accepted loss.
func (i *Image) voidMarks() {
	for p := range i.marks.known {
		if m := &i.marks.known[p]; m.epoch < i.s.epochs[p] {
			i.cfg.Logger.Info("a mark of before an accepted loss is void", "partition", p, "commit", m.head.Seq)
			*m = mark{}
		}
	}
}

// missed returns what this node has seen, by its marks and its snapshot, and the log does not hold.
// Partitions that are halted already are left out.
func (i *Image) missed(ctx context.Context, heads eventlog.Positions) ([]eventlog.LostTailError, error) {
	var lost []eventlog.LostTailError
	for n, head := range heads {
		p := eventlog.Partition(n)
		if i.LostIn(p) != nil {
			continue
		}
		known := []eventlog.Head{i.marks.known[p].head, i.s.heads[p]}
		slices.SortFunc(known, func(a, b eventlog.Head) int { return cmp.Compare(b.Seq, a.Seq) })
		for _, k := range slices.Compact(known) {
			stored, err := i.stored(ctx, p, k.Seq, head)
			if err != nil {
				return nil, err
			}
			if stored != k {
				lost = append(lost, eventlog.LostTailError{Partition: p, Known: k, Stored: stored})
				break // and with it whatever else is
			}
		}
	}
	return lost, nil
}

// stored returns what the log holds at seq: that commit, or its head if it ends before.
func (i *Image) stored(ctx context.Context, p eventlog.Partition, seq uint64, head eventlog.Head) (eventlog.Head, error) {
	switch {
	case seq == 0:
		return eventlog.Head{}, nil
	case seq >= head.Seq:
		return head, nil
	}
	commits, err := i.cfg.Log.Read(ctx, p, []uint64{seq})
	if err != nil {
		return eventlog.Head{}, err
	}
	return commits[0].Head(), nil
}

// readHalted applies what the log still has of halted partitions. Following leaves them out, but who
// may see what is lost, and who is told so, follows from it.
func (i *Image) readHalted(ctx context.Context, heads eventlog.Positions) error {
	for _, l := range i.Lost() {
		known := i.s.heads[l.Partition]
		stored, err := i.stored(ctx, l.Partition, known.Seq, heads[l.Partition])
		if err == nil && stored == known {
			err = i.readAll(ctx, l.Partition, known.Seq+1, heads[l.Partition].Seq)
		}
		if err != nil {
			return fmt.Errorf("read what is left of partition %d: %w", l.Partition, err)
		}
	}
	return nil
}

// readAll applies the commits of a partition from first to last.
func (i *Image) readAll(ctx context.Context, p eventlog.Partition, first, last uint64) error {
	for first <= last {
		var seqs []uint64
		for ; first <= last && len(seqs) < readAhead; first++ {
			seqs = append(seqs, first)
		}
		commits, err := i.cfg.Log.Read(ctx, p, seqs)
		if err != nil {
			return err
		}
		b := &batch{}
		for n := range commits {
			b.entries = append(b.entries, eventlog.Entry{Partition: p, Commit: &commits[n]})
		}
		b.decode()
		if err := i.take(b); err != nil {
			return err
		}
	}
	return nil
}
