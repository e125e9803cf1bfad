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
		DueOn: m.Plan.DueOn, Forecasts: forecasts(m),
		PrivateForecast: orNull(m.PrivateForecast(v.who.Partner).On),
		Disagreement:    m.Disagreement(n.project.agreement.tolerance()),
		Overdue:         v.overdue(m),
		DeliveredOn:     orNull(m.DeliveredOn), AcceptedOn: orNull(m.AcceptedOn),
		Acceptance: acceptance(m), WaivedBy: list(m.Waivers),
		DependsOn: []Dependency{}, Criteria: list(m.Plan.Criteria),
		Instrument: orNull(m.Plan.Instrument), ScheduleItem: orNull(m.Plan.ScheduleItem),
		Audience: m.Audience, URL: v.milestoneURL(m.Ref),
	}
	shape.Version, shape.UpdatedAt = m.Seen.For(v.who.Partner)
	return shape
}

func (a *agreementNode) tolerance() int {
	if a.entity == nil {
		return 0
	}
	return a.entity.Terms.ForecastToleranceDays
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

func acceptance(m *domain.Milestone) Acceptance {
	shape := Acceptance{
		Round: m.Round, Conditions: []Condition{},
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
	return shape
}
