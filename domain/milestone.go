package domain

import (
	"slices"
	"strings"
	"time"
)

// Milestone is a dated result that one partner owns and others accept.
//
// R9: a milestone has one owner; its acceptors, never the owner, default to all other
// participants.
//
// R10: only the owner starts, reports, delivers and withdraws a delivery, the latter while nobody
// has decided it; only an acceptor decides; neither alone can finish it.
//
// R11: a rejection carries reasons, ends the round and voids its other decisions; the milestone
// is in progress again with its history kept. All acceptors must accept. So that nobody escapes a rejection, an
// acceptor that was asked to decide a delivery is left out only by a change request, with a baseline or without.
//
// R12 (without the acceptance clock): acceptance on conditions, see [Condition], and disputes, see
// [Dispute].
//
// R14: each participant keeps its own forecast; moving one needs a reason; forecasts further apart
// than the agreement's tolerance are a disagreement.
//
// R15: until a baseline is agreed the owner alone edits or cancels; then see [ChangeRequest]. Waiving
// takes every acceptor.
type Milestone struct {
	Ref                 MilestoneRef
	Plan                Plan
	Audience            Audience
	State               MilestoneState
	Health              Health // empty: not declared
	HealthNote          string
	Progress            int // percent
	Forecasts           []Forecast
	PrivateForecasts    []Forecast       // private forecasts, each seen by its partner only
	Assessments         []Assessment     // likewise, sorted by partner
	Evidence            []Evidence       // of the last delivery, unless it was withdrawn
	PrivateEvidence     *PrivateEvidence // likewise; seen by its partner only, replaced, never changed
	Round               int              // deliveries so far
	Decisions           []Decision       // of this round, sorted by acceptor
	Conditions          []RoundCondition // of this round, by number
	LastConditionNumber int              // the greatest number given so far
	Rejection           *Rejection       // what ended the last round; nil: no rejection did. Replaced, never changed
	Dispute             *Dispute         // nil unless disputed; likewise
	DeliveredOn         Date
	AcceptedOn          Date
	Waivers             []PartnerID // acceptors that waived
	BaselineOn          Date        // the agreed date, which is then the plan's; zero: none is agreed
	Public              bool        // everybody sees it; see [MilestonePublished]
	Versions            Versions
}

// Plan is what the owner sets out to do.
type Plan struct {
	Title        string       `json:"title"`
	Description  string       `json:"description,omitempty"`
	Owner        PartnerID    `json:"owner"`
	Acceptors    []PartnerID  `json:"acceptors,omitempty"`
	DueOn        Date         `json:"due_on"`
	Criteria     []string     `json:"criteria,omitempty"`
	Instrument   InstrumentID `json:"instrument,omitempty"`
	ScheduleItem ItemID       `json:"schedule_item,omitempty"`
	Clause       string       `json:"clause,omitempty"` // of its instrument: the obligation that it serves
}

// MilestoneState is where a milestone stands.
type MilestoneState string

// The states of a milestone.
const (
	Planned               MilestoneState = "planned"
	InProgress            MilestoneState = "in_progress"
	Delivered             MilestoneState = "delivered"
	ConditionallyAccepted MilestoneState = "conditionally_accepted" // all have said yes, some on conditions
	Accepted              MilestoneState = "accepted"
	Disputed              MilestoneState = "disputed"
	Waived                MilestoneState = "waived"
	Cancelled             MilestoneState = "cancelled"
)

// MilestoneStates lists the states in the order of a milestone's life.
func MilestoneStates() []MilestoneState {
	return []MilestoneState{Planned, InProgress, Delivered, ConditionallyAccepted, Accepted, Disputed, Waived, Cancelled}
}

// Final reports whether nothing more can happen to the milestone itself.
func (s MilestoneState) Final() bool { return s == Accepted || s == Waived || s == Cancelled }

// Health is what the owner declares.
type Health string

// The declared healths.
const (
	Green Health = "green"
	Amber Health = "amber"
	Red   Health = "red"
)

// Healths lists them, best first.
func Healths() []Health { return []Health{Green, Amber, Red} }

// Forecast is one partner's present expectation.
type Forecast struct {
	Partner PartnerID `json:"partner"`
	On      Date      `json:"on"`
	Reason  string    `json:"reason,omitempty"`
}

// DecisionState is how an acceptor has decided a delivery.
type DecisionState string

// The states of a decision.
const (
	DecisionPending     DecisionState = "pending"
	DecisionAccepted    DecisionState = "accepted"
	DecisionConditional DecisionState = "conditional" // yes, once its conditions are closed
	DecisionRejected    DecisionState = "rejected"
)

// Decision is one acceptor's on the present delivery.
type Decision struct {
	Partner   PartnerID
	State     DecisionState
	DecidedOn Date
}

// VisibleTo reports whether partner p may see the milestone of project in.
func (m *Milestone) VisibleTo(partner PartnerID, project *Project) bool {
	return m.Audience.VisibleTo(partner, project.Participants)
}

// WithoutPrivate returns a copy without what partners keep for themselves (R16): all that has a private kind
// is named here.
func (m *Milestone) WithoutPrivate() *Milestone {
	open := *m
	open.PrivateForecasts, open.Assessments, open.PrivateEvidence, open.Versions.Private = nil, nil, nil, nil
	return &open
}

// Forecast returns p's shared forecast; zero if it has none.
func (m *Milestone) Forecast(partner PartnerID) Forecast { return forecastOf(m.Forecasts, partner) }

// PrivateForecast returns p's private forecast; zero if it has none.
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

// ForecastsDisagree reports whether the shared forecasts are further apart than the tolerance in days
// (R14).
func (m *Milestone) ForecastsDisagree(toleranceDays int) bool {
	if len(m.Forecasts) < 2 {
		return false
	}
	order := func(left, right Forecast) int { return int(left.On) - int(right.On) }
	first, last := slices.MinFunc(m.Forecasts, order).On, slices.MaxFunc(m.Forecasts, order).On
	return last.DaysSince(first) > toleranceDays
}

// Overdue reports whether the milestone should have been delivered before today, which is the
// date in the owner's zone. It is derived, never stored.
func (m *Milestone) Overdue(today Date) bool {
	return (m.State == Planned || m.State == InProgress) && m.Plan.DueOn < today
}

// Variance returns by how many days the date of delivery, else the owner's shared forecast, is later than
// the baseline; false without a baseline, or without such a date.
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

// Decision returns p's decision of this round; zero if it has none to make.
func (m *Milestone) Decision(partner PartnerID) Decision {
	for _, decision := range m.Decisions {
		if decision.Partner == partner {
			return decision
		}
	}
	return Decision{}
}

// Awaits reports whether p still has to decide the present delivery.
func (m *Milestone) Awaits(partner PartnerID) bool {
	return m.State == Delivered && m.Decision(partner).State == DecisionPending
}

func (m *Milestone) versions() *Versions {
	if m == nil {
		return nil
	}
	return &m.Versions
}

func (p Plan) validate(agreement *Agreement, project *Project, private bool) (check validation) {
	check.line("title", p.Title, 200, true)
	check.text("description", p.Description, 10000, false)
	check.requiredDate("due_on", p.DueOn)
	if len(p.Criteria) > 100 {
		check.add("criteria", "there are %d; at most 100 are allowed", len(p.Criteria))
	}
	for _, criterion := range p.Criteria {
		check.text("criteria", criterion, 1000, true)
	}
	if !project.Participant(p.Owner) {
		check.add("owner", "%q does not take part in the project", p.Owner)
	}
	p.validateAcceptors(project, private, &check)
	check.instrumentRef(agreement, p.Instrument, p.ScheduleItem)
	check.clauseRef(agreement, p)
	return check
}

func (p Plan) validateAcceptors(project *Project, private bool, check *validation) {
	if private {
		if len(p.Acceptors) > 0 {
			check.add("acceptors", "a private milestone has none")
		}
		return
	}
	if len(p.Acceptors) == 0 {
		check.add("acceptors", "at least one is needed")
	}
	if partner, twice := duplicate(p.Acceptors); twice {
		check.add("acceptors", "%s is named twice", partner)
	}
	for _, partner := range p.Acceptors {
		switch {
		case partner == p.Owner:
			check.add("acceptors", "%s owns the milestone and cannot accept it", partner)
		case !project.Participant(partner):
			check.add("acceptors", "%q does not take part in the project", partner)
		}
	}
}

// milestoneContext is a milestone with its surroundings, as one actor may see them.
type milestoneContext struct {
	*Milestone
	project   *Project
	agreement *Agreement
}

// findMilestone returns the milestone if the actor may see it.
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

// requireOwner refuses all but a manager of the owner (R10).
func (m milestoneContext) requireOwner(dc DecisionContext) error {
	if err := dc.requireManager(); err != nil {
		return err
	}
	if m.Plan.Owner != dc.Actor.Partner {
		return forbidden("not_owner", "Only the owner, %s, can do this.", m.Plan.Owner)
	}
	return nil
}

// requireAcceptor refuses all but a manager of an acceptor (R10).
func (m milestoneContext) requireAcceptor(dc DecisionContext) error {
	if err := dc.requireManager(); err != nil {
		return err
	}
	if !slices.Contains(m.Plan.Acceptors, dc.Actor.Partner) {
		return forbidden("not_acceptor", "Only an acceptor can do this; %s is none.", dc.Actor.Partner)
	}
	return nil
}

// requireState refuses every state but the given ones.
func (m milestoneContext) requireState(states ...MilestoneState) error {
	if slices.Contains(states, m.State) {
		return nil
	}
	if m.State.Final() {
		return conflict("milestone_final", "Milestone %s is %s; nothing more happens to it.", m.Ref.Milestone, m.State)
	}
	if m.State == Disputed {
		return conflict("milestone_disputed",
			"Milestone %s is disputed; until owner and acceptors name the same outcome nothing else happens to it.", m.Ref.Milestone)
	}
	return conflict("wrong_state", "Milestone %s is %s; this takes one that is %s.", m.Ref.Milestone, m.State.words(), orList(states))
}

// orList writes "planned or in progress".
func orList(states []MilestoneState) string {
	words := make([]string, len(states))
	for i, state := range states {
		words[i] = state.words()
	}
	return strings.Join(words, " or ")
}

func (s MilestoneState) words() string { return strings.ReplaceAll(string(s), "_", " ") }

// event wraps a payload about the milestone for the milestone's own audience.
func (m milestoneContext) event(payload Payload) []Event {
	return []Event{{Subject: string(m.Ref.Milestone), Audience: m.Audience, Payload: payload}}
}

func (h Header) editMilestone(world *World) *Milestone {
	milestone := world.editMilestone(h.milestoneRef())
	milestone.Versions.Count(h.Audience, h.RecordedAt)
	return milestone
}

// LastChange returns the time of the last event about the milestone that p may see.
func (m *Milestone) LastChange(partner PartnerID) time.Time {
	_, at := m.Versions.For(partner)
	return at
}
