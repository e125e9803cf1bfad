package http

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/api"
	"tandem/bus"
	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
)

func TestLogTellsCountsOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.As("operator").GET("/v1/log").Want(200)
	require.NotRegexp(t, "[0-9a-f]{64}", string(a.body), "hashes stay inside")
	var state api.LogState
	a.into(&state)
	require.Equal(t, w.store.kind(), state.Kind)
	require.Equal(t, "disk", state.Durability)
	require.Equal(t, []string{state.Node}, state.Nodes)
	require.NotZero(t, state.Bytes)
	require.Len(t, state.Partitions, eventlog.Partitions)
	var commits uint64
	for i, partition := range state.Partitions {
		head, err := w.log.Head(t.Context(), eventlog.Partition(i))
		require.NoError(t, err)
		require.Equal(t, i, partition.Partition)
		require.Equal(t, head.Seq, partition.Head)
		require.Equal(t, head.Seq, partition.Durable)
		require.Equal(t, head.Seq, partition.Applied)
		require.Equal(t, state.Node, partition.Owner)
		commits += head.Seq
	}
	require.Equal(t, api.LogTotals{Commits: commits, DeadLetters: 4}, state.Totals)
	require.EqualValues(t, 4, state.Partitions[partitionOf(w.a)].DeadLetters)
	for _, who := range []string{"nokia", "acme", "nokia-viewer"} {
		same := w.As(who).With("X-Request-Id", "x")
		require.Equal(t, same.GET("/v1/nothing").Want(404).body, same.GET("/v1/log").Want(404).body)
		require.Equal(t, same.GET("/v1/nothing").Want(404).body, same.POST("/v1/log/accept-loss", "{").Want(404).body)
	}
}

func TestLogState(t *testing.T) {
	b, e := newLetterbox(t)
	b.status = eventlog.Status{
		Kind: "redis", Location: "redis://127.0.0.1:6379", Durability: "replicated", Bytes: 700, BytesLimit: 1000,
		Nodes: []string{"other-node", "this-node"},
	}
	for i := range b.status.Partitions {
		b.status.Partitions[i].Owner = "other-node"
	}
	b.status.Partitions[4].Owner, b.status.Partitions[5].Owner = "this-node", "other-node" // it has changed owner since
	b.status.Partitions[3] = eventlog.PartitionStatus{
		Head: eventlog.Head{Seq: 12}, Durable: 10, Owner: "this-node", Fence: 2, Waiting: 3, OldestWaiting: e.now.Add(-1500 * time.Millisecond), Epoch: 1,
	}
	b.status.Partitions[7] = eventlog.PartitionStatus{
		Head: eventlog.Head{Seq: 5}, Durable: 5, Fence: 9, Waiting: 1, OldestWaiting: e.now.Add(time.Second), DeadLetters: 2,
		OpenLoss: &eventlog.LostTailError{Partition: 7, Known: eventlog.Head{Seq: 8}, Stored: eventlog.Head{Seq: 5}},
	}
	var state api.LogState
	require.NoError(t, json.Unmarshal(e.get("/v1/log").Body.Bytes(), &state))
	require.Equal(t, "this-node", state.Node)
	require.Equal(t, api.LogPartition{
		Partition: 3, Head: 12, Durable: 10, Lag: 10, Owner: "this-node", Fence: 2, Waiting: 3, OldestSeconds: 1.5, Epoch: 1,
	}, state.Partitions[3])
	require.Equal(t, api.LogPartition{
		Partition: 7, Head: 5, Durable: 5, Lag: 5, Fence: 9, Waiting: 1, DeadLetters: 2, Loss: &api.LogLoss{Known: 8, Stored: 5},
	}, state.Partitions[7], "a clock that is ahead makes no age")
	require.Equal(t, api.LogTotals{Commits: 17, Lag: 15, Waiting: 4, OldestSeconds: 1.5, DeadLetters: 2, Unowned: 1, Losses: 1}, state.Totals)
}

// wrongPartitions are bodies with their refusals.
var wrongPartitions = map[string]int{
	`{}`:                    422,
	`{"partitions":[]}`:     422,
	`{"partitions":[7,64]}`: 422,
	`{"partitions":[-1]}`:   422,
	`{"partitions":["7"]}`:  422,
	`{"partitions":7}`:      422,
	`{"partitions":[7]} x`:  400,
	`{"everything":true}`:   400,
	`[7]`:                   400,
	``:                      400,
}

func TestAcceptLoss(t *testing.T) {
	log := eventlogtest.NewMemory()
	e := newEdge(t, func(c *Config) { c.Operations = operations{log, &outcomeLoser{Bus: new(bus.Bus)}} })
	for _, partition := range []eventlog.Partition{7, 9, 11} {
		require.NoError(t, log.ReportLoss(t.Context(), eventlog.LostTailError{Partition: partition, Known: eventlog.Head{Seq: 4}}))
	}
	accept := func(status int, body string) string {
		t.Helper()
		w := e.do(e.api.Handler(), http.MethodPost, "/v1/log/accept-loss", body)
		require.Equal(t, status, w.Code, w.Body)
		return w.Body.String()
	}
	open := func() (partitions []eventlog.Partition) {
		losses, err := log.Losses(t.Context())
		require.NoError(t, err)
		for _, loss := range losses.Open {
			partitions = append(partitions, loss.Partition)
		}
		return partitions
	}
	for body, status := range wrongPartitions {
		accept(status, body)
	}
	require.Contains(t, accept(409, `{"partitions":[7,8,9,10]}`), "in partition 8, 10.")
	require.Equal(t, []eventlog.Partition{7, 9, 11}, open(), "what is refused changes nothing")

	var state api.LogState
	require.NoError(t, json.Unmarshal([]byte(accept(200, `{"partitions":[9,7,9]}`)), &state))
	require.Equal(t, []eventlog.Partition{11}, open())
	require.Equal(t, 1, state.Totals.Losses)
	require.Nil(t, state.Partitions[7].Loss)
	require.EqualValues(t, 1, state.Partitions[9].Epoch, "named twice, accepted once")
	require.Contains(t, accept(409, `{"partitions":[7]}`), "no_open_loss")
}

func TestLogMetrics(t *testing.T) {
	b, e := newLetterbox(t)
	b.status = eventlog.Status{Bytes: 700, BytesLimit: 1000}
	b.status.Partitions[0].Owner = "other-node"
	b.status.Partitions[3] = eventlog.PartitionStatus{
		Head: eventlog.Head{Seq: 12}, Durable: 10, Owner: "this-node", Waiting: 3, OldestWaiting: e.now.Add(-1500 * time.Millisecond), DeadLetters: 2,
	}
	b.status.Partitions[7].DeadLetters = 1
	scrape := func() string { return e.get("/metrics").Body.String() }
	told := scrape()
	for _, line := range []string{
		"tandem_log_up 1",
		`tandem_log_head{partition="03"} 12`,
		`tandem_log_head{partition="63"} 0`,
		"tandem_log_applied_lag_commits 10",
		`tandem_log_waiting_commands{partition="03"} 3`,
		"tandem_log_oldest_waiting_seconds 1.5",
		"tandem_log_owned_partitions 3",
		"tandem_log_unowned_partitions 62",
		"tandem_log_dead_letters 3",
		"tandem_log_bytes 700",
		"tandem_log_limit_bytes 1000",
	} {
		require.Contains(t, told, "\n"+line+"\n")
	}
	require.Equal(t, 1, b.asked)
	e.now = e.now.Add(scrapeTTL - 1)
	scrape()
	require.Equal(t, 1, b.asked, "it is asked once in a while")
	b.err = http.ErrServerClosed
	e.now = e.now.Add(1)
	told = scrape()
	require.Equal(t, 2, b.asked)
	require.Contains(t, told, "\ntandem_log_up 0\n")
	require.NotContains(t, told, "tandem_log_head", "nothing outdated is told")
	require.Contains(t, told, "tandem_http_requests_total", "and everything else is")
}
