package http

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// P10, R16: with and without Nokia's private actions, the other partners get the same responses byte for byte,
// headers included: to their own commands, refused ones too, and on every read.
func TestTwoWorldsAtTheEdge(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newTwoWorlds(t)
		defer w.stop()
		for n := range rapid.IntRange(10, 40).Draw(rt, "length") {
			w.step(n, drawAction(rt))
		}
		w.readAll("xiaomi", "zte")
	})
}

// randomAction is a random request.
type randomAction struct {
	who, method, path, body string
	secret                  bool   // only Nokia may learn about it
	kept                    string // the body with additional private fields; empty: none
}

const (
	worldAgreement = "/v1/agreements/pact"
	worldProject   = worldAgreement + "/projects/joint"
	worldMilestone = worldProject + "/milestones/"
)

// twoWorlds are two nodes that get the same requests, but for private ones, which only the first one gets.
type twoWorlds struct {
	t             testing.TB
	whole, public *env
	hidden        string // the id of Nokia's private milestone
}

func newTwoWorlds(t testing.TB) *twoWorlds {
	w := &twoWorlds{t: t, whole: newEnv(t), public: newEnv(t)}
	for _, e := range []*env{w.whole, w.public} {
		w.parties(e)
		e.As("nokia").Key("annex").POST(worldAgreement+"/instruments", object{
			"id": "supply", "kind": "joint_development", "title": "Supply", "effective_on": "2017-07-05", "disclosure": "undisclosed",
			"schedule":    []object{{"id": "lot", "title": "Lot"}},
			"obligations": []object{{"clause": "1", "text": "Do it.", "partner": "nokia"}},
		}).Want(201)
		w.signed(e)
		for _, m := range []string{"m0", "m1"} {
			e.As("nokia").Key("plan-"+m).POST(worldProject+"/milestones", object{"id": m, "title": m, "owner": "nokia", "due_on": "2018-03-30"}).Want(201)
			e.As("nokia").Key("start-"+m).POST(worldMilestone+m+"/start", object{}).Want(200)
		}
	}
	w.hidden = w.whole.As("nokia").Key("hide").POST(worldProject+"/milestones", object{
		"id": "hidden", "title": "Hidden", "owner": "nokia", "due_on": "2018-03-30", "audience": "private:nokia", "instrument": "supply", "schedule_item": "lot", "clause": "1",
	}).Want(201).text("id")
	w.introduce()
	return w
}

// introduce makes a partner that only Nokia knows, as its contact.
func (w *twoWorlds) introduce() {
	operator := w.whole.As("operator")
	operator.POST("/v1/partners", object{"id": "sony", "name": "Sony", "country": "JP", "time_zone": "Asia/Tokyo"}).Want(201)
	w.whole.tokens["sony"] = operator.POST("/v1/partners/sony/tokens", object{"name": "m", "role": "manager"}).Want(201).text("token")
	code := w.whole.As("nokia").POST("/v1/partners/nokia/invitations", nil).Want(201).text("code")
	w.whole.As("sony").POST("/v1/partners/sony/contacts", object{"code": code}).Want(201)
}

func worldParties() []string { return []string{"nokia", "xiaomi", "zte"} }

// parties creates the partners and the draft of their agreement.
func (w *twoWorlds) parties(e *env) {
	w.t.Helper()
	for _, p := range worldParties() {
		operator := e.As("operator")
		operator.Key("create").POST("/v1/partners", object{"id": p, "name": p, "country": "FI", "time_zone": "Europe/Helsinki"}).Want(201)
		e.tokens[p] = operator.Key("token").POST("/v1/partners/"+p+"/tokens", object{"id": p + "-manager", "name": "m", "role": "manager"}).Want(201).text("token")
	}
	e.As("operator").Key("draft").POST("/v1/agreements", object{
		"id": "pact", "title": "Pact", "parties": worldParties(), "effective_on": "2017-07-05",
		"acceptance_days": 10, "deemed_acceptance": true, "forecast_tolerance_days": 14,
	}).Want(201)
}

// signed signs the agreement and creates the project.
func (w *twoWorlds) signed(e *env) {
	w.t.Helper()
	for _, p := range worldParties() {
		e.As(p).Key("sign").POST(worldAgreement+"/sign", object{}).Want(200)
	}
	e.As("nokia").Key("project").POST(worldAgreement+"/projects", object{
		"id": "joint", "title": "Joint", "stage": "committed", "lead": "nokia", "participants": worldParties(),
	}).Want(201)
	for _, p := range worldParties()[1:] {
		e.As(p).Key("commit").POST(worldProject+"/commit", nil).Want(200)
	}
}

func (w *twoWorlds) stop() {
	w.whole.stop()
	w.public.stop()
}

// step sends a request to both worlds a second later, a private one of Nokia only to the first.
func (w *twoWorlds) step(n int, d randomAction) {
	w.t.Helper()
	w.stepFor("", n, d)
}

// stepFor compares the responses to one partner, or to all but Nokia if it is empty.
func (w *twoWorlds) stepFor(reader string, n int, d randomAction) {
	w.t.Helper()
	w.whole.clock.advance(time.Second)
	w.public.clock.advance(time.Second)
	path := strings.ReplaceAll(d.path, "$hidden", w.hidden)
	body := strings.ReplaceAll(d.body, "$hidden", w.hidden)
	ask := func(e *env, body string) *answer {
		return e.As(d.who).Key(fmt.Sprint("step-", n)).With("X-Request-Id", "the-same").do(d.method, path, body)
	}
	more := body
	if d.kept != "" && d.who == "nokia" {
		more = d.kept
	}
	first := ask(w.whole, more)
	if d.secret {
		return
	}
	second := ask(w.public, body)
	if (reader == "" && d.who != "nokia") || d.who == reader {
		w.alike(first, second)
	}
}

var (
	termsHash = regexp.MustCompile(`"[0-9a-f]{64}"`)
	bodyHash  = regexp.MustCompile(`-[0-9a-f]+"$`)
)

// alike requires two responses to be equal byte for byte, apart from the Date header and hashes of terms: these commit
// each party to instruments that it may not see, and a salt keeps them from being guessed.
func (w *twoWorlds) alike(whole, public *answer) {
	w.t.Helper()
	require.Equal(w.t, public.status, whole.status, whole)
	masked := func(a *answer) string { return termsHash.ReplaceAllString(string(a.body), `"hash"`) }
	require.Equal(w.t, masked(public), masked(whole), "%s: %s %s", whole.who, whole.method, whole.path)
	for _, a := range []*answer{whole, public} {
		a.header.Del("Date")
		if termsHash.Match(a.body) && a.header.Get("ETag") != "" {
			a.header.Set("ETag", bodyHash.ReplaceAllString(a.header.Get("ETag"), ""))
		}
	}
	require.Equal(w.t, public.header, whole.header, "%s: %s %s", whole.who, whole.method, whole.path)
}

// readAll compares every read of the route table, at every place of its parameters.
func (w *twoWorlds) readAll(readers ...string) {
	w.t.Helper()
	for _, rt := range routes() {
		if rt.method != http.MethodGet || rt.uncached || (rt.anonymous && !strings.HasPrefix(rt.path, "/public")) {
			continue
		}
		for _, who := range readers {
			for _, path := range w.expand(rt.path, who) {
				ask := func(e *env) *answer { return e.As(who).With("X-Request-Id", "the-same").GET(path) }
				w.alike(ask(w.whole), ask(w.public))
			}
		}
	}
}

// expand fills a path's parameters with all existing and possible values.
func (w *twoWorlds) expand(path, who string) []string {
	values := map[string][]string{
		"partner": {who, "nokia"}, "agreement": {"pact"}, "project": {"joint"}, "milestone": {"m0", "m1", w.hidden, "none"},
		"change": {"1", "2", "3"}, "instrument": {"supply", "works", "other"}, "item": {"lot"}, "amendment": {"1", "2"},
		"invitation": {"i1"}, "member": {"m1"}, "token": {"t1"}, "webhook": {"w1"}, "delivery": {"d1"}, "notice": {"n1"}, "id": {"none"},
		"command": {"00000000000000000000000000000000"}, "partition": {"1"}, "letter": {"1"},
	}
	paths := []string{path}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !strings.Contains(path, "{"+name+"}") {
			continue
		}
		var filled []string
		for _, p := range paths {
			for _, value := range values[name] {
				filled = append(filled, strings.ReplaceAll(p, "{"+name+"}", value))
			}
		}
		paths = filled
	}
	require.NotContains(w.t, paths[0], "{", "a parameter that nothing fits")
	return paths
}

// drawAction draws a random action, half of them Nokia's private ones.
func drawAction(t *rapid.T) randomAction {
	if rapid.Bool().Draw(t, "secret") {
		return drawSecret(t)
	}
	who := rapid.SampledFrom([]string{"nokia", "xiaomi", "zte"}).Draw(t, "who")
	milestone := worldMilestone + rapid.SampledFrom([]string{"m0", "m1", "m1", "$hidden"}).Draw(t, "milestone")
	if who == "nokia" {
		milestone = strings.ReplaceAll(milestone, "$hidden", "m0")
	}
	change := worldProject + "/changes/" + rapid.SampledFrom([]string{"1", "2"}).Draw(t, "change")
	day := rapid.IntRange(10, 28).Draw(t, "day")
	act := func(path, body string) randomAction {
		return randomAction{who: who, method: http.MethodPost, path: path, body: body}
	}
	deed := rapid.SampledFrom([]randomAction{
		act(milestone+"/progress", fmt.Sprintf(`{"percent":%d,"health":"amber","note":"optics late"}`, day)),
		act(milestone+"/forecast", fmt.Sprintf(`{"on":"2018-04-%d","reason":"optics late"}`, day)),
		act(milestone+"/deliver", `{"evidence":[{"title":"Report","url":"https://example.com/r"}]}`),
		{
			who: who, method: http.MethodPost, path: milestone + "/deliver", body: `{}`,
			kept: `{"evidence":[{"title":"Yield","url":"https://example.com/y","audience":"private"}]}`,
		},
		act(milestone+"/withdraw", `{}`),
		act(milestone+"/accept", `{"note":"well done"}`),
		act(milestone+"/accept", fmt.Sprintf(`{"conditions":[{"text":"a report","due_on":"2018-05-%d"}]}`, day)),
		act(milestone+"/close-condition", `{"number":1}`),
		act(milestone+"/conditions/1/met", `{"note":"attached","evidence":[{"title":"Report","url":"https://example.com/r"}]}`),
		act(milestone+"/conditions/1/refuse", `{"reason":"page 3 is missing"}`),
		act(milestone+"/dispute", `{"reason":"there is none","condition":1}`),
		act(milestone+"/criteria/1/check", `{"result":"not_met"}`),
		act(milestone+"/responsible", `{"member":null}`),
		act(worldAgreement+"/contact-persons", `{"members":[]}`),
		act(milestone+"/reject", `{"reasons":["41 h only"]}`),
		act(milestone+"/dispute", `{"reason":"it is fast"}`),
		act(milestone+"/settle", `{"outcome":"accepted"}`),
		act(milestone+"/comment", `{"text":"hm"}`),
		act(milestone+"/waive", `{}`),
		act(worldProject+"/changes", fmt.Sprintf(`{"reason":"later","milestones":[{"id":"m0","due_on":"2018-06-%d"}]}`, day)),
		act(worldProject+"/changes", `{"reason":"a guess","milestones":[{"id":"$hidden"}]}`),
		act(change+"/approve", `{}`),
		act(change+"/reject", `{"reason":"no"}`),
		act(change+"/withdraw", `{}`),
		act(worldProject+"/milestones", fmt.Sprintf(`{"id":"m-%d","title":"More","owner":%q,"due_on":"2018-07-01"}`, day, who)),
		act("/v1/partners/"+who+"/contacts", `{"code":"tdi_guess"}`),
		act(worldAgreement+"/amendments", `{"title":"Four","changes":{"join":[{"partner":"sony"}]}}`),
		act(worldProject+"/pause", `{"reason":"summer"}`),
		act(worldProject+"/resume", `{}`),
		act(worldProject+"/complete", `{}`),
		{who: who, method: http.MethodPatch, path: milestone, body: `{"description":"in the north"}`},
		{who: who, method: http.MethodPatch, path: milestone, body: `{"instrument":"supply","schedule_item":"lot","clause":"1"}`},
		{who: who, method: http.MethodPatch, path: worldAgreement + "/instruments/supply/schedule/lot", body: `{"state":"delivered"}`},
	}).Draw(t, "deed")
	if who == "nokia" && strings.HasSuffix(deed.path, "/amendments") {
		deed.secret = true // Nokia can name its contact, which would disclose it to the others
		deed.path, deed.body = "/v1/partners/nokia/invitations", `{}`
	}
	return deed
}

// drawSecret draws a private action of Nokia.
func drawSecret(t *rapid.T) randomAction {
	shared := worldMilestone + rapid.SampledFrom([]string{"m0", "m1"}).Draw(t, "shared")
	hidden := worldMilestone + "$hidden"
	day, n := rapid.IntRange(10, 28).Draw(t, "day"), rapid.IntRange(1, 2).Draw(t, "number")
	directory := "/v1/partners/nokia"
	d := rapid.SampledFrom([]randomAction{
		{method: http.MethodPost, path: shared + "/comment", body: `{"text":"they are slow","audience":"private:nokia"}`},
		{method: http.MethodPost, path: shared + "/forecast", body: fmt.Sprintf(`{"on":"2018-09-%d","reason":"they are slow","audience":"private:nokia"}`, day)},
		{method: http.MethodPost, path: shared + "/progress", body: fmt.Sprintf(`{"health":"red","note":"no budget on %d","audience":"private"}`, day)},
		{method: http.MethodPatch, path: worldAgreement + "/instruments/supply", body: fmt.Sprintf(`{"private_note":"safe %d"}`, day)},
		{method: http.MethodPost, path: hidden + "/start", body: `{}`},
		{method: http.MethodPost, path: hidden + "/progress", body: fmt.Sprintf(`{"percent":%d,"health":"red"}`, day)},
		{method: http.MethodPost, path: hidden + "/comment", body: `{"text":"secret"}`},
		{method: http.MethodPost, path: hidden + "/forecast", body: fmt.Sprintf(`{"on":"2018-08-%d","reason":"r"}`, day)},
		{method: http.MethodPost, path: hidden + "/deliver", body: `{}`},
		{method: http.MethodPost, path: hidden + "/complete", body: `{}`},
		{method: http.MethodPost, path: hidden + "/criteria/1/check", body: `{"result":"met"}`},
		{method: http.MethodPost, path: hidden + "/responsible", body: fmt.Sprintf(`{"member":"m%d"}`, n)},
		{method: http.MethodPatch, path: hidden, body: fmt.Sprintf(`{"due_on":"2018-02-%d"}`, day)},
		{method: http.MethodPost, path: worldProject + "/milestones", body: fmt.Sprintf(`{"id":"s-%d","title":"S","owner":"nokia","due_on":"2018-01-%d","audience":"private:nokia"}`, day, day)},
		{method: http.MethodPost, path: directory + "/invitations", body: `{"note":"for a rival"}`},
		{method: http.MethodPost, path: directory + "/members", body: fmt.Sprintf(`{"id":"m%d","name":"N","email":"n@example.com","role":"manager"}`, n)},
		{method: http.MethodDelete, path: directory + fmt.Sprintf("/members/m%d", n)},
		{method: http.MethodPost, path: directory + "/tokens", body: fmt.Sprintf(`{"id":"t%d","name":"T","role":"viewer"}`, n)},
		{method: http.MethodDelete, path: directory + fmt.Sprintf("/tokens/t%d", n)},
		{method: http.MethodPatch, path: directory, body: fmt.Sprintf(`{"holidays":["2018-12-%d"]}`, day)},
	}).Draw(t, "private")
	d.who, d.secret = "nokia", true
	return d
}
