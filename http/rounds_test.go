package http

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// field creates a milestone that ZTE delivers and Nokia and Xiaomi accept, and returns its path.
func (w *world) field() string {
	at := w.at(w.three, "radio", "field")
	w.As("zte").POST(at+"/start", nil).Want(200)
	w.As("zte").POST(at+"/deliver", object{"on": "2017-09-04"}).Want(200)
	return at
}

// kinds returns the kinds of a partner's inbox items for a milestone, oldest first.
func (w *world) kinds(partner, milestone string) (kinds []string) {
	for _, item := range w.As(partner).GET("/v1/partners/" + partner + "/inbox").Want(200).list("items") {
		if item["milestone"] == milestone {
			kinds = append(kinds, item["kind"].(string))
		}
	}
	return kinds
}

// said returns the sentences about a milestone since the last delivery, as a partner reads them.
func (w *world) said(partner, at string) (sentences []string) {
	for _, e := range w.As(partner).GET(at + "/history").Want(200).list("events") {
		if e["type"] == "milestone.delivered" {
			sentences = nil
		}
		sentences = append(sentences, e["sentence"].(string))
	}
	return sentences[1:]
}

// Two acceptors, one with conditions: each partner's inbox shows its next step.
func TestConditionalAcceptance(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := w.field()
	title := "“" + w.As("zte").GET(at).text("title") + "”"
	nokia, xiaomi := w.As("zte").GET("/v1/partners/nokia").text("name"), w.As("zte").GET("/v1/partners/xiaomi").text("name")
	require.Equal(t, []string{"acceptance"}, w.kinds("xiaomi", "field"))

	a := w.As("nokia").POST(at+"/accept", object{"conditions": []object{
		{"text": "Signed report", "due_on": "2017-09-20"}, {"text": "Spare optics", "due_on": "2017-09-30"},
	}}).Want(200)
	require.Equal(t, "delivered", a.get("state"), "xiaomi has said nothing yet")
	require.Equal(t, "conditional", a.get("acceptance.decisions.nokia.state"))
	require.Equal(t, []string{"condition", "condition"}, w.kinds("nokia", "field"))
	require.Equal(t, []string{"condition", "condition"}, w.kinds("zte", "field"))
	require.Equal(t, []string{"acceptance"}, w.kinds("xiaomi", "field"))

	a = w.As("xiaomi").POST(at+"/accept", nil).Want(200)
	require.Equal(t, "conditionally_accepted", a.get("state"))
	require.Nil(t, a.get("accepted_on"))
	require.Len(t, w.As("zte").GET("/v1/partners/zte/milestones?state=conditionally_accepted").Want(200).list("milestones"), 1)
	require.EqualValues(t, 1, w.As("zte").GET(w.at(w.three, "radio")+"/status").Want(200).get("counts.state.conditionally_accepted"))

	w.As("xiaomi").POST(at+"/close-condition", object{"number": 1}).Refused(403, "not_author")
	w.As("xiaomi").POST(at+"/reject", object{"reasons": []string{"no"}}).Refused(409, "already_decided")
	w.As("nokia").POST(at+"/close-condition", object{"number": 2}).Want(200)
	w.As("nokia").POST(at+"/close-condition", object{"number": 2}).Refused(409, "condition_closed")
	w.clock.advance(72 * time.Hour)
	a = w.As("nokia").POST(at+"/close-condition", object{"number": 1}).Want(200)
	require.Equal(t, "accepted", a.get("state"))
	require.Equal(t, "2017-09-07", a.get("accepted_on"), "the date of the last closing")
	conditions := a.get("acceptance").(object)["conditions"].([]any)
	require.Equal(t, object{
		"number": 1.0, "text": "Signed report", "due_on": "2017-09-20", "author": "nokia", "closed": true, "closed_on": "2017-09-07",
		"state": "closed", "evidence": []any{}, "report": nil, "refusal": nil,
	}, conditions[0])
	for _, p := range []string{"nokia", "xiaomi", "zte"} {
		require.Empty(t, w.kinds(p, "field"))
		require.Equal(t, []string{
			nokia + " conditionally accepted delivery 1 of " + title + " (waiting for " + xiaomi + "). " +
				"Conditions: 1. Signed report (by 20 September 2017); 2. Spare optics (by 30 September 2017)",
			xiaomi + " accepted delivery 1 of " + title + " (waiting for " + nokia + ")",
			nokia + " confirmed that condition 2 of " + title + " is met (1 condition still open): Spare optics",
			nokia + " confirmed that condition 1 of " + title + " is met: Signed report",
			nokia + " accepted delivery 1 of " + title,
		}, w.said(p, at))
	}
}

// A disputed rejection is settled when all three name the same outcome.
func TestDispute(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := w.field()
	w.As("xiaomi").POST(at+"/accept", nil).Want(200)
	a := w.As("nokia").POST(at+"/reject", object{"reasons": []string{"41 h only", "No report"}}).Want(200)
	require.Equal(t, "in_progress", a.get("state"))
	require.Nil(t, a.get("delivered_on"))
	require.Equal(t, object{
		"partner": "nokia", "on": "2017-09-04", "reasons": []any{"41 h only", "No report"}, "disputable": true, "dispute_by": "2017-09-14",
		"evidence": []any{},
	}, a.get("acceptance.rejection"))

	a = w.As("zte").POST(at+"/dispute", object{"reason": "The generator failed"}).Want(200)
	require.Equal(t, "disputed", a.get("state"))
	require.Equal(t, "2017-09-04", a.get("delivered_on"), "it claims that it has delivered")
	require.Equal(t, object{
		"condition": nil, "by": "zte", "on": "2017-09-04", "reason": "The generator failed", "named": object{"zte": nil, "nokia": nil, "xiaomi": nil},
	}, a.get("acceptance.dispute"))
	for _, p := range []string{"nokia", "xiaomi", "zte"} {
		require.Equal(t, []string{"dispute"}, w.kinds(p, "field"), p)
	}
	w.As("zte").POST(at+"/settle", object{"outcome": "accepted"}).Want(200)
	w.As("xiaomi").POST(at+"/settle", object{"outcome": "accepted"}).Want(200)
	require.Equal(t, []string{"dispute"}, w.kinds("nokia", "field"))
	require.Empty(t, w.kinds("zte", "field"))
	w.As("nokia").POST(at+"/settle", object{"outcome": "rejected"}).Want(200)
	require.Equal(t, []string{"dispute"}, w.kinds("zte", "field"), "they do not agree")
	a = w.As("nokia").POST(at+"/settle", object{"outcome": "accepted", "note": "The logs show it"}).Want(200)
	require.Equal(t, "accepted", a.get("state"))
	require.Equal(t, "2017-09-04", a.get("accepted_on"))
	require.Equal(t, "accepted", a.get("acceptance.decisions.nokia.state"))
	require.Nil(t, a.get("acceptance.dispute"))
	require.Nil(t, a.get("acceptance.rejection"))
	last := w.said("xiaomi", at)
	require.Contains(t, last[len(last)-1], "is settled: delivery 1 is accepted")
}

// A dispute after the period is refused, and the milestone shows that it is not possible.
func TestDisputeAfterThePeriod(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := w.field()
	w.As("nokia").POST(at+"/reject", object{"reasons": []string{"41 h only"}}).Want(200)
	w.clock.advance(11 * 24 * time.Hour)
	require.Equal(t, false, w.As("zte").GET(at).Want(200).get("acceptance.rejection.disputable"))
	w.As("zte").POST(at+"/dispute", object{"reason": "x"}).Refused(409, "dispute_late")
	w.As("zte").POST(at+"/deliver", nil).Want(200)
	require.Nil(t, w.As("zte").GET(at).Want(200).get("acceptance.rejection"))
}
