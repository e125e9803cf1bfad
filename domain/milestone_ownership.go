package domain

// Rules for a partner that another one names as owner of a milestone:
//
// R7: it agrees explicitly, or by its own work: by starting or editing the milestone, by a shared forecast, and by
// proposing or approving a change request about the plan. It can decline with a reason instead, which cancels the
// milestone. Until it agrees nothing counts against it: the milestone is not overdue. Milestones from before this
// rule count as agreed.

// OwnerAgreed reports whether the owner has agreed to own the milestone.
func (m *Milestone) OwnerAgreed() bool { return m.OwnerNomination == nil }

// AgreeOwnership agrees to own a milestone that another partner has planned for the actor's partner.
type AgreeOwnership struct {
	MilestoneRef `json:"ref"`
}

// OwnershipAgreed is the owner's agreement.
type OwnershipAgreed struct{}

func (c AgreeOwnership) decide(state State, dc DecisionContext) ([]Event, error) {
	milestone, err := findMilestone(state, c.MilestoneRef, dc)
	if err != nil {
		return nil, err
	}
	if err := milestone.requireNominated(dc); err != nil {
		return nil, err
	}
	if err := milestone.agreement.requireOpen(dc); err != nil {
		return nil, err
	}
	if err := milestone.project.requireNotEnded(); err != nil {
		return nil, err
	}
	return milestone.event(OwnershipAgreed{}), nil
}

// requireNominated refuses all actors but a manager of an owner that has not agreed yet.
func (m milestoneContext) requireNominated(dc DecisionContext) error {
	if err := m.requireOwner(dc); err != nil {
		return err
	}
	if m.State.Final() {
		return m.requireState()
	}
	if m.OwnerAgreed() {
		return conflict("ownership_agreed", "%s has agreed to own milestone %s.", m.Plan.Owner, m.Ref.Milestone)
	}
	return nil
}

func (OwnershipAgreed) apply(world *World, header Header) {
	header.editMilestone(world).OwnerNomination = nil
}

// DeclineOwnership refuses to own a milestone, with a reason.
type DeclineOwnership struct {
	MilestoneRef `json:"ref"`
	Reason       string `json:"reason"`
}

// MilestoneDeclined is final: the milestone is cancelled.
type MilestoneDeclined struct {
	Reason string         `json:"reason"`
	From   MilestoneState `json:"from"`
}

func (c DeclineOwnership) decide(state State, dc DecisionContext) ([]Event, error) {
	milestone, err := findMilestone(state, c.MilestoneRef, dc)
	if err != nil {
		return nil, err
	}
	var check validation
	check.text("reason", c.Reason, 2000, true)
	if err := check.err(); err != nil {
		return nil, err
	}
	if err := milestone.requireNominated(dc); err != nil {
		return nil, err
	}
	return milestone.event(MilestoneDeclined{Reason: c.Reason, From: milestone.State}), nil
}

func (MilestoneDeclined) apply(world *World, header Header) {
	header.editMilestone(world).State = Cancelled
}

// agreedByRequest returns the events of the milestones whose owner agrees by proposing or approving a change of
// their plan.
func agreedByRequest(state State, project ProjectRef, milestones []ProposedChange, owner PartnerID) (events []Event) {
	for _, proposed := range milestones {
		milestone := state.Milestone(MilestoneRef{project.Agreement, project.Project, proposed.Milestone})
		if milestone == nil || milestone.OwnerAgreed() || proposed.Cancel || milestone.Plan.Owner != owner {
			continue
		}
		if to := proposed.To.applyTo(milestone.Plan).Owner; to == owner {
			events = append(events, milestoneContext{Milestone: milestone}.event(OwnershipAgreed{})...)
		}
	}
	return events
}
