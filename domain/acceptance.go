package domain

import "slices"

// AcceptMilestone is an acceptor's yes to the present delivery. With conditions it is a conditional
// one: see [Condition].
type AcceptMilestone struct {
	Ref        MilestoneRef  `json:"ref"`
	Note       string        `json:"note,omitempty"`
	Conditions []Requirement `json:"conditions,omitempty"`
}

// MilestoneAccepted is one acceptor's full yes. Remaining are the acceptors whose full yes is still
// missing; when there are none the milestone is accepted.
type MilestoneAccepted struct {
	Acceptor  PartnerID   `json:"acceptor"`
	Round     int         `json:"round"`
	On        Date        `json:"on"`
	Note      string      `json:"note,omitempty"`
	Remaining []PartnerID `json:"remaining,omitempty"`
}

// MilestoneConditionallyAccepted is one acceptor's yes that becomes a full one when its conditions
// are closed. Remaining are the other acceptors whose full yes is still missing.
type MilestoneConditionallyAccepted struct {
	Acceptor   PartnerID   `json:"acceptor"`
	Round      int         `json:"round"`
	On         Date        `json:"on"`
	Note       string      `json:"note,omitempty"`
	Conditions []Condition `json:"conditions"`
	Remaining  []PartnerID `json:"remaining,omitempty"`
}

// Stream implements Command.
func (c AcceptMilestone) Stream() Stream { return streamOf(c.Ref) }

func (c AcceptMilestone) target(s State) *Seen { return seenOf(s.Milestone(c.Ref)) }

func (c AcceptMilestone) decide(s State, m Meta) ([]Event, error) {
	x, err := find(s, c.Ref, m)
	if err != nil {
		return nil, err
	}
	if err := c.faults(x).err(); err != nil {
		return nil, err
	}
	mine, err := x.decides(m)
	if err != nil {
		return nil, err
	}
	if len(c.Conditions) == 0 {
		return x.accepted(c.Note, m), nil
	}
	if mine.State == DecisionConditional {
		return nil, conflict("no_more_conditions",
			"%s has accepted delivery %d on conditions; it can close them, accept fully or reject, but add none.", mine.Partner, x.Round)
	}
	e := MilestoneConditionallyAccepted{
		Acceptor: mine.Partner, Round: x.Round, On: m.Today, Note: c.Note, Remaining: x.remaining(mine.Partner),
	}
	for i, r := range c.Conditions {
		e.Conditions = append(e.Conditions, Condition{x.LastCondition + 1 + i, r.Text, r.DueOn})
	}
	return x.event(e), nil
}

func (c AcceptMilestone) faults(x located) (f faults) {
	f.text("note", c.Note, 2000, false)
	if len(c.Conditions) > 50 {
		f.add("conditions", "there are %d; at most 50 are allowed", len(c.Conditions))
	}
	for _, r := range c.Conditions {
		f.text("conditions", r.Text, 2000, false)
		switch {
		case blank(r.Text):
			f.add("conditions", "each needs a text")
		case r.DueOn == 0:
			f.add("conditions", "each needs a due_on")
		case r.DueOn < x.DeliveredOn:
			f.add("conditions", "due_on %s is before the delivery of %s", r.DueOn, x.DeliveredOn)
		}
	}
	return f
}

// decides refuses all but an acceptor that can still decide the present delivery. It returns what
// the acceptor has decided so far: nothing, or yes on conditions that are open.
func (x located) decides(m Meta) (Decision, error) {
	if err := x.accepts(m); err != nil {
		return Decision{}, err
	}
	if err := x.in(Delivered, ConditionallyAccepted); err != nil {
		return Decision{}, err
	}
	d := x.Decision(m.Actor.Partner)
	if d.State != DecisionPending && d.State != DecisionConditional {
		return d, conflict("already_decided", "%s has decided delivery %d already.", m.Actor.Partner, x.Round)
	}
	return d, nil
}

// accepted returns the events of the actor's full yes, which closes what conditions it has open.
func (x located) accepted(note string, m Meta) []Event {
	p := m.Actor.Partner
	var events []Event
	open := x.OpenConditions(p)
	for i, c := range open {
		events = append(events, x.event(c.closed(x.Round, len(open)-i-1, m))...)
	}
	return append(events, x.event(MilestoneAccepted{
		Acceptor: p, Round: x.Round, On: m.Today, Note: note, Remaining: x.remaining(p),
	})...)
}

// remaining returns the acceptors but p whose full yes to the present delivery is missing.
func (x located) remaining(p PartnerID) (ids []PartnerID) {
	for _, d := range x.Decisions {
		if d.Partner != p && d.State != DecisionAccepted {
			ids = append(ids, d.Partner)
		}
	}
	return ids
}

func (e MilestoneAccepted) apply(w *World, h Header) {
	x := h.edit(w)
	x.decide(Decision{e.Acceptor, DecisionAccepted, e.On})
	x.conclude(e.On)
}

func (e MilestoneConditionallyAccepted) apply(w *World, h Header) {
	x := h.edit(w)
	x.decide(Decision{e.Acceptor, DecisionConditional, e.On})
	for _, c := range e.Conditions {
		x.Conditions = with(x.Conditions, OwnCondition{Condition: c, Author: e.Acceptor, Since: h.RecordedAt.UnixMicro()})
		x.LastCondition = c.Number
	}
	x.conclude(e.On)
}

func (m *Milestone) decide(d Decision) {
	m.Decisions = put(m.Decisions, d, func(d Decision) string { return string(d.Partner) })
}

// conclude sets the state that the decisions of the round amount to.
func (m *Milestone) conclude(on Date) {
	has := func(s DecisionState) bool {
		return slices.ContainsFunc(m.Decisions, func(d Decision) bool { return d.State == s })
	}
	switch {
	case has(DecisionPending):
		m.State = Delivered
	case has(DecisionConditional):
		m.State = ConditionallyAccepted
	default:
		m.State, m.AcceptedOn = Accepted, on
	}
}

// reopen puts the milestone in progress again, without the delivery, its decisions and conditions.
func (m *Milestone) reopen() {
	m.State, m.DeliveredOn = InProgress, 0
	m.Decisions, m.Conditions = nil, nil
}

// RejectMilestone is an acceptor's no to the present delivery, with reasons (R11). It can follow a
// conditional yes whose conditions are not all closed.
type RejectMilestone struct {
	Ref     MilestoneRef `json:"ref"`
	Reasons []string     `json:"reasons"`
}

// MilestoneRejected ends the round. DisputeBy is the last day, in UTC, on which the owner may
// dispute it; zero: there is no limit.
type MilestoneRejected struct {
	Acceptor    PartnerID `json:"acceptor"`
	Round       int       `json:"round"`
	On          Date      `json:"on"`
	Reasons     []string  `json:"reasons"`
	DeliveredOn Date      `json:"delivered_on"`
	DisputeBy   Date      `json:"dispute_by,omitzero"`
}

// Stream implements Command.
func (c RejectMilestone) Stream() Stream { return streamOf(c.Ref) }

func (c RejectMilestone) target(s State) *Seen { return seenOf(s.Milestone(c.Ref)) }

func (c RejectMilestone) decide(s State, m Meta) ([]Event, error) {
	x, err := find(s, c.Ref, m)
	if err != nil {
		return nil, err
	}
	var f faults
	if len(c.Reasons) == 0 || len(c.Reasons) > 50 {
		f.add("reasons", "give 1 to 50")
	}
	for _, r := range c.Reasons {
		f.text("reasons", r, 2000, true)
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	if _, err := x.decides(m); err != nil {
		return nil, err
	}
	return x.event(MilestoneRejected{
		m.Actor.Partner, x.Round, m.Today, c.Reasons, x.DeliveredOn, x.agreement.disputeBy(m.At),
	}), nil
}

func (e MilestoneRejected) apply(w *World, h Header) {
	x := h.edit(w)
	x.reopen()
	x.decide(Decision{e.Acceptor, DecisionRejected, e.On})
	x.Rejection = &Rejection{e.Acceptor, e.On, e.Reasons, e.DeliveredOn, e.DisputeBy, false}
}
