package projections

import (
	"time"

	"tandem/domain"
)

// updateTokens updates the index entries of the partner's tokens that concerned selects. A replay leaves that
// to endReplay.
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

// holderOf returns the holder of a token, or nil if the token is not valid. Expiry is checked when it is used.
func (p *partnerNode) holderOf(token *domain.Token) *tokenHolder {
	member := p.members[token.Member]
	if !token.ValidAt(member, time.Time{}) {
		return nil
	}
	return &tokenHolder{
		identity: Identity{
			Viewer: Viewer{Partner: p.id, Scope: scopeOf(token.Agreements)},
			Member: token.Member, Token: token.Ref.Token, Role: token.RoleFor(member), ViaOperator: token.ViaOperator, Confirmed: token.Confirmed,
			MaySign:  token.MaySign(member),
			TimeZone: p.zone,
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
