package projections

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"tandem/api"
	"tandem/domain"
)

// Amendments returns the amendments of an agreement that the viewer may see, by number.
func (v *View) Amendments(id domain.AgreementID) []api.Amendment {
	shapes := []api.Amendment{}
	if agreement := v.agreement(id); agreement != nil {
		for _, amendment := range agreement.entity.Amendments {
			if agreement.entity.AmendmentVisibleTo(amendment, v.viewer.Partner, v.now) {
				shapes = append(shapes, v.amendmentShape(agreement.entity, amendment))
			}
		}
	}
	return shapes
}

// Amendment returns an amendment.
func (v *View) Amendment(id domain.AgreementID, number int) (api.Amendment, bool) {
	agreement := v.agreement(id)
	if agreement == nil {
		return api.Amendment{}, false
	}
	amendment := agreement.entity.Amendment(number)
	if amendment == nil || !agreement.entity.AmendmentVisibleTo(amendment, v.viewer.Partner, v.now) {
		return api.Amendment{}, false
	}
	return v.amendmentShape(agreement.entity, amendment), true
}

// AmendmentNumber returns the number of the amendment that was proposed with the given key; 0: there is none.
func (v *View) AmendmentNumber(id domain.AgreementID, key string) int {
	if agreement := v.agreement(id); agreement != nil && key != "" {
		for _, amendment := range agreement.entity.Amendments {
			if amendment.Key == key && agreement.entity.AmendmentVisibleTo(amendment, v.viewer.Partner, v.now) {
				return amendment.Number
			}
		}
	}
	return 0
}

// Joined reports whether the viewer became a party of the agreement by an amendment.
func (v *View) Joined(id domain.AgreementID) bool {
	agreement := v.agreement(id)
	return agreement != nil && agreement.entity.JoinedByAmendment(v.viewer.Partner)
}

func (v *View) amendmentShape(agreement *domain.Agreement, amendment *domain.Amendment) api.Amendment {
	shape := api.Amendment{
		Agreement: agreement.ID, Number: amendment.Number, Title: amendment.Title, State: amendment.State, ProposedBy: amendment.ProposedBy,
		ProposedAt: time.UnixMicro(amendment.ProposedAt).UTC(), Changes: termsChanges(amendment.Changes), From: termsFields(amendment.From),
		Signatures: map[domain.PartnerID]*api.Signature{}, Invited: amendment.InvitedAt != 0, URL: v.amendmentURL(agreement.ID, amendment.Number),
	}
	for _, partner := range amendment.RequiredSigners() {
		shape.Signatures[partner] = nil
	}
	for _, signature := range amendment.Signatures {
		shape.Signatures[signature.Partner] = &api.Signature{Signatory: signature.Signatory, SignedOn: signature.SignedOn}
	}
	if amendment.DecidedAt != 0 {
		shape.DecidedAt = new(time.UnixMicro(amendment.DecidedAt).UTC())
	}
	switch amendment.State {
	case domain.AmendmentStateRejected:
		shape.Rejection = &api.AmendmentRejection{Partner: amendment.RejectedBy, Reason: amendment.RejectionReason}
	case domain.AmendmentStateVoid:
		shape.Void = &api.AmendmentVoid{Field: amendment.VoidGround.Field, Instrument: nilIfZero(amendment.VoidGround.Instrument)}
	}
	shape.Version, shape.UpdatedAt = amendment.Versions.For(v.viewer.Partner)
	return shape
}

func termsFields(change domain.TermsChange) api.TermsFields {
	return api.TermsFields{Title: change.Title, ExpiresOn: nilIfZero(change.ExpiresOn), NoEnd: nilIfZero(change.NoEnd), AcceptanceDays: change.AcceptanceDays, DeemedAcceptance: change.DeemedAcceptance, ForecastToleranceDays: change.ForecastToleranceDays}
}

func termsChanges(changes domain.AmendmentChanges) api.TermsChanges {
	fields := termsFields(changes.Terms)
	shape := api.TermsChanges{
		Title: fields.Title, ExpiresOn: fields.ExpiresOn, NoEnd: fields.NoEnd, AcceptanceDays: fields.AcceptanceDays,
		DeemedAcceptance: fields.DeemedAcceptance, ForecastToleranceDays: fields.ForecastToleranceDays,
	}
	for n := range changes.AddInstruments {
		shape.AddInstruments = append(shape.AddInstruments, addedShape(&changes.AddInstruments[n]))
	}
	for _, end := range changes.EndInstruments {
		shape.EndInstruments = append(shape.EndInstruments, api.EndedInstrument{ID: end.ID, ExpiresOn: end.ExpiresOn, From: nilIfZero(end.From)})
	}
	for _, joining := range changes.Join {
		shape.Join = append(shape.Join, api.JoiningPartner{Partner: joining.Partner})
	}
	return shape
}

func addedShape(instrument *domain.Instrument) api.AddedInstrument {
	shape := api.AddedInstrument{
		ID: instrument.ID, Kind: instrument.Kind, Title: instrument.Title, Roles: rolesShape(instrument), EffectiveOn: instrument.EffectiveOn, ExpiresOn: nilIfZero(instrument.ExpiresOn), Disclosure: instrument.Disclosure, Schedule: []api.AddedItem{}, Obligations: []api.AddedObligation{},
	}
	for _, item := range instrument.Schedule {
		shape.Schedule = append(shape.Schedule, api.AddedItem{ID: item.ID, Title: item.Title, Kind: item.Kind, Count: nilIfZero(item.Count), Note: item.Note})
	}
	for _, obligation := range instrument.Obligations {
		shape.Obligations = append(shape.Obligations, api.AddedObligation(obligation))
	}
	return shape
}

func (v *View) amendmentURL(agreement domain.AgreementID, number int) string {
	return v.url("agreements", string(agreement), "amendments", strconv.Itoa(number))
}

// amendmentItems returns the amendments that wait for the viewer's signature.
func (v *View) amendmentItems(agreement *agreementNode) (items []api.InboxItem) {
	for _, amendment := range agreement.entity.Amendments {
		if !amendment.Awaits(v.viewer.Partner) || !agreement.entity.AmendmentVisibleTo(amendment, v.viewer.Partner, v.now) {
			continue
		}
		since, reason := amendment.ProposedAt, fmt.Sprintf("%s proposes amendment %d: %s", v.name(amendment.ProposedBy), amendment.Number, amendment.Title)
		if !agreement.entity.Party(v.viewer.Partner) {
			since, reason = amendment.InvitedAt, fmt.Sprintf("You are invited to join by amendment %d: %s", amendment.Number, amendment.Title)
		}
		items = append(items, api.InboxItem{
			Kind: "amendment", Agreement: &agreement.id, Amendment: &amendment.Number, Title: agreement.entity.Terms.Title, Reason: reason,
			Since: time.UnixMicro(since).UTC(), URL: v.amendmentURL(agreement.id, amendment.Number),
		})
	}
	return items
}

// terminationShape tells of an end that is set, else of the one that was called first; nil: there is none.
func terminationShape(agreement *domain.Agreement) *api.Termination {
	if ending := agreement.Termination; ending.On != 0 {
		return &api.Termination{Mode: ending.Mode, EffectiveOn: ending.On, Reason: ending.Reason, CalledBy: emptyIfNil(ending.CalledBy), Settled: true}
	}
	if len(agreement.TerminationCalls) == 0 {
		return nil
	}
	first := agreement.TerminationCalls[0]
	shape := &api.Termination{Mode: domain.Mutual, EffectiveOn: first.On, Reason: first.Reason, CalledBy: []domain.PartnerID{}, Settled: false}
	for _, call := range agreement.TerminationCalls {
		if call.On == first.On {
			shape.CalledBy = append(shape.CalledBy, call.Partner)
		}
	}
	return shape
}

// endItems returns the ends that others have called, which wait for the viewer's call, and the notices
// that they have given, until they take effect.
func (v *View) endItems(node *agreementNode) (items []api.InboxItem) {
	agreement, me := v.agreementFor(node), v.viewer.Partner
	add := func(kind, reason string, at int64) {
		items = append(items, api.InboxItem{
			Kind: kind, Agreement: &node.id, Title: agreement.Terms.Title, Reason: reason,
			Since: time.UnixMicro(at).UTC(), URL: v.url("agreements", string(node.id)),
		})
	}
	if agreement.State(v.now) != domain.AgreementStateActive || !agreement.Party(me) {
		return nil
	}
	today := domain.DateOf(v.now.UTC())
	for _, notice := range agreement.TerminationNotices {
		if notice.Partner != me && today <= notice.On {
			add("notice", fmt.Sprintf("%s gave notice for %s: %s", v.name(notice.Partner), notice.On, notice.Reason), notice.At)
		}
	}
	for i, call := range agreement.TerminationCalls {
		same := func(other domain.TerminationCall) bool { return other.On == call.On }
		mine := func(other domain.TerminationCall) bool { return same(other) && other.Partner == me }
		if today > call.On || slices.ContainsFunc(agreement.TerminationCalls, mine) || slices.ContainsFunc(agreement.TerminationCalls[:i], same) {
			continue // the first call stands for all
		}
		reason := fmt.Sprintf("%s called the agreement's end on %s", v.name(call.Partner), call.On)
		if call.Reason != "" {
			reason += ": " + call.Reason
		}
		add("stage", reason, call.At)
	}
	return items
}
