package domain

// ShareMilestone shows a private milestone to all participants (R17).
type ShareMilestone struct {
	Ref       MilestoneRef `json:"ref"`
	Acceptors []PartnerID  `json:"acceptors,omitempty"` // nil: all other participants
}

// MilestoneShared carries the present state: it is all that the others ever see of what was
// before.
type MilestoneShared struct {
	Plan     Plan           `json:"plan"`
	State    MilestoneState `json:"state"`
	Report   Report         `json:"report"`
	Forecast *Forecast      `json:"forecast,omitempty"`
}

// Stream implements Command.
func (c ShareMilestone) Stream() Stream { return streamOf(c.Ref) }

func (c ShareMilestone) target(s State) *Seen { return seenOf(s.Milestone(c.Ref)) }

func (c ShareMilestone) decide(s State, m Meta) ([]Event, error) {
	x, err := find(s, c.Ref, m)
	if err != nil {
		return nil, err
	}
	plan := x.Plan
	plan.Acceptors = c.Acceptors
	if c.Acceptors == nil {
		plan.Acceptors = without(x.agreement.present(x.project.Participants, m.At), plan.Owner)
	}
	f := plan.faults(x.agreement.As(m.Actor.Partner, m.At), x.project, false)
	f.left(x.agreement, m.At, plan, x.Plan)
	if err := f.err(); err != nil {
		return nil, err
	}
	if err := x.owns(m); err != nil {
		return nil, err
	}
	if x.Audience == Shared {
		return nil, conflict("already_shared", "Milestone %s is shared already.", x.Ref.Milestone)
	}
	if err := x.in(Planned, InProgress); err != nil {
		return nil, err
	}
	if x.State == Planned { // to the others it is a new plan (R4)
		if err := x.agreement.open(m); err != nil {
			return nil, err
		}
	}
	e := MilestoneShared{Plan: plan, State: x.State, Report: Report{x.Progress, x.Health, x.HealthNote}}
	if f := x.Forecast(plan.Owner); f.On != 0 {
		e.Forecast = &f
	}
	return shared(string(x.Ref.Milestone), e), nil
}

func (e MilestoneShared) apply(w *World, h Header) {
	x := h.edit(w)
	x.Audience, x.Plan, x.State = Shared, e.Plan, e.State
	x.Progress, x.Health, x.HealthNote = e.Report.Percent, e.Report.Health, e.Report.Note
}
