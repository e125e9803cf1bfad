package domain

import "time"

// TestWebhook asks for a message that says it is a test, on the way that all messages take. It is how to
// find out whether a disabled webhook can be enabled again, too.
type TestWebhook struct {
	Partner PartnerID `json:"partner"`
	Webhook WebhookID `json:"webhook"`
}

// Stream implements Command.
func (c TestWebhook) Stream() Stream { return Stream{Partner: c.Partner} }

func (c TestWebhook) target(s State) *Seen { return seenOf(s.Webhook(WebhookRef(c))) }

func (c TestWebhook) decide(s State, m Meta) ([]Event, error) {
	x, err := managedWebhook(s, c.Partner, c.Webhook, m)
	if err != nil {
		return nil, err
	}
	return webhookEvent(c.Partner, c.Webhook, WebhookTestRequested{x.nextRequest()}), nil
}

// Redeliver asks for one delivery again, beside what else is delivered. The edge has looked that there is
// such a delivery.
type Redeliver struct {
	Partner  PartnerID `json:"partner"`
	Webhook  WebhookID `json:"webhook"`
	Delivery string    `json:"delivery"`
}

// Stream implements Command.
func (c Redeliver) Stream() Stream { return Stream{Partner: c.Partner} }

func (c Redeliver) target(s State) *Seen { return seenOf(s.Webhook(WebhookRef{c.Partner, c.Webhook})) }

func (c Redeliver) decide(s State, m Meta) ([]Event, error) {
	x, err := ownWebhook(s, c.Partner, c.Webhook, m)
	if err != nil {
		return nil, err
	}
	var f faults
	f.text("delivery", c.Delivery, 100, true)
	if err := f.err(); err != nil {
		return nil, err
	}
	if err := m.manager(); err != nil {
		return nil, err
	}
	return webhookEvent(c.Partner, c.Webhook, WebhookRedeliveryRequested{x.nextRequest(), c.Delivery}), nil
}

// ReplayWebhook asks for all events again that came after a position, or were recorded since a time. The
// edge has looked that the position is one.
type ReplayWebhook struct {
	Partner PartnerID `json:"partner"`
	Webhook WebhookID `json:"webhook"`
	After   string    `json:"after,omitempty"`
	Since   time.Time `json:"since,omitzero"`
}

// Stream implements Command.
func (c ReplayWebhook) Stream() Stream { return Stream{Partner: c.Partner} }

func (c ReplayWebhook) target(s State) *Seen {
	return seenOf(s.Webhook(WebhookRef{c.Partner, c.Webhook}))
}

func (c ReplayWebhook) decide(s State, m Meta) ([]Event, error) {
	x, err := ownWebhook(s, c.Partner, c.Webhook, m)
	if err != nil {
		return nil, err
	}
	var f faults
	f.text("after", c.After, 100_000, false)
	switch {
	case (c.After == "") == c.Since.IsZero():
		f.add("after", "or since is required, and not both")
	case c.Since.After(m.At):
		f.add("since", "is in the future")
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	if err := m.manager(); err != nil {
		return nil, err
	}
	return webhookEvent(c.Partner, c.Webhook, WebhookReplayRequested{x.nextRequest(), c.After, c.Since}), nil
}

func (x *Webhook) nextRequest() int {
	if n := len(x.Requests); n > 0 {
		return x.Requests[n-1].Number + 1
	}
	return 1
}
