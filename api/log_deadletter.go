package api

import (
	"time"

	"tandem/domain"
)

// DeadLetter is a message that could not be read as a command.
type DeadLetter struct {
	Partition int       `json:"partition"`
	ID        string    `json:"id" doc:"The message's id as it is written in a path: percent-encoded, or sha256- and its sum where it fits in no path. It need not be unique."`
	At        time.Time `json:"at"`
	Size      int       `json:"size" doc:"Of the payload, in bytes."`
	Reason    string    `json:"reason" doc:"The first line of it, 200 characters at most; … stands for what may be a value of the payload."`
}

// DeadLetters is a part of the list of them.
type DeadLetters struct {
	DeadLetters []DeadLetter `json:"dead_letters" doc:"Oldest first."`
	NextCursor  *string      `json:"next_cursor"`
}

// OneDeadLetter is a dead letter with all that may be told of it.
type OneDeadLetter struct {
	Partition int               `json:"partition"`
	ID        string            `json:"id"`
	At        time.Time         `json:"at"`
	Size      int               `json:"size" doc:"Of the payload, in bytes."`
	Reason    string            `json:"reason" doc:"… stands for what may be a value of the payload."`
	Payload   DeadLetterPayload `json:"payload"`
}

// DeadLetterPayload is the envelope of a payload, without its content: see bus.Outline for why.
type DeadLetterPayload struct {
	Envelope    bool              `json:"envelope" doc:"Whether the payload is JSON as commands are sent. What it does not say is null."`
	Command     *string           `json:"command" doc:"Its name."`
	Partner     *domain.PartnerID `json:"partner" doc:"That the sender acted for."`
	Member      *domain.MemberID  `json:"member"`
	Role        *domain.Role      `json:"role" enum:"manager,viewer,operator"`
	RequestedAt *time.Time        `json:"requested_at"`
	CommandSize *int              `json:"command_size" doc:"In bytes."`
	SHA256      *string           `json:"sha256" pattern:"^[0-9a-f]{64}$" doc:"Of a payload that is no envelope, to compare it with what somebody sent."`
}

// Replayed says what became of a dead letter that was sent again.
type Replayed struct {
	Command string   `json:"command" doc:"The new message's id."`
	State   string   `json:"state" enum:"done,rejected,pending,dead" doc:"dead: it is another dead letter now. pending: it will be decided, but it took too long to wait for."`
	Problem *Problem `json:"problem" doc:"Why it was rejected or is dead. Its code names the rule; the rest is the sender's."`
}
