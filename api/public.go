package api

import (
	"tandem/domain"
)

// PublicStatus is what everybody sees of an agreement (R17): what its partners made public, and nothing
// that tells of the rest. So it counts public milestones only, has no version and no time of change, and names
// things by their titles: an id can tell of a title that never was public.
type PublicStatus struct {
	Agreement domain.AgreementID            `json:"agreement"`
	Title     *string                       `json:"title" doc:"null unless every party takes part below: the others never approved that it is public."`
	Partners  []string                      `json:"partners" doc:"Names of those who take part in the projects below."`
	Counts    map[domain.MilestoneState]int `json:"counts" doc:"Public milestones by state."`
	Accepted  int                           `json:"accepted" doc:"How many of expected are accepted."`
	Expected  int                           `json:"expected" doc:"How many are neither waived nor cancelled."`
	Overdue   int                           `json:"overdue"`
	Projects  []PublicProject               `json:"projects" doc:"Those that have something public."`
}

// PublicProject is what everybody sees of a project.
type PublicProject struct {
	Title      string            `json:"title"`
	Milestones []PublicMilestone `json:"milestones" doc:"By due date."`
}

// PublicMilestone is what everybody sees of a milestone, as it is now.
type PublicMilestone struct {
	Title       string                `json:"title"`
	Owner       string                `json:"owner" doc:"A partner's name; empty for one that has not approved that it is public."`
	Acceptors   []string              `json:"acceptors" doc:"Partners' names."`
	State       domain.MilestoneState `json:"state" enum:"planned,in_progress,delivered,conditionally_accepted,accepted,disputed,waived,cancelled"`
	DueOn       domain.Date           `json:"due_on" doc:"The baseline once agreed, the proposed date before."`
	BaselineOn  *domain.Date          `json:"baseline_on"`
	DeliveredOn *domain.Date          `json:"delivered_on"`
	AcceptedOn  *domain.Date          `json:"accepted_on"`
	Overdue     bool                  `json:"overdue" doc:"Not delivered, and due before today in the owner's zone."`
}
