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
)

func skipAhead(s *domain.WebhookSettings) { s.Order = domain.SkipAhead }

func chat(s *domain.WebhookSettings) { s.Format, s.Order = "slack", domain.SkipAhead }

func ok(w http.ResponseWriter, _ hit) { _, _ = w.Write([]byte("ok")) }

func TestEventsArriveInOrderAsInTheFeed(t *testing.T) {
	w, r := newWorld(t), newTool(t, nil)
	w.plan("before")
	hook := w.hook("ops", r.URL+"/in?key=0123456789abcdef")
	w.plan("m1", "m2", "m3")
	w.do(nokia, domain.StartMilestone{Ref: ref("m1")})
	w.do(nokia, domain.EditMilestone{Ref: ref("m1"), DueOn: new(domain.Date(20180415))})
	var hits []hit
	for range 5 {
		hits = append(hits, r.next(t))
	}
	feed, _, err := w.image.AgreementEvents(t.Context(), projections.Viewer{Partner: "xiaomi"}, "a", "", 100)
	require.NoError(t, err)
	events := feed.Events[len(feed.Events)-5:]
	for n, h := range hits {
		require.Equal(t, events[n].ID, h.ID)
		require.Equal(t, events[n].Type, h.Type)
		require.Contains(t, h.Header.Get("Webhook-Signature"), "v1,")
		var body struct {
			Timestamp time.Time
			Data      map[string]any
		}
		require.NoError(t, json.Unmarshal([]byte(h.Raw), &body))
		require.Equal(t, events[n].RecordedAt, body.Timestamp)
		want, err := json.Marshal(events[n])
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
	a := w.attempts(hook, 5)[4]
	require.Equal(t, hits[4].ID, a.Delivery)
	require.Equal(t, Attempt{
		Sequence: 5, Delivery: hits[4].ID, Type: "milestone.edited", Number: 1, StartedAt: a.StartedAt, OK: true, Status: 200,
		Method: "POST", URL: a.URL, RequestHeaders: a.RequestHeaders, ResponseHeaders: a.ResponseHeaders, RequestBody: hits[4].Raw, Events: []string{events[4].Position},
	}, a)
	require.Equal(t, "…", a.RequestHeaders["Webhook-Signature"])
	require.Contains(t, a.URL, "/…?key=…")
	require.Equal(t, "0", a.ResponseHeaders["Content-Length"])
	d, found, err := w.engine.Latest(t.Context(), w.webhook(hook))
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, hits[4].Raw, string(d.Body))
	require.Eventually(t, func() bool { return w.standing(hook).Delivered == 5 }, 5*time.Second, time.Millisecond)
	require.Zero(t, w.standing(hook).Behind)
}

func TestFilters(t *testing.T) {
	w := newWorld(t)
	w.agree("b")
	started, ofB, own, shared := newTool(t, nil), newTool(t, nil), newTool(t, nil), newTool(t, nil)
	w.hookOf(nokia, "started", started.URL, func(s *domain.WebhookSettings) { s.Events = []string{"milestone.started"} })
	w.hookOf(nokia, "of-b", ofB.URL, func(s *domain.WebhookSettings) { s.Agreements = []domain.AgreementID{"b"} })
	w.hookOf(nokia, "own", own.URL, func(s *domain.WebhookSettings) { s.IncludePrivate = true })
	w.hook("shared", shared.URL)
	w.plan("m1")
	w.do(nokia, domain.MoveForecast{Ref: ref("m1"), On: 20180410, Reason: "optics", Private: true})
	w.do(nokia, domain.StartMilestone{Ref: ref("m1")})
	in := domain.MilestoneRef{Agreement: "b", Project: "p", Milestone: "mb"}
	w.do(nokia, domain.PlanMilestone{Ref: in, Plan: domain.Plan{Title: "T", Owner: "nokia", DueOn: 20180330}})
	require.Equal(t, "milestone.started", started.next(t).Type)
	require.Equal(t, "mb", ofB.next(t).Milestone)
	types := func(r *tool, n int) (list []string) {
		for range n {
			list = append(list, r.next(t).Type)
		}
		return list
	}
	require.ElementsMatch(t, []string{"milestone.planned", "milestone.forecast_moved", "milestone.started", "milestone.planned"}, types(own, 4))
	require.ElementsMatch(t, []string{"milestone.planned", "milestone.started", "milestone.planned"}, types(shared, 3))
	for _, r := range []*tool{started, ofB, own, shared} {
		r.nothing(t)
	}
}

// What an ordered lane cannot deliver holds up the rest, and is tried again when the schedule says, with the same id.
func TestOrderedLanesWait(t *testing.T) {
	var answers atomic.Int32
	w, r := newWorld(t), newTool(t, func(w http.ResponseWriter, _ hit) {
		if answers.Add(1) <= 3 {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write([]byte("out of order: key-0123456789"))
		}
	})
	hook := w.hook("ops", r.URL+"/key-0123456789")
	w.plan("m1", "m2")
	first := r.next(t)
	w.clock.pass(t, 5*time.Second, 6*time.Second)
	require.Equal(t, first.ID, r.next(t).ID)
	w.clock.pass(t, 5*time.Minute, 6*time.Minute)
	r.next(t)
	require.Eventually(t, func() bool { return !w.standing(hook).Failing.IsZero() }, 5*time.Second, time.Millisecond)
	w.clock.pass(t, 30*time.Minute, 36*time.Minute)
	require.Equal(t, []string{"m1", "m2"}, r.milestones(t, 2))
	list := w.attempts(hook, 5)
	for n, a := range list[:3] {
		require.Equal(t, n+1, a.Number)
		require.Equal(t, first.ID, a.Delivery)
		require.False(t, a.OK)
		require.Contains(t, a.Reason, "500")
		require.True(t, a.NextAt.After(a.StartedAt))
		require.Equal(t, "out of order: …", a.ResponseBody, "the secret of the address is not shown")
	}
	require.Equal(t, 4, list[3].Number)
	require.Equal(t, 1, list[4].Number)
	require.Eventually(t, func() bool { return w.standing(hook).Failing.IsZero() }, 5*time.Second, time.Millisecond)
}

func TestRateAnswersAreNoFailures(t *testing.T) {
	var answers atomic.Int32
	w, r := newWorld(t), newTool(t, func(w http.ResponseWriter, _ hit) {
		if answers.Add(1) == 1 {
			w.Header().Set("Retry-After", "77")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	})
	hook := w.hook("ops", r.URL)
	w.plan("m1")
	r.next(t)
	w.clock.pass(t, 77*time.Second, 77*time.Second)
	require.Equal(t, "m1", r.next(t).Milestone)
	a := w.attempts(hook, 2)
	require.Contains(t, a[0].Reason, "429")
	require.Zero(t, w.standing(hook).Failed)
}

// Who says that it is gone is disabled, and nothing is lost until it is enabled again.
func TestGoneDisables(t *testing.T) {
	var back atomic.Bool
	w, r := newWorld(t), newTool(t, func(w http.ResponseWriter, _ hit) {
		if !back.Load() {
			w.WriteHeader(http.StatusGone)
		}
	})
	hook := w.hook("ops", r.URL)
	w.plan("m1")
	r.next(t)
	require.Eventually(t, func() bool { return w.webhook(hook).Disabled != "" }, 5*time.Second, time.Millisecond)
	require.Contains(t, w.webhook(hook).Disabled, "410")
	w.plan("m2")
	back.Store(true)
	w.do(xiaomi, domain.TestWebhook{Partner: "xiaomi", Webhook: "ops"})
	require.Equal(t, testType, r.next(t).Type, "tests are delivered nevertheless")
	w.do(xiaomi, domain.EnableWebhook{Partner: "xiaomi", Webhook: "ops"})
	require.Equal(t, []string{"m1", "m2"}, r.milestones(t, 2))
}

func TestFiveDaysOfFailureDisable(t *testing.T) {
	w, r := newWorld(t), newTool(t, func(w http.ResponseWriter, _ hit) { w.WriteHeader(http.StatusBadGateway) })
	hook := w.hook("ops", r.URL)
	w.plan("m1")
	for n := 0; w.webhook(hook).Disabled == ""; n++ {
		require.Less(t, n, 20)
		r.next(t)
		if w.clock.Now().Sub(newClock().now) >= patience {
			require.Eventually(t, func() bool { return w.webhook(hook).Disabled != "" }, 5*time.Second, time.Millisecond)
			break
		}
		w.clock.pass(t, 5*time.Second, 30*time.Hour)
	}
	require.Contains(t, w.webhook(hook).Disabled, "five days")
	require.Contains(t, w.webhook(hook).Disabled, "502")
}

func TestBadReceivers(t *testing.T) {
	inner := newTool(t, nil)
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter, h hit)
		reason string
	}{
		"drops":     {func(http.ResponseWriter, hit) { panic(http.ErrAbortHandler) }, "The connection was closed before an answer came"},
		"hangs":     {func(http.ResponseWriter, hit) { time.Sleep(600 * time.Millisecond) }, "No answer in time"},
		"redirects": {func(w http.ResponseWriter, _ hit) { w.Header().Set("Location", inner.URL); w.WriteHeader(307) }, "307"},
		"unready":   {func(w http.ResponseWriter, _ hit) { w.WriteHeader(503) }, "503"},
	} {
		t.Run(name, func(t *testing.T) {
			w, r := newWorld(t), newTool(t, c.answer)
			hook := w.hook("ops", r.URL)
			w.plan("m1")
			a := w.attempts(hook, 1)[0]
			require.False(t, a.OK)
			require.Contains(t, a.Reason, c.reason)
			require.False(t, a.NextAt.IsZero())
		})
	}
	inner.nothing(t)
	t.Run("streams without end", func(t *testing.T) {
		w, r := newWorld(t), newTool(t, func(w http.ResponseWriter, _ hit) {
			for n := 0; n < 1<<20; n++ {
				if _, err := w.Write([]byte(strings.Repeat("x", 1024))); err != nil {
					return
				}
			}
		})
		hook := w.hook("ops", r.URL)
		w.plan("m1")
		a := w.attempts(hook, 1)[0]
		require.True(t, a.OK, a.Reason)
		require.Len(t, a.ResponseBody, maxShown)
		require.NotEmpty(t, a.Note)
	})
	t.Run("private address", func(t *testing.T) {
		w, r := newWorld(t, func(c *Config) { c.Client = NewClient(nil) }), newTool(t, nil)
		hook := w.hook("ops", r.URL)
		w.plan("m1")
		require.Contains(t, w.attempts(hook, 1)[0].Reason, "may not be called")
		r.nothing(t)
	})
}

// Where people read, one event that fails does not hold up the others.
func TestSkipAhead(t *testing.T) {
	var cured atomic.Bool
	w, r := newWorld(t), newTool(t, func(w http.ResponseWriter, h hit) {
		if h.Milestone == "m1" && !cured.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	hook := w.hook("room", r.URL, skipAhead)
	w.plan("m1", "m2", "m3")
	require.Equal(t, []string{"m1", "m2", "m3"}, r.milestones(t, 3))
	require.Eventually(t, func() bool { return w.standing(hook).Aside == 1 }, 5*time.Second, time.Millisecond)
	w.clock.pass(t, 5*time.Second, 6*time.Second)
	require.Equal(t, "m1", r.next(t).Milestone)
	w.plan("m4")
	require.Equal(t, "m4", r.next(t).Milestone)
	cured.Store(true)
	w.clock.pass(t, 5*time.Minute, 6*time.Minute)
	require.Equal(t, "m1", r.next(t).Milestone)
	a := w.attempts(hook, 6)[5]
	require.True(t, a.OK)
	require.Equal(t, 3, a.Number)
	require.Eventually(t, func() bool { return w.standing(hook).Aside == 0 }, 5*time.Second, time.Millisecond)
}

// An endpoint that is down is left alone, and what piled up becomes one message where people read.
func TestWhatPilesUpIsSummedUp(t *testing.T) {
	var down atomic.Bool
	down.Store(true)
	w, r := newWorld(t), newTool(t, func(w http.ResponseWriter, h hit) {
		if down.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		ok(w, h)
	})
	hook := w.hook("room", r.URL, chat)
	w.plan("m1")
	r.next(t)
	down.Store(false)
	held := w.attempts(hook, 1)
	require.False(t, held[0].NextAt.IsZero())
	w.clock.pass(t, 5*time.Second, 6*time.Second)
	require.Contains(t, r.next(t).Raw, "Title m1")

	// The tool's rate lets few messages through; what comes meanwhile is one message.
	for n := range 40 {
		w.plan(fmt.Sprintf("n%d", n))
	}
	var list []Attempt
	for told := 0; told < 41; {
		list, told = w.attempts(hook, 2), 0
		for _, a := range list {
			if a.OK {
				told += len(a.Events)
			}
		}
		select {
		case <-r.hits:
		case <-time.After(20 * time.Millisecond):
			w.clock.mu.Lock()
			w.clock.advance(time.Second)
			w.clock.mu.Unlock()
		}
	}
	require.True(t, slices.ContainsFunc(list, func(a Attempt) bool { return a.Type == digestType && len(a.Events) > coalesceAt }))
	require.Less(t, len(list), 30)
}

func TestDailyDigest(t *testing.T) {
	w, r := newWorld(t), newTool(t, nil)
	hook := w.hook("daily", r.URL, func(s *domain.WebhookSettings) { s.Digest = domain.Daily })
	w.plan("m1", "m2")
	// It is 09:00 in UTC, so 17:00 in Shanghai: fifteen hours to go.
	w.clock.pass(t, 14*time.Hour, 15*time.Hour)
	h := r.next(t)
	require.Equal(t, digestType, h.Type)
	data := h.Body["data"].(map[string]any)
	require.EqualValues(t, 2, data["count"])
	require.Len(t, w.attempts(hook, 1)[0].Events, 2)
	w.clock.pass(t, 23*time.Hour, 24*time.Hour)
	w.plan("m3")
	w.clock.pass(t, 23*time.Hour, 24*time.Hour)
	require.EqualValues(t, 1, r.next(t).Body["data"].(map[string]any)["count"], "nothing on a day without events")
	r.nothing(t)
}

func TestRequests(t *testing.T) {
	w, r := newWorld(t), newTool(t, nil)
	hook := w.hook("ops", r.URL)
	since := w.clock.Now()
	w.plan("m1", "m2", "m3")
	var ids []string
	for range 3 {
		ids = append(ids, r.next(t).ID)
	}
	position := w.attempts(hook, 3)[1].Events[0]
	w.do(xiaomi, domain.TestWebhook{Partner: "xiaomi", Webhook: "ops"})
	require.Equal(t, testType, r.next(t).Type)
	w.do(xiaomi, domain.Redeliver{Partner: "xiaomi", Webhook: "ops", Delivery: ids[1]})
	require.Equal(t, ids[1], r.next(t).ID)
	w.do(xiaomi, domain.ReplayWebhook{Partner: "xiaomi", Webhook: "ops", After: position})
	require.Equal(t, ids[2], r.next(t).ID)
	w.do(xiaomi, domain.ReplayWebhook{Partner: "xiaomi", Webhook: "ops", Since: since})
	var again []string
	for n := 0; n < 3; {
		if h := r.next(t); h.Milestone != "" {
			again = append(again, h.ID)
			n++
		}
	}
	require.Equal(t, ids, again)
	w.do(xiaomi, domain.Redeliver{Partner: "xiaomi", Webhook: "ops", Delivery: "unknown"})
	require.Eventually(t, func() bool {
		list, err := Attempts(t.Context(), w.log, hook)
		require.NoError(t, err)
		return strings.Contains(list[0].Reason, "not in the log any more")
	}, 5*time.Second, time.Millisecond)
}

// What is edited counts from then on, and what is removed leaves nothing behind.
func TestEditedAndRemovedWebhooks(t *testing.T) {
	w, r := newWorld(t), newTool(t, nil)
	w.agree("b")
	hook := w.hook("ops", r.URL, func(s *domain.WebhookSettings) { s.Agreements = []domain.AgreementID{"b"} })
	w.plan("unseen")
	w.do(xiaomi, domain.EditWebhook{Partner: "xiaomi", Webhook: "ops", Agreements: &[]domain.AgreementID{"a", "b"}})
	require.Eventually(t, func() bool { return w.standing(hook).Behind == 0 }, 5*time.Second, time.Millisecond)
	w.plan("seen")
	require.Equal(t, "seen", r.next(t).Milestone)
	w.attempts(hook, 1)
	w.do(xiaomi, domain.RemoveWebhook{Partner: "xiaomi", Webhook: "ops"})
	require.Eventually(t, func() bool {
		entries, err := w.log.Scan(t.Context(), projections.DirectoryOf("xiaomi"), "webhook-")
		require.NoError(t, err)
		return len(entries) == 0
	}, 5*time.Second, time.Millisecond)
	require.Empty(t, w.engine.Lanes())
}

// P7: one endpoint that hangs delays none of the others.
func TestOneHangingEndpointAmongTwenty(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.AttemptTimeout, c.First, c.Again = 20*time.Second, 4, 2 })
	release := make(chan struct{})
	hanging := newTool(t, func(http.ResponseWriter, hit) { <-release })
	t.Cleanup(func() { close(release) })
	w.hook("hangs", hanging.URL)
	var tools []*tool
	for n := range 19 {
		r := newTool(t, nil)
		tools = append(tools, r)
		w.hook("ok"+string(rune('a'+n)), r.URL)
	}
	var names []string
	for n := range 25 {
		names = append(names, "m"+string(rune('a'+n)))
	}
	w.plan(names...)
	for _, r := range tools {
		require.Equal(t, names, r.milestones(t, len(names)))
	}
}

func TestStandingIsKept(t *testing.T) {
	w, r := newWorld(t), newTool(t, nil)
	hook := w.hook("ops", r.URL)
	w.plan("m1")
	r.next(t)
	w.attempts(hook, 1)
	lanes := w.engine.Lanes()
	require.Len(t, lanes, 1)
	require.Equal(t, hook, lanes[0].Ref)
	require.EqualValues(t, 1, lanes[0].Delivered)
	s, err := StandingOf(context.Background(), w.log, w.image, w.webhook(hook))
	require.NoError(t, err)
	require.EqualValues(t, 1, s.Delivered)
}

// An endpoint that is down is asked only when the next attempt is due, however much comes.
func TestAnEndpointThatIsDownIsLeftAlone(t *testing.T) {
	w, r := newWorld(t), newTool(t, func(w http.ResponseWriter, _ hit) { w.WriteHeader(http.StatusInternalServerError) })
	hook := w.hook("room", r.URL, skipAhead)
	w.plan("m1", "m2", "m3", "m4", "m5")
	require.Equal(t, []string{"m1", "m2", "m3"}, r.milestones(t, 3))
	w.attempts(hook, breakAfter)
	r.nothing(t)
	w.clock.pass(t, 5*time.Second, 6*time.Second)
	require.Equal(t, "m1", r.next(t).Milestone, "the one that waits longest")
	w.attempts(hook, breakAfter+1)
	r.nothing(t)
}

// Where history is lost nothing is delivered, and the rest is; once the loss is accepted the delivery log says so.
func TestLostHistoryHaltsItsDeliveries(t *testing.T) {
	w, r := newWorld(t), newTool(t, nil)
	w.agree("b")
	hook := w.hook("ops", r.URL)
	w.plan("m1")
	require.Equal(t, "m1", r.next(t).Milestone)
	w.attempts(hook, 1)
	p := eventlog.PartitionOf("agreement/a")
	known := w.image.Head(p)
	known.Seq++
	require.NoError(t, w.log.ReportLoss(t.Context(), eventlog.LostTailError{Partition: p, Known: known, Stored: w.image.Head(p)}))
	require.Eventually(t, func() bool { return w.image.Lost() != nil }, 5*time.Second, time.Millisecond)
	in := domain.MilestoneRef{Agreement: "b", Project: "p", Milestone: "mb"}
	w.do(nokia, domain.PlanMilestone{Ref: in, Plan: domain.Plan{Title: "T", Owner: "nokia", DueOn: 20180330}})
	require.Equal(t, "mb", r.next(t).Milestone, "the rest is delivered")
	w.attempts(hook, 2)
	require.NoError(t, w.log.AcceptLoss(t.Context(), p))
	w.ending = true
	w.stop()

	again := openWorld(t, w.log, w.clock)
	again.plan("m2")
	require.Equal(t, "m2", r.next(t).Milestone)
	require.Eventually(t, func() bool {
		return slices.ContainsFunc(again.attempts(hook, 3), func(a Attempt) bool { return a.Type == lossType })
	}, 5*time.Second, time.Millisecond)
	r.nothing(t)
}
