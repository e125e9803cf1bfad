package projections

import (
	"encoding/binary"

	"tandem/domain"
)

// dateMove is an event that moved a date of a milestone, without its time and audience, which the event's place
// gives. A milestone keeps its moves as bytes, about 20 each and the reason: reading the events from the log for
// every view would be slow, and values would take four times the memory.
type dateMove struct {
	place    uint32
	kind     moveKind
	on, from domain.Date
	number   int // of the change request or of the round
	partner  domain.PartnerID
	reason   string // of a rejection: all reasons, joined by reasonSeparator
}

type moveKind byte

// The kinds of moves. A copy repeats an earlier move in the event that shares a private milestone.
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

// reasonSeparator separates reasons. The API accepts no text that contains it.
const reasonSeparator = "\x00"

// dateMovesOf yields the encoded moves in the order of their events.
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
