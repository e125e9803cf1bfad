package http

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"time"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
)

// Command is what became of a write whose outcome was open when it was answered.
type Command struct {
	ID       string   `json:"id"`
	State    string   `json:"state" enum:"pending,done,rejected"`
	Resource *string  `json:"resource" doc:"The path of what it made or changed, once done."`
	Problem  *Problem `json:"problem" doc:"Why it was rejected."`
}

// sentFor is for how long a command without an outcome counts as pending. What is not decided by then
// was decided, and its outcome has been forgotten.
const sentFor = 10 * time.Minute

// receipt is what the caller of an unfinished write is given to ask with. It says all that a node must
// know to answer, so that every node can, also after a restart.
type receipt struct {
	id   eventlog.CommandID
	root eventlog.Partition
	sent time.Time // to the second
	path string    // of the resource
}

// receiptMAC is the length of the proof at a receipt's end: nobody finds one in 2^96 by trying.
const receiptMAC = 12

// seal writes the receipt for the actor; for others it proves nothing.
func (k keys) seal(a domain.Actor, r receipt) string {
	b := append(r.id[:], byte(r.root))
	b = binary.BigEndian.AppendUint32(b, uint32(r.sent.Unix()))
	b = append(b, r.path...)
	return base64.RawURLEncoding.EncodeToString(append(b, k.receiptMAC(a, b)...))
}

// unseal reads a receipt of the actor. It is false for everything else.
func (k keys) unseal(a domain.Actor, text string) (r receipt, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	const fixed = len(r.id) + 1 + 4
	if err != nil || len(b) < fixed+receiptMAC {
		return r, false
	}
	b, mac := b[:len(b)-receiptMAC], b[len(b)-receiptMAC:]
	if !hmac.Equal(mac, k.receiptMAC(a, b)) {
		return r, false
	}
	copy(r.id[:], b)
	r.root = eventlog.Partition(b[len(r.id)])
	r.sent = time.Unix(int64(binary.BigEndian.Uint32(b[len(r.id)+1:])), 0)
	r.path = string(b[fixed:])
	return r, true
}

func (k keys) receiptMAC(a domain.Actor, b []byte) []byte {
	sum := k.derive("receipt", string(a.Role), string(a.Partner), string(a.Member), string(b))
	return sum[:receiptMAC]
}

// seesCommand is for who was told of the command. Everybody else finds nothing, whether or not it
// exists.
func seesCommand(q *call, _ *projections.View) bool {
	_, ok := q.keys.unseal(q.actor(), q.c.Param("id"))
	return ok
}

// getCommand tells what became of a command.
func getCommand(q *call) (projections.Answer, error) {
	if _, err := q.parameters(); err != nil {
		return projections.Answer{}, err
	}
	given := q.c.Param("id")
	r, _ := q.keys.unseal(q.actor(), given) // seesCommand has seen that it is one
	if q.Image.LostIn(r.root) != nil {
		return projections.Answer{}, errHistoryLost // and whatever is told of it may not be so
	}
	body := Command{ID: given, State: "pending"}
	result, decided := q.Commands.Lookup(r.id)
	switch {
	case decided && result.Rejection != nil:
		body.State, body.Problem = "rejected", rejected(given, result.Rejection)
	case decided:
		body.State, body.Resource = "done", &r.path
	case q.now.Sub(r.sent) > sentFor:
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
