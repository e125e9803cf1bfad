package http

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// invite creates an invitation of a partner and returns its code.
func (w *world) invite(partner string) (code string) {
	w.t.Helper()
	return w.As(partner).POST("/v1/partners/"+partner+"/invitations", nil).Want(201).text("code")
}

// openInvitation returns the path of an invitation of the world that can be redeemed.
func (w *world) openInvitation(partner string) string {
	w.t.Helper()
	path := "/v1/partners/" + partner + "/invitations"
	list := w.As(partner).GET(path).Want(200).list("invitations")
	i := slices.IndexFunc(list, func(invitation object) bool { return invitation["redeemed_by"] == nil })
	return path + "/" + list[i]["id"].(string)
}

func (w *world) draftBetween(who, other string) *answer {
	return w.As(who).POST("/v1/agreements", object{
		"title": "Optics", "parties": []string{who, other}, "effective_on": "2018-01-01",
		"acceptance_days": 5, "deemed_acceptance": false, "forecast_tolerance_days": 0,
	})
}

// TestIntroduction introduces two partners that share no agreement: before that neither can name the other or learns
// that it exists, afterwards both can.
func TestIntroduction(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme, nokia := w.As("acme"), w.As("nokia")
	unknown := w.draftBetween("acme", "no-such").Refused(422, "unknown_partner").Names("parties")
	hidden := w.draftBetween("acme", "nokia").Refused(422, "unknown_partner").Names("parties")
	require.Equal(t, strings.ReplaceAll(unknown.text("detail"), "no-such", "nokia"), hidden.text("detail"), "a partner that was not introduced is like an unknown one")
	acme.GET("/v1/partners/nokia").Refused(404, "not_found")

	invitation := nokia.Key("k").POST("/v1/partners/nokia/invitations", object{"note": "optics"}).Want(201)
	code := invitation.text("code")
	require.Equal(t, code, nokia.Key("k").POST("/v1/partners/nokia/invitations", object{"note": "optics"}).Want(201).text("code"), "a repeat shows the same code")
	path := invitation.location()
	require.NotContains(t, string(nokia.GET(path).Want(200).body), code)
	require.NotContains(t, string(nokia.GET("/v1/partners/nokia/invitations").Want(200).body), code)
	nokia.GET("/v1/partners/nokia/events").Want(200)
	acme.GET("/v1/partners/nokia").Refused(404, "not_found")

	before := acme.GET("/v1/partners").Want(200)
	contact := acme.Key("r").POST("/v1/partners/acme/contacts", object{"code": code}).Want(201)
	require.Equal(t, "nokia", contact.text("contact"))
	require.Equal(t, w.name("nokia"), contact.text("name"))
	require.Equal(t, "/v1/partners/nokia", contact.location())
	require.Equal(t, string(contact.body), string(acme.Key("r").POST("/v1/partners/acme/contacts", object{"code": code}).Want(201).body))
	require.Equal(t, "acme", nokia.GET(path).Want(200).text("redeemed_by"))
	nokia.DELETE(path).Refused(409, "invitation_redeemed")

	require.NotEqual(t, before.etag(), acme.GET("/v1/partners").Want(200).etag())
	require.Equal(t, true, acme.GET("/v1/partners/nokia").Want(200).get("contact"))
	require.Equal(t, true, nokia.GET("/v1/partners/acme").Want(200).get("contact"))
	require.Equal(t, false, nokia.GET("/v1/partners/zte").Want(200).get("contact"))
	contacts := nokia.GET("/v1/partners/nokia/contacts").Want(200).list("contacts")
	require.Equal(t, "acme", contacts[0]["contact"])
	require.Equal(t, true, contacts[0]["invited"])
	w.As("xiaomi").GET("/v1/partners/acme").Refused(404, "not_found")

	w.draftBetween("acme", "nokia").Want(201)
	w.draftBetween("nokia", "acme").Want(201)
	w.draftBetween("xiaomi", "acme").Refused(422, "unknown_partner")

	for who, notice := range map[string]string{"nokia": "invitation-" + invitation.text("id"), "acme": "contact-nokia"} {
		caller, dismiss := w.As(who), "/v1/partners/"+who+"/notices/"+notice+"/dismiss"
		require.Contains(t, string(caller.GET("/v1/partners/"+who+"/inbox?limit=200").Want(200).body), notice)
		caller.POST(dismiss, nil).Want(204)
		caller.POST(dismiss, nil).Refused(404, "not_found")
		require.NotContains(t, string(caller.GET("/v1/partners/"+who+"/inbox?limit=200").Want(200).body), notice)
	}
	nokia.POST("/v1/partners/nokia/notices/contact-zte/dismiss", nil).Refused(404, "not_found")

	w.restart() // from the snapshot
	require.Equal(t, true, w.As("acme").GET("/v1/partners/nokia").Want(200).get("contact"))
	w.As("acme").POST("/v1/partners/acme/contacts", object{"code": code}).Refused(422, "invalid_code")
}

// TestCodesRevealNothing gives one refusal for codes that are unknown, expired, revoked, redeemed or the own one, with
// and without an idempotency key, and none of them depends on the code to a caller that may not redeem.
func TestCodesRevealNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	redeemed, own, expired, revoked := w.invite("nokia"), w.invite("acme"), "", ""
	w.As("xiaomi").POST("/v1/partners/xiaomi/contacts", object{"code": redeemed}).Want(201)
	short := w.As("nokia").POST("/v1/partners/nokia/invitations", object{"expires_in_days": 1}).Want(201)
	expired = short.text("code")
	gone := w.As("nokia").POST("/v1/partners/nokia/invitations", nil).Want(201)
	revoked = gone.text("code")
	w.As("nokia").DELETE(gone.location()).Want(204)
	w.clock.advance(25 * time.Hour)
	valid := w.invite("nokia")

	positions := w.positions()
	for _, key := range []string{"", "k-"} {
		var refusals []string
		for name, code := range map[string]string{"unknown": "tdi_unknown", "empty": "", "redeemed": redeemed, "own": own, "expired": expired, "revoked": revoked} {
			for range 2 { // the second one is a repeat if there is a key
				caller := w.As("acme")
				if key != "" {
					caller = caller.Key(key + name)
				}
				a := caller.POST("/v1/partners/acme/contacts", object{"code": code}).Refused(422, "invalid_code").Names()
				refusals = append(refusals, a.text("detail")+a.text("title"))
			}
		}
		for _, refusal := range refusals {
			require.Equal(t, refusals[0], refusal)
		}
	}
	for _, code := range []string{"tdi_unknown", redeemed, own, valid} {
		w.As("acme-viewer").POST("/v1/partners/acme/contacts", object{"code": code}).Refused(403, "manager_only")
		w.As("operator").POST("/v1/partners/acme/contacts", object{"code": code}).Refused(404, "not_found")
		w.As("zte").POST("/v1/partners/acme/contacts", object{"code": code}).Refused(404, "not_found")
	}
	require.Equal(t, positions, w.positions())
	w.As("acme").POST("/v1/partners/acme/contacts", object{"code": valid}).Want(201)
}

// TestContactJoinsAnAgreement: nokia proposes to add its contact acme to its agreement with xiaomi. Xiaomi learns of
// acme with the proposal, and acme of the agreement when both parties have signed.
func TestContactJoinsAnAgreement(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	amendments := "/v1/agreements/" + w.a + "/amendments"
	join := object{"title": "Acme joins", "changes": object{"join": []object{{"partner": "acme"}}}}
	w.As("nokia").POST(amendments, join).Refused(422, "unknown_partner")
	w.As("acme").POST("/v1/partners/acme/contacts", object{"code": w.invite("nokia")}).Want(201)
	require.NotContains(t, string(w.As("xiaomi").GET("/v1/partners/xiaomi/inbox?limit=200").Want(200).body), w.name("acme"))
	w.As("xiaomi").GET("/v1/partners/acme").Refused(404, "not_found")
	w.As("xiaomi").POST(amendments, join).Refused(422, "unknown_partner")

	number := w.As("nokia").POST(amendments, join).Want(201).location()
	require.Contains(t, string(w.As("xiaomi").GET(number).Want(200).body), "acme")
	w.As("acme").GET("/v1/agreements/"+w.a).Refused(404, "not_found")
	require.NotContains(t, string(w.As("acme").GET("/v1/partners").Want(200).body), `"xiaomi"`)

	for _, who := range []string{"nokia", "xiaomi"} {
		w.As(who).POST(number+"/sign", nil).Want(200)
	}
	w.As("acme").GET("/v1/agreements/" + w.a).Want(200)
	w.As("xiaomi").GET("/v1/partners/acme").Want(200)
	w.As("acme").POST(number+"/sign", nil).Want(200)
}
