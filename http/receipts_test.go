package http

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/api"
	"tandem/bus"
	"tandem/domain"
	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
	"tandem/projections"
)

// silentBus accepts every command and returns outcomes only through Lookup, except that names are reserved at once.
type silentBus struct {
	last     eventlog.CommandID
	outcomes map[eventlog.CommandID]bus.Result
	failure  error
}

func (b *silentBus) Do(_ context.Context, request bus.Request) (bus.Result, error) {
	if _, reserves := request.Command.(domain.ReserveName); reserves {
		return bus.Result{}, nil
	}
	b.last = request.ID
	return bus.Result{}, b.failure
}

func (b *silentBus) Lookup(id eventlog.CommandID) (bus.Result, bool) {
	r, ok := b.outcomes[id]
	return r, ok
}

// edge is a Server on an empty read model and a silent bus.
type edge struct {
	t   *testing.T
	api *Server
	bus *silentBus
	now time.Time
}

const edgeToken = "the-operator-of-the-edge"

func newEdge(t *testing.T, change ...func(*Config)) *edge {
	t.Helper()
	e := &edge{t: t, bus: &silentBus{
		outcomes: make(map[eventlog.CommandID]bus.Result), failure: fmt.Errorf("%w: %w", bus.ErrOutcomeUnknown, bus.ErrPending),
	}, now: time.Date(2017, 9, 4, 8, 0, 0, 0, time.UTC)}
	now := func() time.Time { return e.now }
	image, err := projections.New(projections.Config{Log: eventlogtest.NewMemory(), Now: now, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	cfg := Config{
		Commands: e.bus, ReadModel: image, InstallationKey: bytes.Repeat([]byte("key!"), 8), Now: now, DurableQueue: true,
		OperatorTokenHash: sha256.Sum256([]byte(edgeToken)),
	}
	for _, c := range change {
		c(&cfg)
	}
	e.api, err = New(cfg)
	require.NoError(t, err)
	return e
}

func (e *edge) do(handler http.Handler, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(e.t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+edgeToken)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w
}

func (e *edge) get(path string) *httptest.ResponseRecorder {
	return e.do(e.api.Handler(), http.MethodGet, path, "")
}

// send sends a command and returns the path of its state.
func (e *edge) send() (location string) {
	e.t.Helper()
	w := e.do(e.api.Handler(), http.MethodPost, "/v1/partners", `{"id":"nokia","name":"Nokia","country":"FI","time_zone":"Europe/Helsinki"}`)
	require.Equal(e.t, http.StatusAccepted, w.Code, w.Body)
	return w.Header().Get("Location")
}

func (e *edge) command(location string) api.Command {
	e.t.Helper()
	w := e.get(location)
	require.Equal(e.t, http.StatusOK, w.Code, w.Body)
	var c api.Command
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
	e.now = e.now.Add(pendingFor + time.Second)
	w := e.get(location)
	require.Equal(t, http.StatusGone, w.Code)
	require.Contains(t, w.Body.String(), `"command_forgotten"`)
}

// TestCommandOnAnotherNode reads a command's state from a node that did not receive it and has the same key.
func TestCommandOnAnotherNode(t *testing.T) {
	e, other := newEdge(t), newEdge(t)
	location := e.send()
	require.Equal(t, "pending", other.command(location).State)
	other.bus.outcomes[e.bus.last] = bus.Result{}
	require.Equal(t, "/v1/partners/nokia", *other.command(location).Resource)
}

// TestAcceptedRequiresDurableCommand checks that 202 requires a command that is durable in its queue.
func TestAcceptedRequiresDurableCommand(t *testing.T) {
	e := newEdge(t)
	e.bus.failure = fmt.Errorf("%w: the connection broke", bus.ErrOutcomeUnknown)
	w := e.do(e.api.Handler(), http.MethodPost, "/v1/partners", `{"id":"nokia","name":"Nokia","country":"FI","time_zone":"Europe/Helsinki"}`)
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Contains(t, w.Body.String(), `"outcome_unknown"`)
	require.Equal(t, "pending", e.command(w.Header().Get("Location")).State)
}

func TestCommandNeedsTheReceipt(t *testing.T) {
	e := newEdge(t)
	location := e.send()
	id := strings.TrimPrefix(location, "/v1/commands/")
	foreign := e.api.derive.sealTicket(domain.Actor{Partner: "nokia", Member: "m", Role: domain.Manager}, ticket{id: e.bus.last, path: "/v1/partners/nokia"})
	for name, wrong := range map[string]string{
		"cut": id[:32], "another's": foreign, "another command": "A" + "B" + id[2:], "upper case": strings.ToUpper(id), "more": id + "00",
		"no id": "nonsense", "nothing but a proof": id[len(id)-16:], "padded": id + "=",
	} {
		w := e.get("/v1/commands/" + wrong)
		require.Equal(t, http.StatusNotFound, w.Code, name)
		require.Contains(t, w.Body.String(), `"not_found"`, name)
	}
}
