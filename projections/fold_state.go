package projections

import (
	"cmp"
	"slices"

	"tandem/domain"
)

var _ domain.State = (*entities)(nil)

// entities holds the nodes of the present entities by id.
type entities struct {
	partners   map[domain.PartnerID]*partnerNode
	agreements map[domain.AgreementID]*agreementNode
	register   map[string]*domain.ReservedName // the register of names, by key
}

// Partner implements domain.State, as do the methods below.
func (e *entities) Partner(id domain.PartnerID) *domain.Partner {
	if partner, ok := e.partners[id]; ok {
		return partner.entity
	}
	return nil
}

// Member implements domain.State.
func (e *entities) Member(ref domain.MemberRef) *domain.Member {
	if partner, ok := e.partners[ref.Partner]; ok {
		return partner.members[ref.Member]
	}
	return nil
}

// Token implements domain.State.
func (e *entities) Token(ref domain.TokenRef) *domain.Token {
	if partner, ok := e.partners[ref.Partner]; ok {
		return partner.tokens[ref.Token]
	}
	return nil
}

// Webhook implements domain.State.
func (e *entities) Webhook(ref domain.WebhookRef) *domain.Webhook {
	if partner, ok := e.partners[ref.Partner]; ok {
		return partner.webhooks[ref.Webhook]
	}
	return nil
}

// ReservedName implements domain.State.
func (e *entities) ReservedName(key string) *domain.ReservedName { return e.register[key] }

// Agreement implements domain.State.
func (e *entities) Agreement(id domain.AgreementID) *domain.Agreement {
	if agreement, ok := e.agreements[id]; ok {
		return agreement.entity
	}
	return nil
}

// Project implements domain.State.
func (e *entities) Project(ref domain.ProjectRef) *domain.Project {
	if project := e.projectNode(ref); project != nil {
		return project.entity
	}
	return nil
}

// Milestone implements domain.State.
func (e *entities) Milestone(ref domain.MilestoneRef) *domain.Milestone {
	if project := e.projectNode(ref.ProjectRef()); project != nil {
		if milestone, ok := project.milestones[ref.Milestone]; ok {
			return milestone.entity
		}
	}
	return nil
}

// MilestonesOf implements domain.State. It sorts on each call, which is rarer than events.
func (e *entities) MilestonesOf(agreement domain.AgreementID, instrument domain.InstrumentID) []*domain.Milestone {
	node, ok := e.agreements[agreement]
	if !ok {
		return nil
	}
	list := make([]*domain.Milestone, 0, len(node.serving[instrument]))
	for _, milestone := range node.serving[instrument] {
		list = append(list, milestone.entity)
	}
	slices.SortFunc(list, func(one, other *domain.Milestone) int {
		return cmp.Or(cmp.Compare(one.Ref.Project, other.Ref.Project), cmp.Compare(one.Ref.Milestone, other.Ref.Milestone))
	})
	return list
}

// Milestones implements domain.State.
func (e *entities) Milestones(in domain.ProjectRef) []*domain.Milestone {
	project := e.projectNode(in)
	if project == nil {
		return nil
	}
	list := make([]*domain.Milestone, 0, len(project.milestones))
	for _, milestone := range project.milestones {
		list = append(list, milestone.entity)
	}
	slices.SortFunc(list, func(one, other *domain.Milestone) int { return cmp.Compare(one.Ref.Milestone, other.Ref.Milestone) })
	return list
}

func (e *entities) projectNode(ref domain.ProjectRef) *projectNode {
	agreement, ok := e.agreements[ref.Agreement]
	if !ok {
		return nil
	}
	if i, ok := agreement.findProject(ref.Project); ok {
		return agreement.projects[i]
	}
	return nil
}
