package domain

import (
	"reflect"
	"slices"
	"time"
)

// Agreement is the signed umbrella between partners and the unit of confidentiality.
//
// R1: an agreement has at least two distinct parties. A manager of a party creates it, or the operator on behalf
// of others.
//
// R2: projects start only after every party has signed, because the parties of a draft can still change, and not
// before the effective date; see [TermKind].
//
// R3 (drafts): any party's manager edits a draft, and an edit voids the signatures. A draft can be declined or
// withdrawn, see [ClosedDraft]. Signed terms change only by an [Amendment]. Signing an agreement or an amendment, and
// terminating an agreement, take a member that may sign, see [Token.MaySign].
//
// R4: after the agreement's end no milestone is planned or started and no baseline moves. Started milestones can
// still be delivered, decided, waived or cancelled, and history stays readable. An agreement ends at the end of
// its last day in UTC; see [Termination] for an early end.
//
// R5: undisclosed terms are a marker that only the parties see, never an empty number, see [TermKind]. [Detail] says
// which parties see how much of an instrument. A signature names its signatory and holds the hash of the terms, see
// [TermsDocument].
type Agreement struct {
	ID                 AgreementID
	Terms              Terms
	Signatures         []Signature // sorted by partner
	Active             bool        // every party has signed
	DraftedBy          PartnerID   // empty: the operator
	Closed             ClosedDraft // of a draft that was declined or withdrawn; zero: it was not
	Instruments        []Instrument
	FormerTerms        []FormerTerms        // that were signed, oldest first; replaced, never modified
	InstrumentsAdded   []InstrumentAddition // when each was added, sorted by id
	MovedItems         []ItemProgress       // of items about which a fact has been stated, sorted
	Amendments         []*Amendment         // by number; an entry is replaced, never modified
	Notes              []InstrumentNote     // private, each visible to its partner only; sorted
	Termination        Termination          // of an early end; zero: none is set
	TerminationCalls   []TerminationCall    // open calls, oldest first
	TerminationNotices []TerminationNotice  // sorted by partner; replaced, never modified
	Renames            []RecordedRename     // of parties, oldest first
	ContactPersons     []PartnerMembers     // sorted by partner; an entry is replaced, never modified
	Versions           Versions
}

// Terms are the terms that the parties sign, apart from the instruments.
type Terms struct {
	Title                 string      `json:"title"`
	Parties               []PartnerID `json:"parties"`
	EffectiveOn           Date        `json:"effective_on"`
	ExpiresOn             Date        `json:"expires_on,omitzero"` // zero: see Term
	Term                  TermKind    `json:"term,omitempty"`      // as stored, see TermKind
	AcceptanceDays        int         `json:"acceptance_days"`     // working days; 0: no limit
	DeemedAcceptance      bool        `json:"deemed_acceptance"`
	ForecastToleranceDays int         `json:"forecast_tolerance_days"`
	Announced             bool        `json:"announced,omitempty"`   // title, parties, signatures and kinds of instruments are public (R17)
	NoticeDays            int         `json:"notice_days,omitempty"` // least number of calendar days from a notice to its last day
	Documents             []Evidence  `json:"documents,omitempty"`   // on paper
}

// FormerTerms are the terms and instruments that at least one party had signed when an edit or an amendment replaced
// them.
type FormerTerms struct {
	Terms       Terms
	Instruments []Instrument
}

// Signature is the signature of one party. The hashes are absent in signatures of earlier versions.
type Signature struct {
	Partner      PartnerID `json:"partner"`
	Signatory    string    `json:"signatory,omitempty"`     // name of the person, a legal fact that is not erased
	SignedOn     Date      `json:"signed_on"`               // on paper
	TermsSHA256  string    `json:"terms_sha256,omitempty"`  // of the [TermsDocument] that was signed
	ResultSHA256 string    `json:"result_sha256,omitempty"` // of an amendment: of the agreement's terms that it results in
	At           int64     `json:"-"`                       // when it was recorded, in microseconds since 1970 UTC
}

// AgreementState is the state of an agreement.
type AgreementState string

// The states of an agreement.
const (
	AgreementStateDraft      AgreementState = "draft"
	AgreementStatePending    AgreementState = "pending" // signed, before its effective date
	AgreementStateActive     AgreementState = "active"
	AgreementStateExpired    AgreementState = "expired"
	AgreementStateTerminated AgreementState = "terminated"
	AgreementStateDeclined   AgreementState = "declined"  // a draft that a party did not want
	AgreementStateWithdrawn  AgreementState = "withdrawn" // a draft
)

// State returns the state at the given time.
func (a *Agreement) State(at time.Time) AgreementState {
	switch {
	case a.Closed.State != "":
		return a.Closed.State
	case !a.Active:
		return AgreementStateDraft
	case a.lastDay() == 0 || DateOf(at.UTC()) <= a.lastDay():
		if DateOf(at.UTC()) < a.Terms.EffectiveOn {
			return AgreementStatePending
		}
		return AgreementStateActive
	case a.lastDay() == a.Termination.On:
		return AgreementStateTerminated
	}
	return AgreementStateExpired
}

// over reports whether a signed agreement has ended.
func (a *Agreement) over(at time.Time) bool {
	state := a.State(at)
	return state == AgreementStateExpired || state == AgreementStateTerminated
}

// Party reports whether the partner is a party.
func (a *Agreement) Party(partner PartnerID) bool { return slices.Contains(a.Terms.Parties, partner) }

// Instrument returns the instrument with the given id, or nil.
func (a *Agreement) Instrument(id InstrumentID) *Instrument {
	for i := range a.Instruments {
		if a.Instruments[i].ID == id {
			return &a.Instruments[i]
		}
	}
	return nil
}

// requireOpen refuses to plan or start work outside the agreement's life (R2, R4), or by a party that has left.
func (a *Agreement) requireOpen(dc DecisionContext) error {
	if err := a.requireNotLeft(dc); err != nil {
		return err // checked first: a party that has left does not learn of a later end
	}
	return a.requireActive(dc.At)
}

// requireChangeable refuses to amend or terminate a draft, or an agreement that has ended, or by a party that has
// left.
func (a *Agreement) requireChangeable(dc DecisionContext) error {
	if err := a.requireNotLeft(dc); err != nil {
		return err
	}
	return a.requireSigned(dc.At)
}

// requireNotLeft refuses a party that has left the agreement.
func (a *Agreement) requireNotLeft(dc DecisionContext) error {
	if partner := dc.Actor.Partner; a.HasLeft(partner, dc.At) {
		return conflict("agreement_left", "%s left agreement %s on %s and cannot plan or start anything new.", partner, a.ID, a.terminationNotice(partner).On)
	}
	return nil
}

// requireActive refuses new work before the effective date too.
func (a *Agreement) requireActive(at time.Time) error {
	if a.State(at) == AgreementStatePending {
		return conflict("agreement_not_effective", "Agreement %s takes effect on %s; work is planned and started from then on.", a.ID, a.Terms.EffectiveOn)
	}
	return a.requireSigned(at)
}

// requireSigned refuses a draft and an agreement that has ended.
func (a *Agreement) requireSigned(at time.Time) error {
	switch a.State(at) {
	case AgreementStateDeclined, AgreementStateWithdrawn:
		return a.requireNotClosed()
	case AgreementStateDraft:
		return conflict("agreement_not_signed", "Agreement %s is a draft; work starts after every party has signed it.", a.ID)
	case AgreementStateExpired, AgreementStateTerminated:
		return conflict("agreement_ended", "Agreement %s ended on %s; new work cannot be planned or started.", a.ID, a.lastDay())
	}
	return nil
}

func (a *Agreement) versions() *Versions {
	if a == nil {
		return nil
	}
	return &a.Versions
}

func (t Terms) validate() (check validation) {
	check.line("title", t.Title, 200, true)
	check.requiredDate("effective_on", t.EffectiveOn)
	if len(t.Parties) < 2 {
		check.add("parties", "name at least two")
	}
	if partner, twice := duplicate(t.Parties); twice {
		check.add("parties", "%s is named twice; name it once", partner)
	}
	for _, partner := range t.Parties {
		check.slug("parties", string(partner))
	}
	if t.ExpiresOn != 0 && t.ExpiresOn < t.EffectiveOn {
		check.add("expires_on", "must not be before effective_on")
	}
	check.term("term", t.Term, t.ExpiresOn)
	check.inRange("notice_days", t.NoticeDays, 0, 3650)
	check.inRange("acceptance_days", t.AcceptanceDays, 0, 365)
	check.inRange("forecast_tolerance_days", t.ForecastToleranceDays, 0, 3650)
	check.documents(t.Documents)
	return check
}

func (v *validation) inRange(field string, n, least, most int) {
	if n < least || n > most {
		v.add(field, "%d is out of range; use %d to %d", n, least, most)
	}
}

// DraftAgreement starts an agreement. The caller of Decide has checked that every party exists and that the actor
// may know it.
type DraftAgreement struct {
	AgreementID `json:"id"`
	Terms       Terms `json:"terms"`
}

// AgreementDrafted is the first event of an agreement.
type AgreementDrafted struct {
	Terms Terms `json:"terms"`
}

func (c DraftAgreement) target(State) *Versions { return nil }

func (c DraftAgreement) decide(state State, dc DecisionContext) ([]Event, error) {
	check := c.Terms.validate()
	check.slug("id", string(c.AgreementID))
	if err := check.err(); err != nil {
		return nil, err
	}
	if dc.Actor.Role != Operator {
		if err := dc.requireManager(); err != nil {
			return nil, err
		}
		if !slices.Contains(c.Terms.Parties, dc.Actor.Partner) {
			return nil, forbidden("not_a_party", "A manager can draft only agreements of its own partner, and %s is not among the parties; add it.", dc.Actor.Partner)
		}
	}
	if state.Agreement(c.AgreementID) != nil {
		return nil, conflict("agreement_exists", "Agreement %s already exists; choose another id.", c.AgreementID)
	}
	c.Terms.Term = c.Terms.Term.toStore()
	return sharedEvents("", AgreementDrafted{c.Terms}), nil
}

func sharedEvents(subject string, payloads ...Payload) []Event {
	events := make([]Event, len(payloads))
	for i, payload := range payloads {
		events[i] = Event{Subject: subject, Audience: Shared, Payload: payload}
	}
	return events
}

func (e AgreementDrafted) apply(world *World, header Header) {
	agreement := world.editAgreement(header.Stream.Agreement)
	agreement.ID, agreement.Terms, agreement.DraftedBy = header.Stream.Agreement, e.Terms, header.Partner
	agreement.Versions.count(header)
}

// EditAgreement replaces the terms of a draft that are not nil.
type EditAgreement struct {
	AgreementID           `json:"id"`
	Title                 *string      `json:"title,omitempty"`
	Parties               *[]PartnerID `json:"parties,omitempty"`
	EffectiveOn           *Date        `json:"effective_on,omitempty"`
	ExpiresOn             *Date        `json:"expires_on,omitempty"`
	NoEnd                 bool         `json:"no_end,omitempty"` // removes the end date, which a null in JSON cannot express
	Term                  *TermKind    `json:"term,omitempty"`
	AcceptanceDays        *int         `json:"acceptance_days,omitempty"`
	DeemedAcceptance      *bool        `json:"deemed_acceptance,omitempty"`
	ForecastToleranceDays *int         `json:"forecast_tolerance_days,omitempty"`
	Announced             *bool        `json:"announced,omitempty"`
	NoticeDays            *int         `json:"notice_days,omitempty"`
	Documents             *[]Evidence  `json:"documents,omitempty"`
}

// AgreementEdited carries all terms, new and old, and the parties whose signatures it voided.
type AgreementEdited struct {
	To     Terms       `json:"to"`
	From   Terms       `json:"from"`
	Voided []PartnerID `json:"voided,omitempty"`
}

func (c EditAgreement) decide(state State, dc DecisionContext) ([]Event, error) {
	agreement, err := findAgreement(state, c.AgreementID, dc)
	if err != nil {
		return nil, err
	}
	to := c.merged(agreement.Terms)
	check := to.validate()
	if c.Parties != nil && !slices.Contains(to.Parties, dc.Actor.Partner) {
		check.add("parties", "your own partner is missing; add it")
	}
	check.droppedParties(agreement, to, dc.Actor.Partner)
	check.instrumentsWithin(agreement, dc.Actor.Partner, to, nil)
	if err := check.err(); err != nil {
		return nil, err
	}
	if err := requireDraftManager(agreement, dc); err != nil {
		return nil, err
	}
	to.Term = to.Term.toStore()
	if reflect.DeepEqual(to, agreement.Terms) { // an edit without a change would void the signatures
		return nil, conflict("nothing_changes", "Agreement %s already has these terms; change at least one.", agreement.ID)
	}
	return sharedEvents("", agreement.editEvents(to)...), nil
}

// droppedParties refuses to remove a party that has a role or an obligation in an instrument, which it names only if
// the actor may see it.
func (v *validation) droppedParties(agreement *Agreement, to Terms, actor PartnerID) {
	for n := range agreement.Instruments {
		instrument := &agreement.Instruments[n]
		for _, partner := range agreement.Terms.Parties {
			switch {
			case slices.Contains(to.Parties, partner) || !instrument.namesPartner(partner):
			case agreement.DetailFor(instrument, actor) == DetailKind:
				v.add("parties", "%s has a role in an undisclosed instrument and cannot be removed", partner)
			default:
				v.add("parties", "%s has a role or an obligation in instrument %s and cannot be removed", partner, instrument.ID)
			}
		}
	}
}

// editEvents returns the events of an edit. An added party sees the draft from an event of its own, which hides
// earlier terms and signatures.
func (a *Agreement) editEvents(to Terms) (events []Payload) {
	added := slices.DeleteFunc(slices.Clone(to.Parties), a.Party)
	if len(added) == 0 {
		return []Payload{AgreementEdited{To: to, From: a.Terms, Voided: a.signers()}}
	}
	among := to
	among.Parties = slices.DeleteFunc(slices.Clone(to.Parties), func(partner PartnerID) bool { return !a.Party(partner) })
	if len(a.Signatures) > 0 || !reflect.DeepEqual(among, a.Terms) {
		events = append(events, AgreementEdited{To: among, From: a.Terms, Voided: a.signers()})
	}
	return append(events, PartiesAdded{Added: added, Terms: to, Instruments: a.Instruments})
}

// PartiesAdded is the first event of a draft that the added parties see. It carries the present draft.
type PartiesAdded struct {
	Added       []PartnerID  `json:"added"`
	Terms       Terms        `json:"terms"`
	Instruments []Instrument `json:"instruments,omitempty"`
}

func (e PartiesAdded) apply(world *World, header Header) {
	agreement := world.editAgreement(header.Stream.Agreement)
	for _, partner := range e.Added {
		agreement.Versions.join(partner, header.RecordedAt)
	}
	agreement.keepSigned()
	agreement.Terms, agreement.Signatures = e.Terms, nil
	agreement.Versions.count(header)
}

func (c EditAgreement) merged(terms Terms) Terms {
	set(&terms.Title, c.Title)
	set(&terms.Parties, c.Parties)
	set(&terms.EffectiveOn, c.EffectiveOn)
	mergeTerm(&terms.Term, &terms.ExpiresOn, c.Term, c.ExpiresOn, c.NoEnd)
	set(&terms.AcceptanceDays, c.AcceptanceDays)
	set(&terms.DeemedAcceptance, c.DeemedAcceptance)
	set(&terms.ForecastToleranceDays, c.ForecastToleranceDays)
	set(&terms.Announced, c.Announced)
	set(&terms.NoticeDays, c.NoticeDays)
	setList(&terms.Documents, c.Documents)
	return terms
}

// findAgreement returns the agreement as the actor may see it, or not found. A party that has left gets the state
// of its last day, in refusals too.
func findAgreement(state State, id AgreementID, dc DecisionContext) (*Agreement, error) {
	agreement := state.Agreement(id)
	if agreement == nil || !agreement.VisibleTo(dc.Actor.Partner) {
		return nil, ErrNotFound()
	}
	return agreement.ViewFor(dc.Actor.Partner, dc.At), nil
}

func requireDraftManager(agreement *Agreement, dc DecisionContext) error {
	if err := agreement.requirePartyManager(dc); err != nil {
		return err
	}
	if agreement.Active {
		return conflict("agreement_signed", "Agreement %s is signed; propose an amendment to change it.", agreement.ID)
	}
	return agreement.requireNotClosed()
}

func (a *Agreement) signers() []PartnerID {
	var ids []PartnerID
	for _, signature := range a.Signatures {
		ids = append(ids, signature.Partner)
	}
	return ids
}

func (e AgreementEdited) apply(world *World, header Header) {
	agreement := world.editAgreement(header.Stream.Agreement)
	for _, partner := range e.To.Parties {
		if !slices.Contains(e.From.Parties, partner) {
			agreement.Versions.join(partner, header.RecordedAt)
		}
	}
	for _, partner := range e.From.Parties {
		if !slices.Contains(e.To.Parties, partner) {
			agreement.Versions.leave(partner)
			agreement.dropContactPersons(partner)
		}
	}
	agreement.keepSigned()
	agreement.Terms, agreement.Signatures = e.To, nil
	agreement.Versions.count(header)
}
