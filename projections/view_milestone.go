package projections

import (
	"tandem/domain"
)

// Milestone returns a milestone.
func (v *View) Milestone(ref domain.MilestoneRef) (Milestone, bool) {
	m := v.milestone(ref)
	if m == nil {
		return Milestone{}, false
	}
	return v.milestoneShape(m), true
}

func (v *View) milestoneShape(n *milestoneNode) Milestone {
	m := n.entity
	shape := Milestone{
		Agreement: m.Ref.Agreement, Project: m.Ref.Project, ID: m.Ref.Milestone,
		Title: m.Plan.Title, Description: m.Plan.Description,
		Owner: m.Plan.Owner, Acceptors: list(m.Plan.Acceptors),
		State: m.State, Health: orNull(m.Health), HealthNote: m.HealthNote, Progress: m.Progress,
		PrivateHealth: orNull(m.Assessment(v.who.Partner).Health), PrivateHealthNote: m.Assessment(v.who.Partner).Note,
		DueOn: m.Plan.DueOn, BaselineOn: orNull(m.BaselineOn), VarianceDays: variance(m), Forecasts: forecasts(m),
		PrivateForecast: orNull(m.PrivateForecast(v.who.Partner).On),
		Disagreement:    m.Disagreement(v.tolerance(n.project.agreement)),
		Overdue:         v.overdue(m),
		DeliveredOn:     orNull(m.DeliveredOn), AcceptedOn: orNull(m.AcceptedOn),
		Acceptance: v.acceptance(m), WaivedBy: list(m.Waivers),
		DependsOn: []Dependency{}, Criteria: list(m.Plan.Criteria),
		Instrument: orNull(m.Plan.Instrument), ScheduleItem: orNull(m.Plan.ScheduleItem), Clause: orNull(m.Plan.Clause),
		Audience: audienceOf(m), URL: v.milestoneURL(m.Ref),
	}
	shape.Version, shape.UpdatedAt = m.Seen.For(v.who.Partner)
	return shape
}

// audienceOf returns who sees that there is the milestone.
func audienceOf(m *domain.Milestone) domain.Audience {
	if m.Public {
		return domain.Public
	}
	return m.Audience
}

func variance(m *domain.Milestone) *int {
	days, known := m.Variance()
	if !known {
		return nil
	}
	return &days
}

func (v *View) tolerance(a *agreementNode) int {
	if a.entity == nil {
		return 0
	}
	return v.as(a).Terms.ForecastToleranceDays
}

// overdue follows the owner's calendar.
func (v *View) overdue(m *domain.Milestone) bool { return m.Overdue(v.todayOf(m.Plan.Owner)) }

func forecasts(m *domain.Milestone) map[domain.PartnerID]domain.Date {
	shared := make(map[domain.PartnerID]domain.Date, len(m.Forecasts))
	for _, f := range m.Forecasts {
		shared[f.Partner] = f.On
	}
	return shared
}

func (v *View) acceptance(m *domain.Milestone) Acceptance {
	shape := Acceptance{
		Round: m.Round, Evidence: v.evidence(m), Conditions: []Condition{}, Rejection: v.rejection(m), Dispute: dispute(m),
		Decisions: make(map[domain.PartnerID]Decision, len(m.Plan.Acceptors)),
	}
	for _, p := range m.Plan.Acceptors {
		shape.Decisions[p] = Decision{State: "none"}
	}
	for _, d := range m.Decisions {
		if _, acceptor := shape.Decisions[d.Partner]; acceptor {
			shape.Decisions[d.Partner] = Decision{State: string(d.State), DecidedOn: orNull(d.DecidedOn)}
		}
	}
	for _, c := range m.Conditions {
		shape.Conditions = append(shape.Conditions, Condition{
			Number: c.Number, Text: c.Text, DueOn: c.DueOn, Author: c.Author, Closed: c.ClosedOn != 0, ClosedOn: orNull(c.ClosedOn),
		})
	}
	return shape
}

// evidence tells what all may see of the last delivery, then what the viewer keeps for itself.
func (v *View) evidence(m *domain.Milestone) []Evidence {
	shapes := []Evidence{}
	for _, e := range m.Evidence {
		shapes = append(shapes, Evidence{e.Title, e.URL, orNull(e.SHA256), domain.Shared})
	}
	for _, e := range m.KeptBy(v.who.Partner) {
		shapes = append(shapes, Evidence{e.Title, e.URL, orNull(e.SHA256), domain.PrivateTo(v.who.Partner)})
	}
	return shapes
}

func (v *View) rejection(m *domain.Milestone) *Rejection {
	r := m.Rejection
	if r == nil {
		return nil
	}
	return &Rejection{
		Partner: r.Acceptor, On: r.On, Reasons: list(r.Reasons), Disputable: m.Disputable(v.now) != nil, DisputeBy: orNull(r.DisputeBy),
	}
}

func dispute(m *domain.Milestone) *Dispute {
	if m.Dispute == nil {
		return nil
	}
	shape := &Dispute{By: m.Dispute.By, On: m.Dispute.On, Reason: m.Dispute.Reason, Named: map[domain.PartnerID]*domain.Outcome{}}
	for _, p := range m.Settlers() {
		shape.Named[p] = orNull(m.Dispute.NamedBy(p))
	}
	return shape
}
