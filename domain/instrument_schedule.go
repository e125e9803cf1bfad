package domain

import (
	"cmp"
	"slices"
)

// ItemState is the state of a schedule item.
type ItemState string

// The states of a schedule item.
const (
	ItemPlanned   ItemState = "planned"
	ItemDelivered ItemState = "delivered"
	ItemRecorded  ItemState = "recorded" // the patent office has registered the assignment
)

// MovedItem is a schedule item that has left the state planned. The rules:
//
//   - An item goes from planned to delivered; an item of a patent assignment also goes from either to recorded. It
//     never goes back.
//   - It moves only when its milestones are fulfilled, see [Fulfilled]. Only the shared milestones of projects in
//     which the acting partner takes part count, so that a refusal reveals no other project, and private plans
//     block no item.
//   - A manager of a partner with a role in the instrument moves it; if the kind has no roles, a manager of any
//     party. It can move after the agreement's end, because started work can still be finished (R4). A party that
//     has left cannot move it.
//   - The last acceptance does not move the item by itself. More milestones may be planned for it, and the move is
//     visible to all parties, who must not learn of acceptances in projects in which they take no part; a manager
//     therefore moves it explicitly.
type MovedItem struct {
	Instrument InstrumentID
	Item       ItemID
	State      ItemState
}

func (m MovedItem) key() string { return string(m.Instrument) + "/" + string(m.Item) }

// ItemState returns the state of a schedule item.
func (a *Agreement) ItemState(instrument InstrumentID, item ItemID) ItemState {
	at, found := slices.BinarySearchFunc(a.MovedItems, MovedItem{instrument, item, ""}, func(moved, wanted MovedItem) int { return cmp.Compare(moved.key(), wanted.key()) })
	if !found {
		return ItemPlanned
	}
	return a.MovedItems[at].State
}

// Fulfilled reports whether the milestones fulfil the item or obligation that they name: at least one is
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

// MoveItem marks a schedule item as delivered or recorded.
type MoveItem struct {
	AgreementID `json:"agreement"`
	Instrument  InstrumentID `json:"instrument"`
	Item        ItemID       `json:"item"`
	State       ItemState    `json:"state"`
}

// ItemMoved is about an item of the instrument named by the event's subject. It names no milestone, because all
// parties see it but do not take part in every project.
type ItemMoved struct {
	Item  ItemID    `json:"item,omitempty"`
	Title string    `json:"title,omitempty"`
	To    ItemState `json:"to,omitempty"`
	From  ItemState `json:"from,omitempty"`
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
	if err := c.validate(instrument).err(); err != nil {
		return nil, err
	}
	if err := agreement.requirePartyManager(dc); err != nil {
		return nil, err
	}
	if err := instrument.requireRole(dc); err != nil {
		return nil, err
	}
	from := agreement.ItemState(instrument.ID, c.Item)
	if err := c.allowed(state, agreement, instrument, from, dc); err != nil {
		return nil, err
	}
	return sharedEvents(string(instrument.ID), ItemMoved{c.Item, instrument.Item(c.Item).Title, c.State, from}), nil
}

func (c MoveItem) validate(instrument *Instrument) (check validation) {
	switch {
	case c.State != ItemDelivered && c.State != ItemRecorded:
		check.add("state", "%q is unknown; use delivered or recorded", c.State)
	case c.State == ItemRecorded && instrument.Kind != PatentAssignment:
		check.add("state", "the items of a %s are not recorded, only those of a patent_assignment; use delivered", instrument.Kind)
	}
	return check
}

// requireRole refuses all actors but a manager of a partner with a role in the instrument, or of any party if its
// kind has no roles.
func (i *Instrument) requireRole(dc DecisionContext) error {
	if err := dc.requireManager(); err != nil {
		return err
	}
	for _, partners := range i.Roles {
		if slices.Contains(partners, dc.Actor.Partner) {
			return nil
		}
	}
	if len(requiredRoles[i.Kind]) == 0 {
		return nil
	}
	return forbidden("no_role", "Only a partner with a role in instrument %s can do this; %s has none.", i.ID, dc.Actor.Partner)
}

func (c MoveItem) allowed(state State, agreement *Agreement, instrument *Instrument, from ItemState, dc DecisionContext) error {
	if !agreement.Active {
		return agreement.requireOpen(dc)
	}
	if err := agreement.requireNotLeft(dc); err != nil {
		return err
	}
	if from == ItemRecorded || from == c.State {
		return conflict("item_moved", "Item %s is already %s and cannot move back.", c.Item, from)
	}
	var mine []*Milestone
	for _, milestone := range state.MilestonesOf(agreement.ID, c.Instrument) {
		project := state.Project(milestone.Ref.ProjectRef())
		if instrument.ItemServedBy(milestone.Plan, c.Item) && milestone.Audience == Shared && project != nil && milestone.VisibleTo(dc.Actor.Partner, project) {
			mine = append(mine, milestone)
		}
	}
	if Fulfilled(mine) {
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

func (e ItemMoved) apply(world *World, header Header) {
	agreement := world.editAgreement(header.Stream.Agreement)
	agreement.freezeForLeavers(header)
	agreement.MovedItems = upsert(agreement.MovedItems, MovedItem{InstrumentID(header.Subject), e.Item, e.To}, MovedItem.key)
	agreement.Versions.Count(header.Audience, header.RecordedAt)
}
