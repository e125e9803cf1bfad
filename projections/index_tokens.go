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

// tokenIndex finds live tokens by the SHA-256 of their secret, without locks. Each shard is
// replaced, never changed.
type tokenIndex struct {
	shards [64]atomic.Pointer[map[[32]byte]*tokenHolder]
}

type tokenHolder struct {
	identity  Identity
	expiresAt time.Time // zero: never
}

func newTokenIndex() *tokenIndex {
	tokens := &tokenIndex{}
	for i := range tokens.shards {
		tokens.shards[i].Store(&map[[32]byte]*tokenHolder{})
	}
	return tokens
}

func (t *tokenIndex) shard(hash *[32]byte) *atomic.Pointer[map[[32]byte]*tokenHolder] {
	return &t.shards[hash[0]%64]
}

// Authenticate returns who holds the live token whose secret has the given SHA-256. It takes no
// lock and allocates nothing. The identity must not be changed.
func (t *tokenIndex) Authenticate(hash [32]byte, at time.Time) (*Identity, bool) {
	holder := (*t.shard(&hash).Load())[hash]
	if holder == nil || (!holder.expiresAt.IsZero() && !at.Before(holder.expiresAt)) {
		return nil, false
	}
	return &holder.identity, true
}

// set makes the token good for b; nil ends it.
func (t *tokenIndex) set(hash [32]byte, holder *tokenHolder) {
	shard := t.shard(&hash)
	old := *shard.Load()
	if old[hash] == nil && holder == nil {
		return
	}
	fresh := make(map[[32]byte]*tokenHolder, len(old)+1)
	for k, holder := range old {
		fresh[k] = holder
	}
	if fresh[hash] = holder; holder == nil {
		delete(fresh, hash)
	}
	shard.Store(&fresh)
}

// load replaces all tokens.
func (t *tokenIndex) load(holders map[[32]byte]*tokenHolder) {
	var fresh [len(t.shards)]map[[32]byte]*tokenHolder
	for i := range fresh {
		fresh[i] = map[[32]byte]*tokenHolder{}
	}
	for hash, holder := range holders {
		fresh[hash[0]%64][hash] = holder
	}
	for i := range fresh {
		t.shards[i].Store(&fresh[i])
	}
}
