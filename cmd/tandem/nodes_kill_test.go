package main

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog/eventlogtest"
	"tandem/eventlog/redis/redistest"
)

// takeoverGoal is asserted by task torture only, because it depends on the speed of the machine.
const takeoverGoal = 3 * time.Second

var nodeKills = eventlogtest.Rounds(4, 30)

// TestNodesKill kills random nodes with SIGKILL under load. Every acknowledged command is in the history once
// and in its writer's order, and other nodes take over the partitions.
func TestNodesKill(t *testing.T) {
	server := redistest.Start(t)
	nodes := startNodes(t, 3, server.URL())
	world := arrangeAgreements(nodes.at(0), trafficWriters)
	load := startTraffic(nodes, world)
	var takeovers []time.Duration
	for range nodeKills {
		load.more(rand.IntN(300))
		i := rand.IntN(len(nodes.live))
		killed := time.Now()
		nodes.at(i).kill()
		takeovers = append(takeovers, load.recovery(killed))
		nodes.start(i)
	}
	comments := load.stop()
	load.requireWhole()
	t.Logf("%d kills of one of 3 nodes under %d writers: %d comments acknowledged, %d attempts repeated, 0 lost, 0 doubled, 0 out of order; takeover median %v, worst %v",
		nodeKills, trafficWriters, comments, load.again(), median(takeovers).Round(time.Millisecond), slices.Max(takeovers).Round(time.Millisecond))
	if eventlogtest.AllRounds() {
		require.Less(t, median(takeovers), takeoverGoal)
	}
	nodes.stop()
}
