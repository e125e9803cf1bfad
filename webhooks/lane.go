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
	"tandem/projections/feed"
	"tandem/webhooks/formats"
)

const (
	eventsPerRead    = 64  // events that one read of the log returns at most
	sendsPerTurn     = 32  // messages per turn; then other lanes get theirs
	coalesceAbove    = 5   // more waiting events than this become one message in a chat
	maxBatchEvents   = 100 // events in one message
	maxSkipped       = 32  // with this many skipped events, an unordered lane blocks
	breakerThreshold = 3   // consecutive failures that open the circuit breaker of an unordered lane
)

// lane sends the messages of one webhook, one at a time and in order.
//
// A lane is a cursor over the event log, which is the queue. The engine stores the lane state after each change;
// after a crash, the messages sent since the last flush are sent again with the same ids.
//
// An ordered lane blocks on an event that fails. An unordered lane skips the event, continues, and retries it when it
// is due. After breakerThreshold consecutive failures it blocks too, because then the endpoint is down and not the
// message invalid. In a chat, events that pile up become one message.
type lane struct {
	engine    *Engine
	ref       domain.WebhookRef
	partition eventlog.Partition
	webhook   atomic.Pointer[domain.Webhook]
	ctx       context.Context // ends when this node drops the lane
	cancel    context.CancelFunc

	// Guarded by the engine's lock.
	runState   runState
	wokenAgain bool      // woken during the present turn
	forceWake  bool      // woken with force during the present turn
	dropped    bool      // no longer run by this node
	ignoreNews bool      // while waiting: new events do not wake the lane
	wakeAt     time.Time // while waiting: when the timer wakes the lane
	timerIndex int       // position in Engine.timers from 1; 0 without a timer

	// Guarded by mu. Only a turn changes them, except for the flush of state and attempts.
	mu               sync.Mutex
	state            laneState
	unsavedAttempts  map[int]Attempt            // by slot of the attempt history
	savedState       []byte                     // the stored state as of the last flush
	slowPool         atomic.Bool                // the last attempt failed or was slow: run in the retry pool
	queue            []projections.VisibleEvent // the next events that the webhook asks for
	queuedFor        *domain.Webhook            // the settings that the queue was read with
	queueEnd         feed.Cursor                // past all events that were read for the queue
	limiter          *rate.Limiter
	limits           formats.Limits
	rateLimitedCount int    // consecutive rate-limited attempts
	disableReason    string // not empty: the webhook must be disabled
	unreadable       bool   // the stored state could not be read
}

// runState is the position of a lane in the scheduler.
type runState int

const (
	idle runState = iota
	queued
	running
	waiting
)

// turnResult says when the next turn of a lane begins.
type turnResult struct {
	more       bool      // at once: there is more to send
	wakeAt     time.Time // zero: when the lane is woken
	ignoreNews bool      // new events do not wake the lane
}

// job is one message to send.
type job struct {
	kind          jobKind
	message       *formats.Message
	event         projections.VisibleEvent // of a message about one event
	positions     []string                 // of all events in the message
	requestNumber int                      // of a jobRequest
	skippedIndex  int                      // of a jobSkippedEvent, in laneState.Skipped
}

// jobKind is the origin of a job.
type jobKind int

const (
	jobNextEvent jobKind = iota
	jobSkippedEvent
	jobBatch
	jobRequest
)

// turn sends messages until none is due, or until other lanes get a turn.
func (l *lane) turn(ctx context.Context) turnResult {
	slow := l.slowPool.Load()
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
		if l.slowPool.Load() != slow {
			break
		}
	}
	return turnResult{more: true}
}

// errHistoryLost is why a lane waits until an operator accepts a loss of history.
var errHistoryLost = errors.New("history is lost: an operator must accept the loss")

// waitForLog retries a read of the log in a second.
func (l *lane) waitForLog(err error) turnResult {
	if l.ctx.Err() == nil && !errors.Is(err, context.Canceled) {
		l.engine.cfg.Logger.Warn("webhook lane cannot read the log; retrying", "partner", l.ref.Partner, "webhook", l.ref.Webhook, "error", err)
	}
	return turnResult{wakeAt: l.engine.cfg.Now().Add(time.Second), ignoreNews: true}
}

// nextJob returns the job to send now, or nil and when to look again.
func (l *lane) nextJob(ctx context.Context) (*job, turnResult, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	webhook, now := l.engine.cfg.ReadModel.Webhook(l.ref), l.engine.cfg.Now()
	if webhook == nil {
		return nil, turnResult{}, nil // removed; the engine is about to drop the lane
	}
	l.webhook.Store(webhook) // an edit takes effect as soon as the read model has applied it
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

// dueJob returns the first due job of: a skipped event, the current batch, the next event.
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
		l.queue = nil // events in the queue may be lost; read them again
	}
	if err := l.fillQueue(ctx, webhook); err != nil {
		return nil, turnResult{}, err
	}
	if len(l.queue) == 0 {
		return nil, turnResult{wakeAt: l.nextSkippedAt()}, nil
	}
	if webhook.Settings.Order == domain.SkipAhead && l.limits.Chat && len(l.queue) > coalesceAbove {
		job, err := l.startBatch(ctx, webhook, time.Time{})
		return job, turnResult{more: true}, err
	}
	job, err := l.eventJob(ctx, webhook, jobNextEvent, l.queue[0])
	return job, turnResult{}, err
}

// applySettings applies the webhook's present settings to the lane.
func (l *lane) applySettings(webhook *domain.Webhook) {
	key, agreements, disabled := l.state.EndpointKey, l.state.Agreements, l.state.Disabled
	l.state.applySettings(l.engine.cfg.Events, webhook)
	same := key == l.state.EndpointKey && disabled == l.state.Disabled && slices.Equal(agreements, l.state.Agreements)
	if same && l.limiter != nil {
		return
	}
	if !same {
		l.engine.markDirty(l)
	}
	if key != l.state.EndpointKey {
		l.disableReason = "" // it concerns the previous endpoint
	}
	if l.unreadable {
		l.unreadable = false
		if n := len(webhook.Requests); n > 0 {
			l.state.LastRequest = webhook.Requests[n-1].Number // skip all requests: which of them were done is unknown
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

// unreadableReason disables a webhook that would otherwise send its whole history again.
const unreadableReason = "The stored state of this webhook could not be read. If you enable the webhook, it sends all events since it was " +
	"added again. To avoid this, add another webhook."

// rateLimitWait returns how long the lane must wait to keep to the rate of the receiver.
func (l *lane) rateLimitWait(now time.Time) time.Duration {
	missing := 1 - l.limiter.TokensAt(now)
	if l.limiter.Limit() == rate.Inf || missing <= 0 {
		return 0
	}
	return max(time.Duration(missing*float64(l.limits.Every)), time.Millisecond)
}

// fillQueue reads the next events if the queue is empty or was read with other settings. The cursor moves past the
// events before them that the webhook does not ask for.
func (l *lane) fillQueue(ctx context.Context, webhook *domain.Webhook) error {
	if len(l.queue) > 0 && l.queuedFor == webhook {
		return nil
	}
	l.queue = nil
	page, err := l.engine.cfg.Events.Next(ctx, readerOf(webhook), l.state.Cursor, eventQuery(webhook), eventsPerRead)
	if err != nil {
		return err
	}
	l.noteLostHistory(page.Lost)
	if !page.Start.Equal(l.state.Cursor) {
		l.state.Cursor = page.Start
		l.engine.markDirty(l)
	}
	l.queue, l.queuedFor, l.queueEnd = page.Events, webhook, page.Cursor
	return nil
}

// wants reports whether a webhook asks for an event.
func wants(webhook *domain.Webhook, event *projections.VisibleEvent) bool {
	if _, private := event.Audience().Private(); private && !webhook.Settings.IncludePrivate {
		return false
	}
	return webhook.Settings.Subscribes(event.Type(), event.Agreement())
}

// noteLostHistory adds a note to the attempt history: events that were sent may no longer exist.
func (l *lane) noteLostHistory(lost []domain.AgreementID) {
	for _, agreement := range lost {
		l.addAttempt(Attempt{
			Type: lossType, StartedAt: l.engine.cfg.Now().UTC(),
			Reason: "History of " + string(agreement) + " was lost and the loss accepted. Events that were sent may no longer exist; " +
				"the webhook continues with the events recorded afterwards.",
		})
	}
}

// eventJob returns the job for one event.
func (l *lane) eventJob(ctx context.Context, webhook *domain.Webhook, kind jobKind, event projections.VisibleEvent) (*job, error) {
	message, err := l.engine.messages.eventMessage(ctx, webhook, event)
	if err != nil {
		return nil, err
	}
	return &job{kind: kind, message: message, event: event, positions: []string{event.Position().String()}}, nil
}

// skippedJob returns a job for the first skipped event that is due. While the circuit breaker is open, the oldest
// skipped event probes the endpoint.
func (l *lane) skippedJob(ctx context.Context, webhook *domain.Webhook, now time.Time) (*job, error) {
	for i := 0; i < len(l.state.Skipped); i++ {
		if probe := i == 0 && l.state.ConsecutiveFailures >= breakerThreshold; now.Before(l.state.Skipped[i].NextAttemptAt) && !probe {
			continue
		}
		event, err := l.engine.cfg.Events.EventAt(ctx, readerOf(webhook), l.state.Skipped[i].Position)
		_, openLoss := errors.AsType[*eventlog.LostTailError](err)
		switch {
		case openLoss:
			l.state.Skipped[i].NextAttemptAt = now.Add(time.Minute)
			continue
		case errors.Is(err, feed.ErrNotVisible):
			l.addAttempt(Attempt{Type: lossType, StartedAt: now.UTC(), Events: []string{l.state.Skipped[i].Position}, Reason: "A skipped event was lost with the history and is not retried."})
			l.state.Skipped = slices.Delete(l.state.Skipped, i, i+1)
			i--
			continue
		case err != nil:
			return nil, err
		case !wants(webhook, &event):
			l.addAttempt(Attempt{MessageID: event.ID(), Type: event.Type(), StartedAt: now.UTC(), Reason: "The webhook no longer asks for this skipped event, so it is not retried."})
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

// nextSkippedAt returns when the next skipped event is due; zero without skipped events.
func (l *lane) nextSkippedAt() (at time.Time) {
	for _, skipped := range l.state.Skipped {
		if at.IsZero() || skipped.NextAttemptAt.Before(at) {
			at = skipped.NextAttemptAt
		}
	}
	return at
}
