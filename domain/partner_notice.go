package domain

import (
	"slices"
	"strings"
)

// A notice informs a partner's managers of a change in their directory that none of them made and that needs no
// decision: the operator issued a token, or Tandem disabled a webhook. It is derived from the directory and ends
// with its cause, or when a manager dismisses it. Only dismissals are events.

// NoticeID identifies a notice of a partner by its subject: "token-first", "webhook-ops".
type NoticeID string

const (
	tokenNoticePrefix   = "token-"
	webhookNoticePrefix = "webhook-"
)

// NoticeOfToken returns the notice about a token.
func NoticeOfToken(token TokenID) NoticeID { return NoticeID(tokenNoticePrefix + token) }

// NoticeOfWebhook returns the notice about a webhook.
func NoticeOfWebhook(webhook WebhookID) NoticeID { return NoticeID(webhookNoticePrefix + webhook) }

// HasNotice reports whether the token causes a notice: the operator issued it and it is neither
// confirmed nor revoked. An expired token still does, because it may have been used.
func (t *Token) HasNotice() bool { return t != nil && t.ByOperator && !t.Confirmed && !t.Revoked }

// HasNotice reports whether the webhook causes a notice: it is disabled.
func (w *Webhook) HasNotice() bool { return w != nil && w.DisabledReason != "" && !w.Removed }

// NoticeOpen reports whether the notice was not dismissed.
func (p *Partner) NoticeOpen(notice NoticeID) bool { return !slices.Contains(p.Dismissed, notice) }

func noticeExists(state State, partner *Partner, notice NoticeID) bool {
	cause := false
	if id, ok := strings.CutPrefix(string(notice), tokenNoticePrefix); ok {
		cause = state.Token(TokenRef{partner.ID, TokenID(id)}).HasNotice()
	} else if id, ok := strings.CutPrefix(string(notice), webhookNoticePrefix); ok {
		cause = state.Webhook(WebhookRef{partner.ID, WebhookID(id)}).HasNotice()
	}
	return cause && partner.NoticeOpen(notice)
}

// DismissNotice removes a notice from the partner's inbox. The operator cannot dismiss notices.
type DismissNotice struct {
	PartnerID `json:"partner"`
	Notice    NoticeID `json:"notice"`
}

// NoticeDismissed is about the notice named by the event's subject.
type NoticeDismissed struct{}

func (c DismissNotice) target(State) *Versions { return nil }

func (c DismissNotice) decide(state State, dc DecisionContext) ([]Event, error) {
	partner, err := findOwnDirectory(state, c.PartnerID, dc)
	if err != nil {
		return nil, err
	}
	if !noticeExists(state, partner, c.Notice) {
		return nil, ErrNotFound()
	}
	if err := dc.requireManager(); err != nil {
		return nil, err
	}
	return []Event{{Subject: string(c.Notice), Audience: PrivateTo(c.PartnerID), Payload: NoticeDismissed{}}}, nil
}

func (NoticeDismissed) apply(world *World, header Header) {
	partner := world.editPartner(header.Stream.Partner)
	partner.Dismissed = upsert(partner.Dismissed, NoticeID(header.Subject), func(notice NoticeID) string { return string(notice) })
}

// forgetDismissal drops the dismissal of a notice whose cause has ended, so that the notice can appear again.
func (w *World) forgetDismissal(id PartnerID, notice NoticeID) {
	if partner := w.Partner(id); partner != nil && !partner.NoticeOpen(notice) {
		partner = w.editPartner(id)
		partner.Dismissed = without(partner.Dismissed, notice)
	}
}
