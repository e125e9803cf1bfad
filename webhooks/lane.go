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
	"tandem/webhooks/formats"
)

const (
	eventsPerRead    = 64 // events that are read at once
	sendsPerTurn     = 32 // deliveries, then other lanes have their turn
	coalesceAbove    = 5  // more waiting messages than this become one, where people read them
	maxBatchEvents   = 100
	maxSkipped       = 32 // more failed events than this, and the lane waits
	breakerThreshold = 3  // failures in a row after which nothing is sent before the next attempt is due
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
	engine    *Engine
	ref       domain.WebhookRef
	partition eventlog.Partition
	webhook   atomic.Pointer[domain.Webhook]
	ctx       context.Context // ends when this node gives the lane up
	cancel    context.CancelFunc

	// The engine's lock guards these.
	runState   runState
	wokenAgain bool      // something came while it ran
	forceWake  bool      // and it concerns a lane that waits, too
	dropped    bool      // this node gave it up
	ignoreNews bool      // waiting: new events do not wake it
	wakeAt     time.Time // waiting: for this
	timerIndex int       // among the timers, from 1; 0: it has none

	// A turn changes these under mu; nothing else does.
	mu               sync.Mutex
	state            laneState
	unsavedAttempts  map[int]Attempt // by slot
	savedState       []byte          // of the record, the last time
	slowPool         atomic.Bool     // the last attempt failed or took long
	queue            []projections.VisibleEvent
	limiter          *rate.Limiter
	limits           formats.Limits
	rateLimitedCount int // answers in a row that the rate was exceeded
	disableReason    string
	unreadable       bool // what was kept of it could not be read
}

type runState int

const (
	idle runState = iota
	queued
	running
	waiting
)

// turnResult is how a turn ends.
type turnResult struct {
	more       bool      // there is more to do
	wakeAt     time.Time // zero: until something happens
	ignoreNews bool      // new events are nothing that happens
}

// job is one thing to deliver.
type job struct {
	kind          jobKind
	message       *formats.Message
	event         projections.VisibleEvent // of one event
	positions     []string                 // positions of all
	requestNumber int                      // of what was asked for
	skippedIndex  int                      // index
}

type jobKind int

const (
	jobNextEvent jobKind = iota
	jobSkippedEvent
	jobBatch
	jobRequest
)

// turn delivers until there is nothing to do, or it is the turn of others.
func (l *lane) turn(ctx context.Context) turnResult {
	class := l.slowPool.Load()
	for range sendsPerTurn {
		if ctx.Err() != nil || l.engine.stopping() || !l.engine.cfg.Owner.Owns(l.partition) {
			return turnResult{}
		}
		job, result, err := l.nextJob(ctx)
		if err != nil {
			return l.waitForLog(err)
		}
		if job == nil {
			return result
		}
		l.attempt(ctx, job)
		if l.slowPool.Load() != class {
			break
		}
	}
	return turnResult{more: true}
}

// errHistoryLost says that a lane waits until a loss is accepted.
var errHistoryLost = errors.New("history is lost; the operator has to accept the loss first")

// waitForLog waits for what could not be read.
func (l *lane) waitForLog(err error) turnResult {
	if l.ctx.Err() == nil && !errors.Is(err, context.Canceled) {
		l.engine.cfg.Logger.Warn("a webhook waits for the log", "partner", l.ref.Partner, "webhook", l.ref.Webhook, "error", err)
	}
	return turnResult{wakeAt: l.engine.cfg.Now().Add(time.Second), ignoreNews: true}
}

// nextJob returns what to deliver now, or until when to rest.
func (l *lane) nextJob(ctx context.Context) (*job, turnResult, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	webhook, now := l.engine.cfg.ReadModel.Webhook(l.ref), l.engine.cfg.Now()
	if webhook == nil {
		return nil, turnResult{}, nil // removed; the engine is about to hear of it
	}
	l.webhook.Store(webhook) // what it asks for counts from the moment at which its change is applied
	l.applySettings(webhook)
	l.state.clampTimes(now, l.engine.cfg.ReadModel.Zone(l.ref.Partner), webhook.Settings.Digest)
	if wait := l.throttleWait(now); wait > 0 && l.hasSendRequest(webhook) {
		return nil, turnResult{wakeAt: now.Add(wait), ignoreNews: true}, nil
	}
	if job, err := l.requestedJob(ctx, webhook); job != nil || err != nil {
		return job, turnResult{}, err
	}
	if l.disableReason != "" && webhook.DisabledReason == "" {
		return nil, l.disableWebhook(ctx), nil
	}
	l.disableReason = ""
	switch wait := l.rateLimitWait(now); {
	case webhook.DisabledReason != "":
		return nil, turnResult{ignoreNews: true}, nil
	case now.Before(l.state.NextAttemptAt):
		return nil, turnResult{wakeAt: l.state.NextAttemptAt, ignoreNews: true}, nil
	case wait > 0:
		return nil, turnResult{wakeAt: now.Add(wait), ignoreNews: true}, nil
	}
	return l.dueJob(ctx, webhook, now)
}

// dueJob returns what is due: what was put aside, what is being summed up, what comes next.
func (l *lane) dueJob(ctx context.Context, webhook *domain.Webhook, now time.Time) (*job, turnResult, error) {
	if job, err := l.skippedJob(ctx, webhook, now); job != nil || err != nil {
		return job, turnResult{}, err
	}
	if l.state.Batch != nil {
		job, err := l.resumeBatch(ctx, webhook)
		return job, turnResult{more: true}, err
	}
	if webhook.Settings.Digest != "" {
		return l.digestJob(ctx, webhook, now)
	}
	if len(l.state.Skipped) >= maxSkipped {
		return nil, turnResult{wakeAt: l.nextSkippedAt(), ignoreNews: true}, nil
	}
	if l.engine.cfg.ReadModel.OpenLosses() != nil {
		l.queue = nil // what was read may be lost since; what is not is read again
	}
	if err := l.fillQueue(ctx, webhook); err != nil {
		return nil, turnResult{}, err
	}
	if len(l.queue) == 0 {
		return nil, turnResult{wakeAt: l.nextSkippedAt()}, nil
	}
	if l.coalesces(webhook) {
		job, err := l.startBatch(ctx, webhook, time.Time{})
		return job, turnResult{more: true}, err
	}
	job, err := l.eventJob(ctx, webhook, jobNextEvent, l.queue[0])
	return job, turnResult{}, err
}

// applySettings takes the webhook's present settings over.
func (l *lane) applySettings(webhook *domain.Webhook) {
	key, agreements, disabled := l.state.EndpointKey, l.state.Agreements, l.state.Disabled
	l.state.applySettings(l.engine.cfg.ReadModel, webhook)
	same := key == l.state.EndpointKey && disabled == l.state.Disabled && slices.Equal(agreements, l.state.Agreements)
	if same && l.limiter != nil {
		return
	}
	if !same {
		l.engine.markDirty(l)
	}
	if key != l.state.EndpointKey {
		l.disableReason = "" // what it was for is not called any more
	}
	if l.unreadable {
		l.unreadable = false
		if n := len(webhook.Requests); n > 0 {
			l.state.LastRequest = webhook.Requests[n-1].Number // which of them were done is not known; asking again costs less
		}
		l.requestDisable(unreadableReason)
	}
	l.queue, l.rateLimitedCount = nil, 0
	l.slowPool.Store(l.state.ConsecutiveFailures > 0)
	l.limits = formats.Limits{}
	if format, ok := l.engine.cfg.Formats(webhook.Settings.Format); ok {
		l.limits = format.Limits()
	}
	l.limiter = rate.NewLimiter(rate.Inf, 1)
	if l.limits.Every > 0 {
		l.limiter = rate.NewLimiter(rate.Every(l.limits.Every), max(l.limits.Burst, 1))
	}
}

// unreadableReason is why a webhook is disabled that would otherwise say everything again unasked.
const unreadableReason = "What was kept of its deliveries could not be read. When it is enabled, all that happened since it was added is " +
	"delivered again; to leave that out, add another one."

// rateLimitWait returns how long the tool's rate makes it wait.
func (l *lane) rateLimitWait(now time.Time) time.Duration {
	missing := 1 - l.limiter.TokensAt(now)
	if l.limiter.Limit() == rate.Inf || missing <= 0 {
		return 0
	}
	return max(time.Duration(missing*float64(l.limits.Every)), time.Millisecond)
}

// fillQueue reads what comes next and passes over what the webhook does not ask for.
func (l *lane) fillQueue(ctx context.Context, webhook *domain.Webhook) error {
	l.dropUnwanted(webhook)
	for len(l.queue) == 0 {
		list, lost, err := l.engine.cfg.ReadModel.Upcoming(ctx, eventQuery(webhook), &l.state.Cursor)
		if err != nil {
			return err
		}
		l.recordLostHistory(lost)
		if len(list) == 0 {
			return nil
		}
		l.queue = list
		l.dropUnwanted(webhook)
	}
	return nil
}

// dropUnwanted passes over what stands at the head and is not asked for.
func (l *lane) dropUnwanted(webhook *domain.Webhook) {
	for len(l.queue) > 0 && !wants(webhook, l.queue[0]) {
		l.state.Cursor.Pass(l.queue[0])
		l.queue = l.queue[1:]
		l.engine.markDirty(l)
	}
}

func wants(webhook *domain.Webhook, event projections.VisibleEvent) bool {
	if _, private := event.Audience.Private(); private && !webhook.Settings.IncludePrivate {
		return false
	}
	return webhook.Settings.Subscribes(event.Type, event.Agreement)
}

// recordLostHistory says in the delivery log that history was lost: what was delivered of it did not happen.
func (l *lane) recordLostHistory(lost []domain.AgreementID) {
	for _, agreement := range lost {
		l.addAttempt(Attempt{
			Type: lossType, StartedAt: l.engine.cfg.Now().UTC(),
			Reason: "History of " + string(agreement) + " was lost and the loss accepted. Events that were delivered may be gone; deliveries go on with what is recorded behind the last one.",
		})
	}
}

// eventJob returns the delivery of one event.
func (l *lane) eventJob(ctx context.Context, webhook *domain.Webhook, kind jobKind, event projections.VisibleEvent) (*job, error) {
	message, err := l.engine.messages.eventMessage(ctx, webhook, event)
	if err != nil {
		return nil, err
	}
	return &job{kind: kind, message: message, event: event, positions: []string{event.Position()}}, nil
}

// skippedJob returns the first event that was put aside and is due again. Whether an endpoint that is down is up
// again, the one that waits longest shall find out.
func (l *lane) skippedJob(ctx context.Context, webhook *domain.Webhook, now time.Time) (*job, error) {
	for i := 0; i < len(l.state.Skipped); i++ {
		if probe := i == 0 && l.state.ConsecutiveFailures >= breakerThreshold; now.Before(l.state.Skipped[i].NextAttemptAt) && !probe {
			continue
		}
		event, found, err := l.engine.cfg.ReadModel.EventAt(ctx, l.ref.Partner, l.state.Skipped[i].Position)
		_, open := errors.AsType[*eventlog.LostTailError](err)
		switch {
		case open:
			l.state.Skipped[i].NextAttemptAt = now.Add(time.Minute)
			continue
		case errors.Is(err, projections.ErrPositionLost), errors.Is(err, projections.ErrPosition), err == nil && !found:
			l.addAttempt(Attempt{Type: lossType, StartedAt: now.UTC(), Events: []string{l.state.Skipped[i].Position}, Reason: "An event that was to be tried again was lost with the history."})
			l.state.Skipped = slices.Delete(l.state.Skipped, i, i+1)
			i--
			continue
		case err != nil:
			return nil, err
		case !wants(webhook, event):
			l.addAttempt(Attempt{MessageID: event.ID, Type: event.Type, StartedAt: now.UTC(), Reason: "It was to be tried again, but the webhook does not ask for it any more."})
			l.state.Skipped = slices.Delete(l.state.Skipped, i, i+1)
			i--
			continue
		}
		job, err := l.eventJob(ctx, webhook, jobSkippedEvent, event)
		if job != nil {
			job.skippedIndex = i
		}
		return job, err
	}
	return nil, nil
}

// nextSkippedAt returns when the first event that was put aside is due; zero if there is none.
func (l *lane) nextSkippedAt() (at time.Time) {
	for _, skipped := range l.state.Skipped {
		if at.IsZero() || skipped.NextAttemptAt.Before(at) {
			at = skipped.NextAttemptAt
		}
	}
	return at
}
