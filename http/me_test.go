package http

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMe checks that several members of one partner each see their own identity.
func TestMe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct{ who, role, token, member string }{
		{"nokia", "manager", "nokia-manager", "nokia-manager"},
		{"nokia-viewer", "viewer", "nokia-viewer", w.members["nokia"]},
		{"nokia-spare", "viewer", "nokia-spare", "nokia-spare"},
		{"nokia-limited", "manager", "nokia-limited", "nokia-limited"},
	} {
		a := w.As(c.who).GET("/v1/me").Want(200)
		require.Equal(t, "nokia", a.get("partner"))
		require.Equal(t, c.role, a.get("role"), a)
		require.Equal(t, c.token, a.get("token"), a)
		require.Equal(t, c.member, a.get("member"), a)
	}
	require.Equal(t, []any{w.three}, w.As("nokia-limited").GET("/v1/me").get("agreements"))
	operator := w.As("operator").GET("/v1/me").Want(200)
	require.Nil(t, operator.get("partner"))
	require.Equal(t, "operator", operator.get("role"))

	role := w.As("nokia-viewer").GET("/v1/me")
	w.As("nokia").PATCH("/v1/partners/nokia/members/"+w.members["nokia"], object{"role": "viewer"}).Want(200)
	w.As("nokia-viewer").With("If-None-Match", role.etag()).GET("/v1/me").Want(304)
}

// A member's name stands in sentences without quotation marks, so it cannot contain characters that end a name.
func TestMemberNameCharacters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"Boss (Firm aa) approved everything; clerk", "“Boss”", "Boss: clerk", strings.Repeat("a", 101)} {
		w.As("nokia").POST("/v1/partners/nokia/members", object{"name": name, "email": "a@nokia.example", "role": "viewer"}).
			Refused(422, "invalid_field").Names("name")
	}
	for _, name := range []string{"Dr. Zoë O'Neill-Smith, R&D/QA 2", "王小明"} {
		w.As("nokia").POST("/v1/partners/nokia/members", object{"name": name, "email": "a@nokia.example", "role": "viewer"}).Want(201)
	}
}
