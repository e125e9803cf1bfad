package domain

import "slices"

// Stage is the state of a project.
type Stage string

// The stages of a project.
const (
	Proposed  Stage = "proposed"
	Exploring Stage = "exploring"
	Committed Stage = "committed"
	Active    Stage = "active"
	Paused    Stage = "paused"
	Completed Stage = "completed"
	Stopped   Stage = "stopped"
	Declined  Stage = "declined"
)

// Stages lists the stages in the order of a project's life.
func Stages() []Stage {
	return []Stage{Proposed, Exploring, Committed, Active, Paused, Completed, Stopped, Declined}
}

// Final reports whether the project has ended.
func (s Stage) Final() bool { return s == Completed || s == Stopped || s == Declined }

// Tentative reports whether the participants have not committed to the project yet.
func (s Stage) Tentative() bool { return s == Proposed || s == Exploring }

// StageMove is a change of a project that a participant calls.
type StageMove string

// The moves of a project.
const (
	MoveCommit   StageMove = "commit"
	MoveDecline  StageMove = "decline"
	MoveStart    StageMove = "start"
	MovePause    StageMove = "pause"
	MoveResume   StageMove = "resume"
	MoveComplete StageMove = "complete"
	MoveStop     StageMove = "stop"
	MoveDecideBy StageMove = "move_decide_by"
	// MoveAddParticipants adds parties of the agreement as participants.
	MoveAddParticipants StageMove = "add_participants"
	MoveChangeLead      StageMove = "change_lead"
	// MoveLeave ends the participation of one partner.
	MoveLeave StageMove = "leave"
	// MoveEdit changes the fields of a project that is committed.
	MoveEdit StageMove = "edit"
)

// callers says whose call a move takes.
type callers int

const (
	everyParticipant callers = iota
	anyParticipant           // one call of any participant
	leadAlone
)

var (
	tentativeStages = []Stage{Proposed, Exploring}
	openStages      = []Stage{Proposed, Exploring, Committed, Active, Paused}
)

// stageMoves lists, for each move, its source stages, its target stage (empty: the stage stays), and its callers.
var stageMoves = map[StageMove]struct {
	from    []Stage
	to      Stage
	callers callers
}{
	MoveCommit:          {tentativeStages, Committed, everyParticipant},
	MoveDecline:         {tentativeStages, Declined, anyParticipant},
	MoveStart:           {[]Stage{Committed}, Active, leadAlone},
	MovePause:           {[]Stage{Active}, Paused, leadAlone},
	MoveResume:          {[]Stage{Paused}, Active, leadAlone},
	MoveComplete:        {[]Stage{Active}, Completed, everyParticipant},
	MoveStop:            {openStages, Stopped, everyParticipant}, // leadAlone before the commitment
	MoveDecideBy:        {tentativeStages, "", everyParticipant},
	MoveAddParticipants: {openStages, "", everyParticipant},
	MoveChangeLead:      {openStages, "", everyParticipant},
	MoveLeave:           {openStages, "", everyParticipant},
	MoveEdit:            {[]Stage{Committed, Active, Paused}, "", everyParticipant},
}

// callersOf returns whose call the move takes in the project's present stage.
func (p *Project) callersOf(move StageMove) callers {
	if move == MoveStop && p.Stage.Tentative() {
		return leadAlone
	}
	return stageMoves[move].callers
}

// StageChanged is a move that took effect.
type StageChanged struct {
	Move   StageMove `json:"move"`
	To     Stage     `json:"to"`
	From   Stage     `json:"from"`
	Reason string    `json:"reason,omitempty"`
}

func (e StageChanged) apply(world *World, header Header) {
	project := world.editProject(header.projectRef())
	project.Stage = e.To
	project.dropCalls(func(call OpenCall) bool { return !slices.Contains(stageMoves[call.Move].from, e.To) })
	if !e.To.Tentative() {
		project.LeadNomination = nil
	}
	project.Versions.count(header)
}

// DecideByMoved follows the last call to move the decide-by date.
type DecideByMoved struct {
	To   Date `json:"to"`
	From Date `json:"from"`
}

func (e DecideByMoved) apply(world *World, header Header) {
	project := world.editProject(header.projectRef())
	project.DecideBy = e.To
	project.dropCalls(func(call OpenCall) bool { return call.Move == MoveDecideBy })
	project.Versions.count(header)
}
