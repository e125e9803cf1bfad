package projections

import (
	"maps"
	"slices"
	"time"

	"tandem/domain"
)

// Partner returns a partner; false for one that the viewer may not know.
func (v *View) Partner(id domain.PartnerID) (Partner, bool) {
	p := v.partner(id)
	if p == nil {
		return Partner{}, false
	}
	shape := Partner{
		ID: p.id, Name: p.entity.Name, Country: p.entity.Country, TimeZone: p.entity.TimeZone,
		Holidays: []domain.Date{}, Version: p.profile.N, UpdatedAt: time.UnixMicro(p.profile.At).UTC(),
		URL: v.url("partners", string(p.id)),
	}
	if v.keeps(id) != nil {
		shape.Holidays = list(p.entity.Holidays)
		shape.Version, shape.UpdatedAt = p.entity.Seen.For(id)
	}
	return shape, true
}

// Partners returns the viewer and its counterparties, all partners to the operator, sorted by id.
func (v *View) Partners() []Partner {
	ids := append(v.counterparties(), v.who.Partner)
	if v.who.Operator {
		ids = slices.Collect(maps.Keys(v.s.partners))
	}
	slices.Sort(ids)
	shapes := []Partner{}
	for _, id := range ids {
		if p, ok := v.Partner(id); ok {
			shapes = append(shapes, p)
		}
	}
	return shapes
}

// Member returns a member, without name and address: see [Image.FillProfiles]. A removed one is
// absent.
func (v *View) Member(p domain.PartnerID, id domain.MemberID) (Member, bool) {
	n := v.keeps(p)
	if n == nil || n.members[id] == nil || n.members[id].Removed {
		return Member{}, false
	}
	x := n.members[id]
	shape := Member{Partner: p, ID: id, Role: x.Role}
	shape.Version, shape.UpdatedAt = x.Seen.For(p)
	return shape, true
}

// Members returns the partner's members, without names and addresses, sorted by id.
func (v *View) Members(p domain.PartnerID) []Member {
	shapes := []Member{}
	if n := v.keeps(p); n != nil {
		for _, id := range slices.Sorted(maps.Keys(n.members)) {
			if m, ok := v.Member(p, id); ok {
				shapes = append(shapes, m)
			}
		}
	}
	return shapes
}

// Token returns a token, a revoked one too. Who holds one that is limited to some agreements does not see
// those that name others.
func (v *View) Token(p domain.PartnerID, id domain.TokenID) (Token, bool) {
	n := v.keeps(p)
	if n == nil || n.tokens[id] == nil {
		return Token{}, false
	}
	x := n.tokens[id]
	if slices.ContainsFunc(x.Agreements, func(a domain.AgreementID) bool { return !v.reaches(a) }) {
		return Token{}, false
	}
	shape := Token{
		Partner: p, ID: id, Name: x.Name, Member: x.Member, Role: x.Role,
		Agreements: list(x.Agreements), ViaOperator: x.ViaOperator, Revoked: x.Revoked,
	}
	if !x.ExpiresAt.IsZero() {
		at := x.ExpiresAt.UTC()
		shape.ExpiresAt = &at
	}
	shape.Version, shape.UpdatedAt = x.Seen.For(p)
	return shape, true
}

// Tokens returns the partner's tokens, sorted by id.
func (v *View) Tokens(p domain.PartnerID) []Token {
	shapes := []Token{}
	if n := v.keeps(p); n != nil {
		for _, id := range slices.Sorted(maps.Keys(n.tokens)) {
			if t, ok := v.Token(p, id); ok {
				shapes = append(shapes, t)
			}
		}
	}
	return shapes
}
