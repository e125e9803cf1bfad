package http

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/http/strictjson"
)

// flaw is a fault in the form of a request, and its refusal.
type flaw struct {
	name         string
	body         string
	header, with string // a header with an invalid value
	query        string
	status       int
	code         string
	fields       []string
}

// flawsOf makes the flaws from the shape of the route's body.
func flawsOf(t testing.TB, rt *route, valid string) []flaw {
	list := []flaw{
		{name: "empty key", body: valid, header: "Idempotency-Key", status: 400, code: "invalid_idempotency_key"},
		{name: "long key", body: valid, header: "Idempotency-Key", with: strings.Repeat("k", 256), status: 400, code: "invalid_idempotency_key"},
		{name: "no ETag", body: valid, header: "If-Match", with: "7", status: 400, code: "invalid_if_match"},
		{name: "weak ETag", body: valid, header: "If-Match", with: `W/"7-ab"`, status: 400, code: "invalid_if_match"},
		{name: "unknown parameter", body: valid, query: "?verbose=1", status: 400, code: "unknown_parameter"},
		{name: "malformed query", body: valid, query: "?%zz", status: 400, code: "invalid_query"},
		{name: "too large", body: strings.Repeat(" ", maxBody+1), status: 413, code: "body_too_large"},
		{name: "media type", body: "{}", header: "Content-Type", with: "application/xml", status: 415, code: "unsupported_media_type"},
		{name: "charset", body: "{}", header: "Content-Type", with: "application/json; charset=latin1", status: 415, code: "unsupported_media_type"},
		{name: "compressed", body: "{}", header: "Content-Encoding", with: "gzip", status: 415, code: "unsupported_encoding"},
	}
	decoder := rt.body.decoder
	if decoder == nil {
		return append(list, flaw{name: "a body", body: "{}", status: 400, code: "invalid_json"})
	}
	return append(append(list, syntaxFlaws(decoder)...), valueFlaws(t, decoder)...)
}

func syntaxFlaws(decoder *strictjson.Decoder) []flaw {
	fields := decoder.Fields()
	list := []flaw{
		{name: "no object", body: `[]`, status: 400, code: "invalid_json"},
		{name: "null", body: `null`, status: 400, code: "invalid_json"},
		{name: "cut short", body: `{`, status: 400, code: "invalid_json"},
		{name: "no JSON", body: `{title: 1}`, status: 400, code: "invalid_json"},
		{name: "a comma too many", body: `{,}`, status: 400, code: "invalid_json"},
		{name: "unknown name", body: `{"unheard_of":1}`, status: 400, code: "unknown_field", fields: []string{"unheard_of"}},
		{name: "deep", body: `{"unheard_of":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, status: 400, code: "too_deep"},
		{name: "NUL", body: `{"unheard_of":"\u0000"}`, status: 400, code: "invalid_character"},
	}
	if len(fields) > 0 {
		member := `"` + fields[0].Name + `"`
		list = append(list,
			flaw{name: "case", body: `{` + strings.ToUpper(member) + `:1}`, status: 400, code: "unknown_field", fields: []string{strings.ToUpper(fields[0].Name)}},
			flaw{name: "twice", body: `{` + member + `:"a",` + member + `:"a"}`, status: 400, code: "duplicate_field"},
			flaw{name: "twice inside", body: `{` + member + `:{"a":1,"a":2}}`, status: 400, code: "duplicate_field"},
			flaw{name: "not UTF-8", body: `{` + member + ":\"a\xff\"}", status: 400, code: "invalid_json"},
			flaw{name: "half a surrogate", body: `{` + member + `:"\ud800"}`, status: 400, code: "invalid_json"},
			flaw{name: "bare NUL", body: `{` + member + ":\"a\x00\"}", status: 400, code: "invalid_json"},
			flaw{name: "trailing data", body: `{` + member + `:"a"} {}`, status: 400, code: "invalid_json"},
		)
	}
	return list
}

// valueFlaws sets every field to a value of a wrong type, and to null; all errors are reported at once.
func valueFlaws(t testing.TB, decoder *strictjson.Decoder) []flaw {
	wrong, null := object{}, object{}
	for _, field := range decoder.Fields() {
		wrong[field.Name] = wrongFor(field.Type)
		if !field.Nullable {
			null[field.Name] = nil
		}
	}
	var list []flaw
	if required := decoder.Required(); len(required) > 0 {
		list = append(list, flaw{name: "nothing given", body: `{}`, status: 422, code: "invalid_field", fields: required})
	}
	if len(wrong) > 0 {
		list = append(list, flaw{
			name: "wrong types", body: string(bytesOf(t, wrong)), status: 422, code: "invalid_field", fields: slices.Collect(maps.Keys(wrong)),
		})
	}
	if len(null) > 0 {
		fields := slices.Collect(maps.Keys(null))
		list = append(list, flaw{name: "null", body: string(bytesOf(t, null)), status: 422, code: "invalid_field", fields: fields})
	}
	return list
}

func wrongFor(typ reflect.Type) any {
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if typ.Kind() == reflect.String || typ == reflect.TypeFor[domain.Date]() {
		return 20180330
	}
	return "2018-02-30"
}

// TestForm sends every fault of form to every writing route with a caller that may write there: each is refused with
// its code, in the promised order of checks, and changes no state (P11).
func TestForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before, refusals := w.positions(), 0
	for _, x := range w.writers() {
		for _, f := range flawsOf(t, x.route, string(bytesOf(t, x.body(t)))) {
			t.Run(x.route.operationID+"/"+f.name, func(t *testing.T) {
				w.send(t, x, f).Refused(f.status, f.code).Names(f.fields...)
			})
			refusals++
		}
		w.checkOrder(x)
	}
	require.Equal(t, before, w.positions(), "nothing has changed")
	t.Logf("%d refusals", refusals)
}

// writers returns one request per writing route that would succeed.
func (w *world) writers() (list []attempt) {
	w.t.Helper()
	found := map[string]bool{}
	for _, x := range w.attempts() {
		if x.order() >= 2 && !found[x.route.operationID] && (x.actor.name == "nokia" || x.route.operationID == "createPartner" || x.route.uncached) {
			found[x.route.operationID] = true
			list = append(list, x)
		}
	}
	for _, rt := range routes() {
		require.True(w.t, rt.body == nil || found[rt.operationID], "nobody can call %s", rt.operationID)
	}
	return list
}

func (w *world) send(t *testing.T, x attempt, f flaw) *answer {
	t.Helper()
	c := w.As(x.actor.name)
	if f.header != "" {
		c = c.With(f.header, f.with)
	}
	var body any
	if f.body != "" {
		body = f.body
	}
	a := c.do(x.route.method, x.path()+f.query, body)
	a.t = t
	return a
}

// checkOrder sends a request with all faults and removes them one by one: the response is always the first of 401,
// 404, 413, 415, 400, 422, 403.
func (w *world) checkOrder(x attempt) {
	w.t.Helper()
	huge, broken, path := strings.Repeat("x", maxBody+1), "{", x.path()
	w.As("stranger").With("Content-Type", "text/plain").do(x.route.method, path, huge).Refused(401, "invalid_token")
	if strings.Contains(x.route.path, "{") {
		hidden := strings.NewReplacer(w.a, w.other, "/partners/nokia", "/partners/acme").Replace(path)
		hidden = strings.NewReplacer(w.three, w.other, w.next, w.other, "/deadletters/", "/deadletters/6").Replace(hidden)
		w.As(x.actor.name).With("Content-Type", "text/plain").do(x.route.method, hidden, huge).Refused(404, "not_found")
	}
	c := w.As(x.actor.name).With("Content-Type", "text/plain")
	c.do(x.route.method, path, huge).Refused(413, "body_too_large")
	c.do(x.route.method, path, broken).Refused(415, "unsupported_media_type")
	viewer := w.As("nokia-viewer")
	if x.route.uncached {
		viewer = c.With("Content-Type", "application/json") // visible to the operator only, so there is no 403
	}
	viewer.do(x.route.method, path, broken).Refused(400, "invalid_json")
	if x.route.body.decoder != nil && len(x.route.body.decoder.Required()) > 0 {
		viewer.do(x.route.method, path, "{}").Refused(422, "invalid_field")
	}
	if !x.route.uncached {
		viewer.With("If-Match", `"0-x"`).do(x.route.method, path, x.body(w.t)).Want(403)
	}
}
