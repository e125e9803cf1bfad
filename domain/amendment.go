package domain

import (
	"slices"
	"time"
)

// Amendment is a numbered change of signed terms. The rules:
//
// R3: after the last signature, terms and instruments change only by a numbered amendment that every party signs.
// In detail:
//
//   - Any party's manager proposes. A proposal is not a signature: the proposer signs separately. Only the
//     proposer withdraws; a rejection by any required signer, even one that has signed, closes the amendment.
//   - An amendment takes effect as a whole with the last signature. It becomes void when a term or instrument that
//     it changes, or the set of parties, has changed in another way; the event names the ground.
//   - The effective date never changes, and the end cannot move into the past: use a termination instead.
//   - R4: after the agreement's end amendments are neither proposed nor signed; an open one can still be rejected
//     or withdrawn.
//
// R17 (joining): a partner that joins sees the agreement from then on. No single party can show the agreement to
// a third partner: the invitation follows the signatures of all present parties. An invited partner sees the
// present terms, the changes of this amendment and, as [Detail] says, the instruments, but no project, no other
// amendment and no history. It signs or rejects; with the last signature it becomes a party. If the amendment
// closes without effect, it loses access. No other amendment can be signed while an invitation is open, so the
// terms it has read stay as they are.
type Amendment struct {
	Number           int
	Key              string // chosen by the proposer to find the amendment before its number is known; empty: none
	Title            string
	State            AmendmentState
	ProposedBy       PartnerID
	Changes          AmendmentChanges
	From             TermsChange // the terms to be changed, as proposed against
	ProposedTo       []PartnerID // the parties at the time of the proposal
	Signatures       []Signature // sorted by partner
	InvitedAt        int64       // when the joining partners were invited, in microseconds since 1970 UTC; 0: not yet
	ProposedAt       int64       // in microseconds since 1970 UTC
	DecidedAt        int64       // in microseconds since 1970 UTC; 0: open
	RejectedBy       PartnerID
	RejectionReason  string
	WithdrawalReason string
	VoidGround       AmendmentGround // why it is void
	Versions         Versions
}

// AmendmentState is the state of an amendment.
type AmendmentState string

// The states of an amendment.
const (
	AmendmentStateOpen      AmendmentState = "open"
	AmendmentStateInForce   AmendmentState = "in_force"
	AmendmentStateRejected  AmendmentState = "rejected"
	AmendmentStateWithdrawn AmendmentState = "withdrawn"
	AmendmentStateVoid      AmendmentState = "void"
)

// AmendmentChanges are the changes that an amendment proposes.
type AmendmentChanges struct {
	Terms          TermsChange     `json:"terms,omitzero"`
	AddInstruments []Instrument    `json:"add_instruments,omitempty"`
	EndInstruments []InstrumentEnd `json:"end_instruments,omitempty"`
	Join           []Joining       `json:"join,omitempty"`
	Documents      []Evidence      `json:"documents,omitempty"` // added to the agreement's
}

// TermsChange selects terms to change; a zero field is not selected. ExpiresOn, NoEnd and Term select the end: a last
// day, none, or an undisclosed one.
type TermsChange struct {
	Title                 *string  `json:"title,omitempty"`
	ExpiresOn             Date     `json:"expires_on,omitzero"`
	NoEnd                 bool     `json:"no_end,omitempty"`
	Term                  TermKind `json:"term,omitempty"` // in events only undisclosed; selects no last day
	AcceptanceDays        *int     `json:"acceptance_days,omitempty"`
	DeemedAcceptance      *bool    `json:"deemed_acceptance,omitempty"`
	ForecastToleranceDays *int     `json:"forecast_tolerance_days,omitempty"`
	NoticeDays            *int     `json:"notice_days,omitempty"`
	Announced             *bool    `json:"announced,omitempty"`
}

// InstrumentEnd moves the last day of an instrument, or removes it with a Term, which is open_ended or undisclosed.
// From and FromTerm are the previous ones, as stored. Kind and title are those
// of the instrument; amendments of earlier versions do not have them.
type InstrumentEnd struct {
	ID        InstrumentID   `json:"id,omitempty"`
	ExpiresOn Date           `json:"expires_on,omitzero"`
	From      Date           `json:"from,omitzero"`
	Term      TermKind       `json:"term,omitempty"`
	FromTerm  TermKind       `json:"from_term,omitempty"`
	Kind      InstrumentKind `json:"kind,omitempty"`
	Title     string         `json:"title,omitempty"`
}

// Joining names a partner that joins as a party.
type Joining struct {
	Partner PartnerID `json:"partner"`
}

// AmendmentGround names the change that voided an amendment: a field of the terms, an instrument, or the set of
// parties.
type AmendmentGround struct {
	Field      string       `json:"field"` // a name of a term, instrument or parties
	Instrument InstrumentID `json:"instrument,omitempty"`
}

// applyTo returns the terms with the selected fields replaced.
func (c TermsChange) applyTo(terms Terms) Terms {
	set(&terms.Title, c.Title)
	if c.selectsEnd() {
		terms.ExpiresOn, terms.Term = c.ExpiresOn, c.Term.toStore()
	}
	set(&terms.AcceptanceDays, c.AcceptanceDays)
	set(&terms.DeemedAcceptance, c.DeemedAcceptance)
	set(&terms.ForecastToleranceDays, c.ForecastToleranceDays)
	set(&terms.Announced, c.Announced)
	set(&terms.NoticeDays, c.NoticeDays)
	return terms
}

// validateEnd checks the form of the end as a command selects it.
func (c TermsChange) validateEnd() (check validation) {
	if c.NoEnd && (c.ExpiresOn != 0 || c.Term != "" && c.Term != TermOpenEnded) {
		check.add("expires_on", "is given together with no_end; give one of them")
	}
	check.term("term", c.Term, c.ExpiresOn)
	return check
}

func (c TermsChange) selectsEnd() bool { return c.ExpiresOn != 0 || c.NoEnd || c.Term != "" }

// diffTerms returns the terms that differ, with their old and new values.
func diffTerms(from, to Terms) (before, after TermsChange) {
	if from.Title != to.Title {
		before.Title, after.Title = &from.Title, &to.Title
	}
	if from.ExpiresOn != to.ExpiresOn || from.Term != to.Term {
		before.ExpiresOn, before.NoEnd, before.Term = from.ExpiresOn, from.TermKind() == TermOpenEnded, from.Term
		after.ExpiresOn, after.NoEnd, after.Term = to.ExpiresOn, to.TermKind() == TermOpenEnded, to.Term
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
	if from.Announced != to.Announced {
		before.Announced, after.Announced = &from.Announced, &to.Announced
	}
	if from.NoticeDays != to.NoticeDays {
		before.NoticeDays, after.NoticeDays = &from.NoticeDays, &to.NoticeDays
	}
	return before, after
}

// changedField returns the first selected field that has another value in terms; empty: none.
func (c TermsChange) changedField(terms Terms) string {
	switch {
	case differs(c.Title, terms.Title):
		return "title"
	case c.selectsEnd() && (c.ExpiresOn != terms.ExpiresOn || c.Term.toStore() != terms.Term):
		return "expires_on"
	case differs(c.AcceptanceDays, terms.AcceptanceDays):
		return "acceptance_days"
	case differs(c.DeemedAcceptance, terms.DeemedAcceptance):
		return "deemed_acceptance"
	case differs(c.ForecastToleranceDays, terms.ForecastToleranceDays):
		return "forecast_tolerance_days"
	case differs(c.Announced, terms.Announced):
		return "announced"
	case differs(c.NoticeDays, terms.NoticeDays):
		return "notice_days"
	}
	return ""
}

// differs reports whether a field is selected with another value.
func differs[T comparable](selected *T, value T) bool { return selected != nil && *selected != value }

// joiners returns the partners that join with the amendment.
func (a *Amendment) joiners() []PartnerID { return a.Changes.joiners() }

func (c AmendmentChanges) joiners() []PartnerID {
	var ids []PartnerID
	for _, joiner := range c.Join {
		ids = append(ids, joiner.Partner)
	}
	return ids
}

// RequiredSigners returns the partners that have to sign, joining partners last.
func (a *Amendment) RequiredSigners() []PartnerID { return slices.Concat(a.ProposedTo, a.joiners()) }

// signed reports whether the partner has signed.
func (a *Amendment) signed(partner PartnerID) bool {
	return slices.ContainsFunc(a.Signatures, func(signature Signature) bool { return signature.Partner == partner })
}

// JoinedByAmendment reports whether the partner became a party by an amendment. It does not see earlier history.
func (a *Agreement) JoinedByAmendment(partner PartnerID) bool {
	return slices.ContainsFunc(a.Amendments, func(amendment *Amendment) bool {
		return amendment.State == AmendmentStateInForce && slices.Contains(amendment.joiners(), partner)
	})
}

// Awaits reports whether the amendment waits for the partner's signature.
func (a *Amendment) Awaits(partner PartnerID) bool {
	return a.State == AmendmentStateOpen && !a.signed(partner) && slices.Contains(a.readers(), partner)
}

// VisibleTo reports whether the partner may see the amendment: the parties at the time of the proposal, and
// joining partners from the invitation on unless it closed without effect.
func (a *Amendment) VisibleTo(partner PartnerID) bool {
	if slices.Contains(a.ProposedTo, partner) {
		return true
	}
	return a.InvitedAt != 0 && (a.State == AmendmentStateOpen || a.State == AmendmentStateInForce) && slices.Contains(a.joiners(), partner)
}

// readers returns the partners that see events about the amendment.
func (a *Amendment) readers() []PartnerID {
	if a.InvitedAt == 0 {
		return a.ProposedTo
	}
	return a.RequiredSigners()
}

// missingSigners returns the partners that have not signed yet.
func (a *Amendment) missingSigners() []PartnerID {
	return slices.DeleteFunc(a.RequiredSigners(), a.signed)
}

// Amendment returns the amendment with the given number, or nil.
func (a *Agreement) Amendment(number int) *Amendment {
	for _, amendment := range a.Amendments {
		if amendment.Number == number {
			return amendment
		}
	}
	return nil
}

// AmendmentVisibleTo reports whether the partner may see the amendment. A party that has left sees only those
// decided by its last day.
func (a *Agreement) AmendmentVisibleTo(amendment *Amendment, partner PartnerID, at time.Time) bool {
	if a.HasLeft(partner, at) && (amendment.DecidedAt == 0 || DateOf(time.UnixMicro(amendment.DecidedAt).UTC()) > a.terminationNotice(partner).On) {
		return false
	}
	return amendment.VisibleTo(partner)
}

// openInvitation returns the amendment that waits for invited partners, or nil.
func (a *Agreement) openInvitation() *Amendment {
	for _, amendment := range a.Amendments {
		if amendment.State == AmendmentStateOpen && amendment.InvitedAt != 0 {
			return amendment
		}
	}
	return nil
}

// Readers returns the partners that see the agreement: its parties, and partners invited to join.
func (a *Agreement) Readers() []PartnerID {
	if amendment := a.openInvitation(); amendment != nil {
		return slices.Concat(a.Terms.Parties, amendment.joiners())
	}
	return a.Terms.Parties
}

// VisibleTo reports whether the partner sees the agreement.
func (a *Agreement) VisibleTo(partner PartnerID) bool { return slices.Contains(a.Readers(), partner) }

// amendmentEvent is an event about one amendment, whose readers may be fewer than the agreement's.
type amendmentEvent interface{ amendmentNumber() int }

// EventReaders returns the partners that see a shared event of the agreement's own stream. The event has been
// applied.
func (a *Agreement) EventReaders(payload Payload, at time.Time) []PartnerID {
	if about, ok := payload.(amendmentEvent); ok {
		if amendment := a.Amendment(about.amendmentNumber()); amendment != nil {
			return a.present(amendment.readers(), at)
		}
	}
	if moved, ok := payload.(ItemMoved); ok && len(moved.Readers) > 0 {
		return a.present(moved.Readers, at)
	}
	if _, ok := payload.(ContactPersonsNamed); ok { // not for partners that are invited to join
		return a.present(a.Terms.Parties, at)
	}
	return a.present(a.Readers(), at)
}

// findVoidGround returns the first change since the proposal that voids the amendment.
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
		if instrument := agreement.Instrument(end.ID); instrument == nil || instrument.ExpiresOn != end.From || instrument.Term != end.FromTerm {
			return AmendmentGround{"instrument", end.ID}, true
		}
	}
	return AmendmentGround{}, false
}

// voidAmendmentEvents returns the events for the open amendments that the given events make void.
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
