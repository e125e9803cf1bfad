package projections

import (
	"context"
	"errors"
	"fmt"

	"tandem/eventlog"
)

// ErrHalted means that the read model no longer follows the log.
var ErrHalted = errors.New("the read model has stopped following the log")

// ErrUnreadable means that a read needs commits or values of the log that cannot be read at the moment; the
// same read may succeed later.
var ErrUnreadable = errors.New("the log cannot be read at the moment")

// unreadable wraps an error of the log in ErrUnreadable, unless the log is damaged or of a newer version.
func unreadable(err error) error {
	if errors.Is(err, eventlog.ErrDamaged) || errors.Is(err, eventlog.ErrNewer) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnreadable, err)
}

// lifecycle is the state of a read model: it replays, is live, and halts when Run ends.
type lifecycle struct {
	live       chan struct{} // closed when the replay has ended
	halted     chan struct{} // closed when Run has ended
	haltReason error         // set before halted is closed
}

func newLifecycle() *lifecycle {
	return &lifecycle{live: make(chan struct{}), halted: make(chan struct{})}
}

// Live returns a channel that is closed when all commits that were durable at the start of Run are applied,
// except those of partitions that have lost commits.
func (l *lifecycle) Live() <-chan struct{} { return l.live }

func (l *lifecycle) isLive() bool {
	select {
	case <-l.live:
		return true
	default:
		return false
	}
}

// Health returns nil until Run ends, then an ErrHalted with the reason.
func (l *lifecycle) Health() error {
	select {
	case <-l.halted:
		return l.haltReason
	default:
		return nil
	}
}

func (l *lifecycle) halt(reason error) {
	l.haltReason = fmt.Errorf("%w: %w", ErrHalted, reason)
	close(l.halted)
}

// waitUntil calls ready until it reports true. Between calls it waits on the channel that ready returned. It
// returns the error of ready, of ctx or of Health.
func (l *lifecycle) waitUntil(ctx context.Context, ready func() (bool, <-chan struct{}, error)) error {
	live := l.live // the replay closes no channel per commit, so the end of the replay is waited for, too
	for {
		done, next, err := ready()
		if done {
			return err
		}
		select {
		case <-next:
		case <-live:
			live = nil
		case <-ctx.Done():
			return ctx.Err()
		case <-l.halted:
			return l.haltReason
		}
	}
}
