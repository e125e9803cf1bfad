package webhooks

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
	"tandem/projections/feed"
	"tandem/webhooks/formats"
)

func unordered(settings *domain.WebhookSettings) { settings.Order = domain.SkipAhead }

func slackUnordered(settings *domain.WebhookSettings) {
	settings.Format, settings.Order = "slack", domain.SkipAhead
}

func answerOK(w http.ResponseWriter, _ receivedMessage) { _, _ = w.Write([]byte("ok")) }

func TestEventsAreSentInFeedOrder(t *testing.T) {
	world, receiver := newWorld(t), newReceiver(t, nil)
	world.plan("before")
	hook := world.hook("ops", receiver.URL+"/in?key=0123456789abcdef")
	world.plan("m1", "m2", "m3")
	world.do(nokia, domain.StartMilestone{MilestoneRef: ref("m1")})
	world.do(nokia, domain.EditMilestone{MilestoneRef: ref("m1"), DueOn: new(domain.Date(20180415))})
	var hits []receivedMessage
	for range 5 {
		hits = append(hits, receiver.next(t))
	}
	scope := projections.EventScope{Agreement: "a"}
	page, err := world.engine.cfg.Events.Next(t.Context(), projections.Viewer{Partner: "xiaomi"}, feed.Cursor{}, feed.EventQuery{EventScope: scope}, 100)
	require.NoError(t, err)
	events, err := world.readModel.RenderEvents(projections.Viewer{Partner: "xiaomi"}, page.Events[len(page.Events)-5:], "en")
	require.NoError(t, err)
	for i, message := range hits {
		require.Equal(t, events[i].ID, message.ID)
		require.Equal(t, events[i].Type, message.Type)
		require.Contains(t, message.Header.Get("Webhook-Signature"), "v1,")
		var body struct {
			Timestamp time.Time
			Data      map[string]any
		}
		require.NoError(t, json.Unmarshal([]byte(message.Raw), &body))
		require.Equal(t, events[i].RecordedAt, body.Timestamp)
		want, err := json.Marshal(events[i])
		require.NoError(t, err)
		var fields map[string]any
		require.NoError(t, json.Unmarshal(want, &fields))
		delete(fields, "milestone")
		require.Subset(t, body.Data, fields)
	}
	last := hits[4].Body["data"].(map[string]any)
	require.Equal(t, map[string]any{"due_on": "2018-03-30"}, last["previous"])
	require.Equal(t, "in_progress", last["milestone"].(map[string]any)["state"])
	require.Equal(t, "2018-04-15", last["milestone"].(map[string]any)["due_on"])
	require.Equal(t, "planned", hits[0].Body["data"].(map[string]any)["milestone"].(map[string]any)["state"], "as it was then")
	attempt := world.attempts(hook, 5)[4]
	require.Equal(t, hits[4].ID, attempt.MessageID)
	require.Equal(t, Attempt{
		Sequence: 5, MessageID: hits[4].ID, Type: "milestone.edited", Number: 1, StartedAt: attempt.StartedAt, OK: true, Status: 200,
		Method: "POST", URL: attempt.URL, RequestHeaders: attempt.RequestHeaders, ResponseHeaders: attempt.ResponseHeaders, RequestBody: hits[4].Raw, Events: []string{events[4].Position},
	}, attempt)
	require.Equal(t, "…", attempt.RequestHeaders["Webhook-Signature"])
	require.Contains(t, attempt.URL, "/…?key=…")
	require.Equal(t, "0", attempt.ResponseHeaders["Content-Length"])
	message, found, err := world.engine.LatestMessage(t.Context(), world.webhook(hook))
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, hits[4].Raw, string(message.Body))
	require.Eventually(t, func() bool { return world.status(hook).Sent == 5 }, 5*time.Second, time.Millisecond)
	require.Zero(t, world.status(hook).Behind)
}

func TestFilters(t *testing.T) {
	world := newWorld(t)
	world.agree("b")
	started, ofB, own, shared := newReceiver(t, nil), newReceiver(t, nil), newReceiver(t, nil), newReceiver(t, nil)
	world.hookOf(nokia, "started", started.URL, func(settings *domain.WebhookSettings) { settings.Events = []string{"milestone.started"} })
	world.hookOf(nokia, "of-b", ofB.URL, func(settings *domain.WebhookSettings) { settings.Agreements = []domain.AgreementID{"b"} })
	world.hookOf(nokia, "own", own.URL, func(settings *domain.WebhookSettings) { settings.IncludePrivate = true })
	world.hook("shared", shared.URL)
	world.plan("m1")
	world.do(nokia, domain.MoveForecast{MilestoneRef: ref("m1"), On: 20180410, Reason: "optics", Private: true})
	world.do(nokia, domain.StartMilestone{MilestoneRef: ref("m1")})
	in := domain.MilestoneRef{Agreement: "b", Project: "p", Milestone: "mb"}
	world.do(nokia, domain.PlanMilestone{MilestoneRef: in, Plan: domain.Plan{Title: "T", Owner: "nokia", DueOn: 20180330}})
	require.Equal(t, "milestone.started", started.next(t).Type)
	require.Equal(t, "mb", ofB.next(t).Milestone)
	types := func(receiver *testReceiver, n int) (list []string) {
		for range n {
			list = append(list, receiver.next(t).Type)
		}
		return list
	}
	require.ElementsMatch(t, []string{"milestone.planned", "milestone.forecast_moved", "milestone.started", "milestone.planned"}, types(own, 4))
	require.ElementsMatch(t, []string{"milestone.planned", "milestone.started", "milestone.planned"}, types(shared, 3))
	for _, receiver := range []*testReceiver{started, ofB, own, shared} {
		receiver.nothing(t)
	}
}

// What an ordered lane cannot deliver holds up the rest, and is tried again when the schedule says, with the same id.
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
	world.clock.pass(t, 5*time.Second, 6*time.Second)
	require.Equal(t, first.ID, receiver.next(t).ID)
	world.clock.pass(t, 5*time.Minute, 6*time.Minute)
	receiver.next(t)
	require.Eventually(t, func() bool { return !world.status(hook).FailingSince.IsZero() }, 5*time.Second, time.Millisecond)
	world.clock.pass(t, 30*time.Minute, 36*time.Minute)
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
	require.Eventually(t, func() bool { return world.status(hook).FailingSince.IsZero() }, 5*time.Second, time.Millisecond)
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
	world.clock.pass(t, 77*time.Second, 77*time.Second)
	require.Equal(t, "m1", receiver.next(t).Milestone)
	attempts := world.attempts(hook, 2)
	require.Contains(t, attempts[0].Reason, "429")
	require.Zero(t, world.status(hook).Failed)
}

// Who says that it is gone is disabled, and nothing is lost until it is enabled again.
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
	require.Eventually(t, func() bool { return world.webhook(hook).DisabledReason != "" }, 5*time.Second, time.Millisecond)
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
	for i := 0; world.webhook(hook).DisabledReason == ""; i++ {
		require.Less(t, i, 20)
		receiver.next(t)
		if world.clock.Now().Sub(newClock().now) >= disableAfter {
			require.Eventually(t, func() bool { return world.webhook(hook).DisabledReason != "" }, 5*time.Second, time.Millisecond)
			break
		}
		world.clock.pass(t, 5*time.Second, 30*time.Hour)
	}
	require.Contains(t, world.webhook(hook).DisabledReason, "five days")
	require.Contains(t, world.webhook(hook).DisabledReason, "502")
}

func TestBadReceivers(t *testing.T) {
	inner := newReceiver(t, nil)
	for name, test := range map[string]struct {
		answer func(w http.ResponseWriter, message receivedMessage)
		reason string
	}{
		"drops": {func(http.ResponseWriter, receivedMessage) { panic(http.ErrAbortHandler) }, "The connection was closed before a response"},
		"hangs": {func(http.ResponseWriter, receivedMessage) { time.Sleep(600 * time.Millisecond) }, "No response in time"},
		"redirects": {func(w http.ResponseWriter, _ receivedMessage) {
			w.Header().Set("Location", inner.URL)
			w.WriteHeader(307)
		}, "307"},
		"unready": {func(w http.ResponseWriter, _ receivedMessage) { w.WriteHeader(503) }, "503"},
	} {
		t.Run(name, func(t *testing.T) {
			world, receiver := newWorld(t), newReceiver(t, test.answer)
			hook := world.hook("ops", receiver.URL)
			world.plan("m1")
			attempt := world.attempts(hook, 1)[0]
			require.False(t, attempt.OK)
			require.Contains(t, attempt.Reason, test.reason)
			require.False(t, attempt.NextAt.IsZero())
		})
	}
	inner.nothing(t)
	t.Run("streams without end", func(t *testing.T) {
		world, receiver := newWorld(t), newReceiver(t, func(w http.ResponseWriter, _ receivedMessage) {
			for i := 0; i < 1<<20; i++ {
				if _, err := w.Write([]byte(strings.Repeat("x", 1024))); err != nil {
					return
				}
			}
		})
		hook := world.hook("ops", receiver.URL)
		world.plan("m1")
		attempt := world.attempts(hook, 1)[0]
		require.True(t, attempt.OK, attempt.Reason)
		require.Len(t, attempt.ResponseBody, formats.MaxRedactedBytes)
		require.NotEmpty(t, attempt.Note)
	})
	t.Run("private address", func(t *testing.T) {
		world, receiver := newWorld(t, func(cfg *Config) { cfg.Client = NewClient(nil) }), newReceiver(t, nil)
		hook := world.hook("ops", receiver.URL)
		world.plan("m1")
		require.Contains(t, world.attempts(hook, 1)[0].Reason, "are blocked")
		receiver.nothing(t)
	})
}

// Where people read, one event that fails does not hold up the others.
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
	require.Eventually(t, func() bool { return world.status(hook).Skipped == 1 }, 5*time.Second, time.Millisecond)
	world.clock.pass(t, 5*time.Second, 6*time.Second)
	require.Equal(t, "m1", receiver.next(t).Milestone)
	world.plan("m4")
	require.Equal(t, "m4", receiver.next(t).Milestone)
	cured.Store(true)
	world.clock.pass(t, 5*time.Minute, 6*time.Minute)
	require.Equal(t, "m1", receiver.next(t).Milestone)
	attempt := world.attempts(hook, 6)[5]
	require.True(t, attempt.OK)
	require.Equal(t, 3, attempt.Number)
	require.Eventually(t, func() bool { return world.status(hook).Skipped == 0 }, 5*time.Second, time.Millisecond)
}

// An endpoint that is down is left alone, and what piled up becomes one message where people read.
func TestBacklogBecomesOneMessage(t *testing.T) {
	var down atomic.Bool
	down.Store(true)
	world, receiver := newWorld(t), newReceiver(t, func(w http.ResponseWriter, message receivedMessage) {
		if down.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		answerOK(w, message)
	})
	hook := world.hook("room", receiver.URL, slackUnordered)
	world.plan("m1")
	receiver.next(t)
	down.Store(false)
	held := world.attempts(hook, 1)
	require.False(t, held[0].NextAt.IsZero())
	world.clock.pass(t, 5*time.Second, 6*time.Second)
	require.Contains(t, receiver.next(t).Raw, "Title m1")

	// The tool's rate lets few messages through; what comes meanwhile is one message.
	for i := range 40 {
		world.plan(fmt.Sprintf("n%d", i))
	}
	var list []Attempt
	for told := 0; told < 41; {
		list, told = world.attempts(hook, 2), 0
		for _, attempt := range list {
			if attempt.OK {
				told += len(attempt.Events)
			}
		}
		select {
		case <-receiver.messages:
		case <-time.After(20 * time.Millisecond):
			world.clock.mu.Lock()
			world.clock.advance(time.Second)
			world.clock.mu.Unlock()
		}
	}
	require.True(t, slices.ContainsFunc(list, func(attempt Attempt) bool { return attempt.Type == digestType && len(attempt.Events) > coalesceAbove }))
	require.Less(t, len(list), 30)
}

func TestDailyDigest(t *testing.T) {
	world, receiver := newWorld(t), newReceiver(t, nil)
	hook := world.hook("daily", receiver.URL, func(settings *domain.WebhookSettings) { settings.Digest = domain.Daily })
	world.plan("m1", "m2")
	// It is 09:00 in UTC, so 17:00 in Shanghai: fifteen hours to go.
	world.clock.pass(t, 14*time.Hour, 15*time.Hour)
	message := receiver.next(t)
	require.Equal(t, digestType, message.Type)
	data := message.Body["data"].(map[string]any)
	require.EqualValues(t, 2, data["count"])
	require.Len(t, world.attempts(hook, 1)[0].Events, 2)
	world.clock.pass(t, 23*time.Hour, 24*time.Hour)
	world.plan("m3")
	world.clock.pass(t, 23*time.Hour, 24*time.Hour)
	require.EqualValues(t, 1, receiver.next(t).Body["data"].(map[string]any)["count"], "nothing on a day without events")
	receiver.nothing(t)
}

func TestRequests(t *testing.T) {
	world, receiver := newWorld(t), newReceiver(t, nil)
	hook := world.hook("ops", receiver.URL)
	since := world.clock.Now()
	world.plan("m1", "m2", "m3")
	var ids []string
	for range 3 {
		ids = append(ids, receiver.next(t).ID)
	}
	position := world.attempts(hook, 3)[1].Events[0]
	world.do(xiaomi, domain.TestWebhook{WebhookRef: domain.WebhookRef{Partner: "xiaomi", Webhook: "ops"}})
	require.Equal(t, testType, receiver.next(t).Type)
	world.do(xiaomi, domain.ResendWebhook{WebhookRef: domain.WebhookRef{Partner: "xiaomi", Webhook: "ops"}, Message: ids[1]})
	require.Equal(t, ids[1], receiver.next(t).ID)
	world.do(xiaomi, domain.ReplayWebhook{WebhookRef: domain.WebhookRef{Partner: "xiaomi", Webhook: "ops"}, After: position})
	require.Equal(t, ids[2], receiver.next(t).ID)
	world.do(xiaomi, domain.ReplayWebhook{WebhookRef: domain.WebhookRef{Partner: "xiaomi", Webhook: "ops"}, Since: since})
	var again []string
	for i := 0; i < 3; {
		if message := receiver.next(t); message.Milestone != "" {
			again = append(again, message.ID)
			i++
		}
	}
	require.Equal(t, ids, again)
	world.do(xiaomi, domain.ResendWebhook{WebhookRef: domain.WebhookRef{Partner: "xiaomi", Webhook: "ops"}, Message: "unknown"})
	require.Eventually(t, func() bool {
		list, err := ReadAttempts(t.Context(), world.log, hook)
		require.NoError(t, err)
		return strings.Contains(list[0].Reason, "no longer in the attempt history")
	}, 5*time.Second, time.Millisecond)
}

// What is edited counts from then on, and what is removed leaves nothing behind.
func TestEditedAndRemovedWebhooks(t *testing.T) {
	world, receiver := newWorld(t), newReceiver(t, nil)
	world.agree("b")
	hook := world.hook("ops", receiver.URL, func(settings *domain.WebhookSettings) { settings.Agreements = []domain.AgreementID{"b"} })
	world.plan("unseen")
	world.do(xiaomi, domain.EditWebhook{WebhookRef: domain.WebhookRef{Partner: "xiaomi", Webhook: "ops"}, Agreements: &[]domain.AgreementID{"a", "b"}})
	require.Eventually(t, func() bool { return world.status(hook).Behind == 0 }, 5*time.Second, time.Millisecond)
	world.plan("seen")
	require.Equal(t, "seen", receiver.next(t).Milestone)
	world.attempts(hook, 1)
	world.do(xiaomi, domain.RemoveWebhook{WebhookRef: domain.WebhookRef{Partner: "xiaomi", Webhook: "ops"}})
	require.Eventually(t, func() bool {
		entries, err := world.log.Scan(t.Context(), projections.DirectoryOf("xiaomi"), "webhook-")
		require.NoError(t, err)
		return len(entries) == 0
	}, 5*time.Second, time.Millisecond)
	require.Empty(t, world.engine.Lanes())
}

// P7: one endpoint that hangs delays none of the others.
func TestOneHangingEndpointAmongTwenty(t *testing.T) {
	world := newWorld(t, func(cfg *Config) { cfg.AttemptTimeout, cfg.Workers, cfg.RetryWorkers = 20*time.Second, 4, 2 })
	release := make(chan struct{})
	hanging := newReceiver(t, func(http.ResponseWriter, receivedMessage) { <-release })
	t.Cleanup(func() { close(release) })
	world.hook("hangs", hanging.URL)
	var tools []*testReceiver
	for i := range 19 {
		receiver := newReceiver(t, nil)
		tools = append(tools, receiver)
		world.hook("ok"+string(rune('a'+i)), receiver.URL)
	}
	var names []string
	for i := range 25 {
		names = append(names, "m"+string(rune('a'+i)))
	}
	world.plan(names...)
	for _, receiver := range tools {
		require.Equal(t, names, receiver.milestones(t, len(names)))
	}
}

func TestStatusIsStored(t *testing.T) {
	world, receiver := newWorld(t), newReceiver(t, nil)
	hook := world.hook("ops", receiver.URL)
	world.plan("m1")
	receiver.next(t)
	world.attempts(hook, 1)
	lanes := world.engine.Lanes()
	require.Len(t, lanes, 1)
	require.Equal(t, hook, lanes[0].Ref)
	require.EqualValues(t, 1, lanes[0].Sent)
	status, err := ReadStatus(context.Background(), world.log, world.engine.cfg.Events, world.webhook(hook))
	require.NoError(t, err)
	require.EqualValues(t, 1, status.Sent)
}

// An endpoint that is down is asked only when the next attempt is due, however much comes.
func TestCircuitBreaker(t *testing.T) {
	world, receiver := newWorld(t), newReceiver(t, func(w http.ResponseWriter, _ receivedMessage) { w.WriteHeader(http.StatusInternalServerError) })
	hook := world.hook("room", receiver.URL, unordered)
	world.plan("m1", "m2", "m3", "m4", "m5")
	require.Equal(t, []string{"m1", "m2", "m3"}, receiver.milestones(t, 3))
	world.attempts(hook, breakerThreshold)
	receiver.nothing(t)
	world.clock.pass(t, 5*time.Second, 6*time.Second)
	require.Equal(t, "m1", receiver.next(t).Milestone, "the one that waits longest")
	world.attempts(hook, breakerThreshold+1)
	receiver.nothing(t)
}

// Where history is lost nothing is delivered, and the rest is; once the loss is accepted the delivery log says so.
func TestLostHistoryHaltsSending(t *testing.T) {
	world, receiver := newWorld(t), newReceiver(t, nil)
	world.agree("b")
	hook := world.hook("ops", receiver.URL)
	world.plan("m1")
	require.Equal(t, "m1", receiver.next(t).Milestone)
	world.attempts(hook, 1)
	partition := eventlog.PartitionOf("agreement/a")
	known := world.readModel.Head(partition)
	known.Seq++
	require.NoError(t, world.log.ReportLoss(t.Context(), eventlog.LostTailError{Partition: partition, Known: known, Stored: world.readModel.Head(partition)}))
	require.Eventually(t, func() bool { return world.readModel.OpenLosses() != nil }, 5*time.Second, time.Millisecond)
	in := domain.MilestoneRef{Agreement: "b", Project: "p", Milestone: "mb"}
	world.do(nokia, domain.PlanMilestone{MilestoneRef: in, Plan: domain.Plan{Title: "T", Owner: "nokia", DueOn: 20180330}})
	require.Equal(t, "mb", receiver.next(t).Milestone, "the rest is delivered")
	world.attempts(hook, 2)
	require.NoError(t, world.log.AcceptLoss(t.Context(), partition))
	world.ending = true
	world.stop()

	again := openWorld(t, world.log, world.clock)
	again.plan("m2")
	require.Equal(t, "m2", receiver.next(t).Milestone)
	require.Eventually(t, func() bool {
		return slices.ContainsFunc(again.attempts(hook, 3), func(attempt Attempt) bool { return attempt.Type == lossType })
	}, 5*time.Second, time.Millisecond)
	receiver.nothing(t)
}
