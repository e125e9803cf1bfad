package http

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// R16: private assessments, evidence and notes do not replace shared ones and leave no trace in the counterparty's
// reads.
func TestPrivateDataLeavesNoTrace(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	instrument, project := e.supplied()
	lot := project + "/milestones/lot-1"
	e.As("nokia").POST(project+"/start", nil).Want(200)
	e.As("nokia").POST(project+"/milestones", object{"id": "lot-1", "title": "First lot", "owner": "nokia", "due_on": "2017-10-01"}).Want(201)
	e.As("nokia").POST(lot+"/start", nil).Want(200)
	e.As("nokia").POST(lot+"/progress", object{"percent": 10, "health": "green", "note": "on track"}).Want(200)

	// reads returns the bytes, versions and positions of Xiaomi's responses.
	reads := func() (all []string) {
		for _, path := range []string{lot, instrument, project, "/v1/agreements/pact", "/v1/agreements/pact/events", lot + "/history", "/v1/partners/xiaomi/status"} {
			a := e.As("xiaomi").GET(path).Want(200)
			all = append(all, string(a.body), a.header.Get("ETag"), a.position())
		}
		return all
	}
	before := reads()
	a := e.As("nokia").POST(lot+"/progress", object{"health": "red", "note": "no budget", "audience": "private:nokia"}).Want(200)
	require.Equal(t, []any{"green", "on track", "red", "no budget"},
		[]any{a.get("health"), a.get("health_note"), a.get("private_health"), a.get("private_health_note")})
	a = e.As("nokia").PATCH(instrument, object{"private_note": "safe 4"}).Want(200)
	require.Equal(t, "safe 4", a.get("private_note"))
	require.Equal(t, before, reads())

	e.As("xiaomi").POST(lot+"/progress", object{"health": "amber", "audience": "private"}).Want(200)
	e.As("xiaomi").POST(lot+"/progress", object{"health": "amber"}).Refused(403, "not_owner")
	e.As("nokia").POST(lot+"/progress", object{"percent": 20, "audience": "private"}).Refused(422, "invalid_field").Names("percent")
	e.As("nokia").POST(lot+"/progress", object{"health": "red", "audience": "private:xiaomi"}).Refused(422, "invalid_field").Names("audience")
	a = e.As("xiaomi").GET(lot).Want(200)
	require.Equal(t, []any{"green", "amber", ""}, []any{a.get("health"), a.get("private_health"), a.get("private_health_note")})
	require.Empty(t, e.As("xiaomi").GET(instrument).Want(200).get("private_note"))

	shown := object{"title": "Report", "url": "https://files.example/report"}
	kept := object{"title": "Yield", "url": "https://files.example/yield", "audience": "private"}
	a = e.As("nokia").POST(lot+"/deliver", object{"evidence": []object{kept, shown}}).Want(200)
	report := object{"title": "Report", "url": "https://files.example/report", "sha256": nil, "audience": "shared"}
	yield := object{"title": "Yield", "url": "https://files.example/yield", "sha256": nil, "audience": "private:nokia"}
	require.Equal(t, []any{report, yield}, a.get("acceptance.evidence"))
	a = e.As("xiaomi").GET(lot).Want(200)
	require.Equal(t, []any{report}, a.get("acceptance.evidence"))
	events := e.As("xiaomi").GET(lot + "/history").Want(200).list("events")
	require.Equal(t, "milestone.delivered", events[len(events)-1]["type"])
}
