package http

import (
	"net/http"
	"slices"

	"tandem/api"
	"tandem/domain"
	"tandem/projections"
)

func projectRoutes() []*route {
	move := func(path, summary, callers string) *route {
		call := lastSegment(path)
		return changeRoute(http.MethodPost, call+"Project", path, summary, callers, projectVisible, api.Project{}, command(moveProject(domain.StageMove(call))))
	}
	end := func(path, summary string) *route {
		call := lastSegment(path)
		return changeRoute(http.MethodPost, call+"Project", path, summary, participants, projectVisible, api.Project{}, command(endProject(domain.StageMove(call))))
	}
	leave := changeRoute(http.MethodPost, "leaveProject", "/v1/agreements/{agreement}/projects/{project}/leave",
		"Call the end of a partner's participation; requires every participant; refused while the partner leads the project, or owns or accepts open milestones",
		participants, projectVisible, api.Project{}, command(leaveProject))
	leave.success = append(leave.success, http.StatusNoContent) // with the last call, the partner that left no longer sees the project
	return []*route{
		readRoute("listProjects", "/v1/agreements/{agreement}/projects", "The projects of the caller's partner", anyParty, agreementVisible,
			api.Projects{}, listProjects, listParameters()...),
		createRoute("createProject", "/v1/agreements/{agreement}/projects", "Create a project; its id gets a suffix if a party does not take part, or if the caller joined the agreement by an amendment", "a manager of a participant", agreementVisible, api.Project{}, command(createProject)),
		readRoute("getProject", "/v1/agreements/{agreement}/projects/{project}", "One project; pending and pending_calls show open calls", anyParticipant, projectVisible, api.Project{}, getProject),
		changeRoute(http.MethodPatch, "editProject", "/v1/agreements/{agreement}/projects/{project}", "Edit a project (the lead), or call a new decide_by, more participants or another lead (every participant); pending_calls of the response shows such a call until it takes effect",
			participants, projectVisible, api.Project{}, command(editProject)),
		readRoute("getProjectStatus", "/v1/agreements/{agreement}/projects/{project}/status", "Counts over the project", anyParticipant, projectVisible, api.ProjectStatus{}, getProjectStatus),
		readRoute("getTrend", "/v1/agreements/{agreement}/projects/{project}/trend", "The dates of the project's milestones side by side, each with its moves and their reasons", anyParticipant, projectVisible,
			api.Trend{}, getTrend, listParameters(stateFilters()...)...),
		move("/v1/agreements/{agreement}/projects/{project}/commit", "Call the commitment of a proposal or an exploration; requires every participant", participants),
		changeRoute(http.MethodPost, "declineProject", "/v1/agreements/{agreement}/projects/{project}/decline", "Decline a project that is not committed, with a reason; final",
			participants, projectVisible, api.Project{}, command(declineProject)),
		changeRoute(http.MethodPost, "changeProjectLead", "/v1/agreements/{agreement}/projects/{project}/change-lead", "Call another lead; requires every participant",
			participants, projectVisible, api.Project{}, command(changeProjectLead)),
		leave,
		move("/v1/agreements/{agreement}/projects/{project}/start", "Start a committed project", lead),
		move("/v1/agreements/{agreement}/projects/{project}/pause", "Pause an active project, with a reason", lead),
		move("/v1/agreements/{agreement}/projects/{project}/resume", "Resume a paused project", lead),
		end("/v1/agreements/{agreement}/projects/{project}/complete", "Call the completion, with the disposition of each open milestone; requires every participant"),
		end("/v1/agreements/{agreement}/projects/{project}/stop", "Call a stop, with a reason and the disposition of each open milestone; the lead alone stops a project that is not committed"),
	}
}

func listProjects(req *call, view *projections.View) (projections.Answer, error) {
	query, err := req.parseQuery()
	if err != nil {
		return projections.Answer{}, err
	}
	list, next := paginate(query, view.Projects(req.agreement()), func(project api.Project) string { return string(project.ID) })
	return projections.Answer{
		Version: view.AgreementVersion(req.agreement()), Agreement: req.agreement(),
		Body: api.Projects{Agreement: req.agreement(), Projects: list, NextCursor: next},
	}, query.err()
}

func getProject(req *call, view *projections.View) (projections.Answer, error) {
	if _, err := req.queryValues(); err != nil {
		return projections.Answer{}, err
	}
	return readProject(req.project())(view)
}

func readProject(ref domain.ProjectRef) resourceReader {
	return func(view *projections.View) (projections.Answer, error) {
		project, ok := view.Project(ref.Agreement, ref.Project)
		if !ok {
			return projections.Answer{}, errNotFound
		}
		return projections.Answer{Version: project.Version, Body: project, Agreement: ref.Agreement}, nil
	}
}

func getProjectStatus(req *call, view *projections.View) (projections.Answer, error) {
	if _, err := req.queryValues(); err != nil {
		return projections.Answer{}, err
	}
	status, _ := view.ProjectStatus(req.agreement(), req.project().Project)
	return projections.Answer{Version: view.AgreementVersion(req.agreement()), Body: status, Agreement: req.agreement()}, nil
}

func createProject(req *writeCall, body *api.NewProject) (*intent, error) {
	return req.create(string(body.ID), body.Title, "project", req.mustHideID(body.Participants), func(id string) (*intent, error) {
		ref := domain.ProjectRef{Agreement: req.agreement(), Project: domain.ProjectID(id)}
		return &intent{
			command: domain.CreateProject{
				ProjectRef: ref, Title: body.Title, Description: body.Description, Area: body.Area, Stage: body.Stage, Lead: body.Lead,
				Participants: body.Participants, Instrument: body.Instrument, DecideBy: body.DecideBy,
			},
			status: http.StatusCreated, path: projectPath(ref), read: readProject(ref),
		}, nil
	})
}

// mustHideID reports whether the project's id needs a suffix, because a party could otherwise detect a project by
// creating one with its id: a party outside the participants, or the caller, if it joined the agreement and does not
// see earlier projects.
func (c *writeCall) mustHideID(participants []domain.PartnerID) (must bool) {
	_ = c.cfg.ReadModel.View(c.caller.Viewer, func(view *projections.View) error { // the function returns no error
		agreement, _ := view.Agreement(c.agreement())
		must = view.Joined(c.agreement()) ||
			slices.ContainsFunc(agreement.Parties, func(partner domain.PartnerID) bool { return !slices.Contains(participants, partner) })
		return nil
	})
	return must
}

func editProject(req *writeCall, body *api.ProjectChange) (*intent, error) {
	if *body == (api.ProjectChange{}) {
		return nil, errNothingToChange
	}
	ref := req.project()
	return &intent{
		command: domain.EditProject{
			ProjectRef: ref, Title: body.Title, Description: body.Description, Area: body.Area, Instrument: body.Instrument, DecideBy: body.DecideBy,
			Participants: body.Participants, Lead: body.Lead,
		},
		status: http.StatusOK, path: projectPath(ref), read: readProject(ref),
	}, nil
}

func moveProject(move domain.StageMove) func(*writeCall, *api.Moving) (*intent, error) {
	return func(req *writeCall, body *api.Moving) (*intent, error) {
		return req.projectIntent(domain.CallStage{Move: move, Reason: body.Reason, Withdraw: body.Withdraw}), nil
	}
}

func endProject(move domain.StageMove) func(*writeCall, *api.Ending) (*intent, error) {
	return func(req *writeCall, body *api.Ending) (*intent, error) {
		call := domain.CallStage{Move: move, Reason: body.Reason, Withdraw: body.Withdraw}
		for _, disposition := range body.Dispositions {
			call.Dispositions = append(call.Dispositions, domain.Disposition{
				Milestone: disposition.Milestone, State: disposition.Disposition, Reason: disposition.Reason,
			})
		}
		return req.projectIntent(call), nil
	}
}

// projectIntent returns the intent of a call on the project in the path.
func (c *writeCall) projectIntent(call domain.CallStage) *intent {
	call.ProjectRef = c.project()
	return &intent{command: call, status: http.StatusOK, path: projectPath(call.ProjectRef), read: readProject(call.ProjectRef)}
}

func declineProject(req *writeCall, body *api.Declining) (*intent, error) {
	return req.projectIntent(domain.CallStage{Move: domain.MoveDecline, Reason: body.Reason}), nil
}

func changeProjectLead(req *writeCall, body *api.LeadChange) (*intent, error) {
	return req.projectIntent(domain.CallStage{Move: domain.MoveChangeLead, Lead: body.Lead, Reason: body.Reason, Withdraw: body.Withdraw}), nil
}

func leaveProject(req *writeCall, body *api.Leaving) (*intent, error) {
	return req.projectIntent(domain.CallStage{Move: domain.MoveLeave, Leaving: body.Partner, Reason: body.Reason, Withdraw: body.Withdraw}), nil
}
