package api

import (
	"time"

	"tandem/domain"
)

// Dates are a milestone's dates side by side, each with its moves, oldest first, as far as the viewer has seen
// them. A partner that joined, or to which the milestone was shared, sees later moves only.
type Dates struct {
	Milestone    domain.MilestoneID    `json:"milestone"`
	Title        string                `json:"title"`
	Owner        domain.PartnerID      `json:"owner"`
	State        domain.MilestoneState `json:"state" enum:"planned,in_progress,delivered,conditionally_accepted,accepted,completed,disputed,waived,cancelled"`
	DueOn        domain.Date           `json:"due_on" doc:"The baseline once agreed; the proposed date before that."`
	BaselineOn   *domain.Date          `json:"baseline_on"`
	VarianceDays *int                  `json:"variance_days" doc:"Actual date, else the owner's forecast, minus the baseline, in days; null without a baseline."`
	Proposed     []ProposedDate        `json:"proposed" doc:"Dates proposed by open change requests."`
	Agreed       []AgreedDate          `json:"agreed"`
	Planned      []PlannedDate         `json:"planned" doc:"Before a baseline was agreed."`
	Forecasts    []ForecastDate        `json:"forecasts"`
	Actual       []ActualDate          `json:"actual" doc:"Sorted by round."`
	Omitted      int                   `json:"omitted" doc:"The number of omitted moves; each list shows the last 100, the history shows all."`
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
	From     *domain.Date `json:"from" doc:"null: the first one."`
	Change   int          `json:"change"`
	Reason   string       `json:"reason"`
	AgreedAt time.Time    `json:"agreed_at"`
}

// PlannedDate is a due date that the owner set.
type PlannedDate struct {
	On   domain.Date  `json:"on"`
	From *domain.Date `json:"from" doc:"null: the first one that the caller sees."`
	At   time.Time    `json:"at"`
}

// ForecastDate is one partner's forecast.
type ForecastDate struct {
	Partner domain.PartnerID `json:"partner"`
	On      domain.Date      `json:"on"`
	From    *domain.Date     `json:"from"`
	Reason  string           `json:"reason"`
	At      time.Time        `json:"at"`
	Private bool             `json:"private" doc:"The private forecast of the caller's partner, visible to that partner only."`
}

// ActualDate is a delivery and its decision, or the completion of a private milestone.
type ActualDate struct {
	Round       int          `json:"round"`
	DeliveredOn *domain.Date `json:"delivered_on" doc:"null: recorded before the caller could see the milestone."`
	AcceptedOn  *domain.Date `json:"accepted_on"`
	CompletedOn *domain.Date `json:"completed_on" doc:"When the owner completed the private milestone; the round is 0."`
	LateReason  string       `json:"late_reason" doc:"Why the date is long before the recording."`
	RejectedOn  *domain.Date `json:"rejected_on"`
	Reasons     []string     `json:"reasons" doc:"Reasons of the rejection."`
	Withdrawn   bool         `json:"withdrawn" doc:"The owner withdrew the delivery."`
	At          time.Time    `json:"at" doc:"When the delivery or completion was recorded."`
}

// Trend is one page of the dates of a project's milestones, sorted by due date and id.
type Trend struct {
	Agreement  domain.AgreementID `json:"agreement"`
	Project    domain.ProjectID   `json:"project"`
	AsOf       *time.Time         `json:"as_of"`
	Milestones []Dates            `json:"milestones"`
	NextCursor *string            `json:"next_cursor"`
}
