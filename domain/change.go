package domain

import "slices"

// ChangeRequest proposes changes of what is agreed, or that something be agreed. The rules:
//
// R15: the baseline is set and moved only by a change request approved by the owners and acceptors,
// before and after, of every milestone in it. Once a baseline is agreed, due date, owner, acceptors,
// criteria and cancellation change only so; before it the owner alone edits or cancels. Any
// participant's manager proposes, only the proposer withdraws, one rejection closes; it is void only if
// a field it changes, or the milestone's final state, changed since. In detail:
//
//   - Proposing approves for the proposer, if it is a party of the request. The parties reject too; who
//     only takes part in the project reads.
//   - What a milestone without a baseline is asked to agree is its whole present plan: due date, owner,
//     acceptors and criteria, with the changes that the request names, if any. So nobody agrees to
//     something that the owner edits before the last approval.
//   - All of a request takes effect with the last approval, or nothing of it. Owner and acceptors change,
//     and a milestone is cancelled, only between deliveries: until then the last approval is refused.
//   - A request is void from the moment at which its ground changed, and the event says what did. If owner
//     or acceptors changed by another request, the new ones are asked too.
//   - A private milestone cannot be in a request, and has no baseline.
//   - R17: a request can name milestones that become public with it, with or without other changes; then
//     every participant of the project is a party. It is open to milestones in any state, final too. That
//     stands on no ground: whatever changes meanwhile, the milestone is still there, and the public
//     follows its state anyway, see [MilestonePublished]. What another request published meanwhile is
//     public once.
//   - R4: after the agreement's end no baseline is set or moved; a request that only cancels and publishes
//     can still be agreed, and every request rejected and withdrawn.
type ChangeRequest struct {
	Number          int
	Key             string // finds it before its number is known; empty: none
	Reason          string
	State           ChangeState
	ProposedBy      PartnerID
	Milestones      []ProposedChange
	Publish         []MilestoneID // become public; never changed
	ProposedTo      []PartnerID   // the parties when it was proposed, sorted
	Approvals       []PartnerID   // sorted
	ProposedAt      int64         // microseconds since 1970 UTC
	DecidedAt       int64         // likewise; 0: open
	RejectedBy      PartnerID
	RejectionReason string // of the rejection
	VoidGround      Ground // what made it void
	Versions        Versions
}

// ChangeState is where a change request stands.
type ChangeState string

// The states of a change request.
const (
	ChangeStateOpen      ChangeState = "open"
	ChangeStateApproved  ChangeState = "approved"
	ChangeStateRejected  ChangeState = "rejected"
	ChangeStateWithdrawn ChangeState = "withdrawn"
	ChangeStateVoid      ChangeState = "void"
)

// ChangeFields is a choice of the fields of a plan that are agreed; what is empty is not chosen. A
// milestone in a request is never without a date, an owner and acceptors; that it has no criteria can
// be said.
type ChangeFields struct {
	DueOn     Date        `json:"due_on,omitzero"`
	Owner     PartnerID   `json:"owner,omitempty"`
	Acceptors []PartnerID `json:"acceptors,omitempty"`
	Criteria  *[]string   `json:"criteria,omitempty"`
}

// ProposedChange is what a request wants of one milestone: the fields before and after, or that it be
// cancelled.
type ProposedChange struct {
	Milestone MilestoneID  `json:"id"`
	From      ChangeFields `json:"from"`
	To        ChangeFields `json:"to"`
	Cancel    bool         `json:"cancel,omitempty"`
}

// Ground is what a request stood on and what changed: a field of a milestone, or its state, which is
// then final.
type Ground struct {
	Milestone MilestoneID    `json:"milestone"`
	Field     string         `json:"field"` // due_on, owner, acceptors, criteria or state
	State     MilestoneState `json:"state"`
}

// AgreedPlan is what partners agree of a milestone.
type AgreedPlan struct {
	DueOn     Date        `json:"due_on"`
	Owner     PartnerID   `json:"owner"`
	Acceptors []PartnerID `json:"acceptors"`
	Criteria  []string    `json:"criteria,omitempty"`
}

func (p Plan) agreed() AgreedPlan { return AgreedPlan{p.DueOn, p.Owner, p.Acceptors, p.Criteria} }

// hasFields reports whether any field is chosen.
func (c ChangeFields) hasFields() bool {
	return c.DueOn != 0 || c.Owner != "" || len(c.Acceptors) > 0 || c.Criteria != nil
}

// applyTo returns p with the chosen fields.
func (c ChangeFields) applyTo(plan Plan) Plan {
	if c.DueOn != 0 {
		plan.DueOn = c.DueOn
	}
	if c.Owner != "" {
		plan.Owner = c.Owner
	}
	if len(c.Acceptors) > 0 {
		plan.Acceptors = c.Acceptors
	}
	if c.Criteria != nil {
		plan.Criteria = slices.Clip(append([]string(nil), *c.Criteria...)) // nil for none, as it is stored
	}
	return plan
}

// allFields chooses all fields of p.
func allFields(plan Plan) ChangeFields {
	return ChangeFields{plan.DueOn, plan.Owner, plan.Acceptors, criteriaOf(plan)}
}

// criteriaOf are not nil when there are none: that would be a field that is not chosen.
func criteriaOf(plan Plan) *[]string { return new(append([]string{}, plan.Criteria...)) }

// diffPlans returns the fields that differ, as they are in each of two plans.
func diffPlans(from, to Plan) (before, after ChangeFields) {
	if from.DueOn != to.DueOn {
		before.DueOn, after.DueOn = from.DueOn, to.DueOn
	}
	if from.Owner != to.Owner {
		before.Owner, after.Owner = from.Owner, to.Owner
	}
	if !slices.Equal(from.Acceptors, to.Acceptors) {
		before.Acceptors, after.Acceptors = from.Acceptors, to.Acceptors
	}
	if !slices.Equal(from.Criteria, to.Criteria) {
		before.Criteria, after.Criteria = criteriaOf(from), criteriaOf(to)
	}
	return before, after
}

// changedField names a field of the proposal that is not in p as it was; empty: none.
func (c ProposedChange) changedField(plan Plan) string {
	switch {
	case c.From.DueOn != 0 && plan.DueOn != c.From.DueOn:
		return "due_on"
	case c.From.Owner != "" && plan.Owner != c.From.Owner:
		return "owner"
	case len(c.From.Acceptors) > 0 && !slices.Equal(plan.Acceptors, c.From.Acceptors):
		return "acceptors"
	case c.From.Criteria != nil && !slices.Equal(plan.Criteria, *c.From.Criteria):
		return "criteria"
	}
	return ""
}

// VisibleTo reports whether p, who takes part, sees the request: who joined the project sees those that were
// open then, and later ones (R17).
func (c *ChangeRequest) VisibleTo(partner PartnerID) bool { return !c.Versions.hasLeft(partner) }

// Change returns the request with the given number, nil if there is none.
func (p *Project) Change(number int) *ChangeRequest {
	for _, change := range p.Changes {
		if change.Number == number {
			return change
		}
	}
	return nil
}

// Parties returns whose approval the request takes, sorted. It changes with the milestones while the
// request is open.
func (c *ChangeRequest) Parties(state State, project ProjectRef) []PartnerID {
	ids := slices.Clone(c.ProposedTo)
	if c.State == ChangeStateOpen {
		ids = append(ids, parties(state, project, c.Milestones, c.Publish)...)
	} else {
		ids = append(ids, c.Approvals...)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// parties returns the owners and acceptors, before and after, of every milestone; every participant if
// anything becomes public.
func parties(state State, project ProjectRef, milestones []ProposedChange, publish []MilestoneID) (ids []PartnerID) {
	if len(publish) > 0 {
		ids = slices.Clone(state.Project(project).Participants)
	}
	for _, proposed := range milestones {
		milestone := state.Milestone(MilestoneRef{project.Agreement, project.Project, proposed.Milestone})
		if milestone == nil {
			continue
		}
		for _, plan := range []Plan{milestone.Plan, proposed.To.applyTo(milestone.Plan)} {
			ids = append(append(ids, plan.Owner), plan.Acceptors...)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Awaits reports whether the request waits for a word of p.
func (c *ChangeRequest) Awaits(partner PartnerID, state State, project ProjectRef) bool {
	return c.State == ChangeStateOpen && !slices.Contains(c.Approvals, partner) && slices.Contains(c.Parties(state, project), partner)
}

// changesPlans reports whether the request sets or moves a baseline, or agrees anything else of a plan.
func (c *ChangeRequest) changesPlans() bool {
	return slices.ContainsFunc(c.Milestones, func(proposed ProposedChange) bool { return !proposed.Cancel })
}

// findVoidGround returns what changed since the request was proposed.
func (c *ChangeRequest) findVoidGround(state State, project ProjectRef) (Ground, bool) {
	for _, proposed := range c.Milestones {
		milestone := state.Milestone(MilestoneRef{project.Agreement, project.Project, proposed.Milestone})
		if milestone == nil {
			continue
		}
		if milestone.State.Final() {
			return Ground{proposed.Milestone, "state", milestone.State}, true
		}
		if field := proposed.changedField(milestone.Plan); field != "" {
			return Ground{proposed.Milestone, field, milestone.State}, true
		}
	}
	return Ground{}, false
}

// voidEvents returns the events that tell of the requests and amendments which the given ones leave without
// their ground.
func voidEvents(state State, stream Stream, events []Event, dc DecisionContext) []Event {
	if stream.Project == "" {
		return voidAmendmentEvents(state, stream, events, dc)
	}
	ref := ProjectRef{stream.Agreement, stream.Project}
	project := state.Project(ref)
	if project == nil || !slices.ContainsFunc(project.Changes, func(change *ChangeRequest) bool { return change.State == ChangeStateOpen }) {
		return nil
	}
	if !slices.ContainsFunc(events, func(event Event) bool { return !neverVoidsChanges(event.Payload) }) {
		return nil
	}
	after := stateAfter(state, stream, events, dc)
	var void []Event
	for _, change := range after.Project(ref).Changes {
		if change.State != ChangeStateOpen {
			continue
		}
		if ground, broken := change.findVoidGround(after, ref); broken {
			void = append(void, sharedEvents("", ChangeVoided{change.Number, ground})...)
		}
	}
	return void
}

// neverVoidsChanges reports whether an event certainly leaves every request its ground. It is about the events
// that are told all day; for any other the ground is looked at.
func neverVoidsChanges(payload Payload) bool {
	switch payload.(type) {
	case MilestoneProgressed, MilestoneAssessed, EvidenceKept, ForecastMoved, MilestoneCommented, MilestoneDelivered, MilestoneRejected, ConditionClosed:
		return true
	}
	return false
}

// stateAfter returns the state after the events, which are not in s yet.
func stateAfter(state State, stream Stream, events []Event, dc DecisionContext) *World {
	after := NewFork(state)
	for _, event := range events {
		after.Apply(Header{Stream: stream, Subject: event.Subject, Audience: event.Audience, Partner: dc.Actor.Partner, RecordedAt: dc.At}, event.Payload)
	}
	return after
}

// requireNoBaseline refuses what only a change request may do, once a baseline is agreed.
func (m milestoneContext) requireNoBaseline(what string) error {
	if m.BaselineOn == 0 {
		return nil
	}
	return conflict("baseline_agreed", "Milestone %s is agreed for %s; %s only by a change request that its owner and acceptors approve.",
		m.Ref.Milestone, m.BaselineOn, what)
}
