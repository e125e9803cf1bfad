package webhooks

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/eventlog/eventlogtest"
)

// A failing event blocks an ordered lane. It is retried with backoff and the same id.
func TestOrderedLaneRetriesBeforeLaterEvents(t *testing.T) {
	var answers atomic.Int32
	world, receiver := newWorld(t), newReceiver(t, func(w http.ResponseWriter, _ receivedMessage) {
		if answers.Add(1) <= 3 {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write([]byte("out of order: key-0123456789"))
		}
	})
	hook := world.hook("ops", receiver.URL+"/key-0123456789")
	world.plan("m1", "m2")
	first := receiver.next(t)
	world.pass(5*time.Second, 6*time.Second)
	require.Equal(t, first.ID, receiver.next(t).ID)
	world.pass(5*time.Minute, 6*time.Minute)
	receiver.next(t)
	require.NotZero(t, world.settledStatus(hook).FailingSince)
	world.pass(30*time.Minute, 36*time.Minute)
	require.Equal(t, []string{"m1", "m2"}, receiver.milestones(t, 2))
	list := world.attempts(hook, 5)
	for i, attempt := range list[:3] {
		require.Equal(t, i+1, attempt.Number)
		require.Equal(t, first.ID, attempt.MessageID)
		require.False(t, attempt.OK)
		require.Contains(t, attempt.Reason, "500")
		require.True(t, attempt.NextAt.After(attempt.StartedAt))
		require.Equal(t, "out of order: …", attempt.ResponseBody, "the secret of the address is not shown")
	}
	require.Equal(t, 4, list[3].Number)
	require.Equal(t, 1, list[4].Number)
	require.Zero(t, world.settledStatus(hook).FailingSince)
}

func TestRateLimitingIsNotCountedAsFailure(t *testing.T) {
	var answers atomic.Int32
	world, receiver := newWorld(t), newReceiver(t, func(w http.ResponseWriter, _ receivedMessage) {
		if answers.Add(1) == 1 {
			w.Header().Set("Retry-After", "77")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	})
	hook := world.hook("ops", receiver.URL)
	world.plan("m1")
	receiver.next(t)
	world.pass(77*time.Second, 77*time.Second)
	require.Equal(t, "m1", receiver.next(t).Milestone)
	attempts := world.attempts(hook, 2)
	require.Contains(t, attempts[0].Reason, "429")
	require.Zero(t, world.status(hook).Failed)
}

// An endpoint that is gone disables its webhook. After the webhook is enabled again, no event is missing.
func TestGoneDisables(t *testing.T) {
	var back atomic.Bool
	world, receiver := newWorld(t), newReceiver(t, func(w http.ResponseWriter, _ receivedMessage) {
		if !back.Load() {
			w.WriteHeader(http.StatusGone)
		}
	})
	hook := world.hook("ops", receiver.URL)
	world.plan("m1")
	receiver.next(t)
	world.settle()
	require.Contains(t, world.webhook(hook).DisabledReason, "410")
	world.plan("m2")
	back.Store(true)
	world.do(xiaomi, domain.TestWebhook{WebhookRef: domain.WebhookRef{Partner: "xiaomi", Webhook: "ops"}})
	require.Equal(t, testType, receiver.next(t).Type, "tests are delivered nevertheless")
	world.do(xiaomi, domain.EnableWebhook{WebhookRef: domain.WebhookRef{Partner: "xiaomi", Webhook: "ops"}})
	require.Equal(t, []string{"m1", "m2"}, receiver.milestones(t, 2))
}

func TestFiveDaysOfFailureDisable(t *testing.T) {
	world, receiver := newWorld(t), newReceiver(t, func(w http.ResponseWriter, _ receivedMessage) { w.WriteHeader(http.StatusBadGateway) })
	hook := world.hook("ops", receiver.URL)
	world.plan("m1")
	receiver.next(t)
	world.settle()
	for i := 0; world.webhook(hook).DisabledReason == ""; i++ {
		require.Less(t, i, 20)
		world.pass(5*time.Second, 30*time.Hour)
		receiver.next(t)
		world.settle()
	}
	require.GreaterOrEqual(t, world.clock.Now().Sub(newClock().now), disableAfter)
	require.Contains(t, world.webhook(hook).DisabledReason, "five days")
	require.Contains(t, world.webhook(hook).DisabledReason, "502")
}

// Five days of rate limiting without a success disable a webhook too.
func TestFiveDaysOfRateLimitingDisable(t *testing.T) {
	world, receiver := newWorld(t), newReceiver(t, func(w http.ResponseWriter, _ receivedMessage) {
		w.Header().Set("Retry-After", "86400")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	hook := world.hook("ops", receiver.URL)
	world.plan("m1")
	for range 5 {
		receiver.next(t)
		world.pass(24*time.Hour, 24*time.Hour)
	}
	receiver.next(t)
	world.settle()
	require.Contains(t, world.webhook(hook).DisabledReason, "five days")
	require.Contains(t, world.webhook(hook).DisabledReason, "429")
}

// In an unordered lane, a failing event does not delay the others.
func TestUnorderedLaneSkipsAFailingEvent(t *testing.T) {
	var cured atomic.Bool
	world, receiver := newWorld(t), newReceiver(t, func(w http.ResponseWriter, message receivedMessage) {
		if message.Milestone == "m1" && !cured.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	hook := world.hook("room", receiver.URL, unordered)
	world.plan("m1", "m2", "m3")
	require.Equal(t, []string{"m1", "m2", "m3"}, receiver.milestones(t, 3))
	require.EqualValues(t, 1, world.settledStatus(hook).Skipped)
	world.pass(5*time.Second, 6*time.Second)
	require.Equal(t, "m1", receiver.next(t).Milestone)
	world.plan("m4")
	require.Equal(t, "m4", receiver.next(t).Milestone)
	cured.Store(true)
	world.pass(5*time.Minute, 6*time.Minute)
	require.Equal(t, "m1", receiver.next(t).Milestone)
	attempt := world.attempts(hook, 6)[5]
	require.True(t, attempt.OK)
	require.Equal(t, 3, attempt.Number)
	require.EqualValues(t, 0, world.settledStatus(hook).Skipped)
}

// After three consecutive failures, an unordered lane sends nothing until the next attempt is due, which is the oldest
// skipped event.
func TestCircuitBreaker(t *testing.T) {
	world, receiver := newWorld(t), newReceiver(t, func(w http.ResponseWriter, _ receivedMessage) { w.WriteHeader(http.StatusInternalServerError) })
	hook := world.hook("room", receiver.URL, unordered)

	// Three failures open the circuit breaker.
	world.plan("m1", "m2", "m3", "m4", "m5")
	require.Equal(t, []string{"m1", "m2", "m3"}, receiver.milestones(t, breakerThreshold))
	require.Len(t, world.attempts(hook, breakerThreshold), breakerThreshold)
	world.expectNothing(receiver)

	// One attempt probes the endpoint, and its failure keeps the circuit breaker open.
	world.pass(5*time.Second, 6*time.Second)
	require.Equal(t, "m1", receiver.next(t).Milestone)
	require.Len(t, world.attempts(hook, breakerThreshold+1), breakerThreshold+1)
	world.expectNothing(receiver)
}

// A permanent failure does not skip an event of a program: a proxy may report it, and the receiver can be repaired.
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
	world.pass(5*time.Second, 6*time.Second)
	require.Equal(t, []string{"m1", "m2"}, receiver.milestones(t, 2))
}

// A response of the previous endpoint does not disable the webhook after its address has changed.
func TestGoneFromOldAddressKeepsNewAddressEnabled(t *testing.T) {
	entered, release := make(chan struct{}, 10), make(chan struct{})
	world, old := newWorld(t), newReceiver(t, func(w http.ResponseWriter, _ receivedMessage) {
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

// R16: a skipped event is not retried after an edit that excludes it.
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
			require.EqualValues(t, 1, world.settledStatus(hook).Skipped)

			// After the edit, the webhook no longer asks for the skipped event.
			edit.WebhookRef = hook
			world.do(nokia, edit)
			cured.Store(true)
			world.pass(5*time.Second, 6*time.Second)
			world.do(nokia, domain.StartMilestone{MilestoneRef: ref("m1")})
			require.Equal(t, "milestone.started", receiver.next(t).Type)
			require.EqualValues(t, 0, world.settledStatus(hook).Skipped)

			// Nor can a manager resend it.
			world.do(nokia, domain.ResendWebhook{WebhookRef: domain.WebhookRef{Partner: "nokia", Webhook: "room"}, Message: secret.ID})
			attempts := world.attempts(hook, 1)
			require.Equal(t, "webhook.redeliver", attempts[len(attempts)-1].Type)
			world.expectNothing(receiver)
		})
	}
}

// Time in which no node runs the lane does not count towards the five days of failure.
func TestDowntimeIsNotCountedAsFailure(t *testing.T) {
	receiver := newReceiver(t, func(w http.ResponseWriter, _ receivedMessage) { w.WriteHeader(http.StatusInternalServerError) })
	world := newWorld(t)
	hook := world.hook("ops", receiver.URL)
	world.plan("m1")
	receiver.next(t)
	world.attempts(hook, 1)
	world.stop()
	world.clock.advance(6 * 24 * time.Hour)
	again := openWorld(t, world.log, world.clock)
	receiver.next(t)
	require.False(t, again.attempts(hook, 2)[1].NextAt.IsZero())
	require.Empty(t, again.webhook(hook).DisabledReason)
}

// A clock that was ahead during a failure does not block the lane after it is corrected.
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
	clock.advance(1000 * 24 * time.Hour)
	world.plan("m1")
	receiver.milestones(t, 2)
	world.attempts(hook, 1)
	world.attempts(room, 1)
	world.stop()
	clock.set(right)
	down.Store(false)
	openWorld(t, log, clock)
	require.Equal(t, []string{"m1", "m1"}, receiver.milestones(t, 2))
}
