package domain

import "slices"

// MilestonePublished makes a milestone public (R17) and carries its present public state. The public state
// follows the milestone from then on: an approval covers the title, the names of owner and acceptors, the state,
// and the due, agreed, delivery and acceptance dates, with their later values. Descriptions, criteria, reports,
// forecasts, evidence, reasons and comments stay with the participants. It is the only event with the public
// audience; later events of the milestone go to the participants.
type MilestonePublished struct {
	Change      int            `json:"change"`
	Title       string         `json:"title"`
	Owner       PartnerID      `json:"owner"`
	Acceptors   []PartnerID    `json:"acceptors"`
	State       MilestoneState `json:"state"`
	DueOn       Date           `json:"due_on"`
	BaselineOn  Date           `json:"baseline_on,omitzero"`
	DeliveredOn Date           `json:"delivered_on,omitzero"`
	AcceptedOn  Date           `json:"accepted_on,omitzero"`
}

func (e MilestonePublished) apply(world *World, header Header) {
	header.editMilestone(world).Public = true
}

// validatePublish validates the milestones that the request publishes.
func (c ProposeChange) validatePublish(state State, project *Project, dc DecisionContext, check *validation) {
	if len(c.Publish) > 100 {
		check.add("publish", "has %d; at most 100 are allowed", len(c.Publish))
		return
	}
	if id, twice := duplicate(c.Publish); twice {
		check.add("publish", "%s is named twice; name it once", id)
	}
	for _, id := range c.Publish {
		switch milestone := c.milestone(state, id); {
		case milestone == nil || !milestone.VisibleTo(dc.Actor.Partner, project):
			check.add("publish", "milestone %q does not exist", id)
		case milestone.Audience != Shared:
			check.add("publish", "%s is private; share it first", id)
		case milestone.Public:
			check.add("publish", "%s is already public", id)
		}
	}
}

// publishEvents returns the events that publish the request's milestones with their values in state. It skips
// milestones that another request has published.
func (c changeContext) publishEvents(state State) []Event {
	var events []Event
	for _, id := range c.Publish {
		milestone := state.Milestone(MilestoneRef{c.ref.Agreement, c.ref.Project, id})
		if milestone.Public {
			continue
		}
		events = append(events, Event{string(id), Public, MilestonePublished{
			Change: c.Number, Title: milestone.Plan.Title, Owner: milestone.Plan.Owner, Acceptors: slices.Clone(milestone.Plan.Acceptors),
			State: milestone.State, DueOn: milestone.Plan.DueOn, BaselineOn: milestone.BaselineOn, DeliveredOn: milestone.DeliveredOn, AcceptedOn: milestone.AcceptedOn,
		}})
	}
	return events
}
