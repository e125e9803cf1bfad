package projections

import (
	"maps"
	"slices"
	"time"

	"tandem/domain"
	"tandem/eventlog"
)

// visibility determines which resources of a store one viewer can see. The accessors return nil for an invisible
// resource as for one that does not exist.
type visibility struct {
	store          *store
	viewer         Viewer
	node           *partnerNode         // the viewer's partner, or an empty node if it does not exist
	scope          []domain.AgreementID // parsed Viewer.Scope
	unknownPartner bool                 // the viewer's partner does not exist
	now            time.Time
}

// inScope reports whether the viewer's token grants the agreement.
func (v *visibility) inScope(agreement domain.AgreementID) bool {
	return len(v.scope) == 0 || slices.Contains(v.scope, agreement)
}

// agreements returns the visible agreements, sorted by id.
func (v *visibility) agreements() []*agreementNode {
	if len(v.scope) == 0 {
		return v.node.agreements
	}
	return slices.DeleteFunc(slices.Clone(v.node.agreements), func(agreement *agreementNode) bool { return !v.inScope(agreement.id) })
}

func (v *visibility) agreement(id domain.AgreementID) *agreementNode {
	agreement := v.store.agreements[id]
	if agreement == nil || v.viewer.Operator || !v.inScope(id) || !slices.Contains(agreement.readers(), v.viewer.Partner) {
		return nil
	}
	return agreement
}

func (v *visibility) project(agreement domain.AgreementID, id domain.ProjectID) *projectNode {
	if v.agreement(agreement) == nil {
		return nil
	}
	project := v.store.projectNode(domain.ProjectRef{Agreement: agreement, Project: id})
	if project == nil || !slices.Contains(project.participants(), v.viewer.Partner) {
		return nil
	}
	return project
}

func (v *visibility) milestone(ref domain.MilestoneRef) *milestoneNode {
	project := v.project(ref.Agreement, ref.Project)
	if project == nil {
		return nil
	}
	milestone := project.milestones[ref.Milestone]
	if milestone == nil || !milestone.entity.VisibleTo(v.viewer.Partner, project.entity) {
		return nil
	}
	return milestone
}

// partner returns a visible partner: the viewer's own, its counterparties and contacts; for the operator every partner.
func (v *visibility) partner(id domain.PartnerID) *partnerNode {
	partner := v.store.partners[id]
	if partner == nil || partner.entity == nil {
		return nil
	}
	if v.viewer.Operator || id == v.viewer.Partner || slices.Contains(v.knownPartners(), id) {
		return partner
	}
	return nil
}

// counterparties returns the partners that share an agreement in the viewer's scope with it. For an agreement
// that it has withdrawn from they are the parties of that time.
func (v *visibility) counterparties() []domain.PartnerID {
	var ids []domain.PartnerID
	for _, agreement := range v.agreements() {
		readers := agreement.readers()
		if agreement.entity.HasLeft(v.viewer.Partner, v.now) {
			readers = v.agreementFor(agreement).Terms.Parties
		}
		for _, partner := range readers {
			if partner != v.viewer.Partner && !slices.Contains(ids, partner) {
				ids = append(ids, partner)
			}
		}
	}
	return ids
}

// contacts returns the partners that an invitation has introduced to the viewer; none for a token that is limited to
// some agreements.
func (v *visibility) contacts() []domain.PartnerID {
	if v.viewer.Operator || len(v.scope) > 0 {
		return nil
	}
	return v.node.contacts
}

// knownPartners returns the counterparties and contacts.
func (v *visibility) knownPartners() []domain.PartnerID {
	known := v.counterparties()
	for _, contact := range v.contacts() {
		if !slices.Contains(known, contact) {
			known = append(known, contact)
		}
	}
	return known
}

// directory returns the node of a partner whose directory the viewer can see, or nil.
func (v *visibility) directory(id domain.PartnerID) *partnerNode {
	partner := v.store.partners[id]
	if partner == nil || partner.entity == nil || (!v.viewer.Operator && id != v.viewer.Partner) {
		return nil
	}
	return partner
}

// PartnerVisible reports whether the viewer can see the partner.
func (v *visibility) PartnerVisible(id domain.PartnerID) bool { return v.partner(id) != nil }

// AgreementVisible reports whether the viewer can see the agreement.
func (v *visibility) AgreementVisible(id domain.AgreementID) bool { return v.agreement(id) != nil }

// ProjectVisible reports whether the viewer can see the project.
func (v *visibility) ProjectVisible(agreement domain.AgreementID, id domain.ProjectID) bool {
	return v.project(agreement, id) != nil
}

// MilestoneVisible reports whether the viewer can see the milestone.
func (v *visibility) MilestoneVisible(ref domain.MilestoneRef) bool { return v.milestone(ref) != nil }

// Intact reports whether no history is lost of the viewer's directory and agreements. If a partition was lost
// before any commit of it was applied, its owners are unknown and no viewer is intact.
func (v *visibility) Intact() bool {
	if v.viewer.Operator || v.store.halted == [eventlog.Partitions]bool{} {
		return true
	}
	if v.store.lostUnseen {
		return false
	}
	lost := func(agreement *agreementNode) bool { return v.store.halted[agreement.index.partition] }
	return !v.store.halted[v.node.index.partition] && !slices.ContainsFunc(v.agreements(), lost)
}

// IntactPartners reports whether, in addition, no history is lost of the directories of the visible partners.
func (v *visibility) IntactPartners() bool {
	known := v.knownPartners()
	if v.viewer.Operator {
		known = slices.Collect(maps.Keys(v.store.partners))
	}
	return !v.store.lostUnseen && v.Intact() && !slices.ContainsFunc(known, func(id domain.PartnerID) bool {
		partner := v.store.partners[id]
		return partner != nil && v.store.halted[partner.index.partition]
	})
}

// IntactContacts reports whether no history is lost of the directories of the viewer's contacts, whose invitations it may
// have redeemed.
func (v *visibility) IntactContacts() bool {
	return !v.store.lostUnseen && !slices.ContainsFunc(v.contacts(), func(id domain.PartnerID) bool {
		partner := v.store.partners[id]
		return partner != nil && v.store.halted[partner.index.partition]
	})
}

// agreementFor returns the agreement as the viewer sees it: a withdrawn party sees its state at the withdrawal.
func (v *visibility) agreementFor(node *agreementNode) *domain.Agreement {
	return node.entity.ViewFor(v.viewer.Partner, v.now)
}

// projectsOf returns the visible projects of a visible agreement; none for nil.
func (v *visibility) projectsOf(agreement *agreementNode) []*projectNode {
	var visible []*projectNode
	if agreement != nil {
		for _, project := range agreement.projects {
			if project.entity != nil && project.entity.Participant(v.viewer.Partner) {
				visible = append(visible, project)
			}
		}
	}
	return visible
}

// ownDirectory returns the directory of the viewer's own partner, or nil for the operator and for a token that
// is limited to some agreements.
func (v *visibility) ownDirectory(partner domain.PartnerID) *partnerNode {
	if v.viewer.Operator || len(v.scope) > 0 {
		return nil
	}
	return v.directory(partner)
}

// InstrumentVisible reports whether the viewer can see at least a summary of the instrument.
func (v *visibility) InstrumentVisible(agreement domain.AgreementID, instrument domain.InstrumentID) bool {
	return v.instrument(agreement, instrument) != nil
}

// instrument returns an instrument that the viewer can name, or nil.
func (v *visibility) instrument(agreement domain.AgreementID, id domain.InstrumentID) *domain.Instrument {
	node := v.agreement(agreement)
	if node == nil {
		return nil
	}
	of := v.agreementFor(node)
	instrument := of.Instrument(id)
	if instrument == nil || of.DetailFor(instrument, v.viewer.Partner) == domain.DetailKind {
		return nil
	}
	return instrument
}

// disclosedRefs returns the references to an instrument, its schedule item and its clause that the viewer can see.
func (v *visibility) disclosedRefs(
	agreement domain.AgreementID, instrument domain.InstrumentID, item domain.ItemID, clause string,
) (domain.InstrumentID, domain.ItemID, string) {
	if instrument == "" {
		return "", "", ""
	}
	node := v.store.agreements[agreement]
	if node == nil || node.entity == nil {
		return "", "", ""
	}
	return v.agreementFor(node).DisclosedRefs(v.viewer.Partner, instrument, item, clause)
}

// ScheduleItemVisible reports whether the viewer can see the schedule item.
func (v *visibility) ScheduleItemVisible(agreement domain.AgreementID, id domain.InstrumentID, item domain.ItemID) bool {
	instrument := v.instrument(agreement, id)
	return instrument != nil && instrument.Item(item) != nil &&
		v.agreementFor(v.agreement(agreement)).DetailFor(instrument, v.viewer.Partner) == domain.DetailFull
}

// WebhooksVisible reports whether the viewer can see the partner's webhooks.
func (v *visibility) WebhooksVisible(partner domain.PartnerID) bool {
	return v.ownDirectory(partner) != nil
}

// WebhookVisible reports whether the viewer can see the webhook.
func (v *visibility) WebhookVisible(partner domain.PartnerID, id domain.WebhookID) bool {
	return v.webhook(partner, id) != nil
}

func (v *visibility) webhook(partner domain.PartnerID, id domain.WebhookID) *domain.Webhook {
	node := v.ownDirectory(partner)
	if node == nil || node.webhooks[id] == nil || node.webhooks[id].Removed {
		return nil
	}
	return node.webhooks[id]
}

// amendments returns the visible amendments of a visible agreement; none for nil.
func (v *visibility) amendments(agreement *agreementNode) (visible []*domain.Amendment) {
	if agreement == nil {
		return nil
	}
	for _, amendment := range agreement.entity.Amendments {
		if agreement.entity.AmendmentVisibleTo(amendment, v.viewer.Partner, v.now) {
			visible = append(visible, amendment)
		}
	}
	return visible
}

// changes returns the visible change requests of a visible project; none for nil.
func (v *visibility) changes(project *projectNode) (visible []*domain.ChangeRequest) {
	if project == nil {
		return nil
	}
	for _, request := range project.entity.Changes {
		if request.VisibleTo(v.viewer.Partner) {
			visible = append(visible, request)
		}
	}
	return visible
}
