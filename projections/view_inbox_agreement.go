package projections

import (
	"slices"
	"time"

	"tandem/api"
	"tandem/domain"
)

func (v inbox) signatureItems(agreement *agreementNode) []api.InboxItem {
	for _, awaited := range agreement.awaitedSignatures {
		if awaited.Partner == v.viewer.Partner {
			return []api.InboxItem{{
				Kind: "signature", Agreement: &agreement.id, Title: agreement.entity.Terms.Title, Reason: v.text("signature", nil),
				Since: time.UnixMicro(awaited.At).UTC(), URL: v.url("agreements", string(agreement.id)),
			}}
		}
	}
	return nil
}

// amendmentItems returns the open amendments that need the viewer's signature.
func (v inbox) amendmentItems(agreement *agreementNode) (items []api.InboxItem) {
	for _, amendment := range v.amendments(agreement) {
		if !amendment.Awaits(v.viewer.Partner) {
			continue
		}
		data := values{"Partner": v.nameAt(amendment.ProposedBy, amendment.ProposedAt), "Amendment": amendment.Number, "Name": amendment.Title}
		since, reason := amendment.ProposedAt, "amendment"
		if !agreement.entity.Party(v.viewer.Partner) {
			since, reason = amendment.InvitedAt, "invitation"
		}
		items = append(items, api.InboxItem{
			Kind: "amendment", Agreement: &agreement.id, Amendment: &amendment.Number, Title: agreement.entity.Terms.Title, Reason: v.text(reason, data),
			Since: time.UnixMicro(since).UTC(), URL: v.amendmentURL(agreement.id, amendment.Number),
		})
	}
	return items
}

// endItems returns the mutual ends that need the viewer's call, and the termination notices of other parties
// until they take effect.
func (v inbox) endItems(node *agreementNode) (items []api.InboxItem) {
	agreement, me := v.agreementFor(node), v.viewer.Partner
	add := func(kind, reason string, by domain.PartnerID, on domain.Date, why string, at int64) {
		data := values{"Partner": v.nameAt(by, at), "On": v.date(on), "Reason": why}
		items = append(items, api.InboxItem{
			Kind: kind, Agreement: &node.id, Title: agreement.Terms.Title, Reason: v.text(reason, data),
			Since: time.UnixMicro(at).UTC(), URL: v.url("agreements", string(node.id)),
		})
	}
	if state := agreement.State(v.now); (state != domain.AgreementStateActive && state != domain.AgreementStatePending) || !agreement.Party(me) {
		return nil
	}
	today := domain.DateOf(v.now.UTC())
	for _, notice := range agreement.TerminationNotices {
		if notice.Partner != me && today <= notice.On {
			add("notice", "termination_notice", notice.Partner, notice.On, notice.Reason, notice.At)
		}
	}
	for i, call := range agreement.TerminationCalls {
		same := func(other domain.TerminationCall) bool { return other.On == call.On }
		mine := func(other domain.TerminationCall) bool { return same(other) && other.Partner == me }
		if today > call.On || slices.ContainsFunc(agreement.TerminationCalls, mine) || slices.ContainsFunc(agreement.TerminationCalls[:i], same) {
			continue // one item per date, for its first call
		}
		add("stage", "termination", call.Partner, call.On, call.Reason, call.At)
	}
	return items
}
