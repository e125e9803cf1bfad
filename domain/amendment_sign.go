package domain

import (
	"cmp"
	"slices"
)

// SignAmendment signs for the acting partner. With the last signature the amendment is in force.
type SignAmendment struct {
	ID        AgreementID `json:"id"`
	Number    int         `json:"number"`
	Signatory string      `json:"signatory,omitempty"`
	SignedOn  Date        `json:"signed_on,omitzero"` // zero: today
}

// AmendmentSigned is one signature. Remaining are those whose signature is missing.
type AmendmentSigned struct {
	Amendment int         `json:"amendment"`
	Signature Signature   `json:"signature"`
	Remaining []PartnerID `json:"remaining,omitempty"`
}

// PartyInvited follows the last signature of the present parties: from now on the partners see what it
// carries, which is all there is for them.
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

// AgreementAmended is what an amendment does once all have signed it. Joined are the signatures of the
// parties that are new.
type AgreementAmended struct {
	Amendment int             `json:"amendment"`
	To        Terms           `json:"to"`
	From      Terms           `json:"from"`
	Added     []Instrument    `json:"added,omitempty"`
	Ended     []InstrumentEnd `json:"ended,omitempty"`
	Joined    []Signature     `json:"joined,omitempty"`
}

// Stream implements Command.
func (c SignAmendment) Stream() Stream { return Stream{Agreement: c.ID} }

func (c SignAmendment) target(s State) *Seen { return amendmentSeen(s, c.ID, c.Number) }

func (c SignAmendment) decide(s State, m Meta) ([]Event, error) {
	x, err := findAmendment(s, c.ID, c.Number, m)
	if err != nil {
		return nil, err
	}
	mine := Signature{m.Actor.Partner, c.Signatory, cmp.Or(c.SignedOn, m.Today)}
	var f faults
	f.line("signatory", c.Signatory, 200, false)
	if mine.SignedOn > m.Today {
		f.add("signed_on", "is in the future")
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	if err := x.signable(m); err != nil {
		return nil, err
	}
	signed := *x.Amendment
	signed.Signatures = put(x.Signatures, mine, Signature.key)
	remaining := signed.missing()
	events := shared("", AmendmentSigned{c.Number, mine, remaining})
	switch {
	case len(remaining) == 0:
		return append(events, shared("", signed.effect(x.agreement))...), nil
	case x.InvitedAt == 0 && len(remaining) == len(x.Changes.Join):
		return append(events, shared("", PartyInvited{
			x.Number, x.Title, x.By, x.Joiners(), x.Changes, signed.Signatures, x.agreement.Terms, x.agreement.Instruments,
		})...), nil
	}
	return events, nil
}

func (s Signature) key() string { return string(s.Partner) }

func (x drawnUp) signable(m Meta) error {
	if err := m.manager(); err != nil {
		return err
	}
	if err := x.open(); err != nil {
		return err
	}
	if err := x.agreement.open(m); err != nil {
		return err
	}
	if x.Signed(m.Actor.Partner) {
		return conflict("already_signed", "%s has signed amendment %d already.", m.Actor.Partner, x.Number)
	}
	if other := x.agreement.invitation(); other != nil && other.Number != x.Number {
		return conflict("invitation_open", "Amendment %d waits for partners that join on the terms as they are: sign or reject it first.", other.Number)
	}
	if !slices.Equal(x.Asked, x.agreement.present(x.agreement.Terms.Parties, m.At)) {
		return conflict("amendment_does_not_fit", "Not all who were asked to sign amendment %d are parties still: propose it anew.", x.Number)
	}
	var f faults
	f.future("expires_on", x.Changes.Terms.ExpiresOn, m)
	for _, e := range x.Changes.EndInstruments {
		f.future("end_instruments", e.ExpiresOn, m)
	}
	f = append(f, x.Changes.termsFaults(x.Changes.Terms.over(x.agreement.Terms))...)
	if len(f) > 0 {
		return conflict("amendment_does_not_fit", "Time has passed over amendment %d: %s %s.", x.Number, f[0].Field, f[0].Message)
	}
	return nil
}

// effect returns what the amendment does.
func (x *Amendment) effect(a *Agreement) AgreementAmended {
	e := AgreementAmended{
		Amendment: x.Number, To: x.Changes.Terms.over(a.Terms), From: a.Terms,
		Added: x.Changes.AddInstruments, Ended: x.Changes.EndInstruments,
	}
	e.To.Parties = slices.Concat(a.Terms.Parties, x.Joiners())
	for _, s := range x.Signatures {
		if !a.Party(s.Partner) {
			e.Joined = append(e.Joined, s)
		}
	}
	return e
}

func (e AmendmentSigned) amendment() int { return e.Amendment }

func (e AmendmentSigned) apply(w *World, h Header) {
	x := h.editAmendment(w, e.Amendment)
	x.Signatures = put(x.Signatures, e.Signature, Signature.key)
	if len(e.Remaining) == 0 {
		x.State, x.DecidedAt = AmendmentInForce, h.RecordedAt.UnixMicro()
	}
}

func (e PartyInvited) apply(w *World, h Header) {
	x, a := h.uncounted(w, e.Amendment), w.editAgreement(h.Stream.Agreement)
	a.keep(h)
	x.InvitedAt = h.RecordedAt.UnixMicro()
	for _, p := range e.Partners {
		a.Seen.join(p, h.RecordedAt)
		x.Seen.join(p, h.RecordedAt)
	}
	a.Seen.Count(h.Audience, h.RecordedAt)
	x.Seen.Count(h.Audience, h.RecordedAt)
}

func (e AgreementAmended) apply(w *World, h Header) {
	a := w.editAgreement(h.Stream.Agreement)
	a.keep(h)
	a.Terms = e.To
	a.Instruments = slices.Concat(a.Instruments, e.Added)
	for _, end := range e.Ended {
		for i := range a.Instruments {
			if a.Instruments[i].ID == end.ID {
				a.Instruments[i].ExpiresOn = end.ExpiresOn
			}
		}
	}
	for _, s := range e.Joined {
		a.Signatures = put(a.Signatures, s, Signature.key)
	}
	a.Seen.Count(h.Audience, h.RecordedAt)
}
