package domain

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Stage is the state of a project.
type Stage string

// The stages of a project.
const (
	Exploring Stage = "exploring"
	Committed Stage = "committed"
	Active    Stage = "active"
	Paused    Stage = "paused"
	Completed Stage = "completed"
	Stopped   Stage = "stopped"
)

// StageMove is a change of a project that a participant calls.
type StageMove string

// The moves of a project.
const (
	MoveCommit   StageMove = "commit"
	MoveStart    StageMove = "start"
	MovePause    StageMove = "pause"
	MoveResume   StageMove = "resume"
	MoveComplete StageMove = "complete"
	MoveStop     StageMove = "stop"
	MoveDecideBy StageMove = "move_decide_by"
	// MoveAddParticipants adds parties of the agreement as participants.
	MoveAddParticipants StageMove = "add_participants"
)

// Call is one participant's request for a move that takes every participant.
type Call struct {
	Move     StageMove   `json:"move"`
	Partner  PartnerID   `json:"partner"`
	Reason   string      `json:"reason,omitempty"`
	DecideBy Date        `json:"decide_by,omitzero"` // for MoveDecideBy
	Add      []PartnerID `json:"add,omitempty"`      // for MoveAddParticipants, sorted
}

// SameAs reports whether two calls request the same move.
func (c Call) SameAs(other Call) bool {
	return c.Move == other.Move && c.DecideBy == other.DecideBy && slices.Equal(c.Add, other.Add)
}

// CallStage calls a move of a project. A move of the lead takes effect at once; any other with the last
// participant's call.
type CallStage struct {
	ProjectRef `json:"ref"`
	Move       StageMove   `json:"move"`
	Reason     string      `json:"reason,omitempty"`
	DecideBy   Date        `json:"decide_by,omitzero"` // for MoveDecideBy
	Add        []PartnerID `json:"add,omitempty"`      // for MoveAddParticipants
	// Withdraw withdraws the actor's own open call.
	Withdraw bool `json:"withdraw,omitempty"`
}

// StageCalled opens or replaces one participant's call, or withdraws it.
type StageCalled struct {
	Call      Call `json:"call"`
	Withdrawn bool `json:"withdrawn,omitempty"`
}

// StageChanged is a move that took effect.
type StageChanged struct {
	Move   StageMove `json:"move"`
	To     Stage     `json:"to"`
	From   Stage     `json:"from"`
	Reason string    `json:"reason,omitempty"`
}

// DecideByMoved follows the last call to move the decide-by date.
type DecideByMoved struct {
	To   Date `json:"to"`
	From Date `json:"from"`
}

// stageMoves lists, for each move, its source stages, its target stage, and whether the lead makes it alone.
var stageMoves = map[StageMove]struct {
	from []Stage
	to   Stage
	lead bool
}{
	MoveCommit:          {[]Stage{Exploring}, Committed, false},
	MoveStart:           {[]Stage{Committed}, Active, true},
	MovePause:           {[]Stage{Active}, Paused, true},
	MoveResume:          {[]Stage{Paused}, Active, true},
	MoveComplete:        {[]Stage{Active}, Completed, false},
	MoveStop:            {[]Stage{Exploring, Committed, Active, Paused}, Stopped, false},
	MoveDecideBy:        {[]Stage{Exploring}, Exploring, false},
	MoveAddParticipants: {[]Stage{Exploring, Committed, Active, Paused}, "", false},
}

func (c CallStage) decide(state State, dc DecisionContext) ([]Event, error) {
	agreement, project, err := findProject(state, c.ProjectRef, dc)
	if err != nil {
		return nil, err
	}
	check := c.validate(agreement, project, dc)
	check.decideByDate(c.DecideBy, dc)
	if err := check.err(); err != nil {
		return nil, err
	}
	if c.Withdraw {
		return c.withdrawn(project, dc)
	}
	alone := stageMoves[c.Move].lead || (c.Move == MoveStop && project.Stage == Exploring)
	if alone {
		err = requireLead(agreement, project, dc)
	} else {
		err = dc.requireManager()
	}
	if err != nil {
		return nil, err
	}
	if err := c.allowed(agreement, project, dc); err != nil {
		return nil, err
	}
	if alone {
		return sharedEvents("", c.effect(project)), nil
	}
	return c.call(project, project.RequiredCallers(state, agreement, c.Move, dc.At), dc)
}

func (c CallStage) validate(agreement *Agreement, project *Project, dc DecisionContext) (check validation) {
	if _, known := stageMoves[c.Move]; !known {
		check.add("move", "%q is unknown; see the API reference", c.Move)
	}
	check.text("reason", c.Reason, 2000, !c.Withdraw && (c.Move == MoveStop || c.Move == MovePause))
	switch {
	case c.Move == MoveDecideBy:
		check.requiredDate("decide_by", c.DecideBy)
	case c.DecideBy != 0:
		check.add("decide_by", "is valid only with move_decide_by; leave it out")
	}
	if c.Withdraw && stageMoves[c.Move].lead {
		check.add("withdraw", "%s takes effect at once and cannot be withdrawn", c.Move)
	}
	if c.Move != MoveAddParticipants && len(c.Add) > 0 {
		check.add("participants", "are valid only with add_participants; leave them out")
	}
	if c.Move == MoveAddParticipants {
		check.newParticipants(agreement, project, c.Add, dc)
	}
	return check
}

// withdrawn decides the withdrawal of the actor's call.
func (c CallStage) withdrawn(project *Project, dc DecisionContext) ([]Event, error) {
	if err := dc.requireManager(); err != nil {
		return nil, err
	}
	for _, open := range project.Calls {
		if open.Move == c.Move && open.Partner == dc.Actor.Partner {
			open.Reason = c.Reason
			return sharedEvents("", StageCalled{open, true}), nil
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

func (c CallStage) allowed(agreement *Agreement, project *Project, dc DecisionContext) error {
	if !slices.Contains(stageMoves[c.Move].from, project.Stage) {
		return conflict("wrong_stage", "Project %s is %s; %s is not possible from this stage.",
			project.Ref.Project, project.Stage, strings.ReplaceAll(string(c.Move), "_", "-"))
	}
	switch c.Move {
	case MoveCommit, MoveStart, MoveResume, MoveDecideBy, MoveAddParticipants:
		return agreement.requireOpen(dc)
	case MovePause:
		return agreement.requireNotLeft(dc) // it could not resume the project
	}
	return nil
}

// effect returns the event of a move that takes effect.
func (c CallStage) effect(project *Project) Payload {
	switch c.Move {
	case MoveDecideBy:
		return DecideByMoved{To: c.DecideBy, From: project.DecideBy}
	case MoveAddParticipants:
		return ParticipantsAdded{
			Added: c.Add, Participants: slices.Concat(project.Participants, c.Add), Title: project.Title, Stage: project.Stage, Lead: project.Lead,
			Reason: c.Reason,
		}
	}
	return StageChanged{Move: c.Move, To: stageMoves[c.Move].to, From: project.Stage, Reason: c.Reason}
}

// RequiredCallers returns the partners whose call a move takes: every participant that has not left the
// agreement. To end the project it also takes those that have left while a started milestone is theirs to deliver
// or to decide (R4).
func (p *Project) RequiredCallers(state State, agreement *Agreement, move StageMove, at time.Time) []PartnerID {
	ids := agreement.present(p.Participants, at)
	if (move != MoveComplete && move != MoveStop) || len(ids) == len(p.Participants) {
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

func (c CallStage) call(project *Project, callers []PartnerID, dc DecisionContext) ([]Event, error) {
	move := c
	move.Add = slices.Clone(c.Add)
	slices.Sort(move.Add)
	mine := Call{c.Move, dc.Actor.Partner, c.Reason, c.DecideBy, move.Add}
	missing, again := without(callers, dc.Actor.Partner), false
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
		events = append(events, sharedEvents("", move.effect(project))...)
	}
	return events, nil
}

func (e StageCalled) apply(world *World, header Header) {
	project := world.editProject(header.projectRef())
	project.Calls = slices.DeleteFunc(slices.Clone(project.Calls), func(call Call) bool {
		return call.Move == e.Call.Move && call.Partner == e.Call.Partner
	})
	if !e.Withdrawn {
		project.Calls = append(project.Calls, e.Call)
	}
	project.Versions.Count(header.Audience, header.RecordedAt)
}

func (e StageChanged) apply(world *World, header Header) {
	project := world.editProject(header.projectRef())
	project.Stage = e.To
	project.Calls = slices.DeleteFunc(slices.Clone(project.Calls), func(call Call) bool {
		return !slices.Contains(stageMoves[call.Move].from, e.To)
	})
	project.Versions.Count(header.Audience, header.RecordedAt)
}

func (e DecideByMoved) apply(world *World, header Header) {
	project := world.editProject(header.projectRef())
	project.DecideBy = e.To
	project.Calls = slices.DeleteFunc(slices.Clone(project.Calls), func(call Call) bool { return call.Move == MoveDecideBy })
	project.Versions.Count(header.Audience, header.RecordedAt)
}

// ParticipantsAdded follows the last call. It is the project's first event that new participants see. They see
// shared milestones in their present state and with later history, change requests that are open, and no closed
// ones. Acceptors do not change.
type ParticipantsAdded struct {
	Added        []PartnerID `json:"added"`
	Participants []PartnerID `json:"participants"`
	Title        string      `json:"title"`
	Stage        Stage       `json:"stage"`
	Lead         PartnerID   `json:"lead"`
	Reason       string      `json:"reason,omitempty"`
}

func (e ParticipantsAdded) apply(world *World, header Header) {
	project := world.editProject(header.projectRef())
	project.Participants = e.Participants
	project.Calls = slices.DeleteFunc(slices.Clone(project.Calls), func(call Call) bool { return call.Move == MoveAddParticipants })
	project.Changes = slices.Clone(project.Changes)
	for i, change := range project.Changes {
		fresh := *change
		for _, partner := range e.Added {
			fresh.Versions.join(partner, header.RecordedAt)
			if change.State != ChangeStateOpen {
				fresh.Versions.leave(partner)
			}
		}
		project.Changes[i] = &fresh
	}
	for _, visible := range world.Milestones(header.projectRef()) {
		if _, private := visible.Audience.Private(); private || visible.Ref.Milestone == "" { // corrupted logs can contain milestones without an id
			continue
		}
		milestone := world.editMilestone(visible.Ref)
		for _, partner := range e.Added {
			milestone.Versions.join(partner, header.RecordedAt)
		}
	}
	for _, partner := range e.Added {
		project.Versions.join(partner, header.RecordedAt)
	}
	project.Versions.Count(header.Audience, header.RecordedAt)
}
