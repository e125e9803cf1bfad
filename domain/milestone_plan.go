package domain

import (
	"reflect"
	"slices"
)

// PlanMilestone adds a milestone. A private milestone is visible to the acting partner only; its id already has a
// random suffix (R16).
type PlanMilestone struct {
	MilestoneRef `json:"ref"`
	Plan         Plan `json:"plan"`
	Private      bool `json:"private,omitempty"`
}

// MilestonePlanned is the first event of a milestone.
type MilestonePlanned struct {
	Plan       Plan `json:"plan"`
	OwnerAsked bool `json:"owner_asked,omitempty"` // another partner named the owner, which has not agreed yet
}

func (c PlanMilestone) target(State) *Versions { return nil }

func (c PlanMilestone) decide(state State, dc DecisionContext) ([]Event, error) {
	agreement, project, err := findProject(state, c.MilestoneRef.ProjectRef(), dc)
	if err != nil {
		return nil, err
	}
	plan, audience := c.Plan, Shared
	if c.Private {
		audience = PrivateTo(dc.Actor.Partner)
	} else if plan.Acceptors == nil {
		plan.Acceptors = without(agreement.present(project.Participants, dc.At), plan.Owner)
	}
	check := plan.validate(project, c.Private)
	check.instrumentRefs(agreement.ViewFor(dc.Actor.Partner, dc.At), dc.Actor.Partner, plan, Plan{}, plan.refs())
	check.departedPartners(agreement, dc.At, plan, Plan{})
	check.instrumentRunning(agreement, plan.Instrument, dc)
	check.slug("id", string(c.MilestoneRef.Milestone))
	check.plannedDate("due_on", plan.DueOn, dc)
	if c.Private && plan.Owner != dc.Actor.Partner {
		check.add("owner", "a private milestone belongs to its own partner; name yours")
	}
	if err := check.err(); err != nil {
		return nil, err
	}
	if err := c.allowed(state, agreement, project, dc); err != nil {
		return nil, err
	}
	return []Event{{string(c.MilestoneRef.Milestone), audience, MilestonePlanned{plan, plan.Owner != dc.Actor.Partner}}}, nil
}

func (c PlanMilestone) allowed(state State, agreement *Agreement, project *Project, dc DecisionContext) error {
	if err := dc.requireManager(); err != nil {
		return err
	}
	if err := agreement.requireOpen(dc); err != nil {
		return err
	}
	if err := project.requirePlanning(); err != nil {
		return err
	}
	if state.Milestone(c.MilestoneRef) != nil {
		return conflict("milestone_exists", "Project %s already has a milestone %s; choose another id.", c.MilestoneRef.Project, c.MilestoneRef.Milestone)
	}
	return nil
}

func (e MilestonePlanned) apply(world *World, header Header) {
	milestone := header.editMilestone(world)
	milestone.Ref, milestone.Plan, milestone.Audience, milestone.State = header.milestoneRef(), e.Plan, header.Audience, Planned
	milestone.OwnerNomination = nominationBy(header, e.OwnerAsked)
}

// EditMilestone replaces the fields that are not nil. Only the owner edits, until the delivery, and unless a baseline is
// agreed or the milestone is public; then the plan changes by a change request (R15).
type EditMilestone struct {
	MilestoneRef `json:"ref"`
	Title        *string       `json:"title,omitempty"`
	Description  *string       `json:"description,omitempty"`
	Owner        *PartnerID    `json:"owner,omitempty"`
	Acceptors    *[]PartnerID  `json:"acceptors,omitempty"`
	DueOn        *Date         `json:"due_on,omitempty"`
	Criteria     *[]string     `json:"criteria,omitempty"`
	Instrument   *InstrumentID `json:"instrument,omitempty"`
	ScheduleItem *ItemID       `json:"schedule_item,omitempty"`
	Clause       *string       `json:"clause,omitempty"`
}

// MilestoneEdited carries the new and the old plan.
type MilestoneEdited struct {
	To         Plan `json:"to"`
	From       Plan `json:"from"`
	OwnerAsked bool `json:"owner_asked,omitempty"` // as in MilestonePlanned
}

func (c EditMilestone) decide(state State, dc DecisionContext) ([]Event, error) {
	milestone, err := findMilestone(state, c.MilestoneRef, dc)
	if err != nil {
		return nil, err
	}
	agreement := milestone.agreement.ViewFor(dc.Actor.Partner, dc.At)
	named := refs{c.Instrument, c.ScheduleItem, c.Clause}
	to := agreement.keptRefs(dc.Actor.Partner, c.merged(milestone.Plan), milestone.Plan, named)
	_, private := milestone.Audience.Private()
	check := to.validate(milestone.project, private)
	check.instrumentRefs(agreement, dc.Actor.Partner, to, milestone.Plan, named)
	check.departedPartners(milestone.agreement, dc.At, to, milestone.Plan)
	if to.DueOn != milestone.Plan.DueOn {
		check.plannedDate("due_on", to.DueOn, dc)
	}
	if to.Instrument != milestone.Plan.Instrument {
		check.instrumentRunning(milestone.agreement, to.Instrument, dc)
	}
	if private && to.Owner != milestone.Plan.Owner {
		check.add("owner", "the owner of a private milestone cannot change; share it first")
	}
	if err := check.err(); err != nil {
		return nil, err
	}
	if err := milestone.requireOwner(dc); err != nil {
		return nil, err
	}
	if err := milestone.requireState(Planned, InProgress); err != nil {
		return nil, err
	}
	if err := milestone.requireOwnPlan(); err != nil {
		return nil, err
	}
	if err := milestone.requireAcceptorsKept(to); err != nil {
		return nil, err
	}
	if reflect.DeepEqual(to, milestone.Plan) {
		return nil, conflict("nothing_changes", "Milestone %s already has these values; change at least one.", milestone.Ref.Milestone)
	}
	return milestone.event(MilestoneEdited{To: to, From: milestone.Plan, OwnerAsked: to.Owner != milestone.Plan.Owner}), nil
}

// requireAcceptorsKept refuses to remove an acceptor that was asked to decide a delivery.
func (m milestoneContext) requireAcceptorsKept(to Plan) error {
	for _, partner := range m.Plan.Acceptors {
		if m.Round > 0 && !slices.Contains(to.Acceptors, partner) {
			return conflict("acceptor_asked",
				"%s was asked to decide delivery %d of milestone %s; it can be removed only by a change request that it approves.", partner, m.Round, m.Ref.Milestone)
		}
	}
	return nil
}

func (c EditMilestone) merged(plan Plan) Plan {
	set(&plan.Title, c.Title)
	set(&plan.Description, c.Description)
	set(&plan.Owner, c.Owner)
	setList(&plan.Acceptors, c.Acceptors)
	set(&plan.DueOn, c.DueOn)
	setList(&plan.Criteria, c.Criteria)
	return plan
}

func (e MilestoneEdited) apply(world *World, header Header) {
	milestone := header.editMilestone(world)
	milestone.dropChecks(milestone.Plan.Criteria, e.To.Criteria)
	milestone.Plan, milestone.OwnerNomination = e.To, nominationBy(header, e.OwnerAsked)
	if !slices.Equal(e.To.Acceptors, e.From.Acceptors) || !slices.Equal(e.To.Criteria, e.From.Criteria) {
		milestone.Waivers = nil // they were given with other acceptors or criteria
	}
}

// StartMilestone starts the work.
type StartMilestone struct {
	MilestoneRef `json:"ref"`
}

// MilestoneStarted starts the work.
type MilestoneStarted struct {
	On Date `json:"on,omitzero"`
}

func (c StartMilestone) decide(state State, dc DecisionContext) ([]Event, error) {
	milestone, err := findMilestone(state, c.MilestoneRef, dc)
	if err != nil {
		return nil, err
	}
	if err := milestone.requireOwner(dc); err != nil {
		return nil, err
	}
	if err := milestone.agreement.requireOpen(dc); err != nil {
		return nil, err
	}
	if err := milestone.project.requirePlanning(); err != nil {
		return nil, err
	}
	if err := milestone.requireState(Planned); err != nil {
		return nil, err
	}
	return milestone.event(MilestoneStarted{dc.Today}), nil
}

func (e MilestoneStarted) apply(world *World, header Header) {
	milestone := header.editMilestone(world)
	milestone.State, milestone.StartedOn, milestone.OwnerNomination = InProgress, header.dateOr(e.On), nil
}

// CancelMilestone ends a milestone that is no longer wanted. Only the owner cancels, until the delivery and
// without a baseline (R15).
type CancelMilestone struct {
	MilestoneRef `json:"ref"`
	Reason       string `json:"reason,omitempty"`
}

// MilestoneCancelled is final. Change is the number of the change request; 0: cancelled by the owner alone.
type MilestoneCancelled struct {
	Reason string         `json:"reason,omitempty"`
	From   MilestoneState `json:"from"`
	Change int            `json:"change,omitempty"`
	// ProjectEnd is the stage in which the project ended, if its calls ended the milestone too.
	ProjectEnd Stage `json:"project_end,omitempty"`
}

func (c CancelMilestone) decide(state State, dc DecisionContext) ([]Event, error) {
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
	if err := milestone.requireState(Planned, InProgress); err != nil {
		return nil, err
	}
	if milestone.BaselineOn != 0 {
		return nil, conflict("baseline_agreed", "Milestone %s is agreed for %s; it is cancelled only by a change request, approved by its owner and acceptors.",
			milestone.Ref.Milestone, milestone.BaselineOn)
	}
	return milestone.event(MilestoneCancelled{Reason: c.Reason, From: milestone.State}), nil
}

func (e MilestoneCancelled) apply(world *World, header Header) {
	milestone := header.editMilestone(world)
	if milestone.State = Cancelled; e.ProjectEnd != "" {
		milestone.endWith(Cancelled)
	}
}
