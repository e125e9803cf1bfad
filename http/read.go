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

func pageReply(page *projections.Page) reply {
	return reply{page.Body, page.ETagHeader, page.PositionHeader, page.LengthHeader}
}

// render makes a reply of what is in no page.
func (c *call) render(answer projections.Answer) (reply, error) {
	body, err := json.Marshal(answer.Body, json.Deterministic(true))
	if err != nil {
		return reply{}, err
	}
	return reply{
		body, []string{c.cfg.ReadModel.ETag(answer.Version, body)}, []string{c.cfg.ReadModel.Position(c.caller.Viewer, answer.Agreement)}, []string{strconv.Itoa(len(body))},
	}, nil
}

func (r reply) setHeaders(header http.Header) {
	header["Etag"] = r.etag
	header["Tandem-Position"] = r.position
	header["Cache-Control"] = cachePolicy
}

// write sends an answer with a body.
func (c *call) write(status int, contentType []string, body []byte) {
	response := c.echoCtx.Response()
	header := response.Header()
	header["Content-Type"] = contentType
	response.WriteHeader(status)
	if _, err := response.Write(body); err != nil {
		c.cfg.Logger.Debug("answer not delivered", "path", c.request.URL.Path, "error", err)
	}
}

func (c *call) writeJSON(status int, body any) error {
	data, err := json.Marshal(body, json.Deterministic(true))
	if err != nil {
		return err
	}
	c.write(status, jsonType, data)
	return nil
}

// renderFunc makes the present state of what a route shows.
type renderFunc func() (reply, error)

// cachedPage makes a handler of a route whose answer the image keeps rendered.
func cachedPage(read func(req *call, view *projections.View) (projections.Answer, error)) func(*call) error {
	return func(req *call) error {
		build := func(view *projections.View) (projections.Answer, error) {
			if !req.route.isVisible(req, view) {
				return projections.Answer{}, errNotFound
			}
			return read(req, view)
		}
		if req.isPlainRead() {
			if err := req.checkIntact(); err != nil {
				return err
			}
			page, err := req.cfg.ReadModel.Page(req.caller.Viewer, req.pageKey(), build)
			if err != nil {
				return err
			}
			return req.send(pageReply(page))
		}
		key := req.pageKeyWithoutWait()
		return req.serveWaiting(func() (reply, error) {
			if err := req.checkIntact(); err != nil {
				return reply{}, err
			}
			page, err := req.cfg.ReadModel.Page(req.caller.Viewer, key, build)
			if err != nil {
				return reply{}, err
			}
			return pageReply(page), nil
		})
	}
}

// computed makes a handler of a route whose answer is made for every request.
func computed(make func(req *call) (projections.Answer, error)) func(*call) error {
	return func(req *call) error {
		if err := req.waitMinPosition(); err != nil {
			return err
		}
		if err := req.checkVisible(); err != nil {
			return err
		}
		return req.longPoll(func() (reply, error) {
			if err := req.checkIntact(); err != nil {
				return reply{}, err
			}
			answer, err := make(req)
			if err != nil {
				return reply{}, err
			}
			return req.render(answer)
		})
	}
}

// isPlainRead reports whether a read asks for nothing but the present state.
func (c *call) isPlainRead() bool {
	return c.request.Header["Tandem-Min-Position"] == nil && !strings.Contains(c.request.URL.RawQuery, "wait")
}

// pageKey is the path and the query as the client wrote them: the key of a page.
func (c *call) pageKey() string {
	if c.request.RequestURI != "" && c.request.RequestURI[0] == '/' {
		return c.request.RequestURI
	}
	return c.request.URL.RequestURI() // a request made in this process, or one that names the host
}

// pageKeyWithoutWait is target without the parameter that does not change the answer.
func (c *call) pageKeyWithoutWait() string {
	values, err := url.ParseQuery(c.request.URL.RawQuery)
	if err != nil || !values.Has("wait") {
		return c.pageKey()
	}
	values.Del("wait")
	if len(values) == 0 {
		return c.request.URL.EscapedPath()
	}
	return c.request.URL.EscapedPath() + "?" + values.Encode()
}

// serveWaiting serves a read that waits for a position or for a change.
func (c *call) serveWaiting(now renderFunc) error {
	if err := c.waitMinPosition(); err != nil {
		return err
	}
	return c.longPoll(now)
}

const positionTimeout = 2 * time.Second

// waitMinPosition waits until the node has reached Tandem-Min-Position. What the caller may not see
// stays a 404 whatever the header says.
func (c *call) waitMinPosition() error {
	position := c.header("Tandem-Min-Position")
	if position == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(c.request.Context(), positionTimeout)
	defer cancel()
	var err error
	if position == "latest" {
		err = c.cfg.ReadModel.WaitLatest(ctx)
	} else {
		err = c.cfg.ReadModel.WaitPosition(ctx, c.caller.Viewer, position)
	}
	if err == nil {
		return nil
	}
	if hidden := c.checkVisible(); hidden != nil {
		return hidden
	}
	if ctx.Err() != nil {
		return unavailable("position_not_reached", "This node has not reached the position yet.", nil)
	}
	return err
}

// longPoll answers at once, or, when the client holds the present state and asks to wait, at the
// next change.
func (c *call) longPoll(now renderFunc) error {
	changed := c.cfg.ReadModel.Changed(c.caller.Viewer)
	out, err := now()
	if err != nil {
		return err
	}
	wait, err := c.waitDuration()
	if err != nil {
		return err
	}
	if wait == 0 || !c.matches(out) {
		return c.send(out)
	}
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	for c.matches(out) && c.waitForChange(changed, timeout) {
		changed = c.cfg.ReadModel.Changed(c.caller.Viewer)
		c.now = c.cfg.Now()
		if err := c.authenticate(); err != nil {
			return err
		}
		if out, err = now(); err != nil {
			return err
		}
	}
	return c.send(out)
}

// waitForChange waits for a change; false means that there is nothing more to wait for.
func (c *call) waitForChange(changed <-chan struct{}, timeout *time.Timer) bool {
	c.metrics.waiting.Inc()
	defer c.metrics.waiting.Dec()
	select {
	case <-changed:
		return true
	case <-timeout.C:
	case <-c.draining:
	case <-c.request.Context().Done():
	}
	return false
}

// send writes a read's answer, or 304 when the client has it.
func (c *call) send(out reply) error {
	response := c.echoCtx.Response()
	header := response.Header()
	out.setHeaders(header)
	if c.matches(out) {
		response.WriteHeader(http.StatusNotModified)
		return nil
	}
	header["Content-Length"] = out.length
	if next := nextCursorIn(out.body); next != "" && !bytes.HasPrefix(out.body, emptyFeed) {
		header["Link"] = []string{c.nextLink(next)}
	}
	c.write(http.StatusOK, jsonType, out.body)
	return nil
}

// matches reports whether If-None-Match names the answer.
func (c *call) matches(out reply) bool {
	lines := c.request.Header["If-None-Match"]
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

// emptyFeed begins the end of a feed. Its next_cursor is where to go on later; who follows links until
// there is none is done.
var emptyFeed = []byte(`{"events":[],`)

const nextCursorField = `"next_cursor":"`

// nextCursorIn returns the cursor with which a list's body ends, empty if it is not a list or ends
// with it. It is read from the bytes because the body of a page is all that is kept of it.
func nextCursorIn(body []byte) string {
	if len(body) < 3 || body[len(body)-2] != '"' {
		return ""
	}
	tail := body[max(0, len(body)-maxCursorSize) : len(body)-2]
	i := bytes.LastIndex(tail, []byte(nextCursorField))
	if i < 0 {
		return ""
	}
	cursor := tail[i+len(nextCursorField):]
	if bytes.ContainsAny(cursor, `"\`) {
		return ""
	}
	return string(cursor)
}

// maxCursorSize is more than any cursor with its name needs.
const maxCursorSize = 4 << 10

// nextLink is the Link header (RFC 8288) to the next part of the list.
func (c *call) nextLink(cursor string) string {
	values := c.request.URL.Query()
	values.Del("wait")
	values.Set(c.route.cursorName(), cursor)
	return "<" + c.request.URL.EscapedPath() + "?" + values.Encode() + `>; rel="next"`
}
