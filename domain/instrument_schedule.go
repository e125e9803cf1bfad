package domain

import (
	"cmp"
	"slices"
)

// ItemState summarises the facts about a schedule item: recorded if it is recorded, else delivered if it is delivered
// in full, else planned.
type ItemState string

// The states of a schedule item.
const (
	ItemPlanned   ItemState = "planned"
	ItemDelivered ItemState = "delivered"
	ItemRecorded  ItemState = "recorded" // the patent office has registered the assignment
)

// ItemProgress is what has been stated about a schedule item. The rules:
//
//   - Delivery and recordation are separate facts, each with its date, in any order. A fact is never taken back.
//   - The partner that delivers states the delivery: a supplier, an assignor, a licensor; of a kind without roles any
//     party. Acceptance is the milestones' matter, so the customer does not state it. The assignee states the
//     recordation, because it records the assignment at the patent office. Only items of an assignment are recorded.
//   - An item with an agreed quantity can be delivered in parts, never above the quantity: more is a change of the
//     agreement. Without a quantity it is delivered as a whole.
//   - The facts follow the milestones that serve the item: the last delivery and the recordation need them fulfilled,
//     see [Fulfilled]; a partial delivery needs one accepted milestone. Only the shared milestones of projects in
//     which the acting partner takes part count, so that a refusal reveals no other project, and private plans
//     block no item.
//   - A date is neither in the future nor before the instrument's effective date.
//   - Facts can be stated after the agreement's end, because started work can still be finished (R4). A party that
//     has left states none.
//   - The last acceptance states no delivery by itself. More milestones may be planned for the item, and all that see
//     the instrument see the delivery, who must not learn of acceptances in projects in which they take no part.
//   - R5: the event is invisible to partners that may not see the item, and does not count for them. In earlier
//     versions it was visible to all parties; they see such an event without its content.
type ItemProgress struct {
	Instrument  InstrumentID
	Item        ItemID
	Delivered   int  // quantity so far
	DeliveredOn Date // delivered in full; zero: not yet
	Recordation Recordation
}

// Recordation is the registration of an assignment at a patent office.
type Recordation struct {
	On        Date // zero: not recorded
	Office    string
	Number    string
	OldHolder string
	NewHolder string
}

func (p ItemProgress) key() string { return string(p.Instrument) + "/" + string(p.Item) }

// State returns the summary.
func (p ItemProgress) State() ItemState {
	switch {
	case p.Recordation.On != 0:
		return ItemRecorded
	case p.DeliveredOn != 0:
		return ItemDelivered
	}
	return ItemPlanned
}

// ItemProgress returns what has been stated about a schedule item.
func (a *Agreement) ItemProgress(instrument InstrumentID, item ItemID) ItemProgress {
	none := ItemProgress{Instrument: instrument, Item: item}
	at, found := slices.BinarySearchFunc(a.MovedItems, none, func(moved, wanted ItemProgress) int { return cmp.Compare(moved.key(), wanted.key()) })
	if !found {
		return none
	}
	return a.MovedItems[at]
}

// Fulfilled reports whether the milestones fulfil the item or obligation that they serve: at least one is
// accepted, and every other one is accepted, waived or cancelled. Private milestones do not count, because they
// have no acceptors.
func Fulfilled(milestones []*Milestone) bool {
	accepted := 0
	for _, milestone := range milestones {
		switch {
		case milestone.Audience != Shared:
		case milestone.State == Accepted:
			accepted++
		case !milestone.State.Final():
			return false
		}
	}
	return accepted > 0
}

// MoveItem states that a schedule item is delivered, in full or in part, or recorded. Zero fields have defaults: all
// that remains of the quantity, today, and what the schedule says about the patent.
type MoveItem struct {
	AgreementID `json:"agreement"`
	Instrument  InstrumentID `json:"instrument"`
	Item        ItemID       `json:"item"`
	State       ItemState    `json:"state"`
	On          Date         `json:"on,omitzero"`
	Quantity    int          `json:"quantity,omitempty"`
	Office      string       `json:"office,omitempty"`
	Number      string       `json:"number,omitempty"`
	OldHolder   string       `json:"old_holder,omitempty"`
	NewHolder   string       `json:"new_holder,omitempty"`
}

// ItemMoved is about an item of the instrument named by the event's subject. It names no milestone, because partners
// see it that do not take part in every project. Events of earlier versions have no field after From: they are dated
// by their recording, and all parties see them.
type ItemMoved struct {
	Item      ItemID      `json:"item,omitempty"`
	Title     string      `json:"title,omitempty"`
	To        ItemState   `json:"to,omitempty"`   // delivered or recorded
	From      ItemState   `json:"from,omitempty"` // the state before
	On        Date        `json:"on,omitzero"`
	Quantity  int         `json:"quantity,omitempty"`  // delivered now
	Unit      string      `json:"unit,omitempty"`      // of the quantities
	Delivered int         `json:"delivered,omitempty"` // quantity so far, with this
	Of        int         `json:"of,omitempty"`        // agreed quantity; 0: none
	Office    string      `json:"office,omitempty"`
	Number    string      `json:"number,omitempty"`
	OldHolder string      `json:"old_holder,omitempty"`
	NewHolder string      `json:"new_holder,omitempty"`
	Readers   []PartnerID `json:"readers,omitempty"` // the partners that see the event; none: all that see the agreement
}

func (c MoveItem) decide(state State, dc DecisionContext) ([]Event, error) {
	agreement, err := findAgreement(state, c.AgreementID, dc)
	if err != nil {
		return nil, err
	}
	instrument := agreement.Instrument(c.Instrument)
	if instrument == nil || instrument.Item(c.Item) == nil || agreement.DetailFor(instrument, dc.Actor.Partner) != DetailFull {
		return nil, ErrNotFound()
	}
	item := instrument.Item(c.Item)
	if err := c.validate(instrument, item, dc).err(); err != nil {
		return nil, err
	}
	if err := agreement.requirePartyManager(dc); err != nil {
		return nil, err
	}
	if err := c.requireRole(instrument, dc); err != nil {
		return nil, err
	}
	if err := agreement.requireItems(dc); err != nil {
		return nil, err
	}
	event, err := c.moved(item, agreement.ItemProgress(instrument.ID, c.Item), dc)
	if err != nil {
		return nil, err
	}
	if err := c.requireMilestones(state, instrument, event, dc); err != nil {
		return nil, err
	}
	event.Readers = agreement.instrumentReaders(instrument)
	return sharedEvents(string(instrument.ID), event), nil
}

func (c MoveItem) validate(instrument *Instrument, item *ScheduleItem, dc DecisionContext) (check validation) {
	patent := []string{c.Office, c.Number, c.OldHolder, c.NewHolder}
	for i, field := range []string{"office", "number", "old_holder", "new_holder"} {
		check.line(field, patent[i], 200, false)
		if patent[i] != "" && c.State != ItemRecorded {
			check.add(field, "belongs to a recordation; leave it out")
		}
	}
	switch {
	case c.State != ItemDelivered && c.State != ItemRecorded:
		check.add("state", "%q is unknown; use delivered or recorded", c.State)
	case c.State == ItemRecorded && instrument.Kind != PatentAssignment:
		check.add("state", "the items of a %s are not recorded, only those of a patent_assignment; use delivered", instrument.Kind)
	case c.Quantity < 0:
		check.add("quantity", "%d is negative; use 1 or more", c.Quantity)
	case c.Quantity != 0 && (c.State == ItemRecorded || item.Total() == 0):
		check.add("quantity", "item %s is %s as a whole; leave it out", item.ID, c.State)
	}
	switch {
	case c.On > dc.Today:
		check.add("on", "is in the future; use today or an earlier date")
	case c.On != 0 && c.On < instrument.EffectiveOn:
		check.add("on", "is before the instrument's effective date, %s; use a later date", instrument.EffectiveOn)
	}
	return check
}

// requireRole refuses all actors but a manager of a partner whose role states the fact.
func (c MoveItem) requireRole(instrument *Instrument, dc DecisionContext) error {
	partner := dc.Actor.Partner
	switch {
	case c.State == ItemRecorded && !instrument.holdsAny(partner, []RoleName{Assignee}):
		return forbidden("no_role", "Only the assignee of instrument %s can state that an item is recorded; %s is not.", instrument.ID, partner)
	case c.State == ItemDelivered && !instrument.deliversItems(partner):
		return forbidden("no_role", "Only the %s of instrument %s can state that an item is delivered; %s is not.",
			deliveryRoles[instrument.Kind][0], instrument.ID, partner)
	}
	return nil
}

// requireItems refuses statements about the items of a draft, and by a party that has left.
func (a *Agreement) requireItems(dc DecisionContext) error {
	if !a.Active {
		return a.requireOpen(dc)
	}
	return a.requireNotLeft(dc)
}

// moved returns the event without its readers.
func (c MoveItem) moved(item *ScheduleItem, before ItemProgress, dc DecisionContext) (ItemMoved, error) {
	event := ItemMoved{Item: item.ID, Title: item.Title, To: c.State, From: before.State(), On: cmp.Or(c.On, dc.Today)}
	if c.State == ItemRecorded {
		if before.Recordation.On != 0 {
			return event, conflict("item_moved", "Item %s is already recorded.", item.ID)
		}
		event.Office, event.Number = cmp.Or(c.Office, item.Office), cmp.Or(c.Number, item.Number)
		event.OldHolder, event.NewHolder = cmp.Or(c.OldHolder, item.OldHolder), cmp.Or(c.NewHolder, item.NewHolder)
		return event, nil
	}
	if before.DeliveredOn != 0 {
		return event, conflict("item_moved", "Item %s is already delivered.", item.ID)
	}
	if event.Of = item.Total(); event.Of == 0 {
		return event, nil
	}
	remaining := event.Of - before.Delivered
	if c.Quantity > remaining {
		return event, conflict("quantity_exceeded", "%d of %d remain of item %s; %d is more than that.", remaining, event.Of, item.ID, c.Quantity)
	}
	event.Quantity, event.Unit = cmp.Or(c.Quantity, remaining), item.Unit
	event.Delivered = before.Delivered + event.Quantity
	return event, nil
}

// requireMilestones refuses a fact that the milestones do not support yet.
func (c MoveItem) requireMilestones(state State, instrument *Instrument, event ItemMoved, dc DecisionContext) error {
	var mine []*Milestone
	for _, milestone := range state.MilestonesOf(c.AgreementID, c.Instrument) {
		project := state.Project(milestone.Ref.ProjectRef())
		serves := instrument.ItemServedBy(milestone.Plan, c.Item) && milestone.Audience == Shared
		if serves && project != nil && milestone.VisibleTo(dc.Actor.Partner, project) && !milestone.Ended(project, state.Agreement(c.AgreementID), dc.At) {
			mine = append(mine, milestone)
		}
	}
	accepted := slices.ContainsFunc(mine, func(milestone *Milestone) bool { return milestone.State == Accepted })
	if Fulfilled(mine) || (accepted && event.partial()) {
		return nil
	}
	for _, milestone := range mine {
		if !milestone.State.Final() {
			return conflict("item_open", "Item %s cannot be %s yet: milestone %s of project %s is %s.",
				c.Item, c.State, milestone.Ref.Milestone, milestone.Ref.Project, Term(milestone.State))
		}
	}
	return conflict("item_not_carried", "Item %s cannot be %s yet: no milestone that names it is accepted.", c.Item, c.State)
}

// partial reports whether more of the item remains to be delivered.
func (e ItemMoved) partial() bool { return e.To == ItemDelivered && e.Delivered < e.Of }

func (e ItemMoved) apply(world *World, header Header) {
	agreement := world.editAgreement(header.Stream.Agreement)
	agreement.freezeForLeavers(header)
	progress := agreement.ItemProgress(InstrumentID(header.Subject), e.Item)
	on := cmp.Or(e.On, DateOf(header.RecordedAt.UTC()))
	if e.To == ItemRecorded {
		progress.Recordation = Recordation{on, e.Office, e.Number, e.OldHolder, e.NewHolder}
	} else if progress.Delivered = e.Delivered; !e.partial() {
		progress.DeliveredOn = on
	}
	agreement.MovedItems = upsert(agreement.MovedItems, progress, ItemProgress.key)
	if len(e.Readers) == 0 {
		agreement.Versions.count(header)
	}
	for _, partner := range agreement.present(e.Readers, header.RecordedAt) {
		agreement.Versions.Count(PrivateTo(partner), header.RecordedAt)
	}
}
