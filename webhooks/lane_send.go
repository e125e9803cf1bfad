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

// attempt sends a job and takes the consequences.
func (l *lane) attempt(ctx context.Context, job *job) {
	webhook, startedAt := l.webhook.Load(), l.engine.cfg.Now()
	attempt := Attempt{
		MessageID: job.message.ID, Type: job.message.Type, Number: l.attemptNumber(job), StartedAt: startedAt.UTC(), Events: job.positions,
	}
	l.limiter.AllowN(startedAt, 1)
	result := l.send(ctx, webhook, job.message, &attempt)
	if ctx.Err() != nil && !result.OK {
		return // it was this node that gave up
	}
	now := l.engine.cfg.Now()
	attempt.Duration = now.Sub(startedAt)
	attempt.OK, attempt.Reason, attempt.Note = result.OK, result.Reason, result.Note
	l.mu.Lock()
	defer l.mu.Unlock()
	if current := l.webhook.Load(); current != webhook && !result.OK && endpointKey(current) != endpointKey(webhook) {
		l.addAttempt(attempt) // of an endpoint that another one took the place of meanwhile, which is tried at once
		return
	}
	l.applyResult(webhook, job, result, now, &attempt)
	l.addAttempt(attempt)
}

// attemptNumber returns which attempt at its delivery a job is.
func (l *lane) attemptNumber(job *job) int {
	switch job.kind {
	case jobSkippedEvent:
		return l.state.Skipped[job.skippedIndex].Attempts + 1
	case jobRequest:
		return 1
	}
	return l.state.HeadAttempts + 1
}

// send makes the request and reads the answer.
func (l *lane) send(ctx context.Context, webhook *domain.Webhook, message *formats.Message, attempt *Attempt) formats.Result {
	format, known := l.engine.cfg.Formats(webhook.Settings.Format)
	if !known {
		return formats.Result{Reason: "This version of Tandem does not know the format " + webhook.Settings.Format + "."}
	}
	target, err := l.engine.cfg.Keyring.Target(webhook, attempt.StartedAt)
	if err != nil {
		return formats.Result{Reason: "The address could not be opened: was the installation key changed?"}
	}
	request, err := format.Request(*message, target, attempt.StartedAt)
	if err != nil {
		return formats.Result{Permanent: true, Reason: formats.NewRedactor(target, nil).Text([]byte("No request could be made: " + err.Error()))}
	}
	defer l.engine.acquireSlot()()
	response, err := doRequest(ctx, l.engine.cfg.Client, request, l.engine.cfg.AttemptTimeout)
	attempt.Status, attempt.fillDetails = response.status, exchangeDetails(target, request, response)
	if err != nil {
		return formats.Result{Reason: formats.NewRedactor(target, request).Text([]byte(capitalize(err.Error())))}
	}
	result := format.Result(response.status, response.header, response.body, l.engine.cfg.Now())
	if result.Reason != "" || result.Note != "" {
		redactor := formats.NewRedactor(target, request)
		result.Reason, result.Note = redactor.Text([]byte(result.Reason)), redactor.Text([]byte(result.Note))
	}
	if response.truncated && result.OK && result.Note == "" {
		result.Note = "The answer did not end, and was not read to the end."
	}
	return result
}

// exchangeDetails returns what fills in what was sent and answered.
func exchangeDetails(target formats.Target, request *http.Request, response httpResponse) func(*Attempt) {
	if len(response.body) > formats.MaxScannedBytes {
		response.body = bytes.Clone(response.body[:formats.MaxScannedBytes])
	}
	return func(attempt *Attempt) {
		redactor := formats.NewRedactor(target, request)
		attempt.Method, attempt.URL = request.Method, formats.Redact(request.URL.String())
		attempt.RequestHeaders, attempt.RequestBody = redactor.RequestHeaders(request.Header), redactor.RequestBody(request)
		attempt.ResponseHeaders, attempt.ResponseBody = redactor.ResponseHeaders(response.header), redactor.Text(response.body)
	}
}

// capitalize begins with a capital letter; what it is given are ASCII words.
func capitalize(text string) string {
	if text != "" && text[0] >= 'a' && text[0] <= 'z' {
		return string(text[0]-'a'+'A') + text[1:]
	}
	return text
}

// applyResult moves the lane as the result asks, and notes when the same is tried again.
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
			l.requestDisable("Nothing was taken for five days. The last reason: " + result.Reason)
		}
	case job.kind == jobRequest:
		l.state.FailedCount++
		l.state.LastRequest = max(l.state.LastRequest, job.requestNumber)
	case result.Gone:
		l.state.FailedCount++
		l.countAttempt(job)
		l.requestDisable(result.Reason)
	case result.Permanent && l.limits.Chat: // a program misses nothing: what refuses this may be mended
		l.state.FailedCount++
		l.advancePast(job)
	default:
		attempt.NextAt = l.scheduleRetry(webhook, job, result, now)
	}
	tookLong := attempt.Duration > l.engine.cfg.AttemptTimeout/4
	l.slowPool.Store(l.state.ConsecutiveFailures > 0 || tookLong || !result.OK && job.kind == jobRequest)
	l.engine.markDirty(l)
}

// succeed moves behind what was delivered. After anything that was taken, an endpoint that failed is tried at once.
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

// advancePast moves behind a job for good.
func (l *lane) advancePast(job *job) {
	switch job.kind {
	case jobNextEvent:
		l.state.HeadAttempts = 0
		l.state.Cursor.Pass(job.event)
		if len(l.queue) > 0 && l.queue[0].ID == job.event.ID {
			l.queue = l.queue[1:]
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

func (l *lane) countAttempt(job *job) {
	if job.kind == jobSkippedEvent {
		l.state.Skipped[job.skippedIndex].Attempts++
		return
	}
	l.state.HeadAttempts++
}

// scheduleRetry decides when to try again, and whether the lane waits until then. It returns when; zero for never.
func (l *lane) scheduleRetry(webhook *domain.Webhook, job *job, result formats.Result, now time.Time) time.Time {
	l.state.FailedCount++
	l.state.ConsecutiveFailures++
	if l.state.FailingSince.IsZero() {
		l.state.FailingSince = now
	}
	if now.Sub(l.state.FailingSince) >= disableAfter && l.state.ConsecutiveFailures >= minFailures {
		l.countAttempt(job)
		l.requestDisable("Nothing was taken for five days. The last reason: " + result.Reason)
		return time.Time{}
	}
	l.countAttempt(job)
	goesAhead := webhook.Settings.Order == domain.SkipAhead && job.kind != jobBatch
	if !goesAhead {
		l.state.NextAttemptAt = now.Add(retryDelay(l.state.ConsecutiveFailures, result.RetryAfter))
		return l.state.NextAttemptAt
	}
	if l.state.ConsecutiveFailures >= breakerThreshold {
		l.state.NextAttemptAt = now.Add(retryDelay(l.state.ConsecutiveFailures-breakerThreshold+1, result.RetryAfter))
	}
	return l.skipEvent(job, result, now)
}

// skipEvent lets later events go ahead of one that failed.
func (l *lane) skipEvent(job *job, result formats.Result, now time.Time) time.Time {
	if job.kind == jobNextEvent {
		l.state.Skipped = append(l.state.Skipped, skippedEvent{Position: job.positions[0], Attempts: l.state.HeadAttempts})
		l.advancePast(job)
		job.kind, job.skippedIndex = jobSkippedEvent, len(l.state.Skipped)-1
	}
	skipped := &l.state.Skipped[job.skippedIndex]
	if skipped.Attempts > len(retrySchedule) {
		l.state.Skipped = slices.Delete(l.state.Skipped, job.skippedIndex, job.skippedIndex+1) // the delivery log says so: no next attempt
		return time.Time{}
	}
	skipped.NextAttemptAt = now.Add(retryDelay(skipped.Attempts, result.RetryAfter))
	return skipped.NextAttemptAt
}

// requestDisable has the webhook disabled.
func (l *lane) requestDisable(reason string) {
	l.disableReason = formats.Truncate(reason, 500)
}

// disableTimeout is how long having a webhook disabled may take, and then until it is tried again.
const disableTimeout = 10 * time.Second

// disableWebhook has the webhook disabled for all to see. Until that is done, nothing is sent. The lock is not held
// meanwhile: nothing else runs in a turn.
func (l *lane) disableWebhook(ctx context.Context) turnResult {
	ctx, cancel := context.WithTimeout(ctx, disableTimeout)
	defer cancel()
	reason := l.disableReason
	l.mu.Unlock()
	err := l.engine.cfg.Disable(ctx, l.ref, reason)
	l.mu.Lock()
	if err != nil {
		l.engine.cfg.Logger.Warn("a webhook could not be disabled; it is tried again",
			"partner", l.ref.Partner, "webhook", l.ref.Webhook, "reason", reason, "error", err)
		return turnResult{wakeAt: l.engine.cfg.Now().Add(disableTimeout), ignoreNews: true}
	}
	l.disableReason = ""
	return turnResult{wakeAt: l.engine.cfg.Now().Add(disableTimeout), ignoreNews: true} // or until the webhook's change is applied
}

// addAttempt keeps an attempt. The lock is held.
func (l *lane) addAttempt(attempt Attempt) {
	l.state.AttemptCount++
	attempt.Sequence = l.state.AttemptCount
	if attempt.MessageID == "" {
		attempt.MessageID = "note-" + strconv.Itoa(attempt.Sequence) // on the lane itself
	}
	if l.unsavedAttempts == nil {
		l.unsavedAttempts = map[int]Attempt{}
	}
	l.unsavedAttempts[attempt.Sequence%AttemptHistorySize] = attempt
	l.engine.markDirty(l)
}
