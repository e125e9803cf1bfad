package domain

import "time"

// WebhookID names a webhook of a partner.
type WebhookID string

// WebhookRef names a webhook across partners.
type WebhookRef struct {
	Partner PartnerID
	Webhook WebhookID
}

// Webhook is an endpoint that a partner wants to be told at: a program, or a room of a chat tool.
type Webhook struct {
	Ref      WebhookRef
	Settings WebhookSettings
	Secret   []byte    // sealed; empty: none
	Old      []byte    // sealed: the secret before the last rotation, which still signs until OldUntil
	OldUntil time.Time // zero: there is none
	Disabled string    // why nothing is delivered; empty: it is
	Since    time.Time // what was recorded before is not delivered: when it was added
	Requests []WebhookRequest
	Removed  bool
	Seen     Seen
}

// WebhookSettings is what a partner's managers choose. The address is sealed by the edge, because chat
// tools put their secrets into it; Place is what may be shown of it.
type WebhookSettings struct {
	Title          string        `json:"title,omitempty"`
	Format         string        `json:"format"`
	Address        []byte        `json:"address"`              // sealed
	Place          string        `json:"place"`                // such as https://hooks.slack.com/…
	Events         []string      `json:"events"`               // types, with * for any rest: "milestone.*"
	Agreements     []AgreementID `json:"agreements,omitempty"` // empty: all
	Language       string        `json:"language"`             // en, zh or fi
	IncludePrivate bool          `json:"include_private,omitempty"`
	Digest         Digest        `json:"digest,omitempty"`
	Order          DeliveryOrder `json:"order"`
}

// Digest says how often one message sums up what happened; empty: every event has its own.
type Digest string

// The digests: at 08:00 in the partner's zone, of every day or of every Monday.
const (
	Daily  Digest = "daily"
	Weekly Digest = "weekly"
)

// DeliveryOrder says what happens behind an event that cannot be delivered.
type DeliveryOrder string

// The orders: the rest waits, or it goes ahead and what lagged is summed up.
const (
	Ordered   DeliveryOrder = "ordered"
	SkipAhead DeliveryOrder = "skip_ahead"
)

// WebhookRequest is something that a manager asks of the deliveries. The latest few are kept.
type WebhookRequest struct {
	Number   int // from 1
	Kind     WebhookRequestKind
	After    string    // of a replay: the position after which to begin
	Time     time.Time // of a replay without a position: the time of recording from which to begin
	Delivery string    // to deliver again
	At       time.Time // recorded
}

// WebhookRequestKind is what is asked for.
type WebhookRequestKind string

// The requests: a message that says it is a test; one delivery again, beside the others; all events
// again from a place on.
const (
	TestDelivery WebhookRequestKind = "test"
	Redelivery   WebhookRequestKind = "redeliver"
	Replay       WebhookRequestKind = "replay"
)
