package api

import (
	"time"

	"tandem/domain"
)

// DeliveryList is one page of a webhook's messages.
type DeliveryList struct {
	Partner    domain.PartnerID  `json:"partner"`
	Webhook    domain.WebhookID  `json:"webhook"`
	Standing   DeliveryStanding  `json:"standing"`
	Deliveries []WebhookDelivery `json:"deliveries" doc:"Latest first."`
	NextCursor *string           `json:"next_cursor"`
}

// OneDelivery is a delivery with its attempts.
type OneDelivery struct {
	WebhookDelivery
	Log []DeliveryAttempt `json:"log" doc:"The stored attempts, oldest first."`
}

// WebhookDelivery is a message to a webhook's endpoint.
type WebhookDelivery struct {
	ID       string     `json:"id" doc:"Stable over all attempts: the event's id for a message about one event."`
	Type     string     `json:"type" doc:"The event's type, webhook.test or webhook.digest."`
	State    string     `json:"state" enum:"delivered,retrying,failed"`
	Attempts int        `json:"attempts" doc:"The number of attempts so far."`
	FirstAt  time.Time  `json:"first_at" doc:"Of the stored attempts."`
	LastAt   time.Time  `json:"last_at"`
	NextAt   *time.Time `json:"next_at" doc:"Time of the next attempt; null: none is scheduled."`
	Status   *int       `json:"status" doc:"Status of the last response; null if there was none."`
	Reason   string     `json:"reason" doc:"Error of the last attempt; empty after a success."`
	Note     string     `json:"note" doc:"A remark on a successful attempt."`
}

// DeliveryAttempt is one attempt to send a message.
type DeliveryAttempt struct {
	Number   int               `json:"number"`
	At       time.Time         `json:"at"`
	TookMS   int64             `json:"took_ms"`
	OK       bool              `json:"ok"`
	Status   *int              `json:"status"`
	Reason   string            `json:"reason"`
	Note     string            `json:"note"`
	Request  DeliveryRequest   `json:"request"`
	Response *DeliveryResponse `json:"response" doc:"Null without a response."`
}

// DeliveryRequest is the request of an attempt; an ellipsis replaces secrets.
type DeliveryRequest struct {
	Method  string            `json:"method"`
	URL     string            `json:"url" doc:"… replaces secrets."`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

// DeliveryResponse is the endpoint's response.
type DeliveryResponse struct {
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body" doc:"The first 4 KiB."`
}

// DeliveryStanding is the delivery status of a webhook as its lane last stored it.
type DeliveryStanding struct {
	Delivered     uint64     `json:"delivered" doc:"Messages sent successfully since the webhook was added."`
	Failed        uint64     `json:"failed" doc:"Failed attempts."`
	Behind        uint64     `json:"behind" doc:"Visible events behind the lane's cursor, including those that the filter excludes."`
	Retrying      int        `json:"retrying" doc:"Skipped events: their attempts failed and are retried while later events are sent."`
	FailingSince  *time.Time `json:"failing_since" doc:"Time since which attempts have failed; null: the last attempt succeeded, or there was none."`
	NextAttemptAt *time.Time `json:"next_attempt_at" doc:"Time of the next attempt; null: as soon as there is a message."`
}
