package webhooks

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
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
func TestWhatWasPutAsideIsAskedForStill(t *testing.T) {
	for name, edit := range map[string]domain.EditWebhook{
		"private": {IncludePrivate: new(false)},
		"events":  {Events: &[]string{"milestone.started"}},
	} {
		t.Run(name, func(t *testing.T) {
			var cured atomic.Bool
			w, r := newWorld(t), newTool(t, func(w http.ResponseWriter, _ hit) {
				if !cured.Load() {
					w.WriteHeader(http.StatusInternalServerError)
				}
			})
			w.plan("m1")
			hook := w.hookOf(nokia, "room", r.URL, func(s *domain.WebhookSettings) { s.Order, s.IncludePrivate = domain.SkipAhead, true })
			w.do(nokia, domain.MoveForecast{Ref: ref("m1"), On: 20180410, Reason: "optics are late", Private: true})
			secret := r.next(t)
			require.Contains(t, secret.Raw, "optics are late")
			require.Eventually(t, func() bool { return w.standing(hook).Aside == 1 }, 5*time.Second, time.Millisecond)
			edit.Partner, edit.Webhook = "nokia", "room"
			w.do(nokia, edit)
			cured.Store(true)
			w.clock.pass(t, 5*time.Second, 6*time.Second)
			w.do(nokia, domain.StartMilestone{Ref: ref("m1")})
			require.Equal(t, "milestone.started", r.next(t).Type)
			require.Eventually(t, func() bool { return w.standing(hook).Aside == 0 }, 5*time.Second, time.Millisecond)

			w.do(nokia, domain.Redeliver{Partner: "nokia", Webhook: "room", Delivery: secret.ID})
			require.Eventually(t, func() bool {
				list, err := Attempts(t.Context(), w.log, hook)
				require.NoError(t, err)
				return len(list) > 0 && list[0].Type == "webhook.redeliver" || len(r.hits) > 0
			}, 5*time.Second, time.Millisecond)
			r.nothing(t)
		})
	}
}

// P8: a record that cannot be read stops one webhook, with a notice, and no other.
func TestARecordThatCannotBeReadStopsNoOtherLane(t *testing.T) {
	r, other := newTool(t, nil), newTool(t, nil)
	w := newWorld(t)
	bad := w.hook("bad", r.URL)
	w.hook("good", other.URL)
	w.plan("m1")
	r.next(t)
	other.next(t)
	w.attempts(bad, 1)
	require.NoError(t, w.delivering.end())
	w.delivering = nil
	p := projections.DirectoryOf("xiaomi")
	require.NoError(t, w.bus.Keep(t.Context(), p, []eventlog.KV{
		{Key: laneKey(bad), Value: []byte(`{"progress":[1]}`)}, {Key: attemptPrefix(bad) + "07", Value: []byte("?")},
	}))
	_, err := StandingOf(t.Context(), w.log, w.image, w.webhook(bad))
	require.NoError(t, err)
	require.Len(t, w.attempts(bad, 1), 1, "the rest of the delivery log can be read")
	w.stop()

	again := openWorld(t, w.log, w.clock)
	again.plan("m2")
	require.Equal(t, "m2", other.next(t).Milestone)
	require.Eventually(t, func() bool { return again.webhook(bad).Disabled != "" }, 5*time.Second, time.Millisecond)
	require.Contains(t, again.webhook(bad).Disabled, "could not be read")
	r.nothing(t)
	again.do(xiaomi, domain.EnableWebhook{Partner: "xiaomi", Webhook: "bad"})
	require.Equal(t, []string{"m1", "m2"}, r.milestones(t, 2), "nothing is left out")
}

// What a manager asks for keeps to the tool's rate, too: DingTalk shuts a bot out for ten minutes.
func TestTestsKeepToTheRate(t *testing.T) {
	w, r := newWorld(t), newTool(t, func(w http.ResponseWriter, _ hit) { _, _ = w.Write([]byte(`{"errcode":0}`)) })
	w.hook("room", r.URL+"/?key=x", func(s *domain.WebhookSettings) { s.Format, s.Order = "wecom", domain.SkipAhead })
	for range 8 {
		w.do(xiaomi, domain.TestWebhook{Partner: "xiaomi", Webhook: "room"})
	}
	for range 4 {
		r.next(t)
	}
	w.clock.pass(t, time.Second, 4*time.Second)
	r.next(t)
	r.nothing(t)
}

// P6: a program is never passed over because of what something on the way says of the size, or of a secret.
func TestProgramsAreNotPassedOver(t *testing.T) {
	var answers atomic.Int32
	w, r := newWorld(t), newTool(t, func(w http.ResponseWriter, _ hit) {
		if answers.Add(1) == 1 {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
	})
	hook := w.hook("ops", r.URL)
	w.plan("m1", "m2")
	require.Equal(t, "m1", r.next(t).Milestone)
	require.False(t, w.attempts(hook, 1)[0].NextAt.IsZero())
	w.clock.pass(t, 5*time.Second, 6*time.Second)
	require.Equal(t, []string{"m1", "m2"}, r.milestones(t, 2))
}

// A clock that was ahead when an attempt failed does not hold the lane up until then.
func TestAClockThatGoesBack(t *testing.T) {
	var down atomic.Bool
	down.Store(true)
	r := newTool(t, func(w http.ResponseWriter, _ hit) {
		if down.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	log, c := eventlogtest.NewMemory(), newClock()
	w := openWorld(t, log, c)
	w.agree("a")
	hook, room := w.hook("ops", r.URL), w.hook("room", r.URL, skipAhead)
	right := c.Now()
	c.mu.Lock()
	c.advance(1000 * 24 * time.Hour)
	c.mu.Unlock()
	w.plan("m1")
	r.milestones(t, 2)
	w.attempts(hook, 1)
	w.attempts(room, 1)
	w.stop()
	c.mu.Lock()
	c.now, c.pending = right, nil
	c.mu.Unlock()
	down.Store(false)
	openWorld(t, log, c)
	require.Equal(t, []string{"m1", "m1"}, r.milestones(t, 2))
}

// Five days of failure are five days of trying: a time in which nothing ran, or nothing was to be said, is none.
func TestATimeOffIsNoFailure(t *testing.T) {
	r := newTool(t, func(w http.ResponseWriter, _ hit) { w.WriteHeader(http.StatusInternalServerError) })
	w := newWorld(t)
	hook := w.hook("ops", r.URL)
	w.plan("m1")
	r.next(t)
	w.attempts(hook, 1)
	w.stop()
	w.clock.mu.Lock()
	w.clock.advance(6 * 24 * time.Hour)
	w.clock.mu.Unlock()
	again := openWorld(t, w.log, w.clock)
	r.next(t)
	require.False(t, again.attempts(hook, 2)[1].NextAt.IsZero())
	require.Empty(t, again.webhook(hook).Disabled)
}

// Secrets are not kept in whatever form an endpoint says them again.
func TestEchoesAreRedacted(t *testing.T) {
	tg := Target{URL: "https://chat.example/hooks/T0K%2FEN%20one?key=a%2Bb%2Bc%2Bd%2Be", Secrets: []string{"bot@chat.example:Zulip-Api-Key"}}
	q := httptest.NewRequest(http.MethodPost, tg.URL, strings.NewReader(`{"sign":"c2lnbmF0dXJl"}`))
	q.GetBody = nil
	q.SetBasicAuth("bot@chat.example", "Zulip-Api-Key")
	q.Header.Set("Webhook-Signature", "v1,c2lnbmF0dXJl v1,b2xkc2lnbmF0dXJl")
	hide := newRedactor(tg, q)
	require.Equal(t, "v1,… v1,…", hide.text([]byte(q.Header.Get("Webhook-Signature"))))
	echo := `{"url":"https:\/\/chat.example\/hooks\/T0K%2FEN%20one?key=a%2Bb%2Bc%2Bd%2Be","token":"T0K/EN one","json":"T0K\/EN one","key":"a+b+c+d+e",` +
		`"invalid":"Zulip-Api-Key","auth":"` + q.Header.Get("Authorization") + `","twice":"T0K%252FEN%2520one","upper":"https://CHAT.example/hooks/T0K%2fEN%20one"}`
	shown := hide.text([]byte(echo))
	for _, secret := range []string{"T0K", "a%2B", "a+b", "Zulip-Api-Key", strings.TrimPrefix(q.Header.Get("Authorization"), "Basic ")} {
		require.NotContains(t, shown, secret)
	}
	require.True(t, json.Valid([]byte(shown)), shown)

	long := strings.Repeat(tg.URL+" ", 3*maxShown/len(tg.URL))
	require.NotContains(t, hide.text([]byte(long[:2*maxShown])), "T0K", "a secret is not cut before it is looked for")
}

// What an agreement has to tell from the time on at which it was chosen is told, however busy the lane is meanwhile.
func TestAgreementsBeginWhenTheyAreChosen(t *testing.T) {
	entered, release := make(chan struct{}, 10), make(chan struct{})
	w, r := newWorld(t, func(c *Config) { c.AttemptTimeout = 20 * time.Second }), newTool(t, func(http.ResponseWriter, hit) {
		entered <- struct{}{}
		<-release
	})
	w.agree("b")
	in := func(id string) domain.PlanMilestone {
		return domain.PlanMilestone{
			Ref: domain.MilestoneRef{Agreement: "b", Project: "p", Milestone: domain.MilestoneID(id)}, Plan: domain.Plan{Title: "T", Owner: "nokia", DueOn: 20180330},
		}
	}
	tick := func() {
		w.clock.mu.Lock()
		w.clock.advance(time.Second)
		w.clock.mu.Unlock()
	}
	w.hook("ops", r.URL, func(s *domain.WebhookSettings) { s.Agreements = []domain.AgreementID{"a"} })
	w.plan("m1")
	<-entered
	w.do(nokia, in("before"))
	tick()
	w.do(xiaomi, domain.EditWebhook{Partner: "xiaomi", Webhook: "ops", Agreements: &[]domain.AgreementID{"a", "b"}})
	tick()
	w.do(nokia, in("after"))
	close(release)
	require.Equal(t, []string{"m1", "after"}, r.milestones(t, 2))
	r.nothing(t)
}

// Another endpoint is not disabled because of what the one before it said.
func TestAnotherAddressIsNotDisabledForTheOldOne(t *testing.T) {
	entered, release := make(chan struct{}, 10), make(chan struct{})
	w, old := newWorld(t, func(c *Config) { c.AttemptTimeout = 20 * time.Second }), newTool(t, func(w http.ResponseWriter, _ hit) {
		entered <- struct{}{}
		<-release
		w.WriteHeader(http.StatusGone)
	})
	now := newTool(t, nil)
	hook := w.hook("ops", old.URL)
	w.plan("m1")
	<-entered
	place := "http://127.0.0.1/…"
	w.do(xiaomi, domain.EditWebhook{Partner: "xiaomi", Webhook: "ops", Address: w.keyring.SealAddress(hook, now.URL), Place: &place})
	close(release)
	require.Equal(t, "m1", now.next(t).Milestone)
	w.attempts(hook, 2)
	require.Empty(t, w.webhook(hook).Disabled)
}

// P7: endpoints that take everything, but slowly, hold up only one another.
func TestSlowEndpointsHoldUpOnlyOneAnother(t *testing.T) {
	w := openWorld(t, eventlogtest.NewMemory(), &clock{real: true, asked: make(chan struct{})}, func(c *Config) { c.First, c.Again = 2, 2 })
	w.agree("a")
	for n := range 4 {
		s := newTool(t, func(http.ResponseWriter, hit) { time.Sleep(150 * time.Millisecond) })
		w.hook("slow"+string(rune('a'+n)), s.URL)
	}
	fast := newTool(t, nil)
	w.hook("the-fast-one", fast.URL)
	var names []string
	for n := range 26 {
		names = append(names, "m"+string(rune('a'+n)))
	}
	w.plan(names...)
	w.deliver()
	begun := time.Now()
	require.Equal(t, names, fast.milestones(t, len(names)))
	require.Less(t, time.Since(begun), 2*time.Second, "a turn of a slow one takes four")
}

// Who says for five days that it is too much takes nothing either.
func TestFiveDaysOfTooMuchDisable(t *testing.T) {
	w, r := newWorld(t), newTool(t, func(w http.ResponseWriter, _ hit) {
		w.Header().Set("Retry-After", "86400")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	hook := w.hook("ops", r.URL)
	w.plan("m1")
	for range 5 {
		r.next(t)
		w.clock.pass(t, 24*time.Hour, 24*time.Hour)
	}
	r.next(t)
	require.Eventually(t, func() bool { return w.webhook(hook).Disabled != "" }, 5*time.Second, time.Millisecond)
	require.Contains(t, w.webhook(hook).Disabled, "five days")
	require.Contains(t, w.webhook(hook).Disabled, "429")
}

// What was asked for faster than it can be done is not forgotten without a word.
func TestRequestsThatArePushedOutAreTold(t *testing.T) {
	var down atomic.Bool
	entered, release := make(chan struct{}, 100), make(chan struct{})
	down.Store(true)
	w, r := newWorld(t, func(c *Config) { c.AttemptTimeout = 20 * time.Second }), newTool(t, func(http.ResponseWriter, hit) {
		if down.Swap(false) {
			entered <- struct{}{}
			<-release
		}
	})
	hook := w.hook("ops", r.URL)
	w.plan("m1")
	<-entered
	w.do(xiaomi, domain.ReplayWebhook{Partner: "xiaomi", Webhook: "ops", Since: w.clock.Now()})
	for range 16 {
		w.do(xiaomi, domain.TestWebhook{Partner: "xiaomi", Webhook: "ops"})
	}
	close(release)
	for range 17 {
		r.next(t)
	}
	list := w.attempts(hook, 18)
	require.Contains(t, list[1].Reason, "1 request(s)")
	r.nothing(t)
}

// A partner that moves has its digest at eight where it is now.
func TestADigestMovesWithItsPartner(t *testing.T) {
	w, r := newWorld(t), newTool(t, nil)
	w.hook("daily", r.URL, func(s *domain.WebhookSettings) { s.Digest = domain.Daily })
	w.plan("m1")
	require.Eventually(t, func() bool { return w.clock.awaited(14*time.Hour, 15*time.Hour) }, 5*time.Second, time.Millisecond, "08:00 in Shanghai")
	zone := "UTC"
	w.do(xiaomi, domain.EditPartner{ID: "xiaomi", TimeZone: &zone})
	w.clock.pass(t, 22*time.Hour, 23*time.Hour)
	require.Equal(t, digestType, r.next(t).Type)
}

// awaited reports whether somebody waits for a time between the two from now on.
func (c *clock) awaited(least, most time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.pending, func(a alarm) bool {
		d := a.at.Sub(c.now)
		return d >= least && d <= most
	})
}
