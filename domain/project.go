package domain

import (
	"cmp"
	"slices"
	"strings"
)

// Project is joint work under an agreement.
//
// R6: the lead and the participants are parties of the agreement; the lead participates.
//
// R7: an exploration has a decide-by date and ends committed or stopped, with a reason. Committing,
// moving the decide-by date, completing, and stopping after commitment take effect when every
// participant has called them; the lead alone starts, pauses (with a reason), resumes, and stops
// an exploration. Passing decide-by decides nothing. A project that the parties announced as
// committed is created committed.
//
// R8: nothing can be delivered before the project is committed.
type Project struct {
	Ref          ProjectRef
	Title        string
	Description  string
	Area         string
	Stage        Stage
	Lead         PartnerID
	Participants []PartnerID
	Instrument   InstrumentID
	DecideBy     Date
	Calls        []Call // open ones, in the order of calling
	Seen         Seen
}

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
)

// Call is one participant's wish for a move that takes all of them.
type Call struct {
	Move     Move      `json:"move"`
	Partner  PartnerID `json:"partner"`
	Reason   string    `json:"reason,omitempty"`
	DecideBy Date      `json:"decide_by,omitzero"` // of MoveDecideBy
}

// Participant reports whether p takes part.
func (p *Project) Participant(id PartnerID) bool { return slices.Contains(p.Participants, id) }

// planning refuses to plan or start milestones in a project that rests or has ended.
func (p *Project) planning() error {
	switch p.Stage {
	case Paused:
		return conflict("project_paused", "Project %s is paused.", p.Ref.Project)
	case Completed, Stopped:
		return conflict("project_ended", "Project %s is %s.", p.Ref.Project, p.Stage)
	}
	return nil
}

func (p *Project) seen() *Seen {
	if p == nil {
		return nil
	}
	return &p.Seen
}

// CreateProject begins a project, exploring or committed.
type CreateProject struct {
	Ref          ProjectRef   `json:"ref"`
	Title        string       `json:"title"`
	Description  string       `json:"description,omitempty"`
	Area         string       `json:"area,omitempty"`
	Stage        Stage        `json:"stage"`
	Lead         PartnerID    `json:"lead"`
	Participants []PartnerID  `json:"participants"`
	Instrument   InstrumentID `json:"instrument,omitempty"`
	DecideBy     Date         `json:"decide_by,omitzero"`
}

// ProjectCreated is the first event of a project.
type ProjectCreated struct {
	Title        string       `json:"title"`
	Description  string       `json:"description,omitempty"`
	Area         string       `json:"area,omitempty"`
	Stage        Stage        `json:"stage"`
	Lead         PartnerID    `json:"lead"`
	Participants []PartnerID  `json:"participants"`
	Instrument   InstrumentID `json:"instrument,omitempty"`
	DecideBy     Date         `json:"decide_by,omitzero"`
}

// Stream implements Command.
func (c CreateProject) Stream() Stream {
	return Stream{Agreement: c.Ref.Agreement, Project: c.Ref.Project}
}

func (c CreateProject) decide(s State, m Meta) ([]Event, error) {
	a, err := partyTo(s, c.Ref.Agreement, m)
	if err != nil {
		return nil, err
	}
	if err := c.faults(a).err(); err != nil {
		return nil, err
	}
	if err := m.manager(); err != nil {
		return nil, err
	}
	if !slices.Contains(c.Participants, m.Actor.Partner) {
		return nil, forbidden("not_a_participant", "You create projects only in which your own partner takes part.")
	}
	if err := a.open(m.At); err != nil {
		return nil, err
	}
	if s.Project(c.Ref) != nil {
		return nil, conflict("project_exists", "Agreement %s has a project %s already.", a.ID, c.Ref.Project)
	}
	return shared("", ProjectCreated{
		c.Title, c.Description, c.Area, c.Stage, c.Lead, c.Participants, c.Instrument, c.DecideBy,
	}), nil
}

func (c CreateProject) faults(a *Agreement) (f faults) {
	f.slug("id", string(c.Ref.Project))
	f.text("title", c.Title, 200, true)
	f.text("description", c.Description, 10000, false)
	f.text("area", c.Area, 200, false)
	if c.Stage != Exploring && c.Stage != Committed {
		f.add("stage", "a project begins exploring or committed, not %q", c.Stage)
	}
	if c.Stage == Exploring && c.DecideBy == 0 {
		f.add("decide_by", "an exploration needs a date by which it is decided")
	}
	if len(c.Participants) < 2 {
		f.add("participants", "a joint project has at least two participants")
	}
	if p, twice := duplicate(c.Participants); twice {
		f.add("participants", "%s is named twice", p)
	}
	for _, p := range c.Participants {
		if !a.Party(p) {
			f.add("participants", "%s is not a party of the agreement", p)
		}
	}
	if !slices.Contains(c.Participants, c.Lead) {
		f.add("lead", "%q is not among the participants", c.Lead)
	}
	f.instrument(a, c.Instrument, "")
	return f
}

func (f *faults) instrument(a *Agreement, id InstrumentID, item ItemID) {
	if id == "" {
		if item != "" {
			f.add("schedule_item", "needs its instrument")
		}
		return
	}
	i := a.Instrument(id)
	if i == nil {
		f.add("instrument", "the agreement has no instrument %q", id)
		return
	}
	if item != "" && i.Item(item) == nil {
		f.add("schedule_item", "instrument %s has no item %q", id, item)
	}
}

func (e ProjectCreated) apply(w *World, h Header) {
	ref := h.project()
	p := w.editProject(ref)
	p.Ref, p.Title, p.Description, p.Area, p.Stage = ref, e.Title, e.Description, e.Area, e.Stage
	p.Lead, p.Participants, p.Instrument, p.DecideBy = e.Lead, e.Participants, e.Instrument, e.DecideBy
	p.Seen.Count(h.Audience, h.RecordedAt)
}

// EditProject replaces what is set; the lead edits. Setting DecideBy calls MoveDecideBy instead,
// which any participant may, and goes alone.
type EditProject struct {
	Ref         ProjectRef    `json:"ref"`
	Title       *string       `json:"title,omitempty"`
	Description *string       `json:"description,omitempty"`
	Area        *string       `json:"area,omitempty"`
	Instrument  *InstrumentID `json:"instrument,omitempty"`
	DecideBy    *Date         `json:"decide_by,omitempty"`
}

// ProjectFields is what EditProject can change.
type ProjectFields struct {
	Title       string       `json:"title"`
	Description string       `json:"description,omitempty"`
	Area        string       `json:"area,omitempty"`
	Instrument  InstrumentID `json:"instrument,omitempty"`
}

// ProjectEdited carries the fields after and before.
type ProjectEdited struct {
	To   ProjectFields `json:"to"`
	From ProjectFields `json:"from"`
}

// Stream implements Command.
func (c EditProject) Stream() Stream {
	return Stream{Agreement: c.Ref.Agreement, Project: c.Ref.Project}
}

func (c EditProject) target(s State) *Seen { return seenOf(s.Project(c.Ref)) }

func (c EditProject) decide(s State, m Meta) ([]Event, error) {
	a, p, err := participantIn(s, c.Ref, m)
	if err != nil {
		return nil, err
	}
	from := ProjectFields{p.Title, p.Description, p.Area, p.Instrument}
	to := from
	set(&to.Title, c.Title)
	set(&to.Description, c.Description)
	set(&to.Area, c.Area)
	set(&to.Instrument, c.Instrument)
	if err := c.faults(a, to).err(); err != nil {
		return nil, err
	}
	if c.DecideBy != nil {
		return CallStage{Ref: c.Ref, Move: MoveDecideBy, DecideBy: *c.DecideBy}.decide(s, m)
	}
	if err := leads(p, m); err != nil {
		return nil, err
	}
	return shared("", ProjectEdited{To: to, From: from}), nil
}

func (c EditProject) faults(a *Agreement, to ProjectFields) (f faults) {
	f.text("title", to.Title, 200, true)
	f.text("description", to.Description, 10000, false)
	f.text("area", to.Area, 200, false)
	f.instrument(a, to.Instrument, "")
	if c.DecideBy != nil {
		f.date("decide_by", *c.DecideBy)
		if c.Title != nil || c.Description != nil || c.Area != nil || c.Instrument != nil {
			f.add("decide_by", "takes every participant's call, so it is changed alone")
		}
	}
	return f
}

// participantIn returns the project and its agreement if the actor may see them.
func participantIn(s State, ref ProjectRef, m Meta) (*Agreement, *Project, error) {
	a, p := s.Agreement(ref.Agreement), s.Project(ref)
	if a == nil || p == nil || !p.Participant(m.Actor.Partner) {
		return nil, nil, ErrNotFound()
	}
	return a, p, nil
}

func leads(p *Project, m Meta) error {
	if err := m.manager(); err != nil {
		return err
	}
	if p.Lead != m.Actor.Partner {
		return forbidden("not_lead", "Only the lead, %s, can do this.", p.Lead)
	}
	return nil
}

func (e ProjectEdited) apply(w *World, h Header) {
	p := w.editProject(h.project())
	p.Title, p.Description, p.Area, p.Instrument = e.To.Title, e.To.Description, e.To.Area, e.To.Instrument
	p.Seen.Count(h.Audience, h.RecordedAt)
}

// CallStage calls a move of a project. One that the lead may do alone happens at once; one that
// takes every participant happens with the last call.
type CallStage struct {
	Ref      ProjectRef `json:"ref"`
	Move     Move       `json:"move"`
	Reason   string     `json:"reason,omitempty"`
	DecideBy Date       `json:"decide_by,omitzero"` // of MoveDecideBy
}

// StageCalled is one participant's call.
type StageCalled struct {
	Call Call `json:"call"`
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
	Commit:       {[]Stage{Exploring}, Committed, false},
	Start:        {[]Stage{Committed}, Active, true},
	Pause:        {[]Stage{Active}, Paused, true},
	Resume:       {[]Stage{Paused}, Active, true},
	Complete:     {[]Stage{Active}, Completed, false},
	Stop:         {[]Stage{Exploring, Committed, Active, Paused}, Stopped, false},
	MoveDecideBy: {[]Stage{Exploring}, Exploring, false},
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
	if err := c.faults().err(); err != nil {
		return nil, err
	}
	alone := moves[c.Move].lead || (c.Move == Stop && p.Stage == Exploring)
	if alone {
		err = leads(p, m)
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
	return c.call(p, m)
}

func (c CallStage) faults() (f faults) {
	if _, known := moves[c.Move]; !known {
		f.add("move", "%q is not a move", c.Move)
	}
	f.text("reason", c.Reason, 2000, c.Move == Stop || c.Move == Pause)
	switch {
	case c.Move == MoveDecideBy:
		f.date("decide_by", c.DecideBy)
	case c.DecideBy != 0:
		f.add("decide_by", "goes with move_decide_by only")
	}
	return f
}

func (c CallStage) allowed(a *Agreement, p *Project, m Meta) error {
	if !slices.Contains(moves[c.Move].from, p.Stage) {
		return conflict("wrong_stage", "Project %s is %s; %s is not possible from there.",
			p.Ref.Project, p.Stage, strings.ReplaceAll(string(c.Move), "_", "-"))
	}
	if c.Move == Commit || c.Move == Start || c.Move == Resume || c.Move == MoveDecideBy {
		return a.open(m.At)
	}
	return nil
}

// effect is what happens once the move has all it takes.
func (c CallStage) effect(p *Project) Payload {
	if c.Move == MoveDecideBy {
		return DecideByMoved{To: c.DecideBy, From: p.DecideBy}
	}
	return StageChanged{Move: c.Move, To: moves[c.Move].to, From: p.Stage, Reason: c.Reason}
}

func (c CallStage) call(p *Project, m Meta) ([]Event, error) {
	called, move := 1, c
	for _, open := range p.Calls {
		switch {
		case open.Move != c.Move || open.DecideBy != c.DecideBy:
		case open.Partner == m.Actor.Partner:
			return nil, conflict("already_called", "%s has called this already; the others have not.", m.Actor.Partner)
		default:
			called++
			move.Reason = cmp.Or(move.Reason, open.Reason)
		}
	}
	events := shared("", StageCalled{Call{c.Move, m.Actor.Partner, c.Reason, c.DecideBy}})
	if called == len(p.Participants) {
		events = append(events, shared("", move.effect(p))...)
	}
	return events, nil
}

func (e StageCalled) apply(w *World, h Header) {
	p := w.editProject(h.project())
	p.Calls = with(slices.DeleteFunc(slices.Clone(p.Calls), func(c Call) bool {
		return c.Move == e.Call.Move && c.Partner == e.Call.Partner
	}), e.Call)
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
