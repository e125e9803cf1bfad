package http

import (
	"bytes"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

// contract holds requests and answers against the API description. It compiles a schema when it is
// first needed, once for all tests.
type contract struct {
	doc      object
	compiler *jsonschema.Compiler
	routes   []*route
	mu       sync.Mutex
	compiled map[string]*jsonschema.Schema
}

// theContract is made once: the description never changes while the tests run.
var theContract = sync.OnceValues(newContract)

func contractOf(t testing.TB) *contract {
	t.Helper()
	c, err := theContract()
	require.NoError(t, err)
	return c
}

const contractURL = "https://tandem.test/openapi.json"

func newContract() (*contract, error) {
	made, err := describe("")
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(made))
	if err != nil {
		return nil, err
	}
	c := &contract{doc: doc.(object), compiler: jsonschema.NewCompiler(), routes: routes(), compiled: map[string]*jsonschema.Schema{}}
	c.compiler.DefaultDraft(jsonschema.Draft2020)
	c.compiler.AssertFormat()
	return c, c.compiler.AddResource(contractURL, doc)
}

// pointer writes names as a JSON pointer.
func pointer(names ...string) string {
	var out strings.Builder
	for _, n := range names {
		out.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(n))
	}
	return out.String()
}

func (c *contract) schema(at string) (*jsonschema.Schema, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.compiled[at]; s != nil {
		return s, nil
	}
	s, err := c.compiler.Compile(contractURL + "#" + at)
	if err == nil {
		c.compiled[at] = s
	}
	return s, err
}

// find follows names into the description, and references on the way. It returns the place where
// the value really is.
func (c *contract) find(names ...string) (v any, at []string, found bool) {
	v = c.doc
	for _, n := range names {
		o, _ := v.(object)
		if v, found = o[n]; !found {
			return nil, nil, false
		}
		at = append(at, n)
		if o, _ = v.(object); o["$ref"] != nil {
			at = strings.Split(strings.TrimPrefix(o["$ref"].(string), "#/"), "/")
			if v, at, found = c.find(at...); !found {
				return nil, nil, false
			}
		}
	}
	return v, at, true
}

// routeOf returns the route that serves a path, nil if none does.
func (c *contract) routeOf(method, path string) *route {
	path, _, _ = strings.Cut(path, "?")
	if method == http.MethodHead {
		method = http.MethodGet // the answer is the same, without its body
	}
	have := strings.Split(path, "/")
	var best *route
	for _, rt := range c.routes {
		want := strings.Split(rt.path, "/")
		fits := rt.method == method && slices.EqualFunc(want, have, func(w, h string) bool {
			return w == h || (strings.HasPrefix(w, "{") && h != "")
		})
		if fits && (best == nil || strings.Count(rt.path, "{") < strings.Count(best.path, "{")) {
			best = rt
		}
	}
	return best
}

// check requires that the description knows the answer: its status, its media type, its headers
// and its body; and, of a request that was not refused, the body too.
func (c *contract) check(a *answer) {
	a.t.Helper()
	rt := c.routeOf(a.method, a.path)
	if rt == nil {
		require.GreaterOrEqual(a.t, a.status, http.StatusBadRequest, "the table has no such route: %s", a)
		return
	}
	operation := []string{"paths", rt.path, strings.ToLower(rt.method)}
	response := c.response(a, operation)
	if a.status < http.StatusBadRequest && len(a.sent) > 0 {
		c.validate(a, a.sent, append(operation, "requestBody", "content", jsonMedia, "schema"))
	}
	if len(a.body) == 0 {
		return
	}
	kind, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	require.NoError(a.t, err, a)
	_, at, found := c.find(append(response, "content", kind, "schema")...)
	if !found {
		_, at, found = c.find(append(response, "content", "*/*", "schema")...)
	}
	require.True(a.t, found, "%d with %s is not described: %s", a.status, kind, a)
	if kind == jsonMedia || kind == problemMedia {
		c.validate(a, a.body, at)
	}
}

// response returns the description of the response's status and checks the described headers.
func (c *contract) response(a *answer, operation []string) []string {
	a.t.Helper()
	v, at, found := c.find(slices.Concat(operation, []string{"responses", strconv.Itoa(a.status)})...)
	if !found {
		require.GreaterOrEqual(a.t, a.status, http.StatusBadRequest, "the status is not described: %s", a)
		v, at, found = c.find(slices.Concat(operation, []string{"responses", "default"})...)
	}
	require.True(a.t, found, "%d is not described: %s", a.status, a)
	described, _ := v.(object)["headers"].(object)
	for _, own := range []string{"Link", "Location", "ETag", "Tandem-Position", "Idempotency-Replayed", "Preference-Applied", "Retry-After", "WWW-Authenticate"} {
		if a.header.Get(own) != "" {
			require.Contains(a.t, described, own, "%d has an undescribed header: %s", a.status, a)
		}
	}
	return at
}

func (c *contract) validate(a *answer, body []byte, names []string) {
	a.t.Helper()
	_, at, found := c.find(names...)
	require.True(a.t, found, "%v is not described", names)
	s, err := c.schema(pointer(at...))
	require.NoError(a.t, err)
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	require.NoError(a.t, err, a)
	require.NoError(a.t, s.Validate(v), a)
}
