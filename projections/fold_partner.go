package projections

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tandem/domain"
	"tandem/eventlog"
)

// partnerNode is a partner: its directory, and the lists of what it may see.
type partnerNode struct {
	id       domain.PartnerID
	entity   *domain.Partner // nil before its first event
	zone     *time.Location
	members  map[domain.MemberID]*domain.Member
	tokens   map[domain.TokenID]*domain.Token
	webhooks map[domain.WebhookID]*domain.Webhook
	index    *eventIndex

	profile     profileFields     // what its counterparties see of it
	profileMark domain.EventCount // events that changed the face
	agreements  []*agreementNode  // that it is party to, sorted by id
	milestones  []*milestoneNode  // that it may see, in the order of compareMilestones
	indexes     []*eventIndex     // agreements of which it sees, or saw, anything
	version     uint64            // events that it may see
	changes     atomic.Uint64     // grows with every change of what it may see

	waitMu  sync.Mutex
	waiters map[string]waiter // by scope
	waiting atomic.Int32      // number of waiters
}

// profileFields is what counterparties see of a partner: name, country, time zone.
type profileFields [3]string

func profileFieldsOf(entity *domain.Partner) profileFields {
	return profileFields{entity.Name, entity.Country, entity.TimeZone}
}

// waiter is who waits for a change within a scope.
type waiter struct {
	changed chan struct{}
	scope   []domain.AgreementID // empty: all
}

func newPartnerNode(id domain.PartnerID) *partnerNode {
	return &partnerNode{
		id: id, zone: time.UTC,
		members: map[domain.MemberID]*domain.Member{}, tokens: map[domain.TokenID]*domain.Token{},
		webhooks: map[domain.WebhookID]*domain.Webhook{},
		index:    newEventIndex(domain.Stream{Partner: id}.Root(), "@"+string(id)), waiters: map[string]waiter{},
	}
}

// partner returns the node of a partner, which comes into being when it is first named.
func (s *store) partner(id domain.PartnerID) *partnerNode {
	partner, ok := s.partners[id]
	if !ok {
		partner = newPartnerNode(id)
		s.partners[id] = partner
		s.directoriesIn[partner.index.partition] = append(s.directoriesIn[partner.index.partition], partner)
	}
	return partner
}

// readerNode returns the node of a partner, or of the operator for the empty id.
func (s *store) readerNode(id domain.PartnerID) *partnerNode {
	if id == "" {
		return s.operator
	}
	return s.partner(id)
}

// changed returns a channel that is closed at the next change within the scope.
func (p *partnerNode) changed(scope string) <-chan struct{} {
	p.waitMu.Lock()
	defer p.waitMu.Unlock()
	registered, ok := p.waiters[scope]
	if !ok {
		registered = waiter{make(chan struct{}), parseScope(scope)}
		p.waiters[scope] = registered
		p.waiting.Add(1)
	}
	return registered.changed
}

// takeWaiters takes out those who wait for a change of the agreement and appends their channels.
func (p *partnerNode) takeWaiters(fired []chan struct{}, agreement domain.AgreementID) []chan struct{} {
	if p.waiting.Load() == 0 {
		return fired
	}
	p.waitMu.Lock()
	defer p.waitMu.Unlock()
	for scope, registered := range p.waiters {
		if agreement == "" || len(registered.scope) == 0 || slices.Contains(registered.scope, agreement) {
			fired = append(fired, registered.changed)
			delete(p.waiters, scope)
			p.waiting.Add(-1)
		}
	}
	return fired
}

// parseScope reads the canonical text of a token's agreements.
func parseScope(scope string) []domain.AgreementID {
	if scope == "" {
		return nil
	}
	var ids []domain.AgreementID
	for id := range strings.SplitSeq(scope, ",") {
		ids = append(ids, domain.AgreementID(id))
	}
	return ids
}

// scopeOf returns the canonical text of a token's agreements: sorted, with commas between.
func scopeOf(agreements []domain.AgreementID) string {
	ids := make([]string, len(agreements))
	for i, id := range agreements {
		ids[i] = string(id)
	}
	slices.Sort(ids)
	return strings.Join(slices.Compact(ids), ",")
}

func (s *store) indexDirectory(partner *partnerNode, commit *eventlog.Commit, i int, header domain.Header, payload domain.Payload) error {
	switch payload.(type) {
	case domain.MemberAdded, domain.MemberEdited, domain.MemberRemoved:
		ref := domain.MemberRef{Partner: partner.id, Member: domain.MemberID(header.Subject)}
		partner.members[ref.Member] = s.world.Member(ref)
		s.updateTokens(partner, func(token *domain.Token) bool { return token.Member == ref.Member })
	case domain.TokenIssued, domain.TokenRevoked:
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
		s.updateTokens(partner, func(*domain.Token) bool { return true }) // its zone is part of who they are
	}
	partner.entity = s.world.Partner(partner.id) // whatever happens in its directory may change what it lists
	seers := []domain.PartnerID{"", partner.id}
	if only, private := header.Audience.Private(); private {
		seers = []domain.PartnerID{only}
	}
	code, err := partner.index.setCode(s, seers)
	if err == nil {
		_, err = s.addEvent(partner.index, commit, i, header, code)
	}
	return err
}

// updateProfile takes over the partner. Its counterparties learn of the change only if it is one of
// what they see.
func (s *store) updateProfile(partner *partnerNode, at int64) {
	partner.setEntity(s, s.world.Partner(partner.id))
	if now := profileFieldsOf(partner.entity); partner.profile != now {
		partner.profile, partner.profileMark = now, domain.EventCount{Events: partner.profileMark.Events + 1, LastAt: at}
		for _, counterparty := range partner.counterparties() {
			s.markChanged(s.partner(counterparty), "")
		}
	}
}

func (p *partnerNode) setEntity(state *store, entity *domain.Partner) {
	p.entity, p.zone = entity, state.location(entity.TimeZone)
}

// counterparties returns who shares an agreement with p.
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

// location returns the zone of the given name; UTC for one that this machine does not know.
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

// milestoneKey is what lists of milestones are sorted by.
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
