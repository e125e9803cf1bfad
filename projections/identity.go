package projections

import (
	"sync/atomic"
	"time"

	"tandem/domain"
)

// Viewer is who reads: what it may see depends on nothing else.
type Viewer struct {
	Partner  domain.PartnerID // empty for the operator
	Scope    string           // the agreements that its token is good for, sorted, with commas between; empty: all
	Operator bool
}

// Identity is who a token belongs to.
type Identity struct {
	Viewer
	Member      domain.MemberID
	Token       domain.TokenID
	Role        domain.Role // the lesser of the token's and its member's
	ViaOperator bool
	TimeZone    *time.Location // of the partner
}

// identities finds live tokens by the SHA-256 of their secret, without locks. Each shard is
// replaced, never changed.
type identities struct {
	shards [64]atomic.Pointer[map[[32]byte]*bearer]
}

type bearer struct {
	identity  Identity
	expiresAt time.Time // zero: never
}

func newIdentities() *identities {
	t := &identities{}
	for i := range t.shards {
		t.shards[i].Store(&map[[32]byte]*bearer{})
	}
	return t
}

func (t *identities) shard(hash *[32]byte) *atomic.Pointer[map[[32]byte]*bearer] {
	return &t.shards[hash[0]%64]
}

// Authenticate returns who holds the live token whose secret has the given SHA-256. It takes no
// lock and allocates nothing. The identity must not be changed.
func (i *Image) Authenticate(hash [32]byte, at time.Time) (*Identity, bool) {
	b := (*i.identities.shard(&hash).Load())[hash]
	if b == nil || (!b.expiresAt.IsZero() && !at.Before(b.expiresAt)) {
		return nil, false
	}
	return &b.identity, true
}

// set makes the token good for b; nil ends it.
func (t *identities) set(hash [32]byte, b *bearer) {
	shard := t.shard(&hash)
	old := *shard.Load()
	if old[hash] == nil && b == nil {
		return
	}
	fresh := make(map[[32]byte]*bearer, len(old)+1)
	for k, v := range old {
		fresh[k] = v
	}
	if fresh[hash] = b; b == nil {
		delete(fresh, hash)
	}
	shard.Store(&fresh)
}

// load replaces everything by what the partners' tokens say.
func (t *identities) load(partners map[domain.PartnerID]*partnerNode) {
	var fresh [len(t.shards)]map[[32]byte]*bearer
	for n := range fresh {
		fresh[n] = map[[32]byte]*bearer{}
	}
	for _, p := range partners {
		for _, token := range p.tokens {
			if b := p.bearer(token); b != nil {
				fresh[token.Hash[0]%64][token.Hash] = b
			}
		}
	}
	for n := range fresh {
		t.shards[n].Store(&fresh[n])
	}
}

// identify brings the identities of some of the partner's tokens up to date. A replay does it once
// for all.
func (s *store) identify(p *partnerNode, concerned func(*domain.Token) bool) {
	if s.replay {
		return
	}
	for _, t := range p.tokens {
		if concerned(t) {
			s.identities.set(t.Hash, p.bearer(t))
		}
	}
}

// bearer returns who holds the token; nil when it is good for nothing any more.
func (p *partnerNode) bearer(t *domain.Token) *bearer {
	member := p.members[t.Member]
	if !t.Grants(member, time.Time{}) {
		return nil
	}
	return &bearer{
		identity: Identity{
			Viewer: Viewer{Partner: p.id, Scope: scopeOf(t.Agreements)},
			Member: t.Member, Token: t.Ref.Token, Role: t.RoleFor(member), ViaOperator: t.ViaOperator, TimeZone: p.zone,
		},
		expiresAt: t.ExpiresAt,
	}
}
