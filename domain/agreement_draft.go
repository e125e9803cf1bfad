package domain

import (
	"reflect"
	"slices"
	"time"
)

// Rules for drafts besides [EditAgreement]:
//
// R3: a manager of any party adds, edits and removes the instruments of a draft; each of these voids the
// signatures. A party that does not want the agreement declines the draft, with a reason; the party that drafted
// it withdraws it instead. Both are final: such an agreement is neither edited nor signed, and carries no work.

// ClosedDraft says how a draft ended without an agreement.
type ClosedDraft struct {
	State  AgreementState // declined or withdrawn; empty: it did not
	By     PartnerID
	Reason string
	At     int64 // microseconds since 1970 UTC
}

// AwaitsSignatures reports whether the agreement is a draft that parties can still edit and sign.
func (a *Agreement) AwaitsSignatures() bool { return !a.Active && a.Closed.State == "" }

// requireNotClosed refuses to change a draft that was declined or withdrawn.
func (a *Agreement) requireNotClosed() error {
	if a.Closed.State != "" {
		return conflict("agreement_closed", "Agreement %s is %s and can no longer change.", a.ID, Term(a.Closed.State))
	}
	return nil
}

// EditInstrument replaces the fields of a draft's instrument that are not nil.
type EditInstrument struct {
	AgreementID `json:"agreement"`
	Instrument  InstrumentID              `json:"instrument"`
	Kind        *InstrumentKind           `json:"kind,omitempty"`
	Title       *string                   `json:"title,omitempty"`
	Roles       *map[RoleName][]PartnerID `json:"roles,omitempty"`
	EffectiveOn *Date                     `json:"effective_on,omitempty"`
	ExpiresOn   *Date                     `json:"expires_on,omitempty"`
	NoEnd       bool                      `json:"no_end,omitempty"` // removes the end date, which a null in JSON cannot express
	Term        *TermKind                 `json:"term,omitempty"`
	Disclosure  *Disclosure               `json:"disclosure,omitempty"`
	Schedule    *[]ScheduleItem           `json:"schedule,omitempty"`
	Obligations *[]Obligation             `json:"obligations,omitempty"`
	Documents   *[]Evidence               `json:"documents,omitempty"`
}

// InstrumentEdited carries the new and the old instrument, and the parties whose signatures it voided.
type InstrumentEdited struct {
	To     Instrument  `json:"to"`
	From   Instrument  `json:"from"`
	Voided []PartnerID `json:"voided,omitempty"`
}

// findInstrument returns an instrument that the actor may edit, with its agreement. A part that the actor may not
// see does not exist for it.
func findInstrument(state State, id AgreementID, instrument InstrumentID, dc DecisionContext) (*Agreement, *Instrument, error) {
	agreement, err := findAgreement(state, id, dc)
	if err != nil {
		return nil, nil, err
	}
	found := agreement.Instrument(instrument)
	if found == nil || agreement.DetailFor(found, dc.Actor.Partner) == DetailKind {
		return nil, nil, ErrNotFound()
	}
	return agreement, found, nil
}

func (c EditInstrument) decide(state State, dc DecisionContext) ([]Event, error) {
	agreement, instrument, err := findInstrument(state, c.AgreementID, c.Instrument, dc)
	if err != nil {
		return nil, err
	}
	if err := agreement.requireFull(instrument, dc); err != nil { // first, because the checks below use hidden values
		return nil, err
	}
	to := c.merged(*instrument)
	if err := to.validate(agreement).err(); err != nil {
		return nil, err
	}
	if err := requireDraftManager(agreement, dc); err != nil {
		return nil, err
	}
	to.Term = to.Term.toStore()
	if reflect.DeepEqual(to, *instrument) {
		return nil, conflict("nothing_changes", "Instrument %s is already like this; change at least one field.", instrument.ID)
	}
	return sharedEvents(string(instrument.ID), InstrumentEdited{to, *instrument, agreement.signers()}), nil
}

// requireFull refuses to change an instrument of which the actor sees only a part.
func (a *Agreement) requireFull(instrument *Instrument, dc DecisionContext) error {
	if a.DetailFor(instrument, dc.Actor.Partner) != DetailFull {
		return forbidden("no_role", "Only a partner with a role in instrument %s can do this; %s has none.", instrument.ID, dc.Actor.Partner)
	}
	return nil
}

func (c EditInstrument) merged(instrument Instrument) Instrument {
	set(&instrument.Kind, c.Kind)
	set(&instrument.Title, c.Title)
	set(&instrument.Roles, c.Roles)
	set(&instrument.EffectiveOn, c.EffectiveOn)
	mergeTerm(&instrument.Term, &instrument.ExpiresOn, c.Term, c.ExpiresOn, c.NoEnd)
	set(&instrument.Disclosure, c.Disclosure)
	setList(&instrument.Schedule, c.Schedule)
	setList(&instrument.Obligations, c.Obligations)
	setList(&instrument.Documents, c.Documents)
	return instrument
}

func (e InstrumentEdited) apply(world *World, header Header) {
	agreement := world.editAgreement(header.Stream.Agreement)
	agreement.keepSigned()
	agreement.Instruments = slices.Clone(agreement.Instruments)
	if instrument := agreement.Instrument(InstrumentID(header.Subject)); instrument != nil {
		*instrument = e.To
	}
	agreement.Signatures = nil
	agreement.Versions.count(header)
}

// RemoveInstrument removes an instrument from a draft.
type RemoveInstrument struct {
	AgreementID `json:"agreement"`
	Instrument  InstrumentID `json:"instrument"`
}

// InstrumentRemoved carries the removed instrument, and the parties whose signatures it voided.
type InstrumentRemoved struct {
	Instrument Instrument  `json:"instrument"`
	Voided     []PartnerID `json:"voided,omitempty"`
}

func (c RemoveInstrument) decide(state State, dc DecisionContext) ([]Event, error) {
	agreement, instrument, err := findInstrument(state, c.AgreementID, c.Instrument, dc)
	if err != nil {
		return nil, err
	}
	if err := requireDraftManager(agreement, dc); err != nil {
		return nil, err
	}
	if err := agreement.requireFull(instrument, dc); err != nil {
		return nil, err
	}
	return sharedEvents(string(instrument.ID), InstrumentRemoved{*instrument, agreement.signers()}), nil
}

// apply removes the private notes on the instrument too, so that they do not reappear on a new one of the same id.
func (e InstrumentRemoved) apply(world *World, header Header) {
	agreement, id := world.editAgreement(header.Stream.Agreement), InstrumentID(header.Subject)
	agreement.keepSigned()
	agreement.Instruments = slices.DeleteFunc(slices.Clone(agreement.Instruments), func(instrument Instrument) bool { return instrument.ID == id })
	agreement.Notes = slices.DeleteFunc(slices.Clone(agreement.Notes), func(note InstrumentNote) bool { return note.Instrument == id })
	agreement.Signatures = nil
	agreement.Versions.count(header)
}

// DeclineAgreement closes a draft for a party that does not want the agreement.
type DeclineAgreement struct {
	AgreementID `json:"id"`
	Reason      string `json:"reason"`
}

// AgreementDeclined is final.
type AgreementDeclined struct {
	Reason string `json:"reason"`
}

func (c DeclineAgreement) decide(state State, dc DecisionContext) ([]Event, error) {
	agreement, err := findAgreement(state, c.AgreementID, dc)
	if err != nil {
		return nil, err
	}
	if err := requireClosable(agreement, c.Reason, true, dc); err != nil {
		return nil, err
	}
	if agreement.DraftedBy == dc.Actor.Partner {
		return nil, conflict("own_draft", "%s drafted agreement %s; withdraw it instead.", dc.Actor.Partner, agreement.ID)
	}
	return sharedEvents("", AgreementDeclined{c.Reason}), nil
}

// requireClosable refuses all but a manager of a party that closes a draft.
func requireClosable(agreement *Agreement, reason string, required bool, dc DecisionContext) error {
	var check validation
	check.text("reason", reason, 2000, required)
	if err := check.err(); err != nil {
		return err
	}
	if err := agreement.requirePartyManager(dc); err != nil {
		return err
	}
	if agreement.Active {
		return conflict("agreement_signed", "Agreement %s is signed; terminate it instead.", agreement.ID)
	}
	return agreement.requireNotClosed()
}

func (e AgreementDeclined) apply(world *World, header Header) {
	header.closeDraft(world, AgreementStateDeclined, e.Reason)
}

// WithdrawAgreement closes a draft for the party that drafted it.
type WithdrawAgreement struct {
	AgreementID `json:"id"`
	Reason      string `json:"reason,omitempty"`
}

// AgreementWithdrawn is final.
type AgreementWithdrawn struct {
	Reason string `json:"reason,omitempty"`
}

func (c WithdrawAgreement) decide(state State, dc DecisionContext) ([]Event, error) {
	agreement, err := findAgreement(state, c.AgreementID, dc)
	if err != nil {
		return nil, err
	}
	if err := requireClosable(agreement, c.Reason, false, dc); err != nil {
		return nil, err
	}
	if agreement.DraftedBy != dc.Actor.Partner {
		return nil, conflict("not_drafter", "%s did not draft agreement %s and cannot withdraw it; decline it instead.", dc.Actor.Partner, agreement.ID)
	}
	return sharedEvents("", AgreementWithdrawn{c.Reason}), nil
}

func (e AgreementWithdrawn) apply(world *World, header Header) {
	header.closeDraft(world, AgreementStateWithdrawn, e.Reason)
}

func (h Header) closeDraft(world *World, state AgreementState, reason string) {
	agreement := world.editAgreement(h.Stream.Agreement)
	agreement.Closed = ClosedDraft{state, h.Partner, reason, h.RecordedAt.UnixMicro()}
	agreement.Versions.count(h)
}

// ClosedAt returns when the draft was declined or withdrawn.
func (c ClosedDraft) ClosedAt() time.Time { return time.UnixMicro(c.At).UTC() }
