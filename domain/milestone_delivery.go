package domain

// DeliverMilestone claims that the milestone is done. On is the date of the claim and not in the future; the
// round starts when the claim is recorded.
type DeliverMilestone struct {
	MilestoneRef    `json:"ref"`
	On              Date       `json:"on,omitzero"` // zero: today
	Evidence        []Evidence `json:"evidence,omitempty"`
	PrivateEvidence []Evidence `json:"kept,omitempty"` // visible to the delivering partner only (R16)
}

// MilestoneDelivered starts a round of acceptance.
type MilestoneDelivered struct {
	On        Date        `json:"on"`
	Round     int         `json:"round"`
	Acceptors []PartnerID `json:"acceptors"`
	Evidence  []Evidence  `json:"evidence,omitempty"`
}

func (c DeliverMilestone) decide(state State, dc DecisionContext) ([]Event, error) {
	milestone, err := findMilestone(state, c.MilestoneRef, dc)
	if err != nil {
		return nil, err
	}
	if c.On == 0 {
		c.On = dc.Today
	}
	if err := c.validate(dc).err(); err != nil {
		return nil, err
	}
	if err := milestone.requireOwner(dc); err != nil {
		return nil, err
	}
	if err := milestone.requireDeliverable(); err != nil {
		return nil, err
	}
	events := milestone.event(MilestoneDelivered{c.On, milestone.Round + 1, milestone.Plan.Acceptors, c.Evidence})
	if len(c.PrivateEvidence) > 0 {
		events = append(events, Event{string(milestone.Ref.Milestone), PrivateTo(dc.Actor.Partner), EvidenceKept{milestone.Round + 1, c.PrivateEvidence}})
	}
	return events, nil
}

func (c DeliverMilestone) validate(dc DecisionContext) (check validation) {
	if c.On > dc.Today {
		check.add("on", "%s is in the future; use today or an earlier date", c.On)
	}
	check.evidenceLists(c.Evidence, c.PrivateEvidence)
	return check
}

func (m milestoneContext) requireDeliverable() error {
	if _, private := m.Audience.Private(); private {
		return conflict("milestone_private", "Milestone %s is private; share it before delivering.", m.Ref.Milestone)
	}
	switch m.project.Stage {
	case Exploring:
		return conflict("project_not_committed", "Project %s is not committed yet; commit it before delivering.", m.Ref.Project)
	case Completed, Stopped:
		return conflict("project_ended", "Project %s is %s.", m.Ref.Project, m.project.Stage)
	}
	return m.requireState(InProgress)
}

func (e MilestoneDelivered) apply(world *World, header Header) {
	milestone := header.editMilestone(world)
	milestone.State, milestone.DeliveredOn, milestone.Round = Delivered, e.On, e.Round
	milestone.Decisions, milestone.Conditions, milestone.Rejection = nil, nil, nil
	milestone.Evidence, milestone.PrivateEvidence = e.Evidence, nil
	for _, partner := range e.Acceptors {
		milestone.setDecision(Decision{Partner: partner, State: DecisionPending})
	}
}

// WithdrawDelivery withdraws a delivery that no acceptor has decided.
type WithdrawDelivery struct {
	MilestoneRef `json:"ref"`
}

// DeliveryWithdrawn ends the round.
type DeliveryWithdrawn struct {
	Round       int  `json:"round"`
	DeliveredOn Date `json:"delivered_on"`
}

func (c WithdrawDelivery) decide(state State, dc DecisionContext) ([]Event, error) {
	milestone, err := findMilestone(state, c.MilestoneRef, dc)
	if err != nil {
		return nil, err
	}
	if err := milestone.requireOwner(dc); err != nil {
		return nil, err
	}
	if err := milestone.requireWithdrawable(); err != nil {
		return nil, err
	}
	return milestone.event(DeliveryWithdrawn{milestone.Round, milestone.DeliveredOn}), nil
}

func (m milestoneContext) requireWithdrawable() error {
	if m.State != ConditionallyAccepted {
		if err := m.requireState(Delivered); err != nil {
			return err
		}
	}
	for _, decision := range m.Decisions {
		if decision.State != DecisionPending {
			return conflict("delivery_decided", "%s has decided delivery %d; a decided delivery cannot be withdrawn.", decision.Partner, m.Round)
		}
	}
	return nil
}

func (DeliveryWithdrawn) apply(world *World, header Header) {
	milestone := header.editMilestone(world)
	milestone.reopen()
	milestone.Evidence, milestone.PrivateEvidence = nil, nil
}
