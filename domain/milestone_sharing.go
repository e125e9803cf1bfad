package domain

// ShareMilestone makes a private milestone visible to all participants (R17).
type ShareMilestone struct {
	MilestoneRef `json:"ref"`
	Acceptors    []PartnerID `json:"acceptors,omitempty"` // nil: all other participants
}

// MilestoneShared carries the present state. The other participants see no earlier event.
type MilestoneShared struct {
	Plan     Plan           `json:"plan"`
	State    MilestoneState `json:"state"`
	Report   Report         `json:"report"`
	Forecast *Forecast      `json:"forecast,omitempty"`
}

func (c ShareMilestone) decide(state State, dc DecisionContext) ([]Event, error) {
	milestone, err := findMilestone(state, c.MilestoneRef, dc)
	if err != nil {
		return nil, err
	}
	plan := milestone.Plan
	plan.Acceptors = c.Acceptors
	if c.Acceptors == nil {
		plan.Acceptors = without(milestone.agreement.present(milestone.project.Participants, dc.At), plan.Owner)
	}
	check := plan.validate(milestone.project, false)
	if dc.Actor.Partner == plan.Owner { // only the owner may learn what the plan names
		check.instrumentRefs(milestone.agreement.ViewFor(dc.Actor.Partner, dc.At), dc.Actor.Partner, plan, Plan{}, plan.refs())
	}
	check.departedPartners(milestone.agreement, dc.At, plan, milestone.Plan)
	if milestone.Audience != Shared && !milestone.State.Final() {
		check.plannedDate("due_on", plan.DueOn, dc)
	}
	if err := check.err(); err != nil {
		return nil, err
	}
	if err := milestone.requireOwner(dc); err != nil {
		return nil, err
	}
	if milestone.Audience == Shared {
		return nil, conflict("already_shared", "Milestone %s is already shared.", milestone.Ref.Milestone)
	}
	if err := milestone.requireState(Planned, InProgress); err != nil {
		return nil, err
	}
	if err := milestone.project.requireNotEnded(); err != nil {
		return nil, err
	}
	if milestone.State == Planned { // a new plan for the other participants (R4)
		if err := milestone.agreement.requireOpen(dc); err != nil {
			return nil, err
		}
	}
	event := MilestoneShared{Plan: plan, State: milestone.State, Report: milestone.LastReport}
	if forecast := milestone.Forecast(plan.Owner); forecast.On != 0 {
		event.Forecast = &forecast
	}
	return sharedEvents(string(milestone.Ref.Milestone), event), nil
}

func (e MilestoneShared) apply(world *World, header Header) {
	milestone := header.editMilestone(world)
	milestone.Audience, milestone.Plan, milestone.State = Shared, e.Plan, e.State
	milestone.StartedOn, milestone.Checks, milestone.Responsible = 0, nil, nil // they stay private with the earlier events
	milestone.LastReport = e.Report
}
