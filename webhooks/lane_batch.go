package webhooks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tandem/domain"
	"tandem/projections"
	"tandem/projections/feed"
)

// digestJob returns the digest of the events up to the last digest time.
func (l *lane) digestJob(ctx context.Context, webhook *domain.Webhook, now time.Time) (*job, turnResult, error) {
	zone := l.engine.cfg.ReadModel.Zone(l.ref.Partner)
	if l.state.DigestedUntil.IsZero() {
		l.state.DigestedUntil = lastDigestTime(webhook.AddedAt, zone, webhook.Settings.Digest)
	}
	if due := lastDigestTime(now, zone, webhook.Settings.Digest); due.After(l.state.DigestedUntil) {
		job, err := l.startBatch(ctx, webhook, due)
		return job, turnResult{more: true}, err
	}
	return nil, turnResult{wakeAt: nextDigestTime(now, zone, webhook.Settings.Digest), ignoreNews: true}, nil
}

// startBatch fixes the events of the next batch. Without events there is no batch.
func (l *lane) startBatch(ctx context.Context, webhook *domain.Webhook, until time.Time) (*job, error) {
	l.queue = nil
	query := eventQuery(webhook)
	query.Until = until
	page, err := l.engine.cfg.Events.Next(ctx, readerOf(webhook), l.state.Cursor, query, maxBatchEvents)
	if err != nil {
		return nil, err
	}
	l.noteLostHistory(page.Lost)
	l.engine.markDirty(l)
	if len(page.Events) == 0 {
		l.state.Cursor, l.state.DigestedUntil = page.Cursor, until
		return nil, nil
	}
	l.state.Batch = &batch{ID: digestID(page.Events), UpTo: page.Cursor, LastRecordedAt: page.Events[len(page.Events)-1].RecordedAt()}
	if len(page.Events) < maxBatchEvents {
		l.state.Batch.DigestEnd = until
	}
	return l.batchJob(ctx, webhook, page.Events)
}

// resumeBatch reads the events of the current batch again. While history is lost anywhere, events may be missing.
func (l *lane) resumeBatch(ctx context.Context, webhook *domain.Webhook) (*job, error) {
	if l.engine.cfg.ReadModel.OpenLosses() != nil {
		return nil, errHistoryLost
	}
	query := eventQuery(webhook)
	query.UpTo = &l.state.Batch.UpTo
	page, err := l.engine.cfg.Events.Next(ctx, readerOf(webhook), l.state.Cursor, query, maxBatchEvents)
	if err != nil {
		return nil, err
	}
	if len(page.Events) == 0 { // the settings have changed, or history was lost
		l.finishBatch()
		return nil, nil
	}
	return l.batchJob(ctx, webhook, page.Events)
}

// batchJob returns the job for the current batch.
func (l *lane) batchJob(ctx context.Context, webhook *domain.Webhook, list []projections.VisibleEvent) (*job, error) {
	message, err := l.engine.messages.digestMessage(ctx, webhook, l.state.Batch, list)
	if err != nil {
		return nil, err
	}
	job := &job{kind: jobBatch, message: message}
	for _, event := range list {
		job.positions = append(job.positions, event.Position().String())
	}
	return job, nil
}

// finishBatch advances the cursor past the current batch.
func (l *lane) finishBatch() {
	batch := l.state.Batch
	l.state.Cursor, l.state.Batch = batch.UpTo, nil
	if !batch.DigestEnd.IsZero() {
		l.state.DigestedUntil = batch.DigestEnd
	}
	l.engine.markDirty(l)
}

// throttleWait returns how long the rate limit or a Retry-After blocks all messages. Failures do not block test
// messages: they show whether the endpoint works again.
func (l *lane) throttleWait(now time.Time) time.Duration {
	wait := l.rateLimitWait(now)
	if l.state.ConsecutiveFailures == 0 {
		wait = max(wait, l.state.NextAttemptAt.Sub(now))
	}
	return wait
}

// hasSendRequest reports whether a test or redelivery is pending.
func (l *lane) hasSendRequest(webhook *domain.Webhook) bool {
	return slices.ContainsFunc(webhook.Requests, func(request domain.WebhookRequest) bool {
		return request.Number > l.state.LastRequest && request.Kind != domain.RequestReplay
	})
}

// requestedJob returns the job for the next test or redelivery. Replays need no job and are done here.
func (l *lane) requestedJob(ctx context.Context, webhook *domain.Webhook) (*job, error) {
	for _, request := range webhook.Requests {
		if request.Number <= l.state.LastRequest {
			continue
		}
		l.noteDroppedRequests(request.Number - l.state.LastRequest - 1)
		l.state.LastRequest = request.Number - 1
		if request.Kind == domain.RequestReplay && l.engine.cfg.ReadModel.OpenLosses() != nil {
			return nil, nil // wait: a cursor cannot move over lost history
		}
		job, err := l.jobForRequest(ctx, webhook, request)
		if err != nil {
			return nil, err
		}
		if job != nil {
			job.kind, job.requestNumber = jobRequest, request.Number
			return job, nil
		}
		l.state.LastRequest = request.Number
		l.engine.markDirty(l)
	}
	return nil, nil
}

// noteDroppedRequests adds a note to the attempt history about n requests that newer ones pushed out.
func (l *lane) noteDroppedRequests(n int) {
	if n > 0 {
		l.addAttempt(Attempt{
			Type: "webhook.requests_dropped", StartedAt: l.engine.cfg.Now().UTC(),
			Reason: fmt.Sprintf("%d request(s) for tests, redeliveries or replays were dropped, because newer ones replaced them. Repeat them.", n),
		})
	}
}

// jobForRequest returns the job for a request, or nil if it needs none.
func (l *lane) jobForRequest(ctx context.Context, webhook *domain.Webhook, request domain.WebhookRequest) (*job, error) {
	switch request.Kind {
	case domain.RequestTest:
		message, err := l.engine.messages.testMessage(webhook, request)
		return &job{message: message}, err
	case domain.RequestResend:
		return l.resendJob(ctx, webhook, request)
	case domain.RequestReplay:
		l.queue, l.state.Batch = nil, nil
		err := l.engine.cfg.Events.Rewind(readerOf(webhook), &l.state.Cursor, eventQuery(webhook), request.After, request.Since)
		if err != nil {
			l.noteRefusal(request, "Replay: "+err.Error())
			return nil, nil
		}
		l.state.HeadAttempts, l.state.NextAttemptAt = 0, time.Time{}
	}
	return nil, nil
}

// noteRefusal adds a note to the attempt history about a request that cannot be done.
func (l *lane) noteRefusal(request domain.WebhookRequest, reason string) {
	l.addAttempt(Attempt{Type: "webhook." + string(request.Kind), MessageID: request.Message, StartedAt: l.engine.cfg.Now().UTC(), Reason: reason})
}

// resendJob returns the job that sends the message of an earlier attempt again.
func (l *lane) resendJob(ctx context.Context, webhook *domain.Webhook, request domain.WebhookRequest) (*job, error) {
	original, err := l.latestAttempt(ctx, request.Message)
	if err != nil {
		return nil, err
	}
	var list []projections.VisibleEvent
	for _, position := range original.Events {
		event, err := l.engine.cfg.Events.EventAt(ctx, readerOf(webhook), position)
		if errors.Is(err, feed.ErrNotVisible) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, event)
	}
	if len(list) == 0 || len(list) != len(original.Events) {
		l.noteRefusal(request, "This delivery is no longer in the attempt history, so its events are unknown.")
		return nil, nil
	}
	if slices.ContainsFunc(list, func(event projections.VisibleEvent) bool { return !wants(webhook, &event) }) {
		l.noteRefusal(request, "The webhook no longer asks for these events.")
		return nil, nil
	}
	if original.Type != digestType {
		return l.eventJob(ctx, webhook, jobRequest, list[0])
	}
	message, err := l.engine.messages.digestMessage(ctx, webhook, &batch{ID: request.Message, LastRecordedAt: list[len(list)-1].RecordedAt()}, list)
	return &job{message: message, positions: original.Events}, err
}

// latestAttempt returns the latest known attempt at a message, or the zero Attempt.
func (l *lane) latestAttempt(ctx context.Context, messageID string) (latest Attempt, err error) {
	attempts, err := ReadAttempts(ctx, l.engine.cfg.Log, l.ref)
	if err != nil {
		return latest, err
	}
	for _, attempt := range l.unsavedAttempts {
		attempts = append(attempts, attempt)
	}
	for _, attempt := range attempts {
		if attempt.MessageID == messageID && len(attempt.Events) > 0 && attempt.Sequence > latest.Sequence {
			latest = attempt
		}
	}
	return latest, nil
}
