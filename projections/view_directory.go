package projections

import (
	"maps"
	"slices"
	"time"

	"tandem/api"
	"tandem/domain"
)

// Partner returns a partner, or false if it is invisible.
func (v *View) Partner(id domain.PartnerID) (api.Partner, bool) {
	partner := v.partner(id)
	if partner == nil {
		return api.Partner{}, false
	}
	shape := api.Partner{
		ID: partner.id, Name: v.knownName(id), Country: partner.entity.Country, TimeZone: partner.entity.TimeZone,
		Holidays: []domain.Date{}, Version: partner.profileMark.Events, UpdatedAt: time.UnixMicro(partner.profileMark.LastAt).UTC(),
		Contact: slices.Contains(v.contacts(), id), URL: v.url("partners", string(partner.id)),
	}
	if v.directory(id) != nil {
		shape.Holidays = emptyIfNil(partner.entity.Holidays)
		shape.Version, shape.UpdatedAt = partner.entity.Versions.For(id)
		shape.Creation = v.creation(partner.entity.Versions)
	}
	return shape, true
}

// knownName returns the name of a visible partner. A viewer that has left all agreements with the partner does not learn
// of later names.
func (v *View) knownName(id domain.PartnerID) string {
	var lastDay domain.Date
	for _, agreement := range v.agreements() {
		known := v.agreementFor(agreement)
		switch left := agreement.entity.HasLeft(v.viewer.Partner, v.now); {
		case !left && slices.Contains(agreement.readers(), id):
			return v.name(id)
		case left && slices.Contains(known.Terms.Parties, id):
			lastDay = max(lastDay, known.Termination.On)
		}
	}
	if lastDay == 0 || id == v.viewer.Partner || slices.Contains(v.contacts(), id) {
		return v.name(id)
	}
	return v.nameAt(id, lastDay.Time().AddDate(0, 0, 1).UnixMicro()-1)
}

// Partners returns the viewer, its counterparties and contacts, or all partners for the operator, sorted by id.
func (v *View) Partners() []api.Partner {
	ids := append(v.knownPartners(), v.viewer.Partner)
	if v.viewer.Operator {
		ids = slices.Collect(maps.Keys(v.store.partners))
	}
	slices.Sort(ids)
	shapes := []api.Partner{}
	for _, id := range ids {
		if partner, ok := v.Partner(id); ok {
			shapes = append(shapes, partner)
		}
	}
	return shapes
}

// Member returns a member without name and address, which [ReadModel.FillProfiles] adds; false if it is
// invisible or removed.
func (v *View) Member(partner domain.PartnerID, id domain.MemberID) (api.Member, bool) {
	node := v.directory(partner)
	if node == nil || node.members[id] == nil || node.members[id].Removed {
		return api.Member{}, false
	}
	member := node.members[id]
	shape := api.Member{Partner: partner, ID: id, Role: member.Role, MaySign: member.MaySign}
	shape.Version, shape.UpdatedAt = member.Versions.For(partner)
	shape.Creation = v.creation(member.Versions)
	return shape, true
}

// Members returns a partner's members without names and addresses, sorted by id.
func (v *View) Members(partner domain.PartnerID) []api.Member {
	shapes := []api.Member{}
	if node := v.directory(partner); node != nil {
		for _, id := range slices.Sorted(maps.Keys(node.members)) {
			if member, ok := v.Member(partner, id); ok {
				shapes = append(shapes, member)
			}
		}
	}
	return shapes
}

// Token returns a token, also a revoked one. A viewer whose own token is limited to some agreements does not
// see tokens for other agreements.
func (v *View) Token(partner domain.PartnerID, id domain.TokenID) (api.Token, bool) {
	node := v.directory(partner)
	if node == nil || node.tokens[id] == nil {
		return api.Token{}, false
	}
	token := node.tokens[id]
	if slices.ContainsFunc(token.Agreements, func(agreement domain.AgreementID) bool { return !v.inScope(agreement) }) {
		return api.Token{}, false
	}
	shape := api.Token{
		Partner: partner, ID: id, Name: token.Name, Member: token.Member, Role: token.Role,
		Agreements: emptyIfNil(token.Agreements), ViaOperator: token.ViaOperator, Confirmed: token.Confirmed, Revoked: token.Revoked,
	}
	if !token.ExpiresAt.IsZero() {
		at := token.ExpiresAt.UTC()
		shape.ExpiresAt = &at
	}
	shape.Version, shape.UpdatedAt = token.Versions.For(partner)
	shape.Creation = v.creation(token.Versions)
	return shape, true
}

// Tokens returns the partner's visible tokens, sorted by id.
func (v *View) Tokens(partner domain.PartnerID) []api.Token {
	shapes := []api.Token{}
	if node := v.directory(partner); node != nil {
		for _, id := range slices.Sorted(maps.Keys(node.tokens)) {
			if token, ok := v.Token(partner, id); ok {
				shapes = append(shapes, token)
			}
		}
	}
	return shapes
}

// name returns the name of a partner, or its id if it does not exist.
func (v *View) name(partner domain.PartnerID) string {
	if node := v.store.partners[partner]; node != nil && node.entity != nil {
		return node.entity.Name
	}
	return string(partner)
}

// nameAt returns the name that a partner had at a time, in microseconds since 1970.
func (v *View) nameAt(partner domain.PartnerID, at int64) string {
	if node := v.store.partners[partner]; node != nil {
		return titleAt(node.formerNames, v.name(partner), uint64(at))
	}
	return v.name(partner)
}

func (v *View) namesOf(ids []domain.PartnerID) []string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = v.name(id)
	}
	return names
}
