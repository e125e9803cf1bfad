package http

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"time"

	"tandem/api"
	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
)

// pendingFor is for how long a command without an outcome counts as pending. What is not decided by then
// was decided, and its outcome has been forgotten.
const pendingFor = 10 * time.Minute

// ticket is what the caller of an unfinished write is given to ask with. It says all that a node must
// know to answer, so that every node can, also after a restart.
type ticket struct {
	id     eventlog.CommandID
	root   eventlog.Partition
	sentAt time.Time // to the second
	path   string    // of the resource
}

// ticketMACSize is the length of the proof at a receipt's end: nobody finds one in 2^96 by trying.
const ticketMACSize = 12

// sealTicket writes the receipt for the actor; for others it proves nothing.
func (d deriver) sealTicket(actor domain.Actor, ticket ticket) string {
	data := append(ticket.id[:], byte(ticket.root))
	data = binary.BigEndian.AppendUint32(data, uint32(ticket.sentAt.Unix()))
	data = append(data, ticket.path...)
	return base64.RawURLEncoding.EncodeToString(append(data, d.ticketMAC(actor, data)...))
}

// openTicket reads a receipt of the actor. It is false for everything else.
func (d deriver) openTicket(actor domain.Actor, text string) (ticket ticket, ok bool) {
	data, err := base64.RawURLEncoding.Strict().DecodeString(text)
	const fixed = len(ticket.id) + 1 + 4
	if err != nil || len(data) < fixed+ticketMACSize {
		return ticket, false
	}
	data, mac := data[:len(data)-ticketMACSize], data[len(data)-ticketMACSize:]
	if !hmac.Equal(mac, d.ticketMAC(actor, data)) {
		return ticket, false
	}
	copy(ticket.id[:], data)
	ticket.root = eventlog.Partition(data[len(ticket.id)])
	ticket.sentAt = time.Unix(int64(binary.BigEndian.Uint32(data[len(ticket.id)+1:])), 0)
	ticket.path = string(data[fixed:])
	return ticket, true
}

func (d deriver) ticketMAC(actor domain.Actor, data []byte) []byte {
	sum := d.mac("receipt", string(actor.Role), string(actor.Partner), string(actor.Member), string(data))
	return sum[:ticketMACSize]
}

// commandVisible is for who was told of the command. Everybody else finds nothing, whether or not it
// exists.
func commandVisible(req *call, _ *projections.View) bool {
	_, ok := req.derive.openTicket(req.actor(), req.echoCtx.Param("id"))
	return ok
}

// getCommand tells what became of a command.
func getCommand(req *call) (projections.Answer, error) {
	if _, err := req.queryValues(); err != nil {
		return projections.Answer{}, err
	}
	given := req.echoCtx.Param("id")
	ticket, _ := req.derive.openTicket(req.actor(), given) // seesCommand has seen that it is one
	if req.cfg.ReadModel.OpenLossIn(ticket.root) != nil {
		return projections.Answer{}, errHistoryLost // and whatever is told of it may not be so
	}
	body := api.Command{ID: given, State: "pending"}
	result, decided := req.cfg.Commands.Lookup(ticket.id)
	switch {
	case decided && result.Rejection != nil:
		body.State, body.Problem = "rejected", rejectionProblem(given, result.Rejection)
	case decided:
		body.State, body.Resource = "done", &ticket.path
	case req.now.Sub(ticket.sentAt) > pendingFor:
		return projections.Answer{}, refuse(http.StatusGone, "command_forgotten",
			"What became of this command is not remembered any more. Repeat it with the same Idempotency-Key.")
	}
	return projections.Answer{Body: body}, nil
}

// rejectionProblem is the problem that the command's own answer would have been. Its request_id is the
// command's id, so that two answers to the same question are the same.
func rejectionProblem(id string, rejection *domain.Error) *api.Problem {
	problem := toRefusal(rejection).problem(id)
	return &problem
}
