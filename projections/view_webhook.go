package projections

import (
	"tandem/domain"
	"tandem/eventlog"
)

// Webhook returns a webhook that is not removed, to members of its partner. A token that is limited to
// some agreements sees none: what is delivered may be of others.
func (v *View) Webhook(p domain.PartnerID, id domain.WebhookID) (Webhook, bool) {
	x := v.webhook(p, id)
	if x == nil {
		return Webhook{}, false
	}
	set := x.Settings
	shape := Webhook{
		Partner: p, ID: id, Title: set.Title, Format: set.Format, Place: set.Place, Events: list(set.Events),
		Agreements: list(set.Agreements), Language: set.Language, IncludePrivate: set.IncludePrivate,
		Digest: orNull(set.Digest), Order: set.Order, State: "enabled", Signed: len(x.Secret) > 0, CreatedAt: x.Since.UTC(),
		URL: v.url("partners", string(p), "webhooks", string(id)),
	}
	if x.Disabled != "" {
		shape.State, shape.DisabledReason, shape.DisabledAt = "disabled", &x.Disabled, new(x.Halted.UTC())
	}
	if len(x.Old) > 0 {
		shape.OldSecretUntil = new(x.OldUntil.UTC())
	}
	shape.Version, shape.UpdatedAt = x.Seen.For(p)
	return shape, true
}

func (v *View) webhook(p domain.PartnerID, id domain.WebhookID) *domain.Webhook {
	n := v.ownDirectory(p)
	if n == nil || n.webhooks[id] == nil || n.webhooks[id].Removed {
		return nil
	}
	return n.webhooks[id]
}

// ownDirectory returns the directory of the viewer's own partner, all of which it may see.
func (v *View) ownDirectory(p domain.PartnerID) *partnerNode {
	if v.who.Operator || len(v.scope) > 0 {
		return nil
	}
	return v.keeps(p)
}

// SeesWebhooks reports whether the viewer may see the partner's webhooks.
func (v *View) SeesWebhooks(p domain.PartnerID) bool { return v.ownDirectory(p) != nil }

// SeesWebhook reports whether the viewer may see the webhook.
func (v *View) SeesWebhook(p domain.PartnerID, id domain.WebhookID) bool {
	return v.webhook(p, id) != nil
}

// Webhooks returns the partner's webhooks, sorted by id.
func (v *View) Webhooks(p domain.PartnerID) []Webhook {
	shapes := []Webhook{}
	if n := v.ownDirectory(p); n != nil {
		for _, id := range n.entity.Webhooks {
			if x, ok := v.Webhook(p, id); ok {
				shapes = append(shapes, x)
			}
		}
	}
	return shapes
}

// Webhooks returns a partner's webhooks, sorted by id; without those removed. They never change once the
// image is live.
func (i *Image) Webhooks(p domain.PartnerID) []*domain.Webhook {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.s.partners[p].listWebhooks(nil)
}

// Webhook returns a webhook as it is now; nil if there is none, or no more.
func (i *Image) Webhook(ref domain.WebhookRef) *domain.Webhook {
	i.mu.RLock()
	defer i.mu.RUnlock()
	if w := i.s.Webhook(ref); w != nil && !w.Removed {
		return w
	}
	return nil
}

// WebhooksIn returns the webhooks of all partners whose directories lie in a partition, as Webhooks does.
// [Config.Applied] tells when that may have changed: when a commit of such a directory was applied.
func (i *Image) WebhooksIn(p eventlog.Partition) []*domain.Webhook {
	i.mu.RLock()
	defer i.mu.RUnlock()
	var all []*domain.Webhook
	for _, n := range i.s.directoriesIn[p] {
		all = n.listWebhooks(all)
	}
	return all
}

func (p *partnerNode) listWebhooks(all []*domain.Webhook) []*domain.Webhook {
	if p == nil || p.entity == nil {
		return all
	}
	for _, id := range p.entity.Webhooks {
		all = append(all, p.webhooks[id])
	}
	return all
}
