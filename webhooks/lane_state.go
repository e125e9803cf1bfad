package webhooks

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"tandem/domain"
	"tandem/projections"
)

// laneState is all that a lane must not forget. It is stored as one entry, so that it is whole.
type laneState struct {
	Since         time.Time          `json:"since"` // of the webhook; another one begins anew
	Cursor        projections.Cursor `json:"progress"`
	Skipped       []skippedEvent     `json:"aside,omitempty"`
	Batch         *batch             `json:"batch,omitempty"`
	DigestedUntil time.Time          `json:"digested,omitzero"` // until when digests were sent
	LastRequest   int                `json:"request,omitempty"` // the last one that was done

	HeadAttempts        int       `json:"tried,omitempty"`    // attempts at what stands at the head
	ConsecutiveFailures int       `json:"failures,omitempty"` // in a row
	FailingSince        time.Time `json:"failing,omitzero"`   // since the first of them
	RateLimitedSince    time.Time `json:"slowed,omitzero"`    // since when it says that it is too much
	NextAttemptAt       time.Time `json:"next,omitzero"`      // nothing is sent before

	AttemptCount int    `json:"attempts,omitempty"`
	SentCount    uint64 `json:"delivered,omitempty"`
	FailedCount  uint64 `json:"failed,omitempty"`

	EndpointKey string               `json:"face,omitempty"`       // of the endpoint that this is about
	Agreements  []domain.AgreementID `json:"agreements,omitempty"` // that were looked out for; empty: all
	Disabled    bool                 `json:"disabled,omitempty"`

	unreadable bool // it could not be read
}

// readLaneState returns what was kept of a lane. One that cannot be read is a concern of that lane alone.
func readLaneState(value []byte) (state laneState) {
	if value == nil {
		return state
	}
	if err := json.Unmarshal(value, &state); err != nil {
		return laneState{unreadable: true}
	}
	return state
}

// skippedEvent is an event that failed and is tried again while later ones go ahead.
type skippedEvent struct {
	Position      string    `json:"position"`
	Attempts      int       `json:"tried"`
	NextAttemptAt time.Time `json:"next"`
}

// batch is what one message sums up. It is fixed before the first attempt, so that every attempt says the same
// under the same id.
type batch struct {
	ID             string             `json:"id"`
	UpTo           projections.Cursor `json:"up_to"`
	LastRecordedAt time.Time          `json:"at"`            // of the last event in it
	DigestEnd      time.Time          `json:"ends,omitzero"` // of a daily or weekly digest: until when it reaches
}

// endpointKey tells one endpoint from another one that took its place.
func endpointKey(webhook *domain.Webhook) string {
	hash := sha256.New()
	hash.Write([]byte(webhook.Settings.Format))
	for _, part := range [][]byte{webhook.Settings.Address, webhook.Secret} {
		hash.Write([]byte{byte(len(part)), byte(len(part) >> 8)})
		hash.Write(part)
	}
	return hex.EncodeToString(hash.Sum(nil)[:8])
}

// clampTimes keeps a clock that was ahead from holding the lane up until then: nothing waits longer than the longest
// step, and nothing that happened lies ahead.
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

// excludeDowntime leaves the time out in which nothing was tried, because nobody ran the lane.
func (s *laneState) excludeDowntime(now time.Time) {
	if off := now.Sub(s.NextAttemptAt); !s.FailingSince.IsZero() && !s.NextAttemptAt.IsZero() && off > 0 {
		s.FailingSince = s.FailingSince.Add(off)
	}
}

// applySettings brings the record up to date with the webhook: a webhook that is enabled again, or leads somewhere
// else, is tried at once; agreements that it had left out begin when they were chosen, however late the lane comes to know.
func (s *laneState) applySettings(readModel ReadModel, webhook *domain.Webhook) {
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
		readModel.Skip(eventQuery(webhook), &s.Cursor, webhook.AgreementsChosenAt, func(agreement domain.AgreementID) bool {
			return !includesAgreement(before, agreement) && includesAgreement(now, agreement)
		})
		s.Agreements = now
	}
}

func includesAgreement(list []domain.AgreementID, agreement domain.AgreementID) bool {
	return len(list) == 0 || slices.Contains(list, agreement)
}

func eventQuery(webhook *domain.Webhook) projections.EventQuery {
	return projections.EventQuery{Partner: webhook.Ref.Partner, Since: webhook.AddedAt, Limit: eventsPerRead}
}

func (s *laneState) status(readModel ReadModel, webhook *domain.Webhook) DeliveryStatus {
	if !s.Since.Equal(webhook.AddedAt) {
		s = &laneState{}
	}
	return DeliveryStatus{
		Sent: s.SentCount, Failed: s.FailedCount, Skipped: len(s.Skipped), FailingSince: s.FailingSince, NextAttemptAt: s.NextAttemptAt,
		Behind: readModel.Behind(eventQuery(webhook), &s.Cursor),
	}
}
