package eventlogtest

import (
	"context"
	"fmt"
	"sync"

	"tandem/eventlog"
)

// faults are the failures and holds that a test has scheduled.
type faults struct {
	mu   sync.Mutex
	next []failure
	held []*Held
}

type failure struct {
	err         error
	beforeStore bool
}

// FailBefore makes the next valid append return err without storing it. Another call schedules a failure of the append
// after that.
func (m *Memory) FailBefore(err error) { m.faults.schedule(failure{err, true}) }

// FailAfter makes the next valid append return err although it is stored, like a connection that breaks before the
// reply.
func (m *Memory) FailAfter(err error) { m.faults.schedule(failure{err, false}) }

// Stop makes the log refuse all later appends and leases with eventlog.ErrStopped and the cause, like a full disk. The
// log can still be read and followed.
func (m *Memory) Stop(cause error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stopped == nil {
		m.stopped = fmt.Errorf("%w: %w", eventlog.ErrStopped, cause)
	}
}

// Held is an append that waits before it is stored.
type Held struct {
	arrived chan struct{}
	release chan struct{}
	once    sync.Once
}

// Arrived is closed when the append waits.
func (h *Held) Arrived() <-chan struct{} { return h.arrived }

// Release lets the append continue. It may be called more than once.
func (h *Held) Release() { h.once.Do(func() { close(h.release) }) }

// Hold makes the next append wait, before it is checked, until Release, Close or the end of its context. Another call
// holds the append after that.
func (m *Memory) Hold() *Held {
	held := &Held{arrived: make(chan struct{}), release: make(chan struct{})}
	m.faults.mu.Lock()
	defer m.faults.mu.Unlock()
	m.faults.held = append(m.faults.held, held)
	return held
}

func (f *faults) schedule(next failure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = append(f.next, next)
}

// nextFailure removes and returns the next scheduled failure, or returns a nil error.
func (f *faults) nextFailure() (lost bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.next) == 0 {
		return false, nil
	}
	next := f.next[0]
	f.next = f.next[1:]
	return next.beforeStore, next.err
}

func (f *faults) takeHeld() *Held {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.held) == 0 {
		return nil
	}
	held := f.held[0]
	f.held = f.held[1:]
	return held
}

func (f *faults) waitIfHeld(ctx context.Context, closed <-chan struct{}) error {
	held := f.takeHeld()
	if held == nil {
		return nil
	}
	close(held.arrived)
	select {
	case <-held.release:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-closed:
		return errClosed()
	}
}
