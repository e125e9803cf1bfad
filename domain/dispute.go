package domain

import (
	"slices"
	"time"
)

// Rejection is what ended the last round.
type Rejection struct {
	Acceptor    PartnerID
	On          Date
	Reasons     []string
	DeliveredOn Date // of the delivery that was rejected
	DisputeBy   Date // the last day, in UTC, on which the owner may dispute it; zero: no limit
	Settled     bool // owner and acceptors have settled that it stands
}

// Dispute is the owner's word against a rejection. The rules:
//
// R12 (disputes): the owner may dispute a rejection within the acceptance period; it is settled when
// owner and acceptors name the same outcome; meanwhile clocks stop. In detail:
//
//   - What can be disputed is the rejection that ended the last round, once, until the owner delivers
//     again, by whoever owns the milestone then. A rejection by a partner that accepts the
//     milestone no longer binds nobody, so there is nothing to dispute.
//   - The acceptance period is the agreement's acceptance_days, counted as calendar days after the day
//     on which the rejection was recorded, in UTC; with 0 there is no limit. The day is fixed with the
//     rejection. (With the acceptance clock it becomes working days, in the same place.)
//   - While it is disputed the milestone has its delivery date again. It can be talked about and
//     forecasts can move; all else is refused until it is settled.
//   - The outcomes are accepted and rejected. The owner and every acceptor name one, because every
//     acceptor must accept (R11); to dispute or to have rejected is no naming. A later naming
//     replaces an earlier one. When all name the same it is settled.
//   - Settled as accepted, the milestone is accepted by every acceptor on that day; conditions of the
//     round ended with the rejection and stay void. Settled as rejected, the rejection stands as if it had
//     not been disputed, and cannot be disputed again.
type Dispute struct {
	Over     DecisionState // what is disputed: a rejection; with the acceptance clock a deemed acceptance too
	Acceptor PartnerID     // whose decision that is
	By       PartnerID
	On       Date
	Reason   string
	Since    int64    // recorded, microseconds since 1970 UTC
	Named    []Naming // sorted by partner
}

// Naming is how a partner wants the dispute settled.
type Naming struct {
	Partner PartnerID
	Outcome Outcome
}

// Outcome is how a dispute ends.
type Outcome string

// The outcomes of a dispute.
const (
	SettledAccepted Outcome = "accepted"
	SettledRejected Outcome = "rejected"
)

// Outcomes lists them.
func Outcomes() []Outcome { return []Outcome{SettledAccepted, SettledRejected} }

// NamedBy returns the outcome that p has named; empty: none. A nil dispute has no namings.
func (d *Dispute) NamedBy(p PartnerID) Outcome {
	if d == nil {
		return ""
	}
	for _, n := range d.Named {
		if n.Partner == p {
			return n.Outcome
		}
	}
	return ""
}

// Settlers returns who settles a dispute of the milestone: its owner and its acceptors.
func (m *Milestone) Settlers() []PartnerID {
	return append([]PartnerID{m.Plan.Owner}, m.Plan.Acceptors...)
}

// AwaitsSettlement reports whether the present dispute waits for a word of p: it has named no outcome
// yet, or somebody else has named another one.
func (m *Milestone) AwaitsSettlement(p PartnerID) bool {
	if m.Dispute == nil || !slices.Contains(m.Settlers(), p) {
		return false
	}
	mine := m.Dispute.NamedBy(p)
	return mine == "" || slices.ContainsFunc(m.Dispute.Named, func(n Naming) bool { return n.Outcome != mine })
}

// disputeBy returns the last day on which a rejection that is recorded at the given time may be
// disputed.
func (a *Agreement) disputeBy(at time.Time) Date {
	if a.Terms.AcceptanceDays == 0 {
		return 0
	}
	return DateOf(at.UTC()).AddDays(a.Terms.AcceptanceDays)
}

// Disputable returns the rejection that the owner may dispute at the given time, nil if there is
// none.
func (m *Milestone) Disputable(at time.Time) *Rejection {
	r := m.Rejection
	switch {
	case m.State != InProgress, r == nil, r.Settled, !slices.Contains(m.Plan.Acceptors, r.Acceptor), r.late(at):
		return nil
	}
	return r
}

func (r *Rejection) late(at time.Time) bool {
	return r.DisputeBy != 0 && DateOf(at.UTC()) > r.DisputeBy
}

// DisputeMilestone is the owner's objection to the rejection of its last delivery.
type DisputeMilestone struct {
	Ref    MilestoneRef `json:"ref"`
	Reason string       `json:"reason"`
}

// MilestoneDisputed begins a dispute over one acceptor's decision on the last delivery.
type MilestoneDisputed struct {
	Over        DecisionState `json:"over"`
	Acceptor    PartnerID     `json:"acceptor"`
	Round       int           `json:"round"`
	By          PartnerID     `json:"by"`
	On          Date          `json:"on"`
	Reason      string        `json:"reason"`
	DeliveredOn Date          `json:"delivered_on"`
}

// Stream implements Command.
func (c DisputeMilestone) Stream() Stream { return streamOf(c.Ref) }

func (c DisputeMilestone) target(s State) *Seen { return seenOf(s.Milestone(c.Ref)) }

func (c DisputeMilestone) decide(s State, m Meta) ([]Event, error) {
	x, err := find(s, c.Ref, m)
	if err != nil {
		return nil, err
	}
	var f faults
	f.text("reason", c.Reason, 2000, true)
	if err := f.err(); err != nil {
		return nil, err
	}
	if err := x.owns(m); err != nil {
		return nil, err
	}
	r := x.Disputable(m.At)
	if r == nil {
		return nil, x.undisputable(m)
	}
	return x.event(MilestoneDisputed{DecisionRejected, r.Acceptor, x.Round, m.Actor.Partner, m.Today, c.Reason, r.DeliveredOn}), nil
}

// undisputable says why there is nothing to dispute.
func (x located) undisputable(m Meta) error {
	r := x.Rejection
	switch {
	case x.State.Final() || x.State == Disputed:
		return x.in(InProgress)
	case x.State != InProgress || r == nil || !slices.Contains(x.Plan.Acceptors, r.Acceptor):
		return conflict("nothing_to_dispute", "Milestone %s has no rejection that could be disputed.", x.Ref.Milestone)
	case r.Settled:
		return conflict("dispute_settled", "The rejection of delivery %d was disputed and stands.", x.Round)
	}
	return conflict("dispute_late", "The rejection of delivery %d could be disputed until %s.", x.Round, r.DisputeBy)
}

func (e MilestoneDisputed) apply(w *World, h Header) {
	x := h.edit(w)
	x.State, x.DeliveredOn = Disputed, e.DeliveredOn
	x.Dispute = &Dispute{
		Over: e.Over, Acceptor: e.Acceptor, By: e.By, On: e.On, Reason: e.Reason, Since: h.RecordedAt.UnixMicro(),
	}
}

// SettleMilestone names the outcome that the acting partner wants for a dispute.
type SettleMilestone struct {
	Ref     MilestoneRef `json:"ref"`
	Outcome Outcome      `json:"outcome"`
	Note    string       `json:"note,omitempty"`
}

// OutcomeNamed is one partner's word on how to settle. From is the outcome that it named before.
// Remaining are those who have not named this outcome.
type OutcomeNamed struct {
	Partner   PartnerID   `json:"partner"`
	Outcome   Outcome     `json:"outcome"`
	From      Outcome     `json:"from,omitempty"`
	Note      string      `json:"note,omitempty"`
	Round     int         `json:"round"`
	Remaining []PartnerID `json:"remaining,omitempty"`
}

// MilestoneSettled follows the last naming. Acceptors are those whose acceptance it is, if it is
// one.
type MilestoneSettled struct {
	Outcome   Outcome     `json:"outcome"`
	Round     int         `json:"round"`
	On        Date        `json:"on"`
	Acceptors []PartnerID `json:"acceptors,omitempty"`
}

// Stream implements Command.
func (c SettleMilestone) Stream() Stream { return streamOf(c.Ref) }

func (c SettleMilestone) target(s State) *Seen { return seenOf(s.Milestone(c.Ref)) }

func (c SettleMilestone) decide(s State, m Meta) ([]Event, error) {
	x, err := find(s, c.Ref, m)
	if err != nil {
		return nil, err
	}
	if err := c.faults().err(); err != nil {
		return nil, err
	}
	if err := x.settles(m); err != nil {
		return nil, err
	}
	e := OutcomeNamed{
		Partner: m.Actor.Partner, Outcome: c.Outcome, From: x.Dispute.NamedBy(m.Actor.Partner), Note: c.Note, Round: x.Round,
	}
	for _, p := range x.Settlers() {
		if p != m.Actor.Partner && x.Dispute.NamedBy(p) != c.Outcome {
			e.Remaining = append(e.Remaining, p)
		}
	}
	if e.From == c.Outcome && len(e.Remaining) > 0 {
		return nil, conflict("already_named", "%s has named %s already; not all others have.", m.Actor.Partner, c.Outcome)
	}
	events := x.event(e)
	if len(e.Remaining) == 0 {
		events = append(events, x.event(x.settlement(c.Outcome, m))...)
	}
	return events, nil
}

func (c SettleMilestone) faults() (f faults) {
	if !slices.Contains(Outcomes(), c.Outcome) {
		f.add("outcome", "%q is neither accepted nor rejected", c.Outcome)
	}
	f.text("note", c.Note, 2000, false)
	return f
}

// settles refuses all but a manager of the owner or of an acceptor, and all that is not disputed.
func (x located) settles(m Meta) error {
	if err := m.manager(); err != nil {
		return err
	}
	if !slices.Contains(x.Settlers(), m.Actor.Partner) {
		return forbidden("not_concerned", "Only the owner and the acceptors settle a dispute; %s is neither.", m.Actor.Partner)
	}
	return x.in(Disputed)
}

func (x located) settlement(o Outcome, m Meta) MilestoneSettled {
	e := MilestoneSettled{Outcome: o, Round: x.Round, On: m.Today}
	if o == SettledAccepted {
		e.Acceptors = x.Plan.Acceptors
	}
	return e
}

func (e OutcomeNamed) apply(w *World, h Header) {
	x := h.edit(w)
	var d Dispute
	if x.Dispute != nil {
		d = *x.Dispute
	}
	d.Named = put(d.Named, Naming{e.Partner, e.Outcome}, func(n Naming) string { return string(n.Partner) })
	x.Dispute = &d
}

func (e MilestoneSettled) apply(w *World, h Header) {
	x := h.edit(w)
	x.Dispute = nil
	if e.Outcome == SettledAccepted {
		x.State, x.AcceptedOn, x.Decisions, x.Rejection = Accepted, e.On, nil, nil
		for _, p := range e.Acceptors {
			x.decide(Decision{p, DecisionAccepted, e.On})
		}
		return
	}
	x.State, x.DeliveredOn = InProgress, 0
	if x.Rejection != nil {
		r := *x.Rejection
		r.Settled = true
		x.Rejection = &r
	}
}
