package http

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func (w *world) amendmentRefusals() []refused {
	all := w.at(w.a) + "/amendments"
	wants := func(changes object) object { return object{"title": "x", "changes": changes} }
	part := object{"id": "new", "kind": "exploration", "title": "New", "effective_on": "2018-01-01", "disclosure": "disclosed"}
	return []refused{
		{"nokia", "POST", all, wants(object{}), "", 422, "invalid_field", "changes"},
		{"nokia", "POST", all, object{"title": " ", "changes": object{"acceptance_days": 10}}, "", 422, "invalid_field", "title changes"},
		{"nokia", "POST", all, wants(object{"acceptance_days": 400}), "", 422, "invalid_field", "changes"},
		{"nokia", "POST", all, wants(object{"expires_on": "2017-07-31"}), "", 422, "invalid_field", "changes"},
		{"nokia", "POST", all, wants(object{"effective_on": "2018-01-01"}), "", 400, "unknown_field", "changes.effective_on"},
		{"nokia", "POST", all, wants(object{"join": []object{{"partner": "acme"}}}), "", 422, "unknown_partner", "changes"},
		{"nokia", "POST", all, wants(object{"join": []object{{"partner": "nothing"}}}), "", 422, "unknown_partner", "changes"},
		{"nokia", "POST", all, wants(object{"join": []object{{"partner": "xiaomi"}}}), "", 422, "invalid_field", "changes"},
		{"nokia", "POST", all, wants(object{"join": []object{{"partner": "zte", "share_past": true}}}), "", 422, "invalid_field", "changes"},
		{"nokia", "POST", all, wants(object{"end_instruments": []object{{"id": "nothing", "expires_on": "2018-01-01"}}}), "", 422, "invalid_field", "changes"},
		{"nokia", "POST", all, wants(object{"add_instruments": []object{body(part).with(object{"id": "joint"})}}), "", 422, "invalid_field", "changes"},
		{"nokia", "POST", all, wants(object{"add_instruments": []object{body(part).with(object{"kind": "gift"})}}), "", 422, "invalid_field", "changes"},
		{"nokia", "POST", w.at(w.next) + "/amendments", wants(object{"acceptance_days": 9}), "", 409, "agreement_not_signed", ""},
		{"nokia-viewer", "POST", all, wants(object{"acceptance_days": 9}), "", 403, "manager_only", ""},
		{"operator", "POST", all, wants(object{"acceptance_days": 9}), "", 404, "not_found", ""},
		{"zte", "POST", all, wants(object{"acceptance_days": 9}), "", 404, "not_found", ""},
		{"nokia", "POST", w.at(w.a) + "/terminate", object{"mode": "notice", "effective_on": "2018-01-01"}, "", 422, "invalid_field", "reason"},
		{"nokia", "POST", w.at(w.a) + "/terminate", object{"mode": "sudden", "effective_on": "2018-01-01"}, "", 422, "invalid_field", "mode"},
		{"nokia", "POST", w.at(w.a) + "/terminate", object{"mode": "mutual", "effective_on": "2017-01-01"}, "", 422, "invalid_field", "effective_on"},
		{"nokia", "POST", w.at(w.next) + "/terminate", object{"mode": "mutual", "effective_on": "2018-01-01"}, "", 409, "agreement_not_signed", ""},
		{"nokia", "POST", w.at(w.a) + "/terminate", object{"mode": "mutual", "effective_on": "2018-01-01"}, `"99-x"`, 412, "version_mismatch", ""},
		{"nokia-viewer", "POST", w.at(w.a) + "/terminate", object{"mode": "mutual", "effective_on": "2018-01-01"}, "", 403, "manager_only", ""},
		{"zte", "POST", w.at(w.a) + "/terminate", object{"mode": "mutual", "effective_on": "2018-01-01"}, "", 404, "not_found", ""},
		{"nokia", "POST", all + "/1/sign", object{"signed_on": "2031-01-01"}, "", 422, "invalid_field", "signed_on"},
		{"nokia-viewer", "POST", all + "/1/sign", nil, "", 403, "manager_only", ""},
		{"nokia", "POST", all + "/1/sign", nil, `"9-x"`, 412, "version_mismatch", ""},
		{"nokia", "POST", all + "/2/sign", nil, "", 404, "not_found", ""},
		{"xiaomi", "POST", all + "/1/reject", object{"reason": ""}, "", 422, "invalid_field", "reason"},
		{"xiaomi", "POST", all + "/1/withdraw", nil, "", 403, "not_proposer", ""},
		{"acme", "POST", all + "/1/withdraw", nil, "", 404, "not_found", ""},
	}
}

// ZTE joins the agreement of Nokia and Xiaomi: it sees events from its invitation on, and signs.
func TestPartnerJoinsAgreement(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	agreement, all := w.at(w.a), w.at(w.a)+"/amendments"
	before := w.As("zte").GET("/v1/me").Want(200).position()

	propose := object{"title": "ZTE joins", "changes": object{
		"acceptance_days": 5, "join": []object{{"partner": "zte"}}, "add_instruments": []object{{
			"id": "chips", "kind": "supply", "title": "Chips", "effective_on": "2018-01-01", "disclosure": "undisclosed",
			"roles": object{"supplier": []string{"zte"}, "customer": []string{"nokia"}},
		}},
	}}
	a := w.As("nokia").With("Idempotency-Key", "join").POST(all, propose).Want(201)
	require.Equal(t, all+"/2", a.location())
	require.Equal(t, object{"nokia": nil, "xiaomi": nil, "zte": nil}, a.get("signatures"))
	require.Equal(t, object{"acceptance_days": float64(10)}, a.get("from"))
	again := w.As("nokia").With("Idempotency-Key", "join").POST(all, propose).Want(201)
	require.Equal(t, a.body, again.body)
	require.Equal(t, all+"/2", again.location())

	w.As("nokia").POST(all+"/2/sign", object{"signatory": "Rajeev Suri"}).Want(200)
	w.As("zte").GET(agreement).Refused(404, "not_found")
	w.As("zte").GET(all+"/2").Refused(404, "not_found")
	require.Equal(t, before, w.As("zte").GET("/v1/me").Want(200).position())

	a = w.As("xiaomi").POST(all+"/2/sign", nil).Want(200)
	require.Equal(t, true, a.get("invited"))
	a = w.As("zte").GET(agreement).Want(200)
	require.EqualValues(t, 1, a.get("version"))
	require.Len(t, w.As("zte").GET(agreement+"/instruments").Want(200).list("instruments"), 1)
	require.Len(t, w.As("zte").GET(all).Want(200).list("amendments"), 1)
	require.Empty(t, w.As("zte").GET(agreement+"/projects").Want(200).list("projects"))
	w.As("zte").GET(w.routing("going")).Refused(404, "not_found")
	w.As("zte").GET(all+"/1").Refused(404, "not_found")
	events := w.As("zte").GET(agreement + "/events").Want(200).list("events")
	require.Len(t, events, 1)
	require.Equal(t, "agreement.party_invited", events[0]["type"])
	require.Equal(t, "1."+w.a+".1", events[0]["position"])
	require.Contains(t, w.As("zte").GET("/v1/partners/zte/inbox").Want(200).told(), "You are invited to join by amendment 2, “ZTE joins”")

	w.As("zte").POST(all, object{"title": "x", "changes": object{"acceptance_days": 9}}).Refused(403, "not_a_party")
	w.As("nokia").POST(all+"/1/sign", nil).Refused(409, "invitation_open")
	a = w.As("zte").POST(all+"/2/sign", object{"signatory": "Yin Yimin"}).Want(200)
	require.Equal(t, "in_force", a.get("state"))
	require.Equal(t, []any{"nokia", "xiaomi", "zte"}, w.As("zte").GET(agreement).Want(200).get("parties"))
	require.Equal(t, "void", w.As("xiaomi").GET(all+"/1").Want(200).get("state"))
	w.As("zte").GET(all+"/1").Refused(404, "not_found")
	events = w.As("zte").GET(agreement + "/events").Want(200).list("events")
	require.Len(t, events, 3)
	require.Equal(t, "agreement.amended", events[2]["type"])
	require.Equal(t, "1."+w.a+".3", events[2]["position"])
}

// A partner that rejects its invitation sees nothing more, including the result of the rejection.
func TestInvitationRejected(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := w.at(w.a) + "/amendments"
	w.As("nokia").POST(all, object{"title": "ZTE joins", "changes": object{"join": []object{{"partner": "zte"}}}}).Want(201)
	w.As("nokia").POST(all+"/2/sign", nil).Want(200)
	w.As("xiaomi").POST(all+"/2/sign", nil).Want(200)
	w.As("zte").POST(all+"/2/reject", object{"reason": "not for us"}).Want(204)
	w.As("zte").GET(w.at(w.a)).Refused(404, "not_found")
	w.As("zte").GET(w.at(w.a)+"/events").Refused(404, "not_found")
	a := w.As("xiaomi").GET(all + "/2").Want(200)
	require.Equal(t, object{"partner": "zte", "reason": "not for us"}, a.get("rejection"))
}

// Nokia and Xiaomi add ZTE to a project that it could not see before.
func TestPartyJoinsProject(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	project, pair := w.at(w.three, w.duo), w.at(w.three, w.duo, "pair")
	before := w.As("zte").GET(w.at(w.three) + "/events").Want(200)
	join := object{"participants": []string{"nokia", "xiaomi", "zte"}}
	w.As("zte").PATCH(project, join).Refused(404, "not_found")
	w.As("nokia").PATCH(project, object{"participants": []string{"nokia", "xiaomi", "acme"}}).Refused(422, "invalid_field")
	w.As("nokia").PATCH(project, object{"participants": []string{"nokia", "zte"}}).Refused(422, "invalid_field")
	a := w.As("nokia").PATCH(project, join).Want(200)
	require.Equal(t, object{"add_participants": []any{"nokia"}}, a.get("pending"))
	w.As("nokia").PATCH(project, join).Refused(409, "already_called")
	require.Contains(t, w.As("xiaomi").GET("/v1/partners/xiaomi/inbox").Want(200).told(), " proposed to add ")
	w.As("zte").GET(pair).Refused(404, "not_found")

	w.As("xiaomi").PATCH(project, join).Want(200)
	a = w.As("zte").GET(project).Want(200)
	require.EqualValues(t, 1, a.get("version"))
	a = w.As("zte").GET(pair).Want(200)
	require.EqualValues(t, 0, a.get("version"))
	require.Equal(t, []any{"xiaomi"}, a.get("acceptors"))
	require.Empty(t, w.As("zte").GET(pair+"/history").Want(200).list("events"))
	w.As("zte").With("If-Match", a.etag()).POST(pair+"/comment", object{"text": "glad to be here"}).Want(200)
	require.Len(t, w.As("zte").GET(pair+"/history").Want(200).list("events"), 1)
	require.Len(t, w.As("zte").GET(project+"/changes").Want(200).list("changes"), 1, "the request that is open")
	events := w.As("zte").GET(w.at(w.three) + "/events?after=" + before.text("next_cursor")).Want(200).list("events")
	require.Len(t, events, 2)
	require.Equal(t, "project.participants_added", events[0]["type"])
}

func TestAnAgreementEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := w.at(w.a)
	require.Nil(t, w.As("nokia").GET(one).Want(200).get("termination"))
	a := w.As("nokia").POST(one+"/terminate", object{"mode": "mutual", "effective_on": "2017-12-31", "reason": "done"}).Want(200)
	require.Equal(t, object{"mode": "mutual", "effective_on": "2017-12-31", "reason": "done", "called_by": []any{"nokia"}, "settled": false}, a.get("termination"))
	require.Contains(t, w.As("xiaomi").GET("/v1/partners/xiaomi/inbox").Want(200).told(), "proposed to terminate the agreement with effect from 31 December 2017: done")
	w.As("nokia").POST(one+"/terminate", object{"mode": "mutual", "effective_on": "2017-12-31"}).Refused(409, "already_called")
	a = w.As("xiaomi").POST(one+"/terminate", object{"mode": "mutual", "effective_on": "2017-12-31"}).Want(200)
	require.Equal(t, object{"mode": "mutual", "effective_on": "2017-12-31", "reason": "done", "called_by": []any{"nokia", "xiaomi"}, "settled": true}, a.get("termination"))
	require.Equal(t, "active", a.get("state"))
	w.clock.advance(365 * 24 * time.Hour)
	require.Equal(t, "terminated", w.As("xiaomi").GET(one).Want(200).get("state"))
	w.As("nokia").POST(w.routing("planned")+"/start", nil).Refused(409, "agreement_ended")
	w.As("nokia").POST(w.routing("going")+"/deliver", nil).Want(200)
	w.As("nokia").POST(one+"/terminate", object{"mode": "notice", "effective_on": "2041-12-31", "reason": "x"}).Refused(409, "agreement_ended")
}

func TestADraftsEndIsTakenAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.Equal(t, "2020-07-04", w.As("nokia").PATCH(w.at(w.next), object{"expires_on": "2020-07-04"}).Want(200).get("expires_on"))
	require.Nil(t, w.As("nokia").PATCH(w.at(w.next), object{"expires_on": nil}).Want(200).get("expires_on"))
}
