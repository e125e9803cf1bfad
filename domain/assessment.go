package domain

// Assessment is a partner's own word on how a milestone goes, which only that partner sees (R16). It stands
// beside the owner's report and never replaces it, and stays private when a private milestone is shared
// (R17). Any participant has one, the owner too.
type Assessment struct {
	Partner PartnerID `json:"partner"`
	Health  Health    `json:"health,omitempty"`
	Note    string    `json:"note,omitempty"`
}

// Assessment returns p's private assessment; zero if it has none.
func (m *Milestone) Assessment(p PartnerID) Assessment {
	for _, a := range m.Assessments {
		if a.Partner == p {
			return a
		}
	}
	return Assessment{}
}

// MilestoneAssessed carries the private assessment after and before; From is zero for the first one.
type MilestoneAssessed struct {
	To   Assessment `json:"to"`
	From Assessment `json:"from,omitzero"`
}

// assessed decides a private report.
func (c ReportProgress) assessed(x located, m Meta) ([]Event, error) {
	if err := m.manager(); err != nil {
		return nil, err
	}
	if err := x.in(Planned, InProgress, Delivered, ConditionallyAccepted, Disputed); err != nil {
		return nil, err
	}
	from := x.Assessment(m.Actor.Partner)
	to := Assessment{m.Actor.Partner, from.Health, from.Note}
	if c.Health != nil && c.Note == nil {
		to.Note = "" // as in a shared report
	}
	set(&to.Health, c.Health)
	set(&to.Note, c.Note)
	return []Event{{string(x.Ref.Milestone), PrivateTo(m.Actor.Partner), MilestoneAssessed{to, from}}}, nil
}

func (e MilestoneAssessed) apply(w *World, h Header) {
	x := h.edit(w)
	x.Assessments = put(x.Assessments, e.To, func(a Assessment) string { return string(a.Partner) })
}
