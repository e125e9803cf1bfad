package projections

import "tandem/domain"

// ServingMilestone is a milestone that names a schedule item or a clause.
type ServingMilestone struct {
	Project   domain.ProjectID      `json:"project"`
	Milestone domain.MilestoneID    `json:"milestone"`
	State     domain.MilestoneState `json:"state" enum:"planned,in_progress,delivered,conditionally_accepted,accepted,disputed,waived,cancelled"`
}

// Obligation is what one partner owes under a clause of an instrument.
type Obligation struct {
	Clause     string             `json:"clause"`
	Text       string             `json:"text"`
	Partner    domain.PartnerID   `json:"partner" doc:"Who owes it."`
	State      string             `json:"state" enum:"open,fulfilled" doc:"fulfilled when one of the shared milestones that name it is accepted and none is open, of those that the caller may see."`
	Milestones []ServingMilestone `json:"milestones" doc:"Those that name the clause, as far as the caller may see them."`
}
