package projections

import (
	"encoding/binary"
	"strings"

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

// addDateMoves takes notes of an event. What ends in an acceptance is seen by the milestone itself, whatever
// the event.
func (m *milestoneNode) addDateMoves(place uint32, payload domain.Payload) {
	switch e := payload.(type) {
	case domain.MilestonePlanned:
		m.appendDateMove(dateMove{place: place, kind: movePlanned, on: e.Plan.DueOn})
	case domain.MilestoneEdited:
		if e.To.DueOn != e.From.DueOn {
			m.appendDateMove(dateMove{place: place, kind: movePlanned, on: e.To.DueOn, from: e.From.DueOn})
		}
	case domain.MilestoneShared:
		m.appendDateMove(dateMove{place: place, kind: movePlannedCopy, on: e.Plan.DueOn})
		if forecast := e.Forecast; forecast != nil {
			m.appendDateMove(dateMove{place: place, kind: moveForecastCopy, on: forecast.On, partner: forecast.Partner, reason: forecast.Reason})
		}
	case domain.MilestoneAgreed:
		if e.To.DueOn != e.BaselineFrom {
			m.appendDateMove(dateMove{place: place, kind: moveAgreed, on: e.To.DueOn, from: e.BaselineFrom, number: e.Change})
		}
	case domain.ForecastMoved:
		kind := moveForecast
		if e.Private {
			kind = movePrivateForecast
		}
		m.appendDateMove(dateMove{place: place, kind: kind, on: e.To.On, from: e.From, partner: e.To.Partner, reason: e.To.Reason})
	case domain.MilestoneDelivered:
		m.appendDateMove(dateMove{place: place, kind: moveDelivered, on: e.On, number: e.Round})
	case domain.DeliveryWithdrawn:
		m.appendDateMove(dateMove{place: place, kind: moveWithdrawn, number: e.Round})
	case domain.MilestoneRejected:
		m.appendDateMove(dateMove{place: place, kind: moveRejected, on: e.On, number: e.Round, reason: strings.Join(e.Reasons, reasonSeparator)})
	}
	if accepted := m.entity.AcceptedOn != 0; accepted != m.accepted {
		m.accepted = accepted
		if accepted {
			m.appendDateMove(dateMove{place: place, kind: moveAccepted, on: m.entity.AcceptedOn, number: m.entity.Round})
		}
	}
}

func (m *milestoneNode) appendDateMove(move dateMove) {
	b := binary.AppendUvarint(m.moves, uint64(move.place))
	b = append(b, byte(move.kind))
	for _, n := range []int{int(move.on), int(move.from), move.number, len(move.partner)} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	b = append(b, move.partner...)
	b = binary.AppendUvarint(b, uint64(len(move.reason)))
	m.moves = append(b, move.reason...)
}

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
