package http

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestUnauthenticated sends every kind of invalid token to an existing path, another partner's path and a nonexistent
// path: the responses are equal.
func TestUnauthenticated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := w.tokens["nokia"]
	paths := []string{w.routing("going"), "/v1/agreements/nothing", "/v1/nothing", "/v1/me"}
	for _, c := range []struct {
		authorization []string
		code, told    string
	}{
		{nil, "unauthenticated", `Bearer realm="tandem"`},
		{[]string{""}, "unauthenticated", `Bearer realm="tandem"`},
		{[]string{"Bearer"}, "unauthenticated", `Bearer realm="tandem"`},
		{[]string{"Bearer "}, "unauthenticated", `Bearer realm="tandem"`},
		{[]string{"Basic " + good}, "unauthenticated", `Bearer realm="tandem"`},
		{[]string{good}, "unauthenticated", `Bearer realm="tandem"`},
		{[]string{"Bearer " + good, "Bearer " + good}, "unauthenticated", `Bearer realm="tandem"`},
		{[]string{"Bearer " + good + "x"}, "invalid_token", `Bearer realm="tandem", error="invalid_token"`},
		{[]string{"Bearer " + good[:len(good)-1]}, "invalid_token", `Bearer realm="tandem", error="invalid_token"`},
		{[]string{"Bearer " + w.tokens["nokia-expired"]}, "invalid_token", `Bearer realm="tandem", error="invalid_token"`},
		{[]string{"Bearer " + w.tokens["nokia-revoked"]}, "invalid_token", `Bearer realm="tandem", error="invalid_token"`},
	} {
		for _, path := range paths {
			bearer := w.As("nobody").With("X-Request-Id", "same")
			if c.authorization != nil {
				bearer.header["Authorization"] = c.authorization
			}
			a := bearer.GET(path).Refused(401, c.code)
			require.Equal(t, c.told, a.header.Get("WWW-Authenticate"))
			require.Equal(t, string(bearer.GET("/v1/me").body), string(a.body))
		}
	}
	w.As("nobody").With("Authorization", "bEaReR "+good).GET("/v1/me").Want(200)
}

// TestTokensEnd invalidates tokens in every way; each is refused from then on, also for cached pages and 304s.
func TestTokensEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	person := object{"name": "P", "email": "p@nokia.example", "role": "manager"}
	id := w.As("nokia").POST("/v1/partners/nokia/members", person).Want(201).text("id")
	w.issue("nokia", "of-person", object{"member": id})
	w.issue("nokia", "for-an-hour", object{"expires_at": w.clock.Now().Add(time.Hour).Format(time.RFC3339)})
	w.issue("nokia", "to-revoke", nil)
	for _, c := range []struct {
		token string
		end   func()
	}{
		{"to-revoke", func() { w.As("to-revoke").DELETE("/v1/partners/nokia/tokens/to-revoke").Want(204) }},
		{"of-person", func() { w.As("nokia").DELETE("/v1/partners/nokia/members/" + id).Want(204) }},
		{"for-an-hour", func() { w.clock.advance(time.Hour) }},
	} {
		status := w.As(c.token).GET("/v1/partners/nokia/status").Want(200)
		w.As(c.token).POST(w.routing("going")+"/comment", object{"text": "x"}).Want(200)
		c.end()
		w.As(c.token).GET("/v1/partners/nokia/status").Refused(401, "invalid_token")
		w.As(c.token).With("If-None-Match", status.etag()).GET("/v1/partners/nokia/status").Refused(401, "invalid_token")
		w.As(c.token).POST(w.routing("going")+"/comment", object{"text": "x"}).Refused(401, "invalid_token")
	}
	w.As("nokia").DELETE("/v1/partners/nokia/tokens/nokia-manager").Want(204)
	w.As("nokia").GET("/v1/me").Refused(401, "invalid_token")
}

// TestLesserRole makes a manager a viewer: the member's token has the rights of a viewer.
func TestLesserRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	person := w.members["nokia"]
	w.issue("nokia", "of-person", object{"member": person})
	w.As("of-person").POST(w.routing("going")+"/comment", object{"text": "x"}).Want(200)
	w.As("nokia").PATCH("/v1/partners/nokia/members/"+person, object{"role": "viewer"}).Want(200)
	w.As("of-person").POST(w.routing("going")+"/comment", object{"text": "x"}).Refused(403, "manager_only")
	w.As("of-person").GET(w.routing("going")).Want(200)
}

// TestMembersWhoMaySign: only the partner's managers decide who may sign, and only a manager token of such a member
// may.
func TestMembersWhoMaySign(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const members = "/v1/partners/nokia/members"
	person := object{"name": "P", "email": "p@nokia.example", "role": "manager", "may_sign": true}
	w.As("operator").POST(members, person).Refused(403, "manager_only")
	w.As("nokia-viewer").POST(members, person).Refused(403, "manager_only")
	added := w.As("nokia").POST(members, person).Want(201)
	require.Equal(t, true, added.get("may_sign"))
	member := members + "/" + added.text("id")
	w.issue("nokia", "of-person", object{"member": added.text("id")})
	require.Equal(t, true, w.As("of-person").GET("/v1/me").get("may_sign"))
	require.Equal(t, false, w.As("nokia").GET("/v1/me").get("may_sign"), "a token without a member")

	w.As("operator").PATCH(member, object{"may_sign": false}).Refused(403, "manager_only")
	w.As("nokia").PATCH(member, object{"role": "viewer"}).Refused(422, "invalid_field")
	w.As("nokia").PATCH(member, object{"may_sign": false}).Want(200)
	require.Equal(t, false, w.As("of-person").GET("/v1/me").get("may_sign"))
	w.As("operator").PATCH(member, object{"role": "viewer"}).Want(200)
}

// TestForeignIDs names invisible and nonexistent resources in a body: the responses differ in the name only.
func TestForeignIDs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	draft := body{"title": "N", "effective_on": "2018-01-01", "acceptance_days": 5, "deemed_acceptance": false, "forecast_tolerance_days": 0}
	project := body{"title": "N", "stage": "committed", "lead": "nokia"}
	milestone := body{"title": "N", "owner": "nokia", "due_on": "2018-01-01"}
	for _, c := range []struct {
		method, path, hidden string
		body                 func(name string) object
	}{
		{"POST", "/v1/agreements", "acme", func(x string) object { return draft.with(object{"parties": []string{"nokia", x}}) }},
		{"PATCH", w.at(w.next), "acme", func(x string) object { return object{"parties": []string{"nokia", x}} }},
		{"POST", "/v1/partners/nokia/tokens", w.other, func(x string) object { return object{"name": "N", "role": "viewer", "agreements": []string{x}} }},
		{"POST", "/v1/partners/nokia/tokens", w.members["xiaomi"], func(x string) object { return object{"name": "N", "role": "viewer", "member": x} }},
		{"POST", w.at(w.a) + "/projects", "acme", func(x string) object { return project.with(object{"participants": []string{"nokia", x}}) }},
		{"POST", w.at(w.a) + "/projects", "acme", func(x string) object {
			return project.with(object{"participants": []string{"nokia", "xiaomi"}, "lead": x})
		}},
		{"POST", w.at(w.a, "routing") + "/milestones", "acme", func(x string) object { return milestone.with(object{"owner": x}) }},
		{"POST", w.at(w.a, "routing") + "/milestones", "acme", func(x string) object { return milestone.with(object{"acceptors": []string{x}}) }},
		{"PATCH", w.routing("going"), "acme", func(x string) object { return object{"acceptors": []string{x}} }},
		{"POST", w.routing(w.secret["nokia"]) + "/share", "acme", func(x string) object { return object{"acceptors": []string{x}} }},
	} {
		nokia := w.As("nokia").With("X-Request-Id", "same")
		nothing := strings.Repeat("q", len(c.hidden))
		foreign := nokia.do(c.method, c.path, c.body(c.hidden)).Want(422)
		missing := nokia.do(c.method, c.path, c.body(nothing)).Want(422)
		require.Equal(t, strings.ReplaceAll(string(missing.body), nothing, c.hidden), string(foreign.body))
		require.Equal(t, withoutDate(missing.header), withoutDate(foreign.header))
	}
}

// TestIDsCannotBeProbed creates resources with ids of invisible ones: the response does not disclose them.
func TestIDsCannotBeProbed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	draft := body{"title": "N", "effective_on": "2018-01-01", "acceptance_days": 5, "deemed_acceptance": false, "forecast_tolerance_days": 0, "parties": []string{"nokia", "xiaomi"}}
	for _, id := range []string{w.other, "nothing-yet"} {
		made := w.As("nokia").POST("/v1/agreements", draft.with(object{"id": id})).Want(201).text("id")
		require.Regexp(t, "^"+id+"-[a-z2-7]{8}$", made)
	}
	hidden := w.As("nokia").POST(w.at(w.a, "routing")+"/milestones", object{"id": "hidden", "title": "N", "owner": "nokia", "due_on": "2018-01-01", "audience": "private"}).Want(201).text("id")
	require.Regexp(t, `^hidden-[a-z2-7]{8}$`, hidden)
	require.NotEqual(t, w.secret["nokia"], hidden)
	long := strings.Repeat("l", 63)
	made := w.As("nokia").POST(w.at(w.a, "routing")+"/milestones", object{"id": long, "title": "N", "owner": "nokia", "due_on": "2018-01-01", "audience": "private"}).Want(201).text("id")
	require.Regexp(t, `^l{54}-[a-z2-7]{8}$`, made)
	pair := w.As("nokia").POST(w.at(w.three)+"/projects", object{"id": "pair", "title": "N", "stage": "committed", "lead": "nokia", "participants": []string{"nokia", "xiaomi"}}).Want(201).text("id")
	require.Regexp(t, `^pair-[a-z2-7]{8}$`, pair)
}

// TestUnrouted requests paths and methods without a route.
func TestUnrouted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/v1", "/v1/nothing", "/v1/partners/nokia/nothing", w.routing("going") + "/explode", w.routing("going") + "/"} {
		w.As("nokia").GET(path).Refused(404, "not_found")
	}
	wrong := w.As("nokia").DELETE(w.routing("going")).Refused(405, "method_not_allowed")
	for _, method := range []string{"GET", "PATCH"} {
		require.Contains(t, wrong.header.Get("Allow"), method)
	}
	w.As("nobody").DELETE(w.routing("going")).Refused(401, "unauthenticated")
	w.As("nobody").GET("/nothing").Refused(404, "not_found")
	hidden := w.As("acme").With("X-Request-Id", "same").DELETE(w.routing("going"))
	missing := w.As("acme").With("X-Request-Id", "same").DELETE(w.at("pact-nil", "routing", "going"))
	require.Equal(t, string(missing.body), string(hidden.body))
	require.Equal(t, strings.ReplaceAll(missing.position(), "pact-nil", w.a), hidden.position())
}

// TestLargeBodyWithoutLength sends a body that is too large without Content-Length.
func TestLargeBodyWithoutLength(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.As("nokia").request(t.Context(), http.MethodPost, w.routing("going")+"/comment", []byte{})
	r.Body, r.ContentLength = io.NopCloser(io.LimitReader(spaces{}, 2*maxBody)), -1
	resp, err := w.client.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)
}

// spaces never ends.
type spaces struct{}

func (spaces) Read(data []byte) (int, error) {
	for i := range data {
		data[i] = ' '
	}
	return len(data), nil
}
