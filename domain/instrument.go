package domain

import (
	"maps"
	"slices"
)

// InstrumentKind is the legal sort of an instrument.
type InstrumentKind string

// The kinds of instrument.
const (
	Collaboration      InstrumentKind = "collaboration"
	PatentCrossLicence InstrumentKind = "patent_cross_licence"
	PatentAssignment   InstrumentKind = "patent_assignment"
	Supply             InstrumentKind = "supply"
	JointDevelopment   InstrumentKind = "joint_development"
	Exploration        InstrumentKind = "exploration"
)

// RoleName is a part that parties have in an instrument.
type RoleName string

// The roles that a kind of instrument asks for.
const (
	Licensors RoleName = "licensors"
	Assignor  RoleName = "assignor"
	Assignee  RoleName = "assignee"
	Supplier  RoleName = "supplier"
	Customer  RoleName = "customer"
)

// rolesOf lists the roles of each kind; a licence crosses, so it takes two licensors.
var rolesOf = map[InstrumentKind][]RoleName{
	Collaboration: {}, JointDevelopment: {}, Exploration: {},
	PatentCrossLicence: {Licensors},
	PatentAssignment:   {Assignor, Assignee},
	Supply:             {Supplier, Customer},
}

// Disclosure says whether an instrument's commercial terms are in Tandem.
type Disclosure string

// The disclosures.
const (
	Disclosed   Disclosure = "disclosed"
	Undisclosed Disclosure = "undisclosed"
)

// Instrument is one legal part of an agreement.
type Instrument struct {
	ID          InstrumentID             `json:"id"`
	Kind        InstrumentKind           `json:"kind"`
	Title       string                   `json:"title"`
	Roles       map[RoleName][]PartnerID `json:"roles,omitempty"`
	EffectiveOn Date                     `json:"effective_on"`
	ExpiresOn   Date                     `json:"expires_on,omitzero"`
	Disclosure  Disclosure               `json:"disclosure"`
	Schedule    []ScheduleItem           `json:"schedule,omitempty"`
	Obligations []Obligation             `json:"obligations,omitempty"`
}

// ScheduleItem is a line of an instrument's annex.
type ScheduleItem struct {
	ID    ItemID `json:"id"`
	Title string `json:"title"`
	Kind  string `json:"kind,omitempty"`  // such as patent_family, equipment_lot, service
	Count int    `json:"count,omitempty"` // as reported, 0 if not known
	Note  string `json:"note,omitempty"`
}

// Item returns the schedule item with the given id, nil if there is none.
func (i *Instrument) Item(id ItemID) *ScheduleItem {
	for n := range i.Schedule {
		if i.Schedule[n].ID == id {
			return &i.Schedule[n]
		}
	}
	return nil
}

// names reports whether p has a role in the instrument, or owes something under it.
func (i *Instrument) names(p PartnerID) bool {
	for _, partners := range i.Roles {
		if slices.Contains(partners, p) {
			return true
		}
	}
	return slices.ContainsFunc(i.Obligations, func(o Obligation) bool { return o.Partner == p })
}

func (i *Instrument) faults(a *Agreement) (f faults) {
	f.slug("id", string(i.ID))
	f.line("title", i.Title, 200, true)
	f.date("effective_on", i.EffectiveOn)
	if i.ExpiresOn != 0 && i.ExpiresOn < i.EffectiveOn {
		f.add("expires_on", "is before effective_on")
	}
	if i.Disclosure != Disclosed && i.Disclosure != Undisclosed {
		f.add("disclosure", "%q is neither disclosed nor undisclosed", i.Disclosure)
	}
	i.roleFaults(a, &f)
	i.scheduleFaults(&f)
	i.obligationFaults(a, &f)
	return f
}

func (i *Instrument) roleFaults(a *Agreement, f *faults) {
	wanted, known := rolesOf[i.Kind]
	if !known {
		f.add("kind", "%q is not a kind of instrument", i.Kind)
		return
	}
	var all []PartnerID
	for _, role := range slices.Sorted(maps.Keys(i.Roles)) {
		if !slices.Contains(wanted, role) {
			f.add("roles", "%s has no role %q", i.Kind, role)
		}
		for _, p := range i.Roles[role] {
			if !a.Party(p) {
				f.add("roles", "%s is not a party of the agreement", p)
			}
			all = append(all, p)
		}
	}
	if p, twice := duplicate(all); twice {
		f.add("roles", "%s is named twice", p)
	}
	for _, role := range wanted {
		if n := len(i.Roles[role]); role == Licensors && n < 2 {
			f.add("roles", "a cross-licence names at least two licensors")
		} else if n == 0 {
			f.add("roles", "%s names its %s", i.Kind, role)
		}
	}
}

// An agreement with all its instruments is carried by one event when a partner is invited or added, so
// their number and length have a bound.
const (
	mostInstruments = 100
	mostItems       = 5000
)

func (i *Instrument) scheduleFaults(f *faults) {
	if len(i.Schedule) > mostItems {
		f.add("schedule", "there are %d; at most %d are allowed", len(i.Schedule), mostItems)
		return
	}
	ids := make(map[ItemID]bool, len(i.Schedule))
	for _, item := range i.Schedule {
		f.slug("schedule", string(item.ID))
		f.line("schedule", item.Title, 200, true)
		f.line("schedule", item.Kind, 200, false)
		f.text("schedule", item.Note, 2000, false)
		if item.Count < 0 {
			f.add("schedule", "count is %d; leave it out if it is not known", item.Count)
		}
		if ids[item.ID] {
			f.add("schedule", "item %s is there twice", item.ID)
		}
		ids[item.ID] = true
	}
}

// AddInstrument adds an instrument to a draft.
type AddInstrument struct {
	Agreement  AgreementID `json:"agreement"`
	Instrument Instrument  `json:"instrument"`
}

// InstrumentAdded is about the instrument in its subject. Like every edit of a draft it voids the
// signatures.
type InstrumentAdded struct {
	Instrument Instrument  `json:"instrument"`
	Voided     []PartnerID `json:"voided,omitempty"`
}

// Stream implements Command.
func (c AddInstrument) Stream() Stream { return Stream{Agreement: c.Agreement} }

func (c AddInstrument) target(s State) *Seen { return seenOf(s.Agreement(c.Agreement)) }

func (c AddInstrument) decide(s State, m Meta) ([]Event, error) {
	a, err := readerOf(s, c.Agreement, m)
	if err != nil {
		return nil, err
	}
	if err := c.Instrument.faults(a).err(); err != nil {
		return nil, err
	}
	if err := draftManager(a, m); err != nil {
		return nil, err
	}
	if len(a.Instruments) >= mostInstruments {
		return nil, conflict("too_many_instruments", "Agreement %s has %d instruments; more are not possible.", a.ID, len(a.Instruments))
	}
	if a.Instrument(c.Instrument.ID) != nil {
		return nil, conflict("instrument_exists", "Agreement %s has an instrument %s already.", a.ID, c.Instrument.ID)
	}
	return shared(string(c.Instrument.ID), InstrumentAdded{c.Instrument, a.signers()}), nil
}

func (e InstrumentAdded) apply(w *World, h Header) {
	a := w.editAgreement(h.Stream.Agreement)
	a.Instruments, a.Signatures = with(a.Instruments, e.Instrument), nil
	a.Seen.Count(h.Audience, h.RecordedAt)
}
