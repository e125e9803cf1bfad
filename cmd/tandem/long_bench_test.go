package main

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkLongHistory asks whether age costs anything: a milestone of 10,000 events in an agreement of
// 100,000 against one of 500 in one of 1,000, in the same program; both have 20 milestones. It prints the ratio of the p99s.
func BenchmarkLongHistory(b *testing.B) {
	p := start(b, b.TempDir(), "serve")
	w := arrange(p)
	short := newOld(b, p, w, w.agreements[0], 25, 500)
	long := newOld(b, p, w, w.agreements[1], 4_750, 5_250)
	for _, c := range []struct {
		name string
		read func(o old) string
	}{
		{"append", nil},
		{"read milestone", func(o old) string { return o.path }},
		{"read its newest events", func(o old) string { return o.newest }},
		{"read its first events", func(o old) string { return o.path + "/history" }},
		{"read agreement's feed, middle", func(o old) string { return o.middle }},
		{"read the project's milestones", func(o old) string { return o.project + "/milestones" }},
		{"read status", func(o old) string { return "/v1/partners/xiaomi/status" }},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := compare(b,
				func() []time.Duration { return long.round(b, c.read) },
				func() []time.Duration { return short.round(b, c.read) })
			long99, short99 := quantile(r.ours.latencies, 0.99), quantile(r.theirs.latencies, 0.99)
			b.ReportMetric(float64(long99)/float64(short99), "p99-ratio")
			b.ReportMetric(0, "ns/op")
			fmt.Printf("\n%s: p99 %v with a long history, %v with a short one: %.2f\n", c.name, long99, short99, float64(long99)/float64(short99))
		})
	}
}

// old is a milestone with a past.
type old struct {
	p                        *program
	w                        world
	agreement, project, path string
	newest, middle           string // feeds
}

// newOld makes 20 milestones with so many events each, and more for the last, which it is.
func newOld(b *testing.B, p *program, w world, agreement string, each, more int) old {
	b.Helper()
	o := old{p: p, w: w, agreement: "/v1/agreements/" + agreement}
	o.project = o.agreement + "/projects/p"
	for i := range 20 {
		id := fmt.Sprintf("old-%d", i)
		p.do(201, w.nokia, "POST", o.project+"/milestones", fmt.Sprintf(`{"id":%q,"title":"M","owner":"nokia","due_on":"2031-01-31"}`, id))
		o.path = o.project + "/milestones/" + id
		p.do(200, w.nokia, "POST", o.path+"/start", `{}`)
		o.live(b, each)
	}
	o.live(b, more)
	o.newest = o.path + "/history?limit=50&after=" + o.position(o.path+"/history", each+more-100)
	o.middle = o.agreement + "/events?limit=50&after=" + o.position(o.agreement+"/events", 10*each)
	return o
}

func (o *old) live(b *testing.B, events int) {
	b.Helper()
	storm(b, o.p.url, 16, events/16*16, "200", o.progress)
}

// position goes through a feed until it has seen so many events.
func (o *old) position(feed string, events int) string {
	var page struct {
		Events []json.RawMessage `json:"events"`
		Next   string            `json:"next_cursor"`
	}
	for seen := 0; seen < events; seen += len(page.Events) {
		path := feed + "?limit=200"
		if page.Next != "" {
			path += "&after=" + page.Next
		}
		page.Events = nil
		require.NoError(o.p.t, json.Unmarshal(o.p.do(200, o.w.xiaomi, "GET", path, "").body, &page))
		if len(page.Events) == 0 {
			break
		}
	}
	return page.Next
}

func (o *old) progress(caller, n int) string {
	return post(o.path+"/progress", o.w.nokia, fmt.Sprintf(`{"percent":%d}`, (caller+n)%100))
}

// round appends and, with a read, does each one after an append, so that it is rendered anew; the
// reads' times count then.
func (o *old) round(b *testing.B, read func(old) string) []time.Duration {
	b.Helper()
	const connections, requests = 4, 800
	if read == nil {
		return storm(b, o.p.url, connections, requests, "200", o.progress)
	}
	path := read(*o)
	both := storm(b, o.p.url, connections, requests, "200", func(caller, n int) string {
		if n%2 == 0 {
			return o.progress(caller, n)
		}
		return get(path, o.w.xiaomi, "")
	})
	var reads []time.Duration
	for i := 1; i < len(both); i += 2 {
		reads = append(reads, both[i])
	}
	return reads
}
