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
	Number          int
	Key             string // finds it before its number is known; empty: none
	Title           string
	State           AmendmentState
	ProposedBy      PartnerID
	Changes         AmendmentChanges
	From            TermsChange // the terms that it changes, as they were
	ProposedTo      []PartnerID // the parties when it was proposed
	Signatures      []Signature // sorted by partner
	InvitedAt       int64       // when those who join were let in, in microseconds since 1970 UTC; 0: they were not
	ProposedAt      int64       // likewise
	DecidedAt       int64       // likewise; 0: open
	RejectedBy      PartnerID
	RejectionReason string          // of the rejection
	VoidGround      AmendmentGround // what made it void
	Versions        Versions
}

// AmendmentState is where an amendment stands.
type AmendmentState string

// The states of an amendment.
const (
	AmendmentStateOpen      AmendmentState = "open"
	AmendmentStateInForce   AmendmentState = "in_force"
	AmendmentStateRejected  AmendmentState = "rejected"
	AmendmentStateWithdrawn AmendmentState = "withdrawn"
	AmendmentStateVoid      AmendmentState = "void"
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

// applyTo returns t with the chosen terms.
func (c TermsChange) applyTo(terms Terms) Terms {
	set(&terms.Title, c.Title)
	if c.ExpiresOn != 0 || c.NoEnd {
		terms.ExpiresOn = c.ExpiresOn
	}
	set(&terms.AcceptanceDays, c.AcceptanceDays)
	set(&terms.DeemedAcceptance, c.DeemedAcceptance)
	set(&terms.ForecastToleranceDays, c.ForecastToleranceDays)
	return terms
}

// diffTerms returns the terms that differ, as they are before and after.
func diffTerms(from, to Terms) (before, after TermsChange) {
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

// changedField names a chosen field that is not in t as it was; empty: none.
func (c TermsChange) changedField(terms Terms) string {
	switch {
	case c.Title != nil && *c.Title != terms.Title:
		return "title"
	case (c.ExpiresOn != 0 || c.NoEnd) && c.ExpiresOn != terms.ExpiresOn:
		return "expires_on"
	case c.AcceptanceDays != nil && *c.AcceptanceDays != terms.AcceptanceDays:
		return "acceptance_days"
	case c.DeemedAcceptance != nil && *c.DeemedAcceptance != terms.DeemedAcceptance:
		return "deemed_acceptance"
	case c.ForecastToleranceDays != nil && *c.ForecastToleranceDays != terms.ForecastToleranceDays:
		return "forecast_tolerance_days"
	}
	return ""
}

// Joiners returns the partners that are to become parties.
func (a *Amendment) Joiners() []PartnerID {
	var ids []PartnerID
	for _, joiner := range a.Changes.Join {
		ids = append(ids, joiner.Partner)
	}
	return ids
}

// RequiredSigners returns whose signatures it takes, those who join last.
func (a *Amendment) RequiredSigners() []PartnerID { return slices.Concat(a.ProposedTo, a.Joiners()) }

// Signed reports whether p has signed.
func (a *Amendment) Signed(partner PartnerID) bool {
	return slices.ContainsFunc(a.Signatures, func(signature Signature) bool { return signature.Partner == partner })
}

// JoinedByAmendment reports whether p became a party by an amendment: there may be things of before that it does not see.
func (a *Agreement) JoinedByAmendment(partner PartnerID) bool {
	return slices.ContainsFunc(a.Amendments, func(amendment *Amendment) bool {
		return amendment.State == AmendmentStateInForce && slices.Contains(amendment.Joiners(), partner)
	})
}

// Awaits reports whether it waits for p's signature.
func (a *Amendment) Awaits(partner PartnerID) bool {
	return a.State == AmendmentStateOpen && !a.Signed(partner) && slices.Contains(a.readers(), partner)
}

// VisibleTo reports whether p may see it: the parties to whom it was proposed, and those who join from the
// invitation on, unless it came to nothing.
func (a *Amendment) VisibleTo(partner PartnerID) bool {
	if slices.Contains(a.ProposedTo, partner) {
		return true
	}
	return a.InvitedAt != 0 && (a.State == AmendmentStateOpen || a.State == AmendmentStateInForce) && slices.Contains(a.Joiners(), partner)
}

// readers returns who is told of an event about it.
func (a *Amendment) readers() []PartnerID {
	if a.InvitedAt == 0 {
		return a.ProposedTo
	}
	return a.RequiredSigners()
}

// missingSigners returns whose signatures are missing.
func (a *Amendment) missingSigners() []PartnerID {
	return slices.DeleteFunc(a.RequiredSigners(), a.Signed)
}

// Amendment returns the amendment with the given number, nil if there is none.
func (a *Agreement) Amendment(number int) *Amendment {
	for _, amendment := range a.Amendments {
		if amendment.Number == number {
			return amendment
		}
	}
	return nil
}

// AmendmentVisibleTo reports whether p may see the amendment: of who has withdrawn, what was decided while it was a party.
func (a *Agreement) AmendmentVisibleTo(amendment *Amendment, partner PartnerID, at time.Time) bool {
	if a.HasLeft(partner, at) && (amendment.DecidedAt == 0 || DateOf(time.UnixMicro(amendment.DecidedAt).UTC()) > a.TerminationNotice(partner).On) {
		return false
	}
	return amendment.VisibleTo(partner)
}

// openInvitation returns the amendment that waits for invited partners, nil if none does.
func (a *Agreement) openInvitation() *Amendment {
	for _, amendment := range a.Amendments {
		if amendment.State == AmendmentStateOpen && amendment.InvitedAt != 0 {
			return amendment
		}
	}
	return nil
}

// Readers returns who sees the agreement: its parties, and the partners that are invited to join.
func (a *Agreement) Readers() []PartnerID {
	if amendment := a.openInvitation(); amendment != nil {
		return slices.Concat(a.Terms.Parties, amendment.Joiners())
	}
	return a.Terms.Parties
}

// VisibleTo reports whether p sees the agreement.
func (a *Agreement) VisibleTo(partner PartnerID) bool { return slices.Contains(a.Readers(), partner) }

// amendmentEvent is an event about one amendment, which not all who see the agreement may see.
type amendmentEvent interface{ amendmentNumber() int }

// EventReaders returns who is told of a shared event of the agreement's own stream that has been applied.
func (a *Agreement) EventReaders(payload Payload, at time.Time) []PartnerID {
	if about, ok := payload.(amendmentEvent); ok {
		if amendment := a.Amendment(about.amendmentNumber()); amendment != nil {
			return a.present(amendment.readers(), at)
		}
	}
	return a.present(a.Readers(), at)
}

// findVoidGround returns what changed since the amendment was proposed.
func (a *Amendment) findVoidGround(agreement *Agreement, at time.Time) (AmendmentGround, bool) {
	if !slices.Equal(a.ProposedTo, agreement.present(agreement.Terms.Parties, at)) {
		return AmendmentGround{Field: "parties"}, true
	}
	if field := a.From.changedField(agreement.Terms); field != "" {
		return AmendmentGround{Field: field}, true
	}
	for _, instrument := range a.Changes.AddInstruments {
		if agreement.Instrument(instrument.ID) != nil {
			return AmendmentGround{"instrument", instrument.ID}, true
		}
	}
	for _, end := range a.Changes.EndInstruments {
		if instrument := agreement.Instrument(end.ID); instrument == nil || instrument.ExpiresOn != end.From {
			return AmendmentGround{"instrument", end.ID}, true
		}
	}
	return AmendmentGround{}, false
}

// voidAmendmentEvents returns the events that tell of the amendments which the given ones leave without
// their ground.
func voidAmendmentEvents(state State, stream Stream, events []Event, dc DecisionContext) []Event {
	agreement := state.Agreement(stream.Agreement)
	if agreement == nil || !slices.ContainsFunc(agreement.Amendments, func(amendment *Amendment) bool { return amendment.State == AmendmentStateOpen }) {
		return nil
	}
	after := stateAfter(state, stream, events, dc).Agreement(stream.Agreement)
	var void []Event
	for _, amendment := range after.Amendments {
		if amendment.State != AmendmentStateOpen {
			continue
		}
		if ground, broken := amendment.findVoidGround(after, dc.At); broken {
			void = append(void, sharedEvents("", AmendmentVoided{amendment.Number, ground})...)
		}
	}
	return void
}
