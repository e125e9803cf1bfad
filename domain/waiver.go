package domain

import "slices"

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
	if err := x.in(Planned, InProgress, Delivered, ConditionallyAccepted); err != nil {
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
		x.State, x.Decisions, x.Conditions = Waived, nil, nil // nobody has to decide any more
	}
}
