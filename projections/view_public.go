package projections

import (
	"cmp"
	"slices"
	"strings"

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

// Public returns what everybody sees of an agreement, whoever the viewer is; false if nothing of it is
// public.
func (v *View) Public(id domain.AgreementID) (PublicStatus, bool) {
	agreement := v.store.agreements[id]
	if agreement == nil || len(agreement.public) == 0 {
		return PublicStatus{}, false
	}
	shape := PublicStatus{Agreement: id, Counts: map[domain.MilestoneState]int{}}
	var approved, agreed []domain.PartnerID
	var last *projectNode
	for _, milestone := range slices.SortedFunc(slices.Values(agreement.public), comparePublic) {
		if milestone.project != last {
			last = milestone.project
			shape.Projects = append(shape.Projects, PublicProject{Title: last.entity.Title})
			agreed = last.agreedToPublic()
			approved = append(approved, agreed...)
		}
		public := &shape.Projects[len(shape.Projects)-1]
		public.Milestones = append(public.Milestones, v.publicMilestone(milestone.entity, agreed))
		shape.count(public.Milestones[len(public.Milestones)-1])
	}
	slices.Sort(approved)
	approved = slices.Compact(approved)
	shape.Partners = slices.Sorted(slices.Values(v.namesOf(approved)))
	if !slices.ContainsFunc(agreement.entity.Terms.Parties, func(partner domain.PartnerID) bool { return !slices.Contains(approved, partner) }) {
		shape.Title = &agreement.entity.Terms.Title
	}
	return shape, true
}

// comparePublic puts the milestones of a project together. Ids decide last, and are not told.
func comparePublic(one, other *milestoneNode) int {
	return cmp.Or(
		strings.Compare(one.project.entity.Title, other.project.entity.Title),
		strings.Compare(string(one.project.id), string(other.project.id)),
		cmp.Compare(one.entity.Plan.DueOn, other.entity.Plan.DueOn),
		strings.Compare(one.entity.Plan.Title, other.entity.Plan.Title),
		strings.Compare(string(one.entity.Ref.Milestone), string(other.entity.Ref.Milestone)),
	)
}

// agreedToPublic returns who has approved that something of the project is public, or a change of what was
// public by then. Who was taken in later, or is named as owner or acceptor by another, has not by that.
func (p *projectNode) agreedToPublic() (agreed []domain.PartnerID) {
	for _, request := range p.entity.Changes {
		public := func(proposed domain.ProposedChange) bool { return p.milestones[proposed.Milestone].entity.Public }
		if request.State == domain.ChangeStateApproved && (len(request.Publish) > 0 || slices.ContainsFunc(request.Milestones, public)) {
			agreed = append(agreed, request.Approvals...)
		}
	}
	return agreed
}

// publicMilestone names only those who agreed to be named.
func (v *View) publicMilestone(milestone *domain.Milestone, agreed []domain.PartnerID) PublicMilestone {
	silent := func(partner domain.PartnerID) bool { return !slices.Contains(agreed, partner) }
	owner := ""
	if !silent(milestone.Plan.Owner) {
		owner = v.name(milestone.Plan.Owner)
	}
	return PublicMilestone{
		Title: milestone.Plan.Title, Owner: owner, State: milestone.State,
		Acceptors: v.namesOf(slices.DeleteFunc(slices.Clone(milestone.Plan.Acceptors), silent)),
		DueOn:     milestone.Plan.DueOn, BaselineOn: nilIfZero(milestone.BaselineOn), DeliveredOn: nilIfZero(milestone.DeliveredOn),
		AcceptedOn: nilIfZero(milestone.AcceptedOn), Overdue: v.overdue(milestone),
	}
}

func (v *View) namesOf(ids []domain.PartnerID) []string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = v.name(id)
	}
	return names
}

func (s *PublicStatus) count(milestone PublicMilestone) {
	s.Counts[milestone.State]++
	if milestone.State != domain.Waived && milestone.State != domain.Cancelled {
		s.Expected++
		if milestone.AcceptedOn != nil {
			s.Accepted++
		}
	}
	if milestone.Overdue {
		s.Overdue++
	}
}
