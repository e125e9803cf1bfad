package projections

import (
	"slices"
	"strings"
	"time"

	"tandem/api"
	"tandem/domain"
)

// Dates returns the dates of a milestone, or false if it is invisible.
func (v *View) Dates(ref domain.MilestoneRef) (api.Dates, bool) {
	milestone := v.milestone(ref)
	if milestone == nil {
		return api.Dates{}, false
	}
	return v.datesShape(milestone), true
}

// Trend returns a page of the dates of the visible milestones, selected and sorted as by Milestones.
func (v *View) Trend(query MilestoneQuery) ([]api.Dates, *string, error) {
	return milestonePage(v, query, v.datesShape)
}

// maxDateMoves is the number of moves, the latest ones, that each list of a milestone shows.
const maxDateMoves = 100

func (v *View) datesShape(node *milestoneNode) api.Dates {
	milestone, project := node.entity, node.project.entity
	dates := api.Dates{
		Milestone: milestone.Ref.Milestone, Title: milestone.Plan.Title, Owner: milestone.Plan.Owner, State: milestone.State,
		DueOn: milestone.Plan.DueOn, BaselineOn: nilIfZero(milestone.BaselineOn), VarianceDays: variance(milestone),
		Proposed: proposedDates(milestone, project),
	}
	index := node.project.agreement.index
	reader := index.readers[v.viewer.Partner]
	if reader != nil {
		for note := range dateMovesOf(node.moves) {
			if at := index.entries[note.place]; reader.visible[at.Audience] {
				addMove(&dates, note, time.UnixMicro(at.At).UTC(), project)
			}
		}
	}
	dates.Agreed, dates.Planned = trimMoves(dates.Agreed, &dates.Omitted), trimMoves(dates.Planned, &dates.Omitted)
	dates.Forecasts, dates.Actual = trimMoves(dates.Forecasts, &dates.Omitted), trimMoves(dates.Actual, &dates.Omitted)
	return dates
}

// trimMoves returns the latest moves of a list and adds the number of omitted ones to omitted.
func trimMoves[T any](all []T, omitted *int) []T {
	n := max(0, len(all)-maxDateMoves)
	*omitted += n
	return emptyIfNil(all[n:])
}

func proposedDates(milestone *domain.Milestone, project *domain.Project) []api.ProposedDate {
	dates := []api.ProposedDate{}
	for _, request := range project.Changes {
		for _, proposed := range request.Milestones {
			if request.State == domain.ChangeStateOpen && proposed.Milestone == milestone.Ref.Milestone && proposed.To.DueOn != 0 {
				dates = append(dates, api.ProposedDate{
					Change: request.Number, By: request.ProposedBy, DueOn: proposed.To.DueOn, Reason: request.Reason,
					ProposedAt: time.UnixMicro(request.ProposedAt).UTC(),
				})
			}
		}
	}
	return dates
}

// addMove adds a move that the viewer can see. A copy is added only if the viewer has not seen the original.
func addMove(dates *api.Dates, move dateMove, at time.Time, project *domain.Project) {
	switch move.kind {
	case movePlanned, movePlannedCopy:
		if move.kind == movePlanned || len(dates.Planned) == 0 {
			dates.Planned = append(dates.Planned, api.PlannedDate{On: move.on, From: nilIfZero(move.from), At: at})
		}
	case moveAgreed:
		reason := ""
		if request := project.Change(move.number); request != nil {
			reason = request.Reason
		}
		dates.Agreed = append(dates.Agreed, api.AgreedDate{
			On: move.on, From: nilIfZero(move.from), Change: move.number, Reason: reason, AgreedAt: at,
		})
	case moveForecast, moveForecastCopy, movePrivateForecast:
		known := move.kind == moveForecastCopy && slices.ContainsFunc(dates.Forecasts, func(forecast api.ForecastDate) bool {
			return forecast.Partner == move.partner && !forecast.Private
		})
		if !known {
			dates.Forecasts = append(dates.Forecasts, api.ForecastDate{
				Partner: move.partner, On: move.on, From: nilIfZero(move.from), Reason: move.reason, At: at,
				Private: move.kind == movePrivateForecast,
			})
		}
	default:
		addRound(dates, move, at)
	}
}

// addRound adds a delivery, or its end, to the delivery's round. A completion has the round 0.
func addRound(dates *api.Dates, move dateMove, at time.Time) {
	if n := len(dates.Actual); n == 0 || dates.Actual[n-1].Round != move.number {
		dates.Actual = append(dates.Actual, api.ActualDate{Round: move.number, Reasons: []string{}, At: at})
	}
	actual := &dates.Actual[len(dates.Actual)-1]
	switch move.kind {
	case moveDelivered:
		actual.DeliveredOn, actual.LateReason = &move.on, move.reason
	case moveCompleted:
		actual.CompletedOn, actual.LateReason = &move.on, move.reason
	case moveWithdrawn:
		actual.Withdrawn = true
	case moveRejected:
		actual.RejectedOn, actual.Reasons = &move.on, strings.Split(move.reason, reasonSeparator)
	case moveAccepted:
		actual.AcceptedOn = &move.on
	}
}
