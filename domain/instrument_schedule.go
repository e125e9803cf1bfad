package domain

import (
	"cmp"
	"slices"
)

// ItemState is where a schedule item stands.
type ItemState string

// The states of a schedule item.
const (
	ItemPlanned   ItemState = "planned"
	ItemDelivered ItemState = "delivered"
	ItemRecorded  ItemState = "recorded" // the assignment of patents is in the patent office's register
)

// MovedItem is a schedule item that is not as planned any more. The rules:
//
//   - An item goes from planned to delivered, and an item of a patent assignment from either to recorded.
//     Nothing goes back.
//   - It goes only through its milestones: some milestone that names it is accepted, and no other is open;
//     see [Carried]. Which those are is decided with the acting partner's eyes: only shared milestones of
//     projects in which it takes part count, so nobody learns from a refusal what happens elsewhere, and
//     nobody's private plans hold up an item.
//   - A manager of a partner that has a role in the instrument moves it; where the kind has no roles, of any
//     party. After the agreement's end too: what was started can still be finished (R4). Who has withdrawn
//     does not: it is not told any more how the items move.
//   - It does not move by itself with the last acceptance. More milestones may still be planned for the
//     item, and the parties that take no part in a project must not learn from the annex what is accepted
//     there: that the item moved is told to all parties, so somebody has to say it.
type MovedItem struct {
	Instrument InstrumentID
	Item       ItemID
	State      ItemState
}

func (m MovedItem) key() string { return string(m.Instrument) + "/" + string(m.Item) }

// ItemState returns where a schedule item stands.
func (a *Agreement) ItemState(instrument InstrumentID, item ItemID) ItemState {
	at, found := slices.BinarySearchFunc(a.MovedItems, MovedItem{instrument, item, ""}, func(moved, wanted MovedItem) int { return cmp.Compare(moved.key(), wanted.key()) })
	if !found {
		return ItemPlanned
	}
	return a.MovedItems[at].State
}

// Fulfilled reports whether these milestones carry what names them: one of them or more is accepted, and all
// others are accepted, waived or cancelled. Private ones do not count, because nobody accepts them.
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

// MoveItem says that a schedule item is delivered, or recorded.
type MoveItem struct {
	AgreementID `json:"agreement"`
	Instrument  InstrumentID `json:"instrument"`
	Item        ItemID       `json:"item"`
	State       ItemState    `json:"state"`
}

// ItemMoved is about the instrument in its subject. It names no milestone, because all parties see it and
// not all take part in every project.
type ItemMoved struct {
	Item  ItemID    `json:"item"`
	Title string    `json:"title"`
	To    ItemState `json:"to"`
	From  ItemState `json:"from"`
}

func (c MoveItem) decide(state State, dc DecisionContext) ([]Event, error) {
	agreement, err := findAgreement(state, c.AgreementID, dc)
	if err != nil {
		return nil, err
	}
	instrument := agreement.Instrument(c.Instrument)
	if instrument == nil || instrument.Item(c.Item) == nil {
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
	if err := c.allowed(state, agreement, from, dc); err != nil {
		return nil, err
	}
	return sharedEvents(string(instrument.ID), ItemMoved{c.Item, instrument.Item(c.Item).Title, c.State, from}), nil
}

func (c MoveItem) validate(instrument *Instrument) (check validation) {
	switch {
	case c.State != ItemDelivered && c.State != ItemRecorded:
		check.add("state", "%q is neither delivered nor recorded", c.State)
	case c.State == ItemRecorded && instrument.Kind != PatentAssignment:
		check.add("state", "only the items of a patent_assignment are recorded, not of a %s", instrument.Kind)
	}
	return check
}

// requireRole refuses all but a manager of a partner that has a role in the instrument; of any party, if its kind
// has no roles.
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
	return forbidden("no_role", "Only a partner that has a role in instrument %s can do this; %s has none.", i.ID, dc.Actor.Partner)
}

func (c MoveItem) allowed(state State, agreement *Agreement, from ItemState, dc DecisionContext) error {
	if !agreement.Active {
		return agreement.requireOpen(dc)
	}
	if err := agreement.requireNotLeft(dc); err != nil {
		return err
	}
	if from == ItemRecorded || from == c.State {
		return conflict("item_moved", "Item %s is %s already; nothing goes back.", c.Item, from)
	}
	var mine []*Milestone
	for _, milestone := range state.MilestonesOf(agreement.ID, c.Instrument) {
		project := state.Project(milestone.Ref.ProjectRef())
		if milestone.Plan.ScheduleItem == c.Item && milestone.Audience == Shared && project != nil && milestone.VisibleTo(dc.Actor.Partner, project) {
			mine = append(mine, milestone)
		}
	}
	if Fulfilled(mine) {
		return nil
	}
	for _, milestone := range mine {
		if !milestone.State.Final() {
			return conflict("item_open", "Item %s is not %s yet: milestone %s of project %s is %s.",
				c.Item, c.State, milestone.Ref.Milestone, milestone.Ref.Project, milestone.State.words())
		}
	}
	return conflict("item_not_carried", "Item %s is %s once a milestone that names it is accepted; none is.", c.Item, c.State)
}

func (e ItemMoved) apply(world *World, header Header) {
	agreement := world.editAgreement(header.Stream.Agreement)
	agreement.freezeForLeavers(header)
	agreement.MovedItems = upsert(agreement.MovedItems, MovedItem{InstrumentID(header.Subject), e.Item, e.To}, MovedItem.key)
	agreement.Versions.Count(header.Audience, header.RecordedAt)
}
