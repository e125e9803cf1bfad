package domain

import (
	"net/url"
	"slices"
	"strings"
)

// DeliverMilestone is the owner's claim that the milestone is done. On is the date of the claim,
// not in the future; the round begins when the claim is recorded.
type DeliverMilestone struct {
	Ref      MilestoneRef `json:"ref"`
	On       Date         `json:"on,omitzero"` // zero: today
	Evidence []Evidence   `json:"evidence,omitempty"`
}

// MilestoneDelivered begins a round of acceptance.
type MilestoneDelivered struct {
	On        Date        `json:"on"`
	Round     int         `json:"round"`
	Acceptors []PartnerID `json:"acceptors"`
	Evidence  []Evidence  `json:"evidence,omitempty"`
}

// Stream implements Command.
func (c DeliverMilestone) Stream() Stream { return streamOf(c.Ref) }

func (c DeliverMilestone) target(s State) *Seen { return seenOf(s.Milestone(c.Ref)) }

func (c DeliverMilestone) decide(s State, m Meta) ([]Event, error) {
	x, err := find(s, c.Ref, m)
	if err != nil {
		return nil, err
	}
	if c.On == 0 {
		c.On = m.Today
	}
	if err := c.faults(m).err(); err != nil {
		return nil, err
	}
	if err := x.owns(m); err != nil {
		return nil, err
	}
	if err := x.deliverable(); err != nil {
		return nil, err
	}
	return x.event(MilestoneDelivered{c.On, x.Round + 1, x.Plan.Acceptors, c.Evidence}), nil
}

func (c DeliverMilestone) faults(m Meta) (f faults) {
	if c.On > m.Today {
		f.add("on", "%s is in the future", c.On)
	}
	if len(c.Evidence) > 50 {
		f.add("evidence", "there are %d; at most 50 are allowed", len(c.Evidence))
	}
	for _, e := range c.Evidence {
		f.text("evidence", e.Title, 200, true)
		f.text("evidence", e.URL, 2000, true)
		if u, err := url.Parse(e.URL); err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
			f.add("evidence", "%q is not an http or https address", e.URL)
		}
		if e.SHA256 != "" && (len(e.SHA256) != 64 || strings.Trim(e.SHA256, "0123456789abcdef") != "") {
			f.add("evidence", "sha256 is not 64 lower-case hexadecimal digits")
		}
	}
	return f
}

func (x located) deliverable() error {
	if _, private := x.Audience.Private(); private {
		return conflict("milestone_private", "Milestone %s is private; share it before delivering.", x.Ref.Milestone)
	}
	switch x.project.Stage {
	case Exploring:
		return conflict("project_not_committed", "Nothing can be delivered before project %s is committed.", x.Ref.Project)
	case Completed, Stopped:
		return conflict("project_ended", "Project %s is %s.", x.Ref.Project, x.project.Stage)
	}
	return x.in(InProgress)
}

func (e MilestoneDelivered) apply(w *World, h Header) {
	x := h.edit(w)
	x.State, x.DeliveredOn, x.Round, x.Decisions = Delivered, e.On, e.Round, nil
	for _, p := range e.Acceptors {
		x.decide(Decision{Partner: p, State: DecisionPending})
	}
}

func (m *Milestone) decide(d Decision) {
	m.Decisions = put(m.Decisions, d, func(d Decision) string { return string(d.Partner) })
}

// reopen puts the milestone in progress again, without the delivery and its open decisions.
func (m *Milestone) reopen() {
	m.State, m.DeliveredOn = InProgress, 0
	m.Decisions = nil
}

// WithdrawDelivery takes a delivery back before it is decided.
type WithdrawDelivery struct {
	Ref MilestoneRef `json:"ref"`
}

// DeliveryWithdrawn ends the round.
type DeliveryWithdrawn struct {
	Round       int  `json:"round"`
	DeliveredOn Date `json:"delivered_on"`
}

// Stream implements Command.
func (c WithdrawDelivery) Stream() Stream { return streamOf(c.Ref) }

func (c WithdrawDelivery) target(s State) *Seen { return seenOf(s.Milestone(c.Ref)) }

func (c WithdrawDelivery) decide(s State, m Meta) ([]Event, error) {
	x, err := find(s, c.Ref, m)
	if err != nil {
		return nil, err
	}
	if err := x.owns(m); err != nil {
		return nil, err
	}
	if err := x.in(Delivered); err != nil {
		return nil, err
	}
	return x.event(DeliveryWithdrawn{x.Round, x.DeliveredOn}), nil
}

func (DeliveryWithdrawn) apply(w *World, h Header) { h.edit(w).reopen() }

// AcceptMilestone is an acceptor's yes to the present delivery.
type AcceptMilestone struct {
	Ref  MilestoneRef `json:"ref"`
	Note string       `json:"note,omitempty"`
}

// MilestoneAccepted is one acceptor's yes. Remaining are those who have not decided; when there
// are none the milestone is accepted.
type MilestoneAccepted struct {
	Acceptor  PartnerID   `json:"acceptor"`
	Round     int         `json:"round"`
	On        Date        `json:"on"`
	Note      string      `json:"note,omitempty"`
	Remaining []PartnerID `json:"remaining,omitempty"`
}

// Stream implements Command.
func (c AcceptMilestone) Stream() Stream { return streamOf(c.Ref) }

func (c AcceptMilestone) target(s State) *Seen { return seenOf(s.Milestone(c.Ref)) }

func (c AcceptMilestone) decide(s State, m Meta) ([]Event, error) {
	x, err := find(s, c.Ref, m)
	if err != nil {
		return nil, err
	}
	var f faults
	f.text("note", c.Note, 2000, false)
	if err := f.err(); err != nil {
		return nil, err
	}
	if err := x.decides(m); err != nil {
		return nil, err
	}
	e := MilestoneAccepted{Acceptor: m.Actor.Partner, Round: x.Round, On: m.Today, Note: c.Note}
	for _, d := range x.Decisions {
		if d.State == DecisionPending && d.Partner != m.Actor.Partner {
			e.Remaining = append(e.Remaining, d.Partner)
		}
	}
	return x.event(e), nil
}

// decides refuses all but an acceptor of the present delivery that has not decided yet.
func (x located) decides(m Meta) error {
	if err := x.accepts(m); err != nil {
		return err
	}
	if err := x.in(Delivered); err != nil {
		return err
	}
	if !x.Awaits(m.Actor.Partner) {
		return conflict("already_decided", "%s has decided delivery %d already.", m.Actor.Partner, x.Round)
	}
	return nil
}

func (e MilestoneAccepted) apply(w *World, h Header) {
	x := h.edit(w)
	x.decide(Decision{e.Acceptor, DecisionAccepted, e.On})
	if len(e.Remaining) == 0 {
		x.State, x.AcceptedOn = Accepted, e.On
	}
}

// RejectMilestone is an acceptor's no to the present delivery, with reasons (R11).
type RejectMilestone struct {
	Ref     MilestoneRef `json:"ref"`
	Reasons []string     `json:"reasons"`
}

// MilestoneRejected ends the round.
type MilestoneRejected struct {
	Acceptor    PartnerID `json:"acceptor"`
	Round       int       `json:"round"`
	On          Date      `json:"on"`
	Reasons     []string  `json:"reasons"`
	DeliveredOn Date      `json:"delivered_on"`
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
	if err := x.decides(m); err != nil {
		return nil, err
	}
	return x.event(MilestoneRejected{m.Actor.Partner, x.Round, m.Today, c.Reasons, x.DeliveredOn}), nil
}

func (e MilestoneRejected) apply(w *World, h Header) {
	x := h.edit(w)
	x.reopen()
	x.decide(Decision{e.Acceptor, DecisionRejected, e.On})
}

// WaiveMilestone gives up an acceptor's claim to the result. With the last acceptor's the
// milestone is waived.
type WaiveMilestone struct {
	Ref MilestoneRef `json:"ref"`
}

// MilestoneWaived is one acceptor's waiver. Remaining are the acceptors that have not waived.
type MilestoneWaived struct {
	Acceptor  PartnerID      `json:"acceptor"`
	Remaining []PartnerID    `json:"remaining,omitempty"`
	From      MilestoneState `json:"from"`
}

// Stream implements Command.
func (c WaiveMilestone) Stream() Stream { return streamOf(c.Ref) }

func (c WaiveMilestone) target(s State) *Seen { return seenOf(s.Milestone(c.Ref)) }

func (c WaiveMilestone) decide(s State, m Meta) ([]Event, error) {
	x, err := find(s, c.Ref, m)
	if err != nil {
		return nil, err
	}
	if err := x.accepts(m); err != nil {
		return nil, err
	}
	if err := x.in(Planned, InProgress, Delivered); err != nil {
		return nil, err
	}
	if slices.Contains(x.Waivers, m.Actor.Partner) {
		return nil, conflict("already_waived", "%s has waived it already; the others have not.", m.Actor.Partner)
	}
	e := MilestoneWaived{Acceptor: m.Actor.Partner, From: x.State}
	for _, p := range x.Plan.Acceptors {
		if p != m.Actor.Partner && !slices.Contains(x.Waivers, p) {
			e.Remaining = append(e.Remaining, p)
		}
	}
	return x.event(e), nil
}

func (e MilestoneWaived) apply(w *World, h Header) {
	x := h.edit(w)
	x.Waivers = with(x.Waivers, e.Acceptor)
	if len(e.Remaining) == 0 {
		x.State, x.Decisions = Waived, nil // nobody has to decide any more
	}
}
