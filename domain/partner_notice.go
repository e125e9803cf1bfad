package domain

import (
	"slices"
	"strconv"
	"strings"
)

// A notice informs a partner's managers of a change in their directory that none of them made and that needs no
// decision: the operator issued a token, Tandem disabled a webhook, a counterparty has a new name, or an invitation
// was redeemed. It is derived from its cause and ends with it, or when a manager dismisses it. Only dismissals are events.

// NoticeID identifies a notice of a partner by its subject: "token-first", "webhook-ops".
type NoticeID string

const (
	tokenNoticePrefix      = "token-"
	webhookNoticePrefix    = "webhook-"
	invitationNoticePrefix = "invitation-"
	renameNoticePrefix     = "renamed-"
	contactNoticePrefix    = "contact-"
)

// NoticeOfToken returns the notice about a token.
func NoticeOfToken(token TokenID) NoticeID { return NoticeID(tokenNoticePrefix + token) }

// NoticeOfWebhook returns the notice about a webhook.
func NoticeOfWebhook(webhook WebhookID) NoticeID { return NoticeID(webhookNoticePrefix + webhook) }

// NoticeOfInvitation returns the notice that another partner has redeemed an invitation.
func NoticeOfInvitation(invitation InvitationID) NoticeID {
	return NoticeID(invitationNoticePrefix + invitation)
}

// NoticeOfRename returns the notice about a rename of a counterparty. Its cause lies in an agreement.
func NoticeOfRename(partner PartnerID, number int) NoticeID {
	return NoticeID(renameNoticePrefix + string(partner) + "-" + strconv.Itoa(number))
}

// NoticeOfContact returns the notice to a partner that has redeemed an invitation of another one. Its cause lies in the
// directory of the other one.
func NoticeOfContact(partner PartnerID) NoticeID { return NoticeID(contactNoticePrefix + partner) }

// HasNotice reports whether the token causes a notice: the operator issued it and it is neither
// confirmed nor revoked. An expired token still does, because it may have been used.
func (t *Token) HasNotice() bool { return t != nil && t.ByOperator && !t.Confirmed && !t.Revoked }

// HasNotice reports whether the webhook causes a notice: it is disabled.
func (w *Webhook) HasNotice() bool { return w != nil && w.DisabledReason != "" && !w.Removed }

// NoticeOpen reports whether the notice was not dismissed.
func (p *Partner) NoticeOpen(notice NoticeID) bool { return !slices.Contains(p.Dismissed, notice) }

func (c DismissNotice) noticeExists(state State, partner *Partner) bool {
	cause := false
	if notice := string(c.Notice); strings.HasPrefix(notice, renameNoticePrefix) || strings.HasPrefix(notice, contactNoticePrefix) {
		cause = c.Shown
	} else if id, ok := strings.CutPrefix(notice, tokenNoticePrefix); ok {
		cause = state.Token(TokenRef{partner.ID, TokenID(id)}).HasNotice()
	} else if id, ok := strings.CutPrefix(notice, webhookNoticePrefix); ok {
		cause = state.Webhook(WebhookRef{partner.ID, WebhookID(id)}).HasNotice()
	} else if id, ok := strings.CutPrefix(notice, invitationNoticePrefix); ok {
		cause = partner.Invitation(InvitationID(id)).HasNotice()
	}
	return cause && partner.NoticeOpen(c.Notice)
}

// DismissNotice removes a notice from the partner's inbox. The operator cannot dismiss notices.
type DismissNotice struct {
	PartnerID `json:"partner"`
	Notice    NoticeID `json:"notice"`
	// Shown: the caller of Decide found the notice in the partner's inbox. It decides about a notice whose cause lies
	// outside the partner's directory.
	Shown bool `json:"shown,omitempty"`
}

// NoticeDismissed is about the notice named by the event's subject.
type NoticeDismissed struct{}

func (c DismissNotice) target(State) *Versions { return nil }

func (c DismissNotice) decide(state State, dc DecisionContext) ([]Event, error) {
	partner, err := findOwnDirectory(state, c.PartnerID, dc)
	if err != nil {
		return nil, err
	}
	if !c.noticeExists(state, partner) {
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
