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
func listPartnerEvents(q *call) (projections.Answer, error) {
	a, err := q.asked()
	if err != nil {
		return projections.Answer{}, err
	}
	limit, language := a.limit(), a.language()
	if err := a.err(); err != nil {
		return projections.Answer{}, err
	}
	events, err := q.Image.Feeds(language).PartnerEvents(q.r.Context(), q.who.Viewer, a.values.Get("after"), limit)
	return projections.Answer{Version: uint64(len(events.Events)), Body: events}, err
}

// milestoneHistory tells what happened to one milestone.
func milestoneHistory(q *call) (projections.Answer, error) {
	return q.feed(func(feeds projections.Feeds, after string, limit int) (projections.Events, bool, error) {
		return feeds.History(q.r.Context(), q.who.Viewer, q.milestone(), after, limit)
	})
}

// agreementEvents tells an agreement's feed, as one part or as it comes.
func agreementEvents(q *call) error {
	if q.r.Method == http.MethodGet && strings.Contains(q.header("Accept"), "text/event-stream") {
		return q.stream()
	}
	return computes(func(q *call) (projections.Answer, error) { return q.feed(q.ofAgreement) })(q)
}

func (q *call) ofAgreement(feeds projections.Feeds, after string, limit int) (projections.Events, bool, error) {
	return feeds.AgreementEvents(q.r.Context(), q.who.Viewer, q.agreement(), after, limit)
}

func (q *call) feed(read func(feeds projections.Feeds, after string, limit int) (projections.Events, bool, error)) (projections.Answer, error) {
	a, err := q.asked()
	if err != nil {
		return projections.Answer{}, err
	}
	limit, language := a.limit(), a.language()
	if err := a.err(); err != nil {
		return projections.Answer{}, err
	}
	events, seen, err := read(q.Image.Feeds(language), a.values.Get("after"), limit)
	if !seen && err == nil {
		err = errNotFound
	}
	return projections.Answer{Version: uint64(len(events.Events)), Body: events, Agreement: q.agreement()}, err
}

const (
	streamBatch = 100
	heartbeat   = 15 * time.Second // a comment, so that proxies keep the connection and a dead peer is found
)

// stream tells an agreement's feed as server-sent events (HTML Living Standard, section 9.2) until
// the client leaves, the server drains or the token is no longer good. It begins after
// Last-Event-ID, else after the parameter, else with the first event.
func (q *call) stream() error {
	if err := q.patience(); err != nil {
		return err
	}
	if err := q.visible(); err != nil {
		return err
	}
	a, err := q.asked()
	if err != nil {
		return err
	}
	after, feeds := a.values.Get("after"), q.Image.Feeds(a.language())
	if err := a.err(); err != nil {
		return err
	}
	if last := q.header("Last-Event-Id"); last != "" {
		after = last
	}
	changed := q.Image.Changed(q.who.Viewer)
	events, err := q.next(feeds, after)
	if err != nil {
		return err
	}
	s := &eventStream{call: q, control: http.NewResponseController(q.c.Response())}
	s.begin()
	for {
		if err := s.send(events); err != nil {
			return err
		}
		if len(events.Events) < streamBatch && !s.pause(changed) {
			return nil
		}
		changed = q.Image.Changed(q.who.Viewer)
		if q.now = q.Now(); q.authenticate() != nil || q.guard() != nil {
			return nil // the client finds out when it connects again
		}
		if events, err = q.next(feeds, *events.NextCursor); err != nil {
			return err
		}
	}
}

func (q *call) next(feeds projections.Feeds, after string) (projections.Events, error) {
	events, seen, err := q.ofAgreement(feeds, after, streamBatch)
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
	s.tellPosition()
	h := s.c.Response().Header()
	h["Content-Type"] = []string{"text/event-stream"}
	h["Cache-Control"] = []string{"no-store"}
	h["X-Accel-Buffering"] = []string{"no"} // nginx would hold events back
	s.c.Response().WriteHeader(http.StatusOK)
}

// send writes and flushes a part of the feed; none is a heartbeat.
func (s *eventStream) send(events projections.Events) error {
	var b bytes.Buffer
	if len(events.Events) == 0 {
		b.WriteString(": nothing new\n\n")
	}
	for _, e := range events.Events {
		data, err := json.Marshal(e, json.Deterministic(true))
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "id: %s\nevent: %s\ndata: %s\n\n", e.Position, e.Type, data)
	}
	// A recorder has no deadline to move; a connection that cannot is found by the write.
	_ = s.control.SetWriteDeadline(time.Now().Add(2 * heartbeat))
	if _, err := s.c.Response().Write(b.Bytes()); err != nil {
		return nil // the client has left
	}
	return s.control.Flush()
}

// pause waits for a change or the next heartbeat; false means that the stream ends.
func (s *eventStream) pause(changed <-chan struct{}) bool {
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
	case <-s.r.Context().Done():
	}
	return false
}
