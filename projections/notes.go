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
type note struct {
	place    uint32
	kind     noteKind
	on, from domain.Date
	n        int // the change request, or the round
	who      domain.PartnerID
	words    string // the reason; of a rejection all reasons, see reasonsMark
}

type noteKind byte

// The kinds of notes. A copy is what sharing told anew.
const (
	notePlanned noteKind = iota
	notePlannedCopy
	noteAgreed
	noteForecast
	noteForecastCopy
	notePrivateForecast
	noteDelivered
	noteWithdrawn
	noteRejected
	noteAccepted
)

// reasonsMark stands between reasons; no text that is taken in has it.
const reasonsMark = "\x00"

// noteDates takes notes of an event. What ends in an acceptance is seen by the milestone itself, whatever
// the event.
func (m *milestoneNode) noteDates(place uint32, p domain.Payload) {
	switch e := p.(type) {
	case domain.MilestonePlanned:
		m.take(note{place: place, kind: notePlanned, on: e.Plan.DueOn})
	case domain.MilestoneEdited:
		if e.To.DueOn != e.From.DueOn {
			m.take(note{place: place, kind: notePlanned, on: e.To.DueOn, from: e.From.DueOn})
		}
	case domain.MilestoneShared:
		m.take(note{place: place, kind: notePlannedCopy, on: e.Plan.DueOn})
		if f := e.Forecast; f != nil {
			m.take(note{place: place, kind: noteForecastCopy, on: f.On, who: f.Partner, words: f.Reason})
		}
	case domain.MilestoneAgreed:
		if e.To.DueOn != e.BaselineFrom {
			m.take(note{place: place, kind: noteAgreed, on: e.To.DueOn, from: e.BaselineFrom, n: e.Change})
		}
	case domain.ForecastMoved:
		kind := noteForecast
		if e.Private {
			kind = notePrivateForecast
		}
		m.take(note{place: place, kind: kind, on: e.To.On, from: e.From, who: e.To.Partner, words: e.To.Reason})
	case domain.MilestoneDelivered:
		m.take(note{place: place, kind: noteDelivered, on: e.On, n: e.Round})
	case domain.DeliveryWithdrawn:
		m.take(note{place: place, kind: noteWithdrawn, n: e.Round})
	case domain.MilestoneRejected:
		m.take(note{place: place, kind: noteRejected, on: e.On, n: e.Round, words: strings.Join(e.Reasons, reasonsMark)})
	}
	if accepted := m.entity.AcceptedOn != 0; accepted != m.accepted {
		m.accepted = accepted
		if accepted {
			m.take(note{place: place, kind: noteAccepted, on: m.entity.AcceptedOn, n: m.entity.Round})
		}
	}
}

func (m *milestoneNode) take(x note) {
	b := binary.AppendUvarint(m.notes, uint64(x.place))
	b = append(b, byte(x.kind))
	for _, n := range []int{int(x.on), int(x.from), x.n, len(x.who)} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	b = append(b, x.who...)
	b = binary.AppendUvarint(b, uint64(len(x.words)))
	m.notes = append(b, x.words...)
}

// notesOf yields the notes in the order of their events.
func notesOf(b []byte) func(yield func(note) bool) {
	number := func() uint64 {
		n, size := binary.Uvarint(b)
		b = b[size:]
		return n
	}
	text := func() string {
		n := number()
		s := string(b[:n])
		b = b[n:]
		return s
	}
	return func(yield func(note) bool) {
		for len(b) > 0 {
			x := note{place: uint32(number()), kind: noteKind(b[0])}
			b = b[1:]
			x.on, x.from, x.n = domain.Date(number()), domain.Date(number()), int(number())
			x.who, x.words = domain.PartnerID(text()), text()
			if !yield(x) {
				return
			}
		}
	}
}
