package domain

// A token that the operator issued, or that was issued with such a token, is marked: history shows that every action
// taken with it may be the operator's. When a manager of the partner confirms a token of the operator, the tokens issued
// with it from then on are the partner's own; its own actions stay marked, because the operator has seen its secret. A
// confirmed token that a member issued is no longer marked. Actions taken before the confirmation keep their mark.

// ConfirmToken states that a marked token is in the hands of the partner. The first token of a partner confirms itself,
// because there is no other. As soon as the partner has a manager token of its own or a confirmed one, only such a token
// confirms, so that the operator cannot confirm a further token that it issues. The operator cannot confirm tokens.
type ConfirmToken struct {
	TokenRef
}

// TokenConfirmed is about the token named by the event's subject.
type TokenConfirmed struct{}

func (c ConfirmToken) decide(state State, dc DecisionContext) ([]Event, error) {
	partner, err := findDirectory(state, c.Partner, dc)
	if err != nil {
		return nil, err
	}
	token := state.Token(c.TokenRef)
	if token == nil || token.Revoked {
		return nil, ErrNotFound()
	}
	if err := dc.requireManager(); err != nil {
		return nil, err
	}
	if dc.Actor.unconfirmed() && partner.hasOwnManagerToken(state, dc) {
		return nil, forbidden("token_not_confirmed", "Your token was issued by the operator, or with such a token, and is not confirmed; use another token of %s.", c.Partner)
	}
	switch {
	case token.Confirmed:
		return nil, conflict("token_confirmed", "Token %s is already confirmed.", c.Token)
	case !token.ViaOperator:
		return nil, conflict("token_not_marked", "Token %s is the partner's own; only tokens of the operator need a confirmation.", c.Token)
	}
	return directoryEvent(string(c.Token), TokenConfirmed{}), nil
}

func (TokenConfirmed) apply(world *World, header Header) {
	token := world.editToken(TokenRef{header.Stream.Partner, TokenID(header.Subject)})
	token.Confirmed = true
	token.ViaOperator = token.ByOperator
	token.Versions.count(header)
	world.forgetDismissal(header.Stream.Partner, NoticeOfToken(TokenID(header.Subject)))
	world.countOwnManagerToken(token)
}

// unconfirmed reports whether the actor's token is marked and no manager has confirmed it.
func (a Actor) unconfirmed() bool { return a.ViaOperator && !a.Confirmed }

// own reports whether the token is the partner's own, or a token of the operator that a manager has confirmed.
func (t *Token) own() bool { return !t.ViaOperator || t.Confirmed }

// hasOwnManagerToken reports whether a valid manager token for all agreements is the partner's own or confirmed.
func (p *Partner) hasOwnManagerToken(state State, dc DecisionContext) bool {
	for _, id := range p.OwnManagerTokens {
		token := state.Token(TokenRef{p.ID, id})
		member := state.Member(MemberRef{p.ID, token.Member})
		if token.ValidAt(member, dc.At) && token.RoleFor(member) == Manager {
			return true
		}
	}
	return false
}

// countOwnManagerToken keeps the partner's list of such tokens.
func (w *World) countOwnManagerToken(token *Token) {
	if token.own() && token.Role == Manager && len(token.Agreements) == 0 && w.Partner(token.Ref.Partner) != nil {
		partner := w.editPartner(token.Ref.Partner)
		partner.OwnManagerTokens = upsert(partner.OwnManagerTokens, token.Ref.Token, func(id TokenID) string { return string(id) })
	}
}

// dropOwnManagerToken removes a revoked token from the list.
func (w *World) dropOwnManagerToken(token *Token) {
	if partner := w.Partner(token.Ref.Partner); partner != nil {
		partner = w.editPartner(token.Ref.Partner)
		partner.OwnManagerTokens = without(partner.OwnManagerTokens, token.Ref.Token)
	}
}
