package main

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"tandem/eventlog/eventlogtest"
	"tandem/eventlog/redis/redistest"
)

var serverKills = eventlogtest.Rounds(3, 10)

// TestRedisKilled kills the log's server with SIGKILL under load and restarts it. Every acknowledged command is
// in the log once, and the nodes recover by themselves.
func TestRedisKilled(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	nodes := startNodes(t, 2, server.URL())
	world := arrangeAgreements(nodes.at(0), trafficWriters)
	load := startTraffic(nodes, world)
	var recoveries []time.Duration
	for range serverKills {
		load.more(200)
		server.Kill()
		time.Sleep(rand.N(time.Second)) // time until the restart
		server.Start()
		recoveries = append(recoveries, load.recovery(time.Now()))
	}
	comments := load.stop()
	load.requireWhole()
	t.Logf("%d kills of the server under %d writers: %d comments acknowledged, %d attempts repeated, 0 lost, 0 doubled, 0 out of order; all writers went on after median %v, worst %v",
		serverKills, trafficWriters, comments, load.again(), median(recoveries).Round(time.Millisecond), slices.Max(recoveries).Round(time.Millisecond))
	nodes.stop()
}
