package projections

import (
	"time"

	"tandem/api"
	"tandem/domain"
)

// Amendments returns the visible amendments of an agreement, by number.
func (v *View) Amendments(id domain.AgreementID) []api.Amendment {
	shapes, agreement := []api.Amendment{}, v.agreement(id)
	for _, amendment := range v.amendments(agreement) {
		shapes = append(shapes, v.amendmentShape(agreement.entity, amendment))
	}
	return shapes
}

// Amendment returns an amendment, or false if it is invisible.
func (v *View) Amendment(id domain.AgreementID, number int) (api.Amendment, bool) {
	agreement := v.agreement(id)
	for _, amendment := range v.amendments(agreement) {
		if amendment.Number == number {
			return v.amendmentShape(agreement.entity, amendment), true
		}
	}
	return api.Amendment{}, false
}

// AmendmentNumber returns the number of the amendment that was proposed with the given idempotency key, or 0.
func (v *View) AmendmentNumber(id domain.AgreementID, key string) int {
	for _, amendment := range v.amendments(v.agreement(id)) {
		if key != "" && amendment.Key == key {
			return amendment.Number
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
		ProposedAt: time.UnixMicro(amendment.ProposedAt).UTC(), Changes: v.termsChanges(agreement, amendment.Changes), From: termsFields(amendment.From),
		TermsSHA256: agreement.AmendmentDocument(amendment).SHA256(),
		Signatures:  map[domain.PartnerID]*api.Signature{}, Invited: amendment.InvitedAt != 0, URL: v.amendmentURL(agreement.ID, amendment.Number),
	}
	for _, partner := range amendment.RequiredSigners() {
		shape.Signatures[partner] = nil
	}
	for _, signature := range amendment.Signatures {
		shape.Signatures[signature.Partner] = signatureShape(signature)
	}
	if amendment.DecidedAt != 0 {
		shape.DecidedAt = new(time.UnixMicro(amendment.DecidedAt).UTC())
	}
	switch amendment.State {
	case domain.AmendmentStateRejected:
		shape.Rejection = &api.AmendmentRejection{Partner: amendment.RejectedBy, Reason: amendment.RejectionReason}
	case domain.AmendmentStateWithdrawn:
		shape.Withdrawal = &api.Withdrawal{Reason: amendment.WithdrawalReason}
	case domain.AmendmentStateVoid:
		ground, _, _ := agreement.DisclosedRefs(v.viewer.Partner, amendment.VoidGround.Instrument, "", "")
		shape.Void = &api.AmendmentVoid{Field: amendment.VoidGround.Field, Instrument: nilIfZero(ground)}
	}
	shape.Version, shape.UpdatedAt = amendment.Versions.For(v.viewer.Partner)
	shape.Creation = v.creation(amendment.Versions)
	return shape
}

func termsFields(change domain.TermsChange) api.TermsFields {
	fields := api.TermsFields{
		NoticeDays: change.NoticeDays,
		Title:      change.Title, ExpiresOn: nilIfZero(change.ExpiresOn), NoEnd: nilIfZero(change.NoEnd),
		AcceptanceDays: change.AcceptanceDays, DeemedAcceptance: change.DeemedAcceptance,
		ForecastToleranceDays: change.ForecastToleranceDays, Announced: change.Announced,
	}
	if change.ExpiresOn != 0 || change.NoEnd || change.Term != "" {
		fields.Term = new(domain.TermOf(change.Term, change.ExpiresOn))
	}
	return fields
}

func (v *View) termsChanges(agreement *domain.Agreement, changes domain.AmendmentChanges) api.TermsChanges {
	fields := termsFields(changes.Terms)
	changes = agreement.DisclosedChanges(v.viewer.Partner, changes)
	shape := api.TermsChanges{
		Title: fields.Title, ExpiresOn: fields.ExpiresOn, NoEnd: fields.NoEnd, AcceptanceDays: fields.AcceptanceDays,
		DeemedAcceptance: fields.DeemedAcceptance, ForecastToleranceDays: fields.ForecastToleranceDays, Announced: fields.Announced,
		Term: fields.Term, NoticeDays: fields.NoticeDays,
	}
	for n := range changes.AddInstruments {
		shape.AddInstruments = append(shape.AddInstruments, addedShape(&changes.AddInstruments[n]))
	}
	for _, end := range changes.EndInstruments {
		ended := api.EndedInstrument{ID: nilIfZero(end.ID), Kind: nilIfZero(end.Kind), Title: nilIfZero(end.Title), ExpiresOn: nilIfZero(end.ExpiresOn), From: nilIfZero(end.From)}
		if end.ExpiresOn != 0 || end.Term != "" {
			ended.Term, ended.FromTerm = new(domain.TermOf(end.Term, end.ExpiresOn)), new(domain.TermOf(end.FromTerm, end.From))
		}
		shape.EndInstruments = append(shape.EndInstruments, ended)
	}
	if len(changes.Documents) > 0 {
		shape.Documents = documentsShape(changes.Documents)
	}
	for _, joining := range changes.Join {
		shape.Join = append(shape.Join, api.JoiningPartner{Partner: joining.Partner})
	}
	return shape
}

func addedShape(instrument *domain.Instrument) api.AddedInstrument {
	shape := api.AddedInstrument{
		ID: nilIfZero(instrument.ID), Detail: instrument.Detail(), Kind: instrument.Kind,
		Title: nilIfZero(instrument.Title), Roles: rolesShape(instrument),
		EffectiveOn: nilIfZero(instrument.EffectiveOn), ExpiresOn: nilIfZero(instrument.ExpiresOn),
		Term: termShape(instrument), Disclosure: instrument.Disclosure, Schedule: []api.AddedItem{}, Obligations: []api.AddedObligation{}, Documents: documentsShape(instrument.Documents),
	}
	for _, item := range instrument.Schedule {
		shape.Schedule = append(shape.Schedule, api.AddedItem{
			ID: item.ID, Title: item.Title, Kind: item.Kind, Count: nilIfZero(item.Total()), Note: item.Note,
			Quantity: nilIfZero(item.Total()), Unit: item.Unit, Office: item.Office, Number: item.Number, OldHolder: item.OldHolder, NewHolder: item.NewHolder,
		})
	}
	for _, obligation := range instrument.Obligations {
		shape.Obligations = append(shape.Obligations, api.AddedObligation(obligation))
	}
	return shape
}
