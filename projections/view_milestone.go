package projections

import (
	"slices"
	"time"

	"tandem/api"
	"tandem/domain"
)

// Milestone returns a milestone, or false if it is invisible.
func (v *View) Milestone(ref domain.MilestoneRef) (api.Milestone, bool) {
	milestone := v.milestone(ref)
	if milestone == nil {
		return api.Milestone{}, false
	}
	return v.milestoneShape(milestone), true
}

func (v *View) milestoneShape(node *milestoneNode) api.Milestone {
	milestone := node.entity
	ended := v.ended(node)
	report, assessment := milestone.Report(ended), milestone.Assessment(v.viewer.Partner, ended)
	instrument, item, clause := v.disclosedRefs(milestone.Ref.Agreement, milestone.Plan.Instrument, milestone.Plan.ScheduleItem, milestone.Plan.Clause)
	shape := api.Milestone{
		Agreement: milestone.Ref.Agreement, Project: milestone.Ref.Project, ID: milestone.Ref.Milestone,
		Title: milestone.Plan.Title, Description: milestone.Plan.Description,
		Owner: milestone.Plan.Owner, Acceptors: emptyIfNil(milestone.Plan.Acceptors),
		State: milestone.State, Health: nilIfZero(report.Health), HealthNote: report.Note, Progress: report.Percent,
		PrivateHealth: nilIfZero(assessment.Health), PrivateHealthNote: assessment.Note,
		DueOn: milestone.Plan.DueOn, BaselineOn: nilIfZero(milestone.BaselineOn), VarianceDays: variance(milestone),
		Forecasts:       forecasts(milestone),
		PrivateForecast: nilIfZero(milestone.PrivateForecast(v.viewer.Partner).On),
		Disagreement:    milestone.ForecastsDisagree(v.tolerance(node.project.agreement), ended),
		Overdue:         v.overdue(node), Ended: ended, OwnerAgreed: milestone.OwnerAgreed(),
		DeliveredOn: nilIfZero(milestone.DeliveredOn), AcceptedOn: nilIfZero(milestone.AcceptedOn),
		CompletedOn: nilIfZero(milestone.CompletedOn),
		Acceptance:  v.acceptance(milestone), WaivedBy: emptyIfNil(milestone.Waivers),
		Responsible: v.responsible(node),
		DependsOn:   []api.Dependency{}, Criteria: emptyIfNil(milestone.Plan.Criteria), CriteriaResults: criteriaResults(milestone),
		Instrument: nilIfZero(instrument), ScheduleItem: nilIfZero(item), Clause: nilIfZero(clause),
		Audience: audienceOf(milestone), URL: v.milestoneURL(milestone.Ref),
	}
	if milestone.DeliveredOn != 0 || milestone.CompletedOn != 0 {
		shape.RecordedAt, shape.LateReason = new(time.UnixMicro(milestone.RecordedAt).UTC()), milestone.LateReason
	}
	shape.Version, shape.UpdatedAt = milestone.Versions.For(v.viewer.Partner)
	shape.Creation = v.creation(milestone.Versions)
	return shape
}

// audienceOf returns the audience of a milestone in shapes, which is public once it is published.
func audienceOf(milestone *domain.Milestone) domain.Audience {
	if milestone.Public {
		return domain.Public
	}
	return milestone.Audience
}

func variance(milestone *domain.Milestone) *int {
	days, known := milestone.Variance()
	if !known {
		return nil
	}
	return &days
}

func (v *View) tolerance(agreement *agreementNode) int {
	if agreement.entity == nil {
		return 0
	}
	return v.agreementFor(agreement).Terms.ForecastToleranceDays
}

// responsible returns the responsible members of the partners that have not left the agreement.
func (v *View) responsible(node *milestoneNode) map[domain.PartnerID]api.NamedMember {
	shapes := make(map[domain.PartnerID]api.NamedMember, len(node.entity.Responsible))
	for _, responsible := range node.entity.Responsible {
		if agreement := node.project.agreement.entity; agreement != nil && agreement.HasLeft(responsible.Partner, v.now) {
			continue
		}
		ref := domain.MemberRef(responsible)
		shapes[responsible.Partner] = api.NamedMember{Member: responsible.Member, MemberName: v.memberName(ref)}
	}
	return shapes
}

// overdue compares with the date in the owner's zone. A milestone that can no longer happen is not overdue.
func (v *View) overdue(node *milestoneNode) bool {
	return node.entity.Overdue(v.todayOf(node.entity.Plan.Owner)) && !v.ended(node)
}

// ended reports whether the milestone can no longer happen; a party that has left sees its own end of the agreement.
func (v *View) ended(node *milestoneNode) bool {
	agreement := node.project.agreement
	if agreement.entity == nil {
		return node.entity.Ended(node.project.entity, nil, v.now)
	}
	return node.entity.Ended(node.project.entity, v.agreementFor(agreement), v.now)
}

func forecasts(milestone *domain.Milestone) map[domain.PartnerID]domain.Date {
	shared := make(map[domain.PartnerID]domain.Date, len(milestone.Forecasts))
	for _, forecast := range milestone.Forecasts {
		shared[forecast.Partner] = forecast.On
	}
	return shared
}

func (v *View) acceptance(milestone *domain.Milestone) api.Acceptance {
	shape := api.Acceptance{
		Round: milestone.Round, Evidence: v.evidence(milestone), Conditions: []api.Condition{},
		Rejection: v.rejection(milestone), Dispute: dispute(milestone),
		Decisions: make(map[domain.PartnerID]api.Decision, len(milestone.Plan.Acceptors)),
	}
	for _, partner := range milestone.Plan.Acceptors {
		shape.Decisions[partner] = api.Decision{State: "none"}
	}
	for _, decision := range milestone.Decisions {
		if _, acceptor := shape.Decisions[decision.Partner]; acceptor {
			shape.Decisions[decision.Partner] = api.Decision{State: string(decision.State), DecidedOn: nilIfZero(decision.DecidedOn)}
		}
	}
	for _, condition := range milestone.Conditions {
		shape.Conditions = append(shape.Conditions, v.condition(milestone, condition))
	}
	return shape
}

// evidence returns the shared evidence of the last delivery, then the viewer's private evidence.
func (v *View) evidence(milestone *domain.Milestone) []api.Evidence {
	shapes := sharedEvidence(milestone.Evidence)
	for _, evidence := range milestone.PrivateEvidenceOf(v.viewer.Partner) {
		shapes = append(shapes, api.Evidence{
			Title: evidence.Title, URL: evidence.URL, SHA256: nilIfZero(evidence.SHA256),
			Audience: domain.PrivateTo(v.viewer.Partner),
		})
	}
	return shapes
}

// sharedEvidence returns evidence that all readers of the milestone see.
func sharedEvidence(list []domain.Evidence) []api.Evidence {
	shapes := []api.Evidence{}
	for _, evidence := range list {
		shapes = append(shapes, api.Evidence{
			Title: evidence.Title, URL: evidence.URL, SHA256: nilIfZero(evidence.SHA256), Audience: domain.Shared,
		})
	}
	return shapes
}

func (v *View) condition(milestone *domain.Milestone, condition domain.RoundCondition) api.Condition {
	shape := api.Condition{
		Number: condition.Number, Text: condition.Text, DueOn: condition.DueOn, Author: condition.Author, State: condition.State(),
		Closed: condition.ClosedOn != 0, ClosedOn: nilIfZero(condition.ClosedOn), Evidence: sharedEvidence(condition.Evidence),
	}
	if report := condition.Report; report != nil {
		shape.Report = &api.ConditionReport{
			On: report.On, Note: report.Note, Evidence: sharedEvidence(report.Evidence), DecideBy: nilIfZero(report.DecideBy),
		}
	}
	if refusal := condition.Refusal; refusal != nil {
		shape.Refusal = &api.ConditionRefusal{
			On: refusal.On, Reason: refusal.Reason, Evidence: sharedEvidence(refusal.Evidence),
			Disputable: milestone.Dispute == nil && condition.Disputable(v.now), DisputeBy: nilIfZero(refusal.DisputeBy),
		}
	}
	return shape
}

// criteriaResults returns the results of the present owner and acceptors.
func criteriaResults(milestone *domain.Milestone) []api.CriterionResults {
	shapes := []api.CriterionResults{}
	for i, text := range milestone.Plan.Criteria {
		shapes = append(shapes, api.CriterionResults{Number: i + 1, Text: text, Results: map[domain.PartnerID]api.CheckOutcome{}})
	}
	for _, check := range milestone.Checks {
		if check.Number <= len(shapes) && slices.Contains(milestone.DisputeParties(), check.Partner) {
			shapes[check.Number-1].Results[check.Partner] = api.CheckOutcome{
				Result: check.Result, On: check.On, Round: check.Round, Note: check.Note, Evidence: sharedEvidence(check.Evidence),
			}
		}
	}
	return shapes
}

func (v *View) rejection(milestone *domain.Milestone) *api.Rejection {
	rejection := milestone.Rejection
	if rejection == nil {
		return nil
	}
	return &api.Rejection{
		Partner: rejection.Acceptor, On: rejection.On, Reasons: emptyIfNil(rejection.Reasons), Evidence: sharedEvidence(rejection.Evidence),
		Disputable: milestone.DisputableRejection(v.now) != nil, DisputeBy: nilIfZero(rejection.DisputeBy),
	}
}

func dispute(milestone *domain.Milestone) *api.Dispute {
	if milestone.Dispute == nil {
		return nil
	}
	shape := &api.Dispute{
		Condition: nilIfZero(milestone.Dispute.Condition), By: milestone.Dispute.By, On: milestone.Dispute.On, Reason: milestone.Dispute.Reason,
		Named: map[domain.PartnerID]*domain.Settlement{},
	}
	for _, partner := range milestone.DisputeParties() {
		shape.Named[partner] = nilIfZero(milestone.Dispute.ChoiceOf(partner))
	}
	return shape
}
