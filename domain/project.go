package domain

import "slices"

// Project is joint work under an agreement.
//
// R6: the lead and the participants are parties of the agreement; the lead is a participant.
//
// R7: a new project is proposed, or an exploration with a decide-by date. Committing, moving the decide-by
// date, adding participants, changing the lead, leaving, completing, and, after the commitment, stopping and editing
// take effect when every participant has called them with the same values. A project that is created as committed
// is proposed with its creator's call. Until the commitment each participant can decline the project, with a
// reason, which ends it. Completing and stopping state how the open milestones end, see [Disposition]. The
// lead alone starts, pauses (with a reason), resumes, and stops what is not committed; a partner that another
// one names as lead agrees by its call to commit. A decide-by date is not in the past when it is set; passing
// it has no effect. A partner leaves while it neither leads the project nor owns or accepts an open milestone,
// and at least two others remain.
//
// R8: a milestone that serves an item of a supply or of a patent assignment is not delivered before the project is
// committed; results of an exploration are.
type Project struct {
	Ref            ProjectRef
	Title          string
	Description    string
	Area           string
	Stage          Stage
	Lead           PartnerID
	LeadNomination *Nomination // nil: the lead has agreed; replaced, never modified
	Participants   []PartnerID
	Instrument     InstrumentID
	DecideBy       Date
	Calls          []OpenCall       // oldest first
	Changes        []*ChangeRequest // by number; an entry is replaced, never modified
	Versions       Versions
}

// Participant reports whether the partner takes part.
func (p *Project) Participant(id PartnerID) bool { return slices.Contains(p.Participants, id) }

// requirePlanning refuses to plan or start milestones in a project that is paused or has ended.
func (p *Project) requirePlanning() error {
	if p.Stage == Paused {
		return conflict("project_paused", "Project %s is paused; resume it first.", p.Ref.Project)
	}
	return p.requireNotEnded()
}

func (p *Project) requireNotEnded() error {
	if p.Stage.Final() {
		return conflict("project_ended", "Project %s is %s.", p.Ref.Project, p.Stage)
	}
	return nil
}

func (p *Project) versions() *Versions {
	if p == nil {
		return nil
	}
	return &p.Versions
}

// CreateProject creates a project, proposed or exploring. Committed means proposed with the creator's call to
// commit.
type CreateProject struct {
	ProjectRef   `json:"ref"`
	Title        string       `json:"title"`
	Description  string       `json:"description,omitempty"`
	Area         string       `json:"area,omitempty"`
	Stage        Stage        `json:"stage"`
	Lead         PartnerID    `json:"lead"`
	Participants []PartnerID  `json:"participants"`
	Instrument   InstrumentID `json:"instrument,omitempty"`
	DecideBy     Date         `json:"decide_by,omitzero"`
}

// ProjectCreated is the first event of a project. Its stage is committed only in histories from before proposals.
type ProjectCreated struct {
	Title        string       `json:"title"`
	Description  string       `json:"description,omitempty"`
	Area         string       `json:"area,omitempty"`
	Stage        Stage        `json:"stage"`
	Lead         PartnerID    `json:"lead"`
	Participants []PartnerID  `json:"participants"`
	Instrument   InstrumentID `json:"instrument,omitempty"`
	DecideBy     Date         `json:"decide_by,omitzero"`
	LeadAsked    bool         `json:"lead_asked,omitempty"` // another partner named the lead, which has not agreed yet
}

func (c CreateProject) target(State) *Versions { return nil }

func (c CreateProject) decide(state State, dc DecisionContext) ([]Event, error) {
	agreement, err := findAgreement(state, c.ProjectRef.Agreement, dc)
	if err != nil {
		return nil, err
	}
	check := c.validate(agreement, dc)
	check.decideByDate(c.DecideBy, dc)
	check.instrumentRunning(agreement, c.Instrument, dc)
	if err := check.err(); err != nil {
		return nil, err
	}
	if err := dc.requireManager(); err != nil {
		return nil, err
	}
	if !slices.Contains(c.Participants, dc.Actor.Partner) {
		return nil, forbidden("not_a_participant", "A manager can create only projects in which its own partner takes part; add it to the participants.")
	}
	if err := agreement.requireOpen(dc); err != nil {
		return nil, err
	}
	if state.Project(c.ProjectRef) != nil {
		return nil, conflict("project_exists", "Agreement %s already has a project %s; choose another id.", agreement.ID, c.ProjectRef.Project)
	}
	return c.events(dc), nil
}

func (c CreateProject) events(dc DecisionContext) []Event {
	stage, creator := c.Stage, dc.Actor.Partner
	if stage == Committed {
		stage = Proposed
	}
	events := sharedEvents("", ProjectCreated{
		c.Title, c.Description, c.Area, stage, c.Lead, c.Participants, c.Instrument, c.DecideBy, c.Lead != creator,
	})
	if c.Stage == Committed {
		events = append(events, sharedEvents("", StageCalled{Call: Call{Move: MoveCommit, Partner: creator}})...)
	}
	return events
}

func (c CreateProject) validate(agreement *Agreement, dc DecisionContext) (check validation) {
	check.slug("id", string(c.ProjectRef.Project))
	check.line("title", c.Title, 200, true)
	check.text("description", c.Description, 10000, false)
	check.line("area", c.Area, 200, false)
	if !c.Stage.Tentative() && c.Stage != Committed {
		check.add("stage", "a project cannot start as %q; use proposed, exploring or committed", c.Stage)
	}
	if c.Stage == Exploring && c.DecideBy == 0 {
		check.add("decide_by", "required for an exploring project")
	}
	if len(c.Participants) < 2 {
		check.add("participants", "name at least two")
	}
	if partner, twice := duplicate(c.Participants); twice {
		check.add("participants", "%s is named twice; name it once", partner)
	}
	for _, partner := range c.Participants {
		if !slices.Contains(agreement.present(agreement.Terms.Parties, dc.At), partner) {
			check.add("participants", "%s is not a party of the agreement; name parties", partner)
		}
	}
	if !slices.Contains(c.Participants, c.Lead) {
		check.add("lead", "%q is not among the participants; name one of them", c.Lead)
	}
	check.instrumentRef(agreement, dc.Actor.Partner, c.Instrument)
	return check
}

// decideByDate refuses a date in the past; zero is valid.
func (v *validation) decideByDate(on Date, dc DecisionContext) {
	if on != 0 && on < dc.Today {
		v.add("decide_by", "%s is in the past; use today or a later date", on)
	}
}

func (e ProjectCreated) apply(world *World, header Header) {
	ref := header.projectRef()
	project := world.editProject(ref)
	project.Ref, project.Title, project.Description, project.Area, project.Stage = ref, e.Title, e.Description, e.Area, e.Stage
	project.Lead, project.Participants, project.Instrument, project.DecideBy = e.Lead, e.Participants, e.Instrument, e.DecideBy
	project.LeadNomination = nominationBy(header, e.LeadAsked)
	project.Versions.count(header)
}

// EditProject replaces the fields that are not nil. Before the commitment only the lead edits, and an edit voids the
// other participants' calls to commit; afterwards an edit becomes a call that any participant may make. So does a
// DecideBy, Participants or Lead, which must be the only field.
type EditProject struct {
	ProjectRef  `json:"ref"`
	Title       *string       `json:"title,omitempty"`
	Description *string       `json:"description,omitempty"`
	Area        *string       `json:"area,omitempty"`
	Instrument  *InstrumentID `json:"instrument,omitempty"`
	DecideBy    *Date         `json:"decide_by,omitempty"`
	// Participants calls MoveAddParticipants: all participants, present and new.
	Participants *[]PartnerID `json:"participants,omitempty"`
	Lead         *PartnerID   `json:"lead,omitempty"`
}

// ProjectFields are the fields of a project that both the lead's edit and [MoveEdit] change.
type ProjectFields struct {
	Title       string       `json:"title"`
	Description string       `json:"description,omitempty"`
	Area        string       `json:"area,omitempty"`
	Instrument  InstrumentID `json:"instrument,omitempty"`
}

// ProjectEdit is an edit that a [MoveEdit] calls: the new and the old fields.
type ProjectEdit struct {
	To   ProjectFields `json:"to"`
	From ProjectFields `json:"from"`
}

// ProjectEdited carries the new and the old fields, and the partners whose calls to commit it voided.
type ProjectEdited struct {
	To     ProjectFields `json:"to"`
	From   ProjectFields `json:"from"`
	Voided []PartnerID   `json:"voided,omitempty"`
}

func (c EditProject) decide(state State, dc DecisionContext) ([]Event, error) {
	agreement, project, err := findProject(state, c.ProjectRef, dc)
	if err != nil {
		return nil, err
	}
	from := ProjectFields{project.Title, project.Description, project.Area, project.Instrument}
	to := from
	if shown, _, _ := agreement.DisclosedRefs(dc.Actor.Partner, from.Instrument, "", ""); c.Instrument != nil && *c.Instrument == shown {
		c.Instrument = nil // as the partner sees it, this changes no instrument
	}
	set(&to.Title, c.Title)
	set(&to.Description, c.Description)
	set(&to.Area, c.Area)
	set(&to.Instrument, c.Instrument)
	check := c.validate(agreement.ViewFor(dc.Actor.Partner, dc.At), to, dc)
	if to.Instrument != from.Instrument {
		check.instrumentRunning(agreement, to.Instrument, dc)
	}
	call, called := c.call(project, &check)
	if err := check.err(); err != nil {
		return nil, err
	}
	if called {
		return call.decide(state, dc)
	}
	if project.Stage.Tentative() {
		err = requireLead(agreement, project, dc)
	} else {
		err = dc.requireManager()
	}
	if err != nil {
		return nil, err
	}
	if to == from {
		return nil, conflict("nothing_changes", "Project %s already has these values; change at least one.", project.Ref.Project)
	}
	event := ProjectEdited{To: to, From: from}
	if !project.Stage.Tentative() {
		return CallStage{ProjectRef: c.ProjectRef, Move: MoveEdit, Edit: &ProjectEdit{to, from}}.decide(state, dc)
	}
	for _, open := range project.Calls {
		if open.Move == MoveCommit && open.Partner != dc.Actor.Partner {
			event.Voided = append(event.Voided, open.Partner)
		}
	}
	return sharedEvents("", event), nil
}

// call returns the call that the edit makes, or false if it makes none.
func (c EditProject) call(project *Project, check *validation) (call CallStage, called bool) {
	call.ProjectRef = c.ProjectRef
	fields := map[string]bool{
		"title": c.Title != nil, "description": c.Description != nil, "area": c.Area != nil, "instrument": c.Instrument != nil,
		"decide_by": c.DecideBy != nil, "participants": c.Participants != nil, "lead": c.Lead != nil,
	}
	given := 0
	for _, present := range fields {
		if present {
			given++
		}
	}
	for _, field := range []string{"decide_by", "participants", "lead"} {
		if fields[field] && given > 1 {
			check.add(field, "takes the call of every participant; change it in a request of its own")
		}
	}
	switch {
	case c.DecideBy != nil:
		check.requiredDate("decide_by", *c.DecideBy)
		call.Move, call.DecideBy = MoveDecideBy, *c.DecideBy
	case c.Participants != nil:
		call.Move, call.Add = MoveAddParticipants, c.addedParticipants(project, check)
	case c.Lead != nil:
		call.Move, call.Lead = MoveChangeLead, *c.Lead
	}
	return call, call.Move != ""
}

// addedParticipants returns the listed partners that do not take part yet.
func (c EditProject) addedParticipants(project *Project, check *validation) []PartnerID {
	for _, partner := range project.Participants {
		if !slices.Contains(*c.Participants, partner) {
			check.add("participants", "%s already takes part and cannot be removed; include it", partner)
		}
	}
	return slices.DeleteFunc(slices.Clone(*c.Participants), project.Participant)
}

func (c EditProject) validate(agreement *Agreement, to ProjectFields, dc DecisionContext) (check validation) {
	check.line("title", to.Title, 200, true)
	check.text("description", to.Description, 10000, false)
	check.line("area", to.Area, 200, false)
	if c.Instrument != nil {
		check.instrumentRef(agreement, dc.Actor.Partner, to.Instrument)
	}
	return check
}

// findProject returns the project and its agreement, or not found if the actor may not see them.
func findProject(state State, ref ProjectRef, dc DecisionContext) (*Agreement, *Project, error) {
	agreement, project := state.Agreement(ref.Agreement), state.Project(ref)
	if agreement == nil || project == nil || !project.Participant(dc.Actor.Partner) {
		return nil, nil, ErrNotFound()
	}
	return agreement, project, nil
}

// requireLead refuses all actors but a manager of the lead. If the lead has left the agreement, any participant
// that has not left takes its place.
func requireLead(agreement *Agreement, project *Project, dc DecisionContext) error {
	if err := dc.requireManager(); err != nil {
		return err
	}
	if project.Lead != dc.Actor.Partner && (!agreement.HasLeft(project.Lead, dc.At) || agreement.HasLeft(dc.Actor.Partner, dc.At)) {
		return forbidden("not_lead", "Only the lead, %s, can do this.", project.Lead)
	}
	return nil
}

func (e ProjectEdited) apply(world *World, header Header) {
	project := world.editProject(header.projectRef())
	project.Title, project.Description, project.Area, project.Instrument = e.To.Title, e.To.Description, e.To.Area, e.To.Instrument
	project.dropCalls(func(call OpenCall) bool {
		return call.Move == MoveEdit || (call.Move == MoveCommit && slices.Contains(e.Voided, call.Partner))
	})
	project.Versions.count(header)
}
