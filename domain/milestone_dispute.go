package domain

import (
	"slices"
	"time"
)

// Rejection is the decision that ended the last round.
type Rejection struct {
	Acceptor    PartnerID
	On          Date
	Reasons     []string
	Evidence    []Evidence
	DeliveredOn Date // date of the rejected delivery
	DisputeBy   Date // last day, in UTC, on which the owner may dispute it; zero: no limit
	Settled     bool // a dispute ended with the settlement rejected
}

// Dispute is the owner's objection to a rejection, or to the refusal of a condition. The rules:
//
// R12 (disputes): the owner may dispute a rejection, or the refusal of a condition, within the acceptance period; it is
// settled when owner and acceptors name the same settlement; meanwhile clocks stop. In detail:
//
//   - The present owner can dispute the rejection that ended the last round, once, until the next delivery. A
//     rejection by a partner that is no longer an acceptor has no effect and cannot be disputed.
//   - The acceptance period is the agreement's acceptance_days, counted as calendar days after the UTC day on
//     which the decision was recorded; 0 means no limit. The last day is fixed with the decision. (The
//     acceptance clock will change this to working days.)
//   - A disputed milestone has its delivery date again. It takes comments and new forecasts; every other command
//     is refused until the settlement.
//   - The settlements are accepted and rejected. The owner and every acceptor name one, because every acceptor
//     must accept (R11); disputing or rejecting does not name one. A partner can replace its choice. When all have
//     named the same, the dispute is settled.
//   - Settled as accepted, every acceptor accepts the milestone on that day; the round's conditions ended with the
//     rejection and stay void. Settled as rejected, the rejection stands and cannot be disputed again.
//   - A dispute about a condition leaves the round's decisions as they are. Settled as accepted, the condition is
//     closed, which makes its author's acceptance full if it was the author's last one. Settled as rejected, the
//     condition stays open; the owner can report it again, but not dispute the same refusal again.
type Dispute struct {
	Over      DecisionState // the disputed decision: a rejection or a condition; later also a deemed acceptance
	Condition int           // number of the disputed condition; 0: none
	Acceptor  PartnerID     // the acceptor that made the decision
	By        PartnerID
	On        Date
	Reason    string
	Since     int64              // time of recording, in microseconds since 1970 UTC
	Choices   []SettlementChoice // sorted by partner
}

// SettlementChoice is the settlement that a partner has named.
type SettlementChoice struct {
	Partner    PartnerID
	Settlement Settlement
}

// Settlement is the way a dispute ends.
type Settlement string

// The settlements of a dispute.
const (
	SettledAccepted Settlement = "accepted"
	SettledRejected Settlement = "rejected"
)

// Settlements returns all values.
func Settlements() []Settlement { return []Settlement{SettledAccepted, SettledRejected} }

// ChoiceOf returns the settlement that the partner has named; empty: none. It accepts a nil receiver.
func (d *Dispute) ChoiceOf(partner PartnerID) Settlement {
	if d == nil {
		return ""
	}
	for _, choice := range d.Choices {
		if choice.Partner == partner {
			return choice.Settlement
		}
	}
	return ""
}

// DisputeParties returns the partners that settle a dispute of the milestone: its owner and its acceptors.
func (m *Milestone) DisputeParties() []PartnerID {
	return append([]PartnerID{m.Plan.Owner}, m.Plan.Acceptors...)
}

// AwaitsSettlement reports whether the dispute waits for the partner: it has named no settlement, or another
// partner has named a different one.
func (m *Milestone) AwaitsSettlement(partner PartnerID) bool {
	if m.Dispute == nil || !slices.Contains(m.DisputeParties(), partner) {
		return false
	}
	mine := m.Dispute.ChoiceOf(partner)
	return mine == "" || slices.ContainsFunc(m.Dispute.Choices, func(choice SettlementChoice) bool { return choice.Settlement != mine })
}

// disputeBy returns the last day to dispute a rejection that is recorded at the given time; zero: no limit.
func (a *Agreement) disputeBy(at time.Time) Date {
	if a.Terms.AcceptanceDays == 0 {
		return 0
	}
	return DateOf(at.UTC()).AddDays(a.Terms.AcceptanceDays)
}

// DisputableRejection returns the rejection that the owner may dispute at the given time, or nil.
func (m *Milestone) DisputableRejection(at time.Time) *Rejection {
	rejection := m.Rejection
	switch {
	case m.State != InProgress, rejection == nil, rejection.Settled, !slices.Contains(m.Plan.Acceptors, rejection.Acceptor), rejection.tooLate(at):
		return nil
	}
	return rejection
}

func (r *Rejection) tooLate(at time.Time) bool {
	return r.DisputeBy != 0 && DateOf(at.UTC()) > r.DisputeBy
}

// DisputeMilestone disputes the rejection of the last delivery, or the refusal of a condition.
type DisputeMilestone struct {
	MilestoneRef `json:"ref"`
	Reason       string `json:"reason"`
	Condition    int    `json:"condition,omitempty"` // number; 0: the rejection
}

// MilestoneDisputed starts a dispute about one acceptor's decision on the last delivery.
type MilestoneDisputed struct {
	Over        DecisionState `json:"over"`
	Acceptor    PartnerID     `json:"acceptor"`
	Round       int           `json:"round"`
	By          PartnerID     `json:"by"`
	On          Date          `json:"on"`
	Reason      string        `json:"reason"`
	DeliveredOn Date          `json:"delivered_on"`
	Condition   int           `json:"condition,omitempty"`
}

func (c DisputeMilestone) decide(state State, dc DecisionContext) ([]Event, error) {
	milestone, err := findMilestone(state, c.MilestoneRef, dc)
	if err != nil {
		return nil, err
	}
	var check validation
	check.text("reason", c.Reason, 2000, true)
	if err := check.err(); err != nil {
		return nil, err
	}
	if err := milestone.requireOwner(dc); err != nil {
		return nil, err
	}
	if c.Condition != 0 {
		return c.disputeCondition(milestone, dc)
	}
	rejection := milestone.DisputableRejection(dc.At)
	if rejection == nil {
		return nil, milestone.whyNotDisputable(dc)
	}
	return milestone.event(MilestoneDisputed{
		Over: DecisionRejected, Acceptor: rejection.Acceptor, Round: milestone.Round, By: dc.Actor.Partner,
		On: max(dc.Today, rejection.DeliveredOn), Reason: c.Reason, DeliveredOn: rejection.DeliveredOn,
	}), nil
}

func (c DisputeMilestone) disputeCondition(milestone milestoneContext, dc DecisionContext) ([]Event, error) {
	condition, err := milestone.openCondition(c.Condition)
	if err != nil {
		return nil, err
	}
	switch {
	case condition.Refusal == nil:
		return nil, conflict("nothing_to_dispute", "The report of condition %d is not refused.", c.Condition)
	case condition.Refusal.Settled:
		return nil, conflict("dispute_settled", "The refusal of condition %d has been disputed and stands; report the condition again.", c.Condition)
	case !condition.Disputable(dc.At):
		return nil, conflict("dispute_late", "The refusal of condition %d could only be disputed until %s.", c.Condition, condition.Refusal.DisputeBy)
	}
	return milestone.event(MilestoneDisputed{
		Over: DecisionConditional, Acceptor: condition.Author, Round: milestone.Round, By: dc.Actor.Partner,
		On: milestone.today(dc), Reason: c.Reason, DeliveredOn: milestone.DeliveredOn, Condition: c.Condition,
	}), nil
}

// Disputable reports whether the owner may dispute the refusal of the condition at the given time.
func (c RoundCondition) Disputable(at time.Time) bool {
	refusal := c.Refusal
	return c.ClosedOn == 0 && refusal != nil && !refusal.Settled && (refusal.DisputeBy == 0 || DateOf(at.UTC()) <= refusal.DisputeBy)
}

// whyNotDisputable returns the reason why there is no disputable rejection.
func (m milestoneContext) whyNotDisputable(dc DecisionContext) error {
	rejection := m.Rejection
	switch {
	case m.State.Final() || m.State == Disputed:
		return m.requireState(InProgress)
	case m.State != InProgress || rejection == nil || !slices.Contains(m.Plan.Acceptors, rejection.Acceptor):
		return conflict("nothing_to_dispute", "Milestone %s has no rejection to dispute.", m.Ref.Milestone)
	case rejection.Settled:
		return conflict("dispute_settled", "The rejection of delivery %d has been disputed and stands.", m.Round)
	}
	return conflict("dispute_late", "The rejection of delivery %d could only be disputed until %s.", m.Round, rejection.DisputeBy)
}

func (e MilestoneDisputed) apply(world *World, header Header) {
	milestone := header.editMilestone(world)
	milestone.State, milestone.DeliveredOn = Disputed, e.DeliveredOn
	milestone.Dispute = &Dispute{
		Over: e.Over, Condition: e.Condition, Acceptor: e.Acceptor, By: e.By, On: e.On, Reason: e.Reason, Since: header.RecordedAt.UnixMicro(),
	}
}

// SettleMilestone names the settlement that the acting partner accepts.
type SettleMilestone struct {
	MilestoneRef `json:"ref"`
	Settlement   Settlement `json:"outcome"`
	Note         string     `json:"note,omitempty"`
}

// OutcomeNamed is one partner's choice. From is its previous choice. Remaining are the partners that have not
// named the same settlement.
type OutcomeNamed struct {
	Partner    PartnerID   `json:"partner"`
	Settlement Settlement  `json:"outcome"`
	From       Settlement  `json:"from,omitempty"`
	Note       string      `json:"note,omitempty"`
	Round      int         `json:"round"`
	Remaining  []PartnerID `json:"remaining,omitempty"`
	Condition  int         `json:"condition,omitempty"` // number of the disputed condition
}

// MilestoneSettled follows the last matching choice. Acceptors are the partners whose acceptance is full with it. A
// disputed condition is closed if the outcome is accepted.
type MilestoneSettled struct {
	Settlement Settlement  `json:"outcome"`
	Round      int         `json:"round"`
	On         Date        `json:"on"`
	Acceptors  []PartnerID `json:"acceptors,omitempty"`
	Condition  int         `json:"condition,omitempty"` // number of the disputed condition
}

func (c SettleMilestone) decide(state State, dc DecisionContext) ([]Event, error) {
	milestone, err := findMilestone(state, c.MilestoneRef, dc)
	if err != nil {
		return nil, err
	}
	if err := c.validate().err(); err != nil {
		return nil, err
	}
	if err := milestone.requireDisputeParty(dc); err != nil {
		return nil, err
	}
	event := OutcomeNamed{
		Partner: dc.Actor.Partner, Settlement: c.Settlement, From: milestone.Dispute.ChoiceOf(dc.Actor.Partner), Note: c.Note, Round: milestone.Round,
		Condition: milestone.Dispute.Condition,
	}
	for _, partner := range milestone.DisputeParties() {
		if partner != dc.Actor.Partner && milestone.Dispute.ChoiceOf(partner) != c.Settlement {
			event.Remaining = append(event.Remaining, partner)
		}
	}
	if event.From == c.Settlement && len(event.Remaining) > 0 {
		return nil, conflict("already_named", "%s has already named %s; wait for the other partners.", dc.Actor.Partner, c.Settlement)
	}
	events := milestone.event(event)
	if len(event.Remaining) == 0 {
		events = append(events, milestone.event(milestone.settled(c.Settlement, dc))...)
	}
	return events, nil
}

func (c SettleMilestone) validate() (check validation) {
	if !slices.Contains(Settlements(), c.Settlement) {
		check.add("outcome", "%q is unknown; use accepted or rejected", c.Settlement)
	}
	check.text("note", c.Note, 2000, false)
	return check
}

// requireDisputeParty refuses all actors but a manager of the owner or of an acceptor, and milestones that are
// not disputed.
func (m milestoneContext) requireDisputeParty(dc DecisionContext) error {
	if err := dc.requireManager(); err != nil {
		return err
	}
	if !slices.Contains(m.DisputeParties(), dc.Actor.Partner) {
		return forbidden("not_concerned", "Only the owner and the acceptors can settle a dispute; %s is neither.", dc.Actor.Partner)
	}
	return m.requireState(Disputed)
}

func (m milestoneContext) settled(settlement Settlement, dc DecisionContext) MilestoneSettled {
	event := MilestoneSettled{Settlement: settlement, Round: m.Round, On: m.today(dc), Condition: m.Dispute.Condition}
	switch {
	case settlement != SettledAccepted:
	case event.Condition == 0:
		event.Acceptors = m.Plan.Acceptors
	case len(m.openConditions(m.Dispute.Acceptor)) == 1:
		event.Acceptors = []PartnerID{m.Dispute.Acceptor}
	}
	return event
}

func (e OutcomeNamed) apply(world *World, header Header) {
	milestone := header.editMilestone(world)
	var dispute Dispute
	if milestone.Dispute != nil {
		dispute = *milestone.Dispute
	}
	dispute.Choices = upsert(dispute.Choices, SettlementChoice{e.Partner, e.Settlement}, func(choice SettlementChoice) string { return string(choice.Partner) })
	milestone.Dispute = &dispute
}

func (e MilestoneSettled) apply(world *World, header Header) {
	milestone := header.editMilestone(world)
	milestone.Dispute = nil
	if e.Condition != 0 {
		e.applyToCondition(milestone)
		return
	}
	if e.Settlement == SettledAccepted {
		milestone.State, milestone.AcceptedOn, milestone.Decisions, milestone.Rejection = Accepted, e.On, nil, nil
		for _, partner := range e.Acceptors {
			milestone.setDecision(Decision{partner, DecisionAccepted, e.On})
		}
		return
	}
	milestone.State, milestone.DeliveredOn = InProgress, 0
	if milestone.Rejection != nil {
		rejection := *milestone.Rejection
		rejection.Settled = true
		milestone.Rejection = &rejection
	}
}

// applyToCondition ends a dispute about a condition; the round goes on.
func (e MilestoneSettled) applyToCondition(milestone *Milestone) {
	milestone.changeCondition(e.Condition, func(condition *RoundCondition) {
		if e.Settlement == SettledAccepted {
			condition.ClosedOn = e.On
			return
		}
		if condition.Refusal != nil {
			refusal := *condition.Refusal
			refusal.Settled = true
			condition.Refusal = &refusal
		}
	})
	for _, partner := range e.Acceptors {
		milestone.setDecision(Decision{partner, DecisionAccepted, e.On})
	}
	milestone.concludeRound(e.On)
}
