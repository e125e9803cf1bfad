package domain

// CompleteMilestone completes a private milestone, which has no acceptor. On is the date of the completion, see
// [milestoneContext.claimedDate].
type CompleteMilestone struct {
	MilestoneRef `json:"ref"`
	On           Date   `json:"on,omitzero"` // zero: today
	Reason       string `json:"reason,omitempty"`
}

// MilestoneCompleted is final. RecordedOn and Reason are as in [MilestoneDelivered].
type MilestoneCompleted struct {
	On         Date   `json:"on"`
	RecordedOn Date   `json:"recorded_on,omitzero"`
	Reason     string `json:"reason,omitempty"`
}

func (c CompleteMilestone) decide(state State, dc DecisionContext) ([]Event, error) {
	milestone, err := findMilestone(state, c.MilestoneRef, dc)
	if err != nil {
		return nil, err
	}
	if c.On == 0 {
		c.On = dc.Today
	}
	if err := milestone.claimedDate(c.On, c.Reason, dc).err(); err != nil {
		return nil, err
	}
	if err := milestone.requireOwner(dc); err != nil {
		return nil, err
	}
	if _, private := milestone.Audience.Private(); !private {
		return nil, conflict("milestone_shared", "Milestone %s is shared; deliver it, so that its acceptors can decide.", milestone.Ref.Milestone)
	}
	if err := milestone.requireState(InProgress); err != nil {
		return nil, err
	}
	return milestone.event(MilestoneCompleted{c.On, recordedOn(c.On, dc), c.Reason}), nil
}

func (e MilestoneCompleted) apply(world *World, header Header) {
	milestone := header.editMilestone(world)
	milestone.State, milestone.CompletedOn = PrivatelyCompleted, e.On
	milestone.RecordedAt, milestone.LateReason = header.RecordedAt.UnixMicro(), e.Reason
}
