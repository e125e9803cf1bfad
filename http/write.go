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
	defaultWait = 5 * time.Second
	maxWait     = 60 * time.Second
	maxKey      = 255 // bytes of an Idempotency-Key
)

// reader reads one resource with the caller's eyes.
type reader func(v *projections.View) (projections.Answer, error)

// intent is what a handler makes of a request that changes something.
type intent struct {
	command domain.Command
	private []eventlog.KV
	status  int    // of success; 204 has no body
	path    string // of the resource; told as Location by a 201
	read    reader // the resource after the change; nil with 204
	// place finds the path of a resource that the decision named, and path only until then; may be nil.
	place func(*projections.View) string
	// as is who reads the answer, if not the caller: the operator does not see the agreement that it
	// has just created.
	as *projections.Viewer
	// show completes the answer with what is not in the image; nil: nothing.
	show func(ctx context.Context, body any) (any, error)
	// refused may exchange the domain's refusal for one that fits the request better; may be nil.
	refused func(*domain.Error) error
}

// writer decodes a body of type T and makes an intent of it.
type writer struct {
	shape    *shape // nil: no body
	optional bool   // an empty body means {}
	intend   func(q *writing, body any) (*intent, error)
	// act does what is no command of the caller's, instead of intend. It calls read for the body, or
	// what is wrong with the request, once it knows that what the path names is there.
	act   func(q *writing, read func() (any, error)) error
	waits bool // act heeds Prefer
}

// writing is a call that changes something.
type writing struct {
	*call
	raw   []byte
	key   string // the client's Idempotency-Key
	match *uint64
	id    eventlog.CommandID
}

// writes makes a writer of a handler. A body whose fields are all optional may be left out.
func writes[T any](intend func(q *writing, body *T) (*intent, error)) *writer {
	s := shapeOf(reflect.TypeFor[T]())
	return &writer{shape: s, optional: len(s.required) == 0, intend: func(q *writing, body any) (*intent, error) {
		return intend(q, body.(*T))
	}}
}

// removes makes a writer of a handler that takes no body.
func removes(intend func(q *writing) (*intent, error)) *writer {
	return &writer{intend: func(q *writing, _ any) (*intent, error) { return intend(q) }}
}

func (w *writer) handle(q *call) error {
	if err := q.visible(); err != nil {
		return err
	}
	x := &writing{call: q}
	if w.act != nil {
		return w.act(x, func() (any, error) { return w.read(x) })
	}
	body, err := w.body(x)
	if err != nil {
		return err
	}
	if err := x.headers(); err != nil {
		return err
	}
	decoded, err := w.decode(q, body)
	if err != nil {
		return x.remember(err)
	}
	return x.run(w, decoded)
}

// acts makes a writer of a handler that takes a body and does something by itself.
func acts[T any](act func(q *writing, read func() (*T, error)) error) *writer {
	s := shapeOf(reflect.TypeFor[T]())
	return &writer{shape: s, optional: len(s.required) == 0, act: func(q *writing, read func() (any, error)) error {
		return act(q, func() (*T, error) {
			body, err := read()
			if err != nil {
				return nil, err
			}
			return body.(*T), nil
		})
	}}
}

// read returns the decoded body for act. What an act does it does anew every time, so a key and a
// version are refused that it would not heed.
func (w *writer) read(q *writing) (any, error) {
	body, err := w.body(q)
	if err != nil {
		return nil, err
	}
	if err := q.headers(); err != nil {
		return nil, err
	}
	if q.key != "" || q.match != nil {
		return nil, refuse(http.StatusBadRequest, "header_not_taken",
			"This is done every time that it is asked for; it takes neither Idempotency-Key nor If-Match.")
	}
	return w.decode(q.call, body)
}

// body reads the body and checks its type, if there is one.
func (w *writer) body(q *writing) ([]byte, error) {
	body, err := q.readBody()
	if err != nil {
		return nil, err
	}
	q.raw = body
	if len(body) == 0 && (w.shape == nil || w.optional) {
		return nil, nil
	}
	return body, q.mediaType()
}

func (w *writer) decode(q *call, body []byte) (any, error) {
	if _, err := q.parameters(); err != nil {
		return nil, err
	}
	switch {
	case w.shape == nil && len(body) > 0:
		return nil, malformed("this takes no body")
	case w.shape == nil:
		return nil, nil
	case len(body) == 0 && w.optional:
		return reflect.New(w.shape.of).Interface(), nil
	}
	return w.shape.decode(body)
}

// headers reads Idempotency-Key and If-Match.
func (q *writing) headers() error {
	if keys, there := q.r.Header["Idempotency-Key"]; there {
		if len(keys) != 1 || keys[0] == "" || len(keys[0]) > maxKey {
			return refuse(http.StatusBadRequest, "invalid_idempotency_key", "An Idempotency-Key has 1 to %d bytes.", maxKey)
		}
		q.key = keys[0]
	}
	match := q.header("If-Match")
	if match == "" || match == "*" {
		return nil // what is not there is a 404 anyway
	}
	losses, version, err := versionOf(match)
	if err != nil {
		return err
	}
	if losses != q.Image.Losses() {
		return errOldMatch
	}
	q.match = &version
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
	version, fault := strconv.ParseUint(number, 10, 64)
	if !quoted || !closed || !hashed || err != nil || fault != nil {
		return 0, 0, refuse(http.StatusBadRequest, "invalid_if_match", "If-Match takes one ETag that this server gave, or *.")
	}
	return losses, version, nil
}

// identify sets the command's id, which the rest of the command may derive from.
func (q *writing) identify(root string) (err error) {
	if q.key != "" {
		q.id = q.keys.command(q.actor(), root, q.key)
		return nil
	}
	q.id, err = q.keys.random()
	return err
}

func (q *writing) run(w *writer, body any) error {
	if err := q.identify(q.root()); err != nil {
		return err
	}
	in, err := w.intend(q, body)
	if err != nil {
		return q.remember(err)
	}
	if !q.Image.Intact(in.command.Stream()) {
		return errHistoryLost // of what the path does not name
	}
	prefer := q.preferences()
	ctx, cancel := context.WithTimeout(q.r.Context(), prefer.wait)
	defer cancel()
	result, err := q.Commands.Do(ctx, q.request(in))
	prefer.tell(q)
	if err != nil {
		return q.unfinished(in, err)
	}
	if result.Repeat {
		q.c.Response().Header()["Idempotency-Replayed"] = headerTrue
	}
	if result.Rejection != nil {
		return in.refusal(result.Rejection)
	}
	return q.answer(in, result)
}

// remember sends a refusal of values the way of a command, so that the owner of the root remembers
// it under the client's key like one of its own. A key of a request whose path names no root is
// remembered with a command only.
func (q *writing) remember(found error) error {
	e := refusalOf(found)
	if q.key == "" || e.status != http.StatusUnprocessableEntity || q.agreement() == "" && q.partner() == "" {
		return found
	}
	if err := q.identify(q.root()); err != nil {
		return err
	}
	prefer := q.preferences()
	ctx, cancel := context.WithTimeout(q.r.Context(), prefer.wait)
	defer cancel()
	result, err := q.Commands.Do(ctx, bus.Request{
		ID: q.id, Fingerprint: q.fingerprint(), Actor: q.actor(), RequestedAt: q.now,
		Refused: &bus.Refused{Root: q.root(), Error: domain.Error{Kind: domain.Invalid, Code: e.code, Detail: e.detail, Fields: e.fields}},
	})
	if err != nil {
		return err
	}
	if result.Repeat {
		q.c.Response().Header()["Idempotency-Replayed"] = headerTrue
	}
	if result.Rejection != nil {
		return result.Rejection
	}
	return found
}

// root is what an idempotency key belongs to, beside the member: the agreement or the partner in the
// path.
func (q *writing) root() string {
	if a := q.agreement(); a != "" {
		return domain.Stream{Agreement: a}.Root()
	}
	return domain.Stream{Partner: q.partner()}.Root()
}

func (q *writing) request(in *intent) bus.Request {
	r := bus.Request{
		ID: q.id, Command: in.command, Actor: q.commander(in.command), IfMatch: q.match,
		Private: in.private, RequestedAt: q.now,
	}
	at := q.now
	if t, ok := backdated(q.r.Context()); ok {
		r.RequestedAt, r.RecordedAt, at = t, t, t
	}
	r.Today = domain.DateOf(at.In(q.zone()))
	r.Fingerprint = q.fingerprint()
	return r
}

// fingerprint tells the request from another one under the same key; zero without a key.
func (q *writing) fingerprint() eventlog.Fingerprint {
	if q.key == "" {
		return eventlog.Fingerprint{}
	}
	return q.keys.fingerprint(q.r.Method, q.r.URL.Path, q.header("If-Match"), q.raw)
}

func (q *call) zone() *time.Location {
	if q.who.TimeZone == nil {
		return time.UTC
	}
	return q.who.TimeZone
}

// commander is the actor of a command. A token that is limited to some agreements cannot act on
// its partner's directory, where it could make itself unlimited, nor begin an agreement: there it
// is a viewer's.
func (q *writing) commander(c domain.Command) domain.Actor {
	a := q.actor()
	_, drafts := c.(domain.DraftAgreement)
	if q.who.Scope != "" && (drafts || c.Stream().Partner != "") {
		a.Role = domain.Viewer
	}
	return a
}
