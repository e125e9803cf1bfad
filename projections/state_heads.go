package projections

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"tandem/eventlog"
)

// signal wakes the goroutines that wait for the next commits of a partition.
type signal struct {
	mu sync.Mutex
	ch chan struct{}
}

func (s *signal) wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch == nil {
		s.ch = make(chan struct{})
	}
	return s.ch
}

func (s *signal) fire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch != nil {
		close(s.ch)
		s.ch = nil
	}
}

// headWaits lets goroutines wait until commits are applied.
type headWaits struct {
	present   *present
	lifecycle *lifecycle
	losses    *losses
	log       Log
	signals   [eventlog.Partitions]signal
	waiting   atomic.Int32 // goroutines in WaitHead
}

// WaitHead waits until the commit with number seq of the partition is applied, ctx ends or the read model
// halts. For a partition that has lost commits it returns the *eventlog.LostTailError.
func (h *headWaits) WaitHead(ctx context.Context, partition eventlog.Partition, seq uint64) error {
	h.waiting.Add(1)
	defer h.waiting.Add(-1)
	return h.lifecycle.waitUntil(ctx, func() (bool, <-chan struct{}, error) {
		next := h.signals[partition].wait()
		if loss := h.losses.OpenLossIn(partition); loss != nil {
			return true, nil, loss
		}
		return h.present.Head(partition).Seq >= seq, next, nil
	})
}

// WaitLatest reads the heads of the log and waits until they are applied, except those of partitions that
// have lost commits. If the heads cannot be read the error is an ErrUnreadable.
func (h *headWaits) WaitLatest(ctx context.Context) error {
	heads, err := h.log.Heads(ctx)
	if err != nil {
		return fmt.Errorf("read the heads of the log: %w", unreadable(err))
	}
	for partition, head := range heads {
		err := h.WaitHead(ctx, eventlog.Partition(partition), head.Seq)
		if _, lost := errors.AsType[*eventlog.LostTailError](err); err != nil && !lost {
			return err
		}
	}
	return nil
}

// wake wakes the goroutines that wait for the partitions of the entries.
func (h *headWaits) wake(entries []eventlog.Entry) {
	if h.waiting.Load() == 0 {
		return
	}
	var woken [eventlog.Partitions]bool
	for _, entry := range entries {
		if entry.Commit != nil && !woken[entry.Partition] {
			woken[entry.Partition] = true
			h.signals[entry.Partition].fire()
		}
	}
}

// wakeAll wakes the goroutines that wait for any partition.
func (h *headWaits) wakeAll() {
	for partition := range h.signals {
		h.signals[partition].fire()
	}
}
