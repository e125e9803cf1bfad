package webhooks

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
)

const (
	lookAhead  = 64 // events that are read at once
	turnLength = 32 // deliveries, then other lanes have their turn
	coalesceAt = 5  // more waiting messages than this become one, where people read them
	maxDigest  = 100
	maxAside   = 32 // more failed events than this, and the lane waits
	breakAfter = 3  // failures in a row after which nothing is sent before the next attempt is due
)

// lane delivers to one webhook, one thing at a time and in order.
//
// It is a cursor: the log is the queue. All that it must not forget is in its record, which the engine keeps
// after it has changed; after a crash, what was delivered since the last keeping is delivered again under the
// same ids.
//
// Behind an event that cannot be delivered an ordered lane waits. One that skips ahead puts it aside, goes on,
// and tries it again when it is due; only after several failures in a row it waits, too: the endpoint is
// down then, not the message bad. What piles up where people read becomes one message.
type lane struct {
	engine  *Engine
	ref     domain.WebhookRef
	p       eventlog.Partition
	webhook atomic.Pointer[domain.Webhook]
	ctx     context.Context // ends when this node gives the lane up
	end     context.CancelFunc

	// The engine's lock guards these.
	state  laneState
	again  bool      // something came while it ran
	forced bool      // and it concerns a lane that waits, too
	gone   bool      // this node gave it up
	deaf   bool      // waiting: new events do not wake it
	until  time.Time // waiting: for this
	place  int       // among the timers, from 1; 0: it has none

	// A turn changes these under mu; nothing else does.
	mu      sync.Mutex
	rec     record
	unkept  map[int]Attempt // by slot
	kept    []byte          // of the record, the last time
	suspect atomic.Bool     // the last attempt failed or took long
	queue   []projections.Occurrence
	limiter *rate.Limiter
	limits  Limits
	slow    int // answers in a row that the rate was exceeded
	disable string
	torn    bool // what was kept of it could not be read
}

type laneState int

const (
	idle laneState = iota
	queued
	running
	waiting
)

// rest is how a turn ends.
type rest struct {
	again bool      // there is more to do
	until time.Time // zero: until something happens
	deaf  bool      // new events are nothing that happens
}

// job is one thing to deliver.
type job struct {
	kind     jobKind
	delivery *Delivery
	event    projections.Occurrence // of one event
	events   []string               // positions of all
	request  int                    // of what was asked for
	aside    int                    // index
}

type jobKind int

const (
	nextEvent jobKind = iota
	asideEvent
	wholeBatch
	requested
)

// turn delivers until there is nothing to do, or it is the turn of others.
func (l *lane) turn(ctx context.Context) rest {
	class := l.suspect.Load()
	for range turnLength {
		if ctx.Err() != nil || l.engine.stopping() || !l.engine.cfg.Owner.Owns(l.p) {
			return rest{}
		}
		j, r, err := l.next(ctx)
		if err != nil {
			return l.unable(err)
		}
		if j == nil {
			return r
		}
		l.attempt(ctx, j)
		if l.suspect.Load() != class {
			break
		}
	}
	return rest{again: true}
}

// errLost says that a lane waits until a loss is accepted.
var errLost = errors.New("history is lost; the operator has to accept the loss first")

// unable waits for what could not be read.
func (l *lane) unable(err error) rest {
	if l.ctx.Err() == nil && !errors.Is(err, context.Canceled) {
		l.engine.cfg.Logger.Warn("a webhook waits for the log", "partner", l.ref.Partner, "webhook", l.ref.Webhook, "error", err)
	}
	return rest{until: l.engine.cfg.Now().Add(time.Second), deaf: true}
}

// next returns what to deliver now, or until when to rest.
func (l *lane) next(ctx context.Context) (*job, rest, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w, now := l.engine.cfg.Image.Webhook(l.ref), l.engine.cfg.Now()
	if w == nil {
		return nil, rest{}, nil // removed; the engine is about to hear of it
	}
	l.webhook.Store(w) // what it asks for counts from the moment at which its change is applied
	l.adopt(w)
	l.rec.bound(now, l.engine.cfg.Image.Zone(l.ref.Partner), w.Settings.Digest)
	if wait := l.heldBack(now); wait > 0 && l.awaited(w) {
		return nil, rest{until: now.Add(wait), deaf: true}, nil
	}
	if j, err := l.asked(ctx, w); j != nil || err != nil {
		return j, rest{}, err
	}
	if l.disable != "" && w.Disabled == "" {
		return nil, l.tellDisabled(ctx), nil
	}
	l.disable = ""
	switch wait := l.paced(now); {
	case w.Disabled != "":
		return nil, rest{deaf: true}, nil
	case now.Before(l.rec.Next):
		return nil, rest{until: l.rec.Next, deaf: true}, nil
	case wait > 0:
		return nil, rest{until: now.Add(wait), deaf: true}, nil
	}
	return l.due(ctx, w, now)
}

// due returns what is due: what was put aside, what is being summed up, what comes next.
func (l *lane) due(ctx context.Context, w *domain.Webhook, now time.Time) (*job, rest, error) {
	if j, err := l.fromAside(ctx, w, now); j != nil || err != nil {
		return j, rest{}, err
	}
	if l.rec.Batch != nil {
		j, err := l.sumUp(ctx, w)
		return j, rest{again: true}, err
	}
	if w.Settings.Digest != "" {
		return l.digest(ctx, w, now)
	}
	if len(l.rec.Aside) >= maxAside {
		return nil, rest{until: l.nextAside(), deaf: true}, nil
	}
	if l.engine.cfg.Image.Lost() != nil {
		l.queue = nil // what was read may be lost since; what is not is read again
	}
	if err := l.refill(ctx, w); err != nil {
		return nil, rest{}, err
	}
	if len(l.queue) == 0 {
		return nil, rest{until: l.nextAside()}, nil
	}
	if l.coalesces(w) {
		j, err := l.beginBatch(ctx, w, time.Time{})
		return j, rest{again: true}, err
	}
	j, err := l.single(ctx, w, nextEvent, l.queue[0])
	return j, rest{}, err
}

// adopt takes the webhook's present settings over.
func (l *lane) adopt(w *domain.Webhook) {
	face, agreements, disabled := l.rec.Face, l.rec.Agreements, l.rec.Disabled
	l.rec.adopt(l.engine.cfg.Image, w)
	same := face == l.rec.Face && disabled == l.rec.Disabled && slices.Equal(agreements, l.rec.Agreements)
	if same && l.limiter != nil {
		return
	}
	if !same {
		l.engine.changed(l)
	}
	if face != l.rec.Face {
		l.disable = "" // what it was for is not called any more
	}
	if l.torn {
		l.torn = false
		if n := len(w.Requests); n > 0 {
			l.rec.Request = w.Requests[n-1].Number // which of them were done is not known; asking again costs less
		}
		l.giveUp(tornReason)
	}
	l.queue, l.slow = nil, 0
	l.suspect.Store(l.rec.Failures > 0)
	l.limits = Limits{}
	if f, ok := l.engine.cfg.Formats(w.Settings.Format); ok {
		l.limits = f.Limits()
	}
	l.limiter = rate.NewLimiter(rate.Inf, 1)
	if l.limits.Every > 0 {
		l.limiter = rate.NewLimiter(rate.Every(l.limits.Every), max(l.limits.Burst, 1))
	}
}

// tornReason is why a webhook is disabled that would otherwise say everything again unasked.
const tornReason = "What was kept of its deliveries could not be read. When it is enabled, all that happened since it was added is " +
	"delivered again; to leave that out, add another one."

// paced returns how long the tool's rate makes it wait.
func (l *lane) paced(now time.Time) time.Duration {
	missing := 1 - l.limiter.TokensAt(now)
	if l.limiter.Limit() == rate.Inf || missing <= 0 {
		return 0
	}
	return max(time.Duration(missing*float64(l.limits.Every)), time.Millisecond)
}

// refill reads what comes next and passes over what the webhook does not ask for.
func (l *lane) refill(ctx context.Context, w *domain.Webhook) error {
	l.dropUnwanted(w)
	for len(l.queue) == 0 {
		list, lost, err := l.engine.cfg.Image.Upcoming(ctx, outlook(w), &l.rec.Progress)
		if err != nil {
			return err
		}
		l.noteLost(lost)
		if len(list) == 0 {
			return nil
		}
		l.queue = list
		l.dropUnwanted(w)
	}
	return nil
}

// dropUnwanted passes over what stands at the head and is not asked for.
func (l *lane) dropUnwanted(w *domain.Webhook) {
	for len(l.queue) > 0 && !wants(w, l.queue[0]) {
		l.rec.Progress.Pass(l.queue[0])
		l.queue = l.queue[1:]
		l.engine.changed(l)
	}
}

func wants(w *domain.Webhook, o projections.Occurrence) bool {
	if _, private := o.Audience.Private(); private && !w.Settings.IncludePrivate {
		return false
	}
	return w.Settings.Wants(o.Type, o.Agreement)
}

// noteLost says in the delivery log that history was lost: what was delivered of it did not happen.
func (l *lane) noteLost(lost []domain.AgreementID) {
	for _, a := range lost {
		l.log(Attempt{
			Type: lossType, StartedAt: l.engine.cfg.Now().UTC(),
			Reason: "History of " + string(a) + " was lost and the loss accepted. Events that were delivered may be gone; deliveries go on with what is recorded behind the last one.",
		})
	}
}

// single returns the delivery of one event.
func (l *lane) single(ctx context.Context, w *domain.Webhook, kind jobKind, o projections.Occurrence) (*job, error) {
	d, err := l.engine.source.event(ctx, w, o)
	if err != nil {
		return nil, err
	}
	return &job{kind: kind, delivery: d, event: o, events: []string{o.Position()}}, nil
}

// fromAside returns the first event that was put aside and is due again. Whether an endpoint that is down is up
// again, the one that waits longest shall find out.
func (l *lane) fromAside(ctx context.Context, w *domain.Webhook, now time.Time) (*job, error) {
	for n := 0; n < len(l.rec.Aside); n++ {
		if probe := n == 0 && l.rec.Failures >= breakAfter; now.Before(l.rec.Aside[n].Next) && !probe {
			continue
		}
		o, found, err := l.engine.cfg.Image.Occurrence(ctx, l.ref.Partner, l.rec.Aside[n].Position)
		_, open := errors.AsType[*eventlog.LostTailError](err)
		switch {
		case open:
			l.rec.Aside[n].Next = now.Add(time.Minute)
			continue
		case errors.Is(err, projections.ErrPositionLost), errors.Is(err, projections.ErrPosition), err == nil && !found:
			l.log(Attempt{Type: lossType, StartedAt: now.UTC(), Events: []string{l.rec.Aside[n].Position}, Reason: "An event that was to be tried again was lost with the history."})
			l.rec.Aside = slices.Delete(l.rec.Aside, n, n+1)
			n--
			continue
		case err != nil:
			return nil, err
		case !wants(w, o):
			l.log(Attempt{Delivery: o.ID, Type: o.Type, StartedAt: now.UTC(), Reason: "It was to be tried again, but the webhook does not ask for it any more."})
			l.rec.Aside = slices.Delete(l.rec.Aside, n, n+1)
			n--
			continue
		}
		j, err := l.single(ctx, w, asideEvent, o)
		if j != nil {
			j.aside = n
		}
		return j, err
	}
	return nil, nil
}

// nextAside returns when the first event that was put aside is due; zero if there is none.
func (l *lane) nextAside() (at time.Time) {
	for _, a := range l.rec.Aside {
		if at.IsZero() || a.Next.Before(at) {
			at = a.Next
		}
	}
	return at
}
