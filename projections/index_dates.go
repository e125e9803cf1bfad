package projections

import (
	"encoding/binary"

	"tandem/domain"
)

// A note is what the image remembers of an event that moved a date of a milestone, or its reason. Notes
// are few and short, and are kept as bytes, one after another, about 20 for each and its words: to read
// them from the log again would cost a read of every such event for each look at a trend, and to keep
// them as values four times the memory. When, and who may see it, is told by the event's place.
type dateMove struct {
	place    uint32
	kind     moveKind
	on, from domain.Date
	number   int // the change request, or the round
	partner  domain.PartnerID
	reason   string // the reason; of a rejection all reasons, see reasonsMark
}

type moveKind byte

// The kinds of notes. A copy is what sharing told anew.
const (
	movePlanned moveKind = iota
	movePlannedCopy
	moveAgreed
	moveForecast
	moveForecastCopy
	movePrivateForecast
	moveDelivered
	moveWithdrawn
	moveRejected
	moveAccepted
)

// reasonSeparator stands between reasons; no text that is taken in has it.
const reasonSeparator = "\x00"

// dateMovesOf yields the notes in the order of their events.
func dateMovesOf(b []byte) func(yield func(dateMove) bool) {
	number := func() uint64 {
		count, size := binary.Uvarint(b)
		b = b[size:]
		return count
	}
	text := func() string {
		count := number()
		str := string(b[:count])
		b = b[count:]
		return str
	}
	return func(yield func(dateMove) bool) {
		for len(b) > 0 {
			move := dateMove{place: uint32(number()), kind: moveKind(b[0])}
			b = b[1:]
			move.on, move.from, move.number = domain.Date(number()), domain.Date(number()), int(number())
			move.partner, move.reason = domain.PartnerID(text()), text()
			if !yield(move) {
				return
			}
		}
	}
}

// appendDateMove appends the encoding of a move.
func appendDateMove(b []byte, move dateMove) []byte {
	b = binary.AppendUvarint(b, uint64(move.place))
	b = append(b, byte(move.kind))
	for _, n := range []int{int(move.on), int(move.from), move.number, len(move.partner)} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	b = append(b, move.partner...)
	b = binary.AppendUvarint(b, uint64(len(move.reason)))
	return append(b, move.reason...)
}
