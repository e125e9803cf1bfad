package domain

import (
	"slices"
	"strings"
)

// A notice tells a partner's managers of something in their directory that nobody of theirs did, and that
// asks for no decision: the operator issued a token, Tandem disabled a webhook. It follows from what the
// directory says and ends with its cause, or when a manager dismisses it. Only dismissals are events.

// NoticeID names a notice of a partner by what it is about: "token-first", "webhook-ops".
type NoticeID string

const (
	tokenNotice   = "token-"
	webhookNotice = "webhook-"
)

// NoticeOfToken returns the notice about a token.
func NoticeOfToken(t TokenID) NoticeID { return NoticeID(tokenNotice + t) }

// NoticeOfWebhook returns the notice about a webhook.
func NoticeOfWebhook(w WebhookID) NoticeID { return NoticeID(webhookNotice + w) }

// Announced reports whether there is a notice about the token as far as it says: the operator issued it
// and it is not revoked. One that has expired may have been used.
func (t *Token) Announced() bool { return t != nil && t.ByOperator && !t.Revoked }

// Announced reports whether there is a notice about the webhook as far as it says: it is disabled.
func (x *Webhook) Announced() bool { return x != nil && x.Disabled != "" && !x.Removed }

// Shows reports whether a notice was not dismissed.
func (p *Partner) Shows(n NoticeID) bool { return !slices.Contains(p.Dismissed, n) }

func announced(s State, p *Partner, n NoticeID) bool {
	cause := false
	if id, ok := strings.CutPrefix(string(n), tokenNotice); ok {
		cause = s.Token(TokenRef{p.ID, TokenID(id)}).Announced()
	} else if id, ok := strings.CutPrefix(string(n), webhookNotice); ok {
		cause = s.Webhook(WebhookRef{p.ID, WebhookID(id)}).Announced()
	}
	return cause && p.Shows(n)
}

// DismissNotice takes a notice out of the partner's inbox. It is for the partner alone: the operator does
// not dismiss what is said about it.
type DismissNotice struct {
	Partner PartnerID `json:"partner"`
	Notice  NoticeID  `json:"notice"`
}

// NoticeDismissed is about the notice in its subject.
type NoticeDismissed struct{}

// Stream implements Command.
func (c DismissNotice) Stream() Stream { return Stream{Partner: c.Partner} }

func (c DismissNotice) decide(s State, m Meta) ([]Event, error) {
	p, err := ownDirectory(s, c.Partner, m)
	if err != nil {
		return nil, err
	}
	if !announced(s, p, c.Notice) {
		return nil, ErrNotFound()
	}
	if err := m.manager(); err != nil {
		return nil, err
	}
	return []Event{{Subject: string(c.Notice), Audience: PrivateTo(c.Partner), Payload: NoticeDismissed{}}}, nil
}

func (NoticeDismissed) apply(w *World, h Header) {
	p := w.editPartner(h.Stream.Partner)
	p.Dismissed = put(p.Dismissed, NoticeID(h.Subject), func(n NoticeID) string { return string(n) })
}

// ended forgets that a notice was dismissed, when its cause has gone: should it come again, it is news.
func (w *World) ended(p PartnerID, n NoticeID) {
	if x := w.Partner(p); x != nil && !x.Shows(n) {
		x = w.editPartner(p)
		x.Dismissed = without(x.Dismissed, n)
	}
}
