package projections

import (
	"strings"

	"tandem/domain"
)

// addDateMoves appends the moves of an event. An acceptance is recognised by the entity, because several types
// of events can complete one.
func (m *milestoneNode) addDateMoves(place uint32, payload domain.Payload) {
	switch e := payload.(type) {
	case domain.MilestonePlanned:
		m.moves = appendDateMove(m.moves, dateMove{place: place, kind: movePlanned, on: e.Plan.DueOn})
	case domain.MilestoneEdited:
		if e.To.DueOn != e.From.DueOn {
			m.moves = appendDateMove(m.moves, dateMove{place: place, kind: movePlanned, on: e.To.DueOn, from: e.From.DueOn})
		}
	case domain.MilestoneShared:
		m.moves = appendDateMove(m.moves, dateMove{place: place, kind: movePlannedCopy, on: e.Plan.DueOn})
		if forecast := e.Forecast; forecast != nil {
			m.moves = appendDateMove(m.moves, dateMove{place: place, kind: moveForecastCopy, on: forecast.On, partner: forecast.Partner, reason: forecast.Reason})
		}
	case domain.MilestoneAgreed:
		if e.To.DueOn != e.BaselineFrom {
			m.moves = appendDateMove(m.moves, dateMove{place: place, kind: moveAgreed, on: e.To.DueOn, from: e.BaselineFrom, number: e.Change})
		}
	case domain.ForecastMoved:
		kind := moveForecast
		if e.Private {
			kind = movePrivateForecast
		}
		m.moves = appendDateMove(m.moves, dateMove{place: place, kind: kind, on: e.To.On, from: e.From, partner: e.To.Partner, reason: e.To.Reason})
	case domain.MilestoneDelivered:
		m.moves = appendDateMove(m.moves, dateMove{place: place, kind: moveDelivered, on: e.On, number: e.Round})
	case domain.DeliveryWithdrawn:
		m.moves = appendDateMove(m.moves, dateMove{place: place, kind: moveWithdrawn, number: e.Round})
	case domain.MilestoneRejected:
		m.moves = appendDateMove(m.moves, dateMove{place: place, kind: moveRejected, on: e.On, number: e.Round, reason: strings.Join(e.Reasons, reasonSeparator)})
	}
	if accepted := m.entity.AcceptedOn != 0; accepted != m.accepted {
		m.accepted = accepted
		if accepted {
			m.moves = appendDateMove(m.moves, dateMove{place: place, kind: moveAccepted, on: m.entity.AcceptedOn, number: m.entity.Round})
		}
	}
}
