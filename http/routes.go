package http

import (
	"net/http"
	"strings"

	"tandem/projections"
	"tandem/projections/sentences"
)

// route is one row of the table that everything else is made from.
type route struct {
	method, path string // the path as OpenAPI writes it: /v1/partners/{partner}
	operationID  string // the operation's id: what a client calls it
	summary      string
	callers      string // who may call it, for people
	query        []parameter
	visibleTo    visibility                   // nil: nothing to see in the path
	dependsOn    func(*projections.View) bool // nothing is lost of what the answer is made of; nil: what the path names
	body         *bodyHandler
	handle       func(*call) error
	responseBody any   // an example of the type of the body; nil: none
	success      []int // statuses
	anonymous    bool  // no token is asked for
	public       bool  // tells everybody what is public of an agreement; open, too
	admin        bool  // served by Admin too
	feed         bool  // next_cursor goes into after, and the answer can be an event stream
	uncached     bool  // asked of the log every time, for the operator
	noWait       bool  // no change of the image tells of another answer, so that it takes no wait
}

// echoPath is the path as Echo writes it.
func (rt *route) echoPath() string {
	return strings.NewReplacer("{", ":", "}", "").Replace(rt.path)
}

// cursorName is the parameter that takes the answer's next_cursor.
func (rt *route) cursorName() string {
	if rt.feed {
		return "after"
	}
	return "cursor"
}

const metricsPath = "/metrics"

// Who may call, for people. The domain decides.
const (
	anyMember       = "any member, and the operator"
	anyOfPartner    = "any member of the partner"
	directoryRead   = "any member of the partner, and the operator"
	directoryWrite  = "a manager of the partner, and the operator"
	webhookRead     = "any member of the partner, with a token for all of its agreements"
	webhookWrite    = "a manager of the partner, with a token for all of its agreements"
	anyParty        = "any member of a party"
	partyManager    = "a manager of a party"
	roleManager     = "a manager of a partner that has a role in it; where the kind has no roles, of any party"
	signer          = "a manager of a party, and of a partner that is invited by it"
	anyParticipant  = "any member of a participant"
	participants    = "a manager of a participant"
	lead            = "a manager of the lead"
	owner           = "a manager of the owner"
	reporter        = "a manager of the owner; with audience private, of any participant"
	acceptor        = "a manager of an acceptor"
	conditionAuthor = "a manager of the acceptor that asks for it"
	settler         = "a manager of the owner or of an acceptor"
	affected        = "a manager of an owner or acceptor, before or after, of one of its milestones; of every participant, if it publishes"
	proposer        = "a manager of the partner that proposed it"
	anyone          = "everybody, without a token"
)

// routes returns the whole table.
func routes() []*route {
	var all []*route
	for _, group := range [][]*route{
		partnerRoutes(), directoryRoutes(), webhookRoutes(), deliveryRoutes(), agreementRoutes(), amendmentRoutes(), instrumentRoutes(),
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
	}
	return all
}

var (
	waitParameter   = parameter{name: "wait", kind: "integer", doc: "With If-None-Match: answer at the next change, or 304 after so many seconds; 60 at most."}
	limitParameter  = parameter{name: "limit", kind: "integer", doc: "How many to tell, 200 at most; 50 unless given."}
	cursorParameter = parameter{name: "cursor", kind: "string", doc: "The next_cursor of the part before."}
	// Not Accept-Language: an address has one content, with one ETag, whoever asks for it.
	languageParameter = parameter{name: "language", kind: "string", values: sentences.Languages(), doc: "Of the sentences; English unless given. Accept-Language is not heeded."}
	afterParameter    = parameter{name: "after", kind: "string", doc: "A position: what came after it is told. One of before a loss of history gets 410 position_lost: begin without it."}
)

func listParameters(more ...parameter) []parameter {
	return append(more, limitParameter, cursorParameter)
}

func feedParameters() []parameter {
	return []parameter{afterParameter, limitParameter, languageParameter}
}

// readRoute is a GET that the image keeps rendered.
func readRoute(name, path, summary, callers string, sees visibility, answer any,
	page func(*call, *projections.View) (projections.Answer, error), query ...parameter,
) *route {
	return &route{
		method: http.MethodGet, path: path, operationID: name, summary: summary, callers: callers, visibleTo: sees,
		responseBody: answer, handle: cachedPage(page), query: query, success: []int{http.StatusOK, http.StatusNotModified},
	}
}

// withDependency says what a route's answer is made of, where it is more than its path names.
func (rt *route) withDependency(whole func(*projections.View) bool) *route {
	rt.dependsOn = whole
	return rt
}

// mayHideResource says that a change can take away the caller's own sight of what it changes.
func (rt *route) mayHideResource() *route {
	rt.success = append(rt.success, http.StatusNoContent)
	return rt
}

// createRoute is a POST that makes a resource.
func createRoute(name, path, summary, callers string, sees visibility, answer any, handler *bodyHandler) *route {
	return &route{
		method: http.MethodPost, path: path, operationID: name, summary: summary, callers: callers, visibleTo: sees,
		responseBody: answer, body: handler, success: []int{http.StatusCreated},
	}
}

// changeRoute is a POST or PATCH that changes one and answers its new state.
func changeRoute(method, name, path, summary, callers string, sees visibility, answer any, handler *bodyHandler) *route {
	return &route{
		method: method, path: path, operationID: name, summary: summary, callers: callers, visibleTo: sees,
		responseBody: answer, body: handler, success: []int{http.StatusOK},
	}
}

// removeRoute is a DELETE.
func removeRoute(name, path, summary, callers string, sees visibility, handler *bodyHandler) *route {
	return &route{
		method: http.MethodDelete, path: path, operationID: name, summary: summary, callers: callers, visibleTo: sees,
		body: handler, success: []int{http.StatusNoContent},
	}
}
