package api

import (
	"tandem/domain"
)

// PublicStatus is the public state of an agreement (R17): the data that its partners have published. It
// counts public milestones only, has no version and no time of change, and names projects and milestones
// by title, because an id can disclose a former title.
type PublicStatus struct {
	Agreement domain.AgreementID            `json:"agreement"`
	Title     *string                       `json:"title" doc:"null unless every party takes part in the projects below, because the other parties have not approved the publication."`
	Partners  []string                      `json:"partners" doc:"Names of the partners that take part in the projects below."`
	Counts    map[domain.MilestoneState]int `json:"counts" doc:"Public milestones by state."`
	Accepted  int                           `json:"accepted" doc:"The number of expected milestones that are accepted."`
	Expected  int                           `json:"expected" doc:"The number of milestones neither waived nor cancelled."`
	Overdue   int                           `json:"overdue"`
	Projects  []PublicProject               `json:"projects" doc:"Projects with published milestones."`
	// Announcement is not part of the counts: it is about the agreement itself.
	Announcement *PublicAnnouncement `json:"announcement" doc:"null unless the signed terms say that the agreement is announced."`
}

// PublicAnnouncement contains the facts of a signed agreement that its parties have announced.
type PublicAnnouncement struct {
	Parties     []string                `json:"parties" doc:"Names of the parties."`
	EffectiveOn domain.Date             `json:"effective_on"`
	Signatures  []PublicSignature       `json:"signatures"`
	Instruments []domain.InstrumentKind `json:"instruments" doc:"The kinds of instruments, each once."`
}

// PublicSignature is the signature of a party.
type PublicSignature struct {
	Partner   string      `json:"partner" doc:"The name of the partner."`
	Signatory string      `json:"signatory"`
	SignedOn  domain.Date `json:"signed_on"`
}

// PublicProject is the public state of a project.
type PublicProject struct {
	Title      string            `json:"title"`
	Milestones []PublicMilestone `json:"milestones" doc:"Sorted by due date."`
}

// PublicMilestone is the public state of a milestone.
type PublicMilestone struct {
	Title       string                `json:"title"`
	Owner       string                `json:"owner" doc:"A partner's name; empty if the partner has not approved the publication."`
	Acceptors   []string              `json:"acceptors" doc:"Partners' names."`
	State       domain.MilestoneState `json:"state" enum:"planned,in_progress,delivered,conditionally_accepted,accepted,disputed,waived,cancelled"`
	DueOn       domain.Date           `json:"due_on" doc:"The baseline once agreed; the proposed date before that."`
	BaselineOn  *domain.Date          `json:"baseline_on"`
	DeliveredOn *domain.Date          `json:"delivered_on"`
	AcceptedOn  *domain.Date          `json:"accepted_on"`
	Overdue     bool                  `json:"overdue" doc:"Not delivered, and due before today in the owner's time zone."`
}
