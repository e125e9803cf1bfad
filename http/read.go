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

// Constant header values, shared by all responses.
var (
	jsonType    = []string{"application/json"}
	problemType = []string{"application/problem+json"}
	cachePolicy = []string{"private, no-cache"}
	headerTrue  = []string{"true"}
)

// reply is a response body with the values of its headers.
type reply struct {
	body     []byte
	etag     []string
	position []string
	length   []string
}

func pageReply(page *projections.Page) reply {
	return reply{page.Body, page.ETagHeader, page.PositionHeader, page.LengthHeader}
}

// render renders an answer that is not cached as a page.
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

// write sends a response with a body.
func (c *call) write(status int, contentType []string, body []byte) {
	response := c.echoCtx.Response()
	header := response.Header()
	header["Content-Type"] = contentType
	response.WriteHeader(status)
	if _, err := response.Write(body); err != nil {
		c.cfg.Logger.Debug("response not sent", "path", c.request.URL.Path, "error", err)
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

// renderFunc renders the current state for a route.
type renderFunc func() (reply, error)

// cachedPage returns the handler of a route whose pages are cached in the read model.
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

// computed returns the handler of a route that renders every response.
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

// isPlainRead reports whether a read requests just the current state.
func (c *call) isPlainRead() bool {
	return c.request.Header["Tandem-Min-Position"] == nil && !strings.Contains(c.request.URL.RawQuery, "wait")
}

// pageKey returns path and query as the client wrote them.
func (c *call) pageKey() string {
	if c.request.RequestURI != "" && c.request.RequestURI[0] == '/' {
		return c.request.RequestURI
	}
	return c.request.URL.RequestURI() // a request made in this process, or one in absolute form
}

// pageKeyWithoutWait returns the page key without the wait parameter, which does not change the response.
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

// waitMinPosition waits until the node has reached Tandem-Min-Position. An invisible resource is a 404 regardless of
// the header.
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

// longPoll responds at once, or at the next change if the client has the current state and asks to wait.
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

// waitForChange waits for a change and returns false after the timeout, a disconnect or the start of shutdown.
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

// send writes a read's response, or 304 if the client has it.
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

// matches reports whether If-None-Match contains the response's ETag.
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

// emptyFeed is the start of an empty feed page. Its next_cursor is for later requests, so it gets no Link: a
// client that follows links ends here.
var emptyFeed = []byte(`{"events":[],`)

const nextCursorField = `"next_cursor":"`

// nextCursorIn returns the next_cursor at the end of a list's body, or "" if there is none. It is parsed from the
// rendered bytes, because a cached page consists of its body only.
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

// maxCursorSize bounds the search for next_cursor, in bytes.
const maxCursorSize = 4 << 10

// nextLink returns the Link header (RFC 8288) of the next page.
func (c *call) nextLink(cursor string) string {
	values := c.request.URL.Query()
	values.Del("wait")
	values.Set(c.route.cursorName(), cursor)
	return "<" + c.request.URL.EscapedPath() + "?" + values.Encode() + `>; rel="next"`
}
