package http

import (
	"net/http"
	"slices"
	"strings"

	"tandem/projections"
	"tandem/projections/sentences"
)

// route is one row of the route table.
type route struct {
	method, path string // path in OpenAPI form: /v1/partners/{partner}
	operationID  string // OpenAPI's operationId
	summary      string
	callers      string // who may call it, for the description
	query        []parameter
	visibleTo    visibility                   // nil: no resource in the path
	dependsOn    func(*projections.View) bool // whether all data of the response is intact; nil: the resources in the path
	body         *bodyHandler
	handle       func(*call) error
	responseBody any   // an example of the body's type; nil: no body
	success      []int // statuses
	anonymous    bool  // needs no token
	public       bool  // serves published data; needs no token
	admin        bool  // also served by Admin
	feed         bool  // next_cursor is a value of after, and the response can be an event stream
	uncached     bool  // reads the log on each request, for the operator
	noWait       bool  // changes of the read model do not signal changes of the response, so wait is refused
}

// echoPath returns the path in Echo's form.
func (rt *route) echoPath() string {
	return strings.NewReplacer("{", ":", "}", "").Replace(rt.path)
}

// cursorName returns the name of the parameter that takes the response's next_cursor.
func (rt *route) cursorName() string {
	if rt.feed {
		return "after"
	}
	return "cursor"
}

const metricsPath = "/metrics"

// Callers in the description. The domain enforces them.
const (
	anyMember       = "any member, and the operator"
	anyOfPartner    = "any member of the partner"
	directoryRead   = "any member of the partner, and the operator"
	directoryWrite  = "a manager of the partner, and the operator"
	tokenConfirmer  = "a manager of the partner, with a token of its own or with its first token"
	webhookRead     = "any member of the partner, with a token for all of its agreements"
	webhookWrite    = "a manager of the partner, with a token for all of its agreements"
	anyParty        = "any member of a party"
	partyManager    = "a manager of a party"
	roleManager     = "a manager of the partner whose role states the fact (see state), or of any party if the kind has no roles"
	signer          = "a manager of a party, or of a partner invited by the amendment"
	anyParticipant  = "any member of a participant"
	participants    = "a manager of a participant"
	lead            = "a manager of the lead"
	owner           = "a manager of the owner"
	reporter        = "a manager of the owner; with audience private, of any participant"
	acceptor        = "a manager of an acceptor"
	conditionAuthor = "a manager of the acceptor that set the condition"
	checker         = "a manager of the owner or of an acceptor"
	settler         = "a manager of the owner or of an acceptor"
	affected        = "a manager of an owner or acceptor of one of its milestones, before or after the change; of a participant, if it publishes"
	proposer        = "a manager of the partner that proposed it"
	anyone          = "everybody, without a token"
)

// routes returns the route table.
func routes() []*route {
	var all []*route
	for _, group := range [][]*route{
		partnerRoutes(), directoryRoutes(), introductionRoutes(), webhookRoutes(), deliveryRoutes(), agreementRoutes(), amendmentRoutes(), instrumentRoutes(),
		projectRoutes(), milestoneRoutes(), actionRoutes(), changeRoutes(), publicRoutes(), logRoutes(), deadLetterRoutes(), operationRoutes(),
	} {
		all = append(all, group...)
	}
	for _, rt := range all {
		if rt.body != nil {
			rt.handle = rt.body.handle
		}
		if rt.method == http.MethodGet && !rt.anonymous && !rt.uncached && !rt.noWait {
			rt.query = append(rt.query, waitParameter)
		}
		if !rt.anonymous && !slices.ContainsFunc(rt.query, func(known parameter) bool { return known.name == languageParameter.name }) {
			rt.query = append(rt.query, problemLanguage)
		}
	}
	return all
}

var (
	waitParameter   = parameter{name: "wait", kind: "integer", doc: "With If-None-Match: respond at the next change, or with 304 after this many seconds, at most 60."}
	limitParameter  = parameter{name: "limit", kind: "integer", doc: "Number of elements, at most 200. Default: 50."}
	cursorParameter = parameter{name: "cursor", kind: "string", doc: "The next_cursor of the previous page."}
	// A parameter instead of Accept-Language, so that an address has one content and one ETag.
	languageParameter = parameter{name: "language", kind: "string", values: sentences.Languages(), doc: "Language of the sentences. Default: English. Accept-Language is ignored."}
	problemLanguage   = parameter{name: "language", kind: "string", values: sentences.Languages(), doc: "Language of the problem if the request is refused. Default: English."}
	afterParameter    = parameter{name: "after", kind: "string", doc: "A position: events after it are returned. A position from before an accepted loss gets 410 position_lost; start again without it."}
)

func listParameters(more ...parameter) []parameter {
	return append(more, limitParameter, cursorParameter)
}

func feedParameters() []parameter {
	return []parameter{afterParameter, limitParameter, languageParameter}
}

// readRoute returns a GET route whose pages are cached.
func readRoute(name, path, summary, callers string, sees visibility, answer any,
	page func(*call, *projections.View) (projections.Answer, error), query ...parameter,
) *route {
	return &route{
		method: http.MethodGet, path: path, operationID: name, summary: summary, callers: callers, visibleTo: sees,
		responseBody: answer, handle: cachedPage(page), query: query, success: []int{http.StatusOK, http.StatusNotModified},
	}
}

// withDependency declares resources, other than those in the path, whose history the response needs.
func (rt *route) withDependency(whole func(*projections.View) bool) *route {
	rt.dependsOn = whole
	return rt
}

// lastSegment returns the last segment of a path: the name of an action.
func lastSegment(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// mayHideResource declares that the command can make its resource invisible to the caller.
func (rt *route) mayHideResource() *route {
	rt.success = append(rt.success, http.StatusNoContent)
	return rt
}

// createRoute returns a POST route that creates a resource.
func createRoute(name, path, summary, callers string, sees visibility, answer any, handler *bodyHandler) *route {
	return &route{
		method: http.MethodPost, path: path, operationID: name, summary: summary, callers: callers, visibleTo: sees,
		responseBody: answer, body: handler, success: []int{http.StatusCreated},
	}
}

// changeRoute returns a route that changes a resource and responds with its new state.
func changeRoute(method, name, path, summary, callers string, sees visibility, answer any, handler *bodyHandler) *route {
	return &route{
		method: method, path: path, operationID: name, summary: summary, callers: callers, visibleTo: sees,
		responseBody: answer, body: handler, success: []int{http.StatusOK},
	}
}

// removeRoute returns a DELETE route.
func removeRoute(name, path, summary, callers string, sees visibility, handler *bodyHandler) *route {
	return &route{
		method: http.MethodDelete, path: path, operationID: name, summary: summary, callers: callers, visibleTo: sees,
		body: handler, success: []int{http.StatusNoContent},
	}
}
