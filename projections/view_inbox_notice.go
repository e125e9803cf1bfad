package projections

import (
	"maps"
	"slices"
	"time"

	"tandem/api"
	"tandem/domain"
)

// noticeItems returns notices of changes in the partner's own directory and of its counterparties and contacts, until
// the cause is gone or a manager has dismissed them. A token that is limited to some agreements sees none.
func (v inbox) noticeItems() (items []api.InboxItem) {
	partner := v.ownDirectory(v.viewer.Partner)
	if partner == nil {
		return nil
	}
	for _, id := range slices.Sorted(maps.Keys(partner.tokens)) {
		if token := partner.tokens[id]; token.HasNotice() {
			items = append(items, v.tokenItem(token))
		}
	}
	for _, id := range partner.entity.Webhooks {
		if webhook := partner.webhooks[id]; webhook.HasNotice() {
			items = append(items, v.webhookItem(webhook))
		}
	}
	for i := range partner.entity.Invitations {
		if invitation := &partner.entity.Invitations[i]; invitation.HasNotice() {
			items = append(items, v.invitationItem(invitation))
		}
	}
	items = append(append(items, v.contactItems()...), v.renameItems()...)
	return slices.DeleteFunc(items, func(item api.InboxItem) bool { return !partner.entity.NoticeOpen(*item.Notice) })
}

func (v inbox) notice(id domain.NoticeID, title, reason string, since time.Time, url string) api.InboxItem {
	return api.InboxItem{Kind: "notice", Notice: &id, Title: title, Reason: reason, Since: since.UTC(), URL: url}
}

func (v inbox) tokenItem(token *domain.Token) api.InboxItem {
	return v.notice(domain.NoticeOfToken(token.Ref.Token), token.Name,
		v.text("token", values{
			"Role": v.book.Text(v.language, "role."+string(token.Role), nil), "Token": string(token.Ref.Token), "Partner": v.name(token.Ref.Partner),
		}),
		token.IssuedAt, v.url("partners", string(token.Ref.Partner), "tokens", string(token.Ref.Token)))
}

func (v inbox) webhookItem(webhook *domain.Webhook) api.InboxItem {
	title := webhook.Settings.Title
	if title == "" {
		title = string(webhook.Ref.Webhook)
	}
	return v.notice(domain.NoticeOfWebhook(webhook.Ref.Webhook), title,
		v.text("webhook", values{
			"Place": webhook.Settings.DisplayAddress, "Reason": v.book.DisabledReason(v.language, webhook.DisabledReason),
		}),
		webhook.DisabledAt, v.url("partners", string(webhook.Ref.Partner), "webhooks", string(webhook.Ref.Webhook)))
}

// NoticeVisible reports whether the notice is in the viewer's inbox.
func (v *View) NoticeVisible(partner domain.PartnerID, id domain.NoticeID) bool {
	return partner == v.viewer.Partner && slices.ContainsFunc(inbox{v, untexted}.noticeItems(), func(item api.InboxItem) bool { return *item.Notice == id })
}
