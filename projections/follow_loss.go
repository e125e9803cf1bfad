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

// OpenLosses returns the losses that are known and not accepted, at most one per partition, by partition.
// The image stands still there and must not be served from. It costs an atomic load; nil means
// that nothing is lost. The list must not be changed.
func (m *ReadModel) OpenLosses() []eventlog.LostTailError {
	if lost := m.losses.Load(); lost != nil {
		return *lost
	}
	return nil
}

// OpenLossIn returns the loss that a partition has suffered, nil if there is none.
func (m *ReadModel) OpenLossIn(partition eventlog.Partition) *eventlog.LostTailError {
	lost := m.OpenLosses()
	if n, found := slices.BinarySearchFunc(lost, partition, comparePartition); found {
		return &lost[n]
	}
	return nil
}

// Intact reports whether nothing is lost where the stream lies, be there such a stream or not.
func (m *ReadModel) Intact(stream domain.Stream) bool {
	return m.OpenLosses() == nil || m.OpenLossIn(eventlog.PartitionOf(stream.Root())) == nil
}

// AcceptedLosses returns how many losses were accepted in all partitions together, from the moment on that the
// image is live.
func (m *ReadModel) AcceptedLosses() uint64 { return m.acceptedLosses.Load() }

func comparePartition(loss eventlog.LostTailError, partition eventlog.Partition) int {
	return cmp.Compare(loss.Partition, partition)
}

// Intact reports whether nothing is lost of what the viewer has a part in: its directory and its
// agreements. Where all of a partition was lost before this image has seen any of it, nobody knows whose
// it was: then nothing is intact.
func (v *View) Intact() bool {
	if v.viewer.Operator || v.store.halted == [eventlog.Partitions]bool{} {
		return true
	}
	if v.store.lostUnseen {
		return false
	}
	lost := func(agreement *agreementNode) bool { return v.store.halted[agreement.index.partition] }
	return !v.store.halted[v.node.index.partition] && !slices.ContainsFunc(v.agreements(), lost)
}

// IntactPartners reports whether beside that nothing is lost of the directories of all partners
// that the viewer may know.
func (v *View) IntactPartners() bool {
	known := v.counterparties()
	if v.viewer.Operator {
		known = slices.Collect(maps.Keys(v.store.partners))
	}
	return !v.store.lostUnseen && v.Intact() && !slices.ContainsFunc(known, func(id domain.PartnerID) bool {
		partner := v.store.partners[id]
		return partner != nil && v.store.halted[partner.index.partition]
	})
}

// halt stops serving the partitions of the losses, and wakes all who wait. The loss of one that is
// halted already replaces what was known of it.
func (m *ReadModel) halt(losses []eventlog.LostTailError) {
	if len(losses) == 0 {
		return
	}
	list := slices.Clone(m.OpenLosses())
	m.mu.Lock()
	for _, loss := range losses {
		n, found := slices.BinarySearchFunc(list, loss.Partition, comparePartition)
		if found {
			list[n] = loss
			continue
		}
		list = slices.Insert(list, n, loss)
		m.store.halted[loss.Partition] = true
		m.cfg.Logger.Error("history was lost; its partition is not served until the operator accepts the loss",
			"partition", loss.Partition, "missing", loss.Error())
	}
	m.store.lostUnseen = slices.ContainsFunc(list, func(loss eventlog.LostTailError) bool {
		return m.store.heads[loss.Partition].Seq == 0 && loss.Stored.Seq == 0
	})
	m.losses.Store(&list)
	for _, partner := range m.store.partners {
		m.store.markChanged(partner, "")
	}
	m.store.markChanged(m.store.operator, "")
	fired := m.store.toWake
	m.store.toWake = nil
	m.mu.Unlock()
	for _, ch := range fired {
		close(ch)
	}
	for _, loss := range losses {
		m.headSignals[loss.Partition].fire()
	}
}

// handleLosses halts partitions that were found to have lost commits while they were followed, and has the
// log remember it. It returns ErrEpoch when that loss is accepted already.
func (m *ReadModel) handleLosses(ctx context.Context, found []*eventlog.LostTailError) error {
	losses := make([]eventlog.LostTailError, len(found))
	for n, loss := range found {
		losses[n] = *loss
		if head := m.Head(loss.Partition); head.Seq > loss.Known.Seq {
			losses[n].Known = head // this node has seen more than who found it
		}
	}
	m.halt(losses)
	over := false
	err := m.retry(ctx, func() (err error) {
		over, err = m.epochChanged(ctx)
		return err
	})
	switch {
	case err != nil:
		return err
	case over:
		return ErrEpoch
	}
	return m.reportLosses(ctx, losses)
}

// epochChanged reports whether losses were accepted since the image began.
func (m *ReadModel) epochChanged(ctx context.Context) (bool, error) {
	losses, err := m.cfg.Log.Losses(ctx)
	return err == nil && losses.Epochs != m.store.epochs, err
}

// reportLosses has the log remember the losses, for all nodes and later starts.
func (m *ReadModel) reportLosses(ctx context.Context, losses []eventlog.LostTailError) error {
	for _, loss := range losses {
		if err := m.retry(ctx, func() error { return m.cfg.Log.ReportLoss(ctx, loss) }); err != nil {
			return fmt.Errorf("report that %w: %w", &loss, err)
		}
	}
	return nil
}

const retryInterval = time.Second

// retry repeats do while the log cannot be reached.
func (m *ReadModel) retry(ctx context.Context, do func() error) error {
	for {
		err := do()
		if err == nil || ctx.Err() != nil || permanent(err) {
			return err
		}
		m.cfg.Logger.Warn("the log cannot be told of a loss; it is tried again", "error", err)
		if !pause(ctx, retryInterval) {
			return ctx.Err()
		}
	}
}

// permanent reports whether trying again cannot help.
func permanent(err error) bool {
	return errors.Is(err, eventlog.ErrStopped) || errors.Is(err, eventlog.ErrDamaged) || errors.Is(err, eventlog.ErrNewer)
}

// pause waits; false means that ctx has ended.
func pause(ctx context.Context, duration time.Duration) bool {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// watchLosses runs beside a call of Follow, which leaves out the partitions with an open loss and does
// not say which. It asks the log once the call has begun, because another node may have reported
// one just before, and then every second while something is halted. It returns ErrEpoch, the losses
// that are new, or nil when there is nothing more to watch.
func (m *ReadModel) watchLosses(ctx context.Context, began <-chan struct{}) error {
	select {
	case <-began:
	case <-ctx.Done():
		return nil
	}
	for {
		losses, err := m.cfg.Log.Losses(ctx)
		if err == nil {
			err = m.compareLosses(losses)
			if err != nil || m.OpenLosses() == nil {
				return err
			}
		}
		if !pause(ctx, retryInterval) {
			return nil
		}
	}
}

func (m *ReadModel) compareLosses(losses eventlog.Losses) error {
	if losses.Epochs != m.store.epochs {
		return ErrEpoch
	}
	var fresh []error
	for _, loss := range losses.Open {
		switch known := m.OpenLossIn(loss.Partition); {
		case known == nil:
			fresh = append(fresh, &loss)
		case *known != loss:
			m.halt([]eventlog.LostTailError{loss}) // another node had seen more
		}
	}
	return errors.Join(fresh...)
}

// runWatched runs watch beside follow and ends it when watch has found something. The error is watch's
// then.
func runWatched(ctx context.Context, watch, follow func(context.Context) error) error {
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
