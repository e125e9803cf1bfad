package domain

import (
	"slices"
	"time"
)

// The events about a webhook name it in their subject.

// WebhookAdded begins a subscription: what is recorded from now on is delivered.
type WebhookAdded struct {
	Settings WebhookSettings `json:"settings"`
	Secret   []byte          `json:"secret,omitempty"` // sealed
}

// WebhookEdited carries all settings after and before.
type WebhookEdited struct {
	To   WebhookSettings `json:"to"`
	From WebhookSettings `json:"from"`
}

// WebhookSecretRotated carries the new secret.
type WebhookSecretRotated struct {
	Secret   []byte    `json:"secret"`             // sealed
	OldUntil time.Time `json:"old_until,omitzero"` // zero: there was none before
}

// WebhookRemoved ends a subscription.
type WebhookRemoved struct{}

// WebhookDisabled says that nothing is delivered until somebody enables it.
type WebhookDisabled struct {
	Reason string `json:"reason"`
}

// WebhookEnabled says that it goes on where it stopped.
type WebhookEnabled struct{}

// WebhookTestRequested asks for a message that says it is a test.
type WebhookTestRequested struct {
	Number int `json:"number"`
}

// WebhookRedeliveryRequested asks for one delivery again.
type WebhookRedeliveryRequested struct {
	Number   int    `json:"number"`
	Delivery string `json:"delivery"`
}

// WebhookReplayRequested asks for all events again, from a position or a time on.
type WebhookReplayRequested struct {
	Number int       `json:"number"`
	After  string    `json:"after,omitempty"`
	Since  time.Time `json:"since,omitzero"`
}

// keptRequests is how many requests a webhook remembers.
const keptRequests = 16

func (w *World) editedWebhook(h Header) *Webhook {
	x := w.editWebhook(WebhookRef{h.Stream.Partner, WebhookID(h.Subject)})
	x.Seen.Count(h.Audience, h.RecordedAt)
	return x
}

func (e WebhookAdded) apply(w *World, h Header) {
	x := w.editedWebhook(h)
	x.Ref = WebhookRef{h.Stream.Partner, WebhookID(h.Subject)}
	x.Settings, x.Secret, x.Since = e.Settings, e.Secret, h.RecordedAt
	p := w.editPartner(h.Stream.Partner)
	if !slices.Contains(p.Webhooks, x.Ref.Webhook) {
		p.Webhooks = put(p.Webhooks, x.Ref.Webhook, func(id WebhookID) string { return string(id) })
	}
}

func (e WebhookEdited) apply(w *World, h Header) {
	x := w.editedWebhook(h)
	if x.Settings = e.To; !slices.Equal(e.To.Agreements, e.From.Agreements) {
		x.Chosen = h.RecordedAt
	}
}

func (e WebhookSecretRotated) apply(w *World, h Header) {
	x := w.editedWebhook(h)
	x.Old, x.OldUntil = x.Secret, e.OldUntil
	x.Secret = e.Secret
}

// apply forgets the address and the secrets; the log keeps them sealed.
func (WebhookRemoved) apply(w *World, h Header) {
	x := w.editedWebhook(h)
	x.Removed, x.Settings.Address, x.Secret, x.Old, x.Requests = true, nil, nil, nil, nil
	w.ended(h.Stream.Partner, NoticeOfWebhook(WebhookID(h.Subject)))
	p := w.editPartner(h.Stream.Partner)
	p.Webhooks = without(p.Webhooks, WebhookID(h.Subject))
}

func (e WebhookDisabled) apply(w *World, h Header) {
	x := w.editedWebhook(h)
	x.Disabled, x.Halted = e.Reason, h.RecordedAt
}

func (WebhookEnabled) apply(w *World, h Header) {
	x := w.editedWebhook(h)
	x.Disabled, x.Halted = "", time.Time{}
	w.ended(h.Stream.Partner, NoticeOfWebhook(WebhookID(h.Subject)))
}

func (e WebhookTestRequested) apply(w *World, h Header) {
	w.request(h, WebhookRequest{Number: e.Number, Kind: TestDelivery})
}

func (e WebhookRedeliveryRequested) apply(w *World, h Header) {
	w.request(h, WebhookRequest{Number: e.Number, Kind: Redelivery, Delivery: e.Delivery})
}

func (e WebhookReplayRequested) apply(w *World, h Header) {
	w.request(h, WebhookRequest{Number: e.Number, Kind: Replay, After: e.After, Time: e.Since})
}

func (w *World) request(h Header, r WebhookRequest) {
	x := w.editedWebhook(h)
	r.At = h.RecordedAt
	x.Requests = with(x.Requests[max(0, len(x.Requests)-keptRequests+1):], r)
}
