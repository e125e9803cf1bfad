package projections

import (
	"tandem/api"
	"tandem/domain"
)

// Webhook returns a webhook of the viewer's partner, or false if it is removed. A token that is limited to some
// agreements sees no webhook, because its messages can be about other agreements.
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
	shape.Creation = v.creation(webhook.Versions)
	return shape, true
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
