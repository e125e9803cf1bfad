package eventlogtest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tandem/eventlog"
)

// Harness gives the suite access to the logs of an adapter.
type Harness struct {
	// Log is an empty log. The suite closes it.
	Log eventlog.Log
	// Reopen closes the latest log and opens its store again.
	Reopen func(t *testing.T) eventlog.Log
}

// Run runs the conformance suite. It calls open once for each test.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	for _, tests := range []map[string]func(*suite){
		appendTests, ownershipTests, readTests, followTests, queueTests, lifecycleTests, lossTests,
	} {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) { test(newSuite(t, open)) })
		}
	}
}

// suite is one test and its log.
type suite struct {
	*testing.T
	ctx     context.Context
	harness Harness
	log     eventlog.Log
}

// newSuite opens the log. After the test it closes it and checks for leaked goroutines.
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

// async calls a function on another goroutine and returns a channel with its result.
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
