package domain

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Stage is where a project stands.
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

// Move is a change of a project that somebody calls.
type Move string

// The moves of a project.
const (
	Commit       Move = "commit"
	Start        Move = "start"
	Pause        Move = "pause"
	Resume       Move = "resume"
	Complete     Move = "complete"
	Stop         Move = "stop"
	MoveDecideBy Move = "move_decide_by"
	// AddParticipants lets parties of the agreement take part.
	AddParticipants Move = "add_participants"
)

// Call is one participant's wish for a move that takes all of them.
type Call struct {
	Move     Move        `json:"move"`
	Partner  PartnerID   `json:"partner"`
	Reason   string      `json:"reason,omitempty"`
	DecideBy Date        `json:"decide_by,omitzero"` // of MoveDecideBy
	Add      []PartnerID `json:"add,omitempty"`      // of AddParticipants, sorted
}

// For reports whether two calls want the same.
func (c Call) For(o Call) bool {
	return c.Move == o.Move && c.DecideBy == o.DecideBy && slices.Equal(c.Add, o.Add)
}

// CallStage calls a move of a project. One that the lead may do alone happens at once; one that
// takes every participant happens with the last call.
type CallStage struct {
	Ref      ProjectRef  `json:"ref"`
	Move     Move        `json:"move"`
	Reason   string      `json:"reason,omitempty"`
	DecideBy Date        `json:"decide_by,omitzero"` // of MoveDecideBy
	Add      []PartnerID `json:"add,omitempty"`      // of AddParticipants
	// Withdraw takes the actor's own open call back: nobody is held to what it wanted when things were otherwise.
	Withdraw bool `json:"withdraw,omitempty"`
}

// StageCalled is one participant's call, or, when it is withdrawn, that it stands no more.
type StageCalled struct {
	Call      Call `json:"call"`
	Withdrawn bool `json:"withdrawn,omitempty"`
}

// StageChanged is the move itself.
type StageChanged struct {
	Move   Move   `json:"move"`
	To     Stage  `json:"to"`
	From   Stage  `json:"from"`
	Reason string `json:"reason,omitempty"`
}

// DecideByMoved follows the last call to move the date of decision.
type DecideByMoved struct {
	To   Date `json:"to"`
	From Date `json:"from"`
}

// moves says from which stages a move goes, where it leads, and whether the lead alone makes it.
var moves = map[Move]struct {
	from []Stage
	to   Stage
	lead bool
}{
	Commit:          {[]Stage{Exploring}, Committed, false},
	Start:           {[]Stage{Committed}, Active, true},
	Pause:           {[]Stage{Active}, Paused, true},
	Resume:          {[]Stage{Paused}, Active, true},
	Complete:        {[]Stage{Active}, Completed, false},
	Stop:            {[]Stage{Exploring, Committed, Active, Paused}, Stopped, false},
	MoveDecideBy:    {[]Stage{Exploring}, Exploring, false},
	AddParticipants: {[]Stage{Exploring, Committed, Active, Paused}, "", false},
}

// Stream implements Command.
func (c CallStage) Stream() Stream {
	return Stream{Agreement: c.Ref.Agreement, Project: c.Ref.Project}
}

func (c CallStage) target(s State) *Seen { return seenOf(s.Project(c.Ref)) }

func (c CallStage) decide(s State, m Meta) ([]Event, error) {
	a, p, err := participantIn(s, c.Ref, m)
	if err != nil {
		return nil, err
	}
	f := c.faults(a, p, m)
	f.decideBy(c.DecideBy, m)
	if err := f.err(); err != nil {
		return nil, err
	}
	if c.Withdraw {
		return c.withdrawn(p, m)
	}
	alone := moves[c.Move].lead || (c.Move == Stop && p.Stage == Exploring)
	if alone {
		err = leads(a, p, m)
	} else {
		err = m.manager()
	}
	if err != nil {
		return nil, err
	}
	if err := c.allowed(a, p, m); err != nil {
		return nil, err
	}
	if alone {
		return shared("", c.effect(p)), nil
	}
	return c.call(p, p.Callers(s, a, c.Move, m.At), m)
}

func (c CallStage) faults(a *Agreement, p *Project, m Meta) (f faults) {
	if _, known := moves[c.Move]; !known {
		f.add("move", "%q is not a move", c.Move)
	}
	f.text("reason", c.Reason, 2000, !c.Withdraw && (c.Move == Stop || c.Move == Pause))
	switch {
	case c.Move == MoveDecideBy:
		f.date("decide_by", c.DecideBy)
	case c.DecideBy != 0:
		f.add("decide_by", "goes with move_decide_by only")
	}
	if c.Withdraw && moves[c.Move].lead {
		f.add("withdraw", "goes with calls that wait for others; to %s happens at once", c.Move)
	}
	if c.Move != AddParticipants && len(c.Add) > 0 {
		f.add("participants", "go with add_participants only")
	}
	if c.Move == AddParticipants {
		f.joining(a, p, c.Add, m)
	}
	return f
}

// withdrawn takes the actor's call back.
func (c CallStage) withdrawn(p *Project, m Meta) ([]Event, error) {
	if err := m.manager(); err != nil {
		return nil, err
	}
	for _, open := range p.Calls {
		if open.Move == c.Move && open.Partner == m.Actor.Partner {
			open.Reason = c.Reason
			return shared("", StageCalled{open, true}), nil
		}
	}
	return nil, conflict("not_called", "%s has no open call to %s project %s.", m.Actor.Partner, c.Move, p.Ref.Project)
}

func (f *faults) joining(a *Agreement, p *Project, add []PartnerID, m Meta) {
	if len(add) == 0 {
		f.add("participants", "name nobody who does not take part already")
	}
	if x, twice := duplicate(add); twice {
		f.add("participants", "%s is named twice", x)
	}
	for _, x := range add {
		switch {
		case !slices.Contains(a.present(a.Terms.Parties, m.At), x):
			f.add("participants", "%s is not a party of the agreement", x)
		case p.Participant(x):
			f.add("participants", "%s takes part already", x)
		}
	}
}

func (c CallStage) allowed(a *Agreement, p *Project, m Meta) error {
	if !slices.Contains(moves[c.Move].from, p.Stage) {
		return conflict("wrong_stage", "Project %s is %s; %s is not possible from there.",
			p.Ref.Project, p.Stage, strings.ReplaceAll(string(c.Move), "_", "-"))
	}
	switch c.Move {
	case Commit, Start, Resume, MoveDecideBy, AddParticipants:
		return a.open(m)
	case Pause:
		return a.stays(m) // it could not resume
	}
	return nil
}

// effect is what happens once the move has all it takes.
func (c CallStage) effect(p *Project) Payload {
	switch c.Move {
	case MoveDecideBy:
		return DecideByMoved{To: c.DecideBy, From: p.DecideBy}
	case AddParticipants:
		return ParticipantsAdded{
			Added: c.Add, Participants: slices.Concat(p.Participants, c.Add), Title: p.Title, Stage: p.Stage, Lead: p.Lead,
			Reason: c.Reason,
		}
	}
	return StageChanged{Move: c.Move, To: moves[c.Move].to, From: p.Stage, Reason: c.Reason}
}

// Callers returns whose call a move takes: every participant's that has not withdrawn from the agreement, and
// to end the project theirs too who have, while something that was started is theirs to deliver or to
// decide (R4).
func (p *Project) Callers(s State, a *Agreement, move Move, at time.Time) []PartnerID {
	ids := a.present(p.Participants, at)
	if (move != Complete && move != Stop) || len(ids) == len(p.Participants) {
		return ids
	}
	for _, x := range s.Milestones(p.Ref) {
		if x.Audience != Shared || x.State == Planned || x.State.Final() {
			continue
		}
		for _, concerned := range x.Settlers() {
			if !slices.Contains(ids, concerned) {
				ids = with(ids, concerned)
			}
		}
	}
	return ids
}

func (c CallStage) call(p *Project, callers []PartnerID, m Meta) ([]Event, error) {
	move := c
	move.Add = slices.Clone(c.Add)
	slices.Sort(move.Add)
	mine := Call{c.Move, m.Actor.Partner, c.Reason, c.DecideBy, move.Add}
	missing, again := without(callers, m.Actor.Partner), false
	for _, open := range p.Calls {
		if !open.For(mine) {
			continue
		}
		again = again || open.Partner == m.Actor.Partner
		missing = without(missing, open.Partner)
		move.Reason = cmp.Or(move.Reason, open.Reason)
	}
	if again && len(missing) > 0 {
		return nil, conflict("already_called", "%s has called this already; the others have not.", m.Actor.Partner)
	}
	events := shared("", StageCalled{Call: mine})
	if len(missing) == 0 {
		events = append(events, shared("", move.effect(p))...)
	}
	return events, nil
}

func (e StageCalled) apply(w *World, h Header) {
	p := w.editProject(h.project())
	p.Calls = slices.DeleteFunc(slices.Clone(p.Calls), func(c Call) bool {
		return c.Move == e.Call.Move && c.Partner == e.Call.Partner
	})
	if !e.Withdrawn {
		p.Calls = append(p.Calls, e.Call)
	}
	p.Seen.Count(h.Audience, h.RecordedAt)
}

func (e StageChanged) apply(w *World, h Header) {
	p := w.editProject(h.project())
	p.Stage = e.To
	p.Calls = slices.DeleteFunc(slices.Clone(p.Calls), func(c Call) bool {
		return !slices.Contains(moves[c.Move].from, e.To)
	})
	p.Seen.Count(h.Audience, h.RecordedAt)
}

func (e DecideByMoved) apply(w *World, h Header) {
	p := w.editProject(h.project())
	p.DecideBy = e.To
	p.Calls = slices.DeleteFunc(slices.Clone(p.Calls), func(c Call) bool { return c.Move == MoveDecideBy })
	p.Seen.Count(h.Audience, h.RecordedAt)
}

// ParticipantsAdded follows the last call for it. It is the first event of the project that who joined
// sees: the milestones that all see it finds as they are now, their history it sees from now on, like
// that of the change requests that are open; those that are closed it does not see. Nobody's acceptors
// change. All that who joined is told of what was before is in this event.
type ParticipantsAdded struct {
	Added        []PartnerID `json:"added"`
	Participants []PartnerID `json:"participants"`
	Title        string      `json:"title"`
	Stage        Stage       `json:"stage"`
	Lead         PartnerID   `json:"lead"`
	Reason       string      `json:"reason,omitempty"`
}

func (e ParticipantsAdded) apply(w *World, h Header) {
	p := w.editProject(h.project())
	p.Participants = e.Participants
	p.Calls = slices.DeleteFunc(slices.Clone(p.Calls), func(c Call) bool { return c.Move == AddParticipants })
	p.Changes = slices.Clone(p.Changes)
	for i, c := range p.Changes {
		fresh := *c
		for _, x := range e.Added {
			fresh.Seen.join(x, h.RecordedAt)
			if c.State != ChangeOpen {
				fresh.Seen.leave(x)
			}
		}
		p.Changes[i] = &fresh
	}
	for _, m := range w.Milestones(h.project()) {
		if _, private := m.Audience.Private(); private || m.Ref.Milestone == "" { // a log of nonsense has some without an id
			continue
		}
		x := w.editMilestone(m.Ref)
		for _, joined := range e.Added {
			x.Seen.join(joined, h.RecordedAt)
		}
	}
	for _, x := range e.Added {
		p.Seen.join(x, h.RecordedAt)
	}
	p.Seen.Count(h.Audience, h.RecordedAt)
}
