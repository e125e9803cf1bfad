package domain

import "slices"

// ChangeRequest proposes changes of what is agreed, or that something be agreed. The rules:
//
// R15: the baseline is set and moved only by a change request approved by the owners and acceptors,
// before and after, of every milestone in it. Once a baseline is agreed, due date, owner, acceptors,
// criteria and cancellation change only so; before it the owner alone edits or cancels. Any
// participant's manager proposes, only the proposer withdraws, one rejection closes; it is void only if
// a field it changes, or the milestone's final state, changed since. In detail:
//
//   - Proposing approves for the proposer, if it is a party of the request. The parties reject too; who
//     only takes part in the project reads.
//   - What a milestone without a baseline is asked to agree is its whole present plan: due date, owner,
//     acceptors and criteria, with the changes that the request names, if any. So nobody agrees to
//     something that the owner edits before the last approval.
//   - All of a request takes effect with the last approval, or nothing of it. Owner and acceptors change,
//     and a milestone is cancelled, only between deliveries: until then the last approval is refused.
//   - A request is void from the moment at which its ground changed, and the event says what did. If owner
//     or acceptors changed by another request, the new ones are asked too.
//   - A private milestone cannot be in a request, and has no baseline.
//   - R17: a request can name milestones that become public with it, with or without other changes; then
//     every participant of the project is a party. It is open to milestones in any state, final too. That
//     stands on no ground: whatever changes meanwhile, the milestone is still there, and the public
//     follows its state anyway, see [MilestonePublished]. What another request published meanwhile is
//     public once.
//   - R4: after the agreement's end no baseline is set or moved; a request that only cancels and publishes
//     can still be agreed, and every request rejected and withdrawn.
type ChangeRequest struct {
	Number     int
	Key        string // finds it before its number is known; empty: none
	Reason     string
	State      ChangeState
	By         PartnerID
	Milestones []ProposedChange
	Publish    []MilestoneID // become public; never changed
	Asked      []PartnerID   // the parties when it was proposed, sorted
	Approvals  []PartnerID   // sorted
	ProposedAt int64         // microseconds since 1970 UTC
	DecidedAt  int64         // likewise; 0: open
	RejectedBy PartnerID
	Why        string // of the rejection
	Broken     Ground // what made it void
	Seen       Seen
}

// ChangeState is where a change request stands.
type ChangeState string

// The states of a change request.
const (
	ChangeOpen      ChangeState = "open"
	ChangeAgreed    ChangeState = "approved"
	ChangeRefused   ChangeState = "rejected"
	ChangeTakenBack ChangeState = "withdrawn"
	ChangeVoid      ChangeState = "void"
)

// ChangeFields is a choice of the fields of a plan that are agreed; what is empty is not chosen. A
// milestone in a request is never without a date, an owner and acceptors; that it has no criteria can
// be said.
type ChangeFields struct {
	DueOn     Date        `json:"due_on,omitzero"`
	Owner     PartnerID   `json:"owner,omitempty"`
	Acceptors []PartnerID `json:"acceptors,omitempty"`
	Criteria  *[]string   `json:"criteria,omitempty"`
}

// ProposedChange is what a request wants of one milestone: the fields before and after, or that it be
// cancelled.
type ProposedChange struct {
	Milestone MilestoneID  `json:"id"`
	From      ChangeFields `json:"from"`
	To        ChangeFields `json:"to"`
	Cancel    bool         `json:"cancel,omitempty"`
}

// Ground is what a request stood on and what changed: a field of a milestone, or its state, which is
// then final.
type Ground struct {
	Milestone MilestoneID    `json:"milestone"`
	Field     string         `json:"field"` // due_on, owner, acceptors, criteria or state
	State     MilestoneState `json:"state"`
}

// AgreedPlan is what partners agree of a milestone.
type AgreedPlan struct {
	DueOn     Date        `json:"due_on"`
	Owner     PartnerID   `json:"owner"`
	Acceptors []PartnerID `json:"acceptors"`
	Criteria  []string    `json:"criteria,omitempty"`
}

func (p Plan) agreed() AgreedPlan { return AgreedPlan{p.DueOn, p.Owner, p.Acceptors, p.Criteria} }

// names reports whether any field is chosen.
func (c ChangeFields) names() bool {
	return c.DueOn != 0 || c.Owner != "" || len(c.Acceptors) > 0 || c.Criteria != nil
}

// over returns p with the chosen fields.
func (c ChangeFields) over(p Plan) Plan {
	if c.DueOn != 0 {
		p.DueOn = c.DueOn
	}
	if c.Owner != "" {
		p.Owner = c.Owner
	}
	if len(c.Acceptors) > 0 {
		p.Acceptors = c.Acceptors
	}
	if c.Criteria != nil {
		p.Criteria = slices.Clip(append([]string(nil), *c.Criteria...)) // nil for none, as it is stored
	}
	return p
}

// whole chooses all fields of p.
func whole(p Plan) ChangeFields {
	return ChangeFields{p.DueOn, p.Owner, p.Acceptors, criteria(p)}
}

// criteria are not nil when there are none: that would be a field that is not chosen.
func criteria(p Plan) *[]string { return new(append([]string{}, p.Criteria...)) }

// differing returns the fields that differ, as they are in each of two plans.
func differing(from, to Plan) (before, after ChangeFields) {
	if from.DueOn != to.DueOn {
		before.DueOn, after.DueOn = from.DueOn, to.DueOn
	}
	if from.Owner != to.Owner {
		before.Owner, after.Owner = from.Owner, to.Owner
	}
	if !slices.Equal(from.Acceptors, to.Acceptors) {
		before.Acceptors, after.Acceptors = from.Acceptors, to.Acceptors
	}
	if !slices.Equal(from.Criteria, to.Criteria) {
		before.Criteria, after.Criteria = criteria(from), criteria(to)
	}
	return before, after
}

// changed names a field of the proposal that is not in p as it was; empty: none.
func (c ProposedChange) changed(p Plan) string {
	switch {
	case c.From.DueOn != 0 && p.DueOn != c.From.DueOn:
		return "due_on"
	case c.From.Owner != "" && p.Owner != c.From.Owner:
		return "owner"
	case len(c.From.Acceptors) > 0 && !slices.Equal(p.Acceptors, c.From.Acceptors):
		return "acceptors"
	case c.From.Criteria != nil && !slices.Equal(p.Criteria, *c.From.Criteria):
		return "criteria"
	}
	return ""
}

// Sees reports whether p, who takes part, sees the request: who joined the project sees those that were
// open then, and later ones (R17).
func (c *ChangeRequest) Sees(p PartnerID) bool { return !c.Seen.gone(p) }

// Change returns the request with the given number, nil if there is none.
func (p *Project) Change(number int) *ChangeRequest {
	for _, c := range p.Changes {
		if c.Number == number {
			return c
		}
	}
	return nil
}

// Parties returns whose approval the request takes, sorted. It changes with the milestones while the
// request is open.
func (c *ChangeRequest) Parties(s State, in ProjectRef) []PartnerID {
	ids := slices.Clone(c.Asked)
	if c.State == ChangeOpen {
		ids = append(ids, parties(s, in, c.Milestones, c.Publish)...)
	} else {
		ids = append(ids, c.Approvals...)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// parties returns the owners and acceptors, before and after, of every milestone; every participant if
// anything becomes public.
func parties(s State, in ProjectRef, milestones []ProposedChange, publish []MilestoneID) (ids []PartnerID) {
	if len(publish) > 0 {
		ids = slices.Clone(s.Project(in).Participants)
	}
	for _, pc := range milestones {
		m := s.Milestone(MilestoneRef{in.Agreement, in.Project, pc.Milestone})
		if m == nil {
			continue
		}
		for _, p := range []Plan{m.Plan, pc.To.over(m.Plan)} {
			ids = append(append(ids, p.Owner), p.Acceptors...)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Awaits reports whether the request waits for a word of p.
func (c *ChangeRequest) Awaits(p PartnerID, s State, in ProjectRef) bool {
	return c.State == ChangeOpen && !slices.Contains(c.Approvals, p) && slices.Contains(c.Parties(s, in), p)
}

// agrees reports whether the request sets or moves a baseline, or agrees anything else of a plan.
func (c *ChangeRequest) agrees() bool {
	return slices.ContainsFunc(c.Milestones, func(p ProposedChange) bool { return !p.Cancel })
}

// broken returns what changed since the request was proposed.
func (c *ChangeRequest) broken(s State, in ProjectRef) (Ground, bool) {
	for _, pc := range c.Milestones {
		m := s.Milestone(MilestoneRef{in.Agreement, in.Project, pc.Milestone})
		if m == nil {
			continue
		}
		if m.State.Final() {
			return Ground{pc.Milestone, "state", m.State}, true
		}
		if field := pc.changed(m.Plan); field != "" {
			return Ground{pc.Milestone, field, m.State}, true
		}
	}
	return Ground{}, false
}

// voids returns the events that tell of the requests and amendments which the given ones leave without
// their ground.
func voids(s State, stream Stream, events []Event, m Meta) []Event {
	if stream.Project == "" {
		return voidAmendments(s, stream, events, m)
	}
	ref := ProjectRef{stream.Agreement, stream.Project}
	p := s.Project(ref)
	if p == nil || !slices.ContainsFunc(p.Changes, func(c *ChangeRequest) bool { return c.State == ChangeOpen }) {
		return nil
	}
	if !slices.ContainsFunc(events, func(e Event) bool { return !keepsGround(e.Payload) }) {
		return nil
	}
	after := ahead(s, stream, events, m)
	var void []Event
	for _, c := range after.Project(ref).Changes {
		if c.State != ChangeOpen {
			continue
		}
		if ground, broken := c.broken(after, ref); broken {
			void = append(void, shared("", ChangeVoided{c.Number, ground})...)
		}
	}
	return void
}

// keepsGround reports whether an event certainly leaves every request its ground. It is about the events
// that are told all day; for any other the ground is looked at.
func keepsGround(p Payload) bool {
	switch p.(type) {
	case MilestoneProgressed, MilestoneAssessed, EvidenceKept, ForecastMoved, MilestoneCommented, MilestoneDelivered, MilestoneRejected, ConditionClosed:
		return true
	}
	return false
}

// ahead returns the state after the events, which are not in s yet.
func ahead(s State, stream Stream, events []Event, m Meta) *World {
	after := NewFork(s)
	for _, e := range events {
		after.Apply(Header{Stream: stream, Subject: e.Subject, Audience: e.Audience, Partner: m.Actor.Partner, RecordedAt: m.At}, e.Payload)
	}
	return after
}

// keepsAgreed refuses what only a change request may do, once a baseline is agreed.
func (x located) keepsAgreed(what string) error {
	if x.BaselineOn == 0 {
		return nil
	}
	return conflict("baseline_agreed", "Milestone %s is agreed for %s; %s only by a change request that its owner and acceptors approve.",
		x.Ref.Milestone, x.BaselineOn, what)
}
