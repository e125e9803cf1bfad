package http

import (
	"net/http"

	"tandem/domain"
	"tandem/projections"
)

const (
	milestonesPath = "/v1/agreements/{agreement}/projects/{project}/milestones"
	onePath        = milestonesPath + "/{milestone}"
)

func milestoneRoutes() []*route {
	return []*route{
		read("listMilestones", milestonesPath, "The project's milestones, by due date and id", anyParticipant, seesProject,
			projections.Milestones{}, listMilestones, lists(stateFilters()...)...),
		create("planMilestone", milestonesPath, "Plan a milestone; a private one's id gets a suffix", participants, seesProject,
			projections.Milestone{}, writes(planMilestone)),
		read("getMilestone", onePath, "One milestone", anyParticipant, seesMilestone, projections.Milestone{}, getMilestone),
		change(http.MethodPatch, "editMilestone", onePath, "Edit a milestone that is not delivered", owner, seesMilestone,
			projections.Milestone{}, writes(editMilestone)),
		read("getMilestoneDates", onePath+"/dates", "The milestone's proposed, agreed, planned, forecast and actual dates side by side, each with its moves and their reasons",
			anyParticipant, seesMilestone, projections.Dates{}, getMilestoneDates),
		{
			method: http.MethodGet, name: "getMilestoneHistory", path: onePath + "/history",
			summary: "Every event about the milestone that the caller may see, oldest first", callers: anyParticipant,
			sees: seesMilestone, answer: projections.Events{}, query: feeds(), feed: true, handle: computes(milestoneHistory),
			success: []int{http.StatusOK, http.StatusNotModified},
		},
	}
}

func stateFilters() []parameter {
	var states, healths []string
	for _, s := range domain.MilestoneStates() {
		states = append(states, string(s))
	}
	for _, h := range domain.Healths() {
		healths = append(healths, string(h))
	}
	return []parameter{
		{name: "state", kind: "string", values: states, doc: "Only those in this state."},
		{name: "health", kind: "string", values: healths, doc: "Only those with this declared health."},
		{name: "role", kind: "string", values: []string{"owner", "acceptor"}, doc: "Only those that one's partner owns, or accepts."},
		{name: "due_before", kind: "date", doc: "Only those due before this date."},
		{name: "due_after", kind: "date", doc: "Only those due after this date."},
		{name: "overdue", kind: "boolean", doc: "Only those that are overdue, or are not."},
	}
}

func milestoneFilters() []parameter {
	return append([]parameter{
		{name: "agreement", kind: "string", doc: "Only those under this agreement."},
		{name: "project", kind: "string", doc: "Only those of projects with this id."},
	}, stateFilters()...)
}

// milestoneQuery reads the filters; what the route does not have is not there.
func (q *call) milestoneQuery() (projections.MilestoneQuery, error) {
	a, err := q.asked()
	if err != nil {
		return projections.MilestoneQuery{}, err
	}
	allowed := func(name string) []string {
		for _, p := range stateFilters() {
			if p.name == name {
				return p.values
			}
		}
		return nil
	}
	mq := projections.MilestoneQuery{
		Agreement: domain.AgreementID(a.slug("agreement")), Project: domain.ProjectID(a.slug("project")),
		State:  domain.MilestoneState(a.oneOf("state", allowed("state"))),
		Health: domain.Health(a.oneOf("health", allowed("health"))), Role: a.oneOf("role", allowed("role")),
		DueBefore: a.date("due_before"), DueAfter: a.date("due_after"), Overdue: a.boolean("overdue"),
		Limit: a.limit(), Cursor: a.values.Get("cursor"),
	}
	return mq, a.err()
}

func listPartnerMilestones(q *call, v *projections.View) (projections.Answer, error) {
	mq, err := q.milestoneQuery()
	if err != nil {
		return projections.Answer{}, err
	}
	list, next, err := v.Milestones(mq)
	return projections.Answer{
		Version: v.Version(), Body: projections.Milestones{Partner: q.who.Partner, Milestones: list, NextCursor: next},
	}, err
}

func listMilestones(q *call, v *projections.View) (projections.Answer, error) {
	mq, err := q.milestoneQuery()
	if err != nil {
		return projections.Answer{}, err
	}
	mq.Agreement, mq.Project = q.agreement(), q.project().Project
	list, next, err := v.Milestones(mq)
	return projections.Answer{
		Version: v.AgreementVersion(mq.Agreement), Agreement: mq.Agreement,
		Body: projections.Milestones{Partner: q.who.Partner, Milestones: list, NextCursor: next},
	}, err
}

func getMilestone(q *call, v *projections.View) (projections.Answer, error) {
	if _, err := q.parameters(); err != nil {
		return projections.Answer{}, err
	}
	return readMilestone(q.milestone())(v)
}

func getMilestoneDates(q *call, v *projections.View) (projections.Answer, error) {
	if _, err := q.parameters(); err != nil {
		return projections.Answer{}, err
	}
	ref := q.milestone()
	dates, _ := v.Dates(ref) // it is there: the route has asked
	return projections.Answer{Version: v.AgreementVersion(ref.Agreement), Body: dates, Agreement: ref.Agreement}, nil
}

func getTrend(q *call, v *projections.View) (projections.Answer, error) {
	mq, err := q.milestoneQuery()
	if err != nil {
		return projections.Answer{}, err
	}
	mq.Agreement, mq.Project = q.agreement(), q.project().Project
	list, next, err := v.Trend(mq)
	return projections.Answer{
		Version: v.AgreementVersion(mq.Agreement), Agreement: mq.Agreement,
		Body: projections.Trend{Agreement: mq.Agreement, Project: mq.Project, Milestones: list, NextCursor: next},
	}, err
}

func readMilestone(ref domain.MilestoneRef) reader {
	return func(v *projections.View) (projections.Answer, error) {
		m, ok := v.Milestone(ref)
		if !ok {
			return projections.Answer{}, errNotFound
		}
		return projections.Answer{Version: m.Version, Body: m, Agreement: ref.Agreement}, nil
	}
}

// NewMilestone is the body that plans a milestone.
type NewMilestone struct {
	ID           domain.MilestoneID  `json:"id,omitempty" doc:"Derived from the title unless given."`
	Title        string              `json:"title" maxLength:"200"`
	Description  string              `json:"description,omitempty" maxLength:"10000"`
	Owner        domain.PartnerID    `json:"owner"`
	Acceptors    *[]domain.PartnerID `json:"acceptors,omitempty" minItems:"1" doc:"All other participants unless given; a private milestone has none."`
	DueOn        domain.Date         `json:"due_on"`
	Criteria     []string            `json:"criteria,omitempty" maxItems:"100"`
	Audience     domain.Audience     `json:"audience,omitempty" doc:"shared unless given, or private for one's own partner."`
	Instrument   domain.InstrumentID `json:"instrument,omitempty" nullable:"true"`
	ScheduleItem domain.ItemID       `json:"schedule_item,omitempty" nullable:"true"`
	Clause       string              `json:"clause,omitempty" nullable:"true" maxLength:"50" doc:"Of the instrument: the obligation that it serves."`
}

func planMilestone(q *writing, b *NewMilestone) (*intent, error) {
	private, err := q.audience(b.Audience)
	if err != nil {
		return nil, err
	}
	acceptors, err := chosen(b.Acceptors, private)
	if err != nil {
		return nil, err
	}
	id := q.keys.given(string(b.ID), b.Title, "milestone", q.id)
	if private && domain.ValidSlug(id) {
		id = suffixed(id, q.keys.suffix("milestone", q.id, 0))
	}
	p := q.project()
	ref := domain.MilestoneRef{Agreement: p.Agreement, Project: p.Project, Milestone: domain.MilestoneID(id)}
	return &intent{
		command: domain.PlanMilestone{Ref: ref, Private: private, Plan: domain.Plan{
			Title: b.Title, Description: b.Description, Owner: b.Owner, Acceptors: acceptors, DueOn: b.DueOn,
			Criteria: b.Criteria, Instrument: b.Instrument, ScheduleItem: b.ScheduleItem, Clause: b.Clause,
		}},
		status: http.StatusCreated, path: milestonePath(ref), read: readMilestone(ref),
	}, nil
}

// chosen returns the acceptors that the client named; nil stands for the default. To name an empty
// list is to ask for a milestone that nobody accepts.
func chosen(named *[]domain.PartnerID, private bool) ([]domain.PartnerID, error) {
	if named == nil {
		return nil, nil
	}
	if len(*named) == 0 && !private {
		return nil, invalid(domain.FieldError{Field: "acceptors", Message: "at least one is needed"})
	}
	return *named, nil
}

// MilestoneChange is the body that edits a milestone; what is absent stays.
type MilestoneChange struct {
	Title        *string              `json:"title,omitempty" maxLength:"200"`
	Description  *string              `json:"description,omitempty" maxLength:"10000"`
	Owner        *domain.PartnerID    `json:"owner,omitempty"`
	Acceptors    *[]domain.PartnerID  `json:"acceptors,omitempty" minItems:"1"`
	DueOn        *domain.Date         `json:"due_on,omitempty"`
	Criteria     *[]string            `json:"criteria,omitempty" maxItems:"100"`
	Instrument   *domain.InstrumentID `json:"instrument,omitempty" nullable:"true"`
	ScheduleItem *domain.ItemID       `json:"schedule_item,omitempty" nullable:"true"`
	Clause       *string              `json:"clause,omitempty" nullable:"true" maxLength:"50"`
}

func editMilestone(q *writing, b *MilestoneChange) (*intent, error) {
	if *b == (MilestoneChange{}) {
		return nil, errNothingToChange
	}
	return q.onMilestone(domain.EditMilestone{
		Ref: q.milestone(), Title: b.Title, Description: b.Description, Owner: b.Owner, Acceptors: b.Acceptors,
		DueOn: b.DueOn, Criteria: b.Criteria, Instrument: b.Instrument, ScheduleItem: b.ScheduleItem, Clause: b.Clause,
	}), nil
}

// onMilestone is the intent of a command on the milestone in the path.
func (q *writing) onMilestone(c domain.Command) *intent {
	ref := q.milestone()
	return &intent{command: c, status: http.StatusOK, path: milestonePath(ref), read: readMilestone(ref)}
}
