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
	root     *root

	face       face             // what its counterparties see of it
	profile    domain.Mark      // events that changed the face
	agreements []*agreementNode // that it is party to, sorted by id
	milestones []*milestoneNode // that it may see, in the order of compareMilestones
	roots      []*root          // agreements of which it sees, or saw, anything
	version    uint64           // events that it may see
	changes    atomic.Uint64    // grows with every change of what it may see

	waitMu  sync.Mutex
	waiters map[string]waiter // by scope
	waiting atomic.Int32      // number of waiters
}

// face is what counterparties see of a partner: name, country, time zone.
type face [3]string

func faceOf(x *domain.Partner) face { return face{x.Name, x.Country, x.TimeZone} }

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
		root:     newRoot(domain.Stream{Partner: id}.Root(), "@"+string(id)), waiters: map[string]waiter{},
	}
}

// partner returns the node of a partner, which comes into being when it is first named.
func (s *store) partner(id domain.PartnerID) *partnerNode {
	p, ok := s.partners[id]
	if !ok {
		p = newPartnerNode(id)
		s.partners[id] = p
		s.directoriesIn[p.root.partition] = append(s.directoriesIn[p.root.partition], p)
	}
	return p
}

// viewer returns the node of a partner, or of the operator for the empty id.
func (s *store) viewer(id domain.PartnerID) *partnerNode {
	if id == "" {
		return s.operator
	}
	return s.partner(id)
}

// changed returns a channel that is closed at the next change within the scope.
func (p *partnerNode) changed(scope string) <-chan struct{} {
	p.waitMu.Lock()
	defer p.waitMu.Unlock()
	w, ok := p.waiters[scope]
	if !ok {
		w = waiter{make(chan struct{}), parseScope(scope)}
		p.waiters[scope] = w
		p.waiting.Add(1)
	}
	return w.changed
}

// fire takes out those who wait for a change of the agreement and appends their channels.
func (p *partnerNode) fire(fired []chan struct{}, a domain.AgreementID) []chan struct{} {
	if p.waiting.Load() == 0 {
		return fired
	}
	p.waitMu.Lock()
	defer p.waitMu.Unlock()
	for scope, w := range p.waiters {
		if a == "" || len(w.scope) == 0 || slices.Contains(w.scope, a) {
			fired = append(fired, w.changed)
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

func (s *store) indexDirectory(p *partnerNode, c *eventlog.Commit, i int, h domain.Header) error {
	switch kind, _, _ := strings.Cut(c.Events[i].Type, "."); kind {
	case "member":
		ref := domain.MemberRef{Partner: p.id, Member: domain.MemberID(h.Subject)}
		p.members[ref.Member] = s.world.Member(ref)
		s.identify(p, func(t *domain.Token) bool { return t.Member == ref.Member })
	case "token":
		ref := domain.TokenRef{Partner: p.id, Token: domain.TokenID(h.Subject)}
		p.tokens[ref.Token] = s.world.Token(ref)
		s.identify(p, func(t *domain.Token) bool { return t.Ref.Token == ref.Token })
	case "webhook":
		ref := domain.WebhookRef{Partner: p.id, Webhook: domain.WebhookID(h.Subject)}
		p.webhooks[ref.Webhook] = s.world.Webhook(ref)
	default:
		s.takeProfile(p, h.RecordedAt.UnixMicro())
		s.identify(p, func(*domain.Token) bool { return true }) // its zone is part of who they are
	}
	p.entity = s.world.Partner(p.id) // whatever happens in its directory may change what it lists
	seers := []domain.PartnerID{"", p.id}
	if only, private := h.Audience.Private(); private {
		seers = []domain.PartnerID{only}
	}
	code, err := p.root.code(s, seers)
	if err == nil {
		_, err = s.record(p.root, c, i, h, code)
	}
	return err
}

// takeProfile takes over the partner. Its counterparties learn of the change only if it is one of
// what they see.
func (s *store) takeProfile(p *partnerNode, at int64) {
	p.setEntity(s, s.world.Partner(p.id))
	if now := faceOf(p.entity); p.face != now {
		p.face, p.profile = now, domain.Mark{N: p.profile.N + 1, At: at}
		for _, x := range p.counterparties() {
			s.touch(s.partner(x), "")
		}
	}
}

func (p *partnerNode) setEntity(s *store, x *domain.Partner) {
	p.entity, p.zone = x, s.location(x.TimeZone)
}

// counterparties returns who shares an agreement with p.
func (p *partnerNode) counterparties() []domain.PartnerID {
	var ids []domain.PartnerID
	for _, a := range p.agreements {
		for _, x := range a.readers() {
			if x != p.id && !slices.Contains(ids, x) {
				ids = append(ids, x)
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

func (p *partnerNode) addAgreement(a *agreementNode) {
	i, found := slices.BinarySearchFunc(p.agreements, a, compareAgreements)
	if !found {
		p.agreements = slices.Insert(slices.Clone(p.agreements), i, a)
	}
}

func (p *partnerNode) dropAgreement(a *agreementNode) {
	i, found := slices.BinarySearchFunc(p.agreements, a, compareAgreements)
	if found {
		p.agreements = slices.Delete(slices.Clone(p.agreements), i, i+1)
	}
}

func (p *partnerNode) addMilestone(m *milestoneNode) {
	if i, found := slices.BinarySearchFunc(p.milestones, m, compareMilestones); !found {
		p.milestones = slices.Insert(p.milestones, i, m)
	}
}

func (p *partnerNode) dropMilestone(m *milestoneNode) {
	if i, found := slices.BinarySearchFunc(p.milestones, m, compareMilestones); found {
		p.milestones = slices.Delete(p.milestones, i, i+1)
	}
}

func compareMilestones(a, b *milestoneNode) int { return a.key().compare(b.key()) }

// milestoneKey is what lists of milestones are sorted by.
type milestoneKey struct {
	due domain.Date
	ref domain.MilestoneRef
}

func (m *milestoneNode) key() milestoneKey { return milestoneKey{m.due, m.entity.Ref} }

func (k milestoneKey) compare(o milestoneKey) int {
	return cmp.Or(
		cmp.Compare(k.due, o.due),
		strings.Compare(string(k.ref.Agreement), string(o.ref.Agreement)),
		strings.Compare(string(k.ref.Project), string(o.ref.Project)),
		strings.Compare(string(k.ref.Milestone), string(o.ref.Milestone)),
	)
}
