package http

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func (w *world) changeRefusals() []refused {
	changes := w.at(w.a, "routing") + "/changes"
	wants := func(milestone object) object { return object{"reason": "x", "milestones": []object{milestone}} }
	return []refused{
		{"nokia", "POST", changes, object{"reason": "x", "milestones": []object{}}, "", 422, "invalid_field", "milestones"},
		{"nokia", "POST", changes, object{"reason": " ", "milestones": []object{{"id": "going"}}}, "", 422, "invalid_field", "reason"},
		{"nokia", "POST", changes, wants(object{"id": "nothing"}), "", 422, "invalid_field", "milestones"},
		{"nokia", "POST", changes, wants(object{"id": w.secret["nokia"]}), "", 422, "invalid_field", "milestones"},
		{"xiaomi", "POST", changes, wants(object{"id": w.secret["nokia"]}), "", 422, "invalid_field", "milestones"},
		{"nokia", "POST", changes, wants(object{"id": "going", "owner": "zte"}), "", 422, "invalid_field", "milestones"},
		{"nokia", "POST", changes, wants(object{"id": "going", "acceptors": []string{}}), "", 422, "invalid_field", "acceptors"},
		{"nokia", "POST", changes, wants(object{"id": "going", "title": ""}), "", 422, "invalid_field", "title"},
		{"nokia", "POST", changes, wants(object{"id": "going", "clause": "9.9"}), "", 422, "invalid_field", "milestones"},
		{"nokia", "POST", changes, wants(object{"id": "going", "progress": 1}), "", 400, "unknown_field", "milestones[0].progress"},
		{"nokia", "POST", changes, object{"reason": "x"}, "", 422, "invalid_field", "milestones"},
		{"nokia", "POST", changes, object{"reason": "x", "publish": []string{"nothing"}}, "", 422, "invalid_field", "publish"},
		{"nokia", "POST", changes, object{"reason": "x", "publish": []string{w.secret["nokia"]}}, "", 422, "invalid_field", "publish"},
		{"xiaomi", "POST", changes, object{"reason": "x", "publish": []string{w.secret["nokia"]}}, "", 422, "invalid_field", "publish"},
		{"nokia-viewer", "POST", changes, object{"reason": "x", "publish": []string{"going"}}, "", 403, "manager_only", ""},
		{"nokia", "POST", changes, wants(object{"id": "accepted", "due_on": "2018-01-01"}), "", 409, "milestone_final", ""},
		{"nokia-viewer", "POST", changes, wants(object{"id": "going"}), "", 403, "manager_only", ""},
		{"zte", "POST", changes, wants(object{"id": "going"}), "", 404, "not_found", ""},
		{"nokia", "POST", changes + "/1/approve", nil, "", 409, "already_approved", ""},
		{"xiaomi", "POST", changes + "/1/approve", nil, `"9-x"`, 412, "version_mismatch", ""},
		{"xiaomi-viewer", "POST", changes + "/1/approve", nil, "", 403, "manager_only", ""},
		{"zte", "POST", changes + "/1/approve", nil, "", 404, "not_found", ""},
		{"xiaomi", "POST", changes + "/2/approve", nil, "", 404, "not_found", ""},
		{"xiaomi", "POST", changes + "/1/reject", object{"reason": ""}, "", 422, "invalid_field", "reason"},
		{"xiaomi", "POST", changes + "/1/withdraw", nil, "", 403, "not_proposer", ""},
	}
}

// Three participants, one of which the milestone does not concern until it becomes an acceptor.
func TestChangeControl(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	changes, mast := w.at(w.three, "radio")+"/changes", w.at(w.three, "radio", "mast")
	w.milestone(w.three, "radio", "mast", "2017-12-01", "zte", "nokia", "xiaomi")
	w.As("zte").PATCH(mast, object{"acceptors": []string{"nokia"}}).Want(200)

	propose := object{"reason": "our plan", "milestones": []object{{"id": "mast"}}}
	a := w.As("xiaomi").With("Idempotency-Key", "plan").POST(changes, propose).Want(201)
	require.Equal(t, changes+"/1", a.location())
	require.Equal(t, "xiaomi", a.get("proposed_by"))
	require.Equal(t, object{"zte": "pending", "nokia": "pending"}, a.get("approvals"), "it does not concern who proposed it")
	again := w.As("xiaomi").With("Idempotency-Key", "plan").POST(changes, propose).Want(201)
	require.Equal(t, a.body, again.body)
	require.Equal(t, changes+"/1", again.location())
	require.Equal(t, []string{"change"}, w.kinds("nokia", "mast"))
	require.Empty(t, w.kinds("xiaomi", "mast"))

	w.As("xiaomi").POST(changes+"/1/approve", nil).Refused(403, "not_concerned")
	w.As("nokia").POST(changes+"/1/approve", nil).Want(200)
	require.Nil(t, w.As("zte").GET(mast).Want(200).get("baseline_on"))
	a = w.As("zte").POST(changes+"/1/approve", nil).Want(200)
	require.Equal(t, "approved", a.get("state"))
	require.Equal(t, "2017-12-01", w.As("nokia").GET(mast).Want(200).get("baseline_on"))

	w.As("zte").PATCH(mast, object{"due_on": "2017-12-24"}).Refused(409, "baseline_agreed")
	w.As("zte").POST(mast+"/cancel", nil).Refused(409, "baseline_agreed")
	w.As("zte").PATCH(mast, object{"title": "A lower mast"}).Refused(409, "baseline_agreed")
	w.As("zte").PATCH(mast, object{"description": "lower"}).Refused(409, "baseline_agreed")

	a = w.As("zte").POST(changes, object{"reason": "storms", "milestones": []object{
		{"id": "mast", "due_on": "2017-12-24", "acceptors": []string{"xiaomi"}},
	}}).Want(201)
	require.Equal(t, object{"zte": "approved", "nokia": "pending", "xiaomi": "pending"}, a.get("approvals"))
	require.Equal(t, []any{object{
		"id": "mast", "cancel": false, "from": object{"due_on": "2017-12-01", "acceptors": []any{"nokia"}},
		"to": object{"due_on": "2017-12-24", "acceptors": []any{"xiaomi"}},
	}}, a.get("milestones"))
	w.As("xiaomi").POST(changes+"/2/approve", nil).Want(200)
	w.As("nokia").POST(changes+"/2/reject", object{"reason": "we stay"}).Want(200)
	a = w.As("xiaomi").GET(changes + "/2").Want(200)
	require.Equal(t, object{"partner": "nokia", "reason": "we stay"}, a.get("rejection"))
	w.As("xiaomi").POST(changes+"/2/approve", nil).Refused(409, "change_closed")

	w.As("zte").POST(changes, object{"reason": "storms", "milestones": []object{{"id": "mast", "due_on": "2017-12-24"}}}).Want(201)
	w.As("nokia").POST(changes+"/3/approve", nil).Want(200)
	w.As("zte").POST(mast+"/start", nil).Want(200)
	w.As("zte").POST(mast+"/forecast", object{"on": "2017-12-31"}).Want(200)
	m := w.As("xiaomi").GET(mast).Want(200)
	require.Equal(t, "2017-12-24", m.get("due_on"))
	require.Equal(t, "2017-12-24", m.get("baseline_on"))
	require.EqualValues(t, 7, m.get("variance_days"))

	first := w.As("nokia").GET(changes + "?limit=2").Want(200)
	require.Len(t, first.list("changes"), 2)
	rest := w.As("nokia").GET(changes + "?limit=2&cursor=" + first.text("next_cursor")).Want(200).list("changes")
	require.Len(t, rest, 1)
	require.EqualValues(t, 3, rest[0]["number"])
	w.As("nokia").GET(changes+"/03").Refused(404, "not_found")
}

// A change request sets and clears every field of the plan. An edit after the approver has read it voids it.
func TestScopeIsUnderChangeControl(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	changes, going := w.at(w.a, "routing")+"/changes", w.routing("planned")
	w.As("xiaomi").POST(changes+"/1/reject", object{"reason": "another one comes"}).Want(200)
	w.As("nokia").PATCH(going, object{"title": "40 routers delivered", "description": "Forty", "criteria": []string{"72 h"}}).Want(200)
	w.As("nokia").POST(changes, object{"reason": "our plan", "milestones": []object{{"id": "planned"}}}).Want(201)
	read := w.As("xiaomi").GET(changes + "/2").Want(200)
	plan := read.list("milestones")[0]["to"].(map[string]any)
	require.Equal(t, "40 routers delivered", plan["title"])
	require.Equal(t, "Forty", plan["description"])

	w.As("nokia").PATCH(going, object{"title": "4 routers delivered"}).Want(200)
	w.As("xiaomi").With("If-Match", read.header.Get("ETag")).POST(changes+"/2/approve", nil).Refused(412, "version_mismatch")
	w.As("xiaomi").POST(changes+"/2/approve", nil).Refused(409, "change_closed")
	require.Equal(t, object{"milestone": "planned", "field": "title", "state": "planned"}, w.As("xiaomi").GET(changes+"/2").Want(200).get("void"))

	w.As("nokia").POST(changes, object{"reason": "our plan", "milestones": []object{{"id": "planned", "title": "40 routers delivered"}}}).Want(201)
	w.As("xiaomi").POST(changes+"/3/approve", nil).Want(200)
	a := w.As("nokia").POST(changes, object{"reason": "no text", "milestones": []object{{"id": "planned", "description": "", "criteria": []string{}, "clause": nil}}}).Want(201)
	require.Equal(t, []any{object{"id": "planned", "cancel": false, "from": object{"description": "Forty", "criteria": []any{"72 h"}}, "to": object{"description": "", "criteria": []any{}}}}, a.get("milestones"))
	w.As("xiaomi").POST(changes+"/4/approve", nil).Want(200)
	require.Equal(t, "", w.As("xiaomi").GET(going).Want(200).get("description"))
	require.Equal(t, "40 routers delivered", w.As("xiaomi").GET(going).Want(200).get("title"))
	w.As("nokia").PATCH(going, object{"title": "1 router shown"}).Refused(409, "baseline_agreed")
}
