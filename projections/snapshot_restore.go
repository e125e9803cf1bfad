package projections

import (
	"fmt"

	"tandem/domain"
	"tandem/projections/snapshot"
)

// restoreSection adds the content of a section to the store.
func (s *store) restoreSection(section any) error {
	switch x := section.(type) {
	case savedHeads:
		s.heads, s.epochs = x.Heads, x.Epochs
	case []savedDirectory:
		for n := range x {
			if err := s.restoreDirectory(&x[n]); err != nil {
				return err
			}
		}
	case savedNames:
		s.addStream(domain.NameRegister).version = x.Version
		for _, name := range x.Names {
			s.register[name.Key] = name
		}
	case savedAgreement:
		return s.restoreAgreement(&x)
	case []savedMilestone:
		for n := range x {
			if err := s.restoreMilestone(&x[n]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *store) restoreDirectory(saved *savedDirectory) error {
	s.addStream(domain.Stream{Partner: saved.ID}).version = saved.Version
	partner := s.partner(saved.ID)
	partner.profileMark, partner.formerNames = saved.Profile, saved.Names
	if saved.Entity != nil {
		partner.setEntity(s, saved.Entity)
		partner.profile = profileFieldsOf(saved.Entity)
	}
	for _, member := range saved.Members {
		partner.members[member.Ref.Member] = member
	}
	for _, token := range saved.Tokens {
		partner.tokens[token.Ref.Token] = token
	}
	for _, webhook := range saved.Webhooks {
		partner.webhooks[webhook.Ref.Webhook] = webhook
	}
	return partner.index.restore(s, saved.Root)
}

func (s *store) restoreAgreement(saved *savedAgreement) (err error) {
	s.addStream(domain.Stream{Agreement: saved.ID}).version = saved.Version
	agreement := s.agreement(saved.ID)
	agreement.entity, agreement.awaitedSignatures = saved.Entity, saved.Waiting
	agreement.formerTitles = restoreTitles(saved.Titles)
	if saved.Entity != nil {
		agreement.title = saved.Entity.Terms.Title
	}
	if err := agreement.index.restore(s, saved.Root); err != nil {
		return err
	}
	for _, sp := range saved.Projects {
		s.addStream(domain.Stream{Agreement: saved.ID, Project: sp.ID}).version = sp.Version
		project := agreement.project(sp.ID)
		project.entity = sp.Entity
		if sp.Entity != nil {
			project.title = sp.Entity.Title
		}
		project.listedFor = project.participants()
		if project.participantsCode, err = agreement.index.setCode(project.listedFor, s.reader); err != nil {
			return err
		}
	}
	return nil
}

func (s *store) restoreMilestone(saved *savedMilestone) error {
	ref := saved.Entity.Ref
	project := s.projectNode(domain.ProjectRef{Agreement: ref.Agreement, Project: ref.Project})
	if project == nil {
		return fmt.Errorf("milestone %s has no project: %w", ref.Milestone, snapshot.ErrDamaged)
	}
	history := saved.History
	for n := 1; n < len(history); n++ {
		history[n] += history[n-1]
	}
	milestone := &milestoneNode{
		entity: saved.Entity, project: project, title: saved.Entity.Plan.Title, history: history,
		moves: saved.Notes, accepted: saved.Entity.AcceptedOn != 0,
	}
	project.milestones[ref.Milestone] = milestone
	milestone.updatePublic()
	return nil
}

// restore sets the entries of an index and counts them for their readers.
func (e *eventIndex) restore(state *store, saved savedRoot) error {
	for _, partners := range saved.Audiences {
		if _, err := e.setCode(partners, state.reader); err != nil {
			return err
		}
	}
	e.entries = saved.Refs
	for place, entry := range e.entries {
		if int(entry.Audience) >= len(e.readerSets) {
			return fmt.Errorf("audience %d of %s: %w", entry.Audience, e.name, snapshot.ErrDamaged)
		}
		e.countFor(uint32(place), entry.Audience)
	}
	return nil
}
