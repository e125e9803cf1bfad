package domain

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Call is one participant's request for a move that takes every participant.
type Call struct {
	Move     StageMove   `json:"move"`
	Partner  PartnerID   `json:"partner"`
	Reason   string      `json:"reason,omitempty"`
	DecideBy Date        `json:"decide_by,omitzero"` // for MoveDecideBy
	Add      []PartnerID `json:"add,omitempty"`      // for MoveAddParticipants, sorted
	Lead     PartnerID   `json:"lead,omitempty"`     // for MoveChangeLead
	Leaving  PartnerID   `json:"leaving,omitempty"`  // for MoveLeave
	// Dispositions of all open shared milestones, for MoveComplete and MoveStop, sorted by milestone.
	Dispositions []Disposition `json:"dispositions,omitempty"`
	Edit         *ProjectEdit  `json:"edit,omitempty"` // for MoveEdit; never modified
}

// SameAs reports whether two calls request the same move with the same values. Reasons may differ.
func (c Call) SameAs(other Call) bool {
	return c.Move == other.Move && c.DecideBy == other.DecideBy && slices.Equal(c.Add, other.Add) &&
		c.Lead == other.Lead && c.Leaving == other.Leaving && sameDispositions(c.Dispositions, other.Dispositions) &&
		c.edited() == other.edited()
}

// edited returns the fields that a MoveEdit calls.
func (c Call) edited() (to ProjectFields) {
	if c.Edit != nil {
		to = c.Edit.To
	}
	return to
}

// OpenCall is a call that waits for the calls of other participants.
type OpenCall struct {
	Call
	Member MemberID // who made the call
	At     int64    // microseconds since 1970 UTC
}

// CallStage calls a move of a project. A move of one participant takes effect at once; any other with the last
// participant's call.
type CallStage struct {
	ProjectRef `json:"ref"`
	Move       StageMove   `json:"move"`
	Reason     string      `json:"reason,omitempty"`
	DecideBy   Date        `json:"decide_by,omitzero"` // for MoveDecideBy
	Add        []PartnerID `json:"add,omitempty"`      // for MoveAddParticipants
	Lead       PartnerID   `json:"lead,omitempty"`     // for MoveChangeLead
	Leaving    PartnerID   `json:"leaving,omitempty"`  // for MoveLeave; empty: the actor's partner
	// Dispositions are for MoveComplete and MoveStop.
	Dispositions []Disposition `json:"dispositions,omitempty"`
	Edit         *ProjectEdit  `json:"edit,omitempty"` // for MoveEdit
	// Withdraw withdraws the actor's own open call.
	Withdraw bool `json:"withdraw,omitempty"`
}

// StageCalled opens or replaces one participant's call, or withdraws it.
type StageCalled struct {
	Call      Call `json:"call"`
	Withdrawn bool `json:"withdrawn,omitempty"`
}

func (c CallStage) decide(state State, dc DecisionContext) ([]Event, error) {
	agreement, project, err := findProject(state, c.ProjectRef, dc)
	if err != nil {
		return nil, err
	}
	if c.Move == MoveLeave && c.Leaving == "" {
		c.Leaving = dc.Actor.Partner
	}
	check := c.validate(state, agreement, project, dc)
	if err := check.err(); err != nil {
		return nil, err
	}
	if c.Withdraw {
		return c.withdrawn(project, dc)
	}
	caller := project.callersOf(c.Move)
	if caller == leadAlone {
		err = requireLead(agreement, project, dc)
	} else {
		err = dc.requireManager()
	}
	if err != nil {
		return nil, err
	}
	if err := c.allowed(state, agreement, project, dc); err != nil {
		return nil, err
	}
	if caller != everyParticipant {
		return c.effects(state, project), nil
	}
	return c.call(state, agreement, project, dc)
}

func (c CallStage) validate(state State, agreement *Agreement, project *Project, dc DecisionContext) (check validation) {
	rule, known := stageMoves[c.Move]
	if !known {
		check.add("move", "%q is unknown; see the API reference", c.Move)
	}
	check.text("reason", c.Reason, 2000, !c.Withdraw && (c.Move == MoveStop || c.Move == MovePause || c.Move == MoveDecline))
	if c.Withdraw && known && rule.callers != everyParticipant {
		check.add("withdraw", "%s takes effect at once and cannot be withdrawn", c.Move)
	}
	c.validateFields(&check)
	ends := c.Move == MoveComplete || c.Move == MoveStop
	if !c.Withdraw {
		c.validateValue(agreement, project, dc, &check)
		if ends {
			c.validateDispositions(state, project, dc, &check)
		}
	}
	return check
}

// validateFields refuses the values of other moves.
func (c CallStage) validateFields(check *validation) {
	for _, value := range []struct {
		field string
		given bool
		move  StageMove
	}{
		{"decide_by", c.DecideBy != 0, MoveDecideBy},
		{"participants", len(c.Add) > 0, MoveAddParticipants},
		{"lead", c.Lead != "", MoveChangeLead},
		{"partner", c.Leaving != "", MoveLeave},
		{"title", c.Edit != nil, MoveEdit},
	} {
		if value.given && c.Move != value.move {
			check.add(value.field, "is valid only with %s; leave it out", value.move)
		}
	}
	if len(c.Dispositions) > 0 && c.Move != MoveComplete && c.Move != MoveStop {
		check.add("dispositions", "are valid only with complete and stop; leave them out")
	}
}

// validateValue checks the value that the move takes.
func (c CallStage) validateValue(agreement *Agreement, project *Project, dc DecisionContext, check *validation) {
	switch c.Move {
	case MoveDecideBy:
		check.requiredDate("decide_by", c.DecideBy)
		check.decideByDate(c.DecideBy, dc)
	case MoveAddParticipants:
		check.newParticipants(agreement, project, c.Add, dc)
	case MoveChangeLead:
		switch {
		case !project.Participant(c.Lead):
			check.add("lead", "%q is not among the participants; name one of them", c.Lead)
		case agreement.HasLeft(c.Lead, dc.At):
			check.add("lead", "%s has left the agreement; name another participant", c.Lead)
		}
	case MoveEdit:
		if c.Edit == nil {
			check.add("title", "required")
		}
	case MoveLeave:
		if !project.Participant(c.Leaving) {
			check.add("partner", "%q does not take part in the project; name a participant", c.Leaving)
		}
	}
}

// withdrawn decides the withdrawal of the actor's call.
func (c CallStage) withdrawn(project *Project, dc DecisionContext) ([]Event, error) {
	if err := dc.requireManager(); err != nil {
		return nil, err
	}
	for _, open := range project.Calls {
		if open.Move == c.Move && open.Partner == dc.Actor.Partner {
			open.Reason = c.Reason
			return sharedEvents("", StageCalled{open.Call, true}), nil
		}
	}
	return nil, conflict("not_called", "%s has no open call to %s project %s.", dc.Actor.Partner, c.Move, project.Ref.Project)
}

func (v *validation) newParticipants(agreement *Agreement, project *Project, add []PartnerID, dc DecisionContext) {
	if len(add) == 0 {
		v.add("participants", "name at least one new participant")
	}
	if partner, twice := duplicate(add); twice {
		v.add("participants", "%s is named twice; name it once", partner)
	}
	for _, partner := range add {
		switch {
		case !slices.Contains(agreement.present(agreement.Terms.Parties, dc.At), partner):
			v.add("participants", "%s is not a party of the agreement; name parties", partner)
		case project.Participant(partner):
			v.add("participants", "%s already takes part", partner)
		}
	}
}

func (c CallStage) allowed(state State, agreement *Agreement, project *Project, dc DecisionContext) error {
	if !slices.Contains(stageMoves[c.Move].from, project.Stage) {
		return conflict("wrong_stage", "Project %s is %s; %s is not possible from this stage.",
			project.Ref.Project, project.Stage, strings.ReplaceAll(string(c.Move), "_", "-"))
	}
	switch c.Move {
	case MoveCommit, MoveStart, MoveResume, MoveAddParticipants:
		return agreement.requireOpen(dc)
	case MoveDecideBy:
		if c.DecideBy == project.DecideBy {
			return conflict("nothing_changes", "Project %s is already to be decided by %s.", project.Ref.Project, c.DecideBy)
		}
		return agreement.requireOpen(dc)
	case MoveChangeLead:
		if c.Lead == project.Lead {
			return conflict("nothing_changes", "%s already leads project %s.", c.Lead, project.Ref.Project)
		}
		return agreement.requireOpen(dc)
	case MovePause, MoveDecline, MoveEdit:
		return agreement.requireNotLeft(dc) // it takes no part in the decision, and could not resume the project
	case MoveLeave:
		return c.requireFreeToLeave(state, project)
	case MoveComplete, MoveStop:
		return c.requireDispositions(state, project)
	}
	return nil
}

// effects returns the events of a move that takes effect.
func (c CallStage) effects(state State, project *Project) []Event {
	switch c.Move {
	case MoveDecideBy:
		return sharedEvents("", DecideByMoved{To: c.DecideBy, From: project.DecideBy})
	case MoveAddParticipants:
		return sharedEvents("", ParticipantsAdded{
			Added: c.Add, Participants: slices.Concat(project.Participants, c.Add), Title: project.Title, Stage: project.Stage, Lead: project.Lead,
			Reason: c.Reason,
		})
	case MoveChangeLead:
		return sharedEvents("", LeadChanged{To: c.Lead, From: project.Lead, Reason: c.Reason})
	case MoveEdit:
		return sharedEvents("", ProjectEdited{To: c.Edit.To, From: c.Edit.From})
	case MoveLeave:
		return sharedEvents("", ParticipantLeft{c.Leaving, without(project.Participants, c.Leaving), c.Reason})
	}
	events := sharedEvents("", StageChanged{Move: c.Move, To: stageMoves[c.Move].to, From: project.Stage, Reason: c.Reason})
	return append(events, c.dispose(state, project)...)
}

// RequiredCallers returns the partners whose call the move takes: every participant that has not left the
// agreement. To end the project it also takes those that have left while a started milestone is theirs to deliver
// or to decide (R4); to leave it, the one that leaves.
func (p *Project) RequiredCallers(state State, agreement *Agreement, call Call, at time.Time) []PartnerID {
	ids := agreement.present(p.Participants, at)
	if call.Move == MoveLeave && !slices.Contains(ids, call.Leaving) {
		return with(ids, call.Leaving)
	}
	if (call.Move != MoveComplete && call.Move != MoveStop) || len(ids) == len(p.Participants) {
		return ids
	}
	for _, milestone := range state.Milestones(p.Ref) {
		if milestone.Audience != Shared || milestone.State == Planned || milestone.State.Final() {
			continue
		}
		for _, concerned := range milestone.DisputeParties() {
			if !slices.Contains(ids, concerned) {
				ids = with(ids, concerned)
			}
		}
	}
	return ids
}

// call adds the actor's call, and the effects if it is the last one that the move takes.
func (c CallStage) call(state State, agreement *Agreement, project *Project, dc DecisionContext) ([]Event, error) {
	move := c
	move.Add = slices.Clone(c.Add)
	slices.Sort(move.Add)
	mine := Call{c.Move, dc.Actor.Partner, c.Reason, c.DecideBy, move.Add, c.Lead, c.Leaving, sortedDispositions(c.Dispositions), c.Edit}
	missing, again := without(project.RequiredCallers(state, agreement, mine, dc.At), dc.Actor.Partner), false
	for _, open := range project.Calls {
		if !open.SameAs(mine) {
			continue
		}
		again = again || open.Partner == dc.Actor.Partner
		missing = without(missing, open.Partner)
		move.Reason = cmp.Or(move.Reason, open.Reason)
	}
	if again && len(missing) > 0 {
		return nil, conflict("already_called", "%s has already called this; wait for the other partners.", dc.Actor.Partner)
	}
	events := sharedEvents("", StageCalled{Call: mine})
	if len(missing) == 0 {
		events = append(events, move.effects(state, project)...)
	}
	return events, nil
}

func (e StageCalled) apply(world *World, header Header) {
	project := world.editProject(header.projectRef())
	project.dropCalls(func(call OpenCall) bool { return call.Move == e.Call.Move && call.Partner == e.Call.Partner })
	if !e.Withdrawn {
		project.Calls = append(project.Calls, OpenCall{e.Call, header.Member, header.RecordedAt.UnixMicro()})
		if e.Call.Move == MoveCommit && e.Call.Partner == project.Lead {
			project.LeadNomination = nil
		}
	}
	project.Versions.count(header)
}

// dropCalls removes the open calls that match. The list is replaced, so that append does not reach an older one.
func (p *Project) dropCalls(match func(OpenCall) bool) {
	p.Calls = slices.DeleteFunc(slices.Clone(p.Calls), match)
}
