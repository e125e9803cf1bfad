package domain

import "slices"

// WaiveMilestone waives an acceptor's claim to the result. With the last acceptor's waiver the milestone is
// waived. Waiving an agreed milestone requires a reason.
type WaiveMilestone struct {
	MilestoneRef `json:"ref"`
	Reason       string `json:"reason,omitempty"`
}

// MilestoneWaived is one acceptor's waiver, or the disposition of the calls that ended the project. Remaining are
// the acceptors that have not waived.
type MilestoneWaived struct {
	Acceptor   PartnerID      `json:"acceptor,omitempty"`
	Remaining  []PartnerID    `json:"remaining,omitempty"`
	From       MilestoneState `json:"from"`
	Reason     string         `json:"reason,omitempty"`
	ProjectEnd Stage          `json:"project_end,omitempty"` // the stage in which the project ended
}

func (c WaiveMilestone) decide(state State, dc DecisionContext) ([]Event, error) {
	milestone, err := findMilestone(state, c.MilestoneRef, dc)
	if err != nil {
		return nil, err
	}
	var check validation
	check.text("reason", c.Reason, 2000, milestone.BaselineOn != 0)
	if err := check.err(); err != nil {
		return nil, err
	}
	if err := milestone.requireAcceptor(dc); err != nil {
		return nil, err
	}
	if err := milestone.requireState(Planned, InProgress, Delivered, ConditionallyAccepted); err != nil {
		return nil, err
	}
	if slices.Contains(milestone.Waivers, dc.Actor.Partner) {
		return nil, conflict("already_waived", "%s has already waived it; wait for the other acceptors.", dc.Actor.Partner)
	}
	event := MilestoneWaived{Acceptor: dc.Actor.Partner, From: milestone.State, Reason: c.Reason}
	for _, partner := range milestone.Plan.Acceptors {
		if partner != dc.Actor.Partner && !slices.Contains(milestone.Waivers, partner) {
			event.Remaining = append(event.Remaining, partner)
		}
	}
	return milestone.event(event), nil
}

func (e MilestoneWaived) apply(world *World, header Header) {
	milestone := header.editMilestone(world)
	if e.Acceptor != "" {
		milestone.Waivers = with(milestone.Waivers, e.Acceptor)
	}
	if len(e.Remaining) == 0 {
		milestone.endWith(Waived)
	}
}
