package domain

import "time"

// TestWebhook asks for a message that says it is a test, on the way that all messages take. It is how to
// find out whether a disabled webhook can be enabled again, too.
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

// ResendWebhook asks for one delivery again, beside what else is delivered. The edge has looked that there is
// such a delivery.
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

// ReplayWebhook asks for all events again that came after a position, or were recorded since a time. The
// edge has looked that the position is one.
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
		check.add("after", "or since is required, and not both")
	case c.Since.After(dc.At):
		check.add("since", "is in the future")
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
