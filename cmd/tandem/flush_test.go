package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/redis/redistest"
)

// TestFlushedRunning empties the log's server while nodes run. They report every partition that had commits,
// serve and acknowledge none of it, and continue with an empty log when the operator accepts the loss.
func TestFlushedRunning(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	nodes := startNodes(t, 2, server.URL())
	world := arrangeAgreements(nodes.at(0), trafficWriters)
	load := startTraffic(nodes, world)
	load.more(100)
	load.stop()
	missing := behind(t, nil, server)
	silent := newSilence(t, nodes, world)
	require.NoError(t, server.Client().FlushAll(t.Context()).Err())
	flushed := time.Now()
	silent.watch()
	nodes.requireLost(missing)
	named := time.Since(flushed)

	nodes.at(0).stop()
	nodes.start(0)
	nodes.requireLost(missing)
	nodes.at(1).kill()
	nodes.start(1)
	nodes.requireLost(missing)
	silent.stop()

	stranger := startNodes(t, 1, server.URL()) // a node without marks of this log
	ready := string(stranger.at(0).do(503, "", "GET", "/readyz", "").body)
	require.Contains(t, ready, "lost commits")
	stranger.at(0).do(503, operatorSecret, "GET", "/v1/partners", "")
	stranger.stop()

	nodes.accept(missing)
	for i := range nodes.live {
		var none struct{ Partners []any }
		nodes.at(i).do(200, operatorSecret, "GET", "/v1/partners", "").decode(t, &none)
		require.Empty(t, none.Partners)
	}
	arrangeAgreements(nodes.at(1), 2)
	t.Logf("a server flushed under 2 nodes: %d partitions with %d commits named after %v, by nodes that started later too; %d reads and writes meanwhile, none answered from a shortened history, none acknowledged",
		len(missing), missing.commits(), named.Round(time.Millisecond), silent.reads)
	nodes.stop()
}

// TestFlushedDown empties the server while the node is down, after a stop or a kill.
func TestFlushedDown(t *testing.T) {
	for name, end := range map[string]func(*program){"stopped": (*program).stop, "killed": (*program).kill} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			nodes := startNodes(t, 1, server.URL())
			world := arrangeAgreements(nodes.at(0), 2)
			missing := behind(t, nil, server)
			for partition, tail := range missing {
				eventually(t, 10*time.Second, "the marks", func() bool { return noted(t, nodes.data[0])[partition] == tail[1] })
			}
			end(nodes.at(0))
			require.NoError(t, server.Client().FlushAll(t.Context()).Err())
			program := nodes.start(0)
			nodes.requireLost(missing)
			program.do(503, operatorSecret, "GET", "/v1/partners", "")
			program.do(503, operatorSecret, "POST", "/v1/partners", `{"id":"nokia","name":"nokia","country":"FI","time_zone":"Europe/Helsinki"}`)
			answer, err := program.try(t.Context(), world.nokia, "GET", world.milestone(world.agreements[0]), "")
			require.NoError(t, err)
			require.Contains(t, []int{401, 503}, answer.status, "the token may be lost too")
			nodes.stop()
		})
	}
}

// noted returns the number of commits that a node has applied of each partition, from its file of marks.
func noted(t *testing.T, data string) map[eventlog.Partition]uint64 {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(data, "marks"))
	require.NoError(t, err)
	var list []struct {
		Partition eventlog.Partition
		Seq       uint64
	}
	require.NoError(t, json.Unmarshal(b, &list))
	seen := make(map[eventlog.Partition]uint64)
	for _, mark := range list {
		seen[mark.Partition] = mark.Seq
	}
	return seen
}
