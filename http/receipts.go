package http

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"strings"
	"time"

	"tandem/api"
	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
)

// pendingFor is how long a command without an outcome counts as pending. An older command was decided, and its
// outcome has been trimmed.
const pendingFor = 10 * time.Minute

// ticket identifies an unfinished write for its caller. It contains everything that a node needs to answer, so any
// node can answer, also after a restart.
type ticket struct {
	id     eventlog.CommandID
	root   eventlog.Partition
	sentAt time.Time // in whole seconds
	path   string    // of the resource

	pathIfTaken string // its path if its derived id was taken; may be empty
}

// ticketMACSize is the length of the MAC in bytes; guessing one takes 2^96 attempts.
const ticketMACSize = 12

// sealTicket encodes a ticket with a MAC that is valid for the actor only.
func (d deriver) sealTicket(actor domain.Actor, ticket ticket) string {
	data := append(ticket.id[:], byte(ticket.root))
	data = binary.BigEndian.AppendUint32(data, uint32(ticket.sentAt.Unix()))
	data = append(data, ticket.path...)
	if ticket.pathIfTaken != "" {
		data = append(append(data, '\n'), ticket.pathIfTaken...)
	}
	return base64.RawURLEncoding.EncodeToString(append(data, d.ticketMAC(actor, data)...))
}

// openTicket decodes a ticket of the actor. It returns false for all other strings.
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
	ticket.path, ticket.pathIfTaken, _ = strings.Cut(string(data[fixed:]), "\n")
	return ticket, true
}

func (d deriver) ticketMAC(actor domain.Actor, data []byte) []byte {
	sum := d.mac("receipt", string(actor.Role), string(actor.Partner), string(actor.Member), string(data))
	return sum[:ticketMACSize]
}

// commandVisible admits the caller that sent the command. For other callers the command does not exist.
func commandVisible(req *call, _ *projections.View) bool {
	_, ok := req.derive.openTicket(req.actor(), req.echoCtx.Param("id"))
	return ok
}

// getCommand returns the state of a command.
func getCommand(req *call) (projections.Answer, error) {
	if _, err := req.queryValues(); err != nil {
		return projections.Answer{}, err
	}
	given := req.echoCtx.Param("id")
	ticket, _ := req.derive.openTicket(req.actor(), given) // commandVisible has checked it
	if req.cfg.ReadModel.OpenLossIn(ticket.root) != nil {
		return projections.Answer{}, errHistoryLost // the state may be outdated
	}
	body := api.Command{ID: given, State: "pending"}
	result, decided := req.cfg.Commands.Lookup(ticket.id)
	switch {
	case decided && result.Rejection != nil:
		body.State, body.Problem = "rejected", req.rejectionProblem(given, result.Rejection)
	case decided:
		body.State, body.Resource = "done", &ticket.path
		if ticket.pathIfTaken != "" && req.pathExists(ticket.pathIfTaken) {
			body.Resource = &ticket.pathIfTaken
		}
	case req.now.Sub(ticket.sentAt) > pendingFor:
		return projections.Answer{}, refuse(http.StatusGone, "command_forgotten",
			"The outcome of this command is no longer stored. Repeat the request with the same Idempotency-Key.")
	}
	return projections.Answer{Body: body}, nil
}

// pathExists reports whether the caller can see the created resource with a path.
func (c *call) pathExists(path string) (exists bool) {
	parts := strings.Split(strings.TrimPrefix(path, "/v1/"), "/")
	_ = c.cfg.ReadModel.View(c.caller.Viewer, func(view *projections.View) error { // the function returns no error
		switch kind := parts[len(parts)-2]; kind {
		case "tokens":
			_, exists = view.Token(domain.PartnerID(parts[1]), domain.TokenID(parts[3]))
		case "webhooks":
			_, exists = view.Webhook(domain.PartnerID(parts[1]), domain.WebhookID(parts[3]))
		case "instruments":
			exists = view.InstrumentVisible(domain.AgreementID(parts[1]), domain.InstrumentID(parts[3]))
		case "projects":
			exists = view.ProjectVisible(domain.AgreementID(parts[1]), domain.ProjectID(parts[3]))
		case "milestones":
			exists = view.MilestoneVisible(domain.MilestoneRef{
				Agreement: domain.AgreementID(parts[1]), Project: domain.ProjectID(parts[3]), Milestone: domain.MilestoneID(parts[5]),
			})
		}
		return nil
	})
	return exists
}

// rejectionProblem returns the problem that the command itself would have been answered with. Its request_id is the
// command's id, so that repeated requests get equal responses.
func (c *call) rejectionProblem(id string, rejection *domain.Error) *api.Problem {
	problem := c.problem(toRefusal(rejection), id)
	return &problem
}
