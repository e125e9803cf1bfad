package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog/eventlogtest"
	"tandem/eventlog/redis/redistest"
	"tandem/eventlog/wakeup"
)

// TestKilledSender repeatedly kills the program with SIGKILL while it sends thousands of events to an ordered
// webhook. At the end the receiver has every event, in order within each agreement; repeated messages have the
// same id.
func TestKilledSender(t *testing.T) {
	kills, events := eventlogtest.Rounds(4, 30), eventlogtest.Rounds(600, 5000)
	inbox := newWebhookReceiver(t)
	data := t.TempDir()
	serve := []string{"serve", "--allow-private-webhooks", "127.0.0.0/8"}
	program := start(t, data, serve...)
	world := arrange(program)
	program.do(201, world.xiaomi, "POST", "/v1/partners/xiaomi/webhooks", fmt.Sprintf(
		`{"id":"ops","url":%q,"format":"standard","events":["milestone.commented"]}`, inbox.URL))
	load := &killLoad{world: world, sent: make(map[string]int), version: make(map[string]uint64)}
	for n := range kills {
		left := (events - load.acknowledged) / (kills - n)
		load.run(program, max(left/2+rand.IntN(left+1), 1))
		program = start(t, data, serve...)
	}
	load.run(program, max(events-load.acknowledged, 1))
	program = start(t, data, serve...)
	want := feedIDs(program, world, "milestone.commented")
	total := 0
	for _, ids := range want {
		total += len(ids)
	}
	require.GreaterOrEqual(t, total, events)
	inbox.wait(t, total)
	program.stop()
	inbox.mu.Lock()
	defer inbox.mu.Unlock()
	require.Equal(t, want, inbox.order, "exactly the expected events, in order within each agreement")
	require.Zero(t, inbox.renamed, "a repeated message has the same id")
	t.Logf("%d kills over %d events: 0 missing, %d came again", kills+1, total, inbox.again)
}

// feedIDs returns the ids of all events of a type, by agreement, in the order of the feed.
func feedIDs(program *program, world world, kind string) map[string][]string {
	program.t.Helper()
	ids := map[string][]string{}
	for _, agreement := range world.agreements {
		for after := ""; ; {
			var page struct {
				Events []struct{ ID, Type string }
				Next   string `json:"next_cursor"`
			}
			program.do(200, world.xiaomi, "GET", "/v1/agreements/"+agreement+"/events?limit=200&after="+url.QueryEscape(after), "").decode(program.t, &page)
			if len(page.Events) == 0 {
				break
			}
			for _, event := range page.Events {
				if event.Type == kind {
					ids[agreement] = append(ids[agreement], event.ID)
				}
			}
			after = page.Next
		}
	}
	return ids
}

// webhookReceiver records the messages of a webhook.
type webhookReceiver struct {
	*httptest.Server
	mu      sync.Mutex
	order   map[string][]string // ids by agreement, in the order of arrival
	texts   map[string]string   // ids by the comment's text
	again   int
	renamed int
	came    wakeup.Signal
}

func newWebhookReceiver(t testing.TB) *webhookReceiver {
	receiver := &webhookReceiver{order: map[string][]string{}, texts: map[string]string{}, came: wakeup.New()}
	receiver.Server = httptest.NewServer(receiver)
	t.Cleanup(receiver.Close)
	return receiver
}

func (b *webhookReceiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	raw, err := io.ReadAll(request.Body)
	var body struct {
		Data struct {
			ID, Agreement string
			Data          struct{ Text string }
		}
	}
	if err != nil || json.Unmarshal(raw, &body) != nil || body.Data.ID != request.Header.Get("Webhook-Id") {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	event := body.Data
	switch id, known := b.texts[event.Data.Text]; {
	case !known:
		b.texts[event.Data.Text] = event.ID
		b.order[event.Agreement] = append(b.order[event.Agreement], event.ID)
	case id == event.ID:
		b.again++
	default:
		b.renamed++
	}
	b.came.Notify()
}

// wait returns once a number of different events have arrived.
func (b *webhookReceiver) wait(t testing.TB, n int) {
	t.Helper()
	late := time.After(recoveryLimit)
	for {
		b.mu.Lock()
		have := len(b.texts)
		b.mu.Unlock()
		if have >= n {
			return
		}
		select {
		case <-b.came:
		case <-late:
			require.Failf(t, "events are missing", "%d of %d came", have, n)
		}
	}
}

// TestKilledSendersOfOneLog kills random nodes of a shared log with SIGKILL. The next owner of a partition
// continues at its stored lane states.
func TestKilledSendersOfOneLog(t *testing.T) {
	kills := eventlogtest.Rounds(3, 12)
	inbox := newWebhookReceiver(t)
	server := redistest.Start(t)
	nodes := startNodes(t, 3, server.URL(), "--allow-private-webhooks", "127.0.0.0/8")
	world := arrangeAgreements(nodes.at(0), trafficWriters)
	nodes.at(0).do(201, world.xiaomi, "POST", "/v1/partners/xiaomi/webhooks", fmt.Sprintf(
		`{"id":"ops","url":%q,"format":"standard","events":["milestone.commented"]}`, inbox.URL))
	load := startTraffic(nodes, world)
	for range kills {
		load.more(rand.IntN(300))
		i := rand.IntN(len(nodes.live))
		killed := time.Now()
		nodes.at(i).kill()
		load.recovery(killed)
		nodes.start(i)
	}
	load.stop()
	want, total := map[string][]string{}, 0
	for _, agreement := range world.agreements {
		for _, event := range nodes.at(0).history(world, agreement).events {
			if event.Type == "milestone.commented" {
				want[agreement] = append(want[agreement], event.ID)
				total++
			}
		}
	}
	inbox.wait(t, total)
	nodes.stop()
	inbox.mu.Lock()
	defer inbox.mu.Unlock()
	require.Equal(t, want, inbox.order)
	require.Zero(t, inbox.renamed)
	t.Logf("%d kills of one of 3 nodes over %d events: 0 missing, %d came again", kills, total, inbox.again)
}

// TestFlushedServerHaltsDeliveries replaces the log's server, while a webhook sends, by a copy that lacks the
// last events. No message is sent while the history is lost. After the operator accepts the loss, events that
// are recorded later are sent, and the attempt history mentions the loss.
func TestFlushedServerHaltsDeliveries(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	nodes := startNodes(t, 1, server.URL(), "--allow-private-webhooks", "127.0.0.0/8")
	world := arrangeAgreements(nodes.at(0), 1)
	inbox := newWebhookReceiver(t)
	nodes.at(0).do(201, world.xiaomi, "POST", "/v1/partners/xiaomi/webhooks", fmt.Sprintf(
		`{"id":"ops","url":%q,"format":"standard","events":["milestone.commented"]}`, inbox.URL))
	said := 0
	say := func(n int) {
		for range n {
			said++
			nodes.at(0).do(200, world.nokia, "POST", world.milestone(world.agreements[0])+"/comment", fmt.Sprintf(`{"text":"%d"}`, said))
		}
		inbox.wait(t, said)
	}
	say(20)
	nodes.stop() // stores the lane states
	copied, had := server.Backup(), behind(t, nil, server)
	nodes.start(0)
	say(10)
	lost := lostTails{}
	for partition, tail := range behind(t, nil, server) {
		if had[partition][1] < tail[1] {
			lost[partition] = [2]uint64{had[partition][1], tail[1]}
		}
	}
	require.Len(t, lost, 1, "the agreement's partition")
	for partition, tail := range lost {
		eventually(t, 10*time.Second, "the marks", func() bool { return noted(t, nodes.data[0])[partition] == tail[1] })
	}

	require.NoError(t, server.Client().FlushAll(t.Context()).Err())
	eventually(t, 10*time.Second, "the loss is named", func() bool {
		answer, err := nodes.at(0).try(t.Context(), "", "GET", "/readyz", "")
		return err == nil && answer.status == 503
	})
	nodes.at(0).do(503, world.nokia, "POST", world.milestone(world.agreements[0])+"/comment", `{"text":"never"}`)
	nodes.at(0).kill()
	server.Restore(copied)
	nodes.start(0)
	nodes.requireLost(lost)
	nodes.accept(lost)

	say(10)
	log := string(nodes.at(0).do(200, world.xiaomi, "GET", "/v1/partners/xiaomi/webhooks/ops/deliveries", "").body)
	require.Contains(t, log, "was lost and the loss accepted")
	nodes.stop()
}
