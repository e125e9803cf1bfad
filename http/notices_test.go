package http

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// notices returns the notices in a partner's inbox.
func (w *world) notices(who, partner string) (ids []any) {
	w.t.Helper()
	for _, i := range w.As(who).walk("/v1/partners/"+partner+"/inbox", 2) {
		if item := i.(object); item["kind"] == "notice" {
			ids = append(ids, item["notice"])
		}
	}
	return ids
}

// TestOperatorsTokenIsAnnounced: a token issued by the operator causes a notice, marks its actions, and is announced
// until a manager of the partner dismisses the notice.
func TestOperatorsTokenIsAnnounced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const inbox, dismiss = "/v1/partners/nokia/inbox", "/v1/partners/nokia/notices/token-second/dismiss"
	before := w.As("nokia").GET(inbox)
	w.tokens["second"] = w.As("operator").POST("/v1/partners/nokia/tokens", object{"id": "second", "name": "Second", "role": "manager"}).Want(201).text("token")
	require.NotEqual(t, before.etag(), w.As("nokia").GET(inbox).etag())
	require.Equal(t, []any{"token-nokia-manager", "token-second"}, w.notices("nokia", "nokia"))
	require.Empty(t, w.notices("nokia-limited", "nokia"))
	require.True(t, w.As("second").GET("/v1/me").get("via_operator").(bool))

	for range 2 { // the second is the repeat of the first
		w.As("nokia").Key("once").POST(dismiss, nil).Want(204)
	}
	w.As("nokia").POST(dismiss, nil).Refused(404, "not_found")
	require.Equal(t, []any{"token-nokia-manager"}, w.notices("nokia", "nokia"))
	require.True(t, w.As("nokia").GET("/v1/partners/nokia/tokens/second").get("via_operator").(bool), "that stays")
}

// TestLastManagerCanBeRemoved: the last manager's token or role can be removed, because it may be compromised. The
// operator restores access, which is announced.
func TestLastManagerCanBeRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const acme = "/v1/partners/acme"
	person := acme + "/members/" + w.members["acme"]
	w.issue("acme", "of-person", object{"member": w.members["acme"]})
	w.As("acme").DELETE(acme + "/tokens/acme-manager").Want(204)
	w.As("acme").GET("/v1/me").Refused(401, "invalid_token")
	require.Empty(t, w.notices("of-person", "acme"), "it went with the token")
	w.As("of-person").PATCH(person, object{"role": "viewer"}).Want(200)
	w.As("of-person").PATCH(person, object{"role": "manager"}).Refused(403, "manager_only")
	w.As("of-person").DELETE(person).Refused(403, "manager_only")

	w.tokens["rescue"] = w.As("operator").POST(acme+"/tokens", object{"id": "rescue", "name": "Rescue", "role": "manager"}).Want(201).text("token")
	require.Equal(t, []any{"token-rescue"}, w.notices("of-person", "acme"))
	w.As("rescue").PATCH(person, object{"role": "manager"}).Want(200)
	w.As("of-person").DELETE(person).Want(204)
	w.As("of-person").GET("/v1/me").Refused(401, "invalid_token")
	w.As("rescue").DELETE(person).Refused(404, "not_found")
}
