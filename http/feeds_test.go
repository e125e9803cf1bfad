package http

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
)

// waiting returns how many long polls and streams wait for a change now.
func (e *env) waiting() int {
	var m dto.Metric
	require.NoError(e.t, e.api.metrics.waiting.Write(&m))
	return int(m.GetGauge().GetValue())
}

// untilWaiting returns once so many wait.
func (e *env) untilWaiting(n int) {
	e.t.Helper()
	require.Eventually(e.t, func() bool { return e.waiting() == n }, time.Minute, time.Millisecond)
}

// poll is a long poll under way.
type poll chan *answer

func (c caller) poll(path, etag string) poll {
	answered, separator := make(poll, 1), "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	go func() { answered <- c.With("If-None-Match", etag).GET(path + separator + "wait=60") }()
	return answered
}

// pending requires that the poll has not been answered.
func (p poll) pending(t *testing.T) {
	t.Helper()
	select {
	case a := <-p:
		require.Fail(t, "answered too early", a)
	default:
	}
}

// TestLongPoll waits on several routes: an invisible change wakes no poll, a visible one wakes all.
func TestLongPoll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	xiaomi := w.As("xiaomi")
	paths := []string{
		"/v1/partners/xiaomi/milestones", "/v1/partners/xiaomi/status", w.at(w.a) + "/events?limit=200", w.routing("going"), w.routing("going") + "/history",
	}
	held := map[string]*answer{}
	polls := map[string]poll{}
	for _, path := range paths {
		held[path] = xiaomi.GET(path).Want(200)
		polls[path] = xiaomi.poll(path, held[path].etag())
	}
	w.untilWaiting(len(paths))
	going := w.routing("going") + "/comment"
	w.As("nokia").POST(going, object{"text": "hush", "audience": "private"}).Want(200)
	w.As("zte").POST(w.at(w.other, "cloud", "move")+"/comment", object{"text": "elsewhere"}).Want(200)
	w.As("acme").PATCH("/v1/partners/acme", object{"name": "Acme"}).Want(200)
	w.untilWaiting(len(paths))
	for _, p := range polls {
		p.pending(t)
	}
	w.As("nokia").POST(going, object{"text": "aloud"}).Want(200)
	for path, p := range polls {
		a := (<-p).Want(200)
		require.NotEqual(t, held[path].etag(), a.etag(), path)
		require.Equal(t, string(xiaomi.GET(path).body), string(a.body), path)
	}
	xiaomi.With("If-None-Match", `"0-0"`).GET(paths[0] + "?wait=60").Want(200) // its ETag is not the current one
	a := xiaomi.GET(paths[0]).Want(200)
	xiaomi.With("If-None-Match", a.etag()).GET(paths[0] + "?wait=1").Want(304)
}

// TestLongPollEnds ends a poll by revoking its token, by draining the node and by a disconnect.
func TestLongPollEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := "/v1/partners/nokia/status"
	w.issue("nokia", "brief", nil)
	w.As("nokia").GET(path).Want(200)
	revoked := w.As("brief").poll(path, w.As("brief").GET(path).etag())
	w.untilWaiting(1)
	w.As("nokia").DELETE("/v1/partners/nokia/tokens/brief").Want(204)
	(<-revoked).Refused(401, "invalid_token")

	ctx, leave := context.WithCancel(t.Context())
	etag := w.As("nokia").GET(path).Want(200).etag()
	gone := make(chan error, 1)
	go func() {
		_, err := w.client.Do(w.As("nokia").With("If-None-Match", etag).request(ctx, http.MethodGet, path+"?wait=60", nil))
		gone <- err
	}()
	w.untilWaiting(1)
	leave()
	require.ErrorIs(t, <-gone, context.Canceled)
	w.untilWaiting(0)

	drained := w.As("nokia").poll(path, etag)
	w.untilWaiting(1)
	w.As("nobody").GET("/readyz").Want(200)
	w.api.Drain()
	(<-drained).Want(304)
	w.As("nobody").GET("/readyz").Refused(503, "not_ready")
	w.As("nobody").GET("/livez").Want(200)
	w.As("nokia").POST(w.routing("going")+"/comment", object{"text": "still served"}).Want(200)
}

// sse reads an event stream.
type sse struct {
	t    *testing.T
	body io.ReadCloser
	scan *bufio.Scanner
}

// event is one of its events.
type event struct {
	id, kind string
	data     object
}

func (c caller) stream(t *testing.T, path string) *sse {
	t.Helper()
	r := c.With("Accept", "text/event-stream").request(t.Context(), http.MethodGet, path, nil)
	resp, err := c.e.client.Do(r)
	require.NoError(t, err)
	require.Equal(t, 200, resp.StatusCode)
	require.Equal(t, "text/event-stream", resp.Header.Get("Content-Type"))
	require.Equal(t, "no-store", resp.Header.Get("Cache-Control"))
	require.NotEmpty(t, resp.Header.Get("Tandem-Position"))
	s := &sse{t, resp.Body, bufio.NewScanner(resp.Body)}
	s.scan.Buffer(nil, 1<<20)
	t.Cleanup(s.close)
	return s
}

func (s *sse) close() { _ = s.body.Close() }

// next returns the next event, passing over heartbeats; false at the end of the stream.
func (s *sse) next() (e event, more bool) {
	s.t.Helper()
	for s.scan.Scan() {
		name, value, _ := strings.Cut(s.scan.Text(), ": ")
		switch name {
		case "id":
			e.id = value
		case "event":
			e.kind = value
		case "data":
			require.NoError(s.t, json.Unmarshal([]byte(value), &e.data))
		case "":
			if e.id != "" && value == "" {
				return e, true
			}
		}
	}
	return event{}, false
}

// take returns the next n events.
func (s *sse) take(n int) (list []event) {
	s.t.Helper()
	for range n {
		e, more := s.next()
		require.True(s.t, more, "the stream has ended after %d of %d", len(list), n)
		require.Equal(s.t, e.id, e.data["position"])
		require.Equal(s.t, e.kind, e.data["type"])
		list = append(list, e)
	}
	return list
}

// TestStream reads an agreement's events live, disconnects, and resumes without a gap; private events of the
// counterparty leave none.
func TestStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	events, going := w.at(w.a)+"/events", w.routing("going")+"/comment"
	past := w.As("xiaomi").GET(events + "?limit=200").Want(200)
	all := past.elements()
	live := w.As("xiaomi").stream(t, events)
	for n, e := range live.take(len(all)) {
		require.Equal(t, all[n], any(e.data), "the stream tells what the feed tells")
		require.Equal(t, "1."+w.a+"."+increment(".0", n+1), e.id, "positions are dense")
	}
	w.untilWaiting(1)
	say := func(text, audience string) {
		w.As("nokia").POST(going, object{"text": text, "audience": audience}).Want(200)
	}
	say("hush", "private")
	say("one", "shared")
	say("hush", "private")
	say("two", "shared")
	got := live.take(2)
	for n, text := range []string{"one", "two"} {
		require.Equal(t, "milestone.commented", got[n].kind)
		require.Equal(t, text, got[n].data["data"].(object)["text"])
		require.Equal(t, "1."+w.a+"."+increment(".0", len(all)+n+1), got[n].id)
	}
	live.close()
	w.untilWaiting(0)
	say("hush", "private")
	say("three", "shared")
	again := w.As("xiaomi").With("Last-Event-ID", got[0].id).stream(t, events+"?after="+got[1].id)
	require.Equal(t, "two", again.take(1)[0].data["data"].(object)["text"], "Last-Event-ID goes before the parameter")
	require.Equal(t, "three", again.take(1)[0].data["data"].(object)["text"])
	fresh := w.As("xiaomi").stream(t, events+"?after="+got[1].id)
	require.Equal(t, "three", fresh.take(1)[0].data["data"].(object)["text"])
}

// TestStreamEnds ends streams by drain and revocation, and checks refusals to start one.
func TestStreamEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	events := w.at(w.a) + "/events"
	w.issue("nokia", "brief", nil)
	feed := w.As("nokia").GET(events + "?limit=200").Want(200)
	end := feed.text("next_cursor")
	brief := w.As("brief").stream(t, events+"?after="+end)
	w.untilWaiting(1)
	w.As("nokia").DELETE("/v1/partners/nokia/tokens/brief").Want(204)
	_, more := brief.next()
	require.False(t, more, "the token is revoked")
	w.As("nokia").POST(w.routing("going")+"/comment", object{"text": "x"}).Want(200)

	live := w.As("nokia").stream(t, events+"?after="+end)
	live.take(1)
	w.untilWaiting(1)
	w.api.Drain()
	_, more = live.next()
	require.False(t, more, "the node drains")

	sse := w.As("nokia").With("Accept", "text/event-stream")
	sse.GET(events+"?after=yesterday").Refused(400, "invalid_position")
	sse.With("Last-Event-ID", "yesterday").GET(events).Refused(400, "invalid_position")
	sse.GET(events+"?verbose=1").Refused(400, "unknown_parameter")
	sse.GET(w.at(w.other)+"/events").Refused(404, "not_found")
	w.As("nobody").With("Accept", "text/event-stream").GET(events).Refused(401, "unauthenticated")
}

// TestFeeds reads the feeds of all who see something: dense, ordered, and the same event under the
// same id wherever it is told.
func TestFeeds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct {
		who, partner string
		agreements   []string
	}{
		{"nokia", "nokia", []string{w.a, w.three, w.next}},
		{"xiaomi", "xiaomi", []string{w.a, w.three, w.next}},
		{"zte", "zte", []string{w.three, w.other}},
		{"acme", "acme", []string{w.other}},
		{"nokia-limited", "nokia", []string{w.three}},
	} {
		merged := w.As(c.who).walk("/v1/partners/"+c.partner+"/events", 10)
		var wanted []any
		for _, id := range c.agreements {
			own := w.As(c.who).walk(w.at(id)+"/events", 7)
			for n, e := range own {
				require.Equal(t, "1."+id+"."+increment(".0", n+1), e.(object)["position"])
			}
			wanted = append(wanted, own...)
		}
		require.ElementsMatch(t, wanted, merged, c.who)
		require.True(t, slices.IsSortedFunc(merged, func(a, b any) int { return recorded(t, a).Compare(recorded(t, b)) }), c.who)
		seen := map[any]bool{}
		for _, e := range merged {
			require.False(t, seen[e.(object)["id"]], "an id twice")
			seen[e.(object)["id"]] = true
			require.NotEmpty(t, e.(object)["sentence"])
		}
	}
	theirs := w.As("xiaomi").walk(w.routing("going")+"/history", 2)
	ours := w.As("nokia").walk(w.routing("going")+"/history", 2)
	common := 0
	for _, a := range theirs {
		for _, b := range ours {
			if a.(object)["id"] == b.(object)["id"] {
				common++
			}
		}
	}
	require.Equal(t, len(theirs)-3, common, "but for the private assessment, forecast and comment of each side")
	require.Equal(t, len(ours)-3, common)
}

func recorded(t *testing.T, event any) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, event.(object)["recorded_at"].(string))
	require.NoError(t, err)
	return at
}
