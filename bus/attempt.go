package bus

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Attempt is the metadata that tells a message from others that carry the same command id: a client
// may repeat a command while the first one is under way. It is random and has 16 hexadecimal digits.
const Attempt = "attempt"

// attempt is one call that sent a command. The zero attempt is any of them.
type attempt [8]byte

func newAttempt() (a attempt) {
	binary.BigEndian.PutUint64(a[:], rand.Uint64()|1) // never zero
	return a
}

func (a attempt) mark(msg *message.Message) { msg.Metadata.Set(Attempt, hex.EncodeToString(a[:])) }

// attemptOf reads what mark wrote. A message without it is of any attempt.
func attemptOf(msg *message.Message) (a attempt) {
	text := msg.Metadata.Get(Attempt)
	if len(text) != hex.EncodedLen(len(a)) {
		return a
	}
	if _, err := hex.Decode(a[:], []byte(text)); err != nil {
		return attempt{}
	}
	return a
}
