package projections

import (
	"tandem/api"
	"tandem/domain"
)

// Agreement returns an agreement, or false if it is invisible.
func (v *View) Agreement(id domain.AgreementID) (api.Agreement, bool) {
	agreement := v.agreement(id)
	if agreement == nil {
		return api.Agreement{}, false
	}
	return v.agreementShape(v.agreementFor(agreement)), true
}

// Agreements returns the visible agreements, sorted by id.
func (v *View) Agreements() []api.Agreement {
	shapes := []api.Agreement{}
	for _, agreement := range v.agreements() {
		shapes = append(shapes, v.agreementShape(v.agreementFor(agreement)))
	}
	return shapes
}

func (v *View) agreementShape(agreement *domain.Agreement) api.Agreement {
	terms := agreement.Terms
	shape := api.Agreement{
		ID: agreement.ID, Title: terms.Title, State: agreement.State(v.now), Parties: terms.Parties,
		EffectiveOn: terms.EffectiveOn, ExpiresOn: nilIfZero(terms.ExpiresOn), Term: terms.TermKind(), NoticeDays: terms.NoticeDays,
		AcceptanceDays: terms.AcceptanceDays, DeemedAcceptance: terms.DeemedAcceptance,
		ForecastToleranceDays: terms.ForecastToleranceDays, Announced: terms.Announced,
		Signatures:  map[domain.PartnerID]*api.Signature{},
		Termination: terminationShape(agreement), Closed: closedShape(agreement.Closed), Notices: map[domain.PartnerID]api.GivenNotice{},
		URL: v.url("agreements", string(agreement.ID)),
	}
	for _, partner := range terms.Parties {
		shape.Signatures[partner] = nil
	}
	for _, signature := range agreement.Signatures {
		shape.Signatures[signature.Partner] = &api.Signature{Signatory: signature.Signatory, SignedOn: signature.SignedOn}
	}
	for _, notice := range agreement.TerminationNotices {
		shape.Notices[notice.Partner] = api.GivenNotice{EffectiveOn: notice.On, Reason: notice.Reason}
	}
	shape.Version, shape.UpdatedAt = agreement.Versions.For(v.viewer.Partner)
	return shape
}

func closedShape(closed domain.ClosedDraft) *api.ClosedDraft {
	if closed.State == "" {
		return nil
	}
	return &api.ClosedDraft{By: closed.By, Reason: closed.Reason, At: closed.ClosedAt()}
}

// terminationShape returns the end that is set, otherwise the one that was called first, otherwise nil.
func terminationShape(agreement *domain.Agreement) *api.Termination {
	if ending := agreement.Termination; ending.On != 0 {
		return &api.Termination{
			Mode: ending.Mode, EffectiveOn: ending.On, Reason: ending.Reason, CalledBy: emptyIfNil(ending.CalledBy),
			Settled: true,
		}
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
