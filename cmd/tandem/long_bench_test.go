package main

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkLongHistory measures whether a long history costs time: a milestone of 10,000 events in an agreement
// of 100,000, compared with one of 500 in an agreement of 1,000, in the same program. Both agreements have 20
// milestones. It prints the ratio of the p99 latencies.
func BenchmarkLongHistory(b *testing.B) {
	program := start(b, b.TempDir(), "serve")
	world := arrange(program)
	short := newLongFeed(b, program, world, world.agreements[0], 25, 500)
	long := newLongFeed(b, program, world, world.agreements[1], 4_750, 5_250)
	for _, tc := range []struct {
		name string
		read func(feed longFeed) string
	}{
		{"append", nil},
		{"read milestone", func(feed longFeed) string { return feed.path }},
		{"read its newest events", func(feed longFeed) string { return feed.newest }},
		{"read its first events", func(feed longFeed) string { return feed.path + "/history" }},
		{"read agreement's feed, middle", func(feed longFeed) string { return feed.middle }},
		{"read the project's milestones", func(feed longFeed) string { return feed.project + "/milestones" }},
		{"read status", func(feed longFeed) string { return "/v1/partners/xiaomi/status" }},
	} {
		b.Run(tc.name, func(b *testing.B) {
			result := compare(b,
				func() []time.Duration { return long.round(b, tc.read) },
				func() []time.Duration { return short.round(b, tc.read) })
			long99, short99 := quantile(result.ours.latencies, 0.99), quantile(result.theirs.latencies, 0.99)
			b.ReportMetric(float64(long99)/float64(short99), "p99-ratio")
			b.ReportMetric(0, "ns/op")
			fmt.Printf("\n%s: p99 %v with a long history, %v with a short one: %.2f\n", tc.name, long99, short99, float64(long99)/float64(short99))
		})
	}
}

// longFeed is a milestone with a history.
type longFeed struct {
	p                        *program
	w                        world
	agreement, project, path string
	newest, middle           string // positions in the feeds
}

// newLongFeed creates 20 milestones with the same number of events, and adds more to the last one, which it
// returns.
func newLongFeed(b *testing.B, program *program, world world, agreement string, each, more int) longFeed {
	b.Helper()
	feed := longFeed{p: program, w: world, agreement: "/v1/agreements/" + agreement}
	feed.project = feed.agreement + "/projects/p"
	for i := range 20 {
		id := fmt.Sprintf("old-%d", i)
		program.do(201, world.nokia, "POST", feed.project+"/milestones", fmt.Sprintf(`{"id":%q,"title":"M","owner":"nokia","due_on":"2031-01-31"}`, id))
		feed.path = feed.project + "/milestones/" + id
		program.do(200, world.nokia, "POST", feed.path+"/start", `{}`)
		feed.live(b, each)
	}
	feed.live(b, more)
	feed.newest = feed.path + "/history?limit=50&after=" + feed.position(feed.path+"/history", each+more-100)
	feed.middle = feed.agreement + "/events?limit=50&after=" + feed.position(feed.agreement+"/events", 10*each)
	return feed
}

func (o *longFeed) live(b *testing.B, events int) {
	b.Helper()
	storm(b, o.p.url, 16, events/16*16, "200", o.progress)
}

// position returns the position after the given number of events of a feed.
func (o *longFeed) position(feed string, events int) string {
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

func (o *longFeed) progress(caller, n int) string {
	return post(o.path+"/progress", o.w.nokia, fmt.Sprintf(`{"percent":%d}`, (caller+n)%100))
}

// round sends commands and returns their durations; with read, it reads after each command, so that the page is
// rendered again, and returns the durations of the reads.
func (o *longFeed) round(b *testing.B, read func(longFeed) string) []time.Duration {
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
