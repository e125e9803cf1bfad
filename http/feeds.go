package http

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"tandem/api"
	"tandem/eventlog"
	"tandem/projections"
	"tandem/projections/feed"
)

// listPartnerEvents returns a page of the feed over all agreements of the partner.
func listPartnerEvents(req *call) (projections.Answer, error) {
	return req.computeFeed(projections.EventScope{})
}

// milestoneHistory returns the events of one milestone.
func milestoneHistory(req *call) (projections.Answer, error) {
	return req.computeFeed(projections.EventScope{Milestone: req.milestone()})
}

// agreementEvents returns a page of an agreement's feed, or the feed as an event stream.
func agreementEvents(req *call) error {
	if req.request.Method == http.MethodGet && strings.Contains(req.header("Accept"), "text/event-stream") {
		return req.stream()
	}
	return computed(func(req *call) (projections.Answer, error) {
		return req.computeFeed(projections.EventScope{Agreement: req.agreement()})
	})(req)
}

func (c *call) computeFeed(scope projections.EventScope) (projections.Answer, error) {
	query, err := c.parseQuery()
	if err != nil {
		return projections.Answer{}, err
	}
	limit, language := query.limit(), query.language()
	if err := query.err(); err != nil {
		return projections.Answer{}, err
	}
	cursor, err := feed.ParseCursor(query.values.Get("after"))
	if err != nil {
		return projections.Answer{}, err
	}
	events, page, err := c.readFeed(cursor, scope, language, limit)
	position := page.Position()
	answer := api.Events{Events: events, NextCursor: &position}
	return projections.Answer{Version: uint64(len(events)), Body: answer, Agreement: c.agreement()}, err
}

// readFeed reads and renders a page of the caller's events.
func (c *call) readFeed(cursor feed.Cursor, scope projections.EventScope, language string, limit int) ([]api.Event, feed.Page, error) {
	page, err := c.eventReader.Next(c.request.Context(), c.caller.Viewer, cursor, feed.EventQuery{EventScope: scope}, limit)
	switch _, lost := errors.AsType[*eventlog.LostTailError](err); {
	case lost:
		return nil, page, errHistoryLost
	case errors.Is(err, feed.ErrNotVisible):
		return nil, page, errNotFound
	case err != nil:
		return nil, page, err
	}
	events, err := c.cfg.ReadModel.RenderEvents(c.caller.Viewer, page.Events, language)
	return events, page, err
}

const (
	streamBatch = 100
	heartbeat   = 15 * time.Second // a comment line, so that proxies keep the connection open and a dead peer is detected
)

// stream sends an agreement's feed as server-sent events (HTML Living Standard, section 9.2) until the client
// disconnects, the server drains or the token becomes invalid. It starts after Last-Event-ID, else after the
// parameter, else with the first event.
func (c *call) stream() error {
	if err := c.waitMinPosition(); err != nil {
		return err
	}
	if err := c.checkVisible(); err != nil {
		return err
	}
	query, err := c.parseQuery()
	if err != nil {
		return err
	}
	language, after := query.language(), cmp.Or(c.header("Last-Event-Id"), query.values.Get("after"))
	if err := query.err(); err != nil {
		return err
	}
	cursor, err := feed.ParseCursor(after)
	if err != nil {
		return err
	}
	scope := projections.EventScope{Agreement: c.agreement()}
	changed := c.cfg.ReadModel.Changed(c.caller.Viewer)
	events, page, err := c.readFeed(cursor, scope, language, streamBatch)
	if err != nil {
		return err
	}
	stream := &eventStream{call: c, control: http.NewResponseController(c.echoCtx.Response())}
	stream.begin()
	for {
		if err := stream.send(events); err != nil {
			return err
		}
		if len(events) < streamBatch && !stream.waitForChange(changed) {
			return nil
		}
		changed = c.cfg.ReadModel.Changed(c.caller.Viewer)
		if c.now = c.cfg.Now(); c.authenticate() != nil || c.checkIntact() != nil {
			return nil // the client learns the reason when it reconnects
		}
		if events, page, err = c.readFeed(page.Cursor, scope, language, streamBatch); err != nil {
			return err
		}
	}
}

// eventStream writes server-sent events.
type eventStream struct {
	*call
	control *http.ResponseController
}

func (s *eventStream) begin() {
	s.setPosition()
	header := s.echoCtx.Response().Header()
	header["Content-Type"] = []string{"text/event-stream"}
	header["Cache-Control"] = []string{"no-store"}
	header["X-Accel-Buffering"] = []string{"no"} // disables nginx's buffering
	s.echoCtx.Response().WriteHeader(http.StatusOK)
}

// send writes and flushes events; without events it sends a heartbeat.
func (s *eventStream) send(events []api.Event) error {
	var buf bytes.Buffer
	if len(events) == 0 {
		buf.WriteString(": nothing new\n\n")
	}
	for _, event := range events {
		data, err := json.Marshal(event, json.Deterministic(true))
		if err != nil {
			return err
		}
		fmt.Fprintf(&buf, "id: %s\nevent: %s\ndata: %s\n\n", event.Position, event.Type, data)
	}
	// A recorder has no deadline. On a connection that cannot move it, the write fails.
	_ = s.control.SetWriteDeadline(time.Now().Add(2 * heartbeat))
	if _, err := s.echoCtx.Response().Write(buf.Bytes()); err != nil {
		return nil // the client has disconnected
	}
	return s.control.Flush()
}

// waitForChange waits for a change or the next heartbeat and returns false when the stream must end.
func (s *eventStream) waitForChange(changed <-chan struct{}) bool {
	s.metrics.waiting.Inc()
	defer s.metrics.waiting.Dec()
	timer := time.NewTimer(heartbeat)
	defer timer.Stop()
	select {
	case <-changed:
		return true
	case <-timer.C:
		return true
	case <-s.draining:
	case <-s.request.Context().Done():
	}
	return false
}
