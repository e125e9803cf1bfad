package domain

import (
	"slices"
	"time"
)

// The subject of an event about a webhook is the webhook's id.

// WebhookAdded adds a webhook; it receives later events.
type WebhookAdded struct {
	Settings WebhookSettings `json:"settings"`
	Secret   []byte          `json:"secret,omitempty"` // encrypted
}

// WebhookEdited carries the new and the old settings.
type WebhookEdited struct {
	To   WebhookSettings `json:"to"`
	From WebhookSettings `json:"from"`
}

// WebhookSecretRotated carries the new secret.
type WebhookSecretRotated struct {
	Secret        []byte    `json:"secret"`             // encrypted
	PreviousUntil time.Time `json:"old_until,omitzero"` // zero: there was no previous secret
}

// WebhookRemoved removes a webhook.
type WebhookRemoved struct{}

// FailingReason begins the reason of a webhook that is disabled because its receiver keeps failing. Its last failure follows.
const FailingReason = "No message was accepted for five days. The last reason: "

// WebhookDisabled stops sending until a manager enables the webhook.
type WebhookDisabled struct {
	Reason string `json:"reason"`
}

// WebhookEnabled resumes sending where it stopped.
type WebhookEnabled struct{}

// WebhookTestRequested requests a test message.
type WebhookTestRequested struct {
	Number int `json:"number"`
}

// WebhookRedeliveryRequested requests to send one message again.
type WebhookRedeliveryRequested struct {
	Number  int    `json:"number"`
	Message string `json:"delivery"`
}

// WebhookReplayRequested requests to send all events again, from a position or time on.
type WebhookReplayRequested struct {
	Number int       `json:"number"`
	After  string    `json:"after,omitempty"`
	Since  time.Time `json:"since,omitzero"`
}

// maxRequests is the number of requests that a webhook keeps.
const maxRequests = 16

func (w *World) editWebhookOf(header Header) *Webhook {
	webhook := w.editWebhook(WebhookRef{header.Stream.Partner, WebhookID(header.Subject)})
	webhook.Versions.count(header)
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

// apply drops the address and the secrets; the log still holds them encrypted.
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
