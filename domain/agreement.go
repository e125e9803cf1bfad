package domain

import (
	"reflect"
	"slices"
	"time"
)

// Agreement is the signed umbrella between partners and the unit of confidentiality.
//
// R1: an agreement has at least two distinct parties. It is created by a manager of a party, or by
// the operator between others.
//
// R2: nothing starts under it before every party has signed. A draft's parties can still change,
// so projects are created only after that.
//
// R3 (drafts): a draft is edited by any party's manager, and an edit voids the signatures. What is signed
// changes only by an [Amendment].
//
// R4: after the end nothing new is planned or started and no baseline moves; started milestones can still be
// delivered, decided, waived or cancelled, and history stays readable. An agreement ends with its last
// day, in UTC; how it ends before is told with [Termination].
//
// R5: undisclosed terms are a marker that only the parties see, never an empty number.
type Agreement struct {
	ID          AgreementID
	Terms       Terms
	Signatures  []Signature // sorted by partner
	Active      bool        // every party has signed
	Instruments []Instrument
	Moved       []MovedItem      // schedule items that are not as planned any more, sorted
	Amendments  []*Amendment     // by number; replaced, never changed
	Notes       []InstrumentNote // private ones, each seen by its partner only; sorted
	Ending      Termination      // early; zero: none is set
	EndCalls    []EndCall        // open ones, in the order of calling
	Notices     []Notice         // sorted by partner; replaced, never changed
	Seen        Seen
}

// Terms is what the parties sign, instruments aside.
type Terms struct {
	Title                 string      `json:"title"`
	Parties               []PartnerID `json:"parties"`
	EffectiveOn           Date        `json:"effective_on"`
	ExpiresOn             Date        `json:"expires_on,omitzero"` // zero: no end
	AcceptanceDays        int         `json:"acceptance_days"`     // working days; 0: no limit
	DeemedAcceptance      bool        `json:"deemed_acceptance"`
	ForecastToleranceDays int         `json:"forecast_tolerance_days"`
}

// Signature is one party's.
type Signature struct {
	Partner   PartnerID `json:"partner"`
	Signatory string    `json:"signatory,omitempty"`
	SignedOn  Date      `json:"signed_on"`
}

// AgreementState is where an agreement stands.
type AgreementState string

// The states of an agreement.
const (
	AgreementDraft   AgreementState = "draft"
	AgreementActive  AgreementState = "active"
	AgreementExpired AgreementState = "expired"
	AgreementEnded   AgreementState = "terminated"
)

// State returns where the agreement stands at the given time.
func (a *Agreement) State(at time.Time) AgreementState {
	switch {
	case !a.Active:
		return AgreementDraft
	case a.last() == 0 || DateOf(at.UTC()) <= a.last():
		return AgreementActive
	case a.last() == a.Ending.On:
		return AgreementEnded
	}
	return AgreementExpired
}

// Party reports whether p is a party.
func (a *Agreement) Party(p PartnerID) bool { return slices.Contains(a.Terms.Parties, p) }

// Instrument returns the instrument with the given id, nil if there is none.
func (a *Agreement) Instrument(id InstrumentID) *Instrument {
	for i := range a.Instruments {
		if a.Instruments[i].ID == id {
			return &a.Instruments[i]
		}
	}
	return nil
}

// open refuses what R2 and R4 forbid: starting and planning outside the agreement's life, and by who has
// withdrawn.
func (a *Agreement) open(m Meta) error {
	if err := a.stays(m); err != nil {
		return err // before all else: it is not told when the others end it
	}
	return a.running(m.At)
}

// stays refuses who has withdrawn.
func (a *Agreement) stays(m Meta) error {
	if p := m.Actor.Partner; a.Left(p, m.At) {
		return conflict("agreement_left", "%s left agreement %s on %s: it plans and starts nothing new.", p, a.ID, a.Notice(p).On)
	}
	return nil
}

func (a *Agreement) running(at time.Time) error {
	switch a.State(at) {
	case AgreementDraft:
		return conflict("agreement_not_signed", "Agreement %s is a draft: nothing starts before every party has signed.", a.ID)
	case AgreementExpired, AgreementEnded:
		return conflict("agreement_ended", "Agreement %s ended on %s: nothing new is planned or started.", a.ID, a.last())
	}
	return nil
}

func (a *Agreement) seen() *Seen {
	if a == nil {
		return nil
	}
	return &a.Seen
}

func (t Terms) faults() (f faults) {
	f.line("title", t.Title, 200, true)
	f.date("effective_on", t.EffectiveOn)
	if len(t.Parties) < 2 {
		f.add("parties", "an agreement has at least two parties")
	}
	if p, twice := duplicate(t.Parties); twice {
		f.add("parties", "%s is named twice", p)
	}
	for _, p := range t.Parties {
		f.slug("parties", string(p))
	}
	if t.ExpiresOn != 0 && t.ExpiresOn < t.EffectiveOn {
		f.add("expires_on", "is before effective_on")
	}
	f.between("acceptance_days", t.AcceptanceDays, 0, 365)
	f.between("forecast_tolerance_days", t.ForecastToleranceDays, 0, 3650)
	return f
}

func (f *faults) between(field string, n, least, most int) {
	if n < least || n > most {
		f.add(field, "is %d; it must be from %d to %d", n, least, most)
	}
}

// DraftAgreement begins an agreement. The edge has checked that every party exists and that the
// caller may know it.
type DraftAgreement struct {
	ID    AgreementID `json:"id"`
	Terms Terms       `json:"terms"`
}

// AgreementDrafted is the first event of an agreement.
type AgreementDrafted struct {
	Terms Terms `json:"terms"`
}

// Stream implements Command.
func (c DraftAgreement) Stream() Stream { return Stream{Agreement: c.ID} }

func (c DraftAgreement) decide(s State, m Meta) ([]Event, error) {
	f := c.Terms.faults()
	f.slug("id", string(c.ID))
	if err := f.err(); err != nil {
		return nil, err
	}
	if m.Actor.Role != Operator {
		if err := m.manager(); err != nil {
			return nil, err
		}
		if !slices.Contains(c.Terms.Parties, m.Actor.Partner) {
			return nil, forbidden("not_a_party", "A manager drafts agreements of its own partner only; %s is not among the parties.", m.Actor.Partner)
		}
	}
	if s.Agreement(c.ID) != nil {
		return nil, conflict("agreement_exists", "There is an agreement %s already.", c.ID)
	}
	return shared("", AgreementDrafted{c.Terms}), nil
}

func shared(subject string, payloads ...Payload) []Event {
	events := make([]Event, len(payloads))
	for i, p := range payloads {
		events[i] = Event{Subject: subject, Audience: Shared, Payload: p}
	}
	return events
}

func (e AgreementDrafted) apply(w *World, h Header) {
	a := w.editAgreement(h.Stream.Agreement)
	a.ID, a.Terms = h.Stream.Agreement, e.Terms
	a.Seen.Count(h.Audience, h.RecordedAt)
}

// EditAgreement replaces the terms of a draft that are set.
type EditAgreement struct {
	ID                    AgreementID  `json:"id"`
	Title                 *string      `json:"title,omitempty"`
	Parties               *[]PartnerID `json:"parties,omitempty"`
	EffectiveOn           *Date        `json:"effective_on,omitempty"`
	ExpiresOn             *Date        `json:"expires_on,omitempty"`
	NoEnd                 bool         `json:"no_end,omitempty"` // takes the end away, which a null in JSON cannot say
	AcceptanceDays        *int         `json:"acceptance_days,omitempty"`
	DeemedAcceptance      *bool        `json:"deemed_acceptance,omitempty"`
	ForecastToleranceDays *int         `json:"forecast_tolerance_days,omitempty"`
}

// AgreementEdited carries all terms after and before, and whose signatures it voided.
type AgreementEdited struct {
	To     Terms       `json:"to"`
	From   Terms       `json:"from"`
	Voided []PartnerID `json:"voided,omitempty"`
}

// Stream implements Command.
func (c EditAgreement) Stream() Stream { return Stream{Agreement: c.ID} }

func (c EditAgreement) target(s State) *Seen { return seenOf(s.Agreement(c.ID)) }

func (c EditAgreement) decide(s State, m Meta) ([]Event, error) {
	a, err := readerOf(s, c.ID, m)
	if err != nil {
		return nil, err
	}
	to := c.merged(a.Terms)
	f := to.faults()
	if c.Parties != nil && !slices.Contains(to.Parties, m.Actor.Partner) {
		f.add("parties", "you cannot leave yourself out")
	}
	f.leftOut(a, to)
	if err := f.err(); err != nil {
		return nil, err
	}
	if err := draftManager(a, m); err != nil {
		return nil, err
	}
	if reflect.DeepEqual(to, a.Terms) { // it would void signatures for nothing
		return nil, conflict("nothing_changes", "Agreement %s says all of this already.", a.ID)
	}
	return shared("", a.edited(to)...), nil
}

// leftOut refuses to leave out a party that an instrument gives a role, or an obligation.
func (f *faults) leftOut(a *Agreement, to Terms) {
	for n := range a.Instruments {
		i := &a.Instruments[n]
		for _, p := range a.Terms.Parties {
			if !slices.Contains(to.Parties, p) && i.names(p) {
				f.add("parties", "%s is named in instrument %s", p, i.ID)
			}
		}
	}
}

// edited returns what an edit of the draft causes. Who is added sees the draft as it is then, by an event
// of its own, and neither how it was before nor who had signed that.
func (a *Agreement) edited(to Terms) (events []Payload) {
	added := slices.DeleteFunc(slices.Clone(to.Parties), a.Party)
	if len(added) == 0 {
		return []Payload{AgreementEdited{To: to, From: a.Terms, Voided: a.signers()}}
	}
	among := to
	among.Parties = slices.DeleteFunc(slices.Clone(to.Parties), func(p PartnerID) bool { return !a.Party(p) })
	if len(a.Signatures) > 0 || !reflect.DeepEqual(among, a.Terms) {
		events = append(events, AgreementEdited{To: among, From: a.Terms, Voided: a.signers()})
	}
	return append(events, PartiesAdded{Added: added, Terms: to, Instruments: a.Instruments})
}

// PartiesAdded is the first event of a draft that who is added sees, with the draft as it is then.
type PartiesAdded struct {
	Added       []PartnerID  `json:"added"`
	Terms       Terms        `json:"terms"`
	Instruments []Instrument `json:"instruments,omitempty"`
}

func (e PartiesAdded) apply(w *World, h Header) {
	a := w.editAgreement(h.Stream.Agreement)
	for _, p := range e.Added {
		a.Seen.join(p, h.RecordedAt)
	}
	a.Terms, a.Signatures = e.Terms, nil
	a.Seen.Count(h.Audience, h.RecordedAt)
}

func (c EditAgreement) merged(t Terms) Terms {
	set(&t.Title, c.Title)
	set(&t.Parties, c.Parties)
	set(&t.EffectiveOn, c.EffectiveOn)
	set(&t.ExpiresOn, c.ExpiresOn)
	if c.NoEnd {
		t.ExpiresOn = 0
	}
	set(&t.AcceptanceDays, c.AcceptanceDays)
	set(&t.DeemedAcceptance, c.DeemedAcceptance)
	set(&t.ForecastToleranceDays, c.ForecastToleranceDays)
	return t
}

// readerOf returns the agreement if the actor may see it, as it sees it: whoever has withdrawn is answered by
// what was so then, in refusals too.
func readerOf(s State, id AgreementID, m Meta) (*Agreement, error) {
	a := s.Agreement(id)
	if a == nil || !a.Sees(m.Actor.Partner) {
		return nil, ErrNotFound()
	}
	return a.As(m.Actor.Partner, m.At), nil
}

func draftManager(a *Agreement, m Meta) error {
	if err := a.partyManager(m); err != nil {
		return err
	}
	if a.Active {
		return conflict("agreement_signed", "Agreement %s is signed: its terms change only by an amendment.", a.ID)
	}
	return nil
}

func (a *Agreement) signers() []PartnerID {
	var ids []PartnerID
	for _, s := range a.Signatures {
		ids = append(ids, s.Partner)
	}
	return ids
}

func (e AgreementEdited) apply(w *World, h Header) {
	a := w.editAgreement(h.Stream.Agreement)
	for _, p := range e.To.Parties {
		if !slices.Contains(e.From.Parties, p) {
			a.Seen.join(p, h.RecordedAt)
		}
	}
	for _, p := range e.From.Parties {
		if !slices.Contains(e.To.Parties, p) {
			a.Seen.leave(p)
		}
	}
	a.Terms, a.Signatures = e.To, nil
	a.Seen.Count(h.Audience, h.RecordedAt)
}
