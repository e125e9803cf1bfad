package webhooks

import (
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
	"tandem/projections"
)

// R16: what failed while a webhook told of private things is not tried again when it must not tell of them any more.
func TestSkippedEventsObeyLaterSettings(t *testing.T) {
	for name, edit := range map[string]domain.EditWebhook{
		"private": {IncludePrivate: new(false)},
		"events":  {Events: &[]string{"milestone.started"}},
	} {
		t.Run(name, func(t *testing.T) {
			var cured atomic.Bool
			world, receiver := newWorld(t), newReceiver(t, func(w http.ResponseWriter, _ receivedMessage) {
				if !cured.Load() {
					w.WriteHeader(http.StatusInternalServerError)
				}
			})
			world.plan("m1")
			hook := world.hookOf(nokia, "room", receiver.URL, func(settings *domain.WebhookSettings) {
				settings.Order, settings.IncludePrivate = domain.SkipAhead, true
			})
			world.do(nokia, domain.MoveForecast{MilestoneRef: ref("m1"), On: 20180410, Reason: "optics are late", Private: true})
			secret := receiver.next(t)
			require.Contains(t, secret.Raw, "optics are late")
			require.Eventually(t, func() bool { return world.status(hook).Skipped == 1 }, 5*time.Second, time.Millisecond)
			edit.Partner, edit.Webhook = "nokia", "room"
			world.do(nokia, edit)
			cured.Store(true)
			world.clock.pass(t, 5*time.Second, 6*time.Second)
			world.do(nokia, domain.StartMilestone{MilestoneRef: ref("m1")})
			require.Equal(t, "milestone.started", receiver.next(t).Type)
			require.Eventually(t, func() bool { return world.status(hook).Skipped == 0 }, 5*time.Second, time.Millisecond)

			world.do(nokia, domain.ResendWebhook{WebhookRef: domain.WebhookRef{Partner: "nokia", Webhook: "room"}, Message: secret.ID})
			require.Eventually(t, func() bool {
				list, err := ReadAttempts(t.Context(), world.log, hook)
				require.NoError(t, err)
				return len(list) > 0 && list[0].Type == "webhook.redeliver" || len(receiver.messages) > 0
			}, 5*time.Second, time.Millisecond)
			receiver.nothing(t)
		})
	}
}

// P8: a record that cannot be read stops one webhook, with a notice, and no other.
func TestUnreadableLaneStateDisablesOneWebhook(t *testing.T) {
	receiver, other := newReceiver(t, nil), newReceiver(t, nil)
	world := newWorld(t)
	bad := world.hook("bad", receiver.URL)
	world.hook("good", other.URL)
	world.plan("m1")
	receiver.next(t)
	other.next(t)
	world.attempts(bad, 1)
	require.NoError(t, world.sending.end())
	world.sending = nil
	partition := projections.DirectoryOf("xiaomi")
	require.NoError(t, world.bus.PutKV(t.Context(), partition, []eventlog.KV{
		{Key: laneKey(bad), Value: []byte(`{"progress":[1]}`)}, {Key: attemptPrefix(bad) + "07", Value: []byte("?")},
	}))
	_, err := ReadStatus(t.Context(), world.log, world.engine.cfg.Events, world.webhook(bad))
	require.NoError(t, err)
	require.Len(t, world.attempts(bad, 1), 1, "the rest of the delivery log can be read")
	world.stop()

	again := openWorld(t, world.log, world.clock)
	again.plan("m2")
	require.Equal(t, "m2", other.next(t).Milestone)
	require.Eventually(t, func() bool { return again.webhook(bad).DisabledReason != "" }, 5*time.Second, time.Millisecond)
	require.Contains(t, again.webhook(bad).DisabledReason, "could not be read")
	receiver.nothing(t)
	again.do(xiaomi, domain.EnableWebhook{WebhookRef: domain.WebhookRef{Partner: "xiaomi", Webhook: "bad"}})
	require.Equal(t, []string{"m1", "m2"}, receiver.milestones(t, 2), "nothing is left out")
}

// What a manager asks for keeps to the tool's rate, too: DingTalk shuts a bot out for ten minutes.
func TestTestMessagesObeyTheRateLimit(t *testing.T) {
	world, receiver := newWorld(t), newReceiver(t, func(w http.ResponseWriter, _ receivedMessage) { _, _ = w.Write([]byte(`{"errcode":0}`)) })
	world.hook("room", receiver.URL+"/?key=x", func(settings *domain.WebhookSettings) { settings.Format, settings.Order = "wecom", domain.SkipAhead })
	for range 8 {
		world.do(xiaomi, domain.TestWebhook{WebhookRef: domain.WebhookRef{Partner: "xiaomi", Webhook: "room"}})
	}
	for range 4 {
		receiver.next(t)
	}
	world.clock.pass(t, time.Second, 4*time.Second)
	receiver.next(t)
	receiver.nothing(t)
}

// P6: a program is never passed over because of what something on the way says of the size, or of a secret.
func TestPermanentFailureBlocksProgramLanes(t *testing.T) {
	var answers atomic.Int32
	world, receiver := newWorld(t), newReceiver(t, func(w http.ResponseWriter, _ receivedMessage) {
		if answers.Add(1) == 1 {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
	})
	hook := world.hook("ops", receiver.URL)
	world.plan("m1", "m2")
	require.Equal(t, "m1", receiver.next(t).Milestone)
	require.False(t, world.attempts(hook, 1)[0].NextAt.IsZero())
	world.clock.pass(t, 5*time.Second, 6*time.Second)
	require.Equal(t, []string{"m1", "m2"}, receiver.milestones(t, 2))
}

// A clock that was ahead when an attempt failed does not hold the lane up until then.
func TestClockMovesBack(t *testing.T) {
	var down atomic.Bool
	down.Store(true)
	receiver := newReceiver(t, func(w http.ResponseWriter, _ receivedMessage) {
		if down.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	log, clock := eventlogtest.NewMemory(), newClock()
	world := openWorld(t, log, clock)
	world.agree("a")
	hook, room := world.hook("ops", receiver.URL), world.hook("room", receiver.URL, unordered)
	right := clock.Now()
	clock.mu.Lock()
	clock.advance(1000 * 24 * time.Hour)
	clock.mu.Unlock()
	world.plan("m1")
	receiver.milestones(t, 2)
	world.attempts(hook, 1)
	world.attempts(room, 1)
	world.stop()
	clock.mu.Lock()
	clock.now, clock.pending = right, nil
	clock.mu.Unlock()
	down.Store(false)
	openWorld(t, log, clock)
	require.Equal(t, []string{"m1", "m1"}, receiver.milestones(t, 2))
}

// Five days of failure are five days of trying: a time in which nothing ran, or nothing was to be said, is none.
func TestDowntimeIsNotCountedAsFailure(t *testing.T) {
	receiver := newReceiver(t, func(w http.ResponseWriter, _ receivedMessage) { w.WriteHeader(http.StatusInternalServerError) })
	world := newWorld(t)
	hook := world.hook("ops", receiver.URL)
	world.plan("m1")
	receiver.next(t)
	world.attempts(hook, 1)
	world.stop()
	world.clock.mu.Lock()
	world.clock.advance(6 * 24 * time.Hour)
	world.clock.mu.Unlock()
	again := openWorld(t, world.log, world.clock)
	receiver.next(t)
	require.False(t, again.attempts(hook, 2)[1].NextAt.IsZero())
	require.Empty(t, again.webhook(hook).DisabledReason)
}

// What an agreement has to tell from the time on at which it was chosen is told, however busy the lane is meanwhile.
func TestAddedAgreementStartsAtTheEdit(t *testing.T) {
	entered, release := make(chan struct{}, 10), make(chan struct{})
	world, receiver := newWorld(t, func(cfg *Config) { cfg.AttemptTimeout = 20 * time.Second }), newReceiver(t, func(http.ResponseWriter, receivedMessage) {
		entered <- struct{}{}
		<-release
	})
	world.agree("b")
	in := func(id string) domain.PlanMilestone {
		return domain.PlanMilestone{
			MilestoneRef: domain.MilestoneRef{Agreement: "b", Project: "p", Milestone: domain.MilestoneID(id)}, Plan: domain.Plan{Title: "T", Owner: "nokia", DueOn: 20180330},
		}
	}
	tick := func() {
		world.clock.mu.Lock()
		world.clock.advance(time.Second)
		world.clock.mu.Unlock()
	}
	world.hook("ops", receiver.URL, func(settings *domain.WebhookSettings) { settings.Agreements = []domain.AgreementID{"a"} })
	world.plan("m1")
	<-entered
	world.do(nokia, in("before"))
	tick()
	world.do(xiaomi, domain.EditWebhook{WebhookRef: domain.WebhookRef{Partner: "xiaomi", Webhook: "ops"}, Agreements: &[]domain.AgreementID{"a", "b"}})
	tick()
	world.do(nokia, in("after"))
	close(release)
	require.Equal(t, []string{"m1", "after"}, receiver.milestones(t, 2))
	receiver.nothing(t)
}

// Another endpoint is not disabled because of what the one before it said.
func TestGoneFromOldAddressKeepsNewAddressEnabled(t *testing.T) {
	entered, release := make(chan struct{}, 10), make(chan struct{})
	world, old := newWorld(t, func(cfg *Config) { cfg.AttemptTimeout = 20 * time.Second }), newReceiver(t, func(w http.ResponseWriter, _ receivedMessage) {
		entered <- struct{}{}
		<-release
		w.WriteHeader(http.StatusGone)
	})
	now := newReceiver(t, nil)
	hook := world.hook("ops", old.URL)
	world.plan("m1")
	<-entered
	place := "http://127.0.0.1/…"
	world.do(xiaomi, domain.EditWebhook{WebhookRef: domain.WebhookRef{Partner: "xiaomi", Webhook: "ops"}, Address: world.keyring.SealAddress(hook, now.URL), DisplayAddress: &place})
	close(release)
	require.Equal(t, "m1", now.next(t).Milestone)
	world.attempts(hook, 2)
	require.Empty(t, world.webhook(hook).DisabledReason)
}

// P7: endpoints that take everything, but slowly, hold up only one another.
func TestSlowEndpointsShareTheSlowPool(t *testing.T) {
	world := openWorld(t, eventlogtest.NewMemory(), &clock{real: true, waiterAdded: make(chan struct{})}, func(cfg *Config) { cfg.Workers, cfg.RetryWorkers = 2, 2 })
	world.agree("a")
	for i := range 4 {
		receiver := newReceiver(t, func(http.ResponseWriter, receivedMessage) { time.Sleep(150 * time.Millisecond) })
		world.hook("slow"+string(rune('a'+i)), receiver.URL)
	}
	fast := newReceiver(t, nil)
	world.hook("the-fast-one", fast.URL)
	var names []string
	for i := range 26 {
		names = append(names, "m"+string(rune('a'+i)))
	}
	world.plan(names...)
	world.startSending()
	startedAt := time.Now()
	require.Equal(t, names, fast.milestones(t, len(names)))
	require.Less(t, time.Since(startedAt), 2*time.Second, "a turn of a slow one takes four")
}

// Who says for five days that it is too much takes nothing either.
func TestFiveDaysOfRateLimitingDisable(t *testing.T) {
	world, receiver := newWorld(t), newReceiver(t, func(w http.ResponseWriter, _ receivedMessage) {
		w.Header().Set("Retry-After", "86400")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	hook := world.hook("ops", receiver.URL)
	world.plan("m1")
	for range 5 {
		receiver.next(t)
		world.clock.pass(t, 24*time.Hour, 24*time.Hour)
	}
	receiver.next(t)
	require.Eventually(t, func() bool { return world.webhook(hook).DisabledReason != "" }, 5*time.Second, time.Millisecond)
	require.Contains(t, world.webhook(hook).DisabledReason, "five days")
	require.Contains(t, world.webhook(hook).DisabledReason, "429")
}

// What was asked for faster than it can be done is not forgotten without a word.
func TestDroppedRequestsAreRecorded(t *testing.T) {
	var down atomic.Bool
	entered, release := make(chan struct{}, 100), make(chan struct{})
	down.Store(true)
	world, receiver := newWorld(t, func(cfg *Config) { cfg.AttemptTimeout = 20 * time.Second }), newReceiver(t, func(http.ResponseWriter, receivedMessage) {
		if down.Swap(false) {
			entered <- struct{}{}
			<-release
		}
	})
	hook := world.hook("ops", receiver.URL)
	world.plan("m1")
	<-entered
	world.do(xiaomi, domain.ReplayWebhook{WebhookRef: domain.WebhookRef{Partner: "xiaomi", Webhook: "ops"}, Since: world.clock.Now()})
	for range 16 {
		world.do(xiaomi, domain.TestWebhook{WebhookRef: domain.WebhookRef{Partner: "xiaomi", Webhook: "ops"}})
	}
	close(release)
	for range 17 {
		receiver.next(t)
	}
	list := world.attempts(hook, 18)
	require.Contains(t, list[1].Reason, "1 request(s)")
	receiver.nothing(t)
}

// A partner that moves has its digest at eight where it is now.
func TestDigestFollowsThePartnersTimeZone(t *testing.T) {
	world, receiver := newWorld(t), newReceiver(t, nil)
	world.hook("daily", receiver.URL, func(settings *domain.WebhookSettings) { settings.Digest = domain.Daily })
	world.plan("m1")
	require.Eventually(t, func() bool { return world.clock.hasWaiter(14*time.Hour, 15*time.Hour) }, 5*time.Second, time.Millisecond, "08:00 in Shanghai")
	zone := "UTC"
	world.do(xiaomi, domain.EditPartner{PartnerID: "xiaomi", TimeZone: &zone})
	world.clock.pass(t, 22*time.Hour, 23*time.Hour)
	require.Equal(t, digestType, receiver.next(t).Type)
}

// hasWaiter reports whether somebody waits for a time between the two from now on.
func (c *clock) hasWaiter(least, most time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.pending, func(alarm alarm) bool {
		delay := alarm.at.Sub(c.now)
		return delay >= least && delay <= most
	})
}
