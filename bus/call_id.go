package bus

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"

	"github.com/ThreeDotsLabs/watermill/message"
)

// CallIDKey is the metadata that tells a message from others that carry the same command id: a client
// may repeat a command while the first one is under way. It is random and has 16 hexadecimal digits.
const CallIDKey = "attempt"

// callID is one call that sent a command. The zero attempt is any of them.
type callID [8]byte

func newCallID() (id callID) {
	binary.BigEndian.PutUint64(id[:], rand.Uint64()|1) // never zero
	return id
}

func (c callID) setOn(msg *message.Message) { msg.Metadata.Set(CallIDKey, hex.EncodeToString(c[:])) }

// callIDOf reads what mark wrote. A message without it is of any attempt.
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
