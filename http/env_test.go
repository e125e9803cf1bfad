package http

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bus"
	"tandem/domain"
	"tandem/eventlog"
	"tandem/http/listener"
	"tandem/projections"
	"tandem/renames"
	"tandem/webhooks"
)

const operatorSecret = "the-operator-token-of-the-tests"

// env is a node with a log of its own, and the tokens of its callers.
type env struct {
	*node
	t       testing.TB
	dir     string
	store   store
	clock   *clock
	tokens  map[string]string // by who holds them
	history attempts
}

// attempts is an AttemptHistory with fixed contents.
type attempts struct {
	mu sync.Mutex
	by map[domain.WebhookRef][]webhooks.Attempt

	standing webhooks.DeliveryStatus
}

func (a *attempts) Status(context.Context, *domain.Webhook) (webhooks.DeliveryStatus, error) {
	return a.standing, nil
}

func (a *attempts) add(ref domain.WebhookRef, attempt webhooks.Attempt) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.by == nil {
		a.by = map[domain.WebhookRef][]webhooks.Attempt{}
	}
	a.by[ref] = append(a.by[ref], attempt)
}

func (a *attempts) Attempts(_ context.Context, ref domain.WebhookRef) ([]webhooks.Attempt, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.by[ref]), nil
}

// clock is a clock that moves only when a test moves it.
type clock struct{ at atomic.Int64 }

func (c *clock) Now() time.Time { return time.UnixMicro(c.at.Load()).UTC() }

func (c *clock) advance(d time.Duration) { c.at.Add(d.Microseconds()) }

// outcomeLoser passes commands on. On request it loses the outcome: the caller gets no result and its deadline does
// not reach the command.
type outcomeLoser struct {
	*bus.Bus
	lose atomic.Bool
}

func (l *outcomeLoser) Do(ctx context.Context, request bus.Request) (bus.Result, error) {
	if !l.lose.Load() {
		return l.Bus.Do(ctx, request)
	}
	if _, err := l.Bus.Do(context.WithoutCancel(ctx), request); err != nil {
		return bus.Result{}, err
	}
	return bus.Result{}, fmt.Errorf("%w: %w", bus.ErrOutcomeUnknown, bus.ErrPending)
}

// operations joins log and bus to Operations, as the program does.
type operations struct {
	eventlog.Log
	*outcomeLoser
}

func (o operations) Health() error { return o.Log.Health() }

// node is one run of a node.
type node struct {
	log      eventlog.Log
	commands *outcomeLoser
	image    *projections.ReadModel
	renames  *renames.Recorder
	api      *Server
	server   *httptest.Server
	client   *http.Client
	stops    []func()
}

// newEnv starts a node on an empty log. It ends with the test.
func newEnv(t testing.TB, change ...func(*Config)) *env {
	t.Helper()
	e := unstartedEnv(t)
	e.start(change...)
	return e
}

// unstartedEnv returns a node that does not run yet, on an empty log. It ends with the test.
func unstartedEnv(t testing.TB) *env {
	t.Helper()
	e := &env{node: &node{}, t: t, dir: t.TempDir(), clock: &clock{}, tokens: map[string]string{
		"operator": operatorSecret, "nobody": "", "stranger": "tdm_nobody-ever-issued-this",
	}}
	e.clock.at.Store(time.Date(2017, 9, 4, 8, 0, 0, 0, time.UTC).UnixMicro())
	e.store = newStore(e)
	t.Cleanup(func() { e.stop() })
	return e
}

func (e *env) start(change ...func(*Config)) {
	e.t.Helper()
	n := &node{}
	e.node = n
	log := e.store.open()
	n.log = log
	n.stops = append(n.stops, func() { require.NoError(e.t, log.Close()) })
	var err error
	n.image, err = projections.New(projections.Config{
		Log: log, Dir: e.dir, BaseURL: "http://tandem.test", Now: e.clock.Now, Logger: slog.New(slog.DiscardHandler),
		Applied: func(entries []eventlog.Entry) {
			n.commands.Applied(entries)
			n.renames.Applied(entries)
		},
	})
	require.NoError(e.t, err)
	b, err := bus.New(bus.Config{Log: log, ReadModel: n.image, Now: e.clock.Now})
	require.NoError(e.t, err)
	n.commands = &outcomeLoser{Bus: b}
	n.renames = renames.New(renames.Config{ReadModel: n.image, Bus: b, Now: e.clock.Now, Logger: slog.New(slog.DiscardHandler)})
	e.work(n.image.Run)
	e.work(b.Run)
	<-n.image.Live()
	if n.image.OpenLosses() == nil { // a partition with an open loss has no owner
		<-b.Ready()
	}
	e.serve(change...)
}

// recordRenames starts the recorder of renames, whose events would disturb tests that do not wait for them.
func (e *env) recordRenames() { e.work(e.renames.Run) }

// work runs a component of the node until the node stops.
func (e *env) work(run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	e.stops = append(e.stops, func() {
		cancel()
		if err := <-ended; !errors.Is(err, projections.ErrEpoch) {
			require.NoError(e.t, err)
		}
	})
}

func (e *env) serve(change ...func(*Config)) {
	cfg := Config{
		Commands: e.commands, ReadModel: e.image, InstallationKey: bytes.Repeat([]byte("key!"), 8),
		OperatorTokenHash: sha256.Sum256([]byte(operatorSecret)), Now: e.clock.Now,
		Operations: operations{e.log, e.commands}, Attempts: &e.history,
	}
	for _, c := range change {
		c(&cfg)
	}
	var err error
	e.api, err = New(cfg)
	require.NoError(e.t, err)
	e.server = httptest.NewUnstartedServer(nil)
	e.server.Config = listener.NewServer(e.api.Handler())
	e.server.Start()
	e.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}}
	e.stops = append(e.stops, func() {
		e.api.Drain()
		e.client.CloseIdleConnections()
		e.server.Close()
	})
}

// stop ends the node, last part first.
func (n *node) stop() {
	for len(n.stops) > 0 {
		last := len(n.stops) - 1
		n.stops[last]()
		n.stops = n.stops[:last]
	}
}

// restart ends the node and starts another one on the same log.
func (e *env) restart() {
	e.t.Helper()
	e.stop()
	e.start()
}

// caller speaks to the node with one token and some headers.
type caller struct {
	e      *env
	who    string
	token  string
	header http.Header
}

// As speaks with the token that the name holds.
func (e *env) As(who string) caller {
	e.t.Helper()
	token, known := e.tokens[who]
	require.True(e.t, known, "nobody is called %s", who)
	return caller{e, who, token, http.Header{}}
}

// With adds a header.
func (c caller) With(name, value string) caller {
	c.header = c.header.Clone()
	c.header.Set(name, value)
	return c
}

// Key adds an Idempotency-Key.
func (c caller) Key(key string) caller { return c.With("Idempotency-Key", key) }

func (c caller) GET(path string) *answer { c.e.t.Helper(); return c.do(http.MethodGet, path, nil) }

func (c caller) POST(path string, body any) *answer {
	c.e.t.Helper()
	return c.do(http.MethodPost, path, body)
}

func (c caller) PATCH(path string, body any) *answer {
	c.e.t.Helper()
	return c.do(http.MethodPatch, path, body)
}

func (c caller) DELETE(path string) *answer {
	c.e.t.Helper()
	return c.do(http.MethodDelete, path, nil)
}

// object is a JSON object.
type object = map[string]any

// bytesOf returns a body's bytes: text as it is, anything else as JSON.
func bytesOf(t testing.TB, body any) []byte {
	t.Helper()
	switch b := body.(type) {
	case nil:
		return nil
	case string:
		return []byte(b)
	case []byte:
		return b
	}
	data, err := json.Marshal(body)
	require.NoError(t, err)
	return data
}

// request builds a request; the body is JSON unless a header states otherwise.
func (c caller) request(ctx context.Context, method, path string, body []byte) *http.Request {
	c.e.t.Helper()
	var content io.Reader
	if body != nil {
		content = bytes.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.e.server.URL+path, content)
	require.NoError(c.e.t, err)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	for name, values := range c.header {
		r.Header[name] = values
	}
	return r
}

// signer returns the caller with a token of a member that may sign, if it is a partner. The first time it creates the
// member and issues its token with a confirmed one.
func (c caller) signer() caller {
	c.e.t.Helper()
	name := c.who + "-signer"
	if _, known := c.e.tokens[name]; !known {
		directory := "/v1/partners/" + c.who
		if c.e.As(c.who).GET(directory).status != http.StatusOK || c.who == "operator" {
			return c // not a partner
		}
		office := c.who + "-office" // so that the first token stays unconfirmed
		c.e.tokens[office] = c.e.As("operator").Key(office).POST(directory+"/tokens", object{"id": office, "name": office, "role": "manager"}).Want(201).text("token")
		c.e.As(office).POST(directory+"/tokens/"+office+"/confirm", nil).Want(200)
		member := c.e.As(office).Key("signer").POST(directory+"/members", object{
			"name": "Signer of " + c.who, "email": "signer@" + c.who + ".example", "role": "manager", "may_sign": true,
		}).Want(201).text("id")
		c.e.tokens[name] = c.e.As(office).Key("signer-token").POST(directory+"/tokens", object{"id": name, "name": name, "role": "manager", "member": member}).Want(201).text("token")
	}
	c.token = c.e.tokens[name]
	return c
}

// do sends a request. Partners sign and terminate with the token of a member that may.
func (c caller) do(method, path string, body any) *answer {
	t := c.e.t
	t.Helper()
	if signs := strings.HasSuffix(path, "/sign") || strings.HasSuffix(path, "/terminate"); signs && method == http.MethodPost && !strings.Contains(c.who, "-") {
		c = c.signer()
	}
	sent := bytesOf(t, body)
	r := c.request(t.Context(), method, path, sent)
	resp, err := c.e.client.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	a := &answer{t: t, who: c.who, method: method, path: path, sent: sent, status: resp.StatusCode, header: resp.Header}
	a.body, err = io.ReadAll(resp.Body)
	require.NoError(t, err)
	a.check()
	return a
}

// answer is a response.
type answer struct {
	t                 testing.TB
	who, method, path string
	sent              []byte
	status            int
	header            http.Header
	body              []byte
}

func (a *answer) String() string {
	return a.who + ": " + a.method + " " + a.path + " " + string(a.sent[:min(len(a.sent), 500)]) + "\n" + string(a.body)
}

// Want requires a status.
func (a *answer) Want(status int) *answer {
	a.t.Helper()
	require.Equal(a.t, status, a.status, a)
	return a
}

// Refused requires a problem with a status and a code.
func (a *answer) Refused(status int, code string) *answer {
	a.t.Helper()
	a.Want(status)
	require.Equal(a.t, code, a.get("code"), a)
	return a
}

// Names requires the problem to name exactly these fields.
func (a *answer) Names(fields ...string) *answer {
	a.t.Helper()
	var named []string
	for _, e := range a.list("errors") {
		named = append(named, e["field"].(string))
	}
	require.ElementsMatch(a.t, fields, named, a)
	return a
}

func (a *answer) into(v any) {
	a.t.Helper()
	require.NoError(a.t, json.Unmarshal(a.body, v), a)
}

// get returns a value of the body by the names on the way to it: acceptance.round.
func (a *answer) get(path string) any {
	a.t.Helper()
	var v any
	a.into(&v)
	for name := range strings.SplitSeq(path, ".") {
		o, ok := v.(object)
		require.True(a.t, ok, "%s is not in %s", path, a)
		v, ok = o[name]
		require.True(a.t, ok, "%s is not in %s", path, a)
	}
	return v
}

func (a *answer) text(path string) string {
	a.t.Helper()
	text, ok := a.get(path).(string)
	require.True(a.t, ok, "%s is no text in %s", path, a)
	return text
}

// list returns a list of objects in the body.
func (a *answer) list(name string) []object {
	a.t.Helper()
	var out []object
	values, ok := a.get(name).([]any)
	require.True(a.t, ok, "%s is no list in %s", name, a)
	for _, v := range values {
		out = append(out, v.(object))
	}
	return out
}

func (a *answer) etag() string     { return a.header.Get("ETag") }
func (a *answer) position() string { return a.header.Get("Tandem-Position") }
func (a *answer) location() string { return a.header.Get("Location") }
