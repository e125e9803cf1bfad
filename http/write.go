package http

import (
	"context"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"tandem/bus"
	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
)

const (
	defaultWait       = 5 * time.Second
	maxWait           = 60 * time.Second
	maxIdempotencyKey = 255 // bytes of an Idempotency-Key
)

// resourceReader reads one resource with the caller's eyes.
type resourceReader func(view *projections.View) (projections.Answer, error)

// intent is what a handler makes of a request that changes something.
type intent struct {
	command   domain.Command
	privateKV []eventlog.KV
	status    int            // of success; 204 has no body
	path      string         // of the resource; told as Location by a 201
	read      resourceReader // the resource after the change; nil with 204
	// findPath finds the path of a resource that the decision named, and path only until then; may be nil.
	findPath func(*projections.View) string
	// readAs is who reads the answer, if not the caller: the operator does not see the agreement that it
	// has just created.
	readAs *projections.Viewer
	// complete completes the answer with what is not in the image; nil: nothing.
	complete func(ctx context.Context, body any) (any, error)
	// mapRejection may exchange the domain's refusal for one that fits the request better; may be nil.
	mapRejection func(*domain.Error) error
}

// bodyHandler decodes a body of type T and makes an intent of it.
type bodyHandler struct {
	shape    *shape // nil: no body
	optional bool   // an empty body means {}
	plan     func(req *writeCall, body any) (*intent, error)
	// run does what is no command of the caller's, instead of intend. It calls read for the body, or
	// what is wrong with the request, once it knows that what the path names is there.
	run           func(req *writeCall, read func() (any, error)) error
	honoursPrefer bool // act heeds Prefer
}

// writeCall is a call that changes something.
type writeCall struct {
	*call
	rawBody        []byte
	idempotencyKey string // the client's Idempotency-Key
	ifMatch        *uint64
	commandID      eventlog.CommandID
}

// command makes a writer of a handler. A body whose fields are all optional may be left out.
func command[T any](intend func(req *writeCall, body *T) (*intent, error)) *bodyHandler {
	shape := shapeOf(reflect.TypeFor[T]())
	return &bodyHandler{shape: shape, optional: len(shape.required) == 0, plan: func(req *writeCall, body any) (*intent, error) {
		return intend(req, body.(*T))
	}}
}

// deletion makes a writer of a handler that takes no body.
func deletion(intend func(req *writeCall) (*intent, error)) *bodyHandler {
	return &bodyHandler{plan: func(req *writeCall, _ any) (*intent, error) { return intend(req) }}
}

func (h *bodyHandler) handle(req *call) error {
	if err := req.checkVisible(); err != nil {
		return err
	}
	write := &writeCall{call: req}
	if h.run != nil {
		return h.run(write, func() (any, error) { return h.readAction(write) })
	}
	body, err := h.readBody(write)
	if err != nil {
		return err
	}
	if err := write.readHeaders(); err != nil {
		return err
	}
	decoded, err := h.decode(req, body)
	if err != nil {
		return write.storeRefusal(err)
	}
	return write.execute(h, decoded)
}

// action makes a writer of a handler that takes a body and does something by itself.
func action[T any](act func(req *writeCall, read func() (*T, error)) error) *bodyHandler {
	shape := shapeOf(reflect.TypeFor[T]())
	return &bodyHandler{shape: shape, optional: len(shape.required) == 0, run: func(req *writeCall, read func() (any, error)) error {
		return act(req, func() (*T, error) {
			body, err := read()
			if err != nil {
				return nil, err
			}
			return body.(*T), nil
		})
	}}
}

// readAction returns the decoded body for act. What an act does it does anew every time, so a key and a
// version are refused that it would not heed.
func (h *bodyHandler) readAction(req *writeCall) (any, error) {
	body, err := h.readBody(req)
	if err != nil {
		return nil, err
	}
	if err := req.readHeaders(); err != nil {
		return nil, err
	}
	if req.idempotencyKey != "" || req.ifMatch != nil {
		return nil, refuse(http.StatusBadRequest, "header_not_taken",
			"This is done every time that it is asked for; it takes neither Idempotency-Key nor If-Match.")
	}
	return h.decode(req.call, body)
}

// readBody reads the body and checks its type, if there is one.
func (h *bodyHandler) readBody(req *writeCall) ([]byte, error) {
	body, err := req.readBody()
	if err != nil {
		return nil, err
	}
	req.rawBody = body
	if len(body) == 0 && (h.shape == nil || h.optional) {
		return nil, nil
	}
	return body, req.mediaType()
}

func (h *bodyHandler) decode(req *call, body []byte) (any, error) {
	if _, err := req.queryValues(); err != nil {
		return nil, err
	}
	switch {
	case h.shape == nil && len(body) > 0:
		return nil, malformed("this takes no body")
	case h.shape == nil:
		return nil, nil
	case len(body) == 0 && h.optional:
		return reflect.New(h.shape.of).Interface(), nil
	}
	return h.shape.decode(body)
}

// readHeaders reads Idempotency-Key and If-Match.
func (c *writeCall) readHeaders() error {
	if keys, there := c.request.Header["Idempotency-Key"]; there {
		if len(keys) != 1 || keys[0] == "" || len(keys[0]) > maxIdempotencyKey {
			return refuse(http.StatusBadRequest, "invalid_idempotency_key", "An Idempotency-Key has 1 to %d bytes.", maxIdempotencyKey)
		}
		c.idempotencyKey = keys[0]
	}
	match := c.header("If-Match")
	if match == "" || match == "*" {
		return nil // what is not there is a 404 anyway
	}
	losses, version, err := versionOf(match)
	if err != nil {
		return err
	}
	if losses != c.cfg.ReadModel.AcceptedLosses() {
		return errOldIfMatch
	}
	c.ifMatch = &version
	return nil
}

// versionOf returns the version in an ETag, and how many losses were accepted before it was counted.
// The hash in it tells representations apart; a write minds only what happened.
func versionOf(etag string) (losses, version uint64, err error) {
	tag, quoted := strings.CutPrefix(strings.TrimSpace(etag), `"`)
	tag, closed := strings.CutSuffix(tag, `"`)
	number, _, hashed := strings.Cut(tag, "-")
	if before, after, some := strings.Cut(number, "."); some {
		number = after
		if losses, err = strconv.ParseUint(before, 10, 64); losses == 0 {
			quoted = false // no ETag of ours
		}
	}
	version, parseErr := strconv.ParseUint(number, 10, 64)
	if !quoted || !closed || !hashed || err != nil || parseErr != nil {
		return 0, 0, refuse(http.StatusBadRequest, "invalid_if_match", "If-Match takes one ETag that this server gave, or *.")
	}
	return losses, version, nil
}

// setCommandID sets the command's id, which the rest of the command may derive from.
func (c *writeCall) setCommandID(root string) (err error) {
	if c.idempotencyKey != "" {
		c.commandID = c.derive.commandID(c.actor(), root, c.idempotencyKey)
		return nil
	}
	c.commandID, err = c.derive.randomCommandID()
	return err
}

func (c *writeCall) execute(handler *bodyHandler, body any) error {
	if err := c.setCommandID(c.root()); err != nil {
		return err
	}
	intent, err := handler.plan(c, body)
	if err != nil {
		return c.storeRefusal(err)
	}
	if !c.cfg.ReadModel.Intact(intent.command.Stream()) {
		return errHistoryLost // of what the path does not name
	}
	prefer := c.parsePrefer()
	ctx, cancel := context.WithTimeout(c.request.Context(), prefer.wait)
	defer cancel()
	result, err := c.cfg.Commands.Do(ctx, c.busRequest(intent))
	prefer.setHeader(c)
	if err != nil {
		return c.answerUnknownOutcome(intent, err)
	}
	if result.Repeat {
		c.echoCtx.Response().Header()["Idempotency-Replayed"] = headerTrue
	}
	if result.Rejection != nil {
		return intent.refusal(result.Rejection)
	}
	return c.writeAnswer(intent, result)
}

// storeRefusal sends a refusal of values the way of a command, so that the owner of the root remembers
// it under the client's key like one of its own. A key of a request whose path names no root is
// remembered with a command only.
func (c *writeCall) storeRefusal(found error) error {
	refusal := toRefusal(found)
	if c.idempotencyKey == "" || refusal.status != http.StatusUnprocessableEntity || c.agreement() == "" && c.partner() == "" {
		return found
	}
	if err := c.setCommandID(c.root()); err != nil {
		return err
	}
	prefer := c.parsePrefer()
	ctx, cancel := context.WithTimeout(c.request.Context(), prefer.wait)
	defer cancel()
	result, err := c.cfg.Commands.Do(ctx, bus.Request{
		ID: c.commandID, Fingerprint: c.fingerprint(), Actor: c.actor(), RequestedAt: c.now,
		Refusal: &bus.Refusal{Root: c.root(), Error: domain.Error{Kind: domain.Invalid, Code: refusal.code, Detail: refusal.detail, Fields: refusal.fields}},
	})
	if err != nil {
		return err
	}
	if result.Repeat {
		c.echoCtx.Response().Header()["Idempotency-Replayed"] = headerTrue
	}
	if result.Rejection != nil {
		return result.Rejection
	}
	return found
}

// root is what an idempotency key belongs to, beside the member: the agreement or the partner in the
// path.
func (c *writeCall) root() string {
	if agreement := c.agreement(); agreement != "" {
		return domain.Stream{Agreement: agreement}.Root()
	}
	return domain.Stream{Partner: c.partner()}.Root()
}

func (c *writeCall) busRequest(intent *intent) bus.Request {
	request := bus.Request{
		ID: c.commandID, Command: intent.command, Actor: c.commandActor(intent.command), IfMatch: c.ifMatch,
		Private: intent.privateKV, RequestedAt: c.now,
	}
	at := c.now
	if recorded, ok := recordedAt(c.request.Context()); ok {
		request.RequestedAt, request.RecordedAt, at = recorded, recorded, recorded
	}
	request.Today = domain.DateOf(at.In(c.zone()))
	request.Fingerprint = c.fingerprint()
	return request
}

// fingerprint tells the request from another one under the same key; zero without a key.
func (c *writeCall) fingerprint() eventlog.Fingerprint {
	if c.idempotencyKey == "" {
		return eventlog.Fingerprint{}
	}
	return c.derive.fingerprint(c.request.Method, c.request.URL.Path, c.header("If-Match"), c.rawBody)
}

func (c *call) zone() *time.Location {
	if c.caller.TimeZone == nil {
		return time.UTC
	}
	return c.caller.TimeZone
}

// commandActor is the actor of a command. A token that is limited to some agreements cannot act on
// its partner's directory, where it could make itself unlimited, nor begin an agreement: there it
// is a viewer's.
func (c *writeCall) commandActor(command domain.Command) domain.Actor {
	actor := c.actor()
	_, drafts := command.(domain.DraftAgreement)
	if c.caller.Scope != "" && (drafts || command.Stream().Partner != "") {
		actor.Role = domain.Viewer
	}
	return actor
}
