package webhooks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tandem/domain"
	"tandem/projections"
)

// coalesces reports whether what waits becomes one message.
func (l *lane) coalesces(w *domain.Webhook) bool {
	if w.Settings.Order != domain.SkipAhead || !l.limits.Chat {
		return false
	}
	n := 0
	for _, o := range l.queue {
		if wants(w, o) {
			n++
		}
	}
	return n > coalesceAt
}

// digest sums up what happened until the last time at which a digest was due.
func (l *lane) digest(ctx context.Context, w *domain.Webhook, now time.Time) (*job, rest, error) {
	zone := l.engine.cfg.Image.Zone(l.ref.Partner)
	if l.rec.Digested.IsZero() {
		l.rec.Digested = digestTime(w.Since, zone, w.Settings.Digest)
	}
	if due := digestTime(now, zone, w.Settings.Digest); due.After(l.rec.Digested) {
		j, err := l.beginBatch(ctx, w, due)
		return j, rest{again: true}, err
	}
	return nil, rest{until: nextDigest(now, zone, w.Settings.Digest), deaf: true}, nil
}

// beginBatch fixes what the next message sums up. When there is nothing, there is no message.
func (l *lane) beginBatch(ctx context.Context, w *domain.Webhook, until time.Time) (*job, error) {
	l.queue = nil
	upTo, o := l.rec.Progress.Clone(), outlook(w)
	o.Until = until
	list, lost, more, err := l.collect(ctx, w, o, &upTo)
	if err != nil {
		return nil, err
	}
	l.noteLost(lost)
	l.engine.changed(l)
	if len(list) == 0 {
		l.rec.Progress, l.rec.Digested = upTo, until
		return nil, nil
	}
	l.rec.Batch = &batch{ID: digestID(list), UpTo: upTo, At: list[len(list)-1].RecordedAt}
	if !more {
		l.rec.Batch.Ends = until
	}
	return l.say(ctx, w, list)
}

// sumUp reads again what a message under way sums up. While history is lost anywhere, it may not be whole.
func (l *lane) sumUp(ctx context.Context, w *domain.Webhook) (*job, error) {
	if l.engine.cfg.Image.Lost() != nil {
		return nil, errLost
	}
	at, o := l.rec.Progress.Clone(), outlook(w)
	o.UpTo = &l.rec.Batch.UpTo
	list, _, _, err := l.collect(ctx, w, o, &at)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 { // what it asks for has changed since, or history was lost
		l.endBatch()
		return nil, nil
	}
	return l.say(ctx, w, list)
}

func (l *lane) say(ctx context.Context, w *domain.Webhook, list []projections.Occurrence) (*job, error) {
	d, err := l.engine.source.digest(ctx, w, l.rec.Batch, list)
	if err != nil {
		return nil, err
	}
	j := &job{kind: wholeBatch, delivery: d}
	for _, o := range list {
		j.events = append(j.events, o.Position())
	}
	return j, nil
}

// endBatch moves behind what was summed up.
func (l *lane) endBatch() {
	b := l.rec.Batch
	l.rec.Progress, l.rec.Batch = b.UpTo, nil
	if !b.Ends.IsZero() {
		l.rec.Digested = b.Ends
	}
	l.engine.changed(l)
}

// collect returns what the webhook asks for from a progress on, which moves, up to maxDigest events. More says that
// there may be more.
func (l *lane) collect(ctx context.Context, w *domain.Webhook, o projections.Outlook, at *projections.Progress) (
	list []projections.Occurrence, lost []domain.AgreementID, more bool, err error,
) {
	for {
		chunk, gone, err := l.engine.cfg.Image.Upcoming(ctx, o, at)
		if err != nil || len(chunk) == 0 {
			return list, append(lost, gone...), false, err
		}
		lost = append(lost, gone...)
		for _, x := range chunk {
			if len(list) == maxDigest {
				return list, lost, true, nil
			}
			if at.Pass(x); wants(w, x) {
				list = append(list, x)
			}
		}
	}
}

// heldBack returns how long the tool's rate, or what it wished for itself, lets nothing through. That an endpoint
// is down holds no test back: it is how to find out whether it is up again.
func (l *lane) heldBack(now time.Time) time.Duration {
	wait := l.paced(now)
	if l.rec.Failures == 0 {
		wait = max(wait, l.rec.Next.Sub(now))
	}
	return wait
}

// awaited reports whether a manager asked for something that is to be sent.
func (l *lane) awaited(w *domain.Webhook) bool {
	return slices.ContainsFunc(w.Requests, func(r domain.WebhookRequest) bool {
		return r.Number > l.rec.Request && r.Kind != domain.Replay
	})
}

// asked returns the next thing that a manager asked for. Replays are done at once.
func (l *lane) asked(ctx context.Context, w *domain.Webhook) (*job, error) {
	for _, r := range w.Requests {
		if r.Number <= l.rec.Request {
			continue
		}
		l.notePushedOut(r.Number - l.rec.Request - 1)
		l.rec.Request = r.Number - 1
		if r.Kind == domain.Replay && l.engine.cfg.Image.Lost() != nil {
			return nil, nil // it could not move where history is lost; deliveries go on elsewhere meanwhile
		}
		j, err := l.request(ctx, w, r)
		if err != nil {
			return nil, err
		}
		if j != nil {
			j.kind, j.request = requested, r.Number
			return j, nil
		}
		l.rec.Request = r.Number
		l.engine.changed(l)
	}
	return nil, nil
}

// notePushedOut says that a webhook remembers only so many requests.
func (l *lane) notePushedOut(n int) {
	if n > 0 {
		l.log(Attempt{
			Type: "webhook.requests_dropped", StartedAt: l.engine.cfg.Now().UTC(),
			Reason: fmt.Sprintf("%d request(s) for tests, redeliveries or replays were dropped: more came than could be done. Ask again.", n),
		})
	}
}

func (l *lane) request(ctx context.Context, w *domain.Webhook, r domain.WebhookRequest) (*job, error) {
	switch r.Kind {
	case domain.TestDelivery:
		d, err := l.engine.source.test(w, r)
		return &job{delivery: d}, err
	case domain.Redelivery:
		return l.redeliver(ctx, w, r)
	case domain.Replay:
		l.queue, l.rec.Batch = nil, nil
		err := l.engine.cfg.Image.Rewind(outlook(w), &l.rec.Progress, r.After, r.Time)
		if err != nil {
			l.refuse(r, "Replay: "+err.Error())
			return nil, nil
		}
		l.rec.Tried, l.rec.Next = 0, time.Time{}
	}
	return nil, nil
}

// refuse says in the delivery log why a request comes to nothing.
func (l *lane) refuse(r domain.WebhookRequest, why string) {
	l.log(Attempt{Type: "webhook." + string(r.Kind), Delivery: r.Delivery, StartedAt: l.engine.cfg.Now().UTC(), Reason: why})
}

// redeliver finds what a delivery of the log was about.
func (l *lane) redeliver(ctx context.Context, w *domain.Webhook, r domain.WebhookRequest) (*job, error) {
	of, err := l.attemptAt(ctx, r.Delivery)
	if err != nil {
		return nil, err
	}
	var list []projections.Occurrence
	for _, position := range of.Events {
		o, found, err := l.engine.cfg.Image.Occurrence(ctx, l.ref.Partner, position)
		if err != nil && !errors.Is(err, projections.ErrPositionLost) {
			return nil, err
		}
		if found {
			list = append(list, o)
		}
	}
	if len(list) == 0 || len(list) != len(of.Events) {
		l.refuse(r, "This delivery is not in the log any more, so it is not known what it was about.")
		return nil, nil
	}
	if slices.ContainsFunc(list, func(o projections.Occurrence) bool { return !wants(w, o) }) {
		l.refuse(r, "The webhook does not ask for this any more.")
		return nil, nil
	}
	if of.Type != digestType {
		return l.single(ctx, w, requested, list[0])
	}
	d, err := l.engine.source.digest(ctx, w, &batch{ID: r.Delivery, At: list[len(list)-1].RecordedAt}, list)
	return &job{delivery: d, events: of.Events}, err
}

// attemptAt returns the latest attempt at a delivery; the zero Attempt if none is known.
func (l *lane) attemptAt(ctx context.Context, delivery string) (latest Attempt, err error) {
	kept, err := Attempts(ctx, l.engine.cfg.Log, l.ref)
	if err != nil {
		return latest, err
	}
	for _, a := range l.unkept {
		kept = append(kept, a)
	}
	for _, a := range kept {
		if a.Delivery == delivery && len(a.Events) > 0 && a.Sequence > latest.Sequence {
			latest = a
		}
	}
	return latest, nil
}
