package domain

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Disposition says how an open milestone ends with its project.
//
// R7: completing or stopping a project states the disposition of each open shared milestone. The calls agree only
// if they state the same ones, and the last call ends the milestones in the same commit. The lead, which alone
// stops a project that is not committed, cannot dispose of a delivery that waits for a decision: it must be
// decided first. The private milestones of a partner are not named; they can no longer happen, see
// [Milestone.Ended].
type Disposition struct {
	Milestone MilestoneID    `json:"milestone"`
	State     MilestoneState `json:"disposition"` // Cancelled or Waived
	Reason    string         `json:"reason,omitempty"`
}

// sameDispositions compares two lists, which are sorted by milestone, apart from the reasons.
func sameDispositions(one, other []Disposition) bool {
	return slices.EqualFunc(one, other, func(left, right Disposition) bool {
		return left.Milestone == right.Milestone && left.State == right.State
	})
}

func sortedDispositions(list []Disposition) []Disposition {
	return slices.SortedFunc(slices.Values(list), func(left, right Disposition) int { return cmp.Compare(left.Milestone, right.Milestone) })
}

// Ended reports whether the milestone can no longer happen: its project has ended before it was delivered, or its
// agreement before it was started (R4).
func (m *Milestone) Ended(project *Project, agreement *Agreement, at time.Time) bool {
	ended := milestoneContext{m, project, agreement}
	return (m.State == Planned || m.State == InProgress) && ended.requirePossible(at) != nil
}

// requirePossible refuses reports and forecasts of a milestone that can no longer happen.
func (m milestoneContext) requirePossible(at time.Time) error {
	switch {
	case m.State != Planned && m.State != InProgress:
		return nil
	case m.project.Stage.Final():
		return m.project.requireNotEnded()
	case m.State == Planned && m.agreement != nil && m.agreement.over(at):
		return m.agreement.requireSigned(at)
	}
	return nil
}

func (c CallStage) validateDispositions(state State, project *Project, dc DecisionContext, check *validation) {
	var named []MilestoneID
	for _, disposition := range c.Dispositions {
		id := disposition.Milestone
		milestone := state.Milestone(MilestoneRef{project.Ref.Agreement, project.Ref.Project, id})
		switch {
		case slices.Contains(named, id):
			check.add("dispositions", "%s is named twice; name it once", id)
		case milestone == nil || !milestone.VisibleTo(dc.Actor.Partner, project):
			check.add("dispositions", "milestone %q does not exist", id)
		case milestone.Audience != Shared:
			check.add("dispositions", "%s is private and ends with the project; leave it out", id)
		case disposition.State != Cancelled && disposition.State != Waived:
			check.add("dispositions", "%s: %q is unknown; use cancelled or waived", id, disposition.State)
		case milestone.BaselineOn != 0 && disposition.Reason == "" && c.Reason == "":
			check.add("dispositions", "%s is agreed; give a reason", id)
		}
		var reason validation
		reason.text("dispositions", disposition.Reason, 2000, false)
		*check = append(*check, reason...)
		named = append(named, id)
	}
}

// requireDispositions refuses a call that does not name exactly the open milestones.
func (c CallStage) requireDispositions(state State, project *Project) error {
	var list validation
	var open []string
	for _, milestone := range openMilestones(state, project.Ref) {
		id := milestone.Ref.Milestone
		open = append(open, string(id))
		if !slices.ContainsFunc(c.Dispositions, func(disposition Disposition) bool { return disposition.Milestone == id }) {
			list.add("dispositions", "%s is %s; state whether it is cancelled or waived", id, Term(milestone.State))
		}
	}
	for _, disposition := range c.Dispositions {
		if !slices.Contains(open, string(disposition.Milestone)) {
			list.add("dispositions", "%s has ended; leave it out", disposition.Milestone)
		}
	}
	if len(list) == 0 {
		return c.requireDecided(state, project)
	}
	refusal := conflict("open_milestones", "State the disposition of each open milestone of project %s, and of no other: %s.",
		project.Ref.Project, cmp.Or(strings.Join(open, ", "), "none is open"))
	refusal.Fields = list
	return refusal
}

// requireDecided refuses the lead's own stop while deliveries wait for a decision.
func (c CallStage) requireDecided(state State, project *Project) error {
	if project.callersOf(c.Move) != leadAlone {
		return nil
	}
	for _, milestone := range openMilestones(state, project.Ref) {
		if milestone.State != Planned && milestone.State != InProgress {
			return conflict("delivery_open", "Milestone %s is %s; it must be decided before the lead alone stops the project.",
				milestone.Ref.Milestone, Term(milestone.State))
		}
	}
	return nil
}

// dispose returns the final events of the open milestones. A disposition without a reason has that of the call.
func (c CallStage) dispose(state State, project *Project) (events []Event) {
	to := stageMoves[c.Move].to
	for _, disposition := range sortedDispositions(c.Dispositions) {
		ref := MilestoneRef{project.Ref.Agreement, project.Ref.Project, disposition.Milestone}
		milestone := milestoneContext{Milestone: state.Milestone(ref)}
		reason := cmp.Or(disposition.Reason, c.Reason)
		if disposition.State == Waived {
			events = append(events, milestone.event(MilestoneWaived{From: milestone.State, Reason: reason, ProjectEnd: to})...)
			continue
		}
		events = append(events, milestone.event(MilestoneCancelled{From: milestone.State, Reason: reason, ProjectEnd: to})...)
	}
	return events
}

// endWith puts the milestone into its final state, in which no decision is pending.
func (m *Milestone) endWith(state MilestoneState) {
	m.State, m.Decisions, m.Conditions, m.Dispute = state, nil, nil, nil
}
