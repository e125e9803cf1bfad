package http

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// draft creates a draft of Nokia and returns its path. Nokia and Xiaomi work together under agreement pact.
func (e *env) draft(title string) string {
	e.t.Helper()
	return "/v1/agreements/" + e.As("nokia").POST("/v1/agreements", object{
		"title": title, "parties": []string{"nokia", "xiaomi"}, "effective_on": "2017-07-05",
		"acceptance_days": 10, "deemed_acceptance": false, "forecast_tolerance_days": 0,
	}).Want(201).text("id")
}

// inbox returns the kinds of a partner's inbox items about an agreement.
func (e *env) inbox(partner, agreement string) (kinds []any) {
	e.t.Helper()
	for _, item := range e.As(partner).GET("/v1/partners/" + partner + "/inbox").Want(200).list("items") {
		if id, about := item["agreement"].(string); about && "/v1/agreements/"+id == agreement {
			kinds = append(kinds, item["kind"])
		}
	}
	return kinds
}

// R3: the instruments of a draft are edited and removed, which voids the signatures.
func TestInstrumentsOfADraft(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.supplied()
	draft := e.draft("Second pact")
	instrument := draft + "/instruments/lab"
	e.As("nokia").POST(draft+"/instruments", object{
		"id": "lab", "kind": "joint_development", "title": "Lab", "effective_on": "2017-07-05", "expires_on": "2018-12-31", "disclosure": "disclosed",
	}).Want(201)
	e.As("xiaomi").POST(draft+"/sign", object{"signatory": "Lei Jun"}).Want(200)
	require.Equal(t, []any{"signature"}, e.inbox("nokia", draft))
	require.Empty(t, e.inbox("xiaomi", draft))

	e.As("nokia").PATCH(instrument, object{}).Refused(422, "nothing_to_change")
	e.As("nokia").PATCH(instrument, object{"title": "Other", "private_note": "Safe 2"}).Refused(422, "invalid_field").Names("private_note")
	e.As("nokia").PATCH(instrument, object{"private_note": "Safe 2"}).Want(200)
	edited := e.As("nokia").PATCH(instrument, object{"title": "Joint lab", "expires_on": nil}).Want(200)
	require.Equal(t, "Joint lab", edited.get("title"))
	require.Nil(t, edited.get("expires_on"))
	require.Nil(t, e.As("nokia").GET(draft).Want(200).get("signatures").(object)["xiaomi"])
	require.Equal(t, []any{"signature"}, e.inbox("xiaomi", draft))

	e.As("xiaomi").Key("remove").DELETE(instrument).Want(204)
	e.As("xiaomi").Key("remove").DELETE(instrument).Want(204)
	e.As("xiaomi").DELETE(instrument).Want(404)
	events := e.As("xiaomi").GET(draft + "/events").Want(200).list("events")
	require.Equal(t, "instrument.removed", events[len(events)-1]["type"])
	e.As("nokia").PATCH("/v1/agreements/pact/instruments/supply", object{"title": "Other"}).Refused(409, "agreement_signed")
}

// R3: a draft that is declined or withdrawn waits for no signature.
func TestDraftsAreDeclinedAndWithdrawn(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.supplied()
	for verb, state := range map[string]string{"decline": "declined", "withdraw": "withdrawn"} {
		draft, by := e.draft("To "+verb), map[string]string{"decline": "xiaomi", "withdraw": "nokia"}[verb]
		require.Equal(t, []any{"signature"}, e.inbox("nokia", draft))
		require.Equal(t, []any{"signature"}, e.inbox("xiaomi", draft))
		closed := e.As(by).POST(draft+"/"+verb, object{"reason": "too early"}).Want(200)
		require.Equal(t, state, closed.get("state"))
		require.Equal(t, "too early", closed.get("closed").(object)["reason"])
		require.Equal(t, by, closed.get("closed").(object)["by"])
		require.Empty(t, e.inbox("nokia", draft))
		require.Empty(t, e.inbox("xiaomi", draft))
		e.As("xiaomi").POST(draft+"/sign", object{"signatory": "Lei Jun"}).Refused(409, "agreement_closed")
		e.As("nokia").PATCH(draft, object{"acceptance_days": 5}).Refused(409, "agreement_closed")
	}
	e.As("xiaomi").POST(e.draft("Kept")+"/decline", object{}).Want(422)
}

// R2, R3: an agreement is pending until its effective date, and a notice keeps the notice period.
func TestAPendingAgreement(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.supplied()
	later := e.clock.Now().AddDate(0, 0, 10)
	pact := e.draft("Later")
	a := e.As("nokia").PATCH(pact, object{"effective_on": later.Format(time.DateOnly), "term": "undisclosed", "notice_days": 30}).Want(200)
	require.Equal(t, []any{"draft", "undisclosed", nil}, []any{a.get("state"), a.get("term"), a.get("expires_on")})
	for _, p := range []string{"nokia", "xiaomi"} {
		a = e.As(p).POST(pact+"/sign", object{"signatory": "Chief executive"}).Want(200)
	}
	require.Equal(t, "pending", a.get("state"))
	project := object{"id": "lab", "title": "Lab", "stage": "exploring", "lead": "nokia", "participants": []string{"nokia", "xiaomi"}, "decide_by": "2041-01-01"}
	e.As("nokia").POST(pact+"/projects", project).Refused(409, "agreement_not_effective")
	e.clock.advance(10 * 24 * time.Hour)
	require.Equal(t, "active", e.As("xiaomi").GET(pact).Want(200).get("state"))
	e.As("nokia").POST(pact+"/projects", project).Want(201)

	notice := object{"mode": "notice", "reason": "new strategy", "effective_on": later.AddDate(0, 0, 29).Format(time.DateOnly)}
	e.As("nokia").POST(pact+"/terminate", notice).Refused(409, "notice_too_short")
	changes := object{"term": "fixed", "expires_on": "2041-12-31", "notice_days": 0}
	amendment := e.As("nokia").POST(pact+"/amendments", object{"title": "Shorter", "changes": changes}).Want(201)
	require.Equal(t, object{"term": "fixed", "expires_on": "2041-12-31", "notice_days": 0.0}, amendment.get("changes"))
	require.Equal(t, object{"term": "undisclosed", "notice_days": 30.0}, amendment.get("from"))
	for _, p := range []string{"nokia", "xiaomi"} {
		e.As(p).POST(pact+"/amendments/1/sign", object{"signatory": "Chief executive"}).Want(200)
	}
	require.Equal(t, "fixed", e.As("xiaomi").GET(pact).Want(200).get("term"))
	e.As("nokia").POST(pact+"/terminate", notice).Want(200)
}
