package domain

import (
	"reflect"
	"time"
)

// SecretOverlap is how long a rotated secret still signs beside its successor.
const SecretOverlap = 24 * time.Hour

// AddWebhook adds a webhook. The caller of Decide has checked that the format exists and fits the address, and
// that the partner takes part in the agreements.
type AddWebhook struct {
	WebhookRef
	Settings WebhookSettings `json:"settings"`
	Secret   []byte          `json:"secret,omitempty"` // encrypted
}

func (c AddWebhook) target(State) *Versions { return nil }

func (c AddWebhook) decide(state State, dc DecisionContext) ([]Event, error) {
	partner, err := findOwnDirectory(state, c.Partner, dc)
	if err != nil {
		return nil, err
	}
	check := c.Settings.validate()
	check.slug("id", string(c.Webhook))
	check.sealed("secret", c.Secret, false)
	if err := check.err(); err != nil {
		return nil, err
	}
	if err := dc.requireManager(); err != nil {
		return nil, err
	}
	if state.Webhook(c.WebhookRef) != nil {
		return nil, conflict("webhook_exists", "Webhook %s exists or existed; choose another id.", c.Webhook)
	}
	if len(partner.Webhooks) >= MaxWebhooks {
		return nil, conflict("too_many_webhooks", "The partner has %d webhooks, the maximum; remove one first.", len(partner.Webhooks))
	}
	return webhookEvent(c.Partner, c.Webhook, WebhookAdded{c.Settings, c.Secret}), nil
}

// EditWebhook replaces the settings that are not nil. The format cannot change.
type EditWebhook struct {
	WebhookRef
	Title          *string        `json:"title,omitempty"`
	Address        []byte         `json:"address,omitempty"` // encrypted; set together with DisplayAddress
	DisplayAddress *string        `json:"place,omitempty"`
	Events         *[]string      `json:"events,omitempty"`
	Agreements     *[]AgreementID `json:"agreements,omitempty"`
	Language       *string        `json:"language,omitempty"`
	IncludePrivate *bool          `json:"include_private,omitempty"`
	Digest         *Digest        `json:"digest,omitempty"`
	Order          *WebhookOrder  `json:"order,omitempty"`
}

func (c EditWebhook) decide(state State, dc DecisionContext) ([]Event, error) {
	webhook, err := findWebhook(state, c.Partner, c.Webhook, dc)
	if err != nil {
		return nil, err
	}
	to := webhook.Settings
	set(&to.Title, c.Title)
	if len(c.Address) > 0 {
		to.Address = c.Address
	}
	set(&to.DisplayAddress, c.DisplayAddress)
	setList(&to.Events, c.Events)
	setList(&to.Agreements, c.Agreements)
	set(&to.Language, c.Language)
	set(&to.IncludePrivate, c.IncludePrivate)
	set(&to.Digest, c.Digest)
	set(&to.Order, c.Order)
	if err := to.validate().err(); err != nil {
		return nil, err
	}
	if err := dc.requireManager(); err != nil {
		return nil, err
	}
	if reflect.DeepEqual(to, webhook.Settings) {
		return nil, conflict("nothing_changes", "Webhook %s already has these values; change at least one.", c.Webhook)
	}
	return webhookEvent(c.Partner, c.Webhook, WebhookEdited{To: to, From: webhook.Settings}), nil
}

// RotateWebhookSecret replaces the secret; the old one signs for another SecretOverlap.
type RotateWebhookSecret struct {
	WebhookRef
	Secret []byte `json:"secret"` // encrypted
}

func (c RotateWebhookSecret) decide(state State, dc DecisionContext) ([]Event, error) {
	webhook, err := findWebhook(state, c.Partner, c.Webhook, dc)
	if err != nil {
		return nil, err
	}
	var check validation
	check.sealed("secret", c.Secret, true)
	if err := check.err(); err != nil {
		return nil, err
	}
	if err := dc.requireManager(); err != nil {
		return nil, err
	}
	event := WebhookSecretRotated{Secret: c.Secret}
	if len(webhook.Secret) > 0 {
		event.PreviousUntil = dc.At.Add(SecretOverlap)
	}
	return webhookEvent(c.Partner, c.Webhook, event), nil
}

// RemoveWebhook removes a webhook.
type RemoveWebhook struct {
	WebhookRef
}

func (c RemoveWebhook) decide(state State, dc DecisionContext) ([]Event, error) {
	if _, err := findManagedWebhook(state, c.Partner, c.Webhook, dc); err != nil {
		return nil, err
	}
	return webhookEvent(c.Partner, c.Webhook, WebhookRemoved{}), nil
}

// DisableWebhook is issued by Tandem when the endpoint is gone or has failed for too long.
type DisableWebhook struct {
	WebhookRef
	Reason string `json:"reason"`
}

func (c DisableWebhook) target(State) *Versions { return nil }

func (c DisableWebhook) decide(state State, dc DecisionContext) ([]Event, error) {
	webhook := state.Webhook(c.WebhookRef)
	if webhook == nil || webhook.Removed || (dc.Actor.Role != System && dc.Actor.Partner != c.Partner) {
		return nil, ErrNotFound()
	}
	var check validation
	check.text("reason", c.Reason, 1000, true)
	if err := check.err(); err != nil {
		return nil, err
	}
	if dc.Actor.Role != System {
		return nil, forbidden("system_only", "Only Tandem can disable a webhook; remove it, or change its events.")
	}
	if webhook.DisabledReason != "" {
		return nil, conflict("webhook_disabled", "Webhook %s is already disabled.", c.Webhook)
	}
	return webhookEvent(c.Partner, c.Webhook, WebhookDisabled{c.Reason}), nil
}

// EnableWebhook lets a disabled webhook resume where it stopped.
type EnableWebhook struct {
	WebhookRef
}

func (c EnableWebhook) decide(state State, dc DecisionContext) ([]Event, error) {
	webhook, err := findManagedWebhook(state, c.Partner, c.Webhook, dc)
	if err != nil {
		return nil, err
	}
	if webhook.DisabledReason == "" {
		return nil, conflict("webhook_enabled", "Webhook %s is not disabled.", c.Webhook)
	}
	return webhookEvent(c.Partner, c.Webhook, WebhookEnabled{}), nil
}

// findOwnDirectory returns the partner, or not found if the actor does not belong to it. The operator does not.
func findOwnDirectory(state State, id PartnerID, dc DecisionContext) (*Partner, error) {
	partner := state.Partner(id)
	if partner == nil || dc.Actor.Partner != id {
		return nil, ErrNotFound()
	}
	return partner, nil
}

func findWebhook(state State, partner PartnerID, id WebhookID, dc DecisionContext) (*Webhook, error) {
	if _, err := findOwnDirectory(state, partner, dc); err != nil {
		return nil, err
	}
	webhook := state.Webhook(WebhookRef{partner, id})
	if webhook == nil || webhook.Removed {
		return nil, ErrNotFound()
	}
	return webhook, nil
}

// findManagedWebhook returns the webhook if the actor is a manager of its partner.
func findManagedWebhook(state State, partner PartnerID, id WebhookID, dc DecisionContext) (*Webhook, error) {
	webhook, err := findWebhook(state, partner, id, dc)
	if err != nil {
		return nil, err
	}
	return webhook, dc.requireManager()
}

func webhookEvent(partner PartnerID, id WebhookID, payload Payload) []Event {
	return []Event{{Subject: string(id), Audience: PrivateTo(partner), Payload: payload}}
}

func (w *Webhook) versions() *Versions {
	if w == nil {
		return nil
	}
	return &w.Versions
}
