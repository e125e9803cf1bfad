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
	"tandem/projections/feed"
)

// clock is moved by hand.
type clock struct {
	real        bool // it is the system's after all
	mu          sync.Mutex
	now         time.Time
	pending     []alarm
	waiterAdded chan struct{} // closed when somebody asks for an alarm
}

type alarm struct {
	at time.Time
	ch chan time.Time
}

func newClock() *clock {
	return &clock{now: time.Date(2018, 3, 1, 9, 0, 0, 0, time.UTC), waiterAdded: make(chan struct{})}
}

func (c *clock) Now() time.Time {
	if c.real {
		return time.Now()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) After(delay time.Duration) <-chan time.Time {
	if c.real {
		return time.After(delay)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	alarm := alarm{c.now.Add(delay), make(chan time.Time, 1)}
	if delay <= 0 {
		alarm.ch <- c.now
		return alarm.ch
	}
	c.pending = append(c.pending, alarm)
	close(c.waiterAdded)
	c.waiterAdded = make(chan struct{})
	return alarm.ch
}

// pass waits until somebody waits for a time between the two from now on, and lets it come.
func (c *clock) pass(t *testing.T, least, most time.Duration) {
	t.Helper()
	for {
		c.mu.Lock()
		for _, alarm := range c.pending {
			if delay := alarm.at.Sub(c.now); delay >= least && delay <= most {
				c.advance(delay)
				c.mu.Unlock()
				return
			}
		}
		asked, state := c.waiterAdded, fmt.Sprint(c.now, c.pending)
		c.mu.Unlock()
		select {
		case <-asked:
		case <-time.After(10 * time.Second):
			require.Fail(t, "nobody waits so long", "%s to %s: %s", least, most, state)
		}
	}
}

// advance lets time pass. The lock is held.
func (c *clock) advance(delay time.Duration) {
	c.now = c.now.Add(delay)
	var rest []alarm
	for _, alarm := range c.pending {
		if alarm.at.After(c.now) {
			rest = append(rest, alarm)
			continue
		}
		alarm.ch <- c.now
	}
	c.pending = rest
}

// world is a node with everything but HTTP.
type world struct {
	t         testing.TB
	log       eventlog.Log
	clock     *clock
	readModel *projections.ReadModel
	bus       *bus.Bus
	engine    *Engine
	keyring   *Keyring
	stop      func()

	sending *process // nil: not yet
	ending  bool     // the image ends by itself
}

var (
	operator = domain.Actor{Member: "operator", Role: domain.Operator}
	nokia    = domain.Actor{Partner: "nokia", Member: "pm", Role: domain.Manager}
	xiaomi   = domain.Actor{Partner: "xiaomi", Member: "pm", Role: domain.Manager}
	system   = domain.Actor{Member: "system", Role: domain.System}
)

func newWorld(t testing.TB, change ...func(*Config)) *world {
	world := openWorld(t, eventlogtest.NewMemory(), newClock(), change...)
	world.agree("a")
	return world
}

func openWorld(t testing.TB, log eventlog.Log, clock *clock, change ...func(*Config)) *world {
	t.Helper()
	world := &world{t: t, log: log, clock: clock}
	var err error
	world.readModel, err = projections.New(projections.Config{
		Log: log, BaseURL: "https://tandem.example", Now: clock.Now, Logger: slog.New(slog.DiscardHandler),
		Applied: func(entries []eventlog.Entry) {
			world.bus.Applied(entries)
			world.engine.Applied(entries)
		},
	})
	require.NoError(t, err)
	world.bus, err = bus.New(bus.Config{Log: log, ReadModel: world.readModel, Now: clock.Now})
	require.NoError(t, err)
	world.keyring, err = NewKeyring(make([]byte, 32))
	require.NoError(t, err)
	cfg := Config{
		Log: log, ReadModel: world.readModel, Events: feed.NewReader(world.readModel), Owner: world.bus, Keyring: world.keyring, BaseURL: "https://tandem.example",
		Disable: func(ctx context.Context, ref domain.WebhookRef, reason string) error {
			_, err := world.bus.Do(ctx, world.request(system, domain.DisableWebhook{WebhookRef: domain.WebhookRef{Partner: ref.Partner, Webhook: ref.Webhook}, Reason: reason}))
			return err
		},
		Client: NewClient(loopback()), Now: clock.Now, After: clock.After, FlushInterval: 5 * time.Millisecond, AttemptTimeout: 400 * time.Millisecond,
	}
	for _, change := range change {
		change(&cfg)
	}
	world.engine, err = New(cfg)
	require.NoError(t, err)
	world.run()
	if !clock.real {
		world.startSending()
	}
	return world
}

// run starts all but the deliveries.
func (w *world) run() {
	following := begin(w.readModel.Run)
	<-w.readModel.Live()
	routing := begin(w.bus.Run)
	<-w.bus.Ready()
	w.stop = sync.OnceFunc(func() {
		if w.sending != nil {
			require.NoError(w.t, w.sending.end())
		}
		require.NoError(w.t, routing.end())
		if err := following.end(); !w.ending {
			require.NoError(w.t, err)
		}
	})
	w.t.Cleanup(func() { w.stop() })
}

func (w *world) startSending() { w.sending = begin(w.engine.Run) }

type process struct {
	cancel context.CancelFunc
	done   chan error
}

func begin(run func(context.Context) error) *process {
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{cancel, make(chan error, 1)}
	go func() { p.done <- run(ctx) }()
	return p
}

func (p *process) end() error {
	p.cancel()
	return <-p.done
}

func (w *world) request(who domain.Actor, command domain.Command) bus.Request {
	return bus.Request{
		ID: eventlog.CommandID(uuid.Must(uuid.NewV7())), Command: command, Actor: who, Today: domain.DateOf(w.clock.Now()), RequestedAt: w.clock.Now(),
	}
}

func (w *world) do(who domain.Actor, command domain.Command) {
	w.t.Helper()
	result, err := w.bus.Do(context.Background(), w.request(who, command))
	require.NoError(w.t, err)
	require.Nil(w.t, result.Rejection)
}

// agree makes two partners with an agreement and a committed project p.
func (w *world) agree(id domain.AgreementID) {
	w.t.Helper()
	for _, partner := range []struct {
		id         domain.PartnerID
		name, zone string
	}{{"nokia", "Nokia", "Europe/Helsinki"}, {"xiaomi", "Xiaomi", "Asia/Shanghai"}} {
		if len(w.readModel.ReadersOf("a")) == 0 {
			w.do(operator, domain.CreatePartner{PartnerID: partner.id, Profile: domain.PartnerProfile{Name: partner.name, Country: "FI", TimeZone: partner.zone}})
		}
	}
	w.do(operator, domain.DraftAgreement{AgreementID: id, Terms: domain.Terms{
		Title: "Agreement " + string(id), Parties: []domain.PartnerID{"nokia", "xiaomi"}, EffectiveOn: 20180101, AcceptanceDays: 10,
	}})
	w.do(nokia, domain.SignAgreement{AgreementID: id})
	w.do(xiaomi, domain.SignAgreement{AgreementID: id})
	w.do(nokia, domain.CreateProject{
		ProjectRef: domain.ProjectRef{Agreement: id, Project: "p"}, Title: "IP routing", Stage: domain.Committed,
		Lead: "nokia", Participants: []domain.PartnerID{"nokia", "xiaomi"},
	})
}

func ref(id string) domain.MilestoneRef {
	return domain.MilestoneRef{Agreement: "a", Project: "p", Milestone: domain.MilestoneID(id)}
}

func (w *world) plan(names ...string) {
	w.t.Helper()
	for _, id := range names {
		w.do(nokia, domain.PlanMilestone{MilestoneRef: ref(id), Plan: domain.Plan{Title: "Title " + id, Owner: "nokia", DueOn: 20180330}})
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
	ref := domain.WebhookRef{Partner: who.Partner, Webhook: domain.WebhookID(id)}
	settings := domain.WebhookSettings{
		Format: "standard", Address: w.keyring.SealAddress(ref, url), DisplayAddress: "http://127.0.0.1/…", Events: []string{"*"}, Language: "en", Order: domain.Ordered,
	}
	for _, change := range change {
		change(&settings)
	}
	w.do(who, domain.AddWebhook{
		WebhookRef: domain.WebhookRef{Partner: who.Partner, Webhook: ref.Webhook}, Settings: settings, Secret: w.keyring.SealSecret(ref, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
	})
	return ref
}

func (w *world) webhook(ref domain.WebhookRef) *domain.Webhook {
	return w.readModel.State(projections.DirectoryOf(ref.Partner)).Webhook(ref)
}

// attempts waits until the delivery log has so many, the earliest first.
func (w *world) attempts(ref domain.WebhookRef, n int) []Attempt {
	w.t.Helper()
	var list []Attempt
	require.Eventually(w.t, func() (enough bool) {
		var err error
		list, err = ReadAttempts(context.Background(), w.log, ref)
		require.NoError(w.t, err)
		return len(list) >= n
	}, 10*time.Second, 2*time.Millisecond)
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
	return list
}

func (w *world) status(ref domain.WebhookRef) DeliveryStatus {
	w.t.Helper()
	status, err := ReadStatus(context.Background(), w.log, w.engine.cfg.Events, w.webhook(ref))
	require.NoError(w.t, err)
	return status
}

// receivedMessage is a request that a receiver got.
type receivedMessage struct {
	ID, Type, Milestone string
	Body                map[string]any
	Raw                 string
	Header              http.Header
}

// testReceiver is a receiver that answers as it is told.
type testReceiver struct {
	*httptest.Server
	messages chan receivedMessage
}

// newReceiver answers 200 where answer is nil or writes nothing.
func newReceiver(t testing.TB, answer func(w http.ResponseWriter, message receivedMessage)) *testReceiver {
	t.Helper()
	receiver := &testReceiver{messages: make(chan receivedMessage, 20_000)}
	receiver.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		message := receivedMessage{ID: r.Header.Get("Webhook-Id"), Raw: string(body), Header: r.Header}
		_ = json.Unmarshal(body, &message.Body)
		message.Type, _ = message.Body["type"].(string)
		if data, ok := message.Body["data"].(map[string]any); ok {
			if milestone, ok := data["milestone"].(map[string]any); ok {
				message.Milestone, _ = milestone["id"].(string)
			}
		}
		if answer != nil {
			answer(w, message)
		}
		receiver.messages <- message
	}))
	t.Cleanup(receiver.Close)
	return receiver
}

func (r *testReceiver) next(t testing.TB) receivedMessage {
	t.Helper()
	select {
	case message := <-r.messages:
		return message
	case <-time.After(10 * time.Second):
		require.Fail(t, "nothing came")
		return receivedMessage{}
	}
}

func (r *testReceiver) milestones(t testing.TB, n int) (names []string) {
	t.Helper()
	for range n {
		names = append(names, r.next(t).Milestone)
	}
	return names
}

func (r *testReceiver) nothing(t testing.TB) {
	t.Helper()
	select {
	case message := <-r.messages:
		require.Fail(t, "too much came", "%+v", message)
	default:
	}
}
