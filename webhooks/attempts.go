package webhooks

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
	"tandem/projections/feed"
)

// AttemptHistorySize is how many attempts per webhook are stored.
const AttemptHistorySize = 50

// Attempt is one attempt at a message in the attempt history, or a note about the lane. It contains neither secrets nor
// names of members.
type Attempt struct {
	Sequence  int           `json:"sequence"` // over all attempts of the webhook, from 1
	MessageID string        `json:"delivery"` // the event's id for a message about one event
	Type      string        `json:"type"`
	Number    int           `json:"number"` // over the attempts at this message, from 1
	StartedAt time.Time     `json:"started_at"`
	Duration  time.Duration `json:"duration"`
	OK        bool          `json:"ok"`
	Status    int           `json:"status,omitempty"` // HTTP status; 0 without a response
	Reason    string        `json:"reason,omitempty"` // why it failed, for people; empty if OK
	Note      string        `json:"note,omitempty"`   // a limitation of a success
	NextAt    time.Time     `json:"next_at,omitzero"` // the next attempt; zero: none

	Method          string            `json:"method,omitempty"`
	URL             string            `json:"url,omitempty"`
	RequestHeaders  map[string]string `json:"request_headers,omitempty"`
	RequestBody     string            `json:"request_body,omitempty"`
	ResponseHeaders map[string]string `json:"response_headers,omitempty"`
	ResponseBody    string            `json:"response_body,omitempty"`

	Events []string `json:"events,omitempty"` // positions of the events in the message

	fillDetails func(*Attempt) // sets the fields of request and response; see exchange.details
}

// laneKey is the key of a stored lane state.
func laneKey(ref domain.WebhookRef) string {
	return lanePrefix + string(ref.Partner) + "/" + string(ref.Webhook)
}

// attemptPrefix begins the keys of the attempt history of a webhook.
func attemptPrefix(ref domain.WebhookRef) string {
	return "webhook-attempt/" + string(ref.Partner) + "/" + string(ref.Webhook) + "/"
}

const lanePrefix = "webhook-lane/"

// kvEntry returns the entry that stores an attempt. It replaces the attempt that is AttemptHistorySize older.
func (a *Attempt) kvEntry(ref domain.WebhookRef) eventlog.KV {
	if a.fillDetails != nil {
		a.fillDetails(a)
	}
	value, err := json.Marshal(a)
	if err != nil {
		panic(err) // strings, numbers and times always marshal
	}
	return eventlog.KV{Key: fmt.Sprintf("%s%02d", attemptPrefix(ref), a.Sequence%AttemptHistorySize), Value: value}
}

// ReadAttempts returns the stored attempt history of a webhook, latest first. Attempts of the last moments may be
// missing, and after a crash stay missing. It works on every node.
func ReadAttempts(ctx context.Context, log Log, ref domain.WebhookRef) ([]Attempt, error) {
	entries, err := log.Scan(ctx, projections.DirectoryOf(ref.Partner), attemptPrefix(ref))
	if err != nil {
		return nil, fmt.Errorf("read the attempt history: %w", err)
	}
	attempts := make([]Attempt, 0, len(entries))
	for _, kv := range entries {
		var attempt Attempt
		if err := json.Unmarshal(kv.Value, &attempt); err != nil {
			continue // return the attempts that can be decoded
		}
		attempts = append(attempts, attempt)
	}
	slices.SortFunc(attempts, func(attempt, other Attempt) int { return other.Sequence - attempt.Sequence })
	return attempts, nil
}

// DeliveryStatus is the status of a webhook's lane.
type DeliveryStatus struct {
	Sent          uint64    `json:"delivered"`        // accepted messages
	Failed        uint64    `json:"failed"`           // failed attempts
	Behind        uint64    `json:"behind"`           // visible events after the cursor, wanted or not
	Skipped       int       `json:"aside"`            // skipped events that are retried
	FailingSince  time.Time `json:"failing,omitzero"` // the first of the consecutive failures; zero: the last attempt succeeded
	NextAttemptAt time.Time `json:"next,omitzero"`    // no event is sent before; zero: at once
}

// ReadStatus returns the status of a webhook as of the last flush of its lane. It works on every node.
func ReadStatus(ctx context.Context, log Log, events *feed.Reader, webhook *domain.Webhook) (DeliveryStatus, error) {
	value, err := log.Get(ctx, projections.DirectoryOf(webhook.Ref.Partner), laneKey(webhook.Ref))
	if err != nil {
		return DeliveryStatus{}, fmt.Errorf("read the status of webhook %s: %w", webhook.Ref.Webhook, err)
	}
	state := readLaneState(value)
	return state.status(events, webhook), nil
}
