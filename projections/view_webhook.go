package projections

import (
	"tandem/api"
	"tandem/domain"
)

// Webhook returns a webhook that is not removed, to members of its partner. A token that is limited to
// some agreements sees none: what is delivered may be of others.
func (v *View) Webhook(partner domain.PartnerID, id domain.WebhookID) (api.Webhook, bool) {
	webhook := v.webhook(partner, id)
	if webhook == nil {
		return api.Webhook{}, false
	}
	set := webhook.Settings
	shape := api.Webhook{
		Partner: partner, ID: id, Title: set.Title, Format: set.Format, Place: set.DisplayAddress, Events: emptyIfNil(set.Events),
		Agreements: emptyIfNil(set.Agreements), Language: set.Language, IncludePrivate: set.IncludePrivate,
		Digest: nilIfZero(set.Digest), Order: set.Order, State: "enabled", Signed: len(webhook.Secret) > 0, CreatedAt: webhook.AddedAt.UTC(),
		URL: v.url("partners", string(partner), "webhooks", string(id)),
	}
	if webhook.DisabledReason != "" {
		shape.State, shape.DisabledReason, shape.DisabledAt = "disabled", &webhook.DisabledReason, new(webhook.DisabledAt.UTC())
	}
	if len(webhook.PreviousSecret) > 0 {
		shape.OldSecretUntil = new(webhook.PreviousUntil.UTC())
	}
	shape.Version, shape.UpdatedAt = webhook.Versions.For(partner)
	return shape, true
}

func (v *View) webhook(partner domain.PartnerID, id domain.WebhookID) *domain.Webhook {
	node := v.ownDirectory(partner)
	if node == nil || node.webhooks[id] == nil || node.webhooks[id].Removed {
		return nil
	}
	return node.webhooks[id]
}

// WebhooksVisible reports whether the viewer may see the partner's webhooks.
func (v *View) WebhooksVisible(partner domain.PartnerID) bool { return v.ownDirectory(partner) != nil }

// WebhookVisible reports whether the viewer may see the webhook.
func (v *View) WebhookVisible(partner domain.PartnerID, id domain.WebhookID) bool {
	return v.webhook(partner, id) != nil
}

// Webhooks returns the partner's webhooks, sorted by id.
func (v *View) Webhooks(partner domain.PartnerID) []api.Webhook {
	shapes := []api.Webhook{}
	if node := v.ownDirectory(partner); node != nil {
		for _, id := range node.entity.Webhooks {
			if webhook, ok := v.Webhook(partner, id); ok {
				shapes = append(shapes, webhook)
			}
		}
	}
	return shapes
}
