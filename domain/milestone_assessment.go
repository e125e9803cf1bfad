package domain

// Assessment is a partner's private view of a milestone's health (R16). It stands beside the owner's report,
// never replaces it, and stays private when a private milestone is shared (R17). Any participant can have one,
// the owner included.
type Assessment struct {
	Partner PartnerID `json:"partner"`
	Health  Health    `json:"health,omitempty"`
	Note    string    `json:"note,omitempty"`
}

// Assessment returns the partner's private assessment; zero if it has none, in a final state, and if
// the milestone has [Milestone.Ended].
func (m *Milestone) Assessment(partner PartnerID, ended bool) Assessment {
	if m.State.Final() || ended {
		return Assessment{}
	}
	return m.lastAssessment(partner)
}

func (m *Milestone) lastAssessment(partner PartnerID) Assessment {
	for _, assessment := range m.Assessments {
		if assessment.Partner == partner {
			return assessment
		}
	}
	return Assessment{}
}

// AssessmentFields are the new fields of an assessment; nil: not reported.
type AssessmentFields struct {
	Health *Health `json:"health,omitempty"`
	Note   *string `json:"note,omitempty"`
}

// AssessmentReported carries the new fields of a private assessment, as [MilestoneReported] does.
type AssessmentReported struct {
	Partner PartnerID        `json:"partner"`
	To      AssessmentFields `json:"to"`
	From    AssessmentFields `json:"from"`
}

// MilestoneAssessed is the form in which earlier versions stored an assessment: all fields, new and old. From is zero
// for the first one.
type MilestoneAssessed struct {
	To   Assessment `json:"to"`
	From Assessment `json:"from,omitzero"`
}

// assessed decides a private report.
func (c ReportProgress) assessed(milestone milestoneContext, dc DecisionContext) ([]Event, error) {
	if err := dc.requireManager(); err != nil {
		return nil, err
	}
	if err := milestone.requireState(Planned, InProgress, Delivered, ConditionallyAccepted, Disputed); err != nil {
		return nil, err
	}
	if err := milestone.requirePossible(dc.At); err != nil {
		return nil, err
	}
	before := milestone.lastAssessment(dc.Actor.Partner)
	to, from := c.fields(Report{Health: before.Health, Note: before.Note})
	return []Event{{string(milestone.Ref.Milestone), PrivateTo(dc.Actor.Partner), AssessmentReported{
		dc.Actor.Partner, AssessmentFields{to.Health, to.Note}, AssessmentFields{from.Health, from.Note},
	}}}, nil
}

func (e AssessmentReported) apply(world *World, header Header) {
	milestone := header.editMilestone(world)
	assessment := milestone.lastAssessment(e.Partner)
	assessment.Partner = e.Partner
	set(&assessment.Health, e.To.Health)
	set(&assessment.Note, e.To.Note)
	milestone.assess(assessment)
}

// Reported returns what was new in the assessment.
func (e MilestoneAssessed) Reported() AssessmentReported {
	all := MilestoneProgressed{To: Report{0, e.To.Health, e.To.Note}, From: Report{0, e.From.Health, e.From.Note}}.Reported()
	return AssessmentReported{e.To.Partner, AssessmentFields{all.To.Health, all.To.Note}, AssessmentFields{all.From.Health, all.From.Note}}
}

func (e MilestoneAssessed) apply(world *World, header Header) {
	header.editMilestone(world).assess(e.To)
}

func (m *Milestone) assess(assessment Assessment) {
	m.Assessments = upsert(m.Assessments, assessment, func(assessment Assessment) string { return string(assessment.Partner) })
}
