// Package wakeup wakes one goroutine when there is work for it.
package wakeup

// Signal is a wake-up channel that holds at most one signal: any number of calls of Notify before the
// receiver looks wake it once. The receiver must therefore look for all work after each signal.
//
// Receive from it directly:
//
//	select {
//	case <-signal:
//	case <-ctx.Done():
//	}
//
// Make one with New. A Signal has one receiver and any number of senders.
type Signal chan struct{}

// New returns a Signal without a pending signal.
func New() Signal { return make(Signal, 1) }

// Notify wakes the receiver. It never blocks.
func (s Signal) Notify() {
	select {
	case s <- struct{}{}:
	default: // a signal is pending already
	}
}
