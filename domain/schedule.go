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
func (a *Agreement) ItemState(i InstrumentID, item ItemID) ItemState {
	at, found := slices.BinarySearchFunc(a.Moved, MovedItem{i, item, ""}, func(x, y MovedItem) int { return cmp.Compare(x.key(), y.key()) })
	if !found {
		return ItemPlanned
	}
	return a.Moved[at].State
}

// Carried reports whether these milestones carry what names them: one of them or more is accepted, and all
// others are accepted, waived or cancelled. Private ones do not count, because nobody accepts them.
func Carried(milestones []*Milestone) bool {
	accepted := 0
	for _, m := range milestones {
		switch {
		case m.Audience != Shared:
		case m.State == Accepted:
			accepted++
		case !m.State.Final():
			return false
		}
	}
	return accepted > 0
}

// MoveItem says that a schedule item is delivered, or recorded.
type MoveItem struct {
	Agreement  AgreementID  `json:"agreement"`
	Instrument InstrumentID `json:"instrument"`
	Item       ItemID       `json:"item"`
	State      ItemState    `json:"state"`
}

// ItemMoved is about the instrument in its subject. It names no milestone, because all parties see it and
// not all take part in every project.
type ItemMoved struct {
	Item  ItemID    `json:"item"`
	Title string    `json:"title"`
	To    ItemState `json:"to"`
	From  ItemState `json:"from"`
}

// Stream implements Command.
func (c MoveItem) Stream() Stream { return Stream{Agreement: c.Agreement} }

func (c MoveItem) target(s State) *Seen { return seenOf(s.Agreement(c.Agreement)) }

func (c MoveItem) decide(s State, m Meta) ([]Event, error) {
	a, err := readerOf(s, c.Agreement, m)
	if err != nil {
		return nil, err
	}
	i := a.Instrument(c.Instrument)
	if i == nil || i.Item(c.Item) == nil {
		return nil, ErrNotFound()
	}
	if err := c.faults(i).err(); err != nil {
		return nil, err
	}
	if err := a.partyManager(m); err != nil {
		return nil, err
	}
	if err := i.moves(m); err != nil {
		return nil, err
	}
	from := a.ItemState(i.ID, c.Item)
	if err := c.allowed(s, a, from, m); err != nil {
		return nil, err
	}
	return shared(string(i.ID), ItemMoved{c.Item, i.Item(c.Item).Title, c.State, from}), nil
}

func (c MoveItem) faults(i *Instrument) (f faults) {
	switch {
	case c.State != ItemDelivered && c.State != ItemRecorded:
		f.add("state", "%q is neither delivered nor recorded", c.State)
	case c.State == ItemRecorded && i.Kind != PatentAssignment:
		f.add("state", "only the items of a patent_assignment are recorded, not of a %s", i.Kind)
	}
	return f
}

// moves refuses all but a manager of a partner that has a role in the instrument; of any party, if its kind
// has no roles.
func (i *Instrument) moves(m Meta) error {
	if err := m.manager(); err != nil {
		return err
	}
	for _, partners := range i.Roles {
		if slices.Contains(partners, m.Actor.Partner) {
			return nil
		}
	}
	if len(rolesOf[i.Kind]) == 0 {
		return nil
	}
	return forbidden("no_role", "Only a partner that has a role in instrument %s can do this; %s has none.", i.ID, m.Actor.Partner)
}

func (c MoveItem) allowed(s State, a *Agreement, from ItemState, m Meta) error {
	if !a.Active {
		return a.open(m)
	}
	if err := a.stays(m); err != nil {
		return err
	}
	if from == ItemRecorded || from == c.State {
		return conflict("item_moved", "Item %s is %s already; nothing goes back.", c.Item, from)
	}
	var mine []*Milestone
	for _, x := range s.Serving(a.ID, c.Instrument) {
		p := s.Project(x.Ref.ProjectRef())
		if x.Plan.ScheduleItem == c.Item && x.Audience == Shared && p != nil && x.Sees(m.Actor.Partner, p) {
			mine = append(mine, x)
		}
	}
	if Carried(mine) {
		return nil
	}
	for _, x := range mine {
		if !x.State.Final() {
			return conflict("item_open", "Item %s is not %s yet: milestone %s of project %s is %s.",
				c.Item, c.State, x.Ref.Milestone, x.Ref.Project, x.State.words())
		}
	}
	return conflict("item_not_carried", "Item %s is %s once a milestone that names it is accepted; none is.", c.Item, c.State)
}

func (e ItemMoved) apply(w *World, h Header) {
	a := w.editAgreement(h.Stream.Agreement)
	a.keep(h)
	a.Moved = put(a.Moved, MovedItem{InstrumentID(h.Subject), e.Item, e.To}, MovedItem.key)
	a.Seen.Count(h.Audience, h.RecordedAt)
}
