package domain

import (
	"slices"
	"time"
)

// Milestone is a dated result that one partner owns and others accept.
//
// R9: a milestone has one owner; its acceptors, never the owner, default to all other
// participants.
//
// R10: only the owner starts, reports, delivers and withdraws a delivery; only an acceptor
// decides; neither alone can finish it.
//
// R11: a rejection carries reasons, ends the round and voids its other decisions; the milestone
// is in progress again with its history kept. All acceptors must accept.
//
// R14: each participant keeps its own forecast; moving one needs a reason; forecasts further apart
// than the agreement's tolerance are a disagreement.
//
// Until a baseline is agreed the owner alone edits or cancels. Waiving takes every acceptor.
type Milestone struct {
	Ref         MilestoneRef
	Plan        Plan
	Audience    Audience
	State       MilestoneState
	Health      Health // empty: not declared
	HealthNote  string
	Progress    int // percent
	Forecasts   []Forecast
	Private     []Forecast // private forecasts, each seen by its partner only
	Round       int        // deliveries so far
	Decisions   []Decision // of this round, sorted by acceptor
	DeliveredOn Date
	AcceptedOn  Date
	Waivers     []PartnerID // acceptors that waived
	Seen        Seen
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
}

// MilestoneState is where a milestone stands.
type MilestoneState string

// The states of a milestone.
const (
	Planned    MilestoneState = "planned"
	InProgress MilestoneState = "in_progress"
	Delivered  MilestoneState = "delivered"
	Accepted   MilestoneState = "accepted"
	Waived     MilestoneState = "waived"
	Cancelled  MilestoneState = "cancelled"
)

// MilestoneStates lists the states in the order of a milestone's life.
func MilestoneStates() []MilestoneState {
	return []MilestoneState{Planned, InProgress, Delivered, Accepted, Waived, Cancelled}
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
	DecisionPending  DecisionState = "pending"
	DecisionAccepted DecisionState = "accepted"
	DecisionRejected DecisionState = "rejected"
)

// Decision is one acceptor's on the present delivery.
type Decision struct {
	Partner   PartnerID
	State     DecisionState
	DecidedOn Date
}

// Evidence supports a delivery.
type Evidence struct {
	Title  string `json:"title"`
	URL    string `json:"url"`
	SHA256 string `json:"sha256,omitempty"` // lower-case hexadecimal
}

// Sees reports whether partner p may see the milestone of project in.
func (m *Milestone) Sees(p PartnerID, in *Project) bool { return m.Audience.Sees(p, in.Participants) }

// Forecast returns p's shared forecast; zero if it has none.
func (m *Milestone) Forecast(p PartnerID) Forecast { return forecastOf(m.Forecasts, p) }

// PrivateForecast returns p's private forecast; zero if it has none.
func (m *Milestone) PrivateForecast(p PartnerID) Forecast { return forecastOf(m.Private, p) }

func forecastOf(list []Forecast, p PartnerID) Forecast {
	for _, f := range list {
		if f.Partner == p {
			return f
		}
	}
	return Forecast{}
}

// Disagreement reports whether the shared forecasts are further apart than the tolerance in days
// (R14).
func (m *Milestone) Disagreement(toleranceDays int) bool {
	if len(m.Forecasts) < 2 {
		return false
	}
	order := func(a, b Forecast) int { return int(a.On) - int(b.On) }
	first, last := slices.MinFunc(m.Forecasts, order).On, slices.MaxFunc(m.Forecasts, order).On
	return last.DaysSince(first) > toleranceDays
}

// Overdue reports whether the milestone should have been delivered before today, which is the
// date in the owner's zone. It is derived, never stored.
func (m *Milestone) Overdue(today Date) bool {
	return (m.State == Planned || m.State == InProgress) && m.Plan.DueOn < today
}

// Awaits reports whether p still has to decide the present delivery.
func (m *Milestone) Awaits(p PartnerID) bool {
	return m.State == Delivered && slices.ContainsFunc(m.Decisions, func(d Decision) bool {
		return d.Partner == p && d.State == DecisionPending
	})
}

func (m *Milestone) seen() *Seen {
	if m == nil {
		return nil
	}
	return &m.Seen
}

func (p Plan) faults(a *Agreement, in *Project, private bool) (f faults) {
	f.text("title", p.Title, 200, true)
	f.text("description", p.Description, 10000, false)
	f.date("due_on", p.DueOn)
	if len(p.Criteria) > 100 {
		f.add("criteria", "there are %d; at most 100 are allowed", len(p.Criteria))
	}
	for _, c := range p.Criteria {
		f.text("criteria", c, 1000, true)
	}
	if !in.Participant(p.Owner) {
		f.add("owner", "%q does not take part in the project", p.Owner)
	}
	p.acceptorFaults(in, private, &f)
	f.instrument(a, p.Instrument, p.ScheduleItem)
	return f
}

func (p Plan) acceptorFaults(in *Project, private bool, f *faults) {
	if private {
		if len(p.Acceptors) > 0 {
			f.add("acceptors", "a private milestone has none")
		}
		return
	}
	if len(p.Acceptors) == 0 {
		f.add("acceptors", "at least one is needed")
	}
	if x, twice := duplicate(p.Acceptors); twice {
		f.add("acceptors", "%s is named twice", x)
	}
	for _, x := range p.Acceptors {
		switch {
		case x == p.Owner:
			f.add("acceptors", "%s owns the milestone and cannot accept it", x)
		case !in.Participant(x):
			f.add("acceptors", "%q does not take part in the project", x)
		}
	}
}

// located is a milestone with its surroundings, as one actor may see them.
type located struct {
	*Milestone
	project   *Project
	agreement *Agreement
}

// find returns the milestone if the actor may see it.
func find(s State, ref MilestoneRef, m Meta) (located, error) {
	a, p, err := participantIn(s, ref.ProjectRef(), m)
	if err != nil {
		return located{}, err
	}
	x := s.Milestone(ref)
	if x == nil || !x.Sees(m.Actor.Partner, p) {
		return located{}, ErrNotFound()
	}
	return located{x, p, a}, nil
}

// owns refuses all but a manager of the owner (R10).
func (x located) owns(m Meta) error {
	if err := m.manager(); err != nil {
		return err
	}
	if x.Plan.Owner != m.Actor.Partner {
		return forbidden("not_owner", "Only the owner, %s, can do this.", x.Plan.Owner)
	}
	return nil
}

// accepts refuses all but a manager of an acceptor (R10).
func (x located) accepts(m Meta) error {
	if err := m.manager(); err != nil {
		return err
	}
	if !slices.Contains(x.Plan.Acceptors, m.Actor.Partner) {
		return forbidden("not_acceptor", "Only an acceptor can do this; %s is none.", m.Actor.Partner)
	}
	return nil
}

// in refuses every state but the given ones.
func (x located) in(states ...MilestoneState) error {
	if slices.Contains(states, x.State) {
		return nil
	}
	if x.State.Final() {
		return conflict("milestone_final", "Milestone %s is %s; nothing more happens to it.", x.Ref.Milestone, x.State)
	}
	return conflict("wrong_state", "Milestone %s is %s; this takes one that is %s.", x.Ref.Milestone, x.State, states[0])
}

// event wraps a payload about the milestone for the milestone's own audience.
func (x located) event(p Payload) []Event {
	return []Event{{Subject: string(x.Ref.Milestone), Audience: x.Audience, Payload: p}}
}

func (h Header) edit(w *World) *Milestone {
	x := w.editMilestone(h.milestone())
	x.Seen.Count(h.Audience, h.RecordedAt)
	return x
}

func streamOf(ref MilestoneRef) Stream {
	return Stream{Agreement: ref.Agreement, Project: ref.Project}
}

// PlanMilestone adds a milestone. With Private only the acting partner sees it; the edge has then
// ended the id in a random suffix (R16).
type PlanMilestone struct {
	Ref     MilestoneRef `json:"ref"`
	Plan    Plan         `json:"plan"`
	Private bool         `json:"private,omitempty"`
}

// MilestonePlanned is the first event of a milestone.
type MilestonePlanned struct {
	Plan Plan `json:"plan"`
}

// Stream implements Command.
func (c PlanMilestone) Stream() Stream { return streamOf(c.Ref) }

func (c PlanMilestone) decide(s State, m Meta) ([]Event, error) {
	a, p, err := participantIn(s, c.Ref.ProjectRef(), m)
	if err != nil {
		return nil, err
	}
	plan, audience := c.Plan, Shared
	if c.Private {
		audience = PrivateTo(m.Actor.Partner)
	} else if plan.Acceptors == nil {
		plan.Acceptors = without(p.Participants, plan.Owner)
	}
	f := plan.faults(a, p, c.Private)
	f.slug("id", string(c.Ref.Milestone))
	if c.Private && plan.Owner != m.Actor.Partner {
		f.add("owner", "a private milestone is its own partner's")
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	if err := c.allowed(s, a, p, m); err != nil {
		return nil, err
	}
	return []Event{{string(c.Ref.Milestone), audience, MilestonePlanned{plan}}}, nil
}

func (c PlanMilestone) allowed(s State, a *Agreement, p *Project, m Meta) error {
	if err := m.manager(); err != nil {
		return err
	}
	if err := a.open(m.At); err != nil {
		return err
	}
	if err := p.planning(); err != nil {
		return err
	}
	if s.Milestone(c.Ref) != nil {
		return conflict("milestone_exists", "Project %s has a milestone %s already.", c.Ref.Project, c.Ref.Milestone)
	}
	return nil
}

func (e MilestonePlanned) apply(w *World, h Header) {
	x := h.edit(w)
	x.Ref, x.Plan, x.Audience, x.State = h.milestone(), e.Plan, h.Audience, Planned
}

// EditMilestone replaces what is set. The owner alone edits, until the delivery.
type EditMilestone struct {
	Ref          MilestoneRef  `json:"ref"`
	Title        *string       `json:"title,omitempty"`
	Description  *string       `json:"description,omitempty"`
	Owner        *PartnerID    `json:"owner,omitempty"`
	Acceptors    *[]PartnerID  `json:"acceptors,omitempty"`
	DueOn        *Date         `json:"due_on,omitempty"`
	Criteria     *[]string     `json:"criteria,omitempty"`
	Instrument   *InstrumentID `json:"instrument,omitempty"`
	ScheduleItem *ItemID       `json:"schedule_item,omitempty"`
}

// MilestoneEdited carries the plan after and before.
type MilestoneEdited struct {
	To   Plan `json:"to"`
	From Plan `json:"from"`
}

// Stream implements Command.
func (c EditMilestone) Stream() Stream { return streamOf(c.Ref) }

func (c EditMilestone) target(s State) *Seen { return seenOf(s.Milestone(c.Ref)) }

func (c EditMilestone) decide(s State, m Meta) ([]Event, error) {
	x, err := find(s, c.Ref, m)
	if err != nil {
		return nil, err
	}
	to := c.merged(x.Plan)
	_, private := x.Audience.Private()
	f := to.faults(x.agreement, x.project, private)
	if private && to.Owner != x.Plan.Owner {
		f.add("owner", "a private milestone keeps its owner")
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	if err := x.owns(m); err != nil {
		return nil, err
	}
	if err := x.in(Planned, InProgress); err != nil {
		return nil, err
	}
	return x.event(MilestoneEdited{To: to, From: x.Plan}), nil
}

func (c EditMilestone) merged(p Plan) Plan {
	set(&p.Title, c.Title)
	set(&p.Description, c.Description)
	set(&p.Owner, c.Owner)
	set(&p.Acceptors, c.Acceptors)
	set(&p.DueOn, c.DueOn)
	set(&p.Criteria, c.Criteria)
	set(&p.Instrument, c.Instrument)
	set(&p.ScheduleItem, c.ScheduleItem)
	return p
}

func (e MilestoneEdited) apply(w *World, h Header) {
	x := h.edit(w)
	x.Plan = e.To
	if !slices.Equal(e.To.Acceptors, e.From.Acceptors) {
		x.Waivers = nil // given among others; they would count for too much now
	}
}

// StartMilestone begins the work.
type StartMilestone struct {
	Ref MilestoneRef `json:"ref"`
}

// MilestoneStarted says that the owner began.
type MilestoneStarted struct{}

// Stream implements Command.
func (c StartMilestone) Stream() Stream { return streamOf(c.Ref) }

func (c StartMilestone) target(s State) *Seen { return seenOf(s.Milestone(c.Ref)) }

func (c StartMilestone) decide(s State, m Meta) ([]Event, error) {
	x, err := find(s, c.Ref, m)
	if err != nil {
		return nil, err
	}
	if err := x.owns(m); err != nil {
		return nil, err
	}
	if err := x.agreement.open(m.At); err != nil {
		return nil, err
	}
	if err := x.project.planning(); err != nil {
		return nil, err
	}
	if err := x.in(Planned); err != nil {
		return nil, err
	}
	return x.event(MilestoneStarted{}), nil
}

func (MilestoneStarted) apply(w *World, h Header) { h.edit(w).State = InProgress }

// ReportProgress sets what is not nil; at least one is.
type ReportProgress struct {
	Ref     MilestoneRef `json:"ref"`
	Percent *int         `json:"percent,omitempty"`
	Health  *Health      `json:"health,omitempty"`
	Note    *string      `json:"note,omitempty"`
}

// Report is the owner's word on how it goes.
type Report struct {
	Percent int    `json:"percent"`
	Health  Health `json:"health,omitempty"`
	Note    string `json:"note,omitempty"`
}

// MilestoneProgressed carries the report after and before.
type MilestoneProgressed struct {
	To   Report `json:"to"`
	From Report `json:"from"`
}

// Stream implements Command.
func (c ReportProgress) Stream() Stream { return streamOf(c.Ref) }

func (c ReportProgress) target(s State) *Seen { return seenOf(s.Milestone(c.Ref)) }

func (c ReportProgress) decide(s State, m Meta) ([]Event, error) {
	x, err := find(s, c.Ref, m)
	if err != nil {
		return nil, err
	}
	if err := c.faults().err(); err != nil {
		return nil, err
	}
	if err := x.owns(m); err != nil {
		return nil, err
	}
	if err := x.in(InProgress); err != nil {
		return nil, err
	}
	from := Report{x.Progress, x.Health, x.HealthNote}
	to := from
	if c.Health != nil && c.Note == nil {
		to.Note = "" // a note belongs to the health it was given with
	}
	set(&to.Percent, c.Percent)
	set(&to.Health, c.Health)
	set(&to.Note, c.Note)
	return x.event(MilestoneProgressed{To: to, From: from}), nil
}

func (c ReportProgress) faults() (f faults) {
	if c.Percent == nil && c.Health == nil && c.Note == nil {
		f.add("percent", "give percent, health or note")
	}
	if c.Percent != nil {
		f.between("percent", *c.Percent, 0, 100)
	}
	if c.Health != nil && !slices.Contains(Healths(), *c.Health) {
		f.add("health", "%q is neither green, amber nor red", *c.Health)
	}
	if c.Note != nil {
		f.text("note", *c.Note, 2000, false)
	}
	return f
}

func (e MilestoneProgressed) apply(w *World, h Header) {
	x := h.edit(w)
	x.Progress, x.Health, x.HealthNote = e.To.Percent, e.To.Health, e.To.Note
}

// MoveForecast sets the acting partner's forecast, its shared one or its private one.
type MoveForecast struct {
	Ref     MilestoneRef `json:"ref"`
	On      Date         `json:"on"`
	Reason  string       `json:"reason,omitempty"`
	Private bool         `json:"private,omitempty"`
}

// ForecastMoved carries the forecast after and before; From is zero for the first one. Its
// audience tells a private forecast from a shared one on a shared milestone.
type ForecastMoved struct {
	To   Forecast `json:"to"`
	From Date     `json:"from,omitzero"`
}

// Stream implements Command.
func (c MoveForecast) Stream() Stream { return streamOf(c.Ref) }

func (c MoveForecast) target(s State) *Seen { return seenOf(s.Milestone(c.Ref)) }

func (c MoveForecast) decide(s State, m Meta) ([]Event, error) {
	x, err := find(s, c.Ref, m)
	if err != nil {
		return nil, err
	}
	from := x.Forecast(m.Actor.Partner).On
	if c.Private {
		from = x.PrivateForecast(m.Actor.Partner).On
	}
	var f faults
	f.date("on", c.On)
	f.text("reason", c.Reason, 2000, from != 0)
	if err := f.err(); err != nil {
		return nil, err
	}
	if err := m.manager(); err != nil {
		return nil, err
	}
	if err := x.in(Planned, InProgress, Delivered); err != nil {
		return nil, err
	}
	events := x.event(ForecastMoved{To: Forecast{m.Actor.Partner, c.On, c.Reason}, From: from})
	if c.Private {
		events[0].Audience = PrivateTo(m.Actor.Partner)
	}
	return events, nil
}

func (e ForecastMoved) apply(w *World, h Header) {
	x := h.edit(w)
	key := func(f Forecast) string { return string(f.Partner) }
	if _, private := h.Audience.Private(); private && h.Audience != x.Audience {
		x.Private = put(x.Private, e.To, key)
		return
	}
	x.Forecasts = put(x.Forecasts, e.To, key)
}

// CancelMilestone ends a milestone that is no longer wanted; the owner alone, until the delivery.
type CancelMilestone struct {
	Ref    MilestoneRef `json:"ref"`
	Reason string       `json:"reason,omitempty"`
}

// MilestoneCancelled is final.
type MilestoneCancelled struct {
	Reason string         `json:"reason,omitempty"`
	From   MilestoneState `json:"from"`
}

// Stream implements Command.
func (c CancelMilestone) Stream() Stream { return streamOf(c.Ref) }

func (c CancelMilestone) target(s State) *Seen { return seenOf(s.Milestone(c.Ref)) }

func (c CancelMilestone) decide(s State, m Meta) ([]Event, error) {
	x, err := find(s, c.Ref, m)
	if err != nil {
		return nil, err
	}
	var f faults
	f.text("reason", c.Reason, 2000, false)
	if err := f.err(); err != nil {
		return nil, err
	}
	if err := x.owns(m); err != nil {
		return nil, err
	}
	if err := x.in(Planned, InProgress); err != nil {
		return nil, err
	}
	return x.event(MilestoneCancelled{c.Reason, x.State}), nil
}

func (MilestoneCancelled) apply(w *World, h Header) { h.edit(w).State = Cancelled }

// CommentMilestone says something about a milestone, to all who see it or to one's own partner.
type CommentMilestone struct {
	Ref     MilestoneRef `json:"ref"`
	Text    string       `json:"text"`
	Private bool         `json:"private,omitempty"`
}

// MilestoneCommented changes nothing but the history.
type MilestoneCommented struct {
	Text string `json:"text"`
}

// Stream implements Command.
func (c CommentMilestone) Stream() Stream { return streamOf(c.Ref) }

func (c CommentMilestone) target(s State) *Seen { return seenOf(s.Milestone(c.Ref)) }

func (c CommentMilestone) decide(s State, m Meta) ([]Event, error) {
	x, err := find(s, c.Ref, m)
	if err != nil {
		return nil, err
	}
	var f faults
	f.text("text", c.Text, 10000, true)
	if err := f.err(); err != nil {
		return nil, err
	}
	if err := m.manager(); err != nil {
		return nil, err
	}
	events := x.event(MilestoneCommented{c.Text})
	if c.Private {
		events[0].Audience = PrivateTo(m.Actor.Partner)
	}
	return events, nil
}

func (MilestoneCommented) apply(w *World, h Header) { h.edit(w) }

// ShareMilestone shows a private milestone to all participants (R17).
type ShareMilestone struct {
	Ref       MilestoneRef `json:"ref"`
	Acceptors []PartnerID  `json:"acceptors,omitempty"` // nil: all other participants
}

// MilestoneShared carries the present state: it is all that the others ever see of what was
// before.
type MilestoneShared struct {
	Plan     Plan           `json:"plan"`
	State    MilestoneState `json:"state"`
	Report   Report         `json:"report"`
	Forecast *Forecast      `json:"forecast,omitempty"`
}

// Stream implements Command.
func (c ShareMilestone) Stream() Stream { return streamOf(c.Ref) }

func (c ShareMilestone) target(s State) *Seen { return seenOf(s.Milestone(c.Ref)) }

func (c ShareMilestone) decide(s State, m Meta) ([]Event, error) {
	x, err := find(s, c.Ref, m)
	if err != nil {
		return nil, err
	}
	plan := x.Plan
	plan.Acceptors = c.Acceptors
	if c.Acceptors == nil {
		plan.Acceptors = without(x.project.Participants, plan.Owner)
	}
	if err := plan.faults(x.agreement, x.project, false).err(); err != nil {
		return nil, err
	}
	if err := x.owns(m); err != nil {
		return nil, err
	}
	if x.Audience == Shared {
		return nil, conflict("already_shared", "Milestone %s is shared already.", x.Ref.Milestone)
	}
	if err := x.in(Planned, InProgress); err != nil {
		return nil, err
	}
	e := MilestoneShared{Plan: plan, State: x.State, Report: Report{x.Progress, x.Health, x.HealthNote}}
	if f := x.Forecast(plan.Owner); f.On != 0 {
		e.Forecast = &f
	}
	return shared(string(x.Ref.Milestone), e), nil
}

func (e MilestoneShared) apply(w *World, h Header) {
	x := h.edit(w)
	x.Audience, x.Plan, x.State = Shared, e.Plan, e.State
	x.Progress, x.Health, x.HealthNote = e.Report.Percent, e.Report.Health, e.Report.Note
}

// Changed returns the time of the last event about the milestone that p may see.
func (m *Milestone) Changed(p PartnerID) time.Time {
	_, at := m.Seen.For(p)
	return at
}
