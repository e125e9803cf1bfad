package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
)

// staleLog is a log with a given staleness.
type staleLog struct {
	eventlog.Log
	staleness time.Duration
}

func (l staleLog) Staleness() time.Duration { return l.staleness }

// A revoked token is refused on every node within staleAfter.
func TestCheckFresh(t *testing.T) {
	require.NoError(t, checkFresh(staleLog{staleness: 0}))
	require.NoError(t, checkFresh(staleLog{staleness: 2 * time.Second}))
	require.EqualError(t, checkFresh(staleLog{staleness: 2500 * time.Millisecond}), "this node has received nothing from the log for 2.5s")
}
