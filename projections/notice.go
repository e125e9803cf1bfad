package projections

import (
	"maps"
	"slices"
	"time"

	"tandem/domain"
)

// noticeItems tells of what others did in the partner's own directory, until its cause has gone or a
// manager has dismissed it. Who holds a token that is limited to some agreements is told of none.
func (v *View) noticeItems() (items []InboxItem) {
	p := v.ownDirectory(v.who.Partner)
	if p == nil {
		return nil
	}
	for _, id := range slices.Sorted(maps.Keys(p.tokens)) {
		if t := p.tokens[id]; t.Announced() {
			items = append(items, v.tokenItem(t))
		}
	}
	for _, id := range p.entity.Webhooks {
		if x := p.webhooks[id]; x.Announced() {
			items = append(items, v.webhookItem(x))
		}
	}
	return slices.DeleteFunc(items, func(i InboxItem) bool { return !p.entity.Shows(*i.Notice) })
}

func (v *View) notice(id domain.NoticeID, title, reason string, since time.Time, url string) InboxItem {
	return InboxItem{Kind: "notice", Notice: &id, Title: title, Reason: reason, Since: since.UTC(), URL: url}
}

func (v *View) tokenItem(t *domain.Token) InboxItem {
	return v.notice(domain.NoticeOfToken(t.Ref.Token), t.Name,
		"The operator issued the "+string(t.Role)+"'s token "+string(t.Ref.Token)+", with which one acts for "+v.name(t.Ref.Partner)+
			". Revoke it unless you know who holds it.",
		t.IssuedAt, v.url("partners", string(t.Ref.Partner), "tokens", string(t.Ref.Token)))
}

func (v *View) webhookItem(x *domain.Webhook) InboxItem {
	title := x.Settings.Title
	if title == "" {
		title = string(x.Ref.Webhook)
	}
	return v.notice(domain.NoticeOfWebhook(x.Ref.Webhook), title, "Nothing is delivered to "+x.Settings.Place+" any more: "+x.Disabled,
		x.Halted, v.url("partners", string(x.Ref.Partner), "webhooks", string(x.Ref.Webhook)))
}

// SeesNotice reports whether the notice stands in the viewer's inbox.
func (v *View) SeesNotice(p domain.PartnerID, id domain.NoticeID) bool {
	return p == v.who.Partner && slices.ContainsFunc(v.noticeItems(), func(i InboxItem) bool { return *i.Notice == id })
}
