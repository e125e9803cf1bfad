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

func (e MilestonePublished) apply(w *World, h Header) { h.edit(w).Public = true }

// publishable collects what forbids to make the named milestones public.
func (c ProposeChange) publishable(s State, p *Project, m Meta, f *faults) {
	if len(c.Publish) > 100 {
		f.add("publish", "there are %d; at most 100 are allowed", len(c.Publish))
		return
	}
	if id, twice := duplicate(c.Publish); twice {
		f.add("publish", "%s is named twice", id)
	}
	for _, id := range c.Publish {
		switch x := c.milestone(s, id); {
		case x == nil || !x.Sees(m.Actor.Partner, p):
			f.add("publish", "the project has no milestone %q", id)
		case x.Audience != Shared:
			f.add("publish", "%s is private; share it first", id)
		case x.Public:
			f.add("publish", "%s is public already", id)
		}
	}
}

// published returns the events that make the request's milestones public, in the state that s has. What
// another request has published meanwhile stays as it is.
func (c asked) published(s State) []Event {
	var events []Event
	for _, id := range c.Publish {
		x := s.Milestone(MilestoneRef{c.ref.Agreement, c.ref.Project, id})
		if x.Public {
			continue
		}
		events = append(events, Event{string(id), Public, MilestonePublished{
			Change: c.Number, Title: x.Plan.Title, Owner: x.Plan.Owner, Acceptors: slices.Clone(x.Plan.Acceptors),
			State: x.State, DueOn: x.Plan.DueOn, BaselineOn: x.BaselineOn, DeliveredOn: x.DeliveredOn, AcceptedOn: x.AcceptedOn,
		}})
	}
	return events
}
