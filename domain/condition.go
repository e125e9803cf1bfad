package domain

// Requirement is something to be done by a date.
type Requirement struct {
	Text  string `json:"text"`
	DueOn Date   `json:"due_on"`
}

// Condition is what a conditional acceptance asks for. The rules:
//
// R12 (conditions): a conditional acceptance lists conditions that only its author closes; the last
// closing accepts. In detail:
//
//   - A condition is due on a date that is not before the delivery. Being late has no consequence by
//     itself: the author decides what it means.
//   - While an acceptor has said nothing yet the milestone stays delivered. When all have said yes, some
//     of them on conditions, it is conditionally accepted.
//   - Closing its last condition makes an acceptor's yes a full one. With the last acceptor's full yes
//     the milestone is accepted, on the date of that closing.
//   - An acceptor adds no conditions later. While one of its own is open it can instead accept fully,
//     which closes them, or reject, which ends the round and all its conditions.
//   - Numbers are given once in a milestone's life, so that a late closing never meets a condition of
//     another round.
type Condition struct {
	Number int    `json:"number"`
	Text   string `json:"text"`
	DueOn  Date   `json:"due_on"`
}

// OwnCondition is a condition of the present round and its author's.
type OwnCondition struct {
	Condition
	Author   PartnerID
	Since    int64 // recorded, microseconds since 1970 UTC
	ClosedOn Date  // zero: open
}

// OpenConditions returns the conditions of p that are open.
func (m *Milestone) OpenConditions(p PartnerID) (open []OwnCondition) {
	for _, c := range m.Conditions {
		if c.Author == p && c.ClosedOn == 0 {
			open = append(open, c)
		}
	}
	return open
}

// CloseCondition says that a condition is met.
type CloseCondition struct {
	Ref    MilestoneRef `json:"ref"`
	Number int          `json:"number"`
}

// ConditionClosed is the author's word that it is met. StillOpen counts what else it asks for. The
// last closing is followed by the author's full yes.
type ConditionClosed struct {
	Number    int       `json:"number"`
	Text      string    `json:"text"`
	Author    PartnerID `json:"author"`
	Round     int       `json:"round"`
	On        Date      `json:"on"`
	StillOpen int       `json:"still_open"`
}

// Stream implements Command.
func (c CloseCondition) Stream() Stream { return streamOf(c.Ref) }

func (c CloseCondition) target(s State) *Seen { return seenOf(s.Milestone(c.Ref)) }

func (c CloseCondition) decide(s State, m Meta) ([]Event, error) {
	x, err := find(s, c.Ref, m)
	if err != nil {
		return nil, err
	}
	var f faults
	if c.Number < 1 {
		f.add("number", "is %d; conditions are numbered from 1", c.Number)
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	if err := x.accepts(m); err != nil {
		return nil, err
	}
	asked, err := x.closable(c.Number, m)
	if err != nil {
		return nil, err
	}
	open := x.OpenConditions(asked.Author)
	if len(open) == 1 {
		return x.accepted("", m), nil
	}
	return x.event(asked.closed(x.Round, len(open)-1, m)), nil
}

// closable returns the actor's open condition of the given number.
func (x located) closable(number int, m Meta) (OwnCondition, error) {
	var asked OwnCondition
	for _, c := range x.Conditions {
		if c.Number == number {
			asked = c
		}
	}
	if asked.Author != "" && asked.Author != m.Actor.Partner {
		return asked, forbidden("not_author", "Only the author of condition %d, %s, can close it.", number, asked.Author)
	}
	if err := x.in(Delivered, ConditionallyAccepted); err != nil {
		return asked, err
	}
	switch {
	case asked.Author == "":
		return asked, conflict("no_such_condition", "Delivery %d has no condition %d.", x.Round, number)
	case asked.ClosedOn != 0:
		return asked, conflict("condition_closed", "Condition %d was closed on %s.", number, asked.ClosedOn)
	}
	return asked, nil
}

// closed is the event that closes the condition.
func (c OwnCondition) closed(round, stillOpen int, m Meta) ConditionClosed {
	return ConditionClosed{c.Number, c.Text, c.Author, round, m.Today, stillOpen}
}

func (e ConditionClosed) apply(w *World, h Header) {
	x := h.edit(w)
	conditions := make([]OwnCondition, len(x.Conditions))
	for i, c := range x.Conditions {
		if c.Number == e.Number {
			c.ClosedOn = e.On
		}
		conditions[i] = c
	}
	x.Conditions = conditions
}
