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

	"tandem/eventlog/eventlogtest"
	"tandem/eventlog/redis/redistest"
)

// fleet is the nodes of an installation: real programs on one log, each with its own data directory.
type fleet struct {
	t    testing.TB
	args []string
	data []string
	live []atomic.Pointer[program] // the latest process of each node; it may have ended
}

const nodesKey = "TANDEM_KEY=5bb5a2d0d7b1c7a0a3a9d2f0c4a6f9d8e1f2a3b4c5d6e7f8091a2b3c4d5e6f70"

// startNodes starts nodes on the log at a URL, one after the other, with additional arguments.
func startNodes(t testing.TB, n int, log string, args ...string) *fleet {
	t.Helper()
	nodes := &fleet{
		t: t, args: append([]string{"serve", "--redis", log}, args...),
		data: make([]string, n), live: make([]atomic.Pointer[program], n),
	}
	t.Cleanup(nodes.logTails)
	for i := range n {
		nodes.data[i] = t.TempDir()
		nodes.start(i)
	}
	return nodes
}

// start starts a stopped node on its own data.
func (ns *fleet) start(i int) *program {
	ns.t.Helper()
	program := startWith(ns.t, []string{nodesKey}, ns.data[i], ns.args...)
	ns.live[i].Store(program)
	return program
}

// at returns node i modulo the number of nodes.
func (ns *fleet) at(i int) *program { return ns.live[i%len(ns.live)].Load() }

func (ns *fleet) stop() {
	ns.t.Helper()
	for i := range ns.live {
		ns.at(i).stop()
	}
}

// logTails logs the last lines of every node if the test has failed.
func (ns *fleet) logTails() {
	if !ns.t.Failed() {
		return
	}
	for i := range ns.live {
		if program := ns.at(i); program != nil {
			lines := strings.Split(strings.TrimSpace(program.stderr.String()), "\n")
			ns.t.Logf("the last lines of node %d:\n%s", i, strings.Join(lines[max(0, len(lines)-20):], "\n"))
		}
	}
}

// comment comments on an agreement's milestone.
func (p *program) comment(ctx context.Context, world world, agreement, text string, header ...string) (answer, error) {
	return p.try(ctx, world.nokia, "POST", world.milestone(agreement)+"/comment",
		fmt.Sprintf(`{"text":%q,"audience":"shared"}`, text), header...)
}

// event is an event of a feed, with the members that tests compare.
type event struct {
	ID       string
	Position string
	Type     string
	Data     struct{ Text string }
}

// history is an agreement's feed: its events, and the bytes of its pages.
type history struct {
	raw    []byte
	events []event
}

// patiently reads until the node answers 200. After a fault it may answer 503 for a moment.
func (p *program) patiently(token, path string, header ...string) answer {
	p.t.Helper()
	for begun := time.Now(); ; time.Sleep(retryPause) {
		answer, err := p.try(p.t.Context(), token, "GET", path, "", header...)
		require.NoError(p.t, err)
		if answer.status == 200 {
			return answer
		}
		require.Equalf(p.t, 503, answer.status, "%s", answer.body)
		require.Less(p.t, time.Since(begun), recoveryLimit, "%s", answer.body)
	}
}

// history reads an agreement's whole feed, as of the latest position.
func (p *program) history(world world, agreement string) (feed history) {
	p.t.Helper()
	for after := ""; ; {
		answer := p.patiently(world.xiaomi, "/v1/agreements/"+agreement+"/events?limit=200&after="+url.QueryEscape(after), "Tandem-Min-Position", "latest")
		var page struct {
			Events []event
			Next   string `json:"next_cursor"`
		}
		answer.decode(p.t, &page)
		if len(page.Events) == 0 {
			return feed
		}
		feed.raw, feed.events, after = append(feed.raw, answer.body...), append(feed.events, page.Events...), page.Next
	}
}

// requireDense requires that positions count from 1 without gaps.
func (h history) requireDense(t testing.TB, agreement string) {
	t.Helper()
	for i, event := range h.events {
		require.Truef(t, strings.HasSuffix(event.Position, fmt.Sprintf("%s.%d", agreement, i+1)), "event %d has the position %s", i+1, event.Position)
	}
}

// versionIn returns the version of the milestone in an answer.
func versionIn(t testing.TB, answer answer) uint64 {
	t.Helper()
	var milestone struct{ Version uint64 }
	answer.decode(t, &milestone)
	require.NotZero(t, milestone.Version)
	return milestone.Version
}

// eventually asks until the answer is as wanted and returns how long that took.
func eventually(t testing.TB, within time.Duration, what string, ask func() bool) time.Duration {
	t.Helper()
	if !eventlogtest.AllRounds() { // a limit that is a promise depends on the machine
		within = max(within, recoveryLimit)
	}
	begun := time.Now()
	for !ask() {
		require.Lessf(t, time.Since(begun), within, "waited for %s", what)
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(begun)
}

// TestNodes: clients can switch between two nodes at any time.
func TestNodes(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	nodes := startNodes(t, 2, server.URL())
	world := arrangeAgreements(nodes.at(0), 4)
	readElsewhere(t, nodes, world)
	revokeElsewhere(t, nodes)
	repeatElsewhere(t, nodes, world)
	askElsewhere(t, nodes, world)
	streamElsewhere(t, nodes, world)
	nodes.stop()
}

// readElsewhere: a read on the other node honours the position of a write, and "latest".
func readElsewhere(t *testing.T, nodes *fleet, world world) {
	const rounds = 200
	var worst time.Duration
	for i := range rounds {
		agreement := world.agreements[i/2%len(world.agreements)]
		wrote, err := nodes.at(i).comment(t.Context(), world, agreement, fmt.Sprintf("round %d", i))
		require.NoError(t, err)
		require.Equalf(t, 200, wrote.status, "%s", wrote.body)
		position := "latest"
		if i%4 > 0 {
			position = wrote.header.Get("Tandem-Position")
		}
		begun := time.Now()
		read := nodes.at(i+1).do(200, world.nokia, "GET", world.milestone(agreement), "", "Tandem-Min-Position", position)
		worst = max(worst, time.Since(begun))
		require.Equalf(t, versionIn(t, wrote), versionIn(t, read), "round %d, position %s", i, position)
		require.JSONEq(t, string(wrote.body), strings.ReplaceAll(string(read.body), nodes.at(i+1).url, nodes.at(i).url))
	}
	t.Logf("%d writes on one node read on the other: none missed, the longest read took %v", rounds, worst.Round(time.Millisecond))
}

// revokeElsewhere: a revoked token is refused within two seconds on the node that was not asked to.
func revokeElsewhere(t *testing.T, nodes *fleet) {
	var worst time.Duration
	for i := range 5 {
		here, there := nodes.at(i), nodes.at(i+1)
		made := here.do(201, operatorSecret, "POST", "/v1/partners/nokia/tokens", fmt.Sprintf(`{"name":"short-lived-%d","role":"viewer"}`, i))
		token := made.field(t, "token")
		eventually(t, time.Second, "the token to be good elsewhere", func() bool {
			answer, err := there.try(t.Context(), token, "GET", "/v1/me", "")
			return err == nil && answer.status == 200
		})
		here.do(204, operatorSecret, "DELETE", "/v1/partners/nokia/tokens/"+made.field(t, "id"), "")
		here.do(401, token, "GET", "/v1/me", "")
		worst = max(worst, eventually(t, 2*time.Second, "the token to be refused elsewhere", func() bool {
			answer, err := there.try(t.Context(), token, "GET", "/v1/me", "")
			return err == nil && answer.status == 401
		}))
	}
	t.Logf("revoked tokens were refused by the other node after %v at most", worst.Round(time.Millisecond))
}

// repeatElsewhere: a key that was used on one node gets the first answer on the other, and a different request
// with it is refused.
func repeatElsewhere(t *testing.T, nodes *fleet, world world) {
	for i := range 20 {
		agreement, key := world.agreements[i%len(world.agreements)], fmt.Sprintf("key-%d", i)
		first, err := nodes.at(i).comment(t.Context(), world, agreement, key, "Idempotency-Key", key)
		require.NoError(t, err)
		require.Equalf(t, 200, first.status, "%s", first.body)
		for try := range 2 {
			again, err := nodes.at(i+1).comment(t.Context(), world, agreement, key, "Idempotency-Key", key)
			require.NoError(t, err)
			require.Equal(t, first.status, again.status)
			require.Equal(t, string(first.body), strings.ReplaceAll(string(again.body), nodes.at(i+1).url, nodes.at(i).url))
			if try > 0 { // the first repeat may wait for the original commit, and get its answer as a first one
				require.Equal(t, "true", again.header.Get("Idempotency-Replayed"))
			}
		}
		other, err := nodes.at(i+1).comment(t.Context(), world, agreement, "another text", "Idempotency-Key", key)
		require.NoError(t, err)
		require.Equalf(t, 422, other.status, "%s", other.body)
	}
}

// askElsewhere: both nodes report a command that was sent with respond-async as done.
func askElsewhere(t *testing.T, nodes *fleet, world world) {
	for i := range 10 {
		sent, err := nodes.at(i).comment(t.Context(), world, world.agreements[i%len(world.agreements)], "later", "Prefer", "respond-async")
		require.NoError(t, err)
		require.Equalf(t, 202, sent.status, "%s", sent.body)
		require.Equal(t, "respond-async", sent.header.Get("Preference-Applied"))
		location := sent.header.Get("Location")
		require.True(t, strings.HasPrefix(location, "/v1/commands/"), location)
		for n := range 2 {
			eventually(t, 5*time.Second, "the command to be done", func() bool {
				answer, err := nodes.at(n).try(t.Context(), world.nokia, "GET", location, "")
				require.NoError(t, err)
				return answer.status == 200 && answer.field(t, "state") == "done"
			})
		}
		nodes.at(i+1).do(404, world.xiaomi, "GET", location, "") // commands of other members are invisible
	}
}

// streamElsewhere: an event stream of one node has the events that were written on the other, in order.
func streamElsewhere(t *testing.T, nodes *fleet, world world) {
	const comments = 50
	agreement := world.agreements[0]
	told, err := nodes.at(1).stream(t.Context(), world.xiaomi, agreement, nodes.at(1).do(200, world.xiaomi, "GET", "/v1/agreements/"+agreement, "").header.Get("Tandem-Position"))
	require.NoError(t, err)
	var worst time.Duration
	for i := range comments {
		text := fmt.Sprintf("streamed %d", i)
		wrote, err := nodes.at(0).comment(t.Context(), world, agreement, text)
		require.NoError(t, err)
		require.Equal(t, 200, wrote.status)
		begun := time.Now()
		received, open := <-told
		require.True(t, open)
		worst = max(worst, time.Since(begun))
		var e event
		require.NoError(t, json.Unmarshal([]byte(received.data), &e))
		require.Equal(t, event{e.ID, received.position, received.kind, struct{ Text string }{text}}, e)
	}
	t.Logf("%d comments on one node seen in the other's stream, at most %v after the answer", comments, worst.Round(time.Millisecond))
}

// streamEvent is a server-sent event.
type streamEvent struct{ position, kind, data string }

// stream follows an agreement's feed after a position until ctx ends. The channel is closed with the stream.
func (p *program) stream(ctx context.Context, token, agreement, after string) (<-chan streamEvent, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/v1/agreements/"+agreement+"/events", nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Accept", "text/event-stream")
	request.Header.Set("Last-Event-ID", after)
	response, err := streams.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		return nil, fmt.Errorf("the stream was refused: %s", response.Status)
	}
	told := make(chan streamEvent)
	go func() {
		defer close(told)
		defer response.Body.Close()
		lines := bufio.NewScanner(response.Body)
		for lines.Buffer(nil, 1<<20); ; {
			received, ok := readEvent(lines)
			if !ok {
				return
			}
			select {
			case told <- received:
			case <-ctx.Done():
				return
			}
		}
	}()
	return told, nil
}

// streams is a client without a time limit.
var streams = new(http.Client)

// readEvent reads the next server-sent event and skips comments.
func readEvent(lines *bufio.Scanner) (received streamEvent, ok bool) {
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch {
		case name == "id":
			received.position = value
		case name == "event":
			received.kind = value
		case name == "data":
			received.data = value
		case name == "" && value == "" && received.position != "":
			return received, true
		}
	}
	return received, false
}
