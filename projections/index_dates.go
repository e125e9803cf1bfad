package projections

import (
	"encoding/binary"
	"iter"

	"tandem/domain"
	"tandem/eventlog/wire"
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
	reason   string // of a rejection: all reasons, joined by reasonSeparator; of a delivery or completion: the late reason
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
	moveCompleted
)

// reasonSeparator separates reasons. The API accepts no text that contains it.
const reasonSeparator = "\x00"

// dateMovesOf yields the encoded moves in the order of their events.
func dateMovesOf(b []byte) iter.Seq[dateMove] {
	return func(yield func(dateMove) bool) {
		for reader := wire.NewReader(b); reader.Len() > 0; {
			move := dateMove{place: uint32(reader.Uvarint()), kind: moveKind(reader.Byte())}
			move.on, move.from, move.number = domain.Date(reader.Uvarint()), domain.Date(reader.Uvarint()), int(reader.Uvarint())
			move.partner, move.reason = domain.PartnerID(reader.Text()), reader.Text()
			if reader.Err() != nil || !yield(move) {
				return
			}
		}
	}
}

// appendDateMove appends the encoding of a move.
func appendDateMove(b []byte, move dateMove) []byte {
	b = binary.AppendUvarint(b, uint64(move.place))
	b = append(b, byte(move.kind))
	for _, number := range []int{int(move.on), int(move.from), move.number} {
		b = binary.AppendUvarint(b, uint64(number))
	}
	return wire.AppendBytes(wire.AppendBytes(b, move.partner), move.reason)
}
