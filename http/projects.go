package http

import (
	"net/http"
	"slices"

	"tandem/domain"
	"tandem/projections"
)

func projectRoutes() []*route {
	const all = "/v1/agreements/{agreement}/projects"
	const one = all + "/{project}"
	routes := []*route{
		read("listProjects", all, "The projects that one's partner takes part in", anyParty, seesAgreement,
			projections.Projects{}, listProjects, lists()...),
		create("createProject", all, "Begin a project; its id gets a suffix when a party does not take part, or the caller joined the agreement by an amendment", "a manager of a participant", seesAgreement, projections.Project{}, writes(createProject)),
		read("getProject", one, "One project; pending shows who has called what", anyParticipant, seesProject, projections.Project{}, getProject),
		change(http.MethodPatch, "editProject", one, "Edit a project (the lead), or call a new decide_by or more participants (every participant)",
			participants, seesProject, projections.Project{}, writes(editProject)),
		read("getProjectStatus", one+"/status", "Counts over the project", anyParticipant, seesProject, projections.ProjectStatus{}, getProjectStatus),
		read("getTrend", one+"/trend", "The dates of the project's milestones side by side, each with its moves and their reasons", anyParticipant, seesProject,
			projections.Trend{}, getTrend, lists(stateFilters()...)...),
	}
	for _, m := range []struct {
		move             domain.Move
		summary, callers string
	}{
		{domain.Commit, "Call the commitment of an exploration; it takes every participant", participants},
		{domain.Start, "Start a committed project", lead},
		{domain.Pause, "Pause an active project, with a reason", lead},
		{domain.Resume, "Resume a paused project", lead},
		{domain.Complete, "Call the completion; it takes every participant", participants},
		{domain.Stop, "Call a stop, with a reason; an exploration is stopped by the lead alone", participants},
	} {
		routes = append(routes, change(http.MethodPost, string(m.move)+"Project", one+"/"+string(m.move), m.summary, m.callers,
			seesProject, projections.Project{}, writes(moveProject(m.move))))
	}
	return routes
}

func listProjects(q *call, v *projections.View) (projections.Answer, error) {
	a, err := q.asked()
	if err != nil {
		return projections.Answer{}, err
	}
	list, next := part(a, v.Projects(q.agreement()), func(p projections.Project) string { return string(p.ID) })
	return projections.Answer{
		Version: v.AgreementVersion(q.agreement()), Agreement: q.agreement(),
		Body: projections.Projects{Agreement: q.agreement(), Projects: list, NextCursor: next},
	}, a.err()
}

func getProject(q *call, v *projections.View) (projections.Answer, error) {
	if _, err := q.parameters(); err != nil {
		return projections.Answer{}, err
	}
	return readProject(q.project())(v)
}

func readProject(ref domain.ProjectRef) reader {
	return func(v *projections.View) (projections.Answer, error) {
		p, ok := v.Project(ref.Agreement, ref.Project)
		if !ok {
			return projections.Answer{}, errNotFound
		}
		return projections.Answer{Version: p.Version, Body: p, Agreement: ref.Agreement}, nil
	}
}

func getProjectStatus(q *call, v *projections.View) (projections.Answer, error) {
	if _, err := q.parameters(); err != nil {
		return projections.Answer{}, err
	}
	s, _ := v.ProjectStatus(q.agreement(), q.project().Project)
	return projections.Answer{Version: v.AgreementVersion(q.agreement()), Body: s, Agreement: q.agreement()}, nil
}

// NewProject is the body that begins a project.
type NewProject struct {
	ID           domain.ProjectID    `json:"id,omitempty" doc:"Derived from the title unless given."`
	Title        string              `json:"title" maxLength:"200"`
	Description  string              `json:"description,omitempty" maxLength:"10000"`
	Area         string              `json:"area,omitempty" maxLength:"200"`
	Stage        domain.Stage        `json:"stage" enum:"exploring,committed"`
	Lead         domain.PartnerID    `json:"lead"`
	Participants []domain.PartnerID  `json:"participants" minItems:"2"`
	Instrument   domain.InstrumentID `json:"instrument,omitempty" nullable:"true"`
	DecideBy     domain.Date         `json:"decide_by,omitzero" nullable:"true" doc:"An exploration needs one."`
}

func createProject(q *writing, b *NewProject) (*intent, error) {
	id := q.keys.given(string(b.ID), b.Title, "project", q.id)
	if q.probing(b.Participants) && domain.ValidSlug(id) {
		id = suffixed(id, q.keys.suffix("project", q.id, 0))
	}
	ref := domain.ProjectRef{Agreement: q.agreement(), Project: domain.ProjectID(id)}
	return &intent{
		command: domain.CreateProject{
			Ref: ref, Title: b.Title, Description: b.Description, Area: b.Area, Stage: b.Stage, Lead: b.Lead,
			Participants: b.Participants, Instrument: b.Instrument, DecideBy: b.DecideBy,
		},
		status: http.StatusCreated, path: projectPath(ref), read: readProject(ref),
	}, nil
}

// probing reports whether somebody could find out about a project by asking for its id: a party of the
// agreement that is not among the participants, or the caller itself, if it joined the agreement and
// does not see what the others had begun before, whose ids have no suffix.
func (q *writing) probing(participants []domain.PartnerID) (could bool) {
	_ = q.Image.View(q.who.Viewer, func(v *projections.View) error { // never an error
		a, _ := v.Agreement(q.agreement())
		could = v.Joined(q.agreement()) ||
			slices.ContainsFunc(a.Parties, func(p domain.PartnerID) bool { return !slices.Contains(participants, p) })
		return nil
	})
	return could
}

// ProjectChange is the body that edits a project; what is absent stays.
type ProjectChange struct {
	Title        *string              `json:"title,omitempty" maxLength:"200"`
	Description  *string              `json:"description,omitempty" maxLength:"10000"`
	Area         *string              `json:"area,omitempty" maxLength:"200"`
	Instrument   *domain.InstrumentID `json:"instrument,omitempty" nullable:"true"`
	DecideBy     *domain.Date         `json:"decide_by,omitempty" doc:"Takes every participant's call, and goes alone."`
	Participants *[]domain.PartnerID  `json:"participants,omitempty" minItems:"2" doc:"The present ones and who joins. Takes every participant's call, and goes alone."`
}

func editProject(q *writing, b *ProjectChange) (*intent, error) {
	if *b == (ProjectChange{}) {
		return nil, errNothingToChange
	}
	ref := q.project()
	return &intent{
		command: domain.EditProject{
			Ref: ref, Title: b.Title, Description: b.Description, Area: b.Area, Instrument: b.Instrument, DecideBy: b.DecideBy,
			Participants: b.Participants,
		},
		status: http.StatusOK, path: projectPath(ref), read: readProject(ref),
	}, nil
}

// Moving is the body that calls a move of a project.
type Moving struct {
	Reason   string `json:"reason,omitempty" maxLength:"2000" doc:"Needed to pause and to stop."`
	Withdraw bool   `json:"withdraw,omitempty" doc:"Takes one's own open call of this back."`
}

func moveProject(move domain.Move) func(*writing, *Moving) (*intent, error) {
	return func(q *writing, b *Moving) (*intent, error) {
		ref := q.project()
		return &intent{
			command: domain.CallStage{Ref: ref, Move: move, Reason: b.Reason, Withdraw: b.Withdraw},
			status:  http.StatusOK, path: projectPath(ref), read: readProject(ref),
		}, nil
	}
}
