package domain

import (
	"slices"
	"time"
)

// Amendment is a numbered change of signed terms. The rules:
//
// R3: after the last signature terms and instruments change only by a numbered amendment that every
// party signs. In detail:
//
//   - Any party's manager proposes. Proposing does not sign: a signature has a signatory and a date, and
//     is a deliberate act of its own, the proposer's too. Only the proposer withdraws; a no of anybody
//     whose signature it takes, given or not, closes it.
//   - All of it takes effect with the last signature, or nothing of it. It is void from the moment at
//     which something that it changes, or who is party, changed otherwise; the event says what did.
//   - The effective date stays, and the end is not moved into the past: that is what termination is for.
//   - R4: after the agreement's end nothing is proposed or signed; what is open can still be rejected and
//     withdrawn.
//
// R17 (joining): a partner that joins sees from its joining on. No party alone can show the agreement
// to a third: only when all present parties have signed is the partner invited. From then on it
// sees the terms and instruments as they are, this amendment and what changes of them, and nothing
// else: no project, no other amendment, nothing of before. It signs or rejects; with the last signature it
// is a party. When the amendment is closed otherwise it sees nothing any more. What it has read does
// not change under it: while a partner is invited no other amendment is signed.
type Amendment struct {
	Number     int
	Key        string // finds it before its number is known; empty: none
	Title      string
	State      AmendmentState
	By         PartnerID
	Changes    AmendmentChanges
	From       TermsChange // the terms that it changes, as they were
	Asked      []PartnerID // the parties when it was proposed
	Signatures []Signature // sorted by partner
	InvitedAt  int64       // when those who join were let in, in microseconds since 1970 UTC; 0: they were not
	ProposedAt int64       // likewise
	DecidedAt  int64       // likewise; 0: open
	RejectedBy PartnerID
	Why        string          // of the rejection
	Broken     AmendmentGround // what made it void
	Seen       Seen
}

// AmendmentState is where an amendment stands.
type AmendmentState string

// The states of an amendment.
const (
	AmendmentOpen      AmendmentState = "open"
	AmendmentInForce   AmendmentState = "in_force"
	AmendmentRefused   AmendmentState = "rejected"
	AmendmentTakenBack AmendmentState = "withdrawn"
	AmendmentVoid      AmendmentState = "void"
)

// AmendmentChanges is what an amendment wants.
type AmendmentChanges struct {
	Terms          TermsChange     `json:"terms,omitzero"`
	AddInstruments []Instrument    `json:"add_instruments,omitempty"`
	EndInstruments []InstrumentEnd `json:"end_instruments,omitempty"`
	Join           []Joining       `json:"join,omitempty"`
}

// TermsChange is a choice of terms; what is empty is not chosen. NoEnd chooses that there is no end.
type TermsChange struct {
	Title                 *string `json:"title,omitempty"`
	ExpiresOn             Date    `json:"expires_on,omitzero"`
	NoEnd                 bool    `json:"no_end,omitempty"`
	AcceptanceDays        *int    `json:"acceptance_days,omitempty"`
	DeemedAcceptance      *bool   `json:"deemed_acceptance,omitempty"`
	ForecastToleranceDays *int    `json:"forecast_tolerance_days,omitempty"`
}

// InstrumentEnd moves the last day of an instrument. From is the day before; zero: none.
type InstrumentEnd struct {
	ID        InstrumentID `json:"id"`
	ExpiresOn Date         `json:"expires_on"`
	From      Date         `json:"from,omitzero"`
}

// Joining is a partner that is to become a party.
type Joining struct {
	Partner PartnerID `json:"partner"`
}

// AmendmentGround is what an amendment stood on and what changed: a field of the terms, an instrument, or
// who is party.
type AmendmentGround struct {
	Field      string       `json:"field"` // title, expires_on, acceptance_days, deemed_acceptance, forecast_tolerance_days, instrument or parties
	Instrument InstrumentID `json:"instrument,omitempty"`
}

// over returns t with the chosen terms.
func (c TermsChange) over(t Terms) Terms {
	set(&t.Title, c.Title)
	if c.ExpiresOn != 0 || c.NoEnd {
		t.ExpiresOn = c.ExpiresOn
	}
	set(&t.AcceptanceDays, c.AcceptanceDays)
	set(&t.DeemedAcceptance, c.DeemedAcceptance)
	set(&t.ForecastToleranceDays, c.ForecastToleranceDays)
	return t
}

// differingTerms returns the terms that differ, as they are before and after.
func differingTerms(from, to Terms) (before, after TermsChange) {
	if from.Title != to.Title {
		before.Title, after.Title = &from.Title, &to.Title
	}
	if from.ExpiresOn != to.ExpiresOn {
		before.ExpiresOn, before.NoEnd = from.ExpiresOn, from.ExpiresOn == 0
		after.ExpiresOn, after.NoEnd = to.ExpiresOn, to.ExpiresOn == 0
	}
	if from.AcceptanceDays != to.AcceptanceDays {
		before.AcceptanceDays, after.AcceptanceDays = &from.AcceptanceDays, &to.AcceptanceDays
	}
	if from.DeemedAcceptance != to.DeemedAcceptance {
		before.DeemedAcceptance, after.DeemedAcceptance = &from.DeemedAcceptance, &to.DeemedAcceptance
	}
	if from.ForecastToleranceDays != to.ForecastToleranceDays {
		before.ForecastToleranceDays, after.ForecastToleranceDays = &from.ForecastToleranceDays, &to.ForecastToleranceDays
	}
	return before, after
}

// changed names a chosen field that is not in t as it was; empty: none.
func (c TermsChange) changed(t Terms) string {
	switch {
	case c.Title != nil && *c.Title != t.Title:
		return "title"
	case (c.ExpiresOn != 0 || c.NoEnd) && c.ExpiresOn != t.ExpiresOn:
		return "expires_on"
	case c.AcceptanceDays != nil && *c.AcceptanceDays != t.AcceptanceDays:
		return "acceptance_days"
	case c.DeemedAcceptance != nil && *c.DeemedAcceptance != t.DeemedAcceptance:
		return "deemed_acceptance"
	case c.ForecastToleranceDays != nil && *c.ForecastToleranceDays != t.ForecastToleranceDays:
		return "forecast_tolerance_days"
	}
	return ""
}

// Joiners returns the partners that are to become parties.
func (x *Amendment) Joiners() []PartnerID {
	var ids []PartnerID
	for _, j := range x.Changes.Join {
		ids = append(ids, j.Partner)
	}
	return ids
}

// Signers returns whose signatures it takes, those who join last.
func (x *Amendment) Signers() []PartnerID { return slices.Concat(x.Asked, x.Joiners()) }

// Signed reports whether p has signed.
func (x *Amendment) Signed(p PartnerID) bool {
	return slices.ContainsFunc(x.Signatures, func(s Signature) bool { return s.Partner == p })
}

// Joined reports whether p became a party by an amendment: there may be things of before that it does not see.
func (a *Agreement) Joined(p PartnerID) bool {
	return slices.ContainsFunc(a.Amendments, func(x *Amendment) bool {
		return x.State == AmendmentInForce && slices.Contains(x.Joiners(), p)
	})
}

// Awaits reports whether it waits for p's signature.
func (x *Amendment) Awaits(p PartnerID) bool {
	return x.State == AmendmentOpen && !x.Signed(p) && slices.Contains(x.readers(), p)
}

// Sees reports whether p may see it: the parties to whom it was proposed, and those who join from the
// invitation on, unless it came to nothing.
func (x *Amendment) Sees(p PartnerID) bool {
	if slices.Contains(x.Asked, p) {
		return true
	}
	return x.InvitedAt != 0 && (x.State == AmendmentOpen || x.State == AmendmentInForce) && slices.Contains(x.Joiners(), p)
}

// readers returns who is told of an event about it.
func (x *Amendment) readers() []PartnerID {
	if x.InvitedAt == 0 {
		return x.Asked
	}
	return x.Signers()
}

// missing returns whose signatures are missing.
func (x *Amendment) missing() []PartnerID {
	return slices.DeleteFunc(x.Signers(), x.Signed)
}

// Amendment returns the amendment with the given number, nil if there is none.
func (a *Agreement) Amendment(number int) *Amendment {
	for _, x := range a.Amendments {
		if x.Number == number {
			return x
		}
	}
	return nil
}

// Shows reports whether p may see the amendment: of who has withdrawn, what was decided while it was a party.
func (a *Agreement) Shows(x *Amendment, p PartnerID, at time.Time) bool {
	if a.Left(p, at) && (x.DecidedAt == 0 || DateOf(time.UnixMicro(x.DecidedAt).UTC()) > a.Notice(p).On) {
		return false
	}
	return x.Sees(p)
}

// invitation returns the amendment that waits for invited partners, nil if none does.
func (a *Agreement) invitation() *Amendment {
	for _, x := range a.Amendments {
		if x.State == AmendmentOpen && x.InvitedAt != 0 {
			return x
		}
	}
	return nil
}

// Readers returns who sees the agreement: its parties, and the partners that are invited to join.
func (a *Agreement) Readers() []PartnerID {
	if x := a.invitation(); x != nil {
		return slices.Concat(a.Terms.Parties, x.Joiners())
	}
	return a.Terms.Parties
}

// Sees reports whether p sees the agreement.
func (a *Agreement) Sees(p PartnerID) bool { return slices.Contains(a.Readers(), p) }

// ofAmendment is an event about one amendment, which not all who see the agreement may see.
type ofAmendment interface{ amendment() int }

// ReadersOf returns who is told of a shared event of the agreement's own stream that has been applied.
func (a *Agreement) ReadersOf(e Payload, at time.Time) []PartnerID {
	if about, ok := e.(ofAmendment); ok {
		if x := a.Amendment(about.amendment()); x != nil {
			return a.present(x.readers(), at)
		}
	}
	return a.present(a.Readers(), at)
}

// broken returns what changed since the amendment was proposed.
func (x *Amendment) broken(a *Agreement, at time.Time) (AmendmentGround, bool) {
	if !slices.Equal(x.Asked, a.present(a.Terms.Parties, at)) {
		return AmendmentGround{Field: "parties"}, true
	}
	if field := x.From.changed(a.Terms); field != "" {
		return AmendmentGround{Field: field}, true
	}
	for _, i := range x.Changes.AddInstruments {
		if a.Instrument(i.ID) != nil {
			return AmendmentGround{"instrument", i.ID}, true
		}
	}
	for _, e := range x.Changes.EndInstruments {
		if i := a.Instrument(e.ID); i == nil || i.ExpiresOn != e.From {
			return AmendmentGround{"instrument", e.ID}, true
		}
	}
	return AmendmentGround{}, false
}

// voidAmendments returns the events that tell of the amendments which the given ones leave without
// their ground.
func voidAmendments(s State, stream Stream, events []Event, m Meta) []Event {
	a := s.Agreement(stream.Agreement)
	if a == nil || !slices.ContainsFunc(a.Amendments, func(x *Amendment) bool { return x.State == AmendmentOpen }) {
		return nil
	}
	after := ahead(s, stream, events, m).Agreement(stream.Agreement)
	var void []Event
	for _, x := range after.Amendments {
		if x.State != AmendmentOpen {
			continue
		}
		if ground, broken := x.broken(after, m.At); broken {
			void = append(void, shared("", AmendmentVoided{x.Number, ground})...)
		}
	}
	return void
}
