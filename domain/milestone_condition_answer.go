package domain

// MeetCondition reports a condition as met. Only the owner does.
type MeetCondition struct {
	MilestoneRef `json:"ref"`
	Number       int        `json:"number"`
	Note         string     `json:"note,omitempty"`
	Evidence     []Evidence `json:"evidence,omitempty"`
}

// ConditionReportedMet is the owner's report. DecideBy is the day, in UTC, by which the author should answer; zero: no
// limit.
type ConditionReportedMet struct {
	Number   int        `json:"number"`
	Text     string     `json:"text"`
	Author   PartnerID  `json:"author"`
	Round    int        `json:"round"`
	On       Date       `json:"on"`
	Note     string     `json:"note,omitempty"`
	Evidence []Evidence `json:"evidence,omitempty"`
	DecideBy Date       `json:"decide_by,omitzero"`
}

func (c MeetCondition) decide(state State, dc DecisionContext) ([]Event, error) {
	milestone, err := findMilestone(state, c.MilestoneRef, dc)
	if err != nil {
		return nil, err
	}
	var check validation
	check.conditionNumber(c.Number)
	check.text("note", c.Note, 2000, false)
	check.evidenceLists(c.Evidence)
	if err := check.err(); err != nil {
		return nil, err
	}
	if err := milestone.requireOwner(dc); err != nil {
		return nil, err
	}
	condition, err := milestone.openCondition(c.Number)
	if err != nil {
		return nil, err
	}
	if condition.State() == ConditionReported {
		return nil, conflict("condition_reported", "Condition %d was reported as met on %s; wait for %s.", c.Number, condition.Report.On, condition.Author)
	}
	return milestone.event(ConditionReportedMet{
		Number: c.Number, Text: condition.Text, Author: condition.Author, Round: milestone.Round, On: milestone.today(dc),
		Note: c.Note, Evidence: c.Evidence, DecideBy: milestone.agreement.disputeBy(dc.At),
	}), nil
}

func (e ConditionReportedMet) apply(world *World, header Header) {
	header.editMilestone(world).changeCondition(e.Number, func(condition *RoundCondition) {
		condition.Report = &ConditionReport{e.On, e.Note, e.Evidence, e.DecideBy, header.RecordedAt.UnixMicro()}
		condition.Refusal = nil
	})
}

// RefuseCondition answers that a reported condition is not met. Only its author does.
type RefuseCondition struct {
	MilestoneRef `json:"ref"`
	Number       int        `json:"number"`
	Reason       string     `json:"reason"`
	Evidence     []Evidence `json:"evidence,omitempty"`
}

// ConditionRefusedByAuthor leaves the condition open. DisputeBy is the last day, in UTC, on which the owner may dispute
// it; zero: no limit.
type ConditionRefusedByAuthor struct {
	Number    int        `json:"number"`
	Text      string     `json:"text"`
	Author    PartnerID  `json:"author"`
	Round     int        `json:"round"`
	On        Date       `json:"on"`
	Reason    string     `json:"reason"`
	Evidence  []Evidence `json:"evidence,omitempty"`
	DisputeBy Date       `json:"dispute_by,omitzero"`
}

func (c RefuseCondition) decide(state State, dc DecisionContext) ([]Event, error) {
	milestone, err := findMilestone(state, c.MilestoneRef, dc)
	if err != nil {
		return nil, err
	}
	var check validation
	check.conditionNumber(c.Number)
	check.text("reason", c.Reason, 2000, true)
	check.evidenceLists(c.Evidence)
	if err := check.err(); err != nil {
		return nil, err
	}
	if err := milestone.requireAcceptor(dc); err != nil {
		return nil, err
	}
	condition, err := milestone.ownCondition(c.Number, dc)
	if err != nil {
		return nil, err
	}
	if condition.State() != ConditionReported {
		return nil, conflict("condition_not_reported", "%s has not reported condition %d as met since it was set or refused.", milestone.Plan.Owner, c.Number)
	}
	return milestone.event(ConditionRefusedByAuthor{
		Number: c.Number, Text: condition.Text, Author: condition.Author, Round: milestone.Round, On: milestone.today(dc),
		Reason: c.Reason, Evidence: c.Evidence, DisputeBy: milestone.agreement.disputeBy(dc.At),
	}), nil
}

func (e ConditionRefusedByAuthor) apply(world *World, header Header) {
	header.editMilestone(world).changeCondition(e.Number, func(condition *RoundCondition) {
		condition.Refusal = &ConditionRefusal{e.On, e.Reason, e.Evidence, e.DisputeBy, header.RecordedAt.UnixMicro(), false}
	})
}
