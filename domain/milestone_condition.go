package domain

// Requirement is a task with a due date.
type Requirement struct {
	Text  string `json:"text"`
	DueOn Date   `json:"due_on"`
}

// Condition is a requirement of a conditional acceptance. The rules:
//
// R12 (conditions): a conditional acceptance lists conditions that only its author closes; the last closing
// accepts. In detail:
//
//   - A condition is not due in the past. A late condition has no automatic consequence; the author
//     decides.
//   - The milestone stays delivered until every acceptor has decided. When all have accepted, some on conditions,
//     it is conditionally accepted.
//   - Closing an acceptor's last condition makes its acceptance full. With the last full acceptance the milestone
//     is accepted, on the date of that closing.
//   - An acceptor cannot add conditions later. While one of its own is open, it can accept in full, which closes
//     them, or reject, which ends the round with all conditions.
//   - Numbers are unique within a milestone, so a late command to close a condition cannot hit one of another
//     round.
type Condition struct {
	Number int    `json:"number"`
	Text   string `json:"text"`
	DueOn  Date   `json:"due_on"`
}

// RoundCondition is a condition of the present round.
type RoundCondition struct {
	Condition
	Author   PartnerID
	Since    int64 // time of recording, in microseconds since 1970 UTC
	ClosedOn Date  // zero: open
}

// openConditions returns the partner's open conditions.
func (m *Milestone) openConditions(partner PartnerID) (open []RoundCondition) {
	for _, condition := range m.Conditions {
		if condition.Author == partner && condition.ClosedOn == 0 {
			open = append(open, condition)
		}
	}
	return open
}

// CloseCondition marks a condition as met.
type CloseCondition struct {
	MilestoneRef `json:"ref"`
	Number       int `json:"number"`
}

// ConditionClosed marks a condition as met. StillOpen counts the author's other open conditions; the last closing
// is followed by the author's full acceptance.
type ConditionClosed struct {
	Number    int       `json:"number"`
	Text      string    `json:"text"`
	Author    PartnerID `json:"author"`
	Round     int       `json:"round"`
	On        Date      `json:"on"`
	StillOpen int       `json:"still_open"`
}

func (c CloseCondition) decide(state State, dc DecisionContext) ([]Event, error) {
	milestone, err := findMilestone(state, c.MilestoneRef, dc)
	if err != nil {
		return nil, err
	}
	var check validation
	if c.Number < 1 {
		check.add("number", "%d is not a condition number; they start at 1", c.Number)
	}
	if err := check.err(); err != nil {
		return nil, err
	}
	if err := milestone.requireAcceptor(dc); err != nil {
		return nil, err
	}
	asked, err := milestone.openCondition(c.Number, dc)
	if err != nil {
		return nil, err
	}
	open := milestone.openConditions(asked.Author)
	if len(open) == 1 {
		return milestone.acceptEvents("", dc), nil
	}
	return milestone.event(milestone.closed(asked, len(open)-1, dc)), nil
}

// openCondition returns the actor's open condition with the given number.
func (m milestoneContext) openCondition(number int, dc DecisionContext) (RoundCondition, error) {
	var found RoundCondition
	for _, condition := range m.Conditions {
		if condition.Number == number {
			found = condition
		}
	}
	if found.Author != "" && found.Author != dc.Actor.Partner {
		return found, forbidden("not_author", "Only the author of condition %d, %s, can close it.", number, found.Author)
	}
	if err := m.requireState(Delivered, ConditionallyAccepted); err != nil {
		return found, err
	}
	switch {
	case found.Author == "":
		return found, conflict("no_such_condition", "Delivery %d has no condition %d.", m.Round, number)
	case found.ClosedOn != 0:
		return found, conflict("condition_closed", "Condition %d was closed on %s.", number, found.ClosedOn)
	}
	return found, nil
}

// closed returns the event that closes the condition.
func (m *Milestone) closed(condition RoundCondition, stillOpen int, dc DecisionContext) ConditionClosed {
	return ConditionClosed{condition.Number, condition.Text, condition.Author, m.Round, m.today(dc), stillOpen}
}

func (e ConditionClosed) apply(world *World, header Header) {
	milestone := header.editMilestone(world)
	conditions := make([]RoundCondition, len(milestone.Conditions))
	for i, condition := range milestone.Conditions {
		if condition.Number == e.Number {
			condition.ClosedOn = e.On
		}
		conditions[i] = condition
	}
	milestone.Conditions = conditions
}
