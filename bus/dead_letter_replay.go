package bus

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"tandem/eventlog"
)

// CausationKey is the metadata key of the id of the message that caused this one.
const CausationKey = "causation"

// codeUnreadable is the code of the refusal of a message that became a dead letter.
const codeUnreadable = "unreadable_command"

// IsDeadLetter reports whether the message was unreadable and became a dead letter.
func (r Result) IsDeadLetter() bool { return r.Rejection != nil && r.Rejection.Code == codeUnreadable }

// Replay submits the payload of a dead letter as a new command to its partition and waits like Do. It
// returns the id of the new command, also with an error. If the payload is still unreadable, it
// becomes another dead letter and the Result IsDeadLetter. The given letter is kept.
//
// Replay is not idempotent: every call makes a new command, even if the letter was replayed before or its
// sender has repeated the command.
func (b *Bus) Replay(ctx context.Context, partition eventlog.Partition, letter eventlog.DeadLetter) (eventlog.CommandID, Result, error) {
	fresh, err := uuid.NewV7()
	if err != nil {
		return eventlog.CommandID{}, Result{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	msg := message.NewMessage(eventlog.CommandID(fresh).String(), letter.Payload)
	msg.Metadata.Set(CausationKey, letter.ID)
	request, err := decode(msg.UUID, msg.Payload)
	b.cfg.Logger.Info("a dead letter is replayed", "partition", partition, "message", letter.ID, "command", msg.UUID, "readable", err == nil)
	result, err := b.send(ctx, partition, msg, waitKey{request.ID, request.Fingerprint})
	return request.ID, result, err
}
