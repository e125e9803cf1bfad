package projections

import (
	"cmp"
	"slices"
	"strings"

	"tandem/api"
	"tandem/domain"
)

// Public returns the public view of an agreement, which is the same for every viewer; false if it has no public
// milestone and is not announced.
func (v *View) Public(id domain.AgreementID) (api.PublicStatus, bool) {
	agreement := v.store.agreements[id]
	if agreement == nil || (len(agreement.public) == 0 && !announced(agreement)) {
		return api.PublicStatus{}, false
	}
	shape := api.PublicStatus{Agreement: id, Counts: map[domain.MilestoneState]int{}, Projects: []api.PublicProject{}}
	var approved, agreed []domain.PartnerID
	var last *projectNode
	for _, milestone := range slices.SortedFunc(slices.Values(agreement.public), comparePublic) {
		if milestone.project != last {
			last = milestone.project
			shape.Projects = append(shape.Projects, api.PublicProject{Title: last.entity.Title})
			agreed = last.agreedToPublic()
			approved = append(approved, agreed...)
		}
		public := &shape.Projects[len(shape.Projects)-1]
		public.Milestones = append(public.Milestones, v.publicMilestone(milestone, agreed))
		if !milestone.entity.Ended(last.entity, agreement.entity, v.now) {
			countPublic(&shape, public.Milestones[len(public.Milestones)-1])
		}
	}
	if announced(agreement) {
		shape.Announcement = v.announcement(agreement.entity)
		approved = append(approved, agreement.entity.Terms.Parties...)
	}
	slices.Sort(approved)
	approved = slices.Compact(approved)
	shape.Partners = slices.Sorted(slices.Values(v.namesOf(approved)))
	if !slices.ContainsFunc(agreement.entity.Terms.Parties, func(partner domain.PartnerID) bool { return !slices.Contains(approved, partner) }) {
		shape.Title = &agreement.entity.Terms.Title
	}
	return shape, true
}

// announced reports whether every party has signed terms by which the agreement is public.
func announced(agreement *agreementNode) bool {
	return agreement.entity != nil && agreement.entity.Active && agreement.entity.Terms.Announced
}

func (v *View) announcement(agreement *domain.Agreement) *api.PublicAnnouncement {
	shape := &api.PublicAnnouncement{Parties: v.namesOf(agreement.Terms.Parties), EffectiveOn: agreement.Terms.EffectiveOn}
	for _, signature := range agreement.Signatures {
		shape.Signatures = append(shape.Signatures, api.PublicSignature{
			Partner: v.name(signature.Partner), Signatory: signature.Signatory, SignedOn: signature.SignedOn,
		})
	}
	for i := range agreement.Instruments {
		if kind := agreement.Instruments[i].Kind; !slices.Contains(shape.Instruments, kind) {
			shape.Instruments = append(shape.Instruments, kind)
		}
	}
	return shape
}

// comparePublic keeps the milestones of a project together. Ids decide last and are not shown.
func comparePublic(one, other *milestoneNode) int {
	return cmp.Or(
		strings.Compare(one.project.entity.Title, other.project.entity.Title),
		strings.Compare(string(one.project.id), string(other.project.id)),
		cmp.Compare(one.entity.Plan.DueOn, other.entity.Plan.DueOn),
		strings.Compare(one.entity.Plan.Title, other.entity.Plan.Title),
		strings.Compare(string(one.entity.Ref.Milestone), string(other.entity.Ref.Milestone)),
	)
}

// agreedToPublic returns the partners that have approved the publication of a milestone of the project, or a
// change of one that was public by then. A later participant, owner or acceptor has not approved by that alone.
func (p *projectNode) agreedToPublic() (agreed []domain.PartnerID) {
	for _, request := range p.entity.Changes {
		public := func(proposed domain.ProposedChange) bool { return p.milestones[proposed.Milestone].entity.Public }
		if request.State == domain.ChangeStateApproved && (len(request.Publish) > 0 || slices.ContainsFunc(request.Milestones, public)) {
			agreed = append(agreed, request.Approvals...)
		}
	}
	return agreed
}

// publicMilestone names only partners that have approved to be named.
func (v *View) publicMilestone(node *milestoneNode, agreed []domain.PartnerID) api.PublicMilestone {
	milestone := node.entity
	silent := func(partner domain.PartnerID) bool { return !slices.Contains(agreed, partner) }
	owner := ""
	if !silent(milestone.Plan.Owner) {
		owner = v.name(milestone.Plan.Owner)
	}
	return api.PublicMilestone{
		Title: milestone.Plan.Title, Owner: owner, State: milestone.State,
		Acceptors: v.namesOf(slices.DeleteFunc(slices.Clone(milestone.Plan.Acceptors), silent)),
		DueOn:     milestone.Plan.DueOn, BaselineOn: nilIfZero(milestone.BaselineOn), DeliveredOn: nilIfZero(milestone.DeliveredOn),
		AcceptedOn: nilIfZero(milestone.AcceptedOn), Overdue: v.overdue(node),
	}
}

func countPublic(status *api.PublicStatus, milestone api.PublicMilestone) {
	status.Counts[milestone.State]++
	if milestone.State != domain.Waived && milestone.State != domain.Cancelled {
		status.Expected++
		if milestone.AcceptedOn != nil {
			status.Accepted++
		}
	}
	if milestone.Overdue {
		status.Overdue++
	}
}
