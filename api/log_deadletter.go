package api

import (
	"time"

	"tandem/domain"
)

// DeadLetter is a message that could not be decoded as a command.
type DeadLetter struct {
	Partition int       `json:"partition"`
	ID        string    `json:"id" doc:"The message's id as used in a path: percent-encoded, or sha256- and its hash if it does not fit into a path. Not necessarily unique."`
	At        time.Time `json:"at"`
	Size      int       `json:"size" doc:"Size of the payload in bytes."`
	Reason    string    `json:"reason" doc:"Its first line, at most 200 characters; … replaces possible values of the payload."`
}

// DeadLetters is one page of the dead letters.
type DeadLetters struct {
	DeadLetters []DeadLetter `json:"dead_letters" doc:"Oldest first."`
	NextCursor  *string      `json:"next_cursor"`
}

// OneDeadLetter is a dead letter with all details that may be disclosed.
type OneDeadLetter struct {
	Partition int               `json:"partition"`
	ID        string            `json:"id"`
	At        time.Time         `json:"at"`
	Size      int               `json:"size" doc:"Size of the payload in bytes."`
	Reason    string            `json:"reason" doc:"… replaces possible values of the payload."`
	Payload   DeadLetterPayload `json:"payload"`
}

// DeadLetterPayload is the envelope of a payload without its content; see bus.DeadLetterSummary for the reason.
type DeadLetterPayload struct {
	Envelope    bool              `json:"envelope" doc:"Whether the payload is a command envelope. Missing values are null."`
	Command     *string           `json:"command" doc:"The name of the command."`
	Partner     *domain.PartnerID `json:"partner" doc:"The partner for which the sender acted."`
	Member      *domain.MemberID  `json:"member"`
	Role        *domain.Role      `json:"role" enum:"manager,viewer,operator"`
	RequestedAt *time.Time        `json:"requested_at"`
	CommandSize *int              `json:"command_size" doc:"In bytes."`
	SHA256      *string           `json:"sha256" pattern:"^[0-9a-f]{64}$" doc:"SHA-256 of a payload without an envelope, to compare it with a known message."`
}

// Replayed is the result of resubmitting a dead letter.
type Replayed struct {
	Command string   `json:"command" doc:"The new message's id."`
	State   string   `json:"state" enum:"done,rejected,pending,dead" doc:"dead: it became another dead letter. pending: it will be decided later."`
	Problem *Problem `json:"problem" doc:"The reason for the rejection or the new dead letter. The code identifies the rule; details are for the sender only."`
}
