package projections

import (
	"slices"
	"time"

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
		Documents: documentsShape(terms.Documents), TermsSHA256: agreement.TermsDocument().SHA256(),
		Signatures:  map[domain.PartnerID]*api.Signature{},
		Termination: terminationShape(agreement), Closed: closedShape(agreement.Closed), Notices: map[domain.PartnerID]api.GivenNotice{}, TerminationCalls: []api.TerminationCall{},
		ContactPersons: v.contactPersons(agreement), URL: v.url("agreements", string(agreement.ID)),
	}
	for _, partner := range terms.Parties {
		shape.Signatures[partner] = nil
	}
	for _, signature := range agreement.Signatures {
		shape.Signatures[signature.Partner] = signatureShape(signature)
	}
	for _, notice := range agreement.TerminationNotices {
		shape.Notices[notice.Partner] = api.GivenNotice{EffectiveOn: notice.On, Reason: notice.Reason}
	}
	for _, call := range agreement.TerminationCalls {
		shape.TerminationCalls = append(shape.TerminationCalls, api.TerminationCall{
			Partner: call.Partner, Member: call.Member, EffectiveOn: call.On, Reason: call.Reason, Since: time.UnixMicro(call.At).UTC(),
		})
	}
	shape.Version, shape.UpdatedAt = agreement.Versions.For(v.viewer.Partner)
	shape.Creation = v.creation(agreement.Versions)
	return shape
}

// contactPersons returns the contact persons of the parties that have not left, and those of the viewer. A partner that
// is invited to join sees none.
func (v *View) contactPersons(agreement *domain.Agreement) map[domain.PartnerID][]api.NamedMember {
	shapes := map[domain.PartnerID][]api.NamedMember{}
	if !agreement.Party(v.viewer.Partner) {
		return shapes
	}
	for _, persons := range agreement.ContactPersons {
		if persons.Partner != v.viewer.Partner && agreement.HasLeft(persons.Partner, v.now) {
			continue
		}
		for _, member := range persons.Members {
			ref := domain.MemberRef{Partner: persons.Partner, Member: member}
			shapes[persons.Partner] = append(shapes[persons.Partner], api.NamedMember{Member: member, MemberName: v.memberName(ref)})
		}
	}
	return shapes
}

func signatureShape(signature domain.Signature) *api.Signature {
	shape := &api.Signature{
		Signatory: signature.Signatory, SignedOn: signature.SignedOn, TermsSHA256: nilIfZero(signature.TermsSHA256), ResultSHA256: nilIfZero(signature.ResultSHA256),
	}
	if signature.At != 0 {
		shape.RecordedAt = new(time.UnixMicro(signature.At).UTC())
	}
	return shape
}

func documentsShape(documents []domain.Evidence) []api.Document {
	shapes := []api.Document{}
	for _, document := range documents {
		shapes = append(shapes, api.Document{Title: document.Title, URL: document.URL, SHA256: nilIfZero(document.SHA256)})
	}
	return shapes
}

// TermsDocument returns the canonical document of an agreement's present terms, or of the present or former terms with
// the given hash if it is not empty; or the part with the given hash if it is not empty. It returns nil for what the
// viewer may not see.
func (v *View) TermsDocument(id domain.AgreementID, sha256, part string) []byte {
	node := v.agreement(id)
	if node == nil {
		return nil
	}
	agreement := v.agreementFor(node)
	if sha256 != "" {
		agreement = agreement.WithTerms(sha256, v.viewer.Partner)
	}
	if agreement == nil {
		return nil
	}
	return v.documentOrPart(agreement, agreement.TermsDocument(), part)
}

// AmendmentDocument returns the canonical document of an amendment, or the part with the given hash if it is not empty.
// It returns nil for what the viewer may not see.
func (v *View) AmendmentDocument(id domain.AgreementID, number int, part string) []byte {
	node := v.agreement(id)
	amendments := v.amendments(node)
	i := slices.IndexFunc(amendments, func(amendment *domain.Amendment) bool { return amendment.Number == number })
	if i < 0 {
		return nil
	}
	return v.documentOrPart(node.entity.WithJoiners(amendments[i]), node.entity.AmendmentDocument(amendments[i]), part)
}

func (v *View) documentOrPart(agreement *domain.Agreement, document domain.TermsDocument, part string) []byte {
	if part == "" {
		return document.Bytes
	}
	for _, candidate := range document.Parts {
		if candidate.SHA256 == part && agreement.DetailFor(&candidate.Instrument, v.viewer.Partner) == domain.DetailFull {
			return candidate.Bytes
		}
	}
	return nil
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
