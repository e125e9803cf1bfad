package webhooks

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"tandem/domain"
	"tandem/projections"
	"tandem/projections/feed"
)

// laneState is the durable state of a lane. It is stored as one key–value entry, and so changes atomically.
type laneState struct {
	Since         time.Time      `json:"since"` // when the webhook was added; another webhook with the same id starts from zero
	Cursor        feed.Cursor    `json:"progress"`
	Skipped       []skippedEvent `json:"aside,omitempty"`
	Batch         *batch         `json:"batch,omitempty"`
	DigestedUntil time.Time      `json:"digested,omitzero"` // the end of the last digest
	LastRequest   int            `json:"request,omitempty"` // the number of the last completed request

	HeadAttempts        int       `json:"tried,omitempty"` // at the event at the cursor, or the batch
	ConsecutiveFailures int       `json:"failures,omitempty"`
	FailingSince        time.Time `json:"failing,omitzero"` // the first of the consecutive failures
	RateLimitedSince    time.Time `json:"slowed,omitzero"`  // the first rate-limited attempt since the last success
	NextAttemptAt       time.Time `json:"next,omitzero"`    // no event is sent before

	AttemptCount int    `json:"attempts,omitempty"`
	SentCount    uint64 `json:"delivered,omitempty"`
	FailedCount  uint64 `json:"failed,omitempty"`

	EndpointKey string               `json:"face,omitempty"`       // identifies the endpoint that the failures concern
	Agreements  []domain.AgreementID `json:"agreements,omitempty"` // the filter that Cursor reflects; empty: all
	Disabled    bool                 `json:"disabled,omitempty"`

	unreadable bool // the stored entry could not be read
}

// readLaneState decodes a stored lane state. An unreadable one disables its webhook and no other.
func readLaneState(value []byte) (state laneState) {
	if value == nil {
		return state
	}
	if err := json.Unmarshal(value, &state); err != nil {
		return laneState{unreadable: true}
	}
	return state
}

// skippedEvent is an event that failed and is retried while later events are sent.
type skippedEvent struct {
	Position      string    `json:"position"`
	Attempts      int       `json:"tried"`
	NextAttemptAt time.Time `json:"next"`
}

// batch is the content of one message about several events. It is fixed before the first attempt, so that all attempts
// send the same message with the same id.
type batch struct {
	ID             string      `json:"id"`
	UpTo           feed.Cursor `json:"up_to"`
	LastRecordedAt time.Time   `json:"at"`            // of the last event in the batch
	DigestEnd      time.Time   `json:"ends,omitzero"` // of a daily or weekly digest; zero otherwise
}

// endpointKey returns a hash that changes with the format, address or secret of a webhook.
func endpointKey(webhook *domain.Webhook) string {
	hash := sha256.New()
	hash.Write([]byte(webhook.Settings.Format))
	for _, part := range [][]byte{webhook.Settings.Address, webhook.Secret} {
		hash.Write([]byte{byte(len(part)), byte(len(part) >> 8)})
		hash.Write(part)
	}
	return hex.EncodeToString(hash.Sum(nil)[:8])
}

// clampTimes corrects times that a clock which was ahead has left in the future, so that they do not block the lane.
func (s *laneState) clampTimes(now time.Time, zone *time.Location, every domain.Digest) {
	latest := now.Add(maxRetryAfter + maxRetryAfter/5)
	if s.NextAttemptAt.After(latest) {
		s.NextAttemptAt = now
	}
	for i := range s.Skipped {
		if s.Skipped[i].NextAttemptAt.After(latest) {
			s.Skipped[i].NextAttemptAt = now
		}
	}
	if s.FailingSince.After(now) {
		s.FailingSince = now
	}
	if s.RateLimitedSince.After(now) {
		s.RateLimitedSince = now
	}
	if s.DigestedUntil.After(now) {
		s.DigestedUntil = lastDigestTime(now, zone, every)
	}
}

// excludeDowntime moves FailingSince forward by the time in which no node ran the lane.
func (s *laneState) excludeDowntime(now time.Time) {
	if off := now.Sub(s.NextAttemptAt); !s.FailingSince.IsZero() && !s.NextAttemptAt.IsZero() && off > 0 {
		s.FailingSince = s.FailingSince.Add(off)
	}
}

// applySettings updates the state after a change of the webhook. A webhook that is enabled again, or has a new
// endpoint, is tried at once. Agreements that its filter newly includes start at the time of the edit. A filter that is
// edited before the first turn of its lane counts from the time at which the webhook was added.
func (s *laneState) applySettings(events *feed.Reader, webhook *domain.Webhook) {
	if !s.Since.Equal(webhook.AddedAt) {
		*s = laneState{Since: webhook.AddedAt, EndpointKey: endpointKey(webhook), Agreements: webhook.Settings.Agreements}
	}
	if key := endpointKey(webhook); key != s.EndpointKey || s.Disabled && webhook.DisabledReason == "" {
		s.EndpointKey, s.ConsecutiveFailures, s.FailingSince, s.RateLimitedSince, s.NextAttemptAt, s.HeadAttempts = key, 0, time.Time{}, time.Time{}, time.Time{}, 0
		for i := range s.Skipped {
			s.Skipped[i].NextAttemptAt = time.Time{}
		}
	}
	s.Disabled = webhook.DisabledReason != ""
	if now := webhook.Settings.Agreements; !slices.Equal(now, s.Agreements) {
		before := s.Agreements
		events.MoveTo(readerOf(webhook), &s.Cursor, eventQuery(webhook), webhook.AgreementsChosenAt, func(agreement domain.AgreementID) bool {
			return !includesAgreement(before, agreement) && includesAgreement(now, agreement)
		})
		s.Agreements = now
	}
}

// includesAgreement reports whether a filter includes an agreement. The empty filter includes all.
func includesAgreement(list []domain.AgreementID, agreement domain.AgreementID) bool {
	return len(list) == 0 || slices.Contains(list, agreement)
}

// eventQuery selects the events that a webhook asks for, from when it was added. It includes agreements that its
// partner does not see any more, because what happened before still has to be sent.
func eventQuery(webhook *domain.Webhook) feed.EventQuery {
	return feed.EventQuery{
		EventScope: projections.EventScope{Former: true}, Since: webhook.AddedAt, Resume: true,
		Match: func(event *projections.VisibleEvent) bool { return wants(webhook, event) },
	}
}

// readerOf returns the viewer on whose behalf a webhook reads.
func readerOf(webhook *domain.Webhook) projections.Viewer {
	return projections.Viewer{Partner: webhook.Ref.Partner}
}

// status returns the state as callers see it.
func (s *laneState) status(events *feed.Reader, webhook *domain.Webhook) DeliveryStatus {
	if !s.Since.Equal(webhook.AddedAt) {
		s = &laneState{}
	}
	return DeliveryStatus{
		Sent: s.SentCount, Failed: s.FailedCount, Skipped: len(s.Skipped), FailingSince: s.FailingSince, NextAttemptAt: s.NextAttemptAt,
		Behind: events.Behind(readerOf(webhook), s.Cursor, eventQuery(webhook)),
	}
}
