package http

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// R5, P10: Nokia and Xiaomi have roles in an undisclosed supply, and ZTE has none. In one world it is another supply with
// another annex, shared milestones name its parts, and its items are delivered; ZTE gets the same responses byte for byte:
// to its own commands, refused ones too, and on every read.
func TestTwoWorldsOfAnInstrument(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newTwoWorldsOfAnInstrument(t)
		defer w.stop()
		for n := range rapid.IntRange(5, 25).Draw(rt, "length") {
			w.stepFor("zte", n, drawInstrumentAction(rt, time.Date(2018, 4, n+1, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)))
		}
		w.readAll("zte")
	})
}

// newTwoWorldsOfAnInstrument returns two worlds that differ in an instrument in which only Nokia and Xiaomi have roles, and
// in what the first milestone names of it.
func newTwoWorldsOfAnInstrument(t testing.TB) *twoWorlds {
	w := &twoWorlds{t: t, whole: newEnv(t), public: newEnv(t), hidden: "none"}
	for _, e := range []*env{w.whole, w.public} {
		w.parties(e)
		works, refs := object{
			"id": "works", "kind": "supply", "title": "Works in the north", "effective_on": "2017-07-05", "expires_on": "2027-07-04",
			"disclosure": "undisclosed", "roles": object{"supplier": []string{"nokia"}, "customer": []string{"xiaomi"}},
			"schedule":    []object{{"id": "lot", "title": "Lot", "quantity": 400, "unit": "pieces"}},
			"obligations": []object{{"clause": "1", "text": "Do it.", "partner": "nokia"}},
		}, object{"instrument": "works", "schedule_item": "lot", "clause": "1"}
		if e == w.public {
			works, refs = object{
				"id": "other", "kind": "supply", "title": "Other", "effective_on": "2017-08-01", "disclosure": "undisclosed",
				"roles": object{"supplier": []string{"xiaomi"}, "customer": []string{"nokia"}},
			}, object{}
		}
		e.As("nokia").Key("works").POST(worldAgreement+"/instruments", works).Want(201)
		w.signed(e)
		m0 := object{"id": "m0", "title": "m0", "owner": "nokia", "due_on": "2018-03-30"}
		for name, value := range refs {
			m0[name] = value
		}
		e.As("nokia").Key("plan-m0").POST(worldProject+"/milestones", m0).Want(201)
		e.As("nokia").Key("plan-m1").POST(worldProject+"/milestones", object{"id": "m1", "title": "m1", "owner": "nokia", "due_on": "2018-03-30"}).Want(201)
		for _, m := range []string{"m0", "m1"} {
			e.As("nokia").Key("start-"+m).POST(worldMilestone+m+"/start", object{}).Want(200)
		}
		e.As("nokia").Key("deliver-m0").POST(worldMilestone+"m0/deliver", object{}).Want(200)
		for _, p := range []string{"xiaomi", "zte"} {
			e.As(p).Key("accept-m0").POST(worldMilestone+"m0/accept", object{}).Want(200)
		}
	}
	return w
}

// drawInstrumentAction draws a deed of a partner, or one of Nokia that concerns only the instrument of the first world. A
// plan that names other parts of the instrument has another due date too, because approvals cover all of a plan.
func drawInstrumentAction(t *rapid.T, due string) randomAction {
	day := rapid.IntRange(10, 28).Draw(t, "day")
	works := worldAgreement + "/instruments/works"
	if rapid.Bool().Draw(t, "secret") {
		return rapid.SampledFrom([]randomAction{
			{who: "nokia", secret: true, method: http.MethodPatch, path: works + "/schedule/lot", body: fmt.Sprintf(`{"state":"delivered","quantity":%d}`, day)},
			{who: "nokia", secret: true, method: http.MethodPatch, path: works + "/schedule/lot", body: `{"state":"delivered"}`},
			{who: "nokia", secret: true, method: http.MethodPatch, path: works, body: fmt.Sprintf(`{"private_note":"safe %d"}`, day)},
			{who: "xiaomi", secret: true, method: http.MethodPatch, path: works, body: fmt.Sprintf(`{"private_note":"safe %d"}`, day)},
		}).Draw(t, "deed")
	}
	zte := func(method, path, body string) randomAction {
		return randomAction{who: "zte", method: method, path: path, body: body}
	}
	return rapid.SampledFrom([]randomAction{
		{
			who: "nokia", method: http.MethodPatch, path: worldMilestone + "m1", body: fmt.Sprintf(`{"due_on":%q}`, due),
			kept: fmt.Sprintf(`{"due_on":%q,"instrument":"works","schedule_item":"lot","clause":"1"}`, due),
		},
		{
			who: "nokia", method: http.MethodPatch, path: worldMilestone + "m1", body: fmt.Sprintf(`{"due_on":%q}`, due),
			kept: fmt.Sprintf(`{"due_on":%q,"instrument":null,"schedule_item":null,"clause":null}`, due),
		},
		{
			who: "nokia", method: http.MethodPost, path: worldProject + "/milestones",
			body: fmt.Sprintf(`{"id":"m-%d","title":"M","owner":"nokia","due_on":"2018-06-30"}`, day),
			kept: fmt.Sprintf(`{"id":"m-%d","title":"M","owner":"nokia","due_on":"2018-06-30","instrument":"works","schedule_item":"lot"}`, day),
		},
		{
			who: "nokia", method: http.MethodPatch, path: worldProject, body: fmt.Sprintf(`{"area":"area %d"}`, day),
			kept: fmt.Sprintf(`{"area":"area %d","instrument":"works"}`, day),
		},
		{
			who: "nokia", method: http.MethodPost, path: worldAgreement + "/amendments", body: `{"title":"More","changes":{"end_instruments":[{"id":"other","expires_on":"2020-01-01"}]}}`,
			kept: `{"title":"More","changes":{"end_instruments":[{"id":"works","expires_on":"2021-02-03"}]}}`,
		},
		{
			who: "nokia", method: http.MethodPost, path: worldProject + "/changes", body: `{"reason":"agree","milestones":[{"id":"m1"}]}`,
		},
		zte(http.MethodPost, worldProject+"/changes/1/approve", `{}`),
		zte(http.MethodPost, worldProject+"/changes", fmt.Sprintf(`{"reason":"mine","milestones":[{"id":"m1","owner":"xiaomi","acceptors":["zte"],"due_on":"2018-07-%d"}]}`, day)),
		zte(http.MethodPatch, worldMilestone+"m1", `{"owner":"xiaomi","acceptors":["zte"]}`),
		zte(http.MethodPost, worldMilestone+"m1/share", `{}`),
		zte(http.MethodPost, worldProject+"/milestones", fmt.Sprintf(`{"id":"z-%d","title":"Z","owner":"zte","due_on":"2018-07-01","instrument":"works","schedule_item":"lot","clause":"1"}`, day)),
		zte(http.MethodPatch, works+"/schedule/lot", `{"state":"delivered","quantity":1}`),
		zte(http.MethodPatch, works, `{"private_note":"probe"}`),
		zte(http.MethodPatch, works, `{"expires_on":"2017-07-01"}`),
		zte(http.MethodDelete, works, ``),
		zte(http.MethodPost, worldAgreement+"/amendments", `{"title":"Probe","changes":{"end_instruments":[{"id":"works","expires_on":"2020-01-01"}]}}`),
		zte(http.MethodPost, worldAgreement+"/amendments", `{"title":"Probe","changes":{"expires_on":"2001-01-01","add_instruments":[{"id":"works","kind":"collaboration","title":"T","effective_on":"2018-01-01","disclosure":"disclosed"}]}}`),
		zte(http.MethodPost, worldAgreement+"/projects", fmt.Sprintf(`{"id":"p-%d","title":"P","stage":"committed","lead":"zte","participants":["zte","nokia"],"instrument":"works"}`, day)),
		zte(http.MethodPatch, worldMilestone+"m1", `{"schedule_item":"lot"}`),
		zte(http.MethodPost, worldProject+"/changes", `{"reason":"probe","milestones":[{"id":"m1","schedule_item":"lot"}]}`),
		zte(http.MethodPost, worldProject+"/changes", `{"reason":"probe","milestones":[{"id":"m1","instrument":"works","clause":"1"}]}`),
		zte(http.MethodPost, worldProject+"/changes", `{"reason":"none","milestones":[{"id":"m1","instrument":null,"schedule_item":null,"clause":null}]}`),
	}).Draw(t, "deed")
}

// R5: an invited partner reads the agreement's terms and the instruments in which it will have a role. Of the others it
// sees the summary if they are disclosed, and otherwise only the kind, before and after it signs.
func TestInvitationShowsOnlyTheInstrumentsOfTheInvited(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	w := &twoWorlds{t: t}
	w.parties(e) // so that they know each other
	e.As("operator").POST("/v1/agreements", object{
		"id": "duo", "title": "Duo", "parties": []string{"nokia", "xiaomi"}, "effective_on": "2017-07-05",
		"acceptance_days": 10, "deemed_acceptance": true, "forecast_tolerance_days": 14,
	}).Want(201)
	roles := object{"supplier": []string{"nokia"}, "customer": []string{"xiaomi"}}
	add := func(body object) { e.As("nokia").POST("/v1/agreements/duo/instruments", body).Want(201) }
	annex := []object{{"id": "hidden-lot", "title": "Hidden lot", "note": "Hidden note"}}
	add(object{"id": "hidden-works", "kind": "supply", "title": "Hidden works", "effective_on": "2017-07-06", "disclosure": "undisclosed", "roles": roles, "schedule": annex})
	add(object{"id": "shops", "kind": "supply", "title": "Shops", "effective_on": "2017-07-06", "disclosure": "disclosed", "roles": roles, "schedule": annex})
	add(object{"id": "hidden-lab", "kind": "joint_development", "title": "Hidden lab", "effective_on": "2017-07-06", "disclosure": "undisclosed", "schedule": annex})
	for _, p := range []string{"nokia", "xiaomi"} {
		e.As(p).POST("/v1/agreements/duo/sign", object{}).Want(200)
	}
	e.As("nokia").POST("/v1/agreements/duo/amendments", object{"title": "ZTE joins", "changes": object{
		"join": []object{{"partner": "zte"}}, "add_instruments": []object{
			{
				"id": "spares", "kind": "supply", "title": "Spares", "effective_on": "2018-01-01", "disclosure": "undisclosed",
				"roles": object{"supplier": []string{"zte"}, "customer": []string{"nokia"}}, "schedule": []object{{"id": "box", "title": "Box"}},
			},
			{"id": "hidden-more", "kind": "supply", "title": "Hidden more", "effective_on": "2018-01-01", "disclosure": "undisclosed", "roles": roles, "schedule": annex},
		},
	}}).Want(201)
	for _, p := range []string{"nokia", "xiaomi"} {
		e.As(p).POST("/v1/agreements/duo/amendments/1/sign", object{}).Want(200)
	}
	instruments := func() (details []string) {
		for _, instrument := range e.As("zte").GET("/v1/agreements/duo/instruments").Want(200).list("instruments") {
			details = append(details, fmt.Sprint(instrument["kind"], " ", instrument["detail"], " ", instrument["id"]))
		}
		return details
	}
	requireHidden := func(texts ...string) {
		for _, path := range []string{"", "/instruments", "/amendments", "/amendments/1", "/events"} {
			for _, text := range texts {
				require.NotContains(t, string(e.As("zte").GET("/v1/agreements/duo"+path).Want(200).body), text, path)
			}
		}
	}
	require.Equal(t, []string{"supply kind <nil>", "supply summary shops", "joint_development kind <nil>"}, instruments())
	requireHidden("idden", "2017-07-06")
	e.As("zte").GET("/v1/agreements/duo/instruments/hidden-works").Want(404)
	e.As("zte").GET("/v1/agreements/duo/instruments/shops/schedule/hidden-lot").Want(404)
	changes := e.As("zte").GET("/v1/agreements/duo/amendments/1").Want(200).get("changes").(object)["add_instruments"].([]any)
	require.Equal(t, "full", changes[0].(object)["detail"])
	require.Equal(t, "kind", changes[1].(object)["detail"])

	e.As("zte").POST("/v1/agreements/duo/amendments/1/sign", object{}).Want(200)
	require.Equal(t, []string{
		"supply kind <nil>", "supply summary shops", "joint_development full hidden-lab", "supply full spares", "supply kind <nil>",
	}, instruments())
	requireHidden("idden works", "idden more", "hidden-works", "hidden-more")
}
