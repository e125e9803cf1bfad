package domain

import "time"

// SecretOverlap is how long a secret that was rotated away goes on signing beside its successor.
const SecretOverlap = 24 * time.Hour

// AddWebhook subscribes an endpoint. The edge has checked that the format exists and suits the address, and
// that the agreements are the partner's.
type AddWebhook struct {
	Partner  PartnerID       `json:"partner"`
	Webhook  WebhookID       `json:"webhook"`
	Settings WebhookSettings `json:"settings"`
	Secret   []byte          `json:"secret,omitempty"` // sealed
}

// Stream implements Command.
func (c AddWebhook) Stream() Stream { return Stream{Partner: c.Partner} }

func (c AddWebhook) decide(s State, m Meta) ([]Event, error) {
	p, err := ownDirectory(s, c.Partner, m)
	if err != nil {
		return nil, err
	}
	f := c.Settings.faults()
	f.slug("id", string(c.Webhook))
	f.sealed("secret", c.Secret, false)
	if err := f.err(); err != nil {
		return nil, err
	}
	if err := m.manager(); err != nil {
		return nil, err
	}
	if s.Webhook(WebhookRef{c.Partner, c.Webhook}) != nil {
		return nil, conflict("webhook_exists", "There is, or was, a webhook %s.", c.Webhook)
	}
	if len(p.Webhooks) >= MaxWebhooks {
		return nil, conflict("too_many_webhooks", "There are %d webhooks; that is as many as a partner may have.", len(p.Webhooks))
	}
	return webhookEvent(c.Partner, c.Webhook, WebhookAdded{c.Settings, c.Secret}), nil
}

// EditWebhook replaces the settings that are set. The format stays what it is: another tool is another
// webhook.
type EditWebhook struct {
	Partner        PartnerID      `json:"partner"`
	Webhook        WebhookID      `json:"webhook"`
	Title          *string        `json:"title,omitempty"`
	Address        []byte         `json:"address,omitempty"` // sealed; with Place
	Place          *string        `json:"place,omitempty"`
	Events         *[]string      `json:"events,omitempty"`
	Agreements     *[]AgreementID `json:"agreements,omitempty"`
	Language       *string        `json:"language,omitempty"`
	IncludePrivate *bool          `json:"include_private,omitempty"`
	Digest         *Digest        `json:"digest,omitempty"`
	Order          *DeliveryOrder `json:"order,omitempty"`
}

// Stream implements Command.
func (c EditWebhook) Stream() Stream { return Stream{Partner: c.Partner} }

func (c EditWebhook) target(s State) *Seen {
	return seenOf(s.Webhook(WebhookRef{c.Partner, c.Webhook}))
}

func (c EditWebhook) decide(s State, m Meta) ([]Event, error) {
	x, err := ownWebhook(s, c.Partner, c.Webhook, m)
	if err != nil {
		return nil, err
	}
	to := x.Settings
	set(&to.Title, c.Title)
	if len(c.Address) > 0 {
		to.Address = c.Address
	}
	set(&to.Place, c.Place)
	setList(&to.Events, c.Events)
	setList(&to.Agreements, c.Agreements)
	set(&to.Language, c.Language)
	set(&to.IncludePrivate, c.IncludePrivate)
	set(&to.Digest, c.Digest)
	set(&to.Order, c.Order)
	if err := to.faults().err(); err != nil {
		return nil, err
	}
	if err := m.manager(); err != nil {
		return nil, err
	}
	return webhookEvent(c.Partner, c.Webhook, WebhookEdited{To: to, From: x.Settings}), nil
}

// RotateWebhookSecret puts a new secret in the place of the old one, which goes on signing for a while.
type RotateWebhookSecret struct {
	Partner PartnerID `json:"partner"`
	Webhook WebhookID `json:"webhook"`
	Secret  []byte    `json:"secret"` // sealed
}

// Stream implements Command.
func (c RotateWebhookSecret) Stream() Stream { return Stream{Partner: c.Partner} }

func (c RotateWebhookSecret) target(s State) *Seen {
	return seenOf(s.Webhook(WebhookRef{c.Partner, c.Webhook}))
}

func (c RotateWebhookSecret) decide(s State, m Meta) ([]Event, error) {
	x, err := ownWebhook(s, c.Partner, c.Webhook, m)
	if err != nil {
		return nil, err
	}
	var f faults
	f.sealed("secret", c.Secret, true)
	if err := f.err(); err != nil {
		return nil, err
	}
	if err := m.manager(); err != nil {
		return nil, err
	}
	e := WebhookSecretRotated{Secret: c.Secret}
	if len(x.Secret) > 0 {
		e.OldUntil = m.At.Add(SecretOverlap)
	}
	return webhookEvent(c.Partner, c.Webhook, e), nil
}

// RemoveWebhook ends a subscription.
type RemoveWebhook struct {
	Partner PartnerID `json:"partner"`
	Webhook WebhookID `json:"webhook"`
}

// Stream implements Command.
func (c RemoveWebhook) Stream() Stream { return Stream{Partner: c.Partner} }

func (c RemoveWebhook) target(s State) *Seen { return seenOf(s.Webhook(WebhookRef(c))) }

func (c RemoveWebhook) decide(s State, m Meta) ([]Event, error) {
	if _, err := managedWebhook(s, c.Partner, c.Webhook, m); err != nil {
		return nil, err
	}
	return webhookEvent(c.Partner, c.Webhook, WebhookRemoved{}), nil
}

// DisableWebhook is given by Tandem itself, when the endpoint is gone or has failed for too long.
type DisableWebhook struct {
	Partner PartnerID `json:"partner"`
	Webhook WebhookID `json:"webhook"`
	Reason  string    `json:"reason"`
}

// Stream implements Command.
func (c DisableWebhook) Stream() Stream { return Stream{Partner: c.Partner} }

func (c DisableWebhook) decide(s State, m Meta) ([]Event, error) {
	x := s.Webhook(WebhookRef{c.Partner, c.Webhook})
	if x == nil || x.Removed || (m.Actor.Role != System && m.Actor.Partner != c.Partner) {
		return nil, ErrNotFound()
	}
	var f faults
	f.text("reason", c.Reason, 1000, true)
	if err := f.err(); err != nil {
		return nil, err
	}
	if m.Actor.Role != System {
		return nil, forbidden("system_only", "Only Tandem itself disables webhooks; remove it, or change its events.")
	}
	if x.Disabled != "" {
		return nil, conflict("webhook_disabled", "Webhook %s is disabled already.", c.Webhook)
	}
	return webhookEvent(c.Partner, c.Webhook, WebhookDisabled{c.Reason}), nil
}

// EnableWebhook lets a disabled webhook go on where it stopped.
type EnableWebhook struct {
	Partner PartnerID `json:"partner"`
	Webhook WebhookID `json:"webhook"`
}

// Stream implements Command.
func (c EnableWebhook) Stream() Stream { return Stream{Partner: c.Partner} }

func (c EnableWebhook) target(s State) *Seen { return seenOf(s.Webhook(WebhookRef(c))) }

func (c EnableWebhook) decide(s State, m Meta) ([]Event, error) {
	x, err := managedWebhook(s, c.Partner, c.Webhook, m)
	if err != nil {
		return nil, err
	}
	if x.Disabled == "" {
		return nil, conflict("webhook_enabled", "Webhook %s is not disabled.", c.Webhook)
	}
	return webhookEvent(c.Partner, c.Webhook, WebhookEnabled{}), nil
}

// ownDirectory returns the partner if the actor belongs to it. The operator does not.
func ownDirectory(s State, id PartnerID, m Meta) (*Partner, error) {
	p := s.Partner(id)
	if p == nil || m.Actor.Partner != id {
		return nil, ErrNotFound()
	}
	return p, nil
}

func ownWebhook(s State, p PartnerID, id WebhookID, m Meta) (*Webhook, error) {
	if _, err := ownDirectory(s, p, m); err != nil {
		return nil, err
	}
	x := s.Webhook(WebhookRef{p, id})
	if x == nil || x.Removed {
		return nil, ErrNotFound()
	}
	return x, nil
}

// managedWebhook returns the webhook if the actor may do something with it, whatever that is.
func managedWebhook(s State, p PartnerID, id WebhookID, m Meta) (*Webhook, error) {
	x, err := ownWebhook(s, p, id, m)
	if err != nil {
		return nil, err
	}
	return x, m.manager()
}

func webhookEvent(p PartnerID, id WebhookID, e Payload) []Event {
	return []Event{{Subject: string(id), Audience: PrivateTo(p), Payload: e}}
}

func (x *Webhook) seen() *Seen {
	if x == nil {
		return nil
	}
	return &x.Seen
}
