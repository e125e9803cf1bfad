package domain

import "slices"

// Project is joint work under an agreement.
//
// R6: the lead and the participants are parties of the agreement; the lead participates.
//
// R7: an exploration has a decide-by date and ends committed or stopped, with a reason. Committing,
// moving the decide-by date, completing, and stopping after commitment take effect when every
// participant has called them; the lead alone starts, pauses (with a reason), resumes, and stops
// an exploration. A decide-by date is not in the past; passing it decides nothing. A project that the parties
// announced as committed is created committed. A party of the agreement joins when every participant has
// called it; nobody leaves.
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
	Calls        []Call           // open ones, in the order of calling
	Changes      []*ChangeRequest // by number; replaced, never changed
	Seen         Seen
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
	a, err := readerOf(s, c.Ref.Agreement, m)
	if err != nil {
		return nil, err
	}
	f := c.faults(a, m)
	f.decideBy(c.DecideBy, m)
	if err := f.err(); err != nil {
		return nil, err
	}
	if err := m.manager(); err != nil {
		return nil, err
	}
	if !slices.Contains(c.Participants, m.Actor.Partner) {
		return nil, forbidden("not_a_participant", "You create projects only in which your own partner takes part.")
	}
	if err := a.open(m); err != nil {
		return nil, err
	}
	if s.Project(c.Ref) != nil {
		return nil, conflict("project_exists", "Agreement %s has a project %s already.", a.ID, c.Ref.Project)
	}
	return shared("", ProjectCreated{
		c.Title, c.Description, c.Area, c.Stage, c.Lead, c.Participants, c.Instrument, c.DecideBy,
	}), nil
}

func (c CreateProject) faults(a *Agreement, m Meta) (f faults) {
	f.slug("id", string(c.Ref.Project))
	f.line("title", c.Title, 200, true)
	f.text("description", c.Description, 10000, false)
	f.line("area", c.Area, 200, false)
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
		if !slices.Contains(a.present(a.Terms.Parties, m.At), p) {
			f.add("participants", "%s is not a party of the agreement", p)
		}
	}
	if !slices.Contains(c.Participants, c.Lead) {
		f.add("lead", "%q is not among the participants", c.Lead)
	}
	f.instrument(a, c.Instrument, "")
	return f
}

// decideBy checks a date of decision that is given.
func (f *faults) decideBy(on Date, m Meta) {
	if on != 0 && on < m.Today {
		f.add("decide_by", "%s is in the past", on)
	}
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
	// Participants calls AddParticipants instead: all who take part, the present ones and who joins.
	Participants *[]PartnerID `json:"participants,omitempty"`
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
	f := c.faults(a.As(m.Actor.Partner, m.At), to)
	add := c.added(p, &f)
	if err := f.err(); err != nil {
		return nil, err
	}
	if c.DecideBy != nil {
		return CallStage{Ref: c.Ref, Move: MoveDecideBy, DecideBy: *c.DecideBy}.decide(s, m)
	}
	if c.Participants != nil {
		return CallStage{Ref: c.Ref, Move: AddParticipants, Add: add}.decide(s, m)
	}
	if err := leads(a, p, m); err != nil {
		return nil, err
	}
	return shared("", ProjectEdited{To: to, From: from}), nil
}

// added returns who is to take part and does not yet.
func (c EditProject) added(p *Project, f *faults) []PartnerID {
	if c.Participants == nil {
		return nil
	}
	if c.Title != nil || c.Description != nil || c.Area != nil || c.Instrument != nil || c.DecideBy != nil {
		f.add("participants", "take every participant's call, so they are changed alone")
	}
	for _, x := range p.Participants {
		if !slices.Contains(*c.Participants, x) {
			f.add("participants", "nobody is left out: %s takes part", x)
		}
	}
	return slices.DeleteFunc(slices.Clone(*c.Participants), p.Participant)
}

func (c EditProject) faults(a *Agreement, to ProjectFields) (f faults) {
	f.line("title", to.Title, 200, true)
	f.text("description", to.Description, 10000, false)
	f.line("area", to.Area, 200, false)
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

// leads refuses all but a manager of the lead. When the lead has withdrawn from the agreement any participant that
// has not does its work, since nobody else could.
func leads(a *Agreement, p *Project, m Meta) error {
	if err := m.manager(); err != nil {
		return err
	}
	if p.Lead != m.Actor.Partner && (!a.Left(p.Lead, m.At) || a.Left(m.Actor.Partner, m.At)) {
		return forbidden("not_lead", "Only the lead, %s, can do this.", p.Lead)
	}
	return nil
}

func (e ProjectEdited) apply(w *World, h Header) {
	p := w.editProject(h.project())
	p.Title, p.Description, p.Area, p.Instrument = e.To.Title, e.To.Description, e.To.Area, e.To.Instrument
	p.Seen.Count(h.Audience, h.RecordedAt)
}
