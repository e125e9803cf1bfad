package http

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"tandem/projections"
)

// listPartnerEvents tells the feed over all agreements of the partner.
func listPartnerEvents(req *call) (projections.Answer, error) {
	query, err := req.parseQuery()
	if err != nil {
		return projections.Answer{}, err
	}
	limit, language := query.limit(), query.language()
	if err := query.err(); err != nil {
		return projections.Answer{}, err
	}
	events, err := req.ReadModel.Feeds(language).PartnerEvents(req.request.Context(), req.caller.Viewer, query.values.Get("after"), limit)
	return projections.Answer{Version: uint64(len(events.Events)), Body: events}, err
}

// milestoneHistory tells what happened to one milestone.
func milestoneHistory(req *call) (projections.Answer, error) {
	return req.computeFeed(func(feeds projections.Feeds, after string, limit int) (projections.Events, bool, error) {
		return feeds.History(req.request.Context(), req.caller.Viewer, req.milestone(), after, limit)
	})
}

// agreementEvents tells an agreement's feed, as one part or as it comes.
func agreementEvents(req *call) error {
	if req.request.Method == http.MethodGet && strings.Contains(req.header("Accept"), "text/event-stream") {
		return req.stream()
	}
	return computed(func(req *call) (projections.Answer, error) { return req.computeFeed(req.readAgreementEvents) })(req)
}

func (c *call) readAgreementEvents(feeds projections.Feeds, after string, limit int) (projections.Events, bool, error) {
	return feeds.AgreementEvents(c.request.Context(), c.caller.Viewer, c.agreement(), after, limit)
}

func (c *call) computeFeed(read func(feeds projections.Feeds, after string, limit int) (projections.Events, bool, error)) (projections.Answer, error) {
	query, err := c.parseQuery()
	if err != nil {
		return projections.Answer{}, err
	}
	limit, language := query.limit(), query.language()
	if err := query.err(); err != nil {
		return projections.Answer{}, err
	}
	events, seen, err := read(c.ReadModel.Feeds(language), query.values.Get("after"), limit)
	if !seen && err == nil {
		err = errNotFound
	}
	return projections.Answer{Version: uint64(len(events.Events)), Body: events, Agreement: c.agreement()}, err
}

const (
	streamBatch = 100
	heartbeat   = 15 * time.Second // a comment, so that proxies keep the connection and a dead peer is found
)

// stream tells an agreement's feed as server-sent events (HTML Living Standard, section 9.2) until
// the client leaves, the server drains or the token is no longer good. It begins after
// Last-Event-ID, else after the parameter, else with the first event.
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
	after, feeds := query.values.Get("after"), c.ReadModel.Feeds(query.language())
	if err := query.err(); err != nil {
		return err
	}
	if last := c.header("Last-Event-Id"); last != "" {
		after = last
	}
	changed := c.ReadModel.Changed(c.caller.Viewer)
	events, err := c.nextEvents(feeds, after)
	if err != nil {
		return err
	}
	stream := &eventStream{call: c, control: http.NewResponseController(c.echoCtx.Response())}
	stream.begin()
	for {
		if err := stream.send(events); err != nil {
			return err
		}
		if len(events.Events) < streamBatch && !stream.waitForChange(changed) {
			return nil
		}
		changed = c.ReadModel.Changed(c.caller.Viewer)
		if c.now = c.Now(); c.authenticate() != nil || c.checkIntact() != nil {
			return nil // the client finds out when it connects again
		}
		if events, err = c.nextEvents(feeds, *events.NextCursor); err != nil {
			return err
		}
	}
}

func (c *call) nextEvents(feeds projections.Feeds, after string) (projections.Events, error) {
	events, seen, err := c.readAgreementEvents(feeds, after, streamBatch)
	if err == nil && !seen {
		err = errNotFound
	}
	return events, err
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
	header["X-Accel-Buffering"] = []string{"no"} // nginx would hold events back
	s.echoCtx.Response().WriteHeader(http.StatusOK)
}

// send writes and flushes a part of the feed; none is a heartbeat.
func (s *eventStream) send(events projections.Events) error {
	var buf bytes.Buffer
	if len(events.Events) == 0 {
		buf.WriteString(": nothing new\n\n")
	}
	for _, event := range events.Events {
		data, err := json.Marshal(event, json.Deterministic(true))
		if err != nil {
			return err
		}
		fmt.Fprintf(&buf, "id: %s\nevent: %s\ndata: %s\n\n", event.Position, event.Type, data)
	}
	// A recorder has no deadline to move; a connection that cannot is found by the write.
	_ = s.control.SetWriteDeadline(time.Now().Add(2 * heartbeat))
	if _, err := s.echoCtx.Response().Write(buf.Bytes()); err != nil {
		return nil // the client has left
	}
	return s.control.Flush()
}

// waitForChange waits for a change or the next heartbeat; false means that the stream ends.
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
