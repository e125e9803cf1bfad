package http

import (
	"net/http"

	"tandem/api"
	"tandem/domain"
	"tandem/projections"
)

func milestoneRoutes() []*route {
	return []*route{
		readRoute("listMilestones", "/v1/agreements/{agreement}/projects/{project}/milestones", "The project's milestones, by due date and id", anyParticipant, projectVisible,
			api.Milestones{}, listMilestones, listParameters(stateFilters()...)...),
		createRoute("planMilestone", "/v1/agreements/{agreement}/projects/{project}/milestones", "Plan a milestone; a private one's id gets a suffix", participants, projectVisible,
			api.Milestone{}, command(planMilestone)),
		readRoute("getMilestone", "/v1/agreements/{agreement}/projects/{project}/milestones/{milestone}", "One milestone", anyParticipant, milestoneVisible, api.Milestone{}, getMilestone),
		changeRoute(http.MethodPatch, "editMilestone", "/v1/agreements/{agreement}/projects/{project}/milestones/{milestone}", "Edit a milestone that is not delivered and has no baseline", owner, milestoneVisible,
			api.Milestone{}, command(editMilestone)),
		readRoute("getMilestoneDates", "/v1/agreements/{agreement}/projects/{project}/milestones/{milestone}/dates", "The milestone's proposed, agreed, planned, forecast and actual dates side by side, each with its moves and their reasons",
			anyParticipant, milestoneVisible, api.Dates{}, getMilestoneDates),
		{
			method: http.MethodGet, operationID: "getMilestoneHistory", path: "/v1/agreements/{agreement}/projects/{project}/milestones/{milestone}/history",
			summary: "Every event about the milestone that the caller may see, oldest first", callers: anyParticipant,
			visibleTo: milestoneVisible, responseBody: api.Events{}, query: feedParameters(), feed: true, handle: computed(milestoneHistory),
			success: []int{http.StatusOK, http.StatusNotModified},
		},
	}
}

func stateFilters() []parameter {
	var states, healths []string
	for _, state := range domain.MilestoneStates() {
		states = append(states, string(state))
	}
	for _, health := range domain.Healths() {
		healths = append(healths, string(health))
	}
	return []parameter{
		{name: "state", kind: "string", values: states, doc: "Milestones in this state."},
		{name: "health", kind: "string", values: healths, doc: "Milestones with this declared health."},
		{name: "role", kind: "string", values: []string{"owner", "acceptor"}, doc: "Milestones that the caller's partner owns, or accepts."},
		{name: "due_before", kind: "date", doc: "Milestones due before this date."},
		{name: "due_after", kind: "date", doc: "Milestones due after this date."},
		{name: "overdue", kind: "boolean", doc: "Milestones that are overdue, or are not."},
	}
}

func milestoneFilters() []parameter {
	return append([]parameter{
		{name: "agreement", kind: "string", doc: "Milestones of this agreement."},
		{name: "project", kind: "string", doc: "Milestones of projects with this id."},
	}, stateFilters()...)
}

// milestoneQuery parses the filters. A filter that the route does not declare is empty.
func (c *call) milestoneQuery() (projections.MilestoneQuery, error) {
	params, err := c.parseQuery()
	if err != nil {
		return projections.MilestoneQuery{}, err
	}
	allowed := func(name string) []string {
		for _, param := range stateFilters() {
			if param.name == name {
				return param.values
			}
		}
		return nil
	}
	query := projections.MilestoneQuery{
		Agreement: domain.AgreementID(params.slug("agreement")), Project: domain.ProjectID(params.slug("project")),
		State:  domain.MilestoneState(params.oneOf("state", allowed("state"))),
		Health: domain.Health(params.oneOf("health", allowed("health"))), Role: params.oneOf("role", allowed("role")),
		DueBefore: params.date("due_before"), DueAfter: params.date("due_after"), Overdue: params.boolean("overdue"),
		Limit: params.limit(), Cursor: params.values.Get("cursor"),
	}
	return query, params.err()
}

func listPartnerMilestones(req *call, view *projections.View) (projections.Answer, error) {
	query, err := req.milestoneQuery()
	if err != nil {
		return projections.Answer{}, err
	}
	list, next, err := view.Milestones(query)
	return projections.Answer{
		Version: view.Version(), Body: api.Milestones{Partner: req.caller.Partner, Milestones: list, NextCursor: next},
	}, err
}

func listMilestones(req *call, view *projections.View) (projections.Answer, error) {
	query, err := req.milestoneQuery()
	if err != nil {
		return projections.Answer{}, err
	}
	query.Agreement, query.Project = req.agreement(), req.project().Project
	list, next, err := view.Milestones(query)
	return projections.Answer{
		Version: view.AgreementVersion(query.Agreement), Agreement: query.Agreement,
		Body: api.Milestones{Partner: req.caller.Partner, Milestones: list, NextCursor: next},
	}, err
}

func getMilestone(req *call, view *projections.View) (projections.Answer, error) {
	if _, err := req.queryValues(); err != nil {
		return projections.Answer{}, err
	}
	return readMilestone(req.milestone())(view)
}

func getMilestoneDates(req *call, view *projections.View) (projections.Answer, error) {
	if _, err := req.queryValues(); err != nil {
		return projections.Answer{}, err
	}
	ref := req.milestone()
	dates, _ := view.Dates(ref) // exists: visibility was checked
	return projections.Answer{Version: view.AgreementVersion(ref.Agreement), Body: dates, Agreement: ref.Agreement}, nil
}

func getTrend(req *call, view *projections.View) (projections.Answer, error) {
	query, err := req.milestoneQuery()
	if err != nil {
		return projections.Answer{}, err
	}
	query.Agreement, query.Project = req.agreement(), req.project().Project
	list, next, err := view.Trend(query)
	return projections.Answer{
		Version: view.AgreementVersion(query.Agreement), Agreement: query.Agreement,
		Body: api.Trend{Agreement: query.Agreement, Project: query.Project, Milestones: list, NextCursor: next},
	}, err
}

func readMilestone(ref domain.MilestoneRef) resourceReader {
	return func(view *projections.View) (projections.Answer, error) {
		milestone, ok := view.Milestone(ref)
		if !ok {
			return projections.Answer{}, errNotFound
		}
		return projections.Answer{Version: milestone.Version, Body: milestone, Agreement: ref.Agreement}, nil
	}
}

func planMilestone(req *writeCall, body *api.NewMilestone) (*intent, error) {
	private, err := req.isPrivate(body.Audience)
	if err != nil {
		return nil, err
	}
	acceptors, err := chosenAcceptors(body.Acceptors, private)
	if err != nil {
		return nil, err
	}
	return req.create(string(body.ID), body.Title, "milestone", private, func(id string) (*intent, error) {
		project := req.project()
		ref := domain.MilestoneRef{Agreement: project.Agreement, Project: project.Project, Milestone: domain.MilestoneID(id)}
		return &intent{
			command: domain.PlanMilestone{MilestoneRef: ref, Private: private, Plan: domain.Plan{
				Title: body.Title, Description: body.Description, Owner: body.Owner, Acceptors: acceptors, DueOn: body.DueOn,
				Criteria: body.Criteria, Instrument: body.Instrument, ScheduleItem: body.ScheduleItem, Clause: body.Clause,
			}},
			status: http.StatusCreated, path: milestonePath(ref), read: readMilestone(ref),
		}, nil
	})
}

// chosenAcceptors returns the acceptors named by the client; nil: the default. An empty list is refused, because a
// shared milestone needs an acceptor.
func chosenAcceptors(named *[]domain.PartnerID, private bool) ([]domain.PartnerID, error) {
	if named == nil {
		return nil, nil
	}
	if len(*named) == 0 && !private {
		return nil, invalid(domain.FieldError{Field: "acceptors", Message: "name at least one"})
	}
	return *named, nil
}

func editMilestone(req *writeCall, body *api.MilestoneChange) (*intent, error) {
	if *body == (api.MilestoneChange{}) {
		return nil, errNothingToChange
	}
	return req.milestoneIntent(domain.EditMilestone{
		MilestoneRef: req.milestone(), Title: body.Title, Description: body.Description, Owner: body.Owner, Acceptors: body.Acceptors,
		DueOn: body.DueOn, Criteria: body.Criteria, Instrument: body.Instrument, ScheduleItem: body.ScheduleItem, Clause: body.Clause,
	}), nil
}

// milestoneIntent returns the intent of a command on the milestone in the path.
func (c *writeCall) milestoneIntent(command domain.Command) *intent {
	ref := c.milestone()
	return &intent{command: command, status: http.StatusOK, path: milestonePath(ref), read: readMilestone(ref)}
}
