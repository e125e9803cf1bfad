package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog/redis/redistest"
)

// fleet are the nodes of an installation: real programs on one log, each with a data directory of its own.
type fleet struct {
	t    testing.TB
	args []string
	data []string
	live []atomic.Pointer[program] // the latest of each node; it may have ended
}

const nodesKey = "TANDEM_KEY=5bb5a2d0d7b1c7a0a3a9d2f0c4a6f9d8e1f2a3b4c5d6e7f8091a2b3c4d5e6f70"

// startNodes starts so many nodes on the log at a URL, with further arguments, one after the other.
func startNodes(t testing.TB, n int, log string, args ...string) *fleet {
	t.Helper()
	ns := &fleet{
		t: t, args: append([]string{"serve", "--redis", log}, args...),
		data: make([]string, n), live: make([]atomic.Pointer[program], n),
	}
	t.Cleanup(ns.tell)
	for i := range n {
		ns.data[i] = t.TempDir()
		ns.start(i)
	}
	return ns
}

// start starts a node that does not run, on its own data.
func (ns *fleet) start(i int) *program {
	ns.t.Helper()
	p := startWith(ns.t, []string{nodesKey}, ns.data[i], ns.args...)
	ns.live[i].Store(p)
	return p
}

// at returns a node; numbers go on behind the last one with the first.
func (ns *fleet) at(i int) *program { return ns.live[i%len(ns.live)].Load() }

func (ns *fleet) stop() {
	ns.t.Helper()
	for i := range ns.live {
		ns.at(i).stop()
	}
}

// tell shows the end of every node's log when the test has failed.
func (ns *fleet) tell() {
	if !ns.t.Failed() {
		return
	}
	for i := range ns.live {
		if p := ns.at(i); p != nil {
			lines := strings.Split(strings.TrimSpace(p.log.String()), "\n")
			ns.t.Logf("the last lines of node %d:\n%s", i, strings.Join(lines[max(0, len(lines)-20):], "\n"))
		}
	}
}

// comment is a request that comments on an agreement's milestone.
func (p *program) comment(ctx context.Context, w world, agreement, text string, header ...string) (answer, error) {
	return p.try(ctx, w.nokia, "POST", w.milestone(agreement)+"/comment",
		fmt.Sprintf(`{"text":%q,"audience":"shared"}`, text), header...)
}

// event is one of a feed, as far as tests look at it.
type event struct {
	ID       string
	Position string
	Type     string
	Data     struct{ Text string }
}

// history is all that an agreement's feed tells, and the bytes in which it does.
type history struct {
	raw    []byte
	events []event
}

// patiently reads until the node serves: after a fault it may be stale for a moment.
func (p *program) patiently(token, path string, header ...string) answer {
	p.t.Helper()
	for begun := time.Now(); ; time.Sleep(retryPause) {
		a, err := p.try(p.t.Context(), token, "GET", path, "", header...)
		require.NoError(p.t, err)
		if a.status == 200 {
			return a
		}
		require.Equalf(p.t, 503, a.status, "%s", a.body)
		require.Less(p.t, time.Since(begun), recoveryLimit, "%s", a.body)
	}
}

// history reads an agreement's feed as the log has it now.
func (p *program) history(w world, agreement string) (h history) {
	p.t.Helper()
	for after := ""; ; {
		a := p.patiently(w.xiaomi, "/v1/agreements/"+agreement+"/events?limit=200&after="+url.QueryEscape(after), "Tandem-Min-Position", "latest")
		var page struct {
			Events []event
			Next   string `json:"next_cursor"`
		}
		a.decode(p.t, &page)
		if len(page.Events) == 0 {
			return h
		}
		h.raw, h.events, after = append(h.raw, a.body...), append(h.events, page.Events...), page.Next
	}
}

// requireDense requires that positions count from 1 without a gap.
func (h history) requireDense(t testing.TB, agreement string) {
	t.Helper()
	for i, e := range h.events {
		require.Truef(t, strings.HasSuffix(e.Position, fmt.Sprintf("%s.%d", agreement, i+1)), "event %d has the position %s", i+1, e.Position)
	}
}

// versionIn is that of the milestone in an answer.
func versionIn(t testing.TB, a answer) uint64 {
	t.Helper()
	var m struct{ Version uint64 }
	a.decode(t, &m)
	require.NotZero(t, m.Version)
	return m.Version
}

// eventually asks until the answer is as wanted and returns how long that took.
func eventually(t testing.TB, within time.Duration, what string, ask func() bool) time.Duration {
	t.Helper()
	begun := time.Now()
	for !ask() {
		require.Lessf(t, time.Since(begun), within, "waited for %s", what)
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(begun)
}

// TestNodes shows that it does not matter which of two nodes one talks to.
func TestNodes(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	ns := startNodes(t, 2, server.URL())
	w := arrangeAgreements(ns.at(0), 4)
	readElsewhere(t, ns, w)
	revokeElsewhere(t, ns)
	repeatElsewhere(t, ns, w)
	askElsewhere(t, ns, w)
	streamElsewhere(t, ns, w)
	ns.stop()
}

// readElsewhere: a position from a write's answer, or the wish for the latest state, is good on the
// other node.
func readElsewhere(t *testing.T, ns *fleet, w world) {
	const rounds = 200
	var worst time.Duration
	for i := range rounds {
		agreement := w.agreements[i/2%len(w.agreements)]
		wrote, err := ns.at(i).comment(t.Context(), w, agreement, fmt.Sprintf("round %d", i))
		require.NoError(t, err)
		require.Equalf(t, 200, wrote.status, "%s", wrote.body)
		position := "latest"
		if i%4 > 0 {
			position = wrote.header.Get("Tandem-Position")
		}
		begun := time.Now()
		read := ns.at(i+1).do(200, w.nokia, "GET", w.milestone(agreement), "", "Tandem-Min-Position", position)
		worst = max(worst, time.Since(begun))
		require.Equalf(t, versionIn(t, wrote), versionIn(t, read), "round %d, position %s", i, position)
		require.JSONEq(t, string(wrote.body), strings.ReplaceAll(string(read.body), ns.at(i+1).url, ns.at(i).url))
	}
	t.Logf("%d writes on one node read on the other: none missed, the longest read took %v", rounds, worst.Round(time.Millisecond))
}

// revokeElsewhere: a revoked token is refused within two seconds on the node that was not asked to.
func revokeElsewhere(t *testing.T, ns *fleet) {
	var worst time.Duration
	for i := range 5 {
		here, there := ns.at(i), ns.at(i+1)
		made := here.do(201, operatorSecret, "POST", "/v1/partners/nokia/tokens", fmt.Sprintf(`{"name":"short-lived-%d","role":"viewer"}`, i))
		token := made.field(t, "token")
		eventually(t, time.Second, "the token to be good elsewhere", func() bool {
			a, err := there.try(t.Context(), token, "GET", "/v1/me", "")
			return err == nil && a.status == 200
		})
		here.do(204, operatorSecret, "DELETE", "/v1/partners/nokia/tokens/"+made.field(t, "id"), "")
		here.do(401, token, "GET", "/v1/me", "")
		worst = max(worst, eventually(t, 2*time.Second, "the token to be refused elsewhere", func() bool {
			a, err := there.try(t.Context(), token, "GET", "/v1/me", "")
			return err == nil && a.status == 401
		}))
	}
	t.Logf("revoked tokens were refused by the other node after %v at most", worst.Round(time.Millisecond))
}

// repeatElsewhere: a key that one node has taken gives the first answer on the other, and is refused
// for another request.
func repeatElsewhere(t *testing.T, ns *fleet, w world) {
	for i := range 20 {
		agreement, key := w.agreements[i%len(w.agreements)], fmt.Sprintf("key-%d", i)
		first, err := ns.at(i).comment(t.Context(), w, agreement, key, "Idempotency-Key", key)
		require.NoError(t, err)
		require.Equalf(t, 200, first.status, "%s", first.body)
		for try := range 2 {
			again, err := ns.at(i+1).comment(t.Context(), w, agreement, key, "Idempotency-Key", key)
			require.NoError(t, err)
			require.Equal(t, first.status, again.status)
			require.Equal(t, string(first.body), strings.ReplaceAll(string(again.body), ns.at(i+1).url, ns.at(i).url))
			if try > 0 { // in the first one the node may learn of the commit, and take it for this attempt's
				require.Equal(t, "true", again.header.Get("Idempotency-Replayed"))
			}
		}
		other, err := ns.at(i+1).comment(t.Context(), w, agreement, "another text", "Idempotency-Key", key)
		require.NoError(t, err)
		require.Equalf(t, 422, other.status, "%s", other.body)
	}
}

// askElsewhere: a command that nobody waited for ends as done on both nodes.
func askElsewhere(t *testing.T, ns *fleet, w world) {
	for i := range 10 {
		sent, err := ns.at(i).comment(t.Context(), w, w.agreements[i%len(w.agreements)], "later", "Prefer", "respond-async")
		require.NoError(t, err)
		require.Equalf(t, 202, sent.status, "%s", sent.body)
		require.Equal(t, "respond-async", sent.header.Get("Preference-Applied"))
		location := sent.header.Get("Location")
		require.True(t, strings.HasPrefix(location, "/v1/commands/"), location)
		for n := range 2 {
			eventually(t, 5*time.Second, "the command to be done", func() bool {
				a, err := ns.at(n).try(t.Context(), w.nokia, "GET", location, "")
				require.NoError(t, err)
				return a.status == 200 && a.field(t, "state") == "done"
			})
		}
		ns.at(i+1).do(404, w.xiaomi, "GET", location, "") // it is not its business
	}
}

// streamElsewhere: an event stream of one node tells what the other one wrote, in order.
func streamElsewhere(t *testing.T, ns *fleet, w world) {
	const comments = 50
	agreement := w.agreements[0]
	told, err := ns.at(1).stream(t.Context(), w.xiaomi, agreement, ns.at(1).do(200, w.xiaomi, "GET", "/v1/agreements/"+agreement, "").header.Get("Tandem-Position"))
	require.NoError(t, err)
	var worst time.Duration
	for i := range comments {
		text := fmt.Sprintf("streamed %d", i)
		wrote, err := ns.at(0).comment(t.Context(), w, agreement, text)
		require.NoError(t, err)
		require.Equal(t, 200, wrote.status)
		begun := time.Now()
		s, open := <-told
		require.True(t, open)
		worst = max(worst, time.Since(begun))
		var e event
		require.NoError(t, json.Unmarshal([]byte(s.data), &e))
		require.Equal(t, event{e.ID, s.position, s.kind, struct{ Text string }{text}}, e)
	}
	t.Logf("%d comments on one node seen in the other's stream, at most %v after the answer", comments, worst.Round(time.Millisecond))
}

// streamed is an event of a stream of server-sent events.
type streamed struct{ position, kind, data string }

// stream follows an agreement's feed after a position until ctx ends; the channel is closed when the
// stream is.
func (p *program) stream(ctx context.Context, token, agreement, after string) (<-chan streamed, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/v1/agreements/"+agreement+"/events", nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Last-Event-ID", after)
	response, err := streams.Do(r)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		return nil, fmt.Errorf("the stream was refused: %s", response.Status)
	}
	told := make(chan streamed)
	go func() {
		defer close(told)
		defer response.Body.Close()
		lines := bufio.NewScanner(response.Body)
		for lines.Buffer(nil, 1<<20); ; {
			e, ok := readEvent(lines)
			if !ok {
				return
			}
			select {
			case told <- e:
			case <-ctx.Done():
				return
			}
		}
	}()
	return told, nil
}

// streams has no time limit.
var streams = new(http.Client)

// readEvent reads the next server-sent event, past comments.
func readEvent(lines *bufio.Scanner) (e streamed, ok bool) {
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch {
		case name == "id":
			e.position = value
		case name == "event":
			e.kind = value
		case name == "data":
			e.data = value
		case name == "" && value == "" && e.position != "":
			return e, true
		}
	}
	return e, false
}
