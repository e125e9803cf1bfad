package bus

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"

	"github.com/ThreeDotsLabs/watermill/message"
)

// CallIDKey is the metadata key of the call id: 16 random hexadecimal digits that distinguish messages
// with the same command id. A client may repeat a command before the first one has its outcome.
const CallIDKey = "attempt"

// callID identifies one call of Do or Replay. The zero value stands for all calls.
type callID [8]byte

func newCallID() (id callID) {
	binary.BigEndian.PutUint64(id[:], rand.Uint64()|1) // not zero
	return id
}

func (c callID) setOn(msg *message.Message) { msg.Metadata.Set(CallIDKey, hex.EncodeToString(c[:])) }

// callIDOf returns the call id of a message, or zero if it has none.
func callIDOf(msg *message.Message) (id callID) {
	text := msg.Metadata.Get(CallIDKey)
	if len(text) != hex.EncodedLen(len(id)) {
		return id
	}
	if _, err := hex.Decode(id[:], []byte(text)); err != nil {
		return callID{}
	}
	return id
}
