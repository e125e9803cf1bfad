package domain

import "slices"

// Requirement is a task with a due date. Evidence shows why it is needed.
type Requirement struct {
	Text     string     `json:"text"`
	DueOn    Date       `json:"due_on"`
	Evidence []Evidence `json:"evidence,omitempty"`
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
//   - The owner reports a condition as met, with evidence. Its author closes it, or refuses it with a reason; the owner
//     can then report it again, or dispute the refusal as it can dispute a rejection, see [Dispute]. The date by
//     which the author should answer is the end of the acceptance period; it has no automatic consequence yet.
//   - The author can close a condition that is not reported.
//   - Numbers are unique within a milestone, so a late command to close a condition cannot hit one of another
//     round.
type Condition struct {
	Number   int        `json:"number"`
	Text     string     `json:"text"`
	DueOn    Date       `json:"due_on"`
	Evidence []Evidence `json:"evidence,omitempty"`
}

// RoundCondition is a condition of the present round.
type RoundCondition struct {
	Condition
	Author   PartnerID
	Since    int64             // time of recording, in microseconds since 1970 UTC
	ClosedOn Date              // zero: open
	Report   *ConditionReport  // the owner's last; nil: none. Replaced, never modified
	Refusal  *ConditionRefusal // of the last report; nil: none. Replaced, never modified
}

// ConditionReport is the owner's statement that a condition is met.
type ConditionReport struct {
	On       Date
	Note     string
	Evidence []Evidence
	DecideBy Date  // day, in UTC, by which the author should answer; zero: no limit
	Since    int64 // time of recording, in microseconds since 1970 UTC
}

// ConditionRefusal is the author's answer that a reported condition is not met.
type ConditionRefusal struct {
	On        Date
	Reason    string
	Evidence  []Evidence
	DisputeBy Date  // last day, in UTC, on which the owner may dispute it; zero: no limit
	Since     int64 // time of recording, in microseconds since 1970 UTC
	Settled   bool  // a dispute ended with the settlement rejected
}

// ConditionState is the state of a condition.
type ConditionState string

// The states of a condition.
const (
	ConditionOpen     ConditionState = "open"
	ConditionReported ConditionState = "reported" // as met, by the owner
	ConditionRefused  ConditionState = "refused"  // by its author
	ConditionMet      ConditionState = "closed"
)

// State returns the state of the condition.
func (c RoundCondition) State() ConditionState {
	switch {
	case c.ClosedOn != 0:
		return ConditionMet
	case c.Refusal != nil:
		return ConditionRefused
	case c.Report != nil:
		return ConditionReported
	}
	return ConditionOpen
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
	check.conditionNumber(c.Number)
	if err := check.err(); err != nil {
		return nil, err
	}
	if err := milestone.requireAcceptor(dc); err != nil {
		return nil, err
	}
	asked, err := milestone.ownCondition(c.Number, dc)
	if err != nil {
		return nil, err
	}
	open := milestone.openConditions(asked.Author)
	if len(open) == 1 {
		return milestone.acceptEvents("", dc), nil
	}
	return milestone.event(milestone.closed(asked, len(open)-1, dc)), nil
}

func (v *validation) conditionNumber(number int) {
	if number < 1 {
		v.add("number", "%d is not a condition number; they start at 1", number)
	}
}

// openCondition returns the open condition with the given number.
func (m milestoneContext) openCondition(number int) (RoundCondition, error) {
	if err := m.requireState(Delivered, ConditionallyAccepted); err != nil {
		return RoundCondition{}, err
	}
	found := m.condition(number)
	switch {
	case found.Author == "":
		return found, conflict("no_such_condition", "Delivery %d has no condition %d.", m.Round, number)
	case found.ClosedOn != 0:
		return found, conflict("condition_closed", "Condition %d was closed on %s.", number, found.ClosedOn)
	}
	return found, nil
}

// condition returns the condition with the given number; zero: none.
func (m *Milestone) condition(number int) RoundCondition {
	for _, condition := range m.Conditions {
		if condition.Number == number {
			return condition
		}
	}
	return RoundCondition{}
}

// ownCondition returns the actor's open condition with the given number.
func (m milestoneContext) ownCondition(number int, dc DecisionContext) (RoundCondition, error) {
	if author := m.condition(number).Author; author != "" && author != dc.Actor.Partner {
		return RoundCondition{}, forbidden("not_author", "Only the author of condition %d, %s, can close or refuse it.", number, author)
	}
	return m.openCondition(number)
}

// closed returns the event that closes the condition.
func (m *Milestone) closed(condition RoundCondition, stillOpen int, dc DecisionContext) ConditionClosed {
	return ConditionClosed{condition.Number, condition.Text, condition.Author, m.Round, m.today(dc), stillOpen}
}

func (e ConditionClosed) apply(world *World, header Header) {
	header.editMilestone(world).changeCondition(e.Number, func(condition *RoundCondition) { condition.ClosedOn = e.On })
}

// changeCondition replaces a condition of the round by a changed copy.
func (m *Milestone) changeCondition(number int, change func(*RoundCondition)) {
	m.Conditions = slices.Clone(m.Conditions)
	for i := range m.Conditions {
		if m.Conditions[i].Number == number {
			change(&m.Conditions[i])
		}
	}
}
