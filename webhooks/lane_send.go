package webhooks

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"tandem/domain"
)

// attempt sends a job and takes the consequences.
func (l *lane) attempt(ctx context.Context, j *job) {
	w, begun := l.webhook.Load(), l.engine.cfg.Now()
	a := Attempt{
		Delivery: j.delivery.ID, Type: j.delivery.Type, Number: l.number(j), StartedAt: begun.UTC(), Events: j.events,
	}
	l.limiter.AllowN(begun, 1)
	result := l.send(ctx, w, j.delivery, &a)
	if ctx.Err() != nil && !result.OK {
		return // it was this node that gave up
	}
	now := l.engine.cfg.Now()
	a.Duration = now.Sub(begun)
	a.OK, a.Reason, a.Note = result.OK, result.Reason, result.Note
	l.mu.Lock()
	defer l.mu.Unlock()
	if is := l.webhook.Load(); is != w && !result.OK && faceOf(is) != faceOf(w) {
		l.log(a) // of an endpoint that another one took the place of meanwhile, which is tried at once
		return
	}
	l.settle(w, j, result, now, &a)
	l.log(a)
}

// number returns which attempt at its delivery a job is.
func (l *lane) number(j *job) int {
	switch j.kind {
	case asideEvent:
		return l.rec.Aside[j.aside].Tried + 1
	case requested:
		return 1
	}
	return l.rec.Tried + 1
}

// send makes the request and reads the answer.
func (l *lane) send(ctx context.Context, w *domain.Webhook, d *Delivery, a *Attempt) Result {
	f, known := l.engine.cfg.Formats(w.Settings.Format)
	if !known {
		return Result{Reason: "This version of Tandem does not know the format " + w.Settings.Format + "."}
	}
	t, err := l.engine.cfg.Keyring.Target(w, a.StartedAt)
	if err != nil {
		return Result{Reason: "The address could not be opened: was the installation key changed?"}
	}
	r, err := f.Request(*d, t, a.StartedAt)
	if err != nil {
		return Result{Never: true, Reason: newRedactor(t, nil).text([]byte("No request could be made: " + err.Error()))}
	}
	defer l.engine.slot()()
	got, err := call(ctx, l.engine.cfg.Client, r, l.engine.cfg.AttemptTimeout)
	a.Status, a.details = got.status, exchange(t, r, got)
	if err != nil {
		return Result{Reason: newRedactor(t, r).text([]byte(sentence(err.Error())))}
	}
	result := f.Result(got.status, got.header, got.body, l.engine.cfg.Now())
	if result.Reason != "" || result.Note != "" {
		hide := newRedactor(t, r)
		result.Reason, result.Note = hide.text([]byte(result.Reason)), hide.text([]byte(result.Note))
	}
	if got.cut && result.OK && result.Note == "" {
		result.Note = "The answer did not end, and was not read to the end."
	}
	return result
}

// exchange returns what fills in what was sent and answered.
func exchange(t Target, r *http.Request, got answer) func(*Attempt) {
	if len(got.body) > maxRead {
		got.body = bytes.Clone(got.body[:maxRead])
	}
	return func(a *Attempt) {
		hide := newRedactor(t, r)
		a.Method, a.URL = r.Method, Redact(r.URL.String())
		a.RequestHeaders, a.RequestBody = hide.headers(r.Header), hide.text(signInBody.ReplaceAll(bodyOf(r), hiddenSign))
		a.ResponseHeaders, a.ResponseBody = hide.answered(got.header), hide.text(got.body)
	}
}

// sentence begins with a capital letter; what it is given are ASCII words.
func sentence(s string) string {
	if s != "" && s[0] >= 'a' && s[0] <= 'z' {
		return string(s[0]-'a'+'A') + s[1:]
	}
	return s
}

// settle moves the lane as the result asks, and notes when the same is tried again.
func (l *lane) settle(w *domain.Webhook, j *job, r Result, now time.Time, a *Attempt) {
	if !r.Slow {
		l.slow = 0
	}
	switch {
	case r.OK:
		l.succeed(j, r, now)
	case r.Slow && j.kind != requested:
		l.tried(j)
		l.rec.Next = now.Add(slowDown(l.slow, r.After))
		l.slow++
		a.NextAt = l.rec.Next
		if l.rec.Slowed.IsZero() {
			l.rec.Slowed = now
		}
		if now.Sub(l.rec.Slowed) >= patience && l.slow >= leastFailures {
			l.giveUp("Nothing was taken for five days. The last reason: " + r.Reason)
		}
	case j.kind == requested:
		l.rec.Failed++
		l.rec.Request = max(l.rec.Request, j.request)
	case r.Gone:
		l.rec.Failed++
		l.tried(j)
		l.giveUp(r.Reason)
	case r.Never && l.limits.Chat: // a program misses nothing: what refuses this may be mended
		l.rec.Failed++
		l.pass(j)
	default:
		a.NextAt = l.fail(w, j, r, now)
	}
	slow := a.Duration > l.engine.cfg.AttemptTimeout/4
	l.suspect.Store(l.rec.Failures > 0 || slow || !r.OK && j.kind == requested)
	l.engine.changed(l)
}

// succeed moves behind what was delivered. After anything that was taken, an endpoint that failed is tried at once.
func (l *lane) succeed(j *job, r Result, now time.Time) {
	l.rec.Delivered++
	l.rec.Slowed = time.Time{}
	if l.rec.Failures > 0 {
		l.rec.Failures, l.rec.Failing, l.rec.Next = 0, time.Time{}, time.Time{}
	}
	if r.After > 0 {
		l.rec.Next = now.Add(min(r.After, longestWish))
	}
	l.pass(j)
}

// pass moves behind a job for good.
func (l *lane) pass(j *job) {
	switch j.kind {
	case nextEvent:
		l.rec.Tried = 0
		l.rec.Progress.Pass(j.event)
		if len(l.queue) > 0 && l.queue[0].ID == j.event.ID {
			l.queue = l.queue[1:]
		}
	case asideEvent:
		l.rec.Aside = slices.Delete(l.rec.Aside, j.aside, j.aside+1)
	case wholeBatch:
		l.rec.Tried = 0
		l.endBatch()
	case requested:
		l.rec.Request = max(l.rec.Request, j.request)
	}
}

func (l *lane) tried(j *job) {
	if j.kind == asideEvent {
		l.rec.Aside[j.aside].Tried++
		return
	}
	l.rec.Tried++
}

// fail decides when to try again, and whether the lane waits until then. It returns when; zero for never.
func (l *lane) fail(w *domain.Webhook, j *job, r Result, now time.Time) time.Time {
	l.rec.Failed++
	l.rec.Failures++
	if l.rec.Failing.IsZero() {
		l.rec.Failing = now
	}
	if now.Sub(l.rec.Failing) >= patience && l.rec.Failures >= leastFailures {
		l.tried(j)
		l.giveUp("Nothing was taken for five days. The last reason: " + r.Reason)
		return time.Time{}
	}
	l.tried(j)
	goesAhead := w.Settings.Order == domain.SkipAhead && j.kind != wholeBatch
	if !goesAhead {
		l.rec.Next = now.Add(delay(l.rec.Failures, r.After))
		return l.rec.Next
	}
	if l.rec.Failures >= breakAfter {
		l.rec.Next = now.Add(delay(l.rec.Failures-breakAfter+1, r.After))
	}
	return l.putAside(j, r, now)
}

// putAside lets later events go ahead of one that failed.
func (l *lane) putAside(j *job, r Result, now time.Time) time.Time {
	if j.kind == nextEvent {
		l.rec.Aside = append(l.rec.Aside, aside{Position: j.events[0], Tried: l.rec.Tried})
		l.pass(j)
		j.kind, j.aside = asideEvent, len(l.rec.Aside)-1
	}
	x := &l.rec.Aside[j.aside]
	if x.Tried > len(schedule) {
		l.rec.Aside = slices.Delete(l.rec.Aside, j.aside, j.aside+1) // the delivery log says so: no next attempt
		return time.Time{}
	}
	x.Next = now.Add(delay(x.Tried, r.After))
	return x.Next
}

// giveUp has the webhook disabled.
func (l *lane) giveUp(reason string) {
	l.disable = script{size: countUnits}.write(flat(reason), 500)
}

// disableTime is how long having a webhook disabled may take, and then until it is tried again.
const disableTime = 10 * time.Second

// tellDisabled has the webhook disabled for all to see. Until that is done, nothing is sent. The lock is not held
// meanwhile: nothing else runs in a turn.
func (l *lane) tellDisabled(ctx context.Context) rest {
	ctx, cancel := context.WithTimeout(ctx, disableTime)
	defer cancel()
	reason := l.disable
	l.mu.Unlock()
	err := l.engine.cfg.Disable(ctx, l.ref, reason)
	l.mu.Lock()
	if err != nil {
		l.engine.cfg.Logger.Warn("a webhook could not be disabled; it is tried again",
			"partner", l.ref.Partner, "webhook", l.ref.Webhook, "reason", reason, "error", err)
		return rest{until: l.engine.cfg.Now().Add(disableTime), deaf: true}
	}
	l.disable = ""
	return rest{until: l.engine.cfg.Now().Add(disableTime), deaf: true} // or until the webhook's change is applied
}

// log keeps an attempt. The lock is held.
func (l *lane) log(a Attempt) {
	l.rec.Attempts++
	a.Sequence = l.rec.Attempts
	if a.Delivery == "" {
		a.Delivery = "note-" + strconv.Itoa(a.Sequence) // on the lane itself
	}
	if l.unkept == nil {
		l.unkept = map[int]Attempt{}
	}
	l.unkept[a.Sequence%KeptAttempts] = a
	l.engine.changed(l)
}
