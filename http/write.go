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
	"tandem/http/listener"
	"tandem/http/strictjson"
	"tandem/projections"
)

const (
	defaultWait       = 5 * time.Second
	maxWait           = listener.MaxWait
	maxIdempotencyKey = 255 // bytes
)

// resourceReader reads one resource as its reader may see it.
type resourceReader func(view *projections.View) (projections.Answer, error)

// intent is a handler's plan for a request that changes state.
type intent struct {
	command   domain.Command
	privateKV []eventlog.KV
	status    int            // on success; 204 has no body
	path      string         // of the resource; sent as Location with a 201
	read      resourceReader // reads the resource after the change; nil with 204
	// findPath returns the path of a resource whose id the decision derives; path is used until then. May be nil.
	findPath func(*projections.View) string
	// ifTaken is the plan with another id if a derived id is taken. May be nil.
	ifTaken *intent
	// readAs is the reader of the response if it is not the caller: the operator cannot see the agreement it has
	// created.
	readAs *projections.Viewer
	// complete adds data to the response that is not in the read model. May be nil.
	complete func(ctx context.Context, body any) (any, error)
	// mapRejection replaces a domain refusal by one that fits the request better. May be nil.
	mapRejection func(*domain.Error) error
}

// bodyHandler decodes a body of one type and plans a command from it.
type bodyHandler struct {
	decoder  *strictjson.Decoder // nil: no body
	optional bool                // an empty body means {}
	plan     func(req *writeCall, body any) (*intent, error)
	// run handles an operation that is not a command, instead of plan. It calls read for the decoded body after it
	// has checked that the resources in the path exist.
	run           func(req *writeCall, read func() (any, error)) error
	honoursPrefer bool // run uses the Prefer header
}

// writeCall is a call that changes state.
type writeCall struct {
	*call
	rawBody        []byte
	idempotencyKey string // from the request
	ifMatch        *uint64
	commandID      eventlog.CommandID
}

// command returns the handler of a command. A body whose fields are all optional may be omitted.
func command[T any](intend func(req *writeCall, body *T) (*intent, error)) *bodyHandler {
	decoder := bodyDecoder(reflect.TypeFor[T]())
	return &bodyHandler{decoder: decoder, optional: len(decoder.Required()) == 0, plan: func(req *writeCall, body any) (*intent, error) {
		return intend(req, body.(*T))
	}}
}

// deletion returns the handler of a command without a body.
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

// action returns the handler of an operation that is not a command. It is executed on every request, also on repeats.
func action[T any](act func(req *writeCall, read func() (*T, error)) error) *bodyHandler {
	decoder := bodyDecoder(reflect.TypeFor[T]())
	return &bodyHandler{decoder: decoder, optional: len(decoder.Required()) == 0, run: func(req *writeCall, read func() (any, error)) error {
		return act(req, func() (*T, error) {
			body, err := read()
			if err != nil {
				return nil, err
			}
			return body.(*T), nil
		})
	}}
}

// readAction returns the decoded body of an action. It refuses Idempotency-Key and If-Match, because an action
// honours neither.
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
			"This action runs on every request and supports neither Idempotency-Key nor If-Match. Omit these headers.")
	}
	return h.decode(req.call, body)
}

// readBody reads the body, if any, and checks its media type.
func (h *bodyHandler) readBody(req *writeCall) ([]byte, error) {
	body, err := req.readBody()
	if err != nil {
		return nil, err
	}
	req.rawBody = body
	if len(body) == 0 && (h.decoder == nil || h.optional) {
		return nil, nil
	}
	return body, req.mediaType()
}

func (h *bodyHandler) decode(req *call, body []byte) (any, error) {
	if _, err := req.queryValues(); err != nil {
		return nil, err
	}
	switch {
	case h.decoder == nil && len(body) > 0:
		return nil, refuse(http.StatusBadRequest, strictjson.InvalidJSON, "This operation takes no body.")
	case h.decoder == nil:
		return nil, nil
	case len(body) == 0 && h.optional:
		return reflect.New(h.decoder.Type()).Interface(), nil
	}
	return decodeBody(h.decoder, body)
}

// readHeaders parses Idempotency-Key and If-Match.
func (c *writeCall) readHeaders() error {
	if keys, there := c.request.Header["Idempotency-Key"]; there {
		if len(keys) != 1 || keys[0] == "" || len(keys[0]) > maxIdempotencyKey {
			return refuse(http.StatusBadRequest, "invalid_idempotency_key", "Idempotency-Key: send one value of 1 to %d bytes.", maxIdempotencyKey)
		}
		c.idempotencyKey = keys[0]
	}
	match := c.header("If-Match")
	if match == "" || match == "*" {
		return nil // a nonexistent resource is a 404 anyway
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

// versionOf returns the version in an ETag and the number of losses accepted before it was counted. The hash in
// the tag distinguishes representations and is ignored by writes.
func versionOf(etag string) (losses, version uint64, err error) {
	tag, quoted := strings.CutPrefix(strings.TrimSpace(etag), `"`)
	tag, closed := strings.CutSuffix(tag, `"`)
	number, _, hashed := strings.Cut(tag, "-")
	if before, after, some := strings.Cut(number, "."); some {
		number = after
		if losses, err = strconv.ParseUint(before, 10, 64); losses == 0 {
			quoted = false // not an ETag of this server
		}
	}
	version, parseErr := strconv.ParseUint(number, 10, 64)
	if !quoted || !closed || !hashed || err != nil || parseErr != nil {
		return 0, 0, refuse(http.StatusBadRequest, "invalid_if_match", "If-Match: send one ETag of this server, or *.")
	}
	return losses, version, nil
}

// setCommandID sets the command's id, from which generated values derive.
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
		return errHistoryLost // of resources that are not in the path
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

// storeRefusal sends a 422 found at the edge through the bus, so that the owner of the root stores a receipt for it
// under the client's key. A request whose path names no root stores receipts of commands only.
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
		Refusal: &bus.Refusal{Root: c.root(), Error: domain.Error{Kind: domain.Invalid, Code: refusal.code, Detail: refusal.detail, Text: refusal.text, Fields: refusal.fields}},
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

// root returns the agreement or partner in the path. An idempotency key belongs to a member and a root.
func (c *writeCall) root() string {
	if agreement := c.agreement(); agreement != "" {
		return domain.Stream{Agreement: agreement}.Root()
	}
	return domain.Stream{Partner: c.partner()}.Root()
}

func (c *writeCall) busRequest(intent *intent) bus.Request {
	at := c.commandTime()
	request := bus.Request{
		ID: c.commandID, Command: intent.command, Actor: c.commandActor(intent.command), IfMatch: c.ifMatch,
		Private: intent.privateKV, RequestedAt: at, Today: c.date(intent.command, at), Fingerprint: c.fingerprint(),
	}
	request.RecordedAt, _ = recordedAt(c.request.Context())
	if intent.ifTaken != nil {
		request.Alternative = intent.ifTaken.command
	}
	return request
}

// commandTime returns the time of the request, or the one at which an example that is being loaded is recorded.
func (c *writeCall) commandTime() time.Time {
	if recorded, ok := recordedAt(c.request.Context()); ok {
		return recorded
	}
	return c.now
}

// fingerprint distinguishes requests under the same key; zero without a key.
func (c *writeCall) fingerprint() eventlog.Fingerprint {
	if c.idempotencyKey == "" {
		return eventlog.Fingerprint{}
	}
	return c.derive.fingerprint(c.request.Method, c.request.URL.Path, c.header("If-Match"), c.rawBody)
}

// date returns the date on which a command counts as issued: for milestones in the zone of their owner, so that all
// actions on a milestone follow one zone, and the earliest date for several owners; otherwise in the caller's zone.
func (c *writeCall) date(command domain.Command, at time.Time) domain.Date {
	var zones []*time.Location
	_ = c.cfg.ReadModel.View(c.caller.Viewer, func(view *projections.View) error { // the function returns no error
		zones = view.OwnerZones(command)
		return nil
	})
	if len(zones) == 0 {
		zones = append(zones, c.zone())
	}
	date := domain.DateOf(at.In(zones[0]))
	for _, zone := range zones[1:] {
		date = min(date, domain.DateOf(at.In(zone)))
	}
	return date
}

func (c *call) zone() *time.Location {
	if c.caller.TimeZone == nil {
		return time.UTC
	}
	return c.caller.TimeZone
}

// commandActor returns the actor of a command. A token limited to some agreements acts as a viewer on its partner's
// directory, where it could remove its own limit, and on creating agreements.
func (c *writeCall) commandActor(command domain.Command) domain.Actor {
	actor := c.actor()
	_, drafts := command.(domain.DraftAgreement)
	if c.caller.Scope != "" && (drafts || command.Stream().Partner != "") {
		actor.Role = domain.Viewer
	}
	return actor
}
