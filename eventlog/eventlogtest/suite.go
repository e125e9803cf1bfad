package eventlogtest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tandem/eventlog"
)

// Harness is an adapter's log as the suite uses it.
type Harness struct {
	// Log is open on an empty store. The suite closes it.
	Log eventlog.Log
	// Reopen closes the log that was opened last and opens the same store again.
	Reopen func(t *testing.T) eventlog.Log
	// InboxSurvives says that messages and checkpoints outlive Reopen. Without it a reopened
	// inbox is empty and starts at the zero Offset.
	InboxSurvives bool
}

// Run runs the conformance suite. The open function is called once for every test of it.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	for _, room := range []map[string]func(*suite){
		appendTests, ownTests, readTests, followTests, inboxTests, lifeTests, lossTests,
	} {
		for name, test := range room {
			t.Run(name, func(t *testing.T) { test(newSuite(t, open)) })
		}
	}
}

// suite is one test of the suite and the log it runs on.
type suite struct {
	*testing.T
	ctx context.Context
	h   Harness
	log eventlog.Log
}

// newSuite opens the log and closes it after the test, when nothing may be left running.
func newSuite(t *testing.T, open func(t *testing.T) Harness) *suite {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	s := &suite{T: t, ctx: t.Context(), h: open(t)}
	s.log = s.h.Log
	t.Cleanup(func() { require.NoError(t, s.log.Close()) })
	return s
}

func (s *suite) reopen() {
	s.Helper()
	s.log = s.h.Reopen(s.T)
}

// started runs f on its own goroutine and returns the channel of its result.
func started[T any](f func() (T, error)) <-chan result[T] {
	ch := make(chan result[T], 1)
	go func() {
		v, err := f()
		ch <- result[T]{v, err}
	}()
	return ch
}

type result[T any] struct {
	value T
	err   error
}
