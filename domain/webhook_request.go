package domain

import "time"

// TestWebhook requests a test message, which is sent like any other message, even to a disabled webhook.
type TestWebhook struct {
	WebhookRef
}

func (c TestWebhook) decide(state State, dc DecisionContext) ([]Event, error) {
	webhook, err := findManagedWebhook(state, c.Partner, c.Webhook, dc)
	if err != nil {
		return nil, err
	}
	return webhookEvent(c.Partner, c.Webhook, WebhookTestRequested{webhook.nextRequestNumber()}), nil
}

// ResendWebhook requests to send one message again, independent of other sending. The caller of Decide has
// checked that the message exists.
type ResendWebhook struct {
	WebhookRef
	Message string `json:"delivery"`
}

func (c ResendWebhook) decide(state State, dc DecisionContext) ([]Event, error) {
	webhook, err := findWebhook(state, c.Partner, c.Webhook, dc)
	if err != nil {
		return nil, err
	}
	var check validation
	check.text("delivery", c.Message, 100, true)
	if err := check.err(); err != nil {
		return nil, err
	}
	if err := dc.requireManager(); err != nil {
		return nil, err
	}
	return webhookEvent(c.Partner, c.Webhook, WebhookRedeliveryRequested{webhook.nextRequestNumber(), c.Message}), nil
}

// ReplayWebhook requests to send all events again after a position, or recorded since a time. The caller of
// Decide has checked the position.
type ReplayWebhook struct {
	WebhookRef
	After string    `json:"after,omitempty"`
	Since time.Time `json:"since,omitzero"`
}

func (c ReplayWebhook) decide(state State, dc DecisionContext) ([]Event, error) {
	webhook, err := findWebhook(state, c.Partner, c.Webhook, dc)
	if err != nil {
		return nil, err
	}
	var check validation
	check.text("after", c.After, 100_000, false)
	switch {
	case (c.After == "") == c.Since.IsZero():
		check.add("after", "give either after or since")
	case c.Since.After(dc.At):
		check.add("since", "is in the future; use an earlier time")
	}
	if err := check.err(); err != nil {
		return nil, err
	}
	if err := dc.requireManager(); err != nil {
		return nil, err
	}
	return webhookEvent(c.Partner, c.Webhook, WebhookReplayRequested{webhook.nextRequestNumber(), c.After, c.Since}), nil
}

func (w *Webhook) nextRequestNumber() int {
	if n := len(w.Requests); n > 0 {
		return w.Requests[n-1].Number + 1
	}
	return 1
}
