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
	Secret        []byte    `json:"secret"`             // sealed
	PreviousUntil time.Time `json:"old_until,omitzero"` // zero: there was none before
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
	Number  int    `json:"number"`
	Message string `json:"delivery"`
}

// WebhookReplayRequested asks for all events again, from a position or a time on.
type WebhookReplayRequested struct {
	Number int       `json:"number"`
	After  string    `json:"after,omitempty"`
	Since  time.Time `json:"since,omitzero"`
}

// maxRequests is how many requests a webhook remembers.
const maxRequests = 16

func (w *World) editWebhookOf(header Header) *Webhook {
	webhook := w.editWebhook(WebhookRef{header.Stream.Partner, WebhookID(header.Subject)})
	webhook.Versions.Count(header.Audience, header.RecordedAt)
	return webhook
}

func (e WebhookAdded) apply(world *World, header Header) {
	webhook := world.editWebhookOf(header)
	webhook.Ref = WebhookRef{header.Stream.Partner, WebhookID(header.Subject)}
	webhook.Settings, webhook.Secret, webhook.AddedAt = e.Settings, e.Secret, header.RecordedAt
	partner := world.editPartner(header.Stream.Partner)
	if !slices.Contains(partner.Webhooks, webhook.Ref.Webhook) {
		partner.Webhooks = upsert(partner.Webhooks, webhook.Ref.Webhook, func(id WebhookID) string { return string(id) })
	}
}

func (e WebhookEdited) apply(world *World, header Header) {
	webhook := world.editWebhookOf(header)
	if webhook.Settings = e.To; !slices.Equal(e.To.Agreements, e.From.Agreements) {
		webhook.AgreementsChosenAt = header.RecordedAt
	}
}

func (e WebhookSecretRotated) apply(world *World, header Header) {
	webhook := world.editWebhookOf(header)
	webhook.PreviousSecret, webhook.PreviousUntil = webhook.Secret, e.PreviousUntil
	webhook.Secret = e.Secret
}

// apply forgets the address and the secrets; the log keeps them sealed.
func (WebhookRemoved) apply(world *World, header Header) {
	webhook := world.editWebhookOf(header)
	webhook.Removed, webhook.Settings.Address, webhook.Secret, webhook.PreviousSecret, webhook.Requests = true, nil, nil, nil, nil
	world.forgetDismissal(header.Stream.Partner, NoticeOfWebhook(WebhookID(header.Subject)))
	partner := world.editPartner(header.Stream.Partner)
	partner.Webhooks = without(partner.Webhooks, WebhookID(header.Subject))
}

func (e WebhookDisabled) apply(world *World, header Header) {
	webhook := world.editWebhookOf(header)
	webhook.DisabledReason, webhook.DisabledAt = e.Reason, header.RecordedAt
}

func (WebhookEnabled) apply(world *World, header Header) {
	webhook := world.editWebhookOf(header)
	webhook.DisabledReason, webhook.DisabledAt = "", time.Time{}
	world.forgetDismissal(header.Stream.Partner, NoticeOfWebhook(WebhookID(header.Subject)))
}

func (e WebhookTestRequested) apply(world *World, header Header) {
	world.addRequest(header, WebhookRequest{Number: e.Number, Kind: RequestTest})
}

func (e WebhookRedeliveryRequested) apply(world *World, header Header) {
	world.addRequest(header, WebhookRequest{Number: e.Number, Kind: RequestResend, Message: e.Message})
}

func (e WebhookReplayRequested) apply(world *World, header Header) {
	world.addRequest(header, WebhookRequest{Number: e.Number, Kind: RequestReplay, After: e.After, Since: e.Since})
}

func (w *World) addRequest(header Header, request WebhookRequest) {
	webhook := w.editWebhookOf(header)
	request.At = header.RecordedAt
	webhook.Requests = with(webhook.Requests[max(0, len(webhook.Requests)-maxRequests+1):], request)
}
