package api

import (
	"time"

	"tandem/domain"
)

// Milestone is a dated result that one partner owns and others accept.
type Milestone struct {
	Agreement         domain.AgreementID               `json:"agreement"`
	Project           domain.ProjectID                 `json:"project"`
	ID                domain.MilestoneID               `json:"id"`
	Title             string                           `json:"title"`
	Description       string                           `json:"description"`
	Owner             domain.PartnerID                 `json:"owner"`
	Acceptors         []domain.PartnerID               `json:"acceptors"`
	State             domain.MilestoneState            `json:"state" enum:"planned,in_progress,delivered,conditionally_accepted,accepted,completed,disputed,waived,cancelled" doc:"completed: a private milestone that its owner has completed."`
	Health            *domain.Health                   `json:"health" enum:"green,amber,red" doc:"Declared by the owner; null before the first report and in a final state."`
	HealthNote        string                           `json:"health_note"`
	PrivateHealth     *domain.Health                   `json:"private_health" enum:"green,amber,red" doc:"The assessment of the caller's partner, visible to that partner only; null without one and in a final state."`
	PrivateHealthNote string                           `json:"private_health_note"`
	Progress          int                              `json:"progress" minimum:"0" maximum:"100" doc:"Percent, as reported by the owner; 100 once accepted or completed."`
	DueOn             domain.Date                      `json:"due_on" doc:"The baseline once agreed; the proposed date before that."`
	BaselineOn        *domain.Date                     `json:"baseline_on" doc:"The agreed date; null until one is agreed."`
	Forecasts         map[domain.PartnerID]domain.Date `json:"forecasts" doc:"Each participant's shared forecast."`
	PrivateForecast   *domain.Date                     `json:"private_forecast" doc:"The private forecast of the caller's partner, visible to that partner only."`
	Disagreement      bool                             `json:"disagreement" doc:"The forecasts differ by more than the agreement's tolerance; false in a final state."`
	VarianceDays      *int                             `json:"variance_days" doc:"Actual date, else the owner's forecast, minus the baseline, in days; null without a baseline."`
	Overdue           bool                             `json:"overdue" doc:"Not delivered, and due before today in the owner's time zone."`
	OwnerAgreed       bool                             `json:"owner_agreed" doc:"false while another partner has named the owner and it has not agreed; nothing counts against it until then."`
	Ended             bool                             `json:"ended" doc:"Its project has ended before it was delivered, or its agreement before it was started; it can no longer happen and is counted nowhere."`
	DeliveredOn       *domain.Date                     `json:"delivered_on" doc:"The date that the owner claims."`
	AcceptedOn        *domain.Date                     `json:"accepted_on"`
	CompletedOn       *domain.Date                     `json:"completed_on" doc:"When the owner completed the private milestone."`
	RecordedAt        *time.Time                       `json:"recorded_at" doc:"When the present delivery, or the completion, was recorded."`
	LateReason        string                           `json:"late_reason" doc:"Why the delivery or completion is dated long before its recording."`
	Acceptance        Acceptance                       `json:"acceptance"`
	WaivedBy          []domain.PartnerID               `json:"waived_by" doc:"Acceptors that have waived it so far."`
	Responsible       map[domain.PartnerID]NamedMember `json:"responsible" doc:"The member whom each participant has named for its own side; dropped when the milestone is shared and when the partner leaves."`
	DependsOn         []Dependency                     `json:"depends_on"`
	Criteria          []string                         `json:"criteria"`
	CriteriaResults   []CriterionResults               `json:"criteria_results" doc:"The results of checks, per criterion, in the order of criteria. They are dropped when the criteria change."`
	Target            *Target                          `json:"target"`
	Instrument        *domain.InstrumentID             `json:"instrument"`
	ScheduleItem      *domain.ItemID                   `json:"schedule_item"`
	Audience          domain.Audience                  `json:"audience" doc:"shared, private:<partner>, or public: title, owner, acceptors, state and dates are public."`
	Clause            *string                          `json:"clause" doc:"Clause of the instrument whose obligation it serves."`
	Version           uint64                           `json:"version" doc:"The number of its events that the caller may see."`
	UpdatedAt         time.Time                        `json:"updated_at"`
	Creation
	URL string `json:"url" format:"uri"`
}

// NamedMember is a member whom a partner has named.
type NamedMember struct {
	Member     domain.MemberID `json:"member"`
	MemberName *string         `json:"member_name" doc:"The present display name, or that of a former member; null if it is not known."`
}

// Milestones is one page of a list of milestones, sorted by due date, agreement, project and id.
type Milestones struct {
	Partner    domain.PartnerID `json:"partner"`
	AsOf       *time.Time       `json:"as_of"`
	Milestones []Milestone      `json:"milestones"`
	NextCursor *string          `json:"next_cursor"`
}

// Acceptance is the current round of a milestone.
type Acceptance struct {
	Round           int                           `json:"round" doc:"The number of deliveries so far."`
	DecideBy        *domain.Date                  `json:"decide_by" doc:"The earliest deadline of a pending decision."`
	WorkingDaysLeft *int                          `json:"working_days_left"`
	Decisions       map[domain.PartnerID]Decision `json:"decisions"`
	Evidence        []Evidence                    `json:"evidence" doc:"Evidence of the last delivery unless it was withdrawn, as far as the caller may see it."`
	Conditions      []Condition                   `json:"conditions" doc:"Conditions of this round; numbers are unique per milestone."`
	Rejection       *Rejection                    `json:"rejection" doc:"The rejection that ended the last round, until the next delivery; null otherwise."`
	Dispute         *Dispute                      `json:"dispute" doc:"null unless the milestone is disputed."`
}

// Evidence supports a delivery, a rejection, a condition or the check of a criterion.
type Evidence struct {
	Title    string          `json:"title"`
	URL      string          `json:"url" format:"uri"`
	SHA256   *string         `json:"sha256" doc:"Lower-case hexadecimal."`
	Audience domain.Audience `json:"audience" doc:"shared, or private:<partner>."`
}

// Decision is one acceptor's decision.
type Decision struct {
	State     string       `json:"state" enum:"none,pending,accepted,conditional,rejected,deemed"`
	DecideBy  *domain.Date `json:"decide_by"`
	DecidedOn *domain.Date `json:"decided_on"`
}

// CriterionResults are the results of the owner and the acceptors for one criterion.
type CriterionResults struct {
	Number  int                               `json:"number" doc:"From 1."`
	Text    string                            `json:"text"`
	Results map[domain.PartnerID]CheckOutcome `json:"results" doc:"Only of partners that have checked it. A result never replaces an acceptance."`
}

// CheckOutcome is one partner's result for a criterion.
type CheckOutcome struct {
	Result   domain.CheckResult `json:"result" enum:"met,not_met"`
	On       domain.Date        `json:"on"`
	Round    int                `json:"round" doc:"The number of deliveries at the time of the check."`
	Note     string             `json:"note"`
	Evidence []Evidence         `json:"evidence"`
}

// Condition is a requirement of a conditional acceptance.
type Condition struct {
	Number   int                   `json:"number"`
	Text     string                `json:"text"`
	DueOn    domain.Date           `json:"due_on"`
	Author   domain.PartnerID      `json:"author" doc:"The acceptor that requires it; only that partner closes it."`
	State    domain.ConditionState `json:"state" enum:"open,reported,refused,closed"`
	Closed   bool                  `json:"closed"`
	ClosedOn *domain.Date          `json:"closed_on"`
	Evidence []Evidence            `json:"evidence" doc:"Of the author, for the need."`
	Report   *ConditionReport      `json:"report" doc:"The owner's last report that it is met; null without one."`
	Refusal  *ConditionRefusal     `json:"refusal" doc:"The author's refusal of the last report; null without one."`
}

// ConditionReport is the owner's report that a condition is met.
type ConditionReport struct {
	On       domain.Date  `json:"on"`
	Note     string       `json:"note"`
	Evidence []Evidence   `json:"evidence"`
	DecideBy *domain.Date `json:"decide_by" doc:"The day, in UTC, by which the author should close or refuse the condition; null: no limit."`
}

// ConditionRefusal is the author's answer that a condition is not met.
type ConditionRefusal struct {
	On         domain.Date  `json:"on"`
	Reason     string       `json:"reason"`
	Evidence   []Evidence   `json:"evidence"`
	Disputable bool         `json:"disputable" doc:"The owner may dispute it now."`
	DisputeBy  *domain.Date `json:"dispute_by" doc:"The last day, in UTC, on which the owner may dispute it; null: no limit."`
}

// Rejection is an acceptor's rejection of a delivery.
type Rejection struct {
	Partner    domain.PartnerID `json:"partner"`
	On         domain.Date      `json:"on"`
	Reasons    []string         `json:"reasons"`
	Evidence   []Evidence       `json:"evidence"`
	Disputable bool             `json:"disputable" doc:"The owner may dispute it now."`
	DisputeBy  *domain.Date     `json:"dispute_by" doc:"The last day, in UTC, on which the owner may dispute it; null: no limit."`
}

// Dispute is the owner's objection to a rejection, or to the refusal of a condition.
type Dispute struct {
	Condition *int                                    `json:"condition" doc:"The number of the disputed condition; null: the rejection is disputed."`
	By        domain.PartnerID                        `json:"by"`
	On        domain.Date                             `json:"on"`
	Reason    string                                  `json:"reason"`
	Named     map[domain.PartnerID]*domain.Settlement `json:"named" doc:"The outcome (accepted or rejected) named by the owner and each acceptor; null for a partner that has named none."`
}

// Dependency names a milestone that must be accepted first.
type Dependency struct {
	Project   domain.ProjectID   `json:"project"`
	Milestone domain.MilestoneID `json:"milestone"`
}

// Target is a measured value to reach.
type Target struct {
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

// MilestoneRef identifies a milestone.
type MilestoneRef struct {
	Agreement domain.AgreementID `json:"agreement"`
	Project   domain.ProjectID   `json:"project"`
	Milestone domain.MilestoneID `json:"milestone"`
	DueOn     domain.Date        `json:"due_on"`
}

// NewMilestone is the body that plans a milestone.
type NewMilestone struct {
	ID           domain.MilestoneID  `json:"id,omitempty" doc:"Default: derived from the title, with a suffix if letters would be lost or the id is taken."`
	Title        string              `json:"title" maxLength:"200"`
	Description  string              `json:"description,omitempty" maxLength:"10000"`
	Owner        domain.PartnerID    `json:"owner"`
	Acceptors    *[]domain.PartnerID `json:"acceptors,omitempty" minItems:"1" doc:"Default: all other participants; a private milestone has none."`
	DueOn        domain.Date         `json:"due_on" doc:"Not in the past, in the owner's time zone."`
	Criteria     []string            `json:"criteria,omitempty" maxItems:"100"`
	Audience     domain.Audience     `json:"audience,omitempty" doc:"Default: shared. private: visible to the own partner only."`
	Instrument   domain.InstrumentID `json:"instrument,omitempty" nullable:"true"`
	ScheduleItem domain.ItemID       `json:"schedule_item,omitempty" nullable:"true"`
	Clause       string              `json:"clause,omitempty" nullable:"true" maxLength:"50" doc:"Clause of the instrument whose obligation it serves."`
}

// MilestoneChange is the body that edits a milestone; absent fields stay.
type MilestoneChange struct {
	Title        *string              `json:"title,omitempty" maxLength:"200"`
	Description  *string              `json:"description,omitempty" maxLength:"10000"`
	Owner        *domain.PartnerID    `json:"owner,omitempty"`
	Acceptors    *[]domain.PartnerID  `json:"acceptors,omitempty" minItems:"1"`
	DueOn        *domain.Date         `json:"due_on,omitempty" doc:"A new date is not in the past."`
	Criteria     *[]string            `json:"criteria,omitempty" maxItems:"100"`
	Instrument   *domain.InstrumentID `json:"instrument,omitempty" nullable:"true"`
	ScheduleItem *domain.ItemID       `json:"schedule_item,omitempty" nullable:"true"`
	Clause       *string              `json:"clause,omitempty" nullable:"true" maxLength:"50"`
}
