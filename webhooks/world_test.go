package webhooks

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
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

// patience is how long a test waits for something that must happen. It only bounds a failing test.
const patience = time.Minute

// clock is moved by hand, unless real is set.
type clock struct {
	real    bool
	mu      sync.Mutex
	now     time.Time
	pending []alarm
}

type alarm struct {
	at time.Time
	ch chan time.Time
}

func newClock() *clock {
	return &clock{now: time.Date(2018, 3, 1, 9, 0, 0, 0, time.UTC)}
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
	return alarm.ch
}

func (c *clock) advance(delay time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
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

// set moves the clock to any time and forgets its alarms.
func (c *clock) set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now, c.pending = now, nil
}

// world is a node without its HTTP API.
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
	ending  bool     // the read model stops with an error
}

var (
	operator = domain.Actor{Member: "operator", Role: domain.Operator}
	nokia    = domain.Actor{Partner: "nokia", Member: "pm", Role: domain.Manager, MaySign: true}
	xiaomi   = domain.Actor{Partner: "xiaomi", Member: "pm", Role: domain.Manager, MaySign: true}
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
			world.engine.Applied(entries) // before the bus, so that the engine has the news when a command returns
			world.bus.Applied(entries)
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
		Client: NewClient(loopback()), Now: clock.Now, After: clock.After, FlushInterval: time.Millisecond, AttemptTimeout: patience,
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

// run starts everything except the engine.
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
		ID: eventlog.CommandID(uuid.Must(uuid.NewV7())), Command: reserved(command, w.clock.Now()), Actor: who, Today: domain.DateOf(w.clock.Now()), RequestedAt: w.clock.Now(),
	}
}

// reserved adds the reservation of a new name, which the HTTP layer makes.
func reserved(command domain.Command, at time.Time) domain.Command {
	switch c := command.(type) {
	case domain.CreatePartner:
		c.Reservation = domain.NameReservation{Keys: []string{c.Profile.Name}, At: at}
		return c
	case domain.EditPartner:
		if c.Name != nil {
			c.Reservation = domain.NameReservation{Keys: []string{*c.Name}, At: at}
		}
		return c
	}
	return command
}

func (w *world) do(who domain.Actor, command domain.Command) {
	w.t.Helper()
	result, err := w.bus.Do(context.Background(), w.request(who, command))
	require.NoError(w.t, err)
	require.Nil(w.t, result.Rejection)
}

// agree adds an agreement with a committed project p between two partners.
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
	w.do(nokia, domain.SignAgreement{AgreementID: id, Signatory: "Chief executive"})
	w.do(xiaomi, domain.SignAgreement{AgreementID: id, Signatory: "Chief executive"})
	w.do(nokia, domain.CreateProject{
		ProjectRef: domain.ProjectRef{Agreement: id, Project: "p"}, Title: "IP routing", Stage: domain.Committed,
		Lead: "nokia", Participants: []domain.PartnerID{"nokia", "xiaomi"},
	})
	w.do(xiaomi, domain.CallStage{ProjectRef: domain.ProjectRef{Agreement: id, Project: "p"}, Move: domain.MoveCommit})
}

func ref(id string) domain.MilestoneRef {
	return domain.MilestoneRef{Agreement: "a", Project: "p", Milestone: domain.MilestoneID(id)}
}

func (w *world) plan(names ...string) {
	w.t.Helper()
	due := max(20180330, domain.DateOf(w.clock.Now()))
	for _, id := range names {
		w.do(nokia, domain.PlanMilestone{MilestoneRef: ref(id), Plan: domain.Plan{Title: "Title " + id, Owner: "nokia", DueOn: due}})
	}
}

// hook adds a webhook of xiaomi.
func (w *world) hook(id, url string, change ...func(*domain.WebhookSettings)) domain.WebhookRef {
	w.t.Helper()
	return w.hookOf(xiaomi, id, url, change...)
}

func (w *world) hookOf(who domain.Actor, id, url string, change ...func(*domain.WebhookSettings)) domain.WebhookRef {
	w.t.Helper()
	w.advance(time.Second) // times of commits in different partitions are comparable only if the clock has moved
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

// settle waits until the engine has handled the results of all commands and all expired timers, and has stored the lane
// states and attempts. It does not return while a receiver holds back a response.
func (w *world) settle() {
	w.t.Helper()
	w.eventually(w.engine.idle, "the engine did not become idle")
}

// eventually waits for a condition that must become true.
func (w *world) eventually(condition func() bool, message string) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(200 * time.Microsecond) {
		if time.Now().After(deadline) {
			require.Fail(w.t, message)
		}
	}
}

// advance moves the clock and wakes the engine, which may be about to wait for an alarm.
func (w *world) advance(delay time.Duration) {
	w.clock.advance(delay)
	w.engine.timerSignal.Notify()
}

// pass settles, and then moves the clock to the engine's next timer, which must be between least and most away.
func (w *world) pass(least, most time.Duration) {
	w.t.Helper()
	w.settle()
	delay, ok := w.engine.untilNextTimer()
	require.True(w.t, ok, "no lane waits for a time")
	require.GreaterOrEqual(w.t, delay, least)
	require.LessOrEqual(w.t, delay, most)
	w.advance(delay)
}

// expectNothing settles and checks that the receivers have no more messages.
func (w *world) expectNothing(receivers ...*testReceiver) {
	w.t.Helper()
	w.settle()
	for _, receiver := range receivers {
		select {
		case message := <-receiver.messages:
			require.Fail(w.t, "unexpected message", "%+v", message)
		default:
		}
	}
}

// attempts settles and returns the attempt history, earliest first. It must have at least n attempts.
func (w *world) attempts(ref domain.WebhookRef, n int) []Attempt {
	w.t.Helper()
	w.settle()
	list, err := ReadAttempts(context.Background(), w.log, ref)
	require.NoError(w.t, err)
	require.GreaterOrEqual(w.t, len(list), n)
	slices.Reverse(list)
	return list
}

// settledStatus settles and returns the status of a webhook.
func (w *world) settledStatus(ref domain.WebhookRef) DeliveryStatus {
	w.t.Helper()
	w.settle()
	return w.status(ref)
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

// testReceiver is an endpoint that records the requests it gets.
type testReceiver struct {
	*httptest.Server
	messages chan receivedMessage
}

// newReceiver starts a receiver. Without an answer function, and if the function writes nothing, it responds with 200.
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
	case <-time.After(patience):
		require.Fail(t, "no message arrived")
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
