package http

import (
	"encoding/json"
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"tandem/api"
	"tandem/eventlog"
)

const (
	jsonMedia    = "application/json"
	problemMedia = "application/problem+json"
	mergeMedia   = "application/merge-patch+json"
	streamMedia  = "text/event-stream"
)

const apiDescription = `Milestones that partner companies share, agree and accept.

Every path under /v1 takes a bearer token. What the caller may not see answers like what does not exist.
A refusal is an RFC 9457 problem whose code is stable. A write that carries an Idempotency-Key may be
repeated for 24 hours: it is done once, and answers the same.`

// describe returns the OpenAPI 3.1 description of the routes as JSON. An empty baseURL means the origin from which
// the description is loaded.
func describe(baseURL string) ([]byte, error) {
	requests, answers := newSchemas()
	doc := &document{requests: requests, answers: answers, doc: &huma.OpenAPI{
		OpenAPI:  "3.1.0",
		Info:     &huma.Info{Title: "Tandem", Version: "1", Description: apiDescription},
		Security: []map[string][]string{{"bearer": {}}},
		Components: &huma.Components{
			Schemas: answers, Parameters: componentParameters(), Headers: componentHeaders(),
			SecuritySchemes: map[string]*huma.SecurityScheme{"bearer": {Type: "http", Scheme: "bearer"}},
		},
	}}
	doc.doc.Components.Responses = doc.componentResponses()
	if baseURL != "" {
		doc.doc.Servers = []*huma.Server{{URL: baseURL}}
	}
	for _, rt := range routes() {
		doc.doc.AddOperation(doc.operation(rt))
	}
	if *answers.err != nil {
		return nil, *answers.err
	}
	return json.Marshal(doc.doc)
}

// document is a description under construction.
type document struct {
	doc               *huma.OpenAPI
	requests, answers *schemas
}

func (d *document) operation(rt *route) *huma.Operation {
	op := &huma.Operation{
		Method: rt.method, Path: rt.path, OperationID: rt.operationID, Summary: rt.summary,
		Description: "For " + rt.callers + ".", Tags: []string{rt.tag()},
		Parameters: rt.openAPIParameters(), RequestBody: d.body(rt), Responses: d.responses(rt),
	}
	if rt.anonymous {
		op.Security = []map[string][]string{}
	}
	return op
}

// tag returns the group in which the documentation page shows the operation.
func (rt *route) tag() string {
	if rt.public {
		return "public"
	}
	for _, tag := range []string{"milestones", "projects", "instruments", "agreements", "commands", "webhooks", "partners"} {
		if strings.HasPrefix(rt.path, "/v1/") && strings.Contains(rt.path, "/"+tag) {
			return tag
		}
	}
	if strings.HasPrefix(rt.path, "/v1/") && !rt.uncached {
		return "partners"
	}
	return "operations"
}

// hasEventStream reports whether the response can be an event stream.
func (rt *route) hasEventStream() bool { return rt.operationID == "listAgreementEvents" }

var pathParameter = regexp.MustCompile(`\{(\w+)\}`)

func (rt *route) openAPIParameters() []*huma.Param {
	var list []*huma.Param
	for _, match := range pathParameter.FindAllStringSubmatch(rt.path, -1) {
		list = append(list, &huma.Param{Name: match[1], In: "path", Required: true, Schema: pathSchema(match[1])})
	}
	for _, param := range rt.query {
		list = append(list, &huma.Param{Name: param.name, In: "query", Description: param.doc, Schema: param.schema()})
	}
	for _, name := range rt.requestHeaders() {
		list = append(list, &huma.Param{Ref: "#/components/parameters/" + name})
	}
	return list
}

func pathSchema(name string) *huma.Schema {
	switch name {
	case "id":
		return &huma.Schema{Type: huma.TypeString, Pattern: "^[0-9a-f]{48}$"}
	case "partition":
		first, last := 0.0, float64(eventlog.Partitions-1)
		return &huma.Schema{Type: huma.TypeInteger, Minimum: &first, Maximum: &last}
	case "condition", "criterion":
		return &huma.Schema{Type: huma.TypeString, Pattern: "^[1-9][0-9]*$"}
	case "change":
		return &huma.Schema{Type: huma.TypeString, Pattern: "^([1-9][0-9]*|c-[a-z2-7]+)$"}
	case "amendment":
		return &huma.Schema{Type: huma.TypeString, Pattern: "^([1-9][0-9]*|a-[a-z2-7]+)$"}
	case "file", "letter", "delivery":
		return &huma.Schema{Type: huma.TypeString}
	}
	return &huma.Schema{Type: huma.TypeString, Pattern: "^" + slugPattern + "$"}
}

func (p parameter) schema() *huma.Schema {
	schema := &huma.Schema{Type: p.kind}
	if p.kind == "date" {
		schema.Type, schema.Format = huma.TypeString, "date"
	}
	for _, value := range p.values {
		schema.Enum = append(schema.Enum, value)
	}
	return schema
}

// requestHeaders returns the request headers that the route reads, apart from Authorization.
func (rt *route) requestHeaders() []string {
	switch {
	case rt.public:
		return []string{"If-None-Match"}
	case rt.anonymous:
		return nil
	case rt.hasEventStream():
		return []string{"If-None-Match", "Tandem-Min-Position", "Last-Event-ID"}
	case rt.body == nil:
		return []string{"If-None-Match", "Tandem-Min-Position"}
	case rt.body.honoursPrefer:
		return []string{"Prefer"}
	case rt.body.run != nil:
		return nil
	case rt.success[0] == http.StatusCreated:
		return []string{"Idempotency-Key", "Prefer"}
	}
	return []string{"Idempotency-Key", "If-Match", "Prefer"}
}

func componentParameters() map[string]*huma.Param {
	limit := maxIdempotencyKey
	text := &huma.Schema{Type: huma.TypeString}
	all := make(map[string]*huma.Param)
	for _, param := range []*huma.Param{
		{Name: "Idempotency-Key", Schema: &huma.Schema{Type: huma.TypeString, MaxLength: &limit}, Description: "A repeat with the same key within 24 hours has one effect and gets the same response."},
		{Name: "If-Match", Schema: text, Description: "An ETag of the resource; 412 if the resource has changed since."},
		{Name: "If-None-Match", Schema: text, Description: "The ETag of the client's copy; 304 if it is current."},
		{Name: "Prefer", Schema: text, Description: "wait=N: wait N seconds for the outcome. Default: 5; at most 60. respond-async: do not wait."},
		{Name: "Tandem-Min-Position", Schema: text, Description: "A position, or latest: wait at most 2 seconds until this node has reached it. A position from before an accepted loss gets 410 position_lost."},
		{Name: "Last-Event-ID", Schema: text, Description: "With Accept: text/event-stream: the position after which the stream resumes."},
	} {
		param.In = "header"
		all[param.Name] = param
	}
	return all
}

// body describes the request body; nil: none.
func (d *document) body(rt *route) *huma.RequestBody {
	if rt.body == nil || rt.body.decoder == nil {
		return nil
	}
	content := &huma.MediaType{Schema: d.requests.Schema(rt.body.decoder.Type(), true, "")}
	body := &huma.RequestBody{Required: !rt.body.optional, Content: map[string]*huma.MediaType{jsonMedia: content}}
	if rt.method == http.MethodPatch {
		body.Content[mergeMedia] = content
	}
	return body
}

func (d *document) responses(rt *route) map[string]*huma.Response {
	all := map[string]*huma.Response{"default": {Ref: "#/components/responses/Problem"}}
	for _, status := range rt.refusalStatuses() {
		all[strconv.Itoa(status)] = &huma.Response{Ref: "#/components/responses/Problem"}
	}
	if rt.body != nil && rt.body.run == nil {
		all["202"] = &huma.Response{Ref: "#/components/responses/Accepted"}
	}
	for _, status := range rt.success {
		all[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status), Headers: responseHeaders(rt, status), Content: d.content(rt, status),
		}
	}
	return all
}

// refusalStatuses returns the statuses that a client of the route should handle; default covers the others.
func (rt *route) refusalStatuses() []int {
	var list []int
	if strings.Contains(rt.path, "{") || rt.uncached {
		list = append(list, http.StatusNotFound)
	}
	if rt.path == "/readyz" || !rt.anonymous || rt.public {
		list = append(list, http.StatusServiceUnavailable)
	}
	if !rt.anonymous {
		list = append(list, http.StatusUnauthorized, http.StatusBadRequest, http.StatusUnprocessableEntity)
	}
	if rt.operationID == "getCommand" || rt.feed {
		list = append(list, http.StatusGone)
	}
	if rt.body != nil {
		list = append(list, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	if rt.body != nil && rt.body.run == nil {
		list = append(list, http.StatusForbidden, http.StatusPreconditionFailed)
	}
	return list
}

func (d *document) content(rt *route, status int) map[string]*huma.MediaType {
	if status == http.StatusNoContent || status == http.StatusNotModified {
		return nil
	}
	if kind, other := rt.responseBody.(media); other {
		schema := &huma.Schema{Type: huma.TypeString}
		if kind == jsonMedia {
			schema.Type = huma.TypeObject
		}
		return map[string]*huma.MediaType{string(kind): {Schema: schema}}
	}
	content := map[string]*huma.MediaType{
		jsonMedia: {Schema: d.answers.Schema(reflect.TypeOf(rt.responseBody), true, "")},
	}
	if rt.hasEventStream() {
		content[streamMedia] = &huma.MediaType{Schema: &huma.Schema{
			Type: huma.TypeString, Description: "Server-sent events: id is the position, event the type, data the event.",
		}}
	}
	return content
}

func responseHeaders(rt *route, status int) map[string]*huma.Header {
	if rt.public {
		return headerRefs("ETag")
	}
	if rt.anonymous {
		return nil
	}
	names := []string{"Tandem-Position"}
	if status != http.StatusNoContent {
		names = append(names, "ETag")
	}
	if status == http.StatusCreated {
		names = append(names, "Location")
	}
	if rt.body != nil && rt.body.honoursPrefer {
		names = append(names, "Preference-Applied")
	} else if rt.body != nil && rt.body.run == nil {
		names = append(names, "Idempotency-Replayed", "Preference-Applied")
	} else if rt.body != nil {
		return headerRefs(names...)
	} else if body := reflect.TypeOf(rt.responseBody); body.Kind() == reflect.Struct && status == http.StatusOK {
		if _, list := body.FieldByName("NextCursor"); list {
			names = append(names, "Link")
		}
	}
	return headerRefs(names...)
}

func headerRefs(names ...string) map[string]*huma.Header {
	refs := make(map[string]*huma.Header, len(names))
	for _, name := range names {
		refs[name] = &huma.Header{Ref: "#/components/headers/" + name}
	}
	return refs
}

func componentHeaders() map[string]*huma.Header {
	all := make(map[string]*huma.Header)
	for name, doc := range map[string]string{
		"ETag":                 "For If-Match and If-None-Match; strong.",
		"Idempotency-Replayed": "true if a request with this Idempotency-Key was answered before.",
		"Link":                 `The next page of the list, with rel="next"; absent on the last page.`,
		"Location":             "Path of the created resource, or of the command.",
		"Preference-Applied":   "The applied preferences of Prefer.",
		"Retry-After":          "Seconds after which a repeat may succeed.",
		"Tandem-Position":      "The position that this node has reached for the caller; for Tandem-Min-Position.",
		"WWW-Authenticate":     "With 401: the Bearer challenge.",
		"X-Request-Id":         "The problem's request_id.",
	} {
		all[name] = &huma.Header{Description: doc, Schema: &huma.Schema{Type: huma.TypeString}}
	}
	return all
}

// componentResponses returns the responses shared by many routes.
func (d *document) componentResponses() map[string]*huma.Response {
	return map[string]*huma.Response{
		"Problem": {
			Description: "Refused or failed; code gives the reason.",
			Headers: headerRefs("Idempotency-Replayed", "Location", "Preference-Applied", "Retry-After", "Tandem-Position",
				"WWW-Authenticate", "X-Request-Id"),
			Content: map[string]*huma.MediaType{problemMedia: {Schema: d.answers.Schema(reflect.TypeFor[api.Problem](), true, "")}},
		},
		"Accepted": {
			Description: "The outcome is not known yet, but the command will be decided; Location is the path of its state.",
			Headers:     headerRefs("Location", "Preference-Applied", "Tandem-Position"),
			Content:     map[string]*huma.MediaType{jsonMedia: {Schema: d.answers.Schema(reflect.TypeFor[api.Command](), true, "")}},
		},
	}
}
