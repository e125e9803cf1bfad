package webhooks

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"tandem/bus"
	"tandem/domain"
	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
	"tandem/projections"
)

// clock is moved by hand.
type clock struct {
	real    bool // it is the system's after all
	mu      sync.Mutex
	now     time.Time
	pending []alarm
	asked   chan struct{} // closed when somebody asks for an alarm
}

type alarm struct {
	at time.Time
	ch chan time.Time
}

func newClock() *clock {
	return &clock{now: time.Date(2018, 3, 1, 9, 0, 0, 0, time.UTC), asked: make(chan struct{})}
}

func (c *clock) Now() time.Time {
	if c.real {
		return time.Now()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) After(d time.Duration) <-chan time.Time {
	if c.real {
		return time.After(d)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	a := alarm{c.now.Add(d), make(chan time.Time, 1)}
	if d <= 0 {
		a.ch <- c.now
		return a.ch
	}
	c.pending = append(c.pending, a)
	close(c.asked)
	c.asked = make(chan struct{})
	return a.ch
}

// pass waits until somebody waits for a time between the two from now on, and lets it come.
func (c *clock) pass(t *testing.T, least, most time.Duration) {
	t.Helper()
	for {
		c.mu.Lock()
		for _, a := range c.pending {
			if d := a.at.Sub(c.now); d >= least && d <= most {
				c.advance(d)
				c.mu.Unlock()
				return
			}
		}
		asked, state := c.asked, fmt.Sprint(c.now, c.pending)
		c.mu.Unlock()
		select {
		case <-asked:
		case <-time.After(10 * time.Second):
			require.Fail(t, "nobody waits so long", "%s to %s: %s", least, most, state)
		}
	}
}

// advance lets time pass. The lock is held.
func (c *clock) advance(d time.Duration) {
	c.now = c.now.Add(d)
	var rest []alarm
	for _, a := range c.pending {
		if a.at.After(c.now) {
			rest = append(rest, a)
			continue
		}
		a.ch <- c.now
	}
	c.pending = rest
}

// world is a node with everything but HTTP.
type world struct {
	t       testing.TB
	log     eventlog.Log
	clock   *clock
	image   *projections.Image
	bus     *bus.Bus
	engine  *Engine
	keyring *Keyring
	stop    func()

	delivering *process // nil: not yet
	ending     bool     // the image ends by itself
}

var (
	operator = domain.Actor{Member: "operator", Role: domain.Operator}
	nokia    = domain.Actor{Partner: "nokia", Member: "pm", Role: domain.Manager}
	xiaomi   = domain.Actor{Partner: "xiaomi", Member: "pm", Role: domain.Manager}
	system   = domain.Actor{Member: "system", Role: domain.System}
)

func newWorld(t testing.TB, change ...func(*Config)) *world {
	w := openWorld(t, eventlogtest.NewMemory(), newClock(), change...)
	w.agree("a")
	return w
}

func openWorld(t testing.TB, log eventlog.Log, c *clock, change ...func(*Config)) *world {
	t.Helper()
	w := &world{t: t, log: log, clock: c}
	var err error
	w.image, err = projections.New(projections.Config{
		Log: log, BaseURL: "https://tandem.example", Now: c.Now, Logger: slog.New(slog.DiscardHandler),
		Applied: func(entries []eventlog.Entry) {
			w.bus.Applied(entries)
			w.engine.Applied(entries)
		},
	})
	require.NoError(t, err)
	w.bus, err = bus.New(bus.Config{Log: log, Image: w.image, Now: c.Now})
	require.NoError(t, err)
	w.keyring, err = NewKeyring(make([]byte, 32))
	require.NoError(t, err)
	cfg := Config{
		Log: log, Image: w.image, Owner: w.bus, Keyring: w.keyring, BaseURL: "https://tandem.example",
		Disable: func(ctx context.Context, ref domain.WebhookRef, reason string) error {
			_, err := w.bus.Do(ctx, w.request(system, domain.DisableWebhook{Partner: ref.Partner, Webhook: ref.Webhook, Reason: reason}))
			return err
		},
		Client: NewClient(loopback()), Now: c.Now, After: c.After, KeepEvery: 5 * time.Millisecond, AttemptTimeout: 400 * time.Millisecond,
	}
	for _, change := range change {
		change(&cfg)
	}
	w.engine, err = New(cfg)
	require.NoError(t, err)
	w.run()
	if !c.real {
		w.deliver()
	}
	return w
}

// run starts all but the deliveries.
func (w *world) run() {
	following := begin(w.image.Run)
	<-w.image.Live()
	routing := begin(w.bus.Run)
	<-w.bus.Ready()
	w.stop = sync.OnceFunc(func() {
		if w.delivering != nil {
			require.NoError(w.t, w.delivering.end())
		}
		require.NoError(w.t, routing.end())
		if err := following.end(); !w.ending {
			require.NoError(w.t, err)
		}
	})
	w.t.Cleanup(func() { w.stop() })
}

func (w *world) deliver() { w.delivering = begin(w.engine.Run) }

type process struct {
	cancel context.CancelFunc
	done   chan error
}

func begin(run func(context.Context) error) *process {
	ctx, cancel := context.WithCancel(context.Background())
	r := &process{cancel, make(chan error, 1)}
	go func() { r.done <- run(ctx) }()
	return r
}

func (r *process) end() error {
	r.cancel()
	return <-r.done
}

func (w *world) request(who domain.Actor, c domain.Command) bus.Request {
	return bus.Request{
		ID: eventlog.CommandID(uuid.Must(uuid.NewV7())), Command: c, Actor: who, Today: domain.DateOf(w.clock.Now()), RequestedAt: w.clock.Now(),
	}
}

func (w *world) do(who domain.Actor, c domain.Command) {
	w.t.Helper()
	result, err := w.bus.Do(context.Background(), w.request(who, c))
	require.NoError(w.t, err)
	require.Nil(w.t, result.Rejection)
}

// agree makes two partners with an agreement and a committed project p.
func (w *world) agree(id domain.AgreementID) {
	w.t.Helper()
	for _, p := range []struct {
		id         domain.PartnerID
		name, zone string
	}{{"nokia", "Nokia", "Europe/Helsinki"}, {"xiaomi", "Xiaomi", "Asia/Shanghai"}} {
		if len(w.image.ReadersOf("a")) == 0 {
			w.do(operator, domain.CreatePartner{ID: p.id, Profile: domain.PartnerProfile{Name: p.name, Country: "FI", TimeZone: p.zone}})
		}
	}
	w.do(operator, domain.DraftAgreement{ID: id, Terms: domain.Terms{
		Title: "Agreement " + string(id), Parties: []domain.PartnerID{"nokia", "xiaomi"}, EffectiveOn: 20180101, AcceptanceDays: 10,
	}})
	w.do(nokia, domain.SignAgreement{ID: id})
	w.do(xiaomi, domain.SignAgreement{ID: id})
	w.do(nokia, domain.CreateProject{
		Ref: domain.ProjectRef{Agreement: id, Project: "p"}, Title: "IP routing", Stage: domain.Committed,
		Lead: "nokia", Participants: []domain.PartnerID{"nokia", "xiaomi"},
	})
}

func ref(m string) domain.MilestoneRef {
	return domain.MilestoneRef{Agreement: "a", Project: "p", Milestone: domain.MilestoneID(m)}
}

func (w *world) plan(names ...string) {
	w.t.Helper()
	for _, m := range names {
		w.do(nokia, domain.PlanMilestone{Ref: ref(m), Plan: domain.Plan{Title: "Title " + m, Owner: "nokia", DueOn: 20180330}})
	}
}

// hook adds a webhook of xiaomi's.
func (w *world) hook(id, url string, change ...func(*domain.WebhookSettings)) domain.WebhookRef {
	w.t.Helper()
	return w.hookOf(xiaomi, id, url, change...)
}

func (w *world) hookOf(who domain.Actor, id, url string, change ...func(*domain.WebhookSettings)) domain.WebhookRef {
	w.t.Helper()
	w.clock.mu.Lock()
	w.clock.advance(time.Second) // times within a second only tell what comes after what in a partition
	w.clock.mu.Unlock()
	r := domain.WebhookRef{Partner: who.Partner, Webhook: domain.WebhookID(id)}
	s := domain.WebhookSettings{
		Format: "standard", Address: w.keyring.SealAddress(r, url), Place: "http://127.0.0.1/…", Events: []string{"*"}, Language: "en", Order: domain.Ordered,
	}
	for _, c := range change {
		c(&s)
	}
	w.do(who, domain.AddWebhook{
		Partner: who.Partner, Webhook: r.Webhook, Settings: s, Secret: w.keyring.SealSecret(r, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
	})
	return r
}

func (w *world) webhook(r domain.WebhookRef) *domain.Webhook {
	return w.image.State(projections.DirectoryOf(r.Partner)).Webhook(r)
}

// attempts waits until the delivery log has so many, the earliest first.
func (w *world) attempts(r domain.WebhookRef, n int) []Attempt {
	w.t.Helper()
	var list []Attempt
	require.Eventually(w.t, func() (enough bool) {
		var err error
		list, err = Attempts(context.Background(), w.log, r)
		require.NoError(w.t, err)
		return len(list) >= n
	}, 10*time.Second, 2*time.Millisecond)
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
	return list
}

func (w *world) standing(r domain.WebhookRef) Standing {
	w.t.Helper()
	s, err := StandingOf(context.Background(), w.log, w.image, w.webhook(r))
	require.NoError(w.t, err)
	return s
}

// hit is a request that a receiver got.
type hit struct {
	ID, Type, Milestone string
	Body                map[string]any
	Raw                 string
	Header              http.Header
}

// tool is a receiver that answers as it is told.
type tool struct {
	*httptest.Server
	hits chan hit
}

// newTool answers 200 where answer is nil or writes nothing.
func newTool(t testing.TB, answer func(w http.ResponseWriter, h hit)) *tool {
	t.Helper()
	r := &tool{hits: make(chan hit, 20_000)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		b, _ := io.ReadAll(q.Body)
		h := hit{ID: q.Header.Get("Webhook-Id"), Raw: string(b), Header: q.Header}
		_ = json.Unmarshal(b, &h.Body)
		h.Type, _ = h.Body["type"].(string)
		if data, ok := h.Body["data"].(map[string]any); ok {
			if m, ok := data["milestone"].(map[string]any); ok {
				h.Milestone, _ = m["id"].(string)
			}
		}
		if answer != nil {
			answer(w, h)
		}
		r.hits <- h
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *tool) next(t testing.TB) hit {
	t.Helper()
	select {
	case h := <-r.hits:
		return h
	case <-time.After(10 * time.Second):
		require.Fail(t, "nothing came")
		return hit{}
	}
}

func (r *tool) milestones(t testing.TB, n int) (names []string) {
	t.Helper()
	for range n {
		names = append(names, r.next(t).Milestone)
	}
	return names
}

func (r *tool) nothing(t testing.TB) {
	t.Helper()
	select {
	case h := <-r.hits:
		require.Fail(t, "too much came", "%+v", h)
	default:
	}
}
