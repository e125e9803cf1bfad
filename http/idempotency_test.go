package http

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/api"
)

// Replayed requires a response to equal the first one and to be marked as a repeat.
func (a *answer) Replayed(first *answer) {
	a.t.Helper()
	require.Equal(a.t, "true", a.header.Get("Idempotency-Replayed"), a)
	require.Empty(a.t, first.header.Get("Idempotency-Replayed"), first)
	require.Equal(a.t, first.status, a.status, a)
	if first.status < 400 {
		require.Equal(a.t, string(first.body), string(a.body))
	} else {
		require.Equal(a.t, first.problem(), a.problem())
	}
	for _, h := range []string{"Location", "ETag", "Content-Type"} {
		require.Equal(a.t, first.header.Get(h), a.header.Get(h), "%s: %s", h, a)
	}
}

// problem returns the problem without the fields that differ between requests.
func (a *answer) problem() api.Problem {
	a.t.Helper()
	var problem api.Problem
	a.into(&problem)
	problem.RequestID = ""
	return problem
}

// TestKeyRepeatsEveryWrite sends every kind of write twice under one key, with a change in between (P2): the second
// response equals the first one, and the write has one effect.
func TestKeyRepeatsEveryWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	member, spare := "/v1/partners/nokia/members/"+w.members["nokia"], "/v1/partners/nokia/tokens/nokia-spare"
	changes := 0
	later := func() {
		changes++
		w.As("nokia").POST(w.routing("going")+"/comment", object{"text": "later"}).Want(200)
		w.As("nokia").PATCH("/v1/partners/nokia", object{"name": fmt.Sprintf("Nokia, later %d", changes)}).Want(200)
		for _, m := range w.As("nokia").GET("/v1/partners/nokia/members").Want(200).list("members") {
			w.As("nokia").PATCH("/v1/partners/nokia/members/"+m["id"].(string), object{"name": fmt.Sprintf("C%d", changes), "email": "c@nokia.example"}).Want(200)
		}
	}
	for n, c := range []struct {
		who, method, path string
		body              any
	}{
		{"operator", "POST", "/v1/partners", object{"id": "sony", "name": "Sony", "country": "JP", "time_zone": "Asia/Tokyo"}},
		{"nokia", "PATCH", "/v1/partners/nokia", object{"name": "Nokia"}},
		{"nokia", "POST", "/v1/partners/nokia/members", object{"name": "A", "email": "a@nokia.example", "role": "viewer"}},
		{"nokia", "PATCH", member, object{"name": "B", "email": "b@nokia.example"}},
		{"nokia", "POST", "/v1/partners/nokia/tokens", object{"name": "Robot", "role": "viewer"}},
		{"operator", "POST", "/v1/agreements", object{"id": "pact-ten", "title": "Ten", "parties": []string{"nokia", "zte"}, "effective_on": "2018-01-01", "acceptance_days": 1, "deemed_acceptance": true, "forecast_tolerance_days": 1}},
		{"nokia", "POST", "/v1/agreements", object{"title": "Eleven", "parties": []string{"nokia", "zte"}, "effective_on": "2018-01-01", "acceptance_days": 1, "deemed_acceptance": true, "forecast_tolerance_days": 1}},
		{"nokia", "PATCH", "/v1/agreements/" + w.next, object{"title": "Next"}},
		{"nokia", "POST", "/v1/agreements/" + w.next + "/instruments", object{"kind": "exploration", "title": "More", "effective_on": "2018-01-01", "disclosure": "disclosed"}},
		{"nokia", "POST", "/v1/agreements/" + w.next + "/sign", nil},
		{"nokia", "POST", w.at(w.a) + "/projects", object{"title": "Second", "stage": "committed", "lead": "nokia", "participants": []string{"nokia", "xiaomi"}}},
		{"nokia", "PATCH", w.at(w.a, "routing"), object{"area": "IP"}},
		{"nokia", "POST", w.at(w.a, "routing") + "/pause", object{"reason": "rest"}},
		{"nokia", "POST", w.at(w.a, "routing") + "/resume", nil},
		{"nokia", "POST", w.at(w.a, "routing") + "/milestones", object{"title": "Private", "owner": "nokia", "due_on": "2018-01-01", "audience": "private"}},
		{"nokia", "PATCH", w.routing("going"), object{"description": "words"}},
		{"nokia", "POST", w.routing("planned") + "/start", nil},
		{"nokia", "POST", w.routing("going") + "/progress", object{"percent": 10}},
		{"nokia", "POST", w.routing("going") + "/forecast", object{"on": "2018-01-01"}},
		{"nokia", "POST", w.routing("going") + "/deliver", nil},
		{"xiaomi", "POST", w.routing("going") + "/reject", object{"reasons": []string{"no"}}},
		{"nokia", "POST", w.routing("delivered") + "/withdraw", nil},
		{"nokia", "POST", w.routing("delivered") + "/deliver", nil},
		{"xiaomi", "POST", w.routing("delivered") + "/accept", nil},
		{"xiaomi", "POST", w.routing("conditional") + "/close-condition", object{"number": 2}},
		{"xiaomi", "POST", w.routing("conditional") + "/close-condition", object{"number": 1}},
		{"nokia", "POST", w.routing("rejected") + "/dispute", object{"reason": "it is good"}},
		{"xiaomi", "POST", w.routing("rejected") + "/settle", object{"outcome": "rejected"}},
		{"nokia", "POST", w.routing("rejected") + "/settle", object{"outcome": "rejected"}},
		{"xiaomi", "POST", w.routing("rejected") + "/waive", nil},
		{"nokia", "POST", w.routing("planned") + "/cancel", nil},
		{"nokia", "POST", w.routing(w.secret["nokia"]) + "/share", nil},
		{"nokia", "DELETE", spare, nil},
		{"nokia", "DELETE", member, nil},
	} {
		key := strings.Repeat("k", n+1)
		first := w.As(c.who).Key(key).do(c.method, c.path, c.body)
		require.Less(t, first.status, 300, first)
		later()
		before := w.positions()
		w.As(c.who).Key(key).do(c.method, c.path, c.body).Replayed(first)
		require.Equal(t, before, w.positions(), "%s %s had its effect once", c.method, c.path)
	}
}

// TestKeyOutlivesTheProcess repeats after a restart, and long after.
func TestKeyOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	comment := func() *answer {
		return w.As("nokia").Key("k").POST(w.routing("going")+"/comment", object{"text": "once"}).Want(200)
	}
	issue := func() *answer {
		return w.As("nokia").Key("k").POST("/v1/partners/nokia/tokens", object{"id": "robot", "name": "Robot", "role": "viewer"}).Want(201)
	}
	first, token := comment(), issue()
	w.restart()
	comment().Replayed(first)
	issue().Replayed(token)
	w.clock.advance(23 * time.Hour)
	comment().Replayed(first)
	w.clock.advance(2 * time.Hour)
	w.As("nokia").Key("other").POST(w.routing("going")+"/comment", object{"text": "twice"}).Want(200)
	again := comment()
	require.Empty(t, again.header.Get("Idempotency-Replayed"), "a key is forgotten after 24 hours")
	require.Equal(t, first.get("version").(float64)+2, again.get("version"))
}

// TestKeyOfAnotherRequest checks which differences make another request, and which another key.
func TestKeyOfAnotherRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.issue("nokia", "nokia-second", nil)
	text := object{"text": "hello"}
	comments := func(milestone string) string { return w.routing(milestone) + "/comment" }
	nokia := w.As("nokia").Key("k")
	first := nokia.POST(comments("going"), text).Want(200)
	before := w.positions()
	for _, other := range []*answer{
		nokia.POST(comments("going"), object{"text": "hello!"}),
		nokia.POST(comments("going"), `{ "text": "hello"}`),
		nokia.POST(comments("planned"), text),
		nokia.With("If-Match", first.etag()).POST(comments("going"), text),
		nokia.PATCH(w.routing("going"), object{"title": "hello"}),
		nokia.POST("/v1/agreements/"+w.a+"/projects", object{"title": "X", "stage": "committed", "lead": "nokia", "participants": []string{"nokia", "xiaomi"}}),
	} {
		other.Refused(422, "idempotency_key_reused")
		require.Empty(t, other.header.Get("Idempotency-Replayed"))
	}
	require.Equal(t, before, w.positions())
	nokia.POST(comments("going"), text).Replayed(first)
	for _, fresh := range []*answer{
		w.As("nokia-second").Key("k").POST(comments("going"), text),
		w.As("xiaomi").Key("k").POST(comments("going"), text),
		w.As("nokia").Key("K").POST(comments("going"), text),
		nokia.POST(w.at(w.three, "radio", "field")+"/comment", text),
		nokia.PATCH("/v1/partners/nokia", object{"country": "SE"}),
		nokia.POST("/v1/agreements", object{"title": "T", "parties": []string{"nokia", "zte"}, "effective_on": "2018-01-01", "acceptance_days": 1, "deemed_acceptance": true, "forecast_tolerance_days": 1}),
	} {
		require.Less(t, fresh.status, 300, fresh)
		require.Empty(t, fresh.header.Get("Idempotency-Replayed"), fresh)
	}
	nokia.POST("/v1/agreements", object{"title": "Another", "parties": []string{"nokia", "zte"}, "effective_on": "2018-01-01", "acceptance_days": 1, "deemed_acceptance": true, "forecast_tolerance_days": 1}).
		Refused(422, "idempotency_key_reused")
}

// TestKeyOfAnotherRoot uses one key in two directories: the generated values differ.
func TestKeyOfAnotherRoot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secrets, ids := map[string]bool{}, map[string]bool{}
	for _, p := range []string{"nokia", "xiaomi", "zte", "acme"} {
		operator := w.As("operator").Key("k")
		token := operator.POST("/v1/partners/"+p+"/tokens", object{"name": "Robot", "role": "viewer"}).Want(201)
		secrets[token.text("token")] = true
		person := object{"name": "P", "email": "p@partner.example", "role": "viewer"}
		ids[w.As("operator").Key("l").POST("/v1/partners/"+p+"/members", person).Want(201).text("id")] = true
	}
	require.Len(t, secrets, 4)
	require.Len(t, ids, 4)
}

// TestKeyRepeatsRefusals repeats refused requests after the rules would allow them.
func TestKeyRepeatsRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nokia := w.As("nokia").Key("k")
	conflict := nokia.POST(w.routing("planned")+"/progress", object{"percent": 1}).Refused(409, "wrong_state")
	stale := w.As("nokia").Key("l").With("If-Match", `"1-x"`)
	moved := stale.POST(w.routing("going")+"/comment", object{"text": "old"}).Refused(412, "version_mismatch")
	wrong := w.As("nokia").Key("m").POST(w.routing("going")+"/deliver", object{"on": "2017-09-05"}).Refused(422, "invalid_field")
	shape := w.As("nokia").Key("n").POST(w.routing("going")+"/forecast", object{"on": "2017-02-30"}).Refused(422, "invalid_field")
	w.As("nokia").POST(w.routing("planned")+"/start", nil).Want(200)
	w.clock.advance(20 * time.Hour) // tomorrow
	before := w.positions()
	w.As("nokia").Key("n").POST(w.routing("going")+"/forecast", object{"on": "2017-02-30"}).Replayed(shape)
	w.As("nokia").Key("n").POST(w.routing("going")+"/forecast", object{"on": "2017-12-30"}).Refused(422, "idempotency_key_reused")
	nokia.POST(w.routing("planned")+"/progress", object{"percent": 1}).Replayed(conflict)
	stale.POST(w.routing("going")+"/comment", object{"text": "old"}).Replayed(moved)
	w.As("nokia").Key("m").POST(w.routing("going")+"/deliver", object{"on": "2017-09-05"}).Replayed(wrong)
	require.Equal(t, before, w.positions())
}

// TestKeyForgets checks refusals without a receipt: the same key succeeds after the cause is removed.
func TestKeyForgets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	comment, text := w.routing("going")+"/comment", object{"text": "hello"}
	fresh := func(a *answer) {
		t.Helper()
		require.Empty(t, a.Want(200).header.Get("Idempotency-Replayed"), a)
	}
	viewer := w.As("nokia-viewer").Key("k")
	viewer.POST(comment, text).Refused(403, "manager_only")
	w.issue("nokia", "nokia-person", object{"member": w.members["nokia"]})
	w.As("nokia").PATCH("/v1/partners/nokia/members/"+w.members["nokia"], object{"role": "viewer"}).Want(200)
	person := w.As("nokia-person").Key("k2")
	person.POST(comment, text).Refused(403, "manager_only")
	w.As("nokia").PATCH("/v1/partners/nokia/members/"+w.members["nokia"], object{"role": "manager"}).Want(200)
	fresh(person.POST(comment, text))

	nokia := w.As("nokia").Key("k")
	nokia.POST(w.routing("coming")+"/comment", text).Refused(404, "not_found")
	w.milestone(w.a, "routing", "coming", "2018-01-01", "nokia", "xiaomi")
	fresh(nokia.POST(w.routing("coming")+"/comment", text))

	other := w.As("nokia").Key("l")
	other.POST(comment, `{"text"`).Refused(400, "invalid_json")
	other.With("Content-Type", "text/plain").POST(comment, text).Refused(415, "unsupported_media_type")
	other.POST(comment, `{"text":"`+strings.Repeat("x", maxBody)+`"}`).Refused(413, "body_too_large")
	w.As("nobody").Key("l").POST(comment, text).Refused(401, "unauthenticated")
	fresh(other.POST(comment, text))
}

// TestKeyOfALostOutcome repeats a request whose outcome was lost: it had one effect.
func TestKeyOfALostOutcome(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	comment := func(text string) *answer {
		return w.As("nokia").Key(text).POST(w.routing("going")+"/comment", object{"text": text})
	}
	before := w.As("nokia").GET(w.routing("going")).get("version").(float64)
	w.commands.lose.Store(true)
	lost := comment("hello").Refused(503, "outcome_unknown")
	refused := w.As("nokia").Key("no").POST(w.routing("going")+"/start", nil).Refused(503, "outcome_unknown")
	w.commands.lose.Store(false)
	again := comment("hello").Want(200)
	require.Equal(t, "true", again.header.Get("Idempotency-Replayed"))
	require.Equal(t, before+1, again.get("version"))

	done := w.As("nokia").GET(lost.location()).Want(200)
	require.Equal(t, "done", done.get("state"))
	require.Equal(t, w.routing("going"), done.get("resource"))
	require.Nil(t, done.get("problem"))
	no := w.As("nokia").GET(refused.location()).Want(200)
	require.Equal(t, "rejected", no.get("state"))
	require.Equal(t, "wrong_state", no.get("problem.code"))
	for _, who := range []string{"nokia-viewer", "nokia-limited", "xiaomi", "operator"} {
		w.As(who).GET(lost.location()).Refused(404, "not_found")
	}
}

// TestKeyUnderAttack sends one request concurrently: one effect, one response.
func TestKeyUnderAttack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const callers = 20
	before := w.As("nokia").GET(w.routing("going")).get("version").(float64)
	answers := make([]*answer, callers)
	var all sync.WaitGroup
	for n := range callers {
		all.Go(func() {
			answers[n] = w.As("nokia").Key("k").POST(w.routing("going")+"/comment", object{"text": "at once"})
		})
	}
	all.Wait()
	fresh := 0
	for _, a := range answers {
		require.Equal(t, 200, a.status, a)
		require.Equal(t, string(answers[0].body), string(a.body))
		if a.header.Get("Idempotency-Replayed") == "" {
			fresh++
		}
	}
	require.Positive(t, fresh)
	require.Equal(t, before+1, w.As("nokia").GET(w.routing("going")).get("version"))
}

// TestSecretsAreShownOnce searches all responses for a token's secret.
func TestSecretsAreShownOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	issue := func() *answer {
		return w.As("nokia").Key("k").POST("/v1/partners/nokia/tokens", object{"id": "robot", "name": "Robot", "role": "viewer"}).Want(201)
	}
	first := issue()
	secret := first.text("token")
	require.Regexp(t, `^tdm_[A-Za-z0-9_-]{43}$`, secret)
	require.Equal(t, secret, issue().text("token"))
	w.tokens["robot"] = secret
	w.As("robot").GET("/v1/me").Want(200)
	for _, path := range []string{first.location(), "/v1/partners/nokia/tokens", "/v1/partners/nokia/events", "/v1/me"} {
		for _, who := range []string{"nokia", "robot"} {
			a := w.As(who).GET(path).Want(200)
			require.NotContains(t, a.told(), secret, path)
			require.NotContains(t, string(a.body), `"tdm_`, path)
		}
	}
	other := w.As("nokia").POST("/v1/partners/nokia/tokens", object{"id": "robot-2", "name": "Robot", "role": "viewer"}).Want(201)
	require.NotEqual(t, secret, other.text("token"))
}
