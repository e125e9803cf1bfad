package projections

import (
	"slices"
	"strings"
	"time"

	"tandem/domain"
)

// Dates are a milestone's dates side by side, each with its moves, oldest first: what the viewer has seen
// of them. Who joined, or was shown the milestone, sees the moves from then on.
type Dates struct {
	Milestone    domain.MilestoneID    `json:"milestone"`
	Title        string                `json:"title"`
	Owner        domain.PartnerID      `json:"owner"`
	State        domain.MilestoneState `json:"state" enum:"planned,in_progress,delivered,conditionally_accepted,accepted,disputed,waived,cancelled"`
	DueOn        domain.Date           `json:"due_on" doc:"The baseline once agreed, the proposed date before."`
	BaselineOn   *domain.Date          `json:"baseline_on"`
	VarianceDays *int                  `json:"variance_days" doc:"Actual, else the owner's forecast, minus baseline, in days; null without a baseline."`
	Proposed     []ProposedDate        `json:"proposed" doc:"By change requests that are open."`
	Agreed       []AgreedDate          `json:"agreed"`
	Planned      []PlannedDate         `json:"planned" doc:"Before a baseline was agreed."`
	Forecasts    []ForecastDate        `json:"forecasts"`
	Actual       []ActualDate          `json:"actual" doc:"By round."`
	Omitted      int                   `json:"omitted" doc:"Moves that are left out here because each list tells the last 100; the history has them."`
}

// ProposedDate is a due date that waits for approval.
type ProposedDate struct {
	Change     int              `json:"change"`
	By         domain.PartnerID `json:"by"`
	DueOn      domain.Date      `json:"due_on"`
	Reason     string           `json:"reason"`
	ProposedAt time.Time        `json:"proposed_at"`
}

// AgreedDate is a baseline that was set or moved.
type AgreedDate struct {
	On       domain.Date  `json:"on"`
	From     *domain.Date `json:"from" doc:"null: it is the first."`
	Change   int          `json:"change"`
	Reason   string       `json:"reason"`
	AgreedAt time.Time    `json:"agreed_at"`
}

// PlannedDate is a due date that the owner set.
type PlannedDate struct {
	On   domain.Date  `json:"on"`
	From *domain.Date `json:"from" doc:"null: it is the first that the caller sees."`
	At   time.Time    `json:"at"`
}

// ForecastDate is one partner's expectation.
type ForecastDate struct {
	Partner domain.PartnerID `json:"partner"`
	On      domain.Date      `json:"on"`
	From    *domain.Date     `json:"from"`
	Reason  string           `json:"reason"`
	At      time.Time        `json:"at"`
	Private bool             `json:"private" doc:"The caller's own; only its partner sees it."`
}

// ActualDate is what became of a delivery.
type ActualDate struct {
	Round       int          `json:"round"`
	DeliveredOn *domain.Date `json:"delivered_on" doc:"null: the caller sees the milestone only since later."`
	AcceptedOn  *domain.Date `json:"accepted_on"`
	RejectedOn  *domain.Date `json:"rejected_on"`
	Reasons     []string     `json:"reasons" doc:"Of the rejection."`
	Withdrawn   bool         `json:"withdrawn" doc:"The owner took the delivery back."`
	At          time.Time    `json:"at" doc:"When the delivery was recorded."`
}

// Trend is one page of the dates of a project's milestones, sorted by due date and id.
type Trend struct {
	Agreement  domain.AgreementID `json:"agreement"`
	Project    domain.ProjectID   `json:"project"`
	AsOf       *time.Time         `json:"as_of"`
	Milestones []Dates            `json:"milestones"`
	NextCursor *string            `json:"next_cursor"`
}

// Dates returns the dates of a milestone.
func (v *View) Dates(ref domain.MilestoneRef) (Dates, bool) {
	milestone := v.milestone(ref)
	if milestone == nil {
		return Dates{}, false
	}
	return v.datesShape(milestone), true
}

// Trend returns a page of the dates of the milestones that the viewer may see, as Milestones does.
func (v *View) Trend(query MilestoneQuery) ([]Dates, *string, error) {
	return milestonePage(v, query, v.datesShape)
}

// maxDateMoves is how many moves each list of a milestone tells.
const maxDateMoves = 100

func (v *View) datesShape(node *milestoneNode) Dates {
	milestone, project := node.entity, node.project.entity
	dates := Dates{
		Milestone: milestone.Ref.Milestone, Title: milestone.Plan.Title, Owner: milestone.Plan.Owner, State: milestone.State,
		DueOn: milestone.Plan.DueOn, BaselineOn: nilIfZero(milestone.BaselineOn), VarianceDays: variance(milestone), Proposed: proposedDates(milestone, project),
	}
	index := node.project.agreement.index
	reader := index.readers[v.viewer.Partner]
	if reader != nil {
		for note := range dateMovesOf(node.moves) {
			if at := index.entries[note.place]; reader.visible[at.Audience] {
				dates.addMove(note, time.UnixMicro(at.At).UTC(), project)
			}
		}
	}
	dates.Agreed, dates.Planned = trimMoves(dates.Agreed, &dates.Omitted), trimMoves(dates.Planned, &dates.Omitted)
	dates.Forecasts, dates.Actual = trimMoves(dates.Forecasts, &dates.Omitted), trimMoves(dates.Actual, &dates.Omitted)
	return dates
}

// trimMoves returns the end of a list, and counts what is left out.
func trimMoves[T any](all []T, omitted *int) []T {
	n := max(0, len(all)-maxDateMoves)
	*omitted += n
	return emptyIfNil(all[n:])
}

func proposedDates(milestone *domain.Milestone, project *domain.Project) []ProposedDate {
	dates := []ProposedDate{}
	for _, request := range project.Changes {
		for _, proposed := range request.Milestones {
			if request.State == domain.ChangeStateOpen && proposed.Milestone == milestone.Ref.Milestone && proposed.To.DueOn != 0 {
				dates = append(dates, ProposedDate{request.Number, request.ProposedBy, proposed.To.DueOn, request.Reason, time.UnixMicro(request.ProposedAt).UTC()})
			}
		}
	}
	return dates
}

// addMove takes over a note that the viewer may see.
func (d *Dates) addMove(move dateMove, at time.Time, project *domain.Project) {
	switch move.kind {
	case movePlanned, movePlannedCopy:
		if move.kind == movePlanned || len(d.Planned) == 0 {
			d.Planned = append(d.Planned, PlannedDate{move.on, nilIfZero(move.from), at})
		}
	case moveAgreed:
		reason := ""
		if request := project.Change(move.number); request != nil {
			reason = request.Reason
		}
		d.Agreed = append(d.Agreed, AgreedDate{move.on, nilIfZero(move.from), move.number, reason, at})
	case moveForecast, moveForecastCopy, movePrivateForecast:
		known := move.kind == moveForecastCopy && slices.ContainsFunc(d.Forecasts, func(forecast ForecastDate) bool { return forecast.Partner == move.partner && !forecast.Private })
		if !known {
			d.Forecasts = append(d.Forecasts, ForecastDate{move.partner, move.on, nilIfZero(move.from), move.reason, at, move.kind == movePrivateForecast})
		}
	default:
		d.addRound(move, at)
	}
}

// addRound takes over what became of a delivery.
func (d *Dates) addRound(move dateMove, at time.Time) {
	if n := len(d.Actual); n == 0 || d.Actual[n-1].Round != move.number {
		d.Actual = append(d.Actual, ActualDate{Round: move.number, Reasons: []string{}, At: at})
	}
	actual := &d.Actual[len(d.Actual)-1]
	switch move.kind {
	case moveDelivered:
		actual.DeliveredOn = &move.on
	case moveWithdrawn:
		actual.Withdrawn = true
	case moveRejected:
		actual.RejectedOn, actual.Reasons = &move.on, strings.Split(move.reason, reasonSeparator)
	case moveAccepted:
		actual.AcceptedOn = &move.on
	}
}
