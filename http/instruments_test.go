package http

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// supplied creates an active agreement of two parties with an instrument and a project, and returns their paths.
func (e *env) supplied() (instrument, project string) {
	e.t.Helper()
	for _, p := range []string{"nokia", "xiaomi"} {
		e.As("operator").POST("/v1/partners", object{"id": p, "name": p, "country": "FI", "time_zone": "UTC"}).Want(201)
		e.tokens[p] = e.As("operator").POST("/v1/partners/"+p+"/tokens", object{"name": p, "role": "manager"}).Want(201).text("token")
	}
	e.As("operator").POST("/v1/agreements", object{
		"id": "pact", "title": "Pact", "parties": []string{"nokia", "xiaomi"}, "effective_on": "2017-07-05",
		"acceptance_days": 10, "deemed_acceptance": false, "forecast_tolerance_days": 0,
	}).Want(201)
	e.As("nokia").POST("/v1/agreements/pact/instruments", object{
		"id": "supply", "kind": "supply", "title": "Supply", "effective_on": "2017-07-05", "disclosure": "undisclosed",
		"roles":       object{"supplier": []string{"nokia"}, "customer": []string{"xiaomi"}},
		"schedule":    []object{{"id": "lot-1", "title": "First lot", "kind": "equipment_lot"}},
		"obligations": []object{{"clause": "4.2", "text": "Deliver the first lot.", "partner": "nokia"}},
	}).Want(201)
	for _, p := range []string{"nokia", "xiaomi"} {
		e.As(p).POST("/v1/agreements/pact/sign", nil).Want(200)
	}
	project = "/v1/agreements/pact/projects/equipment"
	e.As("nokia").POST("/v1/agreements/pact/projects", object{
		"id": "equipment", "title": "Equipment", "stage": "committed", "lead": "nokia", "participants": []string{"nokia", "xiaomi"},
	}).Want(201)
	e.As("xiaomi").POST(project+"/commit", nil).Want(200)
	return "/v1/agreements/pact/instruments/supply", project
}

// A schedule item changes state by a command after its milestones are accepted. Each step changes the instrument's
// ETag, which fits If-Match.
func TestScheduleItem(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	instrument, project := e.supplied()
	item, lot := instrument+"/schedule/lot-1", project+"/milestones/lot-1"
	e.As("nokia").POST(project+"/milestones", object{
		"id": "lot-1", "title": "First lot", "owner": "nokia", "due_on": "2017-10-01", "instrument": "supply", "schedule_item": "lot-1",
	}).Want(201)
	e.As("nokia").PATCH(lot, object{"clause": "9"}).Refused(422, "invalid_field").Names("clause")
	require.Equal(t, "4.2", e.As("nokia").PATCH(lot, object{"clause": "4.2"}).Want(200).get("clause"))

	a := e.As("xiaomi").GET(instrument).Want(200)
	require.Equal(t, "open", a.list("obligations")[0]["state"])
	require.Equal(t, "planned", a.list("schedule")[0]["state"])
	e.As("nokia").PATCH(item, object{"state": "delivered"}).Refused(409, "item_open")
	e.As("nokia").PATCH(item, object{"state": "recorded"}).Refused(422, "invalid_field").Names("state")
	e.As("nokia").PATCH(item, object{"state": "planned"}).Refused(422, "invalid_field").Names("state")

	for _, step := range []struct{ who, action string }{{"nokia", "start"}, {"nokia", "deliver"}, {"xiaomi", "accept"}} {
		e.As(step.who).POST(lot+"/"+step.action, nil).Want(200)
		next := e.As("xiaomi").With("If-None-Match", a.header.Get("ETag")).GET(instrument).Want(200)
		require.NotEqual(t, a.header.Get("ETag"), next.header.Get("ETag"), step.action)
		a = next
	}
	require.Equal(t, "fulfilled", a.list("obligations")[0]["state"])
	require.Equal(t, "planned", a.list("schedule")[0]["state"])

	was := e.As("xiaomi").GET(item).Want(200)
	require.Equal(t, []any{object{"project": "equipment", "milestone": "lot-1", "state": "accepted"}}, was.get("milestones"))
	moved := e.As("nokia").With("If-Match", was.header.Get("ETag")).PATCH(item, object{"state": "delivered"}).Want(200)
	require.Equal(t, "delivered", moved.get("state"))
	require.Equal(t, moved.header.Get("ETag"), e.As("nokia").GET(item).Want(200).header.Get("ETag"))
	e.As("nokia").With("If-Match", was.header.Get("ETag")).PATCH(item, object{"state": "delivered"}).Refused(412, "version_mismatch")
	e.As("nokia").PATCH(item, object{"state": "delivered"}).Refused(409, "item_moved")
	events := e.As("nokia").GET("/v1/agreements/pact/events").Want(200).list("events")
	last := events[len(events)-1]
	require.Equal(t, "instrument.item_moved", last["type"])
	require.Equal(t, "nokia reported “First lot” under “Pact” as delivered on 4 September 2017", last["sentence"])
}
