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
}

// Run runs the conformance suite. The open function is called once for every test of it.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	for _, room := range []map[string]func(*suite){
		appendTests, ownershipTests, readTests, followTests, queueTests, lifecycleTests, lossTests,
	} {
		for name, test := range room {
			t.Run(name, func(t *testing.T) { test(newSuite(t, open)) })
		}
	}
}

// suite is one test of the suite and the log it runs on.
type suite struct {
	*testing.T
	ctx     context.Context
	harness Harness
	log     eventlog.Log
}

// newSuite opens the log and closes it after the test, when nothing may be left running.
func newSuite(t *testing.T, open func(t *testing.T) Harness) *suite {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	suite := &suite{T: t, ctx: t.Context(), harness: open(t)}
	suite.log = suite.harness.Log
	t.Cleanup(func() { require.NoError(t, suite.log.Close()) })
	return suite
}

func (s *suite) reopen() {
	s.Helper()
	s.log = s.harness.Reopen(s.T)
}

// async runs f on its own goroutine and returns the channel of its result.
func async[T any](call func() (T, error)) <-chan result[T] {
	ch := make(chan result[T], 1)
	go func() {
		value, err := call()
		ch <- result[T]{value, err}
	}()
	return ch
}

type result[T any] struct {
	value T
	err   error
}
