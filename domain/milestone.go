package domain

import "slices"

// Milestone is a result with a due date, which one partner owns and others accept.
//
// R9: a milestone has one owner. Its acceptors default to all other participants and never include the owner. An owner
// that another partner names agrees or declines, see [AgreeOwnership].
//
// R10: only the owner starts, reports, delivers and withdraws a delivery, which is possible until an acceptor has
// decided it. Only acceptors decide. Neither side alone can finish a shared milestone; the owner completes a private
// one (R16).
//
// R11: a rejection states reasons, ends the round and voids the round's other decisions; the milestone is in
// progress again and keeps its history. All acceptors must accept. To prevent an owner from evading a rejection,
// an acceptor that was asked to decide a delivery is removed only by a change request, even without a baseline.
//
// R12: conditional acceptance, see [Condition], and disputes, see [Dispute]. The claimed date of a delivery is
// plausible, see [milestoneContext.claimedDate]. The acceptance clock is not implemented yet.
//
// R14: each participant has its own forecast. Moving a forecast takes a reason. Forecasts further apart than the
// agreement's tolerance are a disagreement.
//
// R15: until a baseline is agreed the owner alone edits, unless the milestone is public, or cancels;
// afterwards see [ChangeRequest]. A waiver takes every acceptor, and a reason once a baseline is agreed. The
// calls that end a project can cancel or waive its milestones too, see [Disposition].
type Milestone struct {
	Ref                 MilestoneRef
	Plan                Plan
	Audience            Audience
	State               MilestoneState
	LastReport          Report // of the owner; see Report for what still applies
	Forecasts           []Forecast
	PrivateForecasts    []Forecast       // each visible to its partner only
	Assessments         []Assessment     // each visible to its partner only; sorted by partner
	Evidence            []Evidence       // of the last delivery; nil after it was withdrawn
	PrivateEvidence     *PrivateEvidence // of the last delivery; visible to its partner only; replaced, never modified
	Round               int              // number of deliveries so far
	Checks              []CriterionCheck // sorted by number and partner; replaced, never modified
	Decisions           []Decision       // of this round, sorted by acceptor
	Conditions          []RoundCondition // of this round, by number
	LastConditionNumber int              // highest number given so far
	Rejection           *Rejection       // that ended the last round; nil: none. Replaced, never modified
	Dispute             *Dispute         // nil unless disputed; replaced, never modified
	StartedOn           Date
	AgreedOn            Date // when the first baseline was agreed
	RoundEndedOn        Date // when the last delivery was rejected or withdrawn
	DeliveredOn         Date
	RecordedAt          int64  // time of recording of the last delivery, or of the completion, in microseconds since 1970 UTC
	LateReason          string // why the last delivery, or the completion, is dated long before its recording
	AcceptedOn          Date
	CompletedOn         Date          // of a private milestone
	Responsible         []Responsible // sorted by partner; dropped when the milestone is shared and when its partner leaves
	Waivers             []PartnerID   // acceptors that waived
	OwnerNomination     *Nomination   // nil: the owner has agreed; replaced, never modified
	BaselineOn          Date          // the agreed due date; zero: no baseline is agreed
	Public              bool          // see [MilestonePublished]
	Versions            Versions
}

// Plan holds the editable fields of a milestone.
type Plan struct {
	Title        string       `json:"title"`
	Description  string       `json:"description,omitempty"`
	Owner        PartnerID    `json:"owner"`
	Acceptors    []PartnerID  `json:"acceptors,omitempty"`
	DueOn        Date         `json:"due_on"`
	Criteria     []string     `json:"criteria,omitempty"`
	Instrument   InstrumentID `json:"instrument,omitempty"`
	ScheduleItem ItemID       `json:"schedule_item,omitempty"`
	Clause       string       `json:"clause,omitempty"` // obligation of the instrument that the milestone serves
}

// MilestoneState is the state of a milestone.
type MilestoneState string

// The states of a milestone.
const (
	Planned               MilestoneState = "planned"
	InProgress            MilestoneState = "in_progress"
	Delivered             MilestoneState = "delivered"
	ConditionallyAccepted MilestoneState = "conditionally_accepted" // all acceptors have accepted, some on conditions
	Accepted              MilestoneState = "accepted"
	PrivatelyCompleted    MilestoneState = "completed" // a private milestone that its owner has completed
	Disputed              MilestoneState = "disputed"
	Waived                MilestoneState = "waived"
	Cancelled             MilestoneState = "cancelled"
)

// MilestoneStates lists the states in the order of a milestone's life.
func MilestoneStates() []MilestoneState {
	return []MilestoneState{Planned, InProgress, Delivered, ConditionallyAccepted, Accepted, PrivatelyCompleted, Disputed, Waived, Cancelled}
}

// Final reports whether the milestone can no longer change.
func (s MilestoneState) Final() bool {
	return s == Accepted || s == PrivatelyCompleted || s == Waived || s == Cancelled
}

// Health is the owner's assessment of a milestone.
type Health string

// The values of Health.
const (
	Green Health = "green"
	Amber Health = "amber"
	Red   Health = "red"
)

// Healths returns all values, best first.
func Healths() []Health { return []Health{Green, Amber, Red} }

// Forecast is a partner's expected date.
type Forecast struct {
	Partner PartnerID `json:"partner"`
	On      Date      `json:"on"`
	Reason  string    `json:"reason,omitempty"`
}

// DecisionState is the result of an acceptor's decision on a delivery.
type DecisionState string

// The states of a decision.
const (
	DecisionPending     DecisionState = "pending"
	DecisionAccepted    DecisionState = "accepted"
	DecisionConditional DecisionState = "conditional" // accepted, once its conditions are closed
	DecisionRejected    DecisionState = "rejected"
)

// Decision is one acceptor's decision on the present delivery.
type Decision struct {
	Partner   PartnerID
	State     DecisionState
	DecidedOn Date
}

// VisibleTo reports whether the partner may see the milestone of the given project.
func (m *Milestone) VisibleTo(partner PartnerID, project *Project) bool {
	return m.Audience.VisibleTo(partner, project.Participants)
}

// WithoutPrivate returns a copy without private data of partners (R16). A new private field must be added here.
func (m *Milestone) WithoutPrivate() *Milestone {
	open := *m
	open.PrivateForecasts, open.Assessments, open.PrivateEvidence, open.Versions.Private = nil, nil, nil, nil
	if first := open.Versions.First; first != nil && first.PrivateFor != "" {
		open.Versions.First = &FirstEvents{Event: first.Shared}
	}
	return &open
}

// Forecast returns the partner's shared forecast; zero if it has none.
func (m *Milestone) Forecast(partner PartnerID) Forecast { return forecastOf(m.Forecasts, partner) }

// PrivateForecast returns the partner's private forecast; zero if it has none.
func (m *Milestone) PrivateForecast(partner PartnerID) Forecast {
	return forecastOf(m.PrivateForecasts, partner)
}

func forecastOf(list []Forecast, partner PartnerID) Forecast {
	for _, forecast := range list {
		if forecast.Partner == partner {
			return forecast
		}
	}
	return Forecast{}
}

// ForecastsDisagree reports whether the shared forecasts are further apart than the tolerance in days (R14); false
// in a final state, and if the milestone has [Milestone.Ended].
func (m *Milestone) ForecastsDisagree(toleranceDays int, ended bool) bool {
	if len(m.Forecasts) < 2 || m.State.Final() || ended {
		return false
	}
	order := func(left, right Forecast) int { return int(left.On) - int(right.On) }
	first, last := slices.MinFunc(m.Forecasts, order).On, slices.MaxFunc(m.Forecasts, order).On
	return last.DaysSince(first) > toleranceDays
}

// Overdue reports whether the milestone should have been delivered before today, a date in the owner's time zone.
func (m *Milestone) Overdue(today Date) bool {
	return (m.State == Planned || m.State == InProgress) && m.Plan.DueOn < today && m.OwnerAgreed()
}

// Variance returns the number of days from the baseline to the delivery date, or to the owner's shared forecast
// before a delivery. It is false without a baseline, or without such a date.
func (m *Milestone) Variance() (days int, known bool) {
	on := m.DeliveredOn
	if on == 0 {
		on = m.Forecast(m.Plan.Owner).On
	}
	if m.BaselineOn == 0 || on == 0 {
		return 0, false
	}
	return on.DaysSince(m.BaselineOn), true
}

// Decision returns the partner's decision of this round; zero if it has none to make.
func (m *Milestone) Decision(partner PartnerID) Decision {
	for _, decision := range m.Decisions {
		if decision.Partner == partner {
			return decision
		}
	}
	return Decision{}
}

// Awaits reports whether the partner still has to decide the present delivery.
func (m *Milestone) Awaits(partner PartnerID) bool {
	return m.State == Delivered && m.Decision(partner).State == DecisionPending
}

func (m *Milestone) versions() *Versions {
	if m == nil {
		return nil
	}
	return &m.Versions
}

// validate leaves out what the plan names of an instrument; see instrumentRefs.
func (p Plan) validate(project *Project, private bool) (check validation) {
	check.line("title", p.Title, 200, true)
	check.text("description", p.Description, 10000, false)
	check.requiredDate("due_on", p.DueOn)
	if len(p.Criteria) > 100 {
		check.add("criteria", "has %d; at most 100 are allowed", len(p.Criteria))
	}
	for _, criterion := range p.Criteria {
		check.text("criteria", criterion, 1000, true)
	}
	if !project.Participant(p.Owner) {
		check.add("owner", "%q does not take part in the project; name a participant", p.Owner)
	}
	p.validateAcceptors(project, private, &check)
	return check
}

func (p Plan) validateAcceptors(project *Project, private bool, check *validation) {
	if private {
		if len(p.Acceptors) > 0 {
			check.add("acceptors", "a private milestone has none; leave them out")
		}
		return
	}
	if len(p.Acceptors) == 0 {
		check.add("acceptors", "name at least one")
	}
	if partner, twice := duplicate(p.Acceptors); twice {
		check.add("acceptors", "%s is named twice; name it once", partner)
	}
	for _, partner := range p.Acceptors {
		switch {
		case partner == p.Owner:
			check.add("acceptors", "%s owns the milestone and cannot also accept it; name other participants", partner)
		case !project.Participant(partner):
			check.add("acceptors", "%q does not take part in the project; name participants", partner)
		}
	}
}

// milestoneContext is a milestone with its project and agreement, as one actor may see them.
type milestoneContext struct {
	*Milestone
	project   *Project
	agreement *Agreement
}

// findMilestone returns the milestone, or not found if the actor may not see it.
func findMilestone(state State, ref MilestoneRef, dc DecisionContext) (milestoneContext, error) {
	agreement, project, err := findProject(state, ref.ProjectRef(), dc)
	if err != nil {
		return milestoneContext{}, err
	}
	milestone := state.Milestone(ref)
	if milestone == nil || !milestone.VisibleTo(dc.Actor.Partner, project) {
		return milestoneContext{}, ErrNotFound()
	}
	return milestoneContext{milestone, project, agreement}, nil
}

// requireOwner refuses all actors but a manager of the owner (R10).
func (m milestoneContext) requireOwner(dc DecisionContext) error {
	if err := dc.requireManager(); err != nil {
		return err
	}
	if m.Plan.Owner != dc.Actor.Partner {
		return forbidden("not_owner", "Only the owner, %s, can do this.", m.Plan.Owner)
	}
	return nil
}

// requireAcceptor refuses all actors but a manager of an acceptor (R10).
func (m milestoneContext) requireAcceptor(dc DecisionContext) error {
	if err := dc.requireManager(); err != nil {
		return err
	}
	if !slices.Contains(m.Plan.Acceptors, dc.Actor.Partner) {
		return forbidden("not_acceptor", "Only an acceptor can do this; %s is not one.", dc.Actor.Partner)
	}
	return nil
}

// requireState refuses all states but the given ones.
func (m milestoneContext) requireState(states ...MilestoneState) error {
	if slices.Contains(states, m.State) {
		return nil
	}
	if m.State.Final() {
		return conflict("milestone_final", "Milestone %s is %s and can no longer change.", m.Ref.Milestone, m.State)
	}
	if m.State == Disputed {
		return conflict("milestone_disputed",
			"Milestone %s is disputed; owner and acceptors must first name the same settlement.", m.Ref.Milestone)
	}
	return conflict("wrong_state", "Milestone %s is %s; this is possible only while it is %s.", m.Ref.Milestone, Term(m.State), termsOf(states))
}

func termsOf(states []MilestoneState) terms {
	list := make(terms, len(states))
	for i, state := range states {
		list[i] = Term(state)
	}
	return list
}

// event returns one event about the milestone, with the milestone's own audience.
func (m milestoneContext) event(payload Payload) []Event {
	return []Event{{Subject: string(m.Ref.Milestone), Audience: m.Audience, Payload: payload}}
}

func (h Header) editMilestone(world *World) *Milestone {
	milestone := world.editMilestone(h.milestoneRef())
	milestone.Versions.count(h)
	return milestone
}
