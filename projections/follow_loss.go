package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"tandem/eventlog"
)

// lossHandler halts partitions that have lost commits and reports the losses to the log.
type lossHandler struct {
	log     Log
	logger  *slog.Logger
	present *present
	losses  *losses
	waits   *headWaits
}

// halt stops serving the partitions of the losses and wakes all goroutines that wait. A loss of a partition
// that is halted already replaces the known one.
func (l *lossHandler) halt(found []eventlog.LostTailError) {
	if len(found) == 0 {
		return
	}
	open := slices.Clone(l.losses.OpenLosses())
	_ = l.present.change(func(state *store) error {
		for _, loss := range found {
			i, known := slices.BinarySearchFunc(open, loss.Partition, comparePartition)
			if known {
				open[i] = loss
				continue
			}
			open = slices.Insert(open, i, loss)
			state.halted[loss.Partition] = true
			l.logger.Error("history was lost; its partition is not served until the operator accepts the loss",
				"partition", loss.Partition, "missing", loss.Error())
		}
		state.lostUnseen = slices.ContainsFunc(open, func(loss eventlog.LostTailError) bool {
			return state.heads[loss.Partition].Seq == 0 && loss.Stored.Seq == 0
		})
		l.losses.open.Store(&open)
		for _, partner := range state.partners {
			state.markChanged(&partner.reader, "")
		}
		state.markChanged(&state.operator.reader, "")
		return nil
	})
	for _, loss := range found {
		l.waits.signals[loss.Partition].fire()
	}
}

// handle halts the partitions of losses that Follow returned and reports the losses to the log. It returns
// ErrEpoch if a loss was accepted meanwhile.
func (l *lossHandler) handle(ctx context.Context, found []*eventlog.LostTailError) error {
	losses := make([]eventlog.LostTailError, len(found))
	for n, loss := range found {
		losses[n] = *loss
		if head := l.present.Head(loss.Partition); head.Seq > loss.Known.Seq {
			losses[n].Known = head // this node had applied more than the node that found the loss
		}
	}
	l.halt(losses)
	over := false
	err := l.retry(ctx, func() (err error) {
		over, err = l.epochChanged(ctx)
		return err
	})
	switch {
	case err != nil:
		return err
	case over:
		return ErrEpoch
	}
	return l.report(ctx, losses)
}

// epochChanged reports whether a loss was accepted since the start.
func (l *lossHandler) epochChanged(ctx context.Context) (bool, error) {
	losses, err := l.log.Losses(ctx)
	return err == nil && losses.Epochs != l.present.store.epochs, err
}

// report makes the log store the losses, for all nodes and later starts.
func (l *lossHandler) report(ctx context.Context, losses []eventlog.LostTailError) error {
	for _, loss := range losses {
		if err := l.retry(ctx, func() error { return l.log.ReportLoss(ctx, loss) }); err != nil {
			return fmt.Errorf("report to the log that %w: %w", &loss, err)
		}
	}
	return nil
}

const retryInterval = time.Second

// retry repeats do until it succeeds, ctx ends or the error is permanent.
func (l *lossHandler) retry(ctx context.Context, do func() error) error {
	for {
		err := do()
		if err == nil || ctx.Err() != nil || permanent(err) {
			return err
		}
		l.logger.Warn("a loss could not be reported to the log; the report is repeated", "error", err)
		if !pause(ctx, retryInterval) {
			return ctx.Err()
		}
	}
}

// permanent reports whether a repetition cannot succeed.
func permanent(err error) bool {
	return errors.Is(err, eventlog.ErrStopped) || errors.Is(err, eventlog.ErrDamaged) || errors.Is(err, eventlog.ErrNewer)
}

// pause waits for the duration and reports false if ctx ends before.
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

// watch runs beside a call of Follow, which skips the partitions with an open loss without naming them. It
// reads the losses once after the call has caught up, because another node may have reported one just before,
// and then every second while a partition is halted. It returns ErrEpoch, the new losses joined, or nil when
// ctx has ended or no partition is halted.
func (l *lossHandler) watch(ctx context.Context, began <-chan struct{}) error {
	select {
	case <-began:
	case <-ctx.Done():
		return nil
	}
	for {
		losses, err := l.log.Losses(ctx)
		if err == nil {
			err = l.compare(losses)
			if err != nil || l.losses.OpenLosses() == nil {
				return err
			}
		}
		if !pause(ctx, retryInterval) {
			return nil
		}
	}
}

func (l *lossHandler) compare(losses eventlog.Losses) error {
	if losses.Epochs != l.present.store.epochs {
		return ErrEpoch
	}
	var fresh []error
	for _, loss := range losses.Open {
		switch known := l.losses.OpenLossIn(loss.Partition); {
		case known == nil:
			fresh = append(fresh, &loss)
		case *known != loss:
			l.halt([]eventlog.LostTailError{loss}) // another node had applied more
		}
	}
	return errors.Join(fresh...)
}

// runWatched runs watch beside follow. An error of watch ends follow and is returned.
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
