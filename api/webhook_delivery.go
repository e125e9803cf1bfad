package api

import (
	"time"

	"tandem/domain"
)

// DeliveryList is a part of a webhook's deliveries.
type DeliveryList struct {
	Partner    domain.PartnerID  `json:"partner"`
	Webhook    domain.WebhookID  `json:"webhook"`
	Standing   DeliveryStanding  `json:"standing"`
	Deliveries []WebhookDelivery `json:"deliveries" doc:"The latest first."`
	NextCursor *string           `json:"next_cursor"`
}

// OneDelivery is a delivery with its attempts.
type OneDelivery struct {
	WebhookDelivery
	Log []DeliveryAttempt `json:"log" doc:"The attempts that are remembered, oldest first."`
}

// WebhookDelivery is something that was to be told to a webhook's endpoint.
type WebhookDelivery struct {
	ID       string     `json:"id" doc:"Stable: the event's where it is about one, and the same on every attempt."`
	Type     string     `json:"type" doc:"Of the event; webhook.test, webhook.digest."`
	State    string     `json:"state" enum:"delivered,retrying,failed"`
	Attempts int        `json:"attempts" doc:"How many there were so far."`
	FirstAt  time.Time  `json:"first_at" doc:"Of the attempts that are remembered."`
	LastAt   time.Time  `json:"last_at"`
	NextAt   *time.Time `json:"next_at" doc:"When it is tried again; null: not by itself."`
	Status   *int       `json:"status" doc:"Of the last answer; null if there was none."`
	Reason   string     `json:"reason" doc:"What went wrong last; empty if nothing did."`
	Note     string     `json:"note" doc:"What a success leaves open."`
}

// DeliveryAttempt is one of its attempts.
type DeliveryAttempt struct {
	Number   int               `json:"number"`
	At       time.Time         `json:"at"`
	TookMS   int64             `json:"took_ms"`
	OK       bool              `json:"ok"`
	Status   *int              `json:"status"`
	Reason   string            `json:"reason"`
	Note     string            `json:"note"`
	Request  DeliveryRequest   `json:"request"`
	Response *DeliveryResponse `json:"response" doc:"Null if nothing answered."`
}

// DeliveryRequest is what was sent. What in it is secret is an ellipsis.
type DeliveryRequest struct {
	Method  string            `json:"method"`
	URL     string            `json:"url" doc:"… stands for what is secret in it."`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

// DeliveryResponse is the answer.
type DeliveryResponse struct {
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body" doc:"Its first 4 KiB."`
}

// DeliveryStanding is how a webhook's deliveries stand, as of a moment ago.
type DeliveryStanding struct {
	Delivered     uint64     `json:"delivered" doc:"Deliveries that were taken, since the webhook was added."`
	Failed        uint64     `json:"failed" doc:"Attempts that were not."`
	Behind        uint64     `json:"behind" doc:"Events that the partner may see and the deliveries have not reached, wanted or not."`
	Retrying      int        `json:"retrying" doc:"Events that failed and are tried again while later ones go ahead."`
	FailingSince  *time.Time `json:"failing_since" doc:"Nothing was taken since; null: the last attempt was, or there was none."`
	NextAttemptAt *time.Time `json:"next_attempt_at" doc:"Nothing is sent before; null: at once, when there is something."`
}
