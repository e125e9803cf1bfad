package projections

import (
	"strings"

	"tandem/domain"
)

// addDateMoves appends the moves of an event. An acceptance is recognised by the entity, because several types
// of events can complete one.
func (m *milestoneNode) addDateMoves(place uint32, payload domain.Payload) {
	add := func(move dateMove) {
		move.place = place
		m.moves = appendDateMove(m.moves, move)
	}
	addPayloadMoves(payload, add)
	if accepted := m.entity.AcceptedOn != 0; accepted && !m.accepted {
		add(dateMove{kind: moveAccepted, on: m.entity.AcceptedOn, number: m.entity.Round})
	}
	m.accepted = m.entity.AcceptedOn != 0
}

func addPayloadMoves(payload domain.Payload, add func(dateMove)) {
	switch event := payload.(type) {
	case domain.MilestonePlanned:
		add(dateMove{kind: movePlanned, on: event.Plan.DueOn})
	case domain.MilestoneEdited:
		if event.To.DueOn != event.From.DueOn {
			add(dateMove{kind: movePlanned, on: event.To.DueOn, from: event.From.DueOn})
		}
	case domain.MilestoneShared:
		add(dateMove{kind: movePlannedCopy, on: event.Plan.DueOn})
		if forecast := event.Forecast; forecast != nil {
			add(dateMove{
				kind: moveForecastCopy, on: forecast.On, partner: forecast.Partner,
				reason: forecast.Reason,
			})
		}
	case domain.MilestoneAgreed:
		if event.To.DueOn != event.BaselineFrom {
			add(dateMove{kind: moveAgreed, on: event.To.DueOn, from: event.BaselineFrom, number: event.Change})
		}
	case domain.ForecastMoved:
		kind := moveForecast
		if event.Private {
			kind = movePrivateForecast
		}
		add(dateMove{
			kind: kind, on: event.To.On, from: event.From, partner: event.To.Partner, reason: event.To.Reason,
		})
	case domain.MilestoneDelivered:
		add(dateMove{kind: moveDelivered, on: event.On, number: event.Round, reason: event.Reason})
	case domain.MilestoneCompleted:
		add(dateMove{kind: moveCompleted, on: event.On, reason: event.Reason})
	case domain.DeliveryWithdrawn:
		add(dateMove{kind: moveWithdrawn, number: event.Round})
	case domain.MilestoneRejected:
		add(dateMove{
			kind: moveRejected, on: event.On, number: event.Round,
			reason: strings.Join(event.Reasons, reasonSeparator),
		})
	}
}
