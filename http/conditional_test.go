package http

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// reads returns the paths of every reading route that nokia sees, and one that it does not see for
// each.
func (w *world) reads() (seen, hidden map[string][]string) {
	w.t.Helper()
	seen, hidden = map[string][]string{}, map[string][]string{}
	for _, x := range w.attempts() {
		if x.actor.name != "nokia" || x.row.does != nil || x.route.anonymous {
			continue
		}
		if x.wanted()[0] == http.StatusOK {
			seen[x.route.operationID] = append(seen[x.route.operationID], x.path())
		} else {
			hidden[x.route.operationID] = append(hidden[x.route.operationID], x.path())
		}
	}
	return seen, hidden
}

// TestReadsAreConditional checks the promises about conditional requests on every read.
func TestReadsAreConditional(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nokia := w.As("nokia")
	seen, hidden := w.reads()
	for name, paths := range seen {
		for _, path := range paths {
			first := nokia.GET(path).Want(200)
			for _, tag := range []string{first.etag(), `"x-y", ` + first.etag(), "W/" + first.etag(), "*"} {
				same := nokia.With("If-None-Match", tag).GET(path).Want(304)
				require.Equal(t, first.etag(), same.etag())
				require.Equal(t, first.position(), same.position())
			}
			other := nokia.With("If-None-Match", `"0-0"`).GET(path).Want(200)
			require.Equal(t, string(first.body), string(other.body))
			head := nokia.do(http.MethodHead, path, nil).Want(200)
			require.Empty(t, head.body)
			require.Equal(t, first.etag(), head.etag())
			for _, position := range []string{first.position(), "latest"} {
				reached := nokia.With("Tandem-Min-Position", position).GET(path).Want(200)
				require.Equal(t, string(first.body), string(reached.body), "%s at %s", name, position)
			}
			nokia.With("Tandem-Min-Position", "yesterday").GET(path).Refused(400, "invalid_position")
			nokia.GET(path+"?verbose=1").Refused(400, "unknown_parameter")
			if slices.Contains([]string{"listDeliveries", "getDelivery", "previewWebhook"}, name) {
				nokia.GET(path+"?wait=1").Refused(400, "unknown_parameter")
				continue
			}
			nokia.GET(path+"?wait=1&wait=1").Refused(400, "duplicate_parameter")
			nokia.GET(path+"?wait=soon").Refused(422, "invalid_field").Names("wait")
			nokia.With("If-None-Match", first.etag()).GET(path + "?wait=0").Want(304)
		}
	}
	for _, paths := range hidden {
		nokia.With("Tandem-Min-Position", "yesterday").GET(paths[0]+"?verbose=1").Refused(404, "not_found")
	}
}

// TestIfMatchComparesVisibleVersion changes a milestone in ways that Xiaomi can and cannot see.
func TestIfMatchComparesVisibleVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	going := w.routing("going")
	xiaomi := w.As("xiaomi")
	held := xiaomi.GET(going).Want(200)
	w.As("nokia").POST(going+"/comment", object{"text": "hush", "audience": "private"}).Want(200)
	w.As("nokia").POST(going+"/forecast", object{"on": "2019-01-01", "reason": "hush", "audience": "private"}).Want(200)
	require.Equal(t, held.etag(), xiaomi.GET(going).etag())
	w.clock.advance(100 * 24 * time.Hour)
	due := xiaomi.GET(going).Want(200)
	require.Equal(t, true, due.get("overdue"))
	require.NotEqual(t, held.etag(), due.etag(), "it looks different on another day")
	seen := xiaomi.With("If-Match", held.etag()).POST(going+"/comment", object{"text": "aloud"}).Want(200)
	require.Equal(t, held.get("version").(float64)+1, seen.get("version"), "but it is at the same version")
	xiaomi.With("If-Match", held.etag()).POST(going+"/comment", object{"text": "late"}).Refused(412, "version_mismatch")
	xiaomi.With("If-Match", seen.etag()).POST(going+"/comment", object{"text": "in time"}).Want(200)
	xiaomi.With("If-Match", "*").POST(going+"/comment", object{"text": "whatever"}).Want(200)
}

// TestPrivateChangesAreInvisible performs every private action as Nokia. The other partners' responses on every
// route, headers included, do not change (R16).
func TestPrivateChangesAreInvisible(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	others := []string{"xiaomi", "xiaomi-viewer", "acme", "zte", "nokia-limited"}
	before := w.everything(others)
	hidden := w.As("nokia").POST(w.at(w.a, "routing")+"/milestones", object{"title": "H", "owner": "nokia", "due_on": "2018-01-01", "audience": "private"}).Want(201).location()
	for _, x := range []struct {
		path string
		body object
	}{
		{"/start", object{}},
		{"/progress", object{"percent": 5, "health": "red", "note": "x"}},
		{"/forecast", object{"on": "2019-01-01"}},
		{"/comment", object{"text": "x"}},
		{"/cancel", object{"reason": "x"}},
	} {
		w.As("nokia").POST(hidden+x.path, x.body).Want(200)
	}
	w.As("nokia").POST(w.routing("going")+"/forecast", object{"on": "2019-01-01", "reason": "x", "audience": "private"}).Want(200)
	w.As("nokia").POST(w.routing("going")+"/comment", object{"text": "x", "audience": "private"}).Want(200)
	after := w.everything(others)
	require.Equal(t, before, after)
	before = w.everything([]string{"acme", "zte"})
	w.As("nokia").POST(w.at(w.three, w.duo, "pair")+"/start", nil).Want(200)
	w.As("xiaomi").POST(w.at(w.three, w.duo, "pair")+"/comment", object{"text": "x"}).Want(200)
	w.As("xiaomi").POST(w.at(w.three)+"/projects", object{"title": "Pair", "stage": "committed", "lead": "xiaomi", "participants": []string{"nokia", "xiaomi"}}).Want(201)
	w.As("nokia").POST(w.at(w.next)+"/sign", nil).Want(200)
	require.Equal(t, before, w.everything([]string{"acme", "zte"}), "zte takes no part in that project of its agreement")
	before = w.everything([]string{"xiaomi", "acme"})
	person := object{"name": "P", "email": "p@nokia.example", "role": "viewer"}
	w.As("nokia").POST("/v1/partners/nokia/members", person).Want(201)
	w.issue("nokia", "more", nil)
	require.Equal(t, before, w.everything([]string{"xiaomi", "acme"}), "a directory is its partner's own")
}

// everything reads all routes at all places and returns the responses by reader and path.
func (w *world) everything(who []string) map[string]string {
	w.t.Helper()
	told := map[string]string{}
	for _, x := range w.attempts() {
		for _, name := range who {
			if x.actor.name == name && x.row.does == nil && !x.route.anonymous {
				a := w.run(x)
				a.header.Del("Date")
				told[name+" "+a.path] = a.told()
			}
		}
	}
	require.NotEmpty(w.t, told)
	return told
}

// TestMinPosition requests positions that are reached, that are reached during the wait, and that are not reached.
func TestMinPosition(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	going := w.routing("going")
	xiaomi := w.As("xiaomi")
	held := xiaomi.GET(going).Want(200)
	require.Regexp(t, `^1\.pact-one\.\d+$`, held.position())
	next := "1." + w.a + "." + increment(held.position(), 1)
	answered := make(chan *answer, 1)
	go func() { answered <- xiaomi.With("Tandem-Min-Position", next).GET(going) }()
	w.As("nokia").POST(going+"/comment", object{"text": "hush", "audience": "private"}).Want(200)
	comment := w.As("nokia").POST(going+"/comment", object{"text": "aloud"}).Want(200)
	require.NotEqual(t, next, comment.position(), "nokia counts its own")
	reached := (<-answered).Want(200)
	require.Equal(t, next, reached.position())
	require.Equal(t, held.get("version").(float64)+1, reached.get("version"))

	never := []string{"1." + w.a + "." + increment(next, 1), "1." + w.other + ".1", "1.nothing.1", "1.@acme.1"}
	for _, position := range never {
		go func() {
			answered <- xiaomi.With("Tandem-Min-Position", position).With("X-Request-Id", "same").GET(going)
		}()
	}
	hidden := w.As("xiaomi").With("Tandem-Min-Position", "1.nothing.1").GET(w.at(w.other)) // waits as long
	hidden.Refused(404, "not_found")
	var first *answer
	for range never {
		a := (<-answered).Refused(503, "position_not_reached")
		require.NotEmpty(t, a.header.Get("Retry-After"))
		if first == nil {
			first = a
		}
		require.Equal(t, string(first.body), string(a.body), "what may not be seen is waited for like what never comes")
	}
	for _, wrong := range []string{"0", "1.pact-one", "1.pact-one.x", "1.Pact.1", "s1.!", "s1.AAAA", "-1.a.1", strings.Repeat("9", 5000)} {
		xiaomi.With("Tandem-Min-Position", wrong).GET(going).Refused(400, "invalid_position")
	}
	all := xiaomi.GET("/v1/partners/xiaomi/status").Want(200).position()
	xiaomi.With("Tandem-Min-Position", all).GET(going).Want(200)
}

// increment returns the position with a higher count.
func increment(position string, by int) string {
	count, _ := strconv.Atoi(position[strings.LastIndex(position, ".")+1:])
	return strconv.Itoa(count + by)
}

// TestPrefer asks to wait, and not to wait, which the embedded log cannot.
func TestPrefer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	comment, text := w.routing("going")+"/comment", object{"text": "x"}
	require.Empty(t, w.As("nokia").POST(comment, text).Want(200).header.Get("Preference-Applied"))
	a := w.As("nokia").With("Prefer", "respond-async, wait=20").POST(comment, text).Want(200)
	require.Equal(t, "wait=20", a.header.Get("Preference-Applied"))
	a = w.As("nokia").With("Prefer", `wait="100"`).POST(comment, text).Want(200)
	require.Equal(t, "wait=60", a.header.Get("Preference-Applied"))
	w.As("nokia").With("Prefer", "wait=soon, return=minimal").POST(comment, text).Want(200)
	before := w.As("nokia").GET(w.routing("going")).get("version").(float64)
	a = w.As("nokia").Key("k").With("Prefer", "wait=0").POST(comment, text)
	require.Contains(t, []int{200, 503}, a.status, "it may be done at once")
	w.As("nokia").Key("k").POST(comment, text).Want(200)
	require.Equal(t, before+1, w.As("nokia").GET(w.routing("going")).get("version"), "once")
}

// TestAccepted runs on a log whose inbox is durable: an outcome that does not come in time is a 202.
func TestAccepted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.DurableQueue = true })
	comment := w.routing("going") + "/comment"
	before := w.As("nokia").GET(w.routing("going")).get("version").(float64)
	w.commands.lose.Store(true)
	late := w.As("nokia").Key("k").POST(comment, object{"text": "x"}).Want(202)
	async := w.As("nokia").With("Prefer", "respond-async").POST(comment, object{"text": "y"}).Want(202)
	w.commands.lose.Store(false)
	require.Equal(t, "respond-async", async.header.Get("Preference-Applied"))
	for _, a := range []*answer{late, async} {
		require.Equal(t, "pending", a.get("state"))
		require.Equal(t, "/v1/commands/"+a.text("id"), a.location())
		done := w.As("nokia").GET(a.location()).Want(200)
		require.Equal(t, "done", done.get("state"))
		require.Equal(t, w.routing("going"), done.get("resource"))
		w.As("xiaomi").GET(a.location()).Refused(404, "not_found")
	}
	require.Equal(t, before+2, w.As("nokia").GET(w.routing("going")).get("version"))
}
