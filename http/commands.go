package http

import (
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"sync"
	"time"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
)

// Command is what became of a write whose outcome was open when it was answered.
type Command struct {
	ID       string   `json:"id"`
	State    string   `json:"state" enum:"pending,done,rejected"`
	Resource *string  `json:"resource" doc:"The path of what it made or changed, once done; null if this node did not take the command."`
	Problem  *Problem `json:"problem" doc:"Why it was rejected."`
}

const (
	sentLimit = 10_000
	// sentFor is for how long a command without an outcome counts as pending. What is not decided
	// by then was decided, and its outcome has been forgotten.
	sentFor = 10 * time.Minute
)

// sent remembers the latest commands whose outcome was open when their request was answered. It is
// safe for concurrent use.
type sent struct {
	mu    sync.Mutex
	known map[eventlog.CommandID]sentCommand
	order []eventlog.CommandID // a ring, once full
	next  int                  // the oldest in the ring
}

type sentCommand struct {
	path      string // of the resource
	partition eventlog.Partition
	at        time.Time
}

func newSent() *sent { return &sent{known: make(map[eventlog.CommandID]sentCommand)} }

// add remembers a command; the oldest gives way. A repeat of one keeps its place.
func (s *sent) add(id eventlog.CommandID, c sentCommand) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, repeat := s.known[id]
	s.known[id] = c
	switch {
	case repeat:
	case len(s.order) < sentLimit:
		s.order = append(s.order, id)
	default:
		delete(s.known, s.order[s.next])
		s.order[s.next] = id
		s.next = (s.next + 1) % sentLimit
	}
}

func (s *sent) get(id eventlog.CommandID) (sentCommand, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.known[id]
	return c, ok
}

// seesCommand is for who was told of the command. Everybody else finds nothing, whether or not it
// exists.
func seesCommand(q *call, _ *projections.View) bool {
	_, ok := q.commandOf(q.c.Param("id"))
	return ok
}

// getCommand tells what became of a command.
func getCommand(q *call) (projections.Answer, error) {
	if _, err := q.parameters(); err != nil {
		return projections.Answer{}, err
	}
	given := q.c.Param("id")
	id, _ := q.commandOf(given) // seesCommand has seen that it is one
	body := Command{ID: given, State: "pending"}
	sent, remembered := q.sent.get(id)
	result, decided := q.Commands.Lookup(id)
	switch {
	case decided && q.Image.LostIn(result.Partition) != nil, !decided && remembered && q.Image.LostIn(sent.partition) != nil:
		return projections.Answer{}, errHistoryLost // and whatever is told of it may not be so
	case decided && result.Rejection != nil:
		body.State, body.Problem = "rejected", rejected(given, result.Rejection)
	case decided:
		body.State = "done"
		if remembered {
			body.Resource = &sent.path
		}
	case !remembered || q.now.Sub(sent.at) > sentFor:
		return projections.Answer{}, refuse(http.StatusGone, "command_forgotten",
			"What became of this command is not remembered any more. Repeat it with the same Idempotency-Key.")
	}
	return projections.Answer{Body: body}, nil
}

// rejected is the problem that the command's own answer would have been. Its request_id is the
// command's id, so that two answers to the same question are the same.
func rejected(id string, e *domain.Error) *Problem {
	p := refusalOf(e).problem(id)
	return &p
}

// commandOf reads what unfinished wrote: the command's id and the caller's receipt for it.
func (q *call) commandOf(given string) (eventlog.CommandID, bool) {
	const digits = 2 * len(eventlog.CommandID{})
	if len(given) < digits {
		return eventlog.CommandID{}, false
	}
	id, err := eventlog.ParseCommandID(given[:digits])
	if err != nil || id.String() != given[:digits] {
		return id, false
	}
	receipt := hex.EncodeToString(q.keys.receipt(q.actor(), id))
	return id, subtle.ConstantTimeCompare([]byte(receipt), []byte(given[digits:])) == 1
}
