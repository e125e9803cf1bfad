package main

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog/eventlogtest"
	"tandem/eventlog/redis/redistest"
)

// TestHandover stops one of two nodes with SIGTERM under load, in turns. Commands at the other node do not fail;
// commands at the stopping node succeed or get a 503 answer or a closed connection.
func TestHandover(t *testing.T) {
	rounds := eventlogtest.Rounds(2, 6)
	server := redistest.Start(t)
	nodes := startNodes(t, 2, server.URL())
	world := arrangeAgreements(nodes.at(0), trafficWriters)
	var gaps []time.Duration
	comments, broken := 0, 0
	for round := range rounds {
		load := startNamedTraffic(nodes, world, round)
		load.more(300)
		stopping := nodes.at(round)
		require.NoError(t, stopping.cmd.Process.Signal(syscall.SIGTERM))
		require.NoError(t, <-stopping.ended, "%s", stopping.stderr)
		load.more(300)
		comments += load.stop()
		gaps = append(gaps, load.gap())
		for failure, times := range load.failed {
			require.Equalf(t, round%2, failure.node, "%d writes failed with %d at the node that goes on", times, failure.status)
			require.Contains(t, []int{0, 503}, failure.status)
			broken += times
		}
		nodes.start(round % 2)
		load.requireWhole()
	}
	t.Logf("%d nodes stopped with SIGTERM under %d writers: %d comments acknowledged, 0 lost, 0 doubled, 0 out of order, 0 failed at the node that went on, %d found the other one stopping; longest time without an acknowledged comment, of any writer: median %v, worst %v",
		rounds, trafficWriters, comments, broken, median(gaps).Round(time.Millisecond), slices.Max(gaps).Round(time.Millisecond))
	nodes.stop()
}
