package projections

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"tandem/domain"
	"tandem/eventlog"
)

// ErrEpoch says that the operator has accepted a loss: what the image holds of that partition, and
// the positions it gave out, count commits that are gone for good.
var ErrEpoch = errors.New("a loss was accepted; the log must be read anew")

// Lost returns the losses that are known and not accepted, at most one per partition, by partition.
// The image stands still there and must not be served from. It costs an atomic load; nil means
// that nothing is lost. The list must not be changed.
func (i *Image) Lost() []eventlog.LostTailError {
	if lost := i.lost.Load(); lost != nil {
		return *lost
	}
	return nil
}

// LostIn returns the loss that a partition has suffered, nil if there is none.
func (i *Image) LostIn(p eventlog.Partition) *eventlog.LostTailError {
	lost := i.Lost()
	if n, found := slices.BinarySearchFunc(lost, p, byPartition); found {
		return &lost[n]
	}
	return nil
}

// Intact reports whether nothing is lost where the stream lies, be there such a stream or not.
func (i *Image) Intact(stream domain.Stream) bool {
	return i.Lost() == nil || i.LostIn(eventlog.PartitionOf(stream.Root())) == nil
}

// Losses returns how many losses were accepted in all partitions together, from the moment on that the
// image is live.
func (i *Image) Losses() uint64 { return i.accepted.Load() }

func byPartition(l eventlog.LostTailError, p eventlog.Partition) int {
	return cmp.Compare(l.Partition, p)
}

// Intact reports whether nothing is lost of what the viewer has a part in: its directory and its
// agreements. Where all of a partition was lost before this image has seen any of it, nobody knows whose
// it was: then nothing is intact.
func (v *View) Intact() bool {
	if v.who.Operator || v.s.halted == [eventlog.Partitions]bool{} {
		return true
	}
	if v.s.unseen {
		return false
	}
	lost := func(a *agreementNode) bool { return v.s.halted[a.root.partition] }
	return !v.s.halted[v.me.root.partition] && !slices.ContainsFunc(v.agreements(), lost)
}

// IntactPartners reports whether beside that nothing is lost of the directories of all partners
// that the viewer may know.
func (v *View) IntactPartners() bool {
	known := v.counterparties()
	if v.who.Operator {
		known = slices.Collect(maps.Keys(v.s.partners))
	}
	return !v.s.unseen && v.Intact() && !slices.ContainsFunc(known, func(id domain.PartnerID) bool {
		p := v.s.partners[id]
		return p != nil && v.s.halted[p.root.partition]
	})
}

// halt stops serving the partitions of the losses, and wakes all who wait. The loss of one that is
// halted already replaces what was known of it.
func (i *Image) halt(losses []eventlog.LostTailError) {
	if len(losses) == 0 {
		return
	}
	list := slices.Clone(i.Lost())
	i.mu.Lock()
	for _, l := range losses {
		n, found := slices.BinarySearchFunc(list, l.Partition, byPartition)
		if found {
			list[n] = l
			continue
		}
		list = slices.Insert(list, n, l)
		i.s.halted[l.Partition] = true
		i.cfg.Logger.Error("history was lost; its partition is not served until the operator accepts the loss",
			"partition", l.Partition, "missing", l.Error())
	}
	i.s.unseen = slices.ContainsFunc(list, func(l eventlog.LostTailError) bool { return i.s.heads[l.Partition].Seq == 0 && l.Stored.Seq == 0 })
	i.lost.Store(&list)
	for _, p := range i.s.partners {
		i.s.touch(p, "")
	}
	i.s.touch(i.s.operator, "")
	fired := i.s.fired
	i.s.fired = nil
	i.mu.Unlock()
	for _, ch := range fired {
		close(ch)
	}
	for _, l := range losses {
		i.arrivals[l.Partition].fire()
	}
}

// lose halts partitions that were found to have lost commits while they were followed, and has the
// log remember it. It returns ErrEpoch when that loss is accepted already.
func (i *Image) lose(ctx context.Context, found []*eventlog.LostTailError) error {
	losses := make([]eventlog.LostTailError, len(found))
	for n, l := range found {
		losses[n] = *l
		if head := i.Head(l.Partition); head.Seq > l.Known.Seq {
			losses[n].Known = head // this node has seen more than who found it
		}
	}
	i.halt(losses)
	over := false
	err := i.insist(ctx, func() (err error) {
		over, err = i.epochOver(ctx)
		return err
	})
	switch {
	case err != nil:
		return err
	case over:
		return ErrEpoch
	}
	return i.report(ctx, losses)
}

// epochOver reports whether losses were accepted since the image began.
func (i *Image) epochOver(ctx context.Context) (bool, error) {
	losses, err := i.cfg.Log.Losses(ctx)
	return err == nil && losses.Epochs != i.s.epochs, err
}

// report has the log remember the losses, for all nodes and later starts.
func (i *Image) report(ctx context.Context, losses []eventlog.LostTailError) error {
	for _, l := range losses {
		if err := i.insist(ctx, func() error { return i.cfg.Log.ReportLoss(ctx, l) }); err != nil {
			return fmt.Errorf("report that %w: %w", &l, err)
		}
	}
	return nil
}

const askAgain = time.Second

// insist repeats do while the log cannot be reached.
func (i *Image) insist(ctx context.Context, do func() error) error {
	for {
		err := do()
		if err == nil || ctx.Err() != nil || final(err) {
			return err
		}
		i.cfg.Logger.Warn("the log cannot be told of a loss; it is tried again", "error", err)
		if !pause(ctx, askAgain) {
			return ctx.Err()
		}
	}
}

// final reports whether trying again cannot help.
func final(err error) bool {
	return errors.Is(err, eventlog.ErrStopped) || errors.Is(err, eventlog.ErrDamaged) || errors.Is(err, eventlog.ErrNewer)
}

// pause waits; false means that ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// watch runs beside a call of Follow, which leaves out the partitions with an open loss and does
// not say which. It asks the log once the call has begun, because another node may have reported
// one just before, and then every second while something is halted. It returns ErrEpoch, the losses
// that are new, or nil when there is nothing more to watch.
func (i *Image) watch(ctx context.Context, began <-chan struct{}) error {
	select {
	case <-began:
	case <-ctx.Done():
		return nil
	}
	for {
		losses, err := i.cfg.Log.Losses(ctx)
		if err == nil {
			err = i.compareLosses(losses)
			if err != nil || i.Lost() == nil {
				return err
			}
		}
		if !pause(ctx, askAgain) {
			return nil
		}
	}
}

func (i *Image) compareLosses(losses eventlog.Losses) error {
	if losses.Epochs != i.s.epochs {
		return ErrEpoch
	}
	var fresh []error
	for _, l := range losses.Open {
		switch known := i.LostIn(l.Partition); {
		case known == nil:
			fresh = append(fresh, &l)
		case *known != l:
			i.halt([]eventlog.LostTailError{l}) // another node had seen more
		}
	}
	return errors.Join(fresh...)
}

// beside runs watch beside follow and ends it when watch has found something. The error is watch's
// then.
func beside(ctx context.Context, watch, follow func(context.Context) error) error {
	following, stop := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		if err := watch(following); err != nil {
			stop(err)
		}
	})
	err := follow(following)
	stop(nil)
	watching.Wait()
	if cause := context.Cause(following); ctx.Err() == nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}
