package webhooks

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"tandem/domain"
	"tandem/webhooks/formats"
)

// attempt sends the message of a job and applies the result.
func (l *lane) attempt(ctx context.Context, job *job) {
	webhook, startedAt := l.webhook.Load(), l.engine.cfg.Now()
	attempt := Attempt{
		MessageID: job.message.ID, Type: job.message.Type, Number: l.attemptNumber(job), StartedAt: startedAt.UTC(), Events: job.positions,
	}
	l.limiter.AllowN(startedAt, 1)
	result := l.send(ctx, webhook, job.message, &attempt)
	if ctx.Err() != nil && !result.OK {
		return // interrupted by this node
	}
	now := l.engine.cfg.Now()
	attempt.Duration = now.Sub(startedAt)
	attempt.OK, attempt.Reason, attempt.Note = result.OK, result.Reason, result.Note
	l.mu.Lock()
	defer l.mu.Unlock()
	if current := l.webhook.Load(); current != webhook && !result.OK && endpointKey(current) != endpointKey(webhook) {
		l.addAttempt(attempt) // the endpoint was replaced during the attempt; the new one is tried at once
		return
	}
	l.applyResult(webhook, job, result, now, &attempt)
	l.addAttempt(attempt)
}

// attemptNumber returns the number of this attempt at its message, from 1.
func (l *lane) attemptNumber(job *job) int {
	switch job.kind {
	case jobSkippedEvent:
		return l.state.Skipped[job.skippedIndex].Attempts + 1
	case jobRequest:
		return 1
	}
	return l.state.HeadAttempts + 1
}

// send sends one request and interprets the response.
func (l *lane) send(ctx context.Context, webhook *domain.Webhook, message *formats.Message, attempt *Attempt) formats.Result {
	format, known := l.engine.cfg.Formats(webhook.Settings.Format)
	if !known {
		return formats.Result{Reason: "This version of Tandem does not support the format " + webhook.Settings.Format + "."}
	}
	target, err := l.engine.cfg.Keyring.Target(webhook, attempt.StartedAt)
	if err != nil {
		return formats.Result{Reason: "The address could not be decrypted. Check whether the installation key was changed."}
	}
	request, err := format.Request(*message, target, attempt.StartedAt)
	if err != nil {
		return formats.Result{Permanent: true, Reason: formats.NewRedactor(target, nil).Text([]byte("The request could not be built: " + err.Error()))}
	}
	sent := exchange{format: format, message: message, target: target, request: request, at: attempt.StartedAt}
	defer l.engine.acquireSlot()()
	response, err := doRequest(ctx, l.engine.cfg.Client, request, l.engine.cfg.AttemptTimeout, l.engine.cfg.AttemptTimeout/4)
	attempt.Status, attempt.fillDetails = response.status, sent.details(response)
	if err != nil {
		return formats.Result{Reason: sent.redactor().Text([]byte(upperFirst(err.Error())))}
	}
	result := format.Result(response.status, response.header, response.body, l.engine.cfg.Now())
	if result.Reason != "" || result.Note != "" {
		redactor := sent.redactor()
		result.Reason, result.Note = redactor.Text([]byte(result.Reason)), redactor.Text([]byte(result.Note))
	}
	if response.truncated && result.OK && result.Note == "" {
		result.Note = "The response was too long or did not end; only its beginning was read."
	}
	return result
}

// exchange is a request to a receiver with its message.
type exchange struct {
	format  formats.Format
	message *formats.Message
	target  formats.Target
	request *http.Request
	at      time.Time
}

// redactor removes secrets and the display names of members from a response.
func (e exchange) redactor() formats.Redactor {
	return formats.NewRedactor(e.target, e.request).With(e.message.Members)
}

// recorded returns the request without the display names of members, because their erasure does not reach the attempt
// history; nil if it cannot be made.
func (e exchange) recorded() *http.Request {
	if e.message.WithoutMembers == nil {
		return e.request
	}
	unnamed, err := e.message.WithoutMembers()
	if err != nil {
		return nil
	}
	request, err := e.format.Request(*unnamed, e.target, e.at)
	if err != nil {
		return nil
	}
	return request
}

// details returns a function that adds request and response to an attempt, without secrets. Most attempts of a busy
// lane are never stored, so the work is deferred.
func (e exchange) details(response httpResponse) func(*Attempt) {
	if len(response.body) > formats.MaxScannedBytes {
		response.body = bytes.Clone(response.body[:formats.MaxScannedBytes])
	}
	return func(attempt *Attempt) {
		redactor := e.redactor()
		attempt.Method, attempt.URL = e.request.Method, formats.Redact(e.request.URL.String())
		attempt.RequestHeaders = redactor.RequestHeaders(e.request.Header)
		if recorded := e.recorded(); recorded != nil {
			attempt.RequestBody = formats.NewRedactor(e.target, recorded).RequestBody(recorded)
		}
		attempt.ResponseHeaders, attempt.ResponseBody = redactor.ResponseHeaders(response.header), redactor.Text(response.body)
	}
}

// upperFirst returns an ASCII text with a capital first letter.
func upperFirst(text string) string {
	if text != "" && text[0] >= 'a' && text[0] <= 'z' {
		return string(text[0]-'a'+'A') + text[1:]
	}
	return text
}

// applyResult updates the lane state after an attempt and sets attempt.NextAt.
func (l *lane) applyResult(webhook *domain.Webhook, job *job, result formats.Result, now time.Time, attempt *Attempt) {
	if !result.RateLimited {
		l.rateLimitedCount = 0
	}
	switch {
	case result.OK:
		l.succeed(job, result, now)
	case result.RateLimited && job.kind != jobRequest:
		l.countAttempt(job)
		l.state.NextAttemptAt = now.Add(rateLimitDelay(l.rateLimitedCount, result.RetryAfter))
		l.rateLimitedCount++
		attempt.NextAt = l.state.NextAttemptAt
		if l.state.RateLimitedSince.IsZero() {
			l.state.RateLimitedSince = now
		}
		if now.Sub(l.state.RateLimitedSince) >= disableAfter && l.rateLimitedCount >= minFailures {
			l.requestDisable(domain.FailingReason + result.Reason)
		}
	case job.kind == jobRequest:
		l.state.FailedCount++
		l.state.LastRequest = max(l.state.LastRequest, job.requestNumber)
	case result.Gone:
		l.state.FailedCount++
		l.countAttempt(job)
		l.requestDisable(result.Reason)
	case result.Permanent && l.limits.Chat: // a program must not miss events, and its receiver can be repaired
		l.state.FailedCount++
		l.advancePast(job)
	default:
		attempt.NextAt = l.scheduleRetry(webhook, job, result, now)
	}
	tookLong := attempt.Duration > l.engine.cfg.AttemptTimeout/4
	l.slowPool.Store(l.state.ConsecutiveFailures > 0 || tookLong || !result.OK && job.kind == jobRequest)
	l.engine.markDirty(l)
}

// succeed records an accepted message. It closes the circuit breaker.
func (l *lane) succeed(job *job, result formats.Result, now time.Time) {
	l.state.SentCount++
	l.state.RateLimitedSince = time.Time{}
	if l.state.ConsecutiveFailures > 0 {
		l.state.ConsecutiveFailures, l.state.FailingSince, l.state.NextAttemptAt = 0, time.Time{}, time.Time{}
	}
	if result.RetryAfter > 0 {
		l.state.NextAttemptAt = now.Add(min(result.RetryAfter, maxRetryAfter))
	}
	l.advancePast(job)
}

// advancePast marks a job as done.
func (l *lane) advancePast(job *job) {
	switch job.kind {
	case jobNextEvent:
		l.state.HeadAttempts = 0
		l.state.Cursor.Advance(job.event)
		if len(l.queue) > 0 && l.queue[0].Position() == job.event.Position() {
			if l.queue = l.queue[1:]; len(l.queue) == 0 {
				l.state.Cursor = l.queueEnd
			}
		}
	case jobSkippedEvent:
		l.state.Skipped = slices.Delete(l.state.Skipped, job.skippedIndex, job.skippedIndex+1)
	case jobBatch:
		l.state.HeadAttempts = 0
		l.finishBatch()
	case jobRequest:
		l.state.LastRequest = max(l.state.LastRequest, job.requestNumber)
	}
}

// countAttempt counts an attempt at a message that will be retried.
func (l *lane) countAttempt(job *job) {
	if job.kind == jobSkippedEvent {
		l.state.Skipped[job.skippedIndex].Attempts++
		return
	}
	l.state.HeadAttempts++
}

// scheduleRetry decides when a failed message is retried, and whether the lane blocks until then. It returns the time
// of the next attempt; zero if there is none.
func (l *lane) scheduleRetry(webhook *domain.Webhook, job *job, result formats.Result, now time.Time) time.Time {
	l.state.FailedCount++
	l.state.ConsecutiveFailures++
	if l.state.FailingSince.IsZero() {
		l.state.FailingSince = now
	}
	if now.Sub(l.state.FailingSince) >= disableAfter && l.state.ConsecutiveFailures >= minFailures {
		l.countAttempt(job)
		l.requestDisable("No message was accepted for five days. The last reason: " + result.Reason)
		return time.Time{}
	}
	l.countAttempt(job)
	if webhook.Settings.Order != domain.SkipAhead || job.kind == jobBatch {
		l.queue = nil // reading it again moves the cursor to the event that failed
		l.state.NextAttemptAt = now.Add(retryDelay(l.state.ConsecutiveFailures, result.RetryAfter))
		return l.state.NextAttemptAt
	}
	if l.state.ConsecutiveFailures >= breakerThreshold {
		l.state.NextAttemptAt = now.Add(retryDelay(l.state.ConsecutiveFailures-breakerThreshold+1, result.RetryAfter))
	}
	return l.skipEvent(job, result, now)
}

// skipEvent sets a failed event aside, so that later events can be sent, and returns the time of its next attempt.
func (l *lane) skipEvent(job *job, result formats.Result, now time.Time) time.Time {
	if job.kind == jobNextEvent {
		l.state.Skipped = append(l.state.Skipped, skippedEvent{Position: job.positions[0], Attempts: l.state.HeadAttempts})
		l.advancePast(job)
		job.kind, job.skippedIndex = jobSkippedEvent, len(l.state.Skipped)-1
	}
	skipped := &l.state.Skipped[job.skippedIndex]
	if skipped.Attempts > len(retrySchedule) {
		l.state.Skipped = slices.Delete(l.state.Skipped, job.skippedIndex, job.skippedIndex+1) // given up after the whole retry schedule
		return time.Time{}
	}
	skipped.NextAttemptAt = now.Add(retryDelay(skipped.Attempts, result.RetryAfter))
	return skipped.NextAttemptAt
}

// requestDisable makes the next turn disable the webhook.
func (l *lane) requestDisable(reason string) {
	l.disableReason = formats.Truncate(reason, 500)
}

// disableTimeout limits one try to disable a webhook, and is the time until the next try.
const disableTimeout = 10 * time.Second

// disableWebhook disables the webhook by a command. No message is sent until the command is applied. The lane is
// unlocked during the command; no other turn can run.
func (l *lane) disableWebhook(ctx context.Context) turnResult {
	ctx, cancel := context.WithTimeout(ctx, disableTimeout)
	defer cancel()
	reason := l.disableReason
	l.mu.Unlock()
	err := l.engine.cfg.Disable(ctx, l.ref, reason)
	l.mu.Lock()
	if err != nil {
		l.engine.cfg.Logger.Warn("cannot disable webhook; retrying",
			"partner", l.ref.Partner, "webhook", l.ref.Webhook, "reason", reason, "error", err)
		return turnResult{wakeAt: l.engine.cfg.Now().Add(disableTimeout), ignoreNews: true}
	}
	l.disableReason = ""
	return turnResult{wakeAt: l.engine.cfg.Now().Add(disableTimeout), ignoreNews: true} // woken earlier when the change of the webhook is applied
}

// addAttempt adds an attempt or a note to the attempt history. The lane is locked.
func (l *lane) addAttempt(attempt Attempt) {
	l.state.AttemptCount++
	attempt.Sequence = l.state.AttemptCount
	if attempt.MessageID == "" {
		attempt.MessageID = "note-" + strconv.Itoa(attempt.Sequence) // a note about the lane
	}
	if l.unsavedAttempts == nil {
		l.unsavedAttempts = map[int]Attempt{}
	}
	l.unsavedAttempts[attempt.Sequence%AttemptHistorySize] = attempt
	l.engine.markDirty(l)
}
