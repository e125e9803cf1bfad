package domain

import (
	"cmp"
	"slices"
)

// SignAmendment signs for the acting partner. The last signature puts the amendment into force.
type SignAmendment struct {
	AmendmentRef
	Signatory string `json:"signatory"`          // the person that signed; by default the member
	SignedOn  Date   `json:"signed_on,omitzero"` // on paper; zero: today
}

// AmendmentSigned adds one signature. Remaining are the partners that have not signed yet. RecordedOn is as in
// [AgreementSigned].
type AmendmentSigned struct {
	Amendment  int         `json:"amendment"`
	Signature  Signature   `json:"signature"`
	Remaining  []PartnerID `json:"remaining,omitempty"`
	RecordedOn Date        `json:"recorded_on,omitzero"`
}

// PartyInvited follows the last signature of the present parties. It carries all that the invited partners see.
type PartyInvited struct {
	Amendment   int              `json:"amendment"`
	Title       string           `json:"title"`
	By          PartnerID        `json:"by"`
	Partners    []PartnerID      `json:"partners"`
	Changes     AmendmentChanges `json:"changes"`
	Signatures  []Signature      `json:"signatures"`
	Terms       Terms            `json:"terms"`
	Instruments []Instrument     `json:"instruments,omitempty"`
}

// AgreementAmended puts an amendment into force. Joined are the signatures of new parties.
type AgreementAmended struct {
	Amendment int             `json:"amendment"`
	To        Terms           `json:"to"`
	From      Terms           `json:"from"`
	Added     []Instrument    `json:"added,omitempty"`
	Ended     []InstrumentEnd `json:"ended,omitempty"`
	Joined    []Signature     `json:"joined,omitempty"`
}

func (c SignAmendment) decide(state State, dc DecisionContext) ([]Event, error) {
	amendment, err := findAmendment(state, c.Agreement, c.Number, dc)
	if err != nil {
		return nil, err
	}
	mine := Signature{Partner: dc.Actor.Partner, Signatory: c.Signatory, SignedOn: cmp.Or(c.SignedOn, dc.Today)}
	var check validation
	check.line("signatory", c.Signatory, 200, true)
	check.signedOn(mine.SignedOn, dc)
	if err := check.err(); err != nil {
		return nil, err
	}
	if err := amendment.requireSignable(dc); err != nil {
		return nil, err
	}
	mine.TermsSHA256 = amendment.agreement.AmendmentDocument(amendment.Amendment).SHA256()
	mine.ResultSHA256 = amendment.effect(amendment.agreement).result(amendment.agreement).TermsDocument().SHA256()
	signed := *amendment.Amendment
	signed.Signatures = upsert(amendment.Signatures, mine, Signature.key)
	remaining := signed.missingSigners()
	events := sharedEvents("", AmendmentSigned{c.Number, mine, remaining, dc.recordedOn(mine.SignedOn)})
	switch {
	case len(remaining) == 0:
		return append(events, sharedEvents("", signed.effect(amendment.agreement))...), nil
	case amendment.InvitedAt == 0 && len(remaining) == len(amendment.Changes.Join):
		return append(events, sharedEvents("", PartyInvited{
			amendment.Number, amendment.Title, amendment.ProposedBy, amendment.joiners(), amendment.Changes, signed.Signatures, amendment.agreement.Terms, amendment.agreement.Instruments,
		})...), nil
	}
	return events, nil
}

func (s Signature) key() string { return string(s.Partner) }

func (a amendmentContext) requireSignable(dc DecisionContext) error {
	if err := dc.requireManager(); err != nil {
		return err
	}
	if err := dc.requireSigner(); err != nil {
		return err
	}
	if err := a.requireOpen(); err != nil {
		return err
	}
	if err := a.agreement.requireChangeable(dc); err != nil {
		return err
	}
	if a.signed(dc.Actor.Partner) {
		return conflict("already_signed", "%s has already signed amendment %d.", dc.Actor.Partner, a.Number)
	}
	if other := a.agreement.openInvitation(); other != nil && other.Number != a.Number {
		return conflict("invitation_open", "Amendment %d is waiting for invited partners, who join on the present terms; sign or reject it first.", other.Number)
	}
	if !slices.Equal(a.ProposedTo, a.agreement.present(a.agreement.Terms.Parties, dc.At)) {
		return conflict("amendment_does_not_fit", "Amendment %d was proposed to other parties than the present ones; propose it again.", a.Number)
	}
	var check validation
	check.notPast("expires_on", a.Changes.Terms.ExpiresOn, dc)
	for _, end := range a.Changes.EndInstruments {
		check.notPast("end_instruments", end.ExpiresOn, dc)
	}
	to := a.Changes.Terms.applyTo(a.agreement.Terms)
	check = append(check, a.Changes.validateTerms(to)...)
	for _, instrument := range a.Changes.AddInstruments {
		check.within(&instrument, to)
	}
	for _, end := range a.Changes.EndInstruments {
		check.within(&Instrument{ExpiresOn: end.ExpiresOn}, to)
	}
	check.instrumentsWithin(a.agreement, dc.Actor.Partner, to, a.Changes.EndInstruments)
	if len(check) > 0 {
		return conflict("amendment_does_not_fit", "Amendment %d can no longer take effect (%s); propose it again.", a.Number, check[0])
	}
	return nil
}

// effect returns the event that puts the amendment into force.
func (a *Amendment) effect(agreement *Agreement) AgreementAmended {
	event := AgreementAmended{
		Amendment: a.Number, To: a.Changes.Terms.applyTo(agreement.Terms), From: agreement.Terms,
		Added: a.Changes.AddInstruments, Ended: a.Changes.EndInstruments,
	}
	event.To.Parties = slices.Concat(agreement.Terms.Parties, a.joiners())
	if len(a.Changes.Documents) > 0 {
		event.To.Documents = slices.Concat(agreement.Terms.Documents, a.Changes.Documents)
	}
	for _, signature := range a.Signatures {
		if !agreement.Party(signature.Partner) {
			signature.TermsSHA256, signature.ResultSHA256 = signature.ResultSHA256, ""
			event.Joined = append(event.Joined, signature)
		}
	}
	return event
}

func (e AmendmentSigned) amendmentNumber() int { return e.Amendment }

func (e AmendmentSigned) apply(world *World, header Header) {
	amendment := header.editAmendment(world, e.Amendment)
	e.Signature.At = header.RecordedAt.UnixMicro()
	amendment.Signatures = upsert(amendment.Signatures, e.Signature, Signature.key)
	if len(e.Remaining) == 0 {
		amendment.State, amendment.DecidedAt = AmendmentStateInForce, header.RecordedAt.UnixMicro()
	}
}

func (e PartyInvited) apply(world *World, header Header) {
	amendment, agreement := header.editAmendmentUncounted(world, e.Amendment), world.editAgreement(header.Stream.Agreement)
	agreement.freezeForLeavers(header)
	amendment.InvitedAt = header.RecordedAt.UnixMicro()
	for _, partner := range e.Partners {
		agreement.Versions.join(partner, header.RecordedAt)
		amendment.Versions.join(partner, header.RecordedAt)
	}
	agreement.Versions.count(header)
	amendment.Versions.count(header)
}

func (e AgreementAmended) apply(world *World, header Header) {
	agreement := world.editAgreement(header.Stream.Agreement)
	agreement.freezeForLeavers(header)
	agreement.keepSigned()
	changed := e.result(agreement)
	agreement.Terms, agreement.Instruments = changed.Terms, changed.Instruments
	for _, added := range e.Added {
		agreement.noteAddition(added.ID, header)
	}
	for _, signature := range e.Joined {
		signature.At = agreement.signedAt(e.Amendment, signature.Partner)
		agreement.Signatures = upsert(agreement.Signatures, signature, Signature.key)
	}
	agreement.Versions.count(header)
}

// result returns the agreement with the terms and instruments that the amendment results in.
func (e AgreementAmended) result(agreement *Agreement) *Agreement {
	changed := *agreement
	changed.Terms = e.To
	changed.Instruments = slices.Concat(agreement.Instruments, e.Added)
	for _, end := range e.Ended {
		if instrument := changed.Instrument(end.ID); instrument != nil {
			instrument.ExpiresOn, instrument.Term = end.ExpiresOn, end.Term.toStore()
		}
	}
	return &changed
}

// signedAt returns when a partner's signature of an amendment was recorded, in microseconds since 1970 UTC.
func (a *Agreement) signedAt(amendment int, partner PartnerID) int64 {
	if amendment := a.Amendment(amendment); amendment != nil {
		for _, signature := range amendment.Signatures {
			if signature.Partner == partner {
				return signature.At
			}
		}
	}
	return 0
}
