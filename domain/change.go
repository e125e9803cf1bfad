package domain

import "slices"

// ChangeRequest proposes to set or change agreed values. The rules:
//
// R15: a baseline is set and moved only by a change request approved by the owners and acceptors, before and
// after, of every milestone in it. It covers every field that defines what is owed, see [ChangeFields]. Once a
// baseline is agreed, these fields and cancellation change only this way; before, the owner alone edits or cancels.
// Any participant's manager proposes, only the proposer withdraws, and one rejection closes the request. It is void
// only if a field that it covers has changed since, or the milestone has reached a final state. In detail:
//
//   - A proposal counts as the proposer's approval if the proposer is a party of the request. Parties can also
//     reject; other participants only read.
//   - For a milestone without a baseline the request covers and records its whole present plan, with the changes that
//     the request names. So no one can edit the plan between approvals without voiding the request.
//   - For a milestone with a baseline it covers the fields that it changes.
//   - Requests of earlier versions cover due date, owner, acceptors and criteria only. Their approval keeps the other
//     fields of the plan as they are.
//   - A request takes effect as a whole with the last approval. Owner and acceptors change, and a milestone is
//     cancelled, only between deliveries; until then the last approval is refused.
//   - A request becomes void when its ground changes, and the event names the ground. If another request changes
//     owner or acceptors, the new ones become parties.
//   - A private milestone cannot be in a request, and has no baseline.
//   - R17: a request can name milestones to publish, with or without other changes; then every participant of the
//     project is a party. Milestones in any state can be published, final states included; see
//     [MilestonePublished]. An edit of the plan voids the request, and the plan of a public milestone changes only
//     by a change request, even without a baseline: otherwise the owner alone would change what the others approved
//     for the public. A milestone that another request has published meanwhile is not published twice.
//   - R4: after the agreement's end no baseline is set or moved. A request that only cancels and publishes can
//     still be approved, and every request rejected and withdrawn.
type ChangeRequest struct {
	Number          int
	Key             string // chosen by the proposer to find the request before its number is known; empty: none
	Reason          string
	State           ChangeState
	ProposedBy      PartnerID
	Milestones      []ProposedChange
	Publish         []MilestoneID // milestones to publish; never modified
	ProposedTo      []PartnerID   // the parties at the time of the proposal, sorted
	Approvals       []PartnerID   // sorted
	ProposedAt      int64         // in microseconds since 1970 UTC
	DecidedAt       int64         // in microseconds since 1970 UTC; 0: open
	RejectedBy      PartnerID
	RejectionReason string
	VoidGround      Ground // why it is void
	Versions        Versions
}

// ChangeState is the state of a change request.
type ChangeState string

// The states of a change request.
const (
	ChangeStateOpen      ChangeState = "open"
	ChangeStateApproved  ChangeState = "approved"
	ChangeStateRejected  ChangeState = "rejected"
	ChangeStateWithdrawn ChangeState = "withdrawn"
	ChangeStateVoid      ChangeState = "void"
)

// ChangeFields selects fields of a plan: all that change control covers (R15). A zero field is not selected. Title,
// date, owner and acceptors are never empty; the others are selected by a non-nil pointer, also to an empty value.
// Each field has the JSON name of the field of [Plan] that it stands for, and a new field of a plan that defines what
// is owed is added to both.
type ChangeFields struct {
	Title        string        `json:"title,omitempty"`
	Description  *string       `json:"description,omitempty"`
	DueOn        Date          `json:"due_on,omitzero"`
	Owner        PartnerID     `json:"owner,omitempty"`
	Acceptors    []PartnerID   `json:"acceptors,omitempty"`
	Criteria     *[]string     `json:"criteria,omitempty"`
	Instrument   *InstrumentID `json:"instrument,omitempty"`
	ScheduleItem *ItemID       `json:"schedule_item,omitempty"`
	Clause       *string       `json:"clause,omitempty"`
}

// ProposedChange is the part of a request about one milestone: the old and new fields, or a cancellation.
type ProposedChange struct {
	Milestone MilestoneID  `json:"id"`
	From      ChangeFields `json:"from"`
	To        ChangeFields `json:"to"`
	Cancel    bool         `json:"cancel,omitempty"`
}

// Ground names the change that voided a request: a field of a milestone, or its final state.
type Ground struct {
	Milestone MilestoneID    `json:"milestone"`
	Field     string         `json:"field"` // one of CoveredFields, or state
	State     MilestoneState `json:"state"`
}

// VisibleTo reports whether a participant sees the request. A partner that joined the project sees those open at
// that time and later ones (R17).
func (c *ChangeRequest) VisibleTo(partner PartnerID) bool { return !c.Versions.hasLeft(partner) }

// Change returns the request with the given number, or nil.
func (p *Project) Change(number int) *ChangeRequest {
	for _, change := range p.Changes {
		if change.Number == number {
			return change
		}
	}
	return nil
}

// Parties returns the partners that have to approve the request, sorted. While the request is open, they follow
// the milestones, and a partner that has left the project does not count.
func (c *ChangeRequest) Parties(state State, project ProjectRef) []PartnerID {
	ids := slices.Clone(c.ProposedTo)
	if c.State == ChangeStateOpen {
		ids = append(ids, parties(state, project, c.Milestones, c.Publish)...)
		ids = slices.DeleteFunc(ids, func(partner PartnerID) bool { return !state.Project(project).Participant(partner) })
	} else {
		ids = append(ids, c.Approvals...)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// parties returns the owners and acceptors, before and after, of every milestone; all participants if the request
// publishes.
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

// Awaits reports whether the request waits for the partner's answer.
func (c *ChangeRequest) Awaits(partner PartnerID, state State, project ProjectRef) bool {
	return c.State == ChangeStateOpen && !slices.Contains(c.Approvals, partner) && slices.Contains(c.Parties(state, project), partner)
}

// changesPlans reports whether the request changes plans or baselines, and does not only cancel or publish.
func (c *ChangeRequest) changesPlans() bool {
	return slices.ContainsFunc(c.Milestones, func(proposed ProposedChange) bool { return !proposed.Cancel })
}

// findVoidGround returns the first change since the proposal that voids the request.
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

// findEditedPublication returns the first edit that changes a milestone which the request publishes: the approvals
// were given for what it said before.
func (c *ChangeRequest) findEditedPublication(events []Event, after State, project ProjectRef) (Ground, bool) {
	for _, event := range events {
		id := MilestoneID(event.Subject)
		if edit, ok := event.Payload.(MilestoneEdited); ok && slices.Contains(c.Publish, id) {
			if fields := changedFields(edit.From, edit.To); len(fields) > 0 {
				return Ground{id, fields[0].Field, after.Milestone(MilestoneRef{project.Agreement, project.Project, id}).State}, true
			}
		}
	}
	return Ground{}, false
}

// voidEvents returns the events for the open requests and amendments that the given events make void.
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
		ground, broken := change.findVoidGround(after, ref)
		if !broken {
			ground, broken = change.findEditedPublication(events, after, ref)
		}
		if broken {
			void = append(void, sharedEvents("", ChangeVoided{change.Number, ground})...)
		}
	}
	return void
}

// neverVoidsChanges reports whether an event of this type can never change a ground. It covers the most frequent
// types, to save the check.
func neverVoidsChanges(payload Payload) bool {
	switch payload.(type) {
	case MilestoneReported, AssessmentReported, EvidenceKept, ForecastMoved, MilestoneCommented, MilestoneDelivered, MilestoneRejected,
		ConditionClosed, ConditionReportedMet, ConditionRefusedByAuthor, CriterionChecked, ResponsibleNamed:
		return true
	}
	return false
}

// stateAfter returns the state with the events applied.
func stateAfter(state State, stream Stream, events []Event, dc DecisionContext) *World {
	after := NewFork(state)
	for _, event := range events {
		after.Apply(Header{
			Stream: stream, Subject: event.Subject, Audience: event.Audience, Partner: dc.Actor.Partner, Member: dc.Actor.Member, RecordedAt: dc.At,
		}, event.Payload)
	}
	return after
}

// requireOwnPlan refuses to edit a plan alone once a baseline is agreed, or the milestone is public.
func (m milestoneContext) requireOwnPlan() error {
	switch {
	case m.BaselineOn == 0 && m.Public:
		return conflict("milestone_public", "Milestone %s is public; its plan changes only by a change request, approved by its owner and acceptors.",
			m.Ref.Milestone)
	case m.BaselineOn == 0:
		return nil
	}
	return conflict("baseline_agreed", "Milestone %s is agreed for %s; its plan changes only by a change request, approved by its owner and acceptors.",
		m.Ref.Milestone, m.BaselineOn)
}
