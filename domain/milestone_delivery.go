package domain

// DeliverMilestone claims that the milestone is done. On is the date of the claim, see [milestoneContext.claimedDate];
// the round starts when the claim is recorded.
type DeliverMilestone struct {
	MilestoneRef    `json:"ref"`
	On              Date       `json:"on,omitzero"` // zero: today
	Reason          string     `json:"reason,omitempty"`
	Evidence        []Evidence `json:"evidence,omitempty"`
	PrivateEvidence []Evidence `json:"kept,omitempty"` // visible to the delivering partner only (R16)
}

// MilestoneDelivered starts a round of acceptance. RecordedOn is the date of its recording if that is later than On;
// Reason says why.
type MilestoneDelivered struct {
	On         Date        `json:"on"`
	Round      int         `json:"round"`
	Acceptors  []PartnerID `json:"acceptors"`
	Evidence   []Evidence  `json:"evidence,omitempty"`
	RecordedOn Date        `json:"recorded_on,omitzero"`
	Reason     string      `json:"reason,omitempty"`
}

func (c DeliverMilestone) decide(state State, dc DecisionContext) ([]Event, error) {
	milestone, err := findMilestone(state, c.MilestoneRef, dc)
	if err != nil {
		return nil, err
	}
	if c.On == 0 {
		c.On = dc.Today
	}
	if err := c.validate(milestone, dc).err(); err != nil {
		return nil, err
	}
	if err := milestone.requireOwner(dc); err != nil {
		return nil, err
	}
	if err := milestone.requireDeliverable(); err != nil {
		return nil, err
	}
	events := milestone.event(MilestoneDelivered{
		c.On, milestone.Round + 1, milestone.Plan.Acceptors, c.Evidence, recordedOn(c.On, dc), c.Reason,
	})
	if len(c.PrivateEvidence) > 0 {
		events = append(events, Event{string(milestone.Ref.Milestone), PrivateTo(dc.Actor.Partner), EvidenceKept{milestone.Round + 1, c.PrivateEvidence}})
	}
	return events, nil
}

func (c DeliverMilestone) validate(milestone milestoneContext, dc DecisionContext) validation {
	check := milestone.claimedDate(c.On, c.Reason, dc)
	check.evidenceLists(c.Evidence, c.PrivateEvidence)
	return check
}

func (m milestoneContext) requireDeliverable() error {
	if _, private := m.Audience.Private(); private {
		return conflict("milestone_private", "Milestone %s is private; complete it, or share it before delivering.", m.Ref.Milestone)
	}
	if err := m.project.requireNotEnded(); err != nil {
		return err
	}
	if m.project.Stage.Tentative() && m.servesScheduleItem() {
		return conflict("project_not_committed", "Project %s is not committed yet, and milestone %s serves item %s of instrument %s; commit the project first.",
			m.Ref.Project, m.Ref.Milestone, m.Plan.ScheduleItem, m.Plan.Instrument)
	}
	return m.requireState(InProgress)
}

// servesScheduleItem reports whether the milestone serves an item of a supply or of a patent assignment (R8).
func (m milestoneContext) servesScheduleItem() bool {
	instrument := m.agreement.Instrument(m.Plan.Instrument)
	return m.Plan.ScheduleItem != "" && instrument != nil && (instrument.Kind == Supply || instrument.Kind == PatentAssignment)
}

func (e MilestoneDelivered) apply(world *World, header Header) {
	milestone := header.editMilestone(world)
	milestone.State, milestone.DeliveredOn, milestone.Round = Delivered, e.On, e.Round
	milestone.Decisions, milestone.Conditions, milestone.Rejection = nil, nil, nil
	milestone.Evidence, milestone.PrivateEvidence = e.Evidence, nil
	milestone.RecordedAt, milestone.LateReason = header.RecordedAt.UnixMicro(), e.Reason
	for _, partner := range e.Acceptors {
		milestone.setDecision(Decision{Partner: partner, State: DecisionPending})
	}
}

// WithdrawDelivery withdraws a delivery that no acceptor has decided.
type WithdrawDelivery struct {
	MilestoneRef `json:"ref"`
	Reason       string `json:"reason,omitempty"`
}

// DeliveryWithdrawn ends the round.
type DeliveryWithdrawn struct {
	Round       int    `json:"round"`
	DeliveredOn Date   `json:"delivered_on"`
	On          Date   `json:"on,omitzero"`
	Reason      string `json:"reason,omitempty"`
}

func (c WithdrawDelivery) decide(state State, dc DecisionContext) ([]Event, error) {
	milestone, err := findMilestone(state, c.MilestoneRef, dc)
	if err != nil {
		return nil, err
	}
	var check validation
	check.text("reason", c.Reason, 2000, false)
	if err := check.err(); err != nil {
		return nil, err
	}
	if err := milestone.requireOwner(dc); err != nil {
		return nil, err
	}
	if err := milestone.requireWithdrawable(); err != nil {
		return nil, err
	}
	return milestone.event(DeliveryWithdrawn{milestone.Round, milestone.DeliveredOn, milestone.today(dc), c.Reason}), nil
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

func (e DeliveryWithdrawn) apply(world *World, header Header) {
	milestone := header.editMilestone(world)
	milestone.reopen(header.dateOr(e.On))
	milestone.Evidence, milestone.PrivateEvidence = nil, nil
}
