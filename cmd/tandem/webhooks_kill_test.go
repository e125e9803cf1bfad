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

	"tandem/eventlog/redis/redistest"
)

// TestKilledSender ends the program with SIGKILL again and again while it delivers thousands of events to an ordered
// webhook. In the end the receiver has every event, each agreement's in order; what came twice came under the same id.
func TestKilledSender(t *testing.T) {
	const kills, events = 30, 5000
	inbox := newWebhookInbox(t)
	data := t.TempDir()
	serve := []string{"serve", "--allow-private-webhooks", "127.0.0.0/8"}
	p := start(t, data, serve...)
	w := arrange(p)
	p.do(201, w.xiaomi, "POST", "/v1/partners/xiaomi/webhooks", fmt.Sprintf(
		`{"id":"ops","url":%q,"format":"standard","events":["milestone.commented"]}`, inbox.URL))
	load := &killLoad{world: w, sent: make(map[string]int), version: make(map[string]uint64)}
	for n := range kills {
		left := (events - load.acknowledged) / (kills - n)
		load.run(p, max(left/2+rand.IntN(left+1), 1))
		p = start(t, data, serve...)
	}
	load.run(p, max(events-load.acknowledged, 1))
	p = start(t, data, serve...)
	want := feedIDs(p, w, "milestone.commented")
	total := 0
	for _, ids := range want {
		total += len(ids)
	}
	require.GreaterOrEqual(t, total, events)
	inbox.wait(t, total)
	p.stop()
	inbox.mu.Lock()
	defer inbox.mu.Unlock()
	require.Equal(t, want, inbox.order, "every event, in order within its agreement, and nothing else")
	require.Zero(t, inbox.renamed, "a text that came again came under the same id")
	t.Logf("%d kills over %d events: 0 missing, %d came again", kills+1, total, inbox.again)
}

// feedIDs returns the ids of all events of a type, by agreement, in the order of the feed.
func feedIDs(p *program, w world, kind string) map[string][]string {
	p.t.Helper()
	ids := map[string][]string{}
	for _, a := range w.agreements {
		for after := ""; ; {
			var page struct {
				Events []struct{ ID, Type string }
				Next   string `json:"next_cursor"`
			}
			p.do(200, w.xiaomi, "GET", "/v1/agreements/"+a+"/events?limit=200&after="+url.QueryEscape(after), "").decode(p.t, &page)
			if len(page.Events) == 0 {
				break
			}
			for _, e := range page.Events {
				if e.Type == kind {
					ids[a] = append(ids[a], e.ID)
				}
			}
			after = page.Next
		}
	}
	return ids
}

// webhookInbox is a receiver that remembers what came.
type webhookInbox struct {
	*httptest.Server
	mu      sync.Mutex
	order   map[string][]string // ids by agreement, as they first came
	texts   map[string]string   // ids by the comment's text
	again   int
	renamed int
	came    chan struct{} // has room for one signal
}

func newWebhookInbox(t testing.TB) *webhookInbox {
	b := &webhookInbox{order: map[string][]string{}, texts: map[string]string{}, came: make(chan struct{}, 1)}
	b.Server = httptest.NewServer(b)
	t.Cleanup(b.Close)
	return b
}

func (b *webhookInbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	var body struct {
		Data struct {
			ID, Agreement string
			Data          struct{ Text string }
		}
	}
	if err != nil || json.Unmarshal(raw, &body) != nil || body.Data.ID != r.Header.Get("Webhook-Id") {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	d := body.Data
	switch id, known := b.texts[d.Data.Text]; {
	case !known:
		b.texts[d.Data.Text] = d.ID
		b.order[d.Agreement] = append(b.order[d.Agreement], d.ID)
	case id == d.ID:
		b.again++
	default:
		b.renamed++
	}
	select {
	case b.came <- struct{}{}:
	default:
	}
}

// wait returns once so many different events have come.
func (b *webhookInbox) wait(t testing.TB, n int) {
	t.Helper()
	late := time.After(2 * time.Minute)
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

// TestKilledSendersOfOneLog ends random nodes of a shared log with SIGKILL. Whoever takes the partition over goes on
// where its lanes were kept.
func TestKilledSendersOfOneLog(t *testing.T) {
	const kills = 12
	inbox := newWebhookInbox(t)
	server := redistest.Start(t)
	ns := startNodes(t, 3, server.URL(), "--allow-private-webhooks", "127.0.0.0/8")
	w := arrangeAgreements(ns.at(0), trafficWriters)
	ns.at(0).do(201, w.xiaomi, "POST", "/v1/partners/xiaomi/webhooks", fmt.Sprintf(
		`{"id":"ops","url":%q,"format":"standard","events":["milestone.commented"]}`, inbox.URL))
	load := startTraffic(ns, w)
	for range kills {
		load.more(rand.IntN(300))
		i := rand.IntN(len(ns.live))
		killed := time.Now()
		ns.at(i).kill()
		load.recovery(killed)
		ns.start(i)
	}
	load.stop()
	want, total := map[string][]string{}, 0
	for _, a := range w.agreements {
		for _, e := range ns.at(0).history(w, a).events {
			if e.Type == "milestone.commented" {
				want[a] = append(want[a], e.ID)
				total++
			}
		}
	}
	inbox.wait(t, total)
	ns.stop()
	inbox.mu.Lock()
	defer inbox.mu.Unlock()
	require.Equal(t, want, inbox.order)
	require.Zero(t, inbox.renamed)
	t.Logf("%d kills of one of 3 nodes over %d events: 0 missing, %d came again", kills, total, inbox.again)
}

// TestFlushedServerHaltsDeliveries empties the log's server while webhooks are delivered, and puts a copy in its place
// that lacks the last events. Nothing is delivered while history is lost. Then deliveries go on: what was recorded
// later comes, and the delivery log says that something is gone.
func TestFlushedServerHaltsDeliveries(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	ns := startNodes(t, 1, server.URL(), "--allow-private-webhooks", "127.0.0.0/8")
	w := arrangeAgreements(ns.at(0), 1)
	inbox := newWebhookInbox(t)
	ns.at(0).do(201, w.xiaomi, "POST", "/v1/partners/xiaomi/webhooks", fmt.Sprintf(
		`{"id":"ops","url":%q,"format":"standard","events":["milestone.commented"]}`, inbox.URL))
	said := 0
	say := func(n int) {
		for range n {
			said++
			ns.at(0).do(200, w.nokia, "POST", w.milestone(w.agreements[0])+"/comment", fmt.Sprintf(`{"text":"%d"}`, said))
		}
		inbox.wait(t, said)
	}
	say(20)
	ns.stop() // what the lanes must not forget is in the log
	copied, had := server.Backup(), behind(t, nil, server)
	ns.start(0)
	say(10)
	lost := lostTails{}
	for p, tail := range behind(t, nil, server) {
		if had[p][1] < tail[1] {
			lost[p] = [2]uint64{had[p][1], tail[1]}
		}
	}
	require.Len(t, lost, 1, "the agreement's partition")
	for p, tail := range lost {
		eventually(t, 10*time.Second, "the marks", func() bool { return noted(t, ns.data[0])[p] == tail[1] })
	}

	require.NoError(t, server.Client().FlushAll(t.Context()).Err())
	eventually(t, 10*time.Second, "the loss is named", func() bool {
		a, err := ns.at(0).try(t.Context(), "", "GET", "/readyz", "")
		return err == nil && a.status == 503
	})
	ns.at(0).do(503, w.nokia, "POST", w.milestone(w.agreements[0])+"/comment", `{"text":"never"}`)
	ns.at(0).kill()
	server.Restore(copied)
	ns.start(0)
	ns.requireLost(lost)
	ns.accept(lost)

	say(10)
	log := string(ns.at(0).do(200, w.xiaomi, "GET", "/v1/partners/xiaomi/webhooks/ops/deliveries", "").body)
	require.Contains(t, log, "was lost and the loss accepted")
	ns.stop()
}
