package domain

import "slices"

// PlanMilestone adds a milestone. With Private only the acting partner sees it; the edge has then
// ended the id in a random suffix (R16).
type PlanMilestone struct {
	Ref     MilestoneRef `json:"ref"`
	Plan    Plan         `json:"plan"`
	Private bool         `json:"private,omitempty"`
}

// MilestonePlanned is the first event of a milestone.
type MilestonePlanned struct {
	Plan Plan `json:"plan"`
}

// Stream implements Command.
func (c PlanMilestone) Stream() Stream { return streamOf(c.Ref) }

func (c PlanMilestone) decide(s State, m Meta) ([]Event, error) {
	a, p, err := participantIn(s, c.Ref.ProjectRef(), m)
	if err != nil {
		return nil, err
	}
	plan, audience := c.Plan, Shared
	if c.Private {
		audience = PrivateTo(m.Actor.Partner)
	} else if plan.Acceptors == nil {
		plan.Acceptors = without(a.present(p.Participants, m.At), plan.Owner)
	}
	f := plan.faults(a.As(m.Actor.Partner, m.At), p, c.Private)
	f.left(a, m.At, plan, Plan{})
	f.slug("id", string(c.Ref.Milestone))
	if c.Private && plan.Owner != m.Actor.Partner {
		f.add("owner", "a private milestone is its own partner's")
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	if err := c.allowed(s, a, p, m); err != nil {
		return nil, err
	}
	return []Event{{string(c.Ref.Milestone), audience, MilestonePlanned{plan}}}, nil
}

func (c PlanMilestone) allowed(s State, a *Agreement, p *Project, m Meta) error {
	if err := m.manager(); err != nil {
		return err
	}
	if err := a.open(m); err != nil {
		return err
	}
	if err := p.planning(); err != nil {
		return err
	}
	if s.Milestone(c.Ref) != nil {
		return conflict("milestone_exists", "Project %s has a milestone %s already.", c.Ref.Project, c.Ref.Milestone)
	}
	return nil
}

func (e MilestonePlanned) apply(w *World, h Header) {
	x := h.edit(w)
	x.Ref, x.Plan, x.Audience, x.State = h.milestone(), e.Plan, h.Audience, Planned
}

// EditMilestone replaces what is set. The owner alone edits, until the delivery; once a baseline is
// agreed not what is agreed (R15).
type EditMilestone struct {
	Ref          MilestoneRef  `json:"ref"`
	Title        *string       `json:"title,omitempty"`
	Description  *string       `json:"description,omitempty"`
	Owner        *PartnerID    `json:"owner,omitempty"`
	Acceptors    *[]PartnerID  `json:"acceptors,omitempty"`
	DueOn        *Date         `json:"due_on,omitempty"`
	Criteria     *[]string     `json:"criteria,omitempty"`
	Instrument   *InstrumentID `json:"instrument,omitempty"`
	ScheduleItem *ItemID       `json:"schedule_item,omitempty"`
	Clause       *string       `json:"clause,omitempty"`
}

// MilestoneEdited carries the plan after and before.
type MilestoneEdited struct {
	To   Plan `json:"to"`
	From Plan `json:"from"`
}

// Stream implements Command.
func (c EditMilestone) Stream() Stream { return streamOf(c.Ref) }

func (c EditMilestone) target(s State) *Seen { return seenOf(s.Milestone(c.Ref)) }

func (c EditMilestone) decide(s State, m Meta) ([]Event, error) {
	x, err := find(s, c.Ref, m)
	if err != nil {
		return nil, err
	}
	to := c.merged(x.Plan)
	_, private := x.Audience.Private()
	f := to.faults(x.agreement.As(m.Actor.Partner, m.At), x.project, private)
	f.left(x.agreement, m.At, to, x.Plan)
	if private && to.Owner != x.Plan.Owner {
		f.add("owner", "a private milestone keeps its owner")
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	if err := x.owns(m); err != nil {
		return nil, err
	}
	if err := x.in(Planned, InProgress); err != nil {
		return nil, err
	}
	if c.DueOn != nil || c.Owner != nil || c.Acceptors != nil || c.Criteria != nil {
		if err := x.keepsAgreed("due date, owner, acceptors and criteria change"); err != nil {
			return nil, err
		}
	}
	if err := x.keepsAsked(to); err != nil {
		return nil, err
	}
	return x.event(MilestoneEdited{To: to, From: x.Plan}), nil
}

// keepsAsked refuses that the owner leaves out an acceptor that it has asked to decide a delivery.
func (x located) keepsAsked(to Plan) error {
	for _, p := range x.Plan.Acceptors {
		if x.Round > 0 && !slices.Contains(to.Acceptors, p) {
			return conflict("acceptor_asked",
				"%s was asked to decide delivery %d of milestone %s; it is left out only by a change request that it approves.", p, x.Round, x.Ref.Milestone)
		}
	}
	return nil
}

func (c EditMilestone) merged(p Plan) Plan {
	set(&p.Title, c.Title)
	set(&p.Description, c.Description)
	set(&p.Owner, c.Owner)
	setList(&p.Acceptors, c.Acceptors)
	set(&p.DueOn, c.DueOn)
	setList(&p.Criteria, c.Criteria)
	set(&p.Instrument, c.Instrument)
	set(&p.ScheduleItem, c.ScheduleItem)
	set(&p.Clause, c.Clause)
	return p
}

func (e MilestoneEdited) apply(w *World, h Header) {
	x := h.edit(w)
	x.Plan = e.To
	if !slices.Equal(e.To.Acceptors, e.From.Acceptors) || !slices.Equal(e.To.Criteria, e.From.Criteria) {
		x.Waivers = nil // given among others, or of something else; they would count for too much now
	}
}

// StartMilestone begins the work.
type StartMilestone struct {
	Ref MilestoneRef `json:"ref"`
}

// MilestoneStarted says that the owner began.
type MilestoneStarted struct{}

// Stream implements Command.
func (c StartMilestone) Stream() Stream { return streamOf(c.Ref) }

func (c StartMilestone) target(s State) *Seen { return seenOf(s.Milestone(c.Ref)) }

func (c StartMilestone) decide(s State, m Meta) ([]Event, error) {
	x, err := find(s, c.Ref, m)
	if err != nil {
		return nil, err
	}
	if err := x.owns(m); err != nil {
		return nil, err
	}
	if err := x.agreement.open(m); err != nil {
		return nil, err
	}
	if err := x.project.planning(); err != nil {
		return nil, err
	}
	if err := x.in(Planned); err != nil {
		return nil, err
	}
	return x.event(MilestoneStarted{}), nil
}

func (MilestoneStarted) apply(w *World, h Header) { h.edit(w).State = InProgress }

// CancelMilestone ends a milestone that is no longer wanted; the owner alone, until the delivery, while
// no baseline is agreed (R15).
type CancelMilestone struct {
	Ref    MilestoneRef `json:"ref"`
	Reason string       `json:"reason,omitempty"`
}

// MilestoneCancelled is final. Change is the request that did it; 0: the owner alone.
type MilestoneCancelled struct {
	Reason string         `json:"reason,omitempty"`
	From   MilestoneState `json:"from"`
	Change int            `json:"change,omitempty"`
}

// Stream implements Command.
func (c CancelMilestone) Stream() Stream { return streamOf(c.Ref) }

func (c CancelMilestone) target(s State) *Seen { return seenOf(s.Milestone(c.Ref)) }

func (c CancelMilestone) decide(s State, m Meta) ([]Event, error) {
	x, err := find(s, c.Ref, m)
	if err != nil {
		return nil, err
	}
	var f faults
	f.text("reason", c.Reason, 2000, false)
	if err := f.err(); err != nil {
		return nil, err
	}
	if err := x.owns(m); err != nil {
		return nil, err
	}
	if err := x.in(Planned, InProgress); err != nil {
		return nil, err
	}
	if err := x.keepsAgreed("it is cancelled"); err != nil {
		return nil, err
	}
	return x.event(MilestoneCancelled{Reason: c.Reason, From: x.State}), nil
}

func (MilestoneCancelled) apply(w *World, h Header) { h.edit(w).State = Cancelled }
