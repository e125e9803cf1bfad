package domain

import "slices"

// MilestonePublished makes a milestone public (R17). It carries the present public state. From then on
// the public follows: whoever approves the publishing of a milestone approves that everybody sees its
// title, the names of its owner and acceptors, its state, and its due, agreed, delivery and acceptance
// dates, as they are and as they become. All else stays with the participants: descriptions, criteria, reports,
// forecasts, evidence, reasons and comments. It is the one event whose audience is public; what happens
// to the milestone afterwards is said to the participants, as before.
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

// validatePublish collects what forbids to make the named milestones public.
func (c ProposeChange) validatePublish(state State, project *Project, dc DecisionContext, check *validation) {
	if len(c.Publish) > 100 {
		check.add("publish", "there are %d; at most 100 are allowed", len(c.Publish))
		return
	}
	if id, twice := duplicate(c.Publish); twice {
		check.add("publish", "%s is named twice", id)
	}
	for _, id := range c.Publish {
		switch milestone := c.milestone(state, id); {
		case milestone == nil || !milestone.VisibleTo(dc.Actor.Partner, project):
			check.add("publish", "the project has no milestone %q", id)
		case milestone.Audience != Shared:
			check.add("publish", "%s is private; share it first", id)
		case milestone.Public:
			check.add("publish", "%s is public already", id)
		}
	}
}

// publishEvents returns the events that make the request's milestones public, in the state that s has. What
// another request has published meanwhile stays as it is.
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
