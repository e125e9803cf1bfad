package domain

import (
	"cmp"
	"slices"
)

// SignAgreement signs a draft for the acting partner.
type SignAgreement struct {
	AgreementID `json:"id"`
	Signatory   string `json:"signatory,omitempty"`
	SignedOn    Date   `json:"signed_on,omitzero"` // zero: today
}

// AgreementSigned adds the signature of one party.
type AgreementSigned struct {
	Signature Signature `json:"signature"`
}

// AgreementActivated follows the last signature.
type AgreementActivated struct{}

func (c SignAgreement) decide(state State, dc DecisionContext) ([]Event, error) {
	agreement, err := findAgreement(state, c.AgreementID, dc)
	if err != nil {
		return nil, err
	}
	on := cmp.Or(c.SignedOn, dc.Today)
	var check validation
	check.line("signatory", c.Signatory, 200, false)
	if on > dc.Today {
		check.add("signed_on", "is in the future; use today or an earlier date")
	}
	if err := check.err(); err != nil {
		return nil, err
	}
	if err := agreement.requirePartyManager(dc); err != nil {
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
	events := sharedEvents("", AgreementSigned{Signature{partner, c.Signatory, on}})
	if len(agreement.Signatures)+1 == len(agreement.Terms.Parties) {
		events = append(events, sharedEvents("", AgreementActivated{})...)
	}
	return events, nil
}

func (e AgreementSigned) apply(world *World, header Header) {
	agreement := world.editAgreement(header.Stream.Agreement)
	agreement.Signatures = upsert(agreement.Signatures, e.Signature, Signature.key)
	agreement.Versions.Count(header.Audience, header.RecordedAt)
}

func (AgreementActivated) apply(world *World, header Header) {
	agreement := world.editAgreement(header.Stream.Agreement)
	agreement.Active = true
	agreement.Versions.Count(header.Audience, header.RecordedAt)
}
