package projections

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"tandem/domain"
	"tandem/eventlog"
)

// partnerNode is a partner with its directory and the lists of resources that it can see.
type partnerNode struct {
	reader                   // the partner as a reader
	entity   *domain.Partner // nil before its first event
	zone     *time.Location
	members  map[domain.MemberID]*domain.Member
	tokens   map[domain.TokenID]*domain.Token
	webhooks map[domain.WebhookID]*domain.Webhook
	index    *eventIndex // of its directory

	profile     profileFields     // the fields that its counterparties see
	profileMark domain.EventCount // of the events that changed the profile
	formerNames []formerTitle
	contacts    []domain.PartnerID // partners that an invitation has introduced, sorted
	agreements  []*agreementNode   // that list it as a reader, sorted by id
	milestones  []*milestoneNode   // that it can see, in the order of compareMilestones
}

// profileFields are the fields of a partner that its counterparties see: name, country, time zone.
type profileFields [3]string

func profileFieldsOf(entity *domain.Partner) profileFields {
	return profileFields{entity.Name, entity.Country, entity.TimeZone}
}

func (p profileFields) name() string { return p[0] }

func newPartnerNode(id domain.PartnerID) *partnerNode {
	return &partnerNode{
		reader: reader{id: id}, zone: time.UTC,
		members: map[domain.MemberID]*domain.Member{}, tokens: map[domain.TokenID]*domain.Token{},
		webhooks: map[domain.WebhookID]*domain.Webhook{},
		index:    newEventIndex(domain.Stream{Partner: id}.Root(), "@"+string(id)),
	}
}

// partner returns the node of a partner and creates it at the first mention.
func (s *store) partner(id domain.PartnerID) *partnerNode {
	partner, ok := s.partners[id]
	if !ok {
		partner = newPartnerNode(id)
		s.partners[id] = partner
		s.directoriesIn[partner.index.partition] = append(s.directoriesIn[partner.index.partition], partner)
	}
	return partner
}

// reader returns a partner as a reader, or the operator for the empty id.
func (s *store) reader(id domain.PartnerID) *reader {
	if id == "" {
		return &s.operator.reader
	}
	return &s.partner(id).reader
}

func (s *store) indexDirectory(partner *partnerNode, commit *eventlog.Commit, i int, header domain.Header, payload domain.Payload) error {
	switch payload.(type) {
	case domain.MemberAdded, domain.MemberEdited, domain.MemberRemoved:
		ref := domain.MemberRef{Partner: partner.id, Member: domain.MemberID(header.Subject)}
		partner.members[ref.Member] = s.world.Member(ref)
		if _, removed := payload.(domain.MemberRemoved); removed && !s.replay {
			s.names.erase(ref)
			s.markRenamed(ref)
		}
		s.updateTokens(partner, func(token *domain.Token) bool { return token.Member == ref.Member })
	case domain.TokenIssued, domain.TokenConfirmed, domain.TokenRevoked:
		ref := domain.TokenRef{Partner: partner.id, Token: domain.TokenID(header.Subject)}
		partner.tokens[ref.Token] = s.world.Token(ref)
		s.updateTokens(partner, func(token *domain.Token) bool { return token.Ref.Token == ref.Token })
	case domain.WebhookAdded, domain.WebhookEdited, domain.WebhookSecretRotated, domain.WebhookRemoved,
		domain.WebhookDisabled, domain.WebhookEnabled,
		domain.WebhookTestRequested, domain.WebhookRedeliveryRequested, domain.WebhookReplayRequested:
		ref := domain.WebhookRef{Partner: partner.id, Webhook: domain.WebhookID(header.Subject)}
		partner.webhooks[ref.Webhook] = s.world.Webhook(ref)
	default:
		s.updateProfile(partner, header.RecordedAt.UnixMicro())
		s.updateTokens(partner, func(*domain.Token) bool { return true }) // an Identity holds the zone
	}
	partner.entity = s.world.Partner(partner.id) // any event of the directory can change its lists
	seers := []domain.PartnerID{"", partner.id}
	if only, private := header.Audience.Private(); private {
		seers = []domain.PartnerID{only}
	}
	code, err := partner.index.setCode(seers, s.reader)
	if err == nil {
		_, err = s.addEvent(partner.index, commit, i, header, code)
	}
	return err
}

// markRenamed makes the pages stale that can show the member's name.
func (s *store) markRenamed(ref domain.MemberRef) {
	for _, counterparty := range s.partner(ref.Partner).counterparties() {
		s.markChanged(s.reader(counterparty), "")
	}
}

// updateProfile copies the partner. Its counterparties are woken only if a field that they see has changed.
func (s *store) updateProfile(partner *partnerNode, at int64) {
	partner.setEntity(s, s.world.Partner(partner.id))
	if now := profileFieldsOf(partner.entity); partner.profile != now {
		if last := partner.profile.name(); last != "" && last != now.name() {
			partner.formerNames = append(partner.formerNames, formerTitle{last, uint64(at)})
		}
		partner.profile, partner.profileMark = now, domain.EventCount{Events: partner.profileMark.Events + 1, LastAt: at}
		for _, counterparty := range append(partner.counterparties(), partner.contacts...) {
			s.markChanged(s.reader(counterparty), "")
		}
	}
}

// updateInvitations adds the partner's invitations to the index by code, and introduces the partners that have redeemed
// one.
func (s *store) updateInvitations(partner *partnerNode) {
	for _, invitation := range partner.entity.Invitations {
		s.invitations[invitation.Hash] = domain.InvitationRef{Partner: partner.id, Invitation: invitation.ID}
		if invitation.RedeemedBy != "" {
			s.introduce(partner, s.partner(invitation.RedeemedBy))
		}
	}
}

func (s *store) introduce(inviting, redeeming *partnerNode) {
	i, known := slices.BinarySearch(redeeming.contacts, inviting.id)
	if known {
		return
	}
	redeeming.contacts = slices.Insert(slices.Clone(redeeming.contacts), i, inviting.id)
	if i, known = slices.BinarySearch(inviting.contacts, redeeming.id); !known { // each may have invited the other
		inviting.contacts = slices.Insert(slices.Clone(inviting.contacts), i, redeeming.id)
	}
	if !s.replay {
		s.markChanged(&redeeming.reader, "")
	}
}

func (p *partnerNode) setEntity(state *store, entity *domain.Partner) {
	p.entity, p.zone = entity, state.location(entity.TimeZone)
	state.updateInvitations(p)
}

// counterparties returns the partners that share an agreement with the partner.
func (p *partnerNode) counterparties() []domain.PartnerID {
	var ids []domain.PartnerID
	for _, agreement := range p.agreements {
		for _, reader := range agreement.readers() {
			if reader != p.id && !slices.Contains(ids, reader) {
				ids = append(ids, reader)
			}
		}
	}
	return ids
}

// location returns a time zone by name, or UTC for one that this machine does not have.
func (s *store) location(name string) *time.Location {
	loc, ok := s.zones[name]
	if !ok {
		var err error
		if loc, err = time.LoadLocation(name); err != nil {
			loc = time.UTC
		}
		s.zones[name] = loc
	}
	return loc
}

func (p *partnerNode) addAgreement(agreement *agreementNode) {
	i, found := slices.BinarySearchFunc(p.agreements, agreement, compareAgreements)
	if !found {
		p.agreements = slices.Insert(slices.Clone(p.agreements), i, agreement)
	}
}

func (p *partnerNode) dropAgreement(agreement *agreementNode) {
	i, found := slices.BinarySearchFunc(p.agreements, agreement, compareAgreements)
	if found {
		p.agreements = slices.Delete(slices.Clone(p.agreements), i, i+1)
	}
}

func (p *partnerNode) addMilestone(milestone *milestoneNode) {
	if i, found := slices.BinarySearchFunc(p.milestones, milestone, compareMilestones); !found {
		p.milestones = slices.Insert(p.milestones, i, milestone)
	}
}

func (p *partnerNode) dropMilestone(milestone *milestoneNode) {
	if i, found := slices.BinarySearchFunc(p.milestones, milestone, compareMilestones); found {
		p.milestones = slices.Delete(p.milestones, i, i+1)
	}
}

func compareMilestones(one, other *milestoneNode) int { return one.key().compare(other.key()) }

// milestoneKey is the sort key of lists of milestones.
type milestoneKey struct {
	due domain.Date
	ref domain.MilestoneRef
}

func (m *milestoneNode) key() milestoneKey { return milestoneKey{m.due, m.entity.Ref} }

func (k milestoneKey) compare(other milestoneKey) int {
	return cmp.Or(
		cmp.Compare(k.due, other.due),
		strings.Compare(string(k.ref.Agreement), string(other.ref.Agreement)),
		strings.Compare(string(k.ref.Project), string(other.ref.Project)),
		strings.Compare(string(k.ref.Milestone), string(other.ref.Milestone)),
	)
}

// appendWebhooks appends the webhooks that are not removed, sorted by id. A nil node has none.
func (p *partnerNode) appendWebhooks(all []*domain.Webhook) []*domain.Webhook {
	if p == nil || p.entity == nil {
		return all
	}
	for _, id := range p.entity.Webhooks {
		all = append(all, p.webhooks[id])
	}
	return all
}
