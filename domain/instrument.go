package domain

import (
	"cmp"
	"maps"
	"slices"
)

// InstrumentKind is the legal form of an instrument.
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

// RoleName is a role of parties in an instrument.
type RoleName string

// The roles; requiredRoles lists those of each kind of instrument.
const (
	Licensors RoleName = "licensors"
	Assignor  RoleName = "assignor"
	Assignee  RoleName = "assignee"
	Supplier  RoleName = "supplier"
	Customer  RoleName = "customer"
)

// requiredRoles lists the roles of each kind. A cross-licence takes two licensors.
var requiredRoles = map[InstrumentKind][]RoleName{
	Collaboration: {}, JointDevelopment: {}, Exploration: {},
	PatentCrossLicence: {Licensors},
	PatentAssignment:   {Assignor, Assignee},
	Supply:             {Supplier, Customer},
}

// Disclosure says whether Tandem holds an instrument's commercial terms.
type Disclosure string

// The values of Disclosure.
const (
	Disclosed   Disclosure = "disclosed"
	Undisclosed Disclosure = "undisclosed"
)

// Instrument is a legal document of an agreement. [Detail] says who sees how much of it; a reduced copy has neither
// id nor title nor dates.
type Instrument struct {
	ID          InstrumentID             `json:"id,omitempty"`
	Kind        InstrumentKind           `json:"kind"`
	Title       string                   `json:"title,omitempty"`
	Roles       map[RoleName][]PartnerID `json:"roles,omitempty"`
	EffectiveOn Date                     `json:"effective_on,omitzero"`
	ExpiresOn   Date                     `json:"expires_on,omitzero"`
	Term        TermKind                 `json:"term,omitempty"` // as stored, see TermKind
	Disclosure  Disclosure               `json:"disclosure"`
	Schedule    []ScheduleItem           `json:"schedule,omitempty"`
	Obligations []Obligation             `json:"obligations,omitempty"`
	Documents   []Evidence               `json:"documents,omitempty"` // on paper
	Salt        string                   `json:"salt,omitempty"`      // random, see [TermsDocument]
}

// ScheduleItem is a line of an instrument's annex. Patents that are recorded separately are items of their own.
type ScheduleItem struct {
	ID        ItemID `json:"id"`
	Title     string `json:"title"`
	Kind      string `json:"kind,omitempty"`  // such as patent_family, equipment_lot, service
	Count     int    `json:"count,omitempty"` // a quantity without a unit, as earlier versions state it; 0: unknown
	Note      string `json:"note,omitempty"`
	Quantity  int    `json:"quantity,omitempty"` // as agreed; 0: none
	Unit      string `json:"unit,omitempty"`     // of the quantity, such as pieces or sites
	Office    string `json:"office,omitempty"`   // patent office, such as EPO or CNIPA
	Number    string `json:"number,omitempty"`   // application, publication or registration number of a patent
	OldHolder string `json:"old_holder,omitempty"`
	NewHolder string `json:"new_holder,omitempty"`
}

// Total returns the agreed quantity; 0: none is agreed, so the item is delivered as a whole.
func (i *ScheduleItem) Total() int { return cmp.Or(i.Quantity, i.Count) }

// Item returns the schedule item with the given id, or nil.
func (i *Instrument) Item(id ItemID) *ScheduleItem {
	for n := range i.Schedule {
		if i.Schedule[n].ID == id {
			return &i.Schedule[n]
		}
	}
	return nil
}

// namesPartner reports whether the partner has a role or an obligation in the instrument.
func (i *Instrument) namesPartner(partner PartnerID) bool {
	for _, partners := range i.Roles {
		if slices.Contains(partners, partner) {
			return true
		}
	}
	return slices.ContainsFunc(i.Obligations, func(obligation Obligation) bool { return obligation.Partner == partner })
}

func (i *Instrument) validate(agreement *Agreement) (check validation) {
	check.slug("id", string(i.ID))
	check.line("title", i.Title, 200, true)
	check.requiredDate("effective_on", i.EffectiveOn)
	if i.ExpiresOn != 0 && i.ExpiresOn < i.EffectiveOn {
		check.add("expires_on", "must not be before effective_on")
	}
	check.term("term", i.Term, i.ExpiresOn)
	check.within(i, agreement.Terms)
	if i.Disclosure != Disclosed && i.Disclosure != Undisclosed {
		check.add("disclosure", "%q is unknown; use disclosed or undisclosed", i.Disclosure)
	}
	i.validateRoles(agreement, &check)
	i.validateSchedule(&check)
	i.validateObligations(agreement, &check)
	check.documents(i.Documents)
	return check
}

func (i *Instrument) validateRoles(agreement *Agreement, check *validation) {
	wanted, known := requiredRoles[i.Kind]
	if !known {
		check.add("kind", "%q is not a kind of instrument; see the API reference", i.Kind)
		return
	}
	var all []PartnerID
	for _, role := range slices.Sorted(maps.Keys(i.Roles)) {
		if !slices.Contains(wanted, role) {
			check.add("roles", "%s has no role %q; remove it", i.Kind, role)
		}
		for _, partner := range i.Roles[role] {
			if !agreement.Party(partner) {
				check.add("roles", "%s is not a party of the agreement; name a party", partner)
			}
			all = append(all, partner)
		}
	}
	if partner, twice := duplicate(all); twice {
		check.add("roles", "%s is named twice; name it once", partner)
	}
	for _, role := range wanted {
		if n := len(i.Roles[role]); role == Licensors && n < 2 {
			check.add("roles", "a cross-licence needs two licensors; name at least two")
		} else if n == 0 {
			check.add("roles", "%s needs its %s; name at least one", i.Kind, role)
		}
	}
}

// Limits on an agreement's instruments: when a partner is invited or added, one event carries all of them.
const (
	maxInstruments   = 100
	maxScheduleItems = 5000
	maxQuantity      = 999_999_999
)

func (i *Instrument) validateSchedule(check *validation) {
	if len(i.Schedule) > maxScheduleItems {
		check.add("schedule", "has %d; at most %d are allowed", len(i.Schedule), maxScheduleItems)
		return
	}
	ids := make(map[ItemID]bool, len(i.Schedule))
	for _, item := range i.Schedule {
		check.slug("schedule", string(item.ID))
		check.line("schedule", item.Title, 200, true)
		check.line("schedule", item.Kind, 200, false)
		check.text("schedule", item.Note, 2000, false)
		check.itemQuantity(&item)
		check.itemPatent(i.Kind, &item)
		if ids[item.ID] {
			check.add("schedule", "item %s is listed twice; list it once", item.ID)
		}
		ids[item.ID] = true
	}
}

func (v *validation) itemQuantity(item *ScheduleItem) {
	v.line("schedule", item.Unit, 50, false)
	switch {
	case item.Count < 0:
		v.add("schedule", "count %d is negative; leave it out if it is unknown", item.Count)
	case item.Quantity < 0 || item.Total() > maxQuantity:
		v.add("schedule", "quantity %d of item %s is out of range; use 1 to %d", item.Total(), item.ID, maxQuantity)
	case item.Count != 0 && item.Quantity != 0:
		v.add("schedule", "item %s has a quantity and a count; give only the quantity", item.ID)
	case (item.Quantity != 0) != !isBlank(item.Unit):
		v.add("schedule", "item %s needs a quantity and its unit; give both or neither", item.ID)
	}
}

// itemPatent validates what only the items of patent instruments have.
func (v *validation) itemPatent(kind InstrumentKind, item *ScheduleItem) {
	for _, value := range []string{item.Office, item.Number, item.OldHolder, item.NewHolder} {
		v.line("schedule", value, 200, false)
	}
	if (item.Office != "" || item.Number != "") && kind != PatentAssignment && kind != PatentCrossLicence {
		v.add("schedule", "item %s has an office or a number, which only patents have; leave them out", item.ID)
	}
	if (item.OldHolder != "" || item.NewHolder != "") && kind != PatentAssignment {
		v.add("schedule", "item %s has an old or a new holder, which only assigned patents have; leave them out", item.ID)
	}
}

// AddInstrument adds an instrument to a draft.
type AddInstrument struct {
	AgreementID `json:"agreement"`
	Instrument  Instrument `json:"instrument"`
}

// InstrumentAdded adds the instrument named by the event's subject. Like every edit of a draft it voids the
// signatures.
type InstrumentAdded struct {
	Instrument Instrument  `json:"instrument"`
	Voided     []PartnerID `json:"voided,omitempty"`
}

func (c AddInstrument) decide(state State, dc DecisionContext) ([]Event, error) {
	agreement, err := findAgreement(state, c.AgreementID, dc)
	if err != nil {
		return nil, err
	}
	if err := c.Instrument.validate(agreement).err(); err != nil {
		return nil, err
	}
	if err := requireDraftManager(agreement, dc); err != nil {
		return nil, err
	}
	if len(agreement.Instruments) >= maxInstruments {
		return nil, conflict("too_many_instruments", "Agreement %s has %d instruments, the maximum.", agreement.ID, len(agreement.Instruments))
	}
	if agreement.Instrument(c.Instrument.ID) != nil {
		return nil, errInstrumentExists(agreement, c.Instrument.ID)
	}
	c.Instrument.Term = c.Instrument.Term.toStore()
	return sharedEvents(string(c.Instrument.ID), InstrumentAdded{c.Instrument, agreement.signers()}), nil
}

func errInstrumentExists(agreement *Agreement, id InstrumentID) error {
	return conflict("instrument_exists", "Agreement %s already has an instrument %s; choose another id.", agreement.ID, id)
}

func (e InstrumentAdded) apply(world *World, header Header) {
	agreement := world.editAgreement(header.Stream.Agreement)
	agreement.keepSigned()
	agreement.Instruments, agreement.Signatures = with(agreement.Instruments, e.Instrument), nil
	agreement.noteAddition(e.Instrument.ID, header)
	agreement.Versions.count(header)
}

// InstrumentAddition says when an instrument was added to its agreement, by an addition to the draft or by an amendment.
type InstrumentAddition struct {
	Instrument InstrumentID
	Creation   Creation
}

func (a *Agreement) noteAddition(id InstrumentID, header Header) {
	a.InstrumentsAdded = upsert(a.InstrumentsAdded, InstrumentAddition{id, header.creation()}, func(added InstrumentAddition) string { return string(added.Instrument) })
}

// InstrumentCreation returns when an instrument was added, and by whom; false if the partner does not see that event.
func (a *Agreement) InstrumentCreation(id InstrumentID, partner PartnerID) (Creation, bool) {
	for _, added := range a.InstrumentsAdded {
		if added.Instrument == id {
			return added.Creation, a.Versions.sees(partner, added.Creation)
		}
	}
	return Creation{}, false
}
