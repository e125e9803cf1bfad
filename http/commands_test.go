package http

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bus"
	"tandem/domain"
	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
	"tandem/projections"
)

// silentBus takes every command and never says how it ended, unless it is asked afterwards.
type silentBus struct {
	last     eventlog.CommandID
	outcomes map[eventlog.CommandID]bus.Result
}

func (b *silentBus) Do(_ context.Context, r bus.Request) (bus.Result, error) {
	b.last = r.ID
	return bus.Result{}, bus.ErrOutcomeUnknown
}

func (b *silentBus) Lookup(id eventlog.CommandID) (bus.Result, bool) {
	r, ok := b.outcomes[id]
	return r, ok
}

// edge is a Server alone, on an empty image and a silent bus.
type edge struct {
	t   *testing.T
	api *Server
	bus *silentBus
	now time.Time
}

const edgeToken = "the-operator-of-the-edge"

func newEdge(t *testing.T, change ...func(*Config)) *edge {
	t.Helper()
	e := &edge{t: t, bus: &silentBus{outcomes: make(map[eventlog.CommandID]bus.Result)}, now: time.Date(2017, 9, 4, 8, 0, 0, 0, time.UTC)}
	now := func() time.Time { return e.now }
	image, err := projections.New(projections.Config{Log: eventlogtest.NewMemory(), Now: now, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	cfg := Config{
		Commands: e.bus, Image: image, Key: bytes.Repeat([]byte("key!"), 8), Now: now, DurableInbox: true,
		OperatorTokenHash: sha256.Sum256([]byte(edgeToken)),
	}
	for _, c := range change {
		c(&cfg)
	}
	e.api, err = New(cfg)
	require.NoError(t, err)
	return e
}

func (e *edge) do(h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(e.t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+edgeToken)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func (e *edge) get(path string) *httptest.ResponseRecorder {
	return e.do(e.api.Handler(), http.MethodGet, path, "")
}

// send sends a command and returns where to ask for its outcome.
func (e *edge) send() (location string) {
	e.t.Helper()
	w := e.do(e.api.Handler(), http.MethodPost, "/v1/partners", `{"id":"nokia","name":"Nokia","country":"FI","time_zone":"Europe/Helsinki"}`)
	require.Equal(e.t, http.StatusAccepted, w.Code, w.Body)
	return w.Header().Get("Location")
}

func (e *edge) command(location string) Command {
	e.t.Helper()
	w := e.get(location)
	require.Equal(e.t, http.StatusOK, w.Code, w.Body)
	var c Command
	require.NoError(e.t, json.Unmarshal(w.Body.Bytes(), &c))
	require.Equal(e.t, location, "/v1/commands/"+c.ID)
	return c
}

func TestCommandIsPendingThenDone(t *testing.T) {
	e := newEdge(t)
	location := e.send()
	require.Equal(t, "pending", e.command(location).State)
	e.bus.outcomes[e.bus.last] = bus.Result{}
	done := e.command(location)
	require.Equal(t, "done", done.State)
	require.Equal(t, "/v1/partners/nokia", *done.Resource)
	require.Nil(t, done.Problem)
}

func TestCommandRejected(t *testing.T) {
	e := newEdge(t)
	location := e.send()
	e.bus.outcomes[e.bus.last] = bus.Result{Rejection: &domain.Error{Kind: domain.Conflict, Code: "partner_exists", Detail: "There is one."}}
	c := e.command(location)
	require.Equal(t, "rejected", c.State)
	require.Nil(t, c.Resource)
	require.Equal(t, "partner_exists", c.Problem.Code)
	require.Equal(t, http.StatusConflict, c.Problem.Status)
	require.Equal(t, e.get(location).Header()["Etag"], e.get(location).Header()["Etag"], "the same answer every time")
}

func TestCommandForgotten(t *testing.T) {
	e := newEdge(t)
	location := e.send()
	e.now = e.now.Add(sentFor + time.Second)
	w := e.get(location)
	require.Equal(t, http.StatusGone, w.Code)
	require.Contains(t, w.Body.String(), `"command_forgotten"`)
	other := newEdge(t) // another node with the same key, which did not take the command
	require.Equal(t, http.StatusGone, other.get(location).Code)
	other.bus.outcomes[e.bus.last] = bus.Result{}
	require.Nil(t, other.command(location).Resource)
}

func TestCommandNeedsTheReceipt(t *testing.T) {
	e := newEdge(t)
	location := e.send()
	id := strings.TrimPrefix(location, "/v1/commands/")
	foreign := e.api.keys.receipt(domain.Actor{Partner: "nokia", Member: "m", Role: domain.Manager}, e.bus.last)
	for name, wrong := range map[string]string{
		"no receipt": id[:32], "a wrong receipt": id[:32] + strings.Repeat("0", 16), "another's receipt": id[:32] + hex.EncodeToString(foreign),
		"another command": strings.Repeat("0", 32) + id[32:], "upper case": strings.ToUpper(id), "more": id + "00",
		"no id": "nonsense", "no hexadecimal": strings.Repeat("g", 48),
	} {
		w := e.get("/v1/commands/" + wrong)
		require.Equal(t, http.StatusNotFound, w.Code, name)
		require.Contains(t, w.Body.String(), `"not_found"`, name)
	}
}

func TestSentForgetsTheOldest(t *testing.T) {
	s := newSent()
	number := func(n int) (id eventlog.CommandID) {
		binary.BigEndian.PutUint64(id[:], uint64(n))
		return id
	}
	for n := range sentLimit + 2 {
		s.add(number(n), sentCommand{path: "/v1/me"})
		s.add(number(n), sentCommand{path: "/v1/me"}) // a repeat takes no second place
	}
	require.Len(t, s.known, sentLimit)
	for n, there := range map[int]bool{0: false, 1: false, 2: true, sentLimit + 1: true} {
		_, ok := s.get(number(n))
		require.Equal(t, there, ok, n)
	}
}
