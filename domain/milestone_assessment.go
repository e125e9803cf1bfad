package domain

// Assessment is a partner's private view of a milestone's health (R16). It stands beside the owner's report,
// never replaces it, and stays private when a private milestone is shared (R17). Any participant can have one,
// the owner included.
type Assessment struct {
	Partner PartnerID `json:"partner"`
	Health  Health    `json:"health,omitempty"`
	Note    string    `json:"note,omitempty"`
}

// Assessment returns the partner's private assessment; zero if it has none, or in a final state.
func (m *Milestone) Assessment(partner PartnerID) Assessment {
	if m.State.Final() {
		return Assessment{}
	}
	for _, assessment := range m.Assessments {
		if assessment.Partner == partner {
			return assessment
		}
	}
	return Assessment{}
}

// MilestoneAssessed carries the new and the old private assessment; From is zero for the first one.
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
	from := milestone.Assessment(dc.Actor.Partner)
	to := Assessment{dc.Actor.Partner, from.Health, from.Note}
	if c.Health != nil && c.Note == nil {
		to.Note = "" // as in a shared report
	}
	set(&to.Health, c.Health)
	set(&to.Note, c.Note)
	return []Event{{string(milestone.Ref.Milestone), PrivateTo(dc.Actor.Partner), MilestoneAssessed{to, from}}}, nil
}

func (e MilestoneAssessed) apply(world *World, header Header) {
	milestone := header.editMilestone(world)
	milestone.Assessments = upsert(milestone.Assessments, e.To, func(assessment Assessment) string { return string(assessment.Partner) })
}
