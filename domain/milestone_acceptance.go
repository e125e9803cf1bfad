package domain

import "slices"

// AcceptMilestone accepts the present delivery, on conditions if there are any; see [Condition].
type AcceptMilestone struct {
	MilestoneRef `json:"ref"`
	Note         string        `json:"note,omitempty"`
	Conditions   []Requirement `json:"conditions,omitempty"`
}

// MilestoneAccepted is one acceptor's full acceptance. Remaining are the acceptors that have not accepted in
// full; if there are none, the milestone is accepted.
type MilestoneAccepted struct {
	Acceptor  PartnerID   `json:"acceptor"`
	Round     int         `json:"round"`
	On        Date        `json:"on"`
	Note      string      `json:"note,omitempty"`
	Remaining []PartnerID `json:"remaining,omitempty"`
}

// MilestoneConditionallyAccepted is one acceptor's acceptance on conditions, which becomes full when they are
// closed. Remaining are the other acceptors that have not accepted in full.
type MilestoneConditionallyAccepted struct {
	Acceptor   PartnerID   `json:"acceptor"`
	Round      int         `json:"round"`
	On         Date        `json:"on"`
	Note       string      `json:"note,omitempty"`
	Conditions []Condition `json:"conditions"`
	Remaining  []PartnerID `json:"remaining,omitempty"`
}

func (c AcceptMilestone) decide(state State, dc DecisionContext) ([]Event, error) {
	milestone, err := findMilestone(state, c.MilestoneRef, dc)
	if err != nil {
		return nil, err
	}
	if err := c.validate(milestone.today(dc)).err(); err != nil {
		return nil, err
	}
	mine, err := milestone.requireUndecided(dc)
	if err != nil {
		return nil, err
	}
	if len(c.Conditions) == 0 {
		return milestone.acceptEvents(c.Note, dc), nil
	}
	if mine.State == DecisionConditional {
		return nil, conflict("no_more_conditions",
			"%s has accepted delivery %d on conditions; close them, accept in full or reject, but add no conditions.", mine.Partner, milestone.Round)
	}
	event := MilestoneConditionallyAccepted{
		Acceptor: mine.Partner, Round: milestone.Round, On: milestone.today(dc), Note: c.Note, Remaining: milestone.remaining(mine.Partner),
	}
	for i, requirement := range c.Conditions {
		event.Conditions = append(event.Conditions, Condition{milestone.LastConditionNumber + 1 + i, requirement.Text, requirement.DueOn, requirement.Evidence})
	}
	return milestone.event(event), nil
}

func (c AcceptMilestone) validate(today Date) (check validation) {
	check.text("note", c.Note, 2000, false)
	if len(c.Conditions) > 50 {
		check.add("conditions", "has %d; at most 50 are allowed", len(c.Conditions))
	}
	var evidence [][]Evidence
	for _, requirement := range c.Conditions {
		check.text("conditions", requirement.Text, 2000, false)
		evidence = append(evidence, requirement.Evidence)
		switch {
		case isBlank(requirement.Text):
			check.add("conditions", "each needs a text")
		case requirement.DueOn == 0:
			check.add("conditions", "each needs a due_on")
		case requirement.DueOn < today:
			check.add("conditions", "due_on %s is in the past; use today or a later date", requirement.DueOn)
		}
	}
	check.evidenceLists(evidence...)
	return check
}

// requireUndecided refuses all actors but an acceptor that can still decide the present delivery. It returns the
// acceptor's decision so far: pending or conditional.
func (m milestoneContext) requireUndecided(dc DecisionContext) (Decision, error) {
	if err := m.requireAcceptor(dc); err != nil {
		return Decision{}, err
	}
	if err := m.requireState(Delivered, ConditionallyAccepted); err != nil {
		return Decision{}, err
	}
	decision := m.Decision(dc.Actor.Partner)
	if decision.State != DecisionPending && decision.State != DecisionConditional {
		return decision, conflict("already_decided", "%s has already decided delivery %d.", dc.Actor.Partner, m.Round)
	}
	return decision, nil
}

// acceptEvents returns the events of the actor's full acceptance, which closes its open conditions.
func (m milestoneContext) acceptEvents(note string, dc DecisionContext) []Event {
	partner := dc.Actor.Partner
	var events []Event
	open := m.openConditions(partner)
	for i, condition := range open {
		events = append(events, m.event(m.closed(condition, len(open)-i-1, dc))...)
	}
	return append(events, m.event(MilestoneAccepted{
		Acceptor: partner, Round: m.Round, On: m.today(dc), Note: note, Remaining: m.remaining(partner),
	})...)
}

// remaining returns the other acceptors that have not accepted the present delivery in full.
func (m milestoneContext) remaining(partner PartnerID) (ids []PartnerID) {
	for _, decision := range m.Decisions {
		if decision.Partner != partner && decision.State != DecisionAccepted {
			ids = append(ids, decision.Partner)
		}
	}
	return ids
}

func (e MilestoneAccepted) apply(world *World, header Header) {
	milestone := header.editMilestone(world)
	milestone.setDecision(Decision{e.Acceptor, DecisionAccepted, e.On})
	milestone.concludeRound(e.On)
}

func (e MilestoneConditionallyAccepted) apply(world *World, header Header) {
	milestone := header.editMilestone(world)
	milestone.setDecision(Decision{e.Acceptor, DecisionConditional, e.On})
	for _, condition := range e.Conditions {
		milestone.Conditions = with(milestone.Conditions, RoundCondition{Condition: condition, Author: e.Acceptor, Since: header.RecordedAt.UnixMicro()})
		milestone.LastConditionNumber = condition.Number
	}
	milestone.concludeRound(e.On)
}

func (m *Milestone) setDecision(decision Decision) {
	m.Decisions = upsert(m.Decisions, decision, func(decision Decision) string { return string(decision.Partner) })
}

// concludeRound sets the state that follows from the decisions of the round.
func (m *Milestone) concludeRound(on Date) {
	has := func(state DecisionState) bool {
		return slices.ContainsFunc(m.Decisions, func(decision Decision) bool { return decision.State == state })
	}
	switch {
	case has(DecisionPending):
		m.State = Delivered
	case has(DecisionConditional):
		m.State = ConditionallyAccepted
	default:
		m.State, m.AcceptedOn = Accepted, on
	}
}

// reopen ends the round: the milestone is in progress again, without the delivery's decisions and conditions.
func (m *Milestone) reopen(on Date) {
	m.State, m.DeliveredOn, m.RoundEndedOn = InProgress, 0, on
	m.Decisions, m.Conditions = nil, nil
}

// RejectMilestone rejects the present delivery, with reasons (R11). An acceptor with open conditions can still
// reject.
type RejectMilestone struct {
	MilestoneRef `json:"ref"`
	Reasons      []string   `json:"reasons"`
	Evidence     []Evidence `json:"evidence,omitempty"`
}

// MilestoneRejected ends the round. DisputeBy is the last day, in UTC, on which the owner may dispute it; zero:
// no limit.
type MilestoneRejected struct {
	Acceptor    PartnerID  `json:"acceptor"`
	Round       int        `json:"round"`
	On          Date       `json:"on"`
	Reasons     []string   `json:"reasons"`
	DeliveredOn Date       `json:"delivered_on"`
	DisputeBy   Date       `json:"dispute_by,omitzero"`
	Evidence    []Evidence `json:"evidence,omitempty"`
}

func (c RejectMilestone) decide(state State, dc DecisionContext) ([]Event, error) {
	milestone, err := findMilestone(state, c.MilestoneRef, dc)
	if err != nil {
		return nil, err
	}
	var check validation
	if len(c.Reasons) == 0 || len(c.Reasons) > 50 {
		check.add("reasons", "give 1 to 50 reasons")
	}
	for _, reason := range c.Reasons {
		check.text("reasons", reason, 2000, true)
	}
	check.evidenceLists(c.Evidence)
	if err := check.err(); err != nil {
		return nil, err
	}
	if _, err := milestone.requireUndecided(dc); err != nil {
		return nil, err
	}
	return milestone.event(MilestoneRejected{
		dc.Actor.Partner, milestone.Round, milestone.today(dc), c.Reasons, milestone.DeliveredOn, milestone.agreement.disputeBy(dc.At), c.Evidence,
	}), nil
}

func (e MilestoneRejected) apply(world *World, header Header) {
	milestone := header.editMilestone(world)
	milestone.reopen(e.On)
	milestone.setDecision(Decision{e.Acceptor, DecisionRejected, e.On})
	milestone.Rejection = &Rejection{e.Acceptor, e.On, e.Reasons, e.Evidence, e.DeliveredOn, e.DisputeBy, false}
}
