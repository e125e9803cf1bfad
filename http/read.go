package http

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"tandem/projections"
)

// Header values that never change, so that no answer makes them anew.
var (
	jsonType    = []string{"application/json"}
	problemType = []string{"application/problem+json"}
	cachePolicy = []string{"private, no-cache"}
	headerTrue  = []string{"true"}
)

// reply is an answer's bytes and what its headers say of them.
type reply struct {
	body     []byte
	etag     []string
	position []string
	length   []string
}

func replyOf(p *projections.Page) reply {
	return reply{p.Body, p.ETagHeader, p.PositionHeader, p.LengthHeader}
}

// render makes a reply of what is in no page.
func (q *call) render(a projections.Answer) (reply, error) {
	body, err := json.Marshal(a.Body, json.Deterministic(true))
	if err != nil {
		return reply{}, err
	}
	return reply{
		body, []string{q.Image.ETag(a.Version, body)}, []string{q.Image.Position(q.who.Viewer, a.Agreement)}, []string{strconv.Itoa(len(body))},
	}, nil
}

func (out reply) headers(h http.Header) {
	h["Etag"] = out.etag
	h["Tandem-Position"] = out.position
	h["Cache-Control"] = cachePolicy
}

// write sends an answer with a body.
func (q *call) write(status int, contentType []string, body []byte) {
	w := q.c.Response()
	h := w.Header()
	h["Content-Type"] = contentType
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		q.Logger.Debug("answer not delivered", "path", q.r.URL.Path, "error", err)
	}
}

func (q *call) writeJSON(status int, body any) error {
	b, err := json.Marshal(body, json.Deterministic(true))
	if err != nil {
		return err
	}
	q.write(status, jsonType, b)
	return nil
}

// produce makes the present state of what a route shows.
type produce func() (reply, error)

// pages makes a handler of a route whose answer the image keeps rendered.
func pages(read func(q *call, v *projections.View) (projections.Answer, error)) func(*call) error {
	return func(q *call) error {
		build := func(v *projections.View) (projections.Answer, error) {
			if !q.rt.seenBy(q, v) {
				return projections.Answer{}, errNotFound
			}
			return read(q, v)
		}
		if q.plain() {
			if err := q.guard(); err != nil {
				return err
			}
			page, err := q.Image.Page(q.who.Viewer, q.target(), build)
			if err != nil {
				return err
			}
			return q.send(replyOf(page))
		}
		key := q.withoutWait()
		return q.patient(func() (reply, error) {
			if err := q.guard(); err != nil {
				return reply{}, err
			}
			page, err := q.Image.Page(q.who.Viewer, key, build)
			if err != nil {
				return reply{}, err
			}
			return replyOf(page), nil
		})
	}
}

// computes makes a handler of a route whose answer is made for every request.
func computes(make func(q *call) (projections.Answer, error)) func(*call) error {
	return func(q *call) error {
		if err := q.patience(); err != nil {
			return err
		}
		if err := q.visible(); err != nil {
			return err
		}
		return q.await(func() (reply, error) {
			if err := q.guard(); err != nil {
				return reply{}, err
			}
			a, err := make(q)
			if err != nil {
				return reply{}, err
			}
			return q.render(a)
		})
	}
}

// plain reports whether a read asks for nothing but the present state.
func (q *call) plain() bool {
	return q.r.Header["Tandem-Min-Position"] == nil && !strings.Contains(q.r.URL.RawQuery, "wait")
}

// target is the path and the query as the client wrote them: the key of a page.
func (q *call) target() string {
	if q.r.RequestURI != "" && q.r.RequestURI[0] == '/' {
		return q.r.RequestURI
	}
	return q.r.URL.RequestURI() // a request made in this process, or one that names the host
}

// withoutWait is target without the parameter that does not change the answer.
func (q *call) withoutWait() string {
	values, err := url.ParseQuery(q.r.URL.RawQuery)
	if err != nil || !values.Has("wait") {
		return q.target()
	}
	values.Del("wait")
	if len(values) == 0 {
		return q.r.URL.EscapedPath()
	}
	return q.r.URL.EscapedPath() + "?" + values.Encode()
}

// patient serves a read that waits for a position or for a change.
func (q *call) patient(now produce) error {
	if err := q.patience(); err != nil {
		return err
	}
	return q.await(now)
}

const positionWait = 2 * time.Second

// patience waits until the node has reached Tandem-Min-Position. What the caller may not see
// stays a 404 whatever the header says.
func (q *call) patience() error {
	position := q.header("Tandem-Min-Position")
	if position == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(q.r.Context(), positionWait)
	defer cancel()
	var err error
	if position == "latest" {
		err = q.Image.WaitLatest(ctx)
	} else {
		err = q.Image.WaitPosition(ctx, q.who.Viewer, position)
	}
	if err == nil {
		return nil
	}
	if hidden := q.visible(); hidden != nil {
		return hidden
	}
	if ctx.Err() != nil {
		return unavailable("position_not_reached", "This node has not reached the position yet.", nil)
	}
	return err
}

// await answers at once, or, when the client holds the present state and asks to wait, at the
// next change.
func (q *call) await(now produce) error {
	changed := q.Image.Changed(q.who.Viewer)
	out, err := now()
	if err != nil {
		return err
	}
	wait, err := q.wait()
	if err != nil {
		return err
	}
	if wait == 0 || !q.matches(out) {
		return q.send(out)
	}
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	for q.matches(out) && q.pause(changed, timeout) {
		changed = q.Image.Changed(q.who.Viewer)
		q.now = q.Now()
		if err := q.authenticate(); err != nil {
			return err
		}
		if out, err = now(); err != nil {
			return err
		}
	}
	return q.send(out)
}

// pause waits for a change; false means that there is nothing more to wait for.
func (q *call) pause(changed <-chan struct{}, timeout *time.Timer) bool {
	q.metrics.waiting.Inc()
	defer q.metrics.waiting.Dec()
	select {
	case <-changed:
		return true
	case <-timeout.C:
	case <-q.draining:
	case <-q.r.Context().Done():
	}
	return false
}

// send writes a read's answer, or 304 when the client has it.
func (q *call) send(out reply) error {
	w := q.c.Response()
	h := w.Header()
	out.headers(h)
	if q.matches(out) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h["Content-Length"] = out.length
	if next := nextOf(out.body); next != "" && !bytes.HasPrefix(out.body, noEvents) {
		h["Link"] = []string{q.nextLink(next)}
	}
	q.write(http.StatusOK, jsonType, out.body)
	return nil
}

// matches reports whether If-None-Match names the answer.
func (q *call) matches(out reply) bool {
	lines := q.r.Header["If-None-Match"]
	if len(lines) == 1 && lines[0] == out.etag[0] {
		return true
	}
	for _, line := range lines {
		for tag := range strings.SplitSeq(line, ",") {
			tag = strings.TrimSpace(tag)
			if tag == "*" || strings.TrimPrefix(tag, "W/") == out.etag[0] {
				return true
			}
		}
	}
	return false
}

// noEvents begins the end of a feed. Its next_cursor is where to go on later; who follows links until
// there is none is done.
var noEvents = []byte(`{"events":[],`)

const nextCursor = `"next_cursor":"`

// nextOf returns the cursor with which a list's body ends, empty if it is not a list or ends
// with it. It is read from the bytes because the body of a page is all that is kept of it.
func nextOf(body []byte) string {
	if len(body) < 3 || body[len(body)-2] != '"' {
		return ""
	}
	tail := body[max(0, len(body)-maxCursor) : len(body)-2]
	i := bytes.LastIndex(tail, []byte(nextCursor))
	if i < 0 {
		return ""
	}
	cursor := tail[i+len(nextCursor):]
	if bytes.ContainsAny(cursor, `"\`) {
		return ""
	}
	return string(cursor)
}

// maxCursor is more than any cursor with its name needs.
const maxCursor = 4 << 10

// nextLink is the Link header (RFC 8288) to the next part of the list.
func (q *call) nextLink(cursor string) string {
	values := q.r.URL.Query()
	values.Del("wait")
	values.Set(q.rt.cursorName(), cursor)
	return "<" + q.r.URL.EscapedPath() + "?" + values.Encode() + `>; rel="next"`
}
