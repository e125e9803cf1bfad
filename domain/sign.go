package domain

import (
	"cmp"
	"slices"
)

// SignAgreement signs for the acting partner.
type SignAgreement struct {
	ID        AgreementID `json:"id"`
	Signatory string      `json:"signatory,omitempty"`
	SignedOn  Date        `json:"signed_on,omitzero"` // zero: today
}

// AgreementSigned is one party's signature.
type AgreementSigned struct {
	Signature Signature `json:"signature"`
}

// AgreementActivated follows the last signature.
type AgreementActivated struct{}

// Stream implements Command.
func (c SignAgreement) Stream() Stream { return Stream{Agreement: c.ID} }

func (c SignAgreement) target(s State) *Seen { return seenOf(s.Agreement(c.ID)) }

func (c SignAgreement) decide(s State, m Meta) ([]Event, error) {
	a, err := readerOf(s, c.ID, m)
	if err != nil {
		return nil, err
	}
	on := cmp.Or(c.SignedOn, m.Today)
	var f faults
	f.line("signatory", c.Signatory, 200, false)
	if on > m.Today {
		f.add("signed_on", "is in the future")
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	if err := a.partyManager(m); err != nil {
		return nil, err
	}
	p := m.Actor.Partner
	if slices.Contains(a.signers(), p) {
		return nil, conflict("already_signed", "%s has signed agreement %s already.", p, a.ID)
	}
	events := shared("", AgreementSigned{Signature{p, c.Signatory, on}})
	if len(a.Signatures)+1 == len(a.Terms.Parties) {
		events = append(events, shared("", AgreementActivated{})...)
	}
	return events, nil
}

func (e AgreementSigned) apply(w *World, h Header) {
	a := w.editAgreement(h.Stream.Agreement)
	a.Signatures = put(a.Signatures, e.Signature, Signature.key)
	a.Seen.Count(h.Audience, h.RecordedAt)
}

func (AgreementActivated) apply(w *World, h Header) {
	a := w.editAgreement(h.Stream.Agreement)
	a.Active = true
	a.Seen.Count(h.Audience, h.RecordedAt)
}
