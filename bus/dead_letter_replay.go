package bus

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"tandem/eventlog"
)

// CausationKey is the metadata that names the message because of which another one was sent.
const CausationKey = "causation"

// codeUnreadable is the code with which the sender of a dead letter is answered.
const codeUnreadable = "unreadable_command"

// IsDeadLetter reports whether the message became a dead letter instead of being decided.
func (r Result) IsDeadLetter() bool { return r.Rejection != nil && r.Rejection.Code == codeUnreadable }

// Replay sends the payload of a dead letter of partition p again, under a new command id that it
// returns with every outcome, and waits like Do. The owner decides it like any other command: what
// still cannot be read becomes another dead letter, and the Result is Dead. The letter stays where
// it is.
//
// The new id makes it a new command: nothing tells that the sender has sent the first one again
// meanwhile, or that it was replayed before. Whoever replays has to know.
func (b *Bus) Replay(ctx context.Context, partition eventlog.Partition, letter eventlog.DeadLetter) (eventlog.CommandID, Result, error) {
	fresh, err := uuid.NewV7()
	if err != nil {
		return eventlog.CommandID{}, Result{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	msg := message.NewMessage(eventlog.CommandID(fresh).String(), letter.Payload)
	msg.Metadata.Set(CausationKey, letter.ID)
	request, err := decode(msg.UUID, msg.Payload)
	b.cfg.Logger.Info("a dead letter is sent again", "partition", partition, "message", letter.ID, "command", msg.UUID, "readable", err == nil)
	result, err := b.send(ctx, partition, msg, waitKey{request.ID, request.Fingerprint})
	return request.ID, result, err
}
