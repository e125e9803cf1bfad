package projections

import (
	"sync/atomic"
	"time"

	"tandem/domain"
)

// Viewer identifies the reader of a view. Visibility depends on it alone.
type Viewer struct {
	Partner  domain.PartnerID // empty for the operator
	Scope    string           // agreements that its token grants, sorted and separated by commas; empty: all
	Operator bool
}

// Identity is the holder of a token.
type Identity struct {
	Viewer
	Member      domain.MemberID
	Token       domain.TokenID
	Role        domain.Role // the lesser of the token's and the member's role
	ViaOperator bool
	Confirmed   bool
	MaySign     bool           // see domain.Token.MaySign
	TimeZone    *time.Location // of the partner
}

// tokenIndex finds valid tokens by the SHA-256 of their secret without locks. Its shards are replaced, never
// changed.
type tokenIndex struct {
	shards [64]atomic.Pointer[map[[32]byte]*tokenHolder]
}

// tokenHolder is the identity that a token grants, and until when.
type tokenHolder struct {
	identity  Identity
	expiresAt time.Time // zero: it does not expire
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

// Authenticate returns the holder of the valid token whose secret has the given SHA-256. It takes no lock and
// does not allocate. The identity must not be changed.
func (t *tokenIndex) Authenticate(hash [32]byte, at time.Time) (*Identity, bool) {
	holder := (*t.shard(&hash).Load())[hash]
	if holder == nil || (!holder.expiresAt.IsZero() && !at.Before(holder.expiresAt)) {
		return nil, false
	}
	return &holder.identity, true
}

// set adds or replaces a token; a nil holder removes it.
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
