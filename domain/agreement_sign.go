package domain

import (
	"cmp"
	"slices"
)

// SignAgreement signs a draft for the acting partner.
type SignAgreement struct {
	AgreementID `json:"id"`
	Signatory   string `json:"signatory"`          // the person that signed; by default the member
	SignedOn    Date   `json:"signed_on,omitzero"` // on paper; zero: today
}

// AgreementSigned adds the signature of one party. RecordedOn is the date of its recording if the signature has an
// earlier date.
type AgreementSigned struct {
	Signature  Signature `json:"signature"`
	RecordedOn Date      `json:"recorded_on,omitzero"`
}

// AgreementActivated follows the last signature. EffectiveOn is the date on which the agreement takes effect if that is
// later.
type AgreementActivated struct {
	EffectiveOn Date `json:"effective_on,omitzero"`
}

func (c SignAgreement) decide(state State, dc DecisionContext) ([]Event, error) {
	agreement, err := findAgreement(state, c.AgreementID, dc)
	if err != nil {
		return nil, err
	}
	on := cmp.Or(c.SignedOn, dc.Today)
	var check validation
	check.line("signatory", c.Signatory, 200, true)
	check.signedOn(on, dc)
	if err := check.err(); err != nil {
		return nil, err
	}
	if err := agreement.requirePartyManager(dc); err != nil {
		return nil, err
	}
	if err := dc.requireSigner(); err != nil {
		return nil, err
	}
	if err := agreement.requireNotClosed(); err != nil {
		return nil, err
	}
	if err := agreement.requireInstrumentsWithin(dc); err != nil {
		return nil, err
	}
	partner := dc.Actor.Partner
	if slices.Contains(agreement.signers(), partner) {
		return nil, conflict("already_signed", "%s has already signed agreement %s.", partner, agreement.ID)
	}
	mine := Signature{Partner: partner, Signatory: c.Signatory, SignedOn: on, TermsSHA256: agreement.TermsDocument().SHA256()}
	events := sharedEvents("", AgreementSigned{mine, dc.recordedOn(on)})
	if len(agreement.Signatures)+1 == len(agreement.Terms.Parties) {
		events = append(events, sharedEvents("", AgreementActivated{dc.future(agreement.Terms.EffectiveOn)})...)
	}
	return events, nil
}

// recordedOn returns the present date, which is the date of the recording; zero if the claimed date is the same.
func (dc DecisionContext) recordedOn(claimed Date) Date {
	if claimed == dc.Today {
		return 0
	}
	return dc.Today
}

// future returns a date that is still to come, and zero for any other.
func (dc DecisionContext) future(date Date) Date {
	if date > dc.Today {
		return date
	}
	return 0
}

// signedOn refuses a date of a paper signature that is not plausible. It may be older than its recording.
func (v *validation) signedOn(on Date, dc DecisionContext) {
	switch {
	case on > dc.Today:
		v.add("signed_on", "is in the future; use today or an earlier date")
	case on.Time().Before(dc.Today.Time().AddDate(-10, 0, 0)):
		v.add("signed_on", "%s is more than ten years ago; check the year", on)
	}
}

// requireSigner refuses all actors but a member that may sign for its partner. A token of a program never signs, nor
// does a token that may be in the hands of the operator.
func (dc DecisionContext) requireSigner() error {
	switch {
	case dc.Actor.unconfirmed():
		return forbidden("may_not_sign", "Your token was issued by the operator, or with such a token; confirm it, then sign with a token issued by a member that may sign for %s.", dc.Actor.Partner)
	case !dc.Actor.MaySign:
		return forbidden("may_not_sign", "Signing and terminating take a token of a member that may sign for %s; its managers set may_sign.", dc.Actor.Partner)
	}
	return nil
}

func (e AgreementSigned) apply(world *World, header Header) {
	agreement := world.editAgreement(header.Stream.Agreement)
	e.Signature.At = header.RecordedAt.UnixMicro()
	agreement.Signatures = upsert(agreement.Signatures, e.Signature, Signature.key)
	agreement.Versions.count(header)
}

func (AgreementActivated) apply(world *World, header Header) {
	agreement := world.editAgreement(header.Stream.Agreement)
	agreement.Active = true
	agreement.Versions.count(header)
}
