package projections_test

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/domain"
)

func (h *fixture) issue(partner domain.PartnerID, c domain.IssueToken) [32]byte {
	hash := sha256.Sum256([]byte(string(partner) + "/" + string(c.Token)))
	c.Partner, c.Name, c.Hash = partner, "token", hash[:]
	h.do(partner, c)
	return hash
}

func TestAuthenticate(t *testing.T) {
	h := newFixture(t)
	h.settle()
	h.do("nokia", domain.AddMember{MemberRef: domain.MemberRef{Partner: "nokia", Member: "anna"}, Role: domain.Manager})
	program := h.issue("nokia", domain.IssueToken{TokenRef: domain.TokenRef{Token: "ci"}, Role: domain.Viewer, Agreements: []domain.AgreementID{"b", "a", "b"}})
	personal := h.issue("nokia", domain.IssueToken{TokenRef: domain.TokenRef{Token: "annas"}, Member: "anna", Role: domain.Manager, ExpiresAt: h.clock.Now().Add(time.Hour)})
	model := h.follow(t, h.config())
	who, ok := model.Authenticate(program, h.clock.Now())
	require.True(t, ok)
	require.Equal(t, domain.PartnerID("nokia"), who.Partner)
	require.Equal(t, "a,b", who.Scope)
	require.Equal(t, domain.MemberID("ci"), who.Member)
	require.Equal(t, domain.Viewer, who.Role)
	require.Equal(t, "Europe/Helsinki", who.TimeZone.String())
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = model.Authenticate(program, h.clock.Now()) }))

	_, ok = model.Authenticate([32]byte{1}, h.clock.Now())
	require.False(t, ok)
	who, ok = model.Authenticate(personal, h.clock.Now())
	require.True(t, ok)
	require.Equal(t, domain.Manager, who.Role)
	require.False(t, who.MaySign)
	_, ok = model.Authenticate(personal, h.clock.Now().Add(time.Hour))
	require.False(t, ok, "expired")

	viewer := domain.Viewer
	h.do("nokia", domain.EditMember{MemberRef: domain.MemberRef{Partner: "nokia", Member: "anna"}, Role: &viewer})
	zone := "Asia/Tokyo"
	h.do("nokia", domain.EditPartner{PartnerID: "nokia", TimeZone: &zone})
	model.caughtUp(t)
	who, ok = model.Authenticate(personal, h.clock.Now())
	require.True(t, ok)
	require.Equal(t, domain.Viewer, who.Role, "no more than its member may")
	require.Equal(t, "Asia/Tokyo", who.TimeZone.String())
	h.do("nokia", domain.RemoveMember{MemberRef: domain.MemberRef{Partner: "nokia", Member: "anna"}})
	h.do("nokia", domain.RevokeToken{TokenRef: domain.TokenRef{Partner: "nokia", Token: "ci"}})
	model.caughtUp(t)
	_, ok = model.Authenticate(personal, h.clock.Now())
	require.False(t, ok, "its member was removed")
	_, ok = model.Authenticate(program, h.clock.Now())
	require.False(t, ok, "revoked")

	again := start(t, h.config())
	_, ok = again.Authenticate(program, h.clock.Now())
	require.False(t, ok, "revoked before a replay")
	require.NoError(t, again.stop())
}

func TestOnlyAManagerTokenOfAMemberWhoMaySignSigns(t *testing.T) {
	h := newFixture(t)
	h.settle()
	saara := domain.MemberRef{Partner: "nokia", Member: "saara"}
	h.do("nokia", domain.AddMember{MemberRef: saara, Role: domain.Manager, MaySign: true})
	program := h.issue("nokia", domain.IssueToken{TokenRef: domain.TokenRef{Token: "ci"}, Role: domain.Manager})
	reading := h.issue("nokia", domain.IssueToken{TokenRef: domain.TokenRef{Token: "reading"}, Member: "saara", Role: domain.Viewer})
	personal := h.issue("nokia", domain.IssueToken{TokenRef: domain.TokenRef{Token: "saaras"}, Member: "saara", Role: domain.Manager})
	model := h.follow(t, h.config())
	maySign := func(token [32]byte) bool {
		model.caughtUp(t)
		who, ok := model.Authenticate(token, h.clock.Now())
		require.True(t, ok)
		return who.MaySign
	}
	require.True(t, maySign(personal))
	require.False(t, maySign(reading), "a viewer token")
	require.False(t, maySign(program), "no member")
	h.do("nokia", domain.EditMember{MemberRef: saara, MaySign: new(false)})
	require.False(t, maySign(personal))
	h.do("nokia", domain.EditMember{MemberRef: saara, MaySign: new(true)})
	require.True(t, maySign(personal))
}
