package projections

import (
	"time"

	"tandem/domain"
)

// updateTokens brings the identities of some of the partner's tokens up to date. A replay does it once
// for all.
func (s *store) updateTokens(partner *partnerNode, concerned func(*domain.Token) bool) {
	if s.replay {
		return
	}
	for _, token := range partner.tokens {
		if concerned(token) {
			s.tokens.set(token.Hash, partner.holderOf(token))
		}
	}
}

// holderOf returns who holds the token; nil when it is good for nothing any more.
func (p *partnerNode) holderOf(token *domain.Token) *tokenHolder {
	member := p.members[token.Member]
	if !token.ValidAt(member, time.Time{}) {
		return nil
	}
	return &tokenHolder{
		identity: Identity{
			Viewer: Viewer{Partner: p.id, Scope: scopeOf(token.Agreements)},
			Member: token.Member, Token: token.Ref.Token, Role: token.RoleFor(member), ViaOperator: token.ViaOperator, TimeZone: p.zone,
		},
		expiresAt: token.ExpiresAt,
	}
}

// tokenHolders returns the holders of all valid tokens, by the SHA-256 of their secret.
func (s *store) tokenHolders() map[[32]byte]*tokenHolder {
	holders := map[[32]byte]*tokenHolder{}
	for _, partner := range s.partners {
		for _, token := range partner.tokens {
			if holder := partner.holderOf(token); holder != nil {
				holders[token.Hash] = holder
			}
		}
	}
	return holders
}
