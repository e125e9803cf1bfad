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

// TestConfirmedTokens: once a manager has confirmed the operator's first token, members issue tokens of their own.
func TestConfirmedTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const tokens, comment = "/v1/partners/nokia/tokens", "/comment"
	mark := func(token string) any {
		w.As(token).POST(w.routing("going")+comment, object{"text": "x"}).Want(200)
		events := w.As("xiaomi").walk(w.at(w.a)+"/events", 200)
		return events[len(events)-1].(object)["via_operator"]
	}
	for _, own := range []string{"nokia-office", "nokia-signer"} { // with a token of its own, Nokia would confirm with that
		w.As("nokia").DELETE(tokens + "/" + own).Want(204)
	}
	w.issue("nokia", "early", object{"role": "manager"})
	require.Equal(t, true, mark("early"))

	confirm := tokens + "/nokia-manager/confirm"
	w.As("operator").POST(confirm, nil).Refused(403, "manager_only")
	w.As("nokia-viewer").POST(confirm, nil).Refused(403, "manager_only")
	w.As("nokia-limited").POST(confirm, nil).Refused(403, "token_limited")
	w.As("xiaomi").POST(confirm, nil).Refused(404, "not_found")
	confirmed := w.As("nokia").POST(confirm, nil).Want(200)
	require.Equal(t, []any{true, true}, []any{confirmed.get("confirmed"), confirmed.get("via_operator")})
	require.NotContains(t, w.notices("nokia", "nokia"), "token-nokia-manager")
	w.As("nokia").POST(confirm, nil).Refused(409, "token_confirmed")

	w.issue("nokia", "own", object{"role": "manager"})
	require.Equal(t, false, mark("own"))
	require.Equal(t, true, mark("nokia"), "the operator has seen its secret")
	require.Equal(t, true, mark("early"))
	w.As("early").POST(tokens+"/early/confirm", nil).Refused(403, "token_not_confirmed")
	w.As("own").POST(tokens+"/early/confirm", nil).Want(200)
	require.Equal(t, false, mark("early"))

	// The operator cannot confirm a token that it issues to itself, nor sign with it.
	w.tokens["second"] = w.As("operator").POST(tokens, object{"id": "second", "name": "Second", "role": "manager"}).Want(201).text("token")
	w.As("second").POST(tokens+"/second/confirm", nil).Refused(403, "token_not_confirmed")
	require.Contains(t, w.notices("nokia", "nokia"), "token-second")
	w.As("own").PATCH("/v1/partners/nokia/members/"+w.members["nokia"], object{"may_sign": true}).Want(200)
	w.tokens["signing"] = w.As("operator").POST(tokens, object{"id": "signing", "name": "Signing", "role": "manager", "member": w.members["nokia"]}).
		Want(201).text("token")
	require.Equal(t, false, w.As("signing").GET("/v1/me").get("may_sign"))
	w.As("own").POST(tokens+"/signing/confirm", nil).Want(200)
	require.Equal(t, true, w.As("signing").GET("/v1/me").get("may_sign"))
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
