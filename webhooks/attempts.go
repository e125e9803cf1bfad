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
)

// AttemptHistorySize is how many attempts per webhook are kept.
const AttemptHistorySize = 50

// Attempt is one try to deliver something, as the delivery log keeps it. Nothing in it is secret.
type Attempt struct {
	Sequence  int           `json:"sequence"` // of the webhook's attempts, from 1
	MessageID string        `json:"delivery"` // the stable id: the event's, where it is about one
	Type      string        `json:"type"`
	Number    int           `json:"number"` // of the attempts at this delivery, from 1
	StartedAt time.Time     `json:"started_at"`
	Duration  time.Duration `json:"duration"`
	OK        bool          `json:"ok"`
	Status    int           `json:"status,omitempty"` // 0: there was no answer
	Reason    string        `json:"reason,omitempty"` // why it failed, for a person
	Note      string        `json:"note,omitempty"`
	NextAt    time.Time     `json:"next_at,omitzero"` // when it is tried again; zero: it is not

	Method          string            `json:"method,omitempty"`
	URL             string            `json:"url,omitempty"`
	RequestHeaders  map[string]string `json:"request_headers,omitempty"`
	RequestBody     string            `json:"request_body,omitempty"`
	ResponseHeaders map[string]string `json:"response_headers,omitempty"`
	ResponseBody    string            `json:"response_body,omitempty"`

	Events []string `json:"events,omitempty"` // positions of what it is about

	fillDetails func(*Attempt) // fills in what was sent and answered; most attempts of a busy lane are never kept
}

func laneKey(ref domain.WebhookRef) string {
	return lanePrefix + string(ref.Partner) + "/" + string(ref.Webhook)
}

func attemptPrefix(ref domain.WebhookRef) string {
	return "webhook-attempt/" + string(ref.Partner) + "/" + string(ref.Webhook) + "/"
}

const lanePrefix = "webhook-lane/"

// kvEntry returns the entry that keeps an attempt, in place of the one that is KeptAttempts older.
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

// ReadAttempts returns the last attempts to deliver to a webhook, the latest first, as far as they are kept: what
// was tried in the last moments before a crash may be missing. Any node can read them.
func ReadAttempts(ctx context.Context, log eventlog.Log, ref domain.WebhookRef) ([]Attempt, error) {
	entries, err := log.Scan(ctx, projections.DirectoryOf(ref.Partner), attemptPrefix(ref))
	if err != nil {
		return nil, fmt.Errorf("read the delivery log: %w", err)
	}
	attempts := make([]Attempt, 0, len(entries))
	for _, kv := range entries {
		var attempt Attempt
		if err := json.Unmarshal(kv.Value, &attempt); err != nil {
			continue // the rest tells what it can
		}
		attempts = append(attempts, attempt)
	}
	slices.SortFunc(attempts, func(attempt, other Attempt) int { return other.Sequence - attempt.Sequence })
	return attempts, nil
}

// DeliveryStatus is how the deliveries to a webhook stand.
type DeliveryStatus struct {
	Sent          uint64    `json:"delivered"` // deliveries that were taken
	Failed        uint64    `json:"failed"`    // attempts that were not
	Behind        uint64    `json:"behind"`    // events that the partner may see and the lane has not reached, wanted or not
	Skipped       int       `json:"aside"`     // events that failed and are tried again beside the others
	FailingSince  time.Time `json:"failing,omitzero"`
	NextAttemptAt time.Time `json:"next,omitzero"` // when it is tried again; zero: at once, when there is something
}

// ReadStatus returns how a webhook stands, as of what its lane kept last. Any node can read it.
func ReadStatus(ctx context.Context, log eventlog.Log, readModel ReadModel, webhook *domain.Webhook) (DeliveryStatus, error) {
	value, err := log.Get(ctx, projections.DirectoryOf(webhook.Ref.Partner), laneKey(webhook.Ref))
	if err != nil {
		return DeliveryStatus{}, fmt.Errorf("read how webhook %s stands: %w", webhook.Ref.Webhook, err)
	}
	state := readLaneState(value)
	return state.status(readModel, webhook), nil
}
