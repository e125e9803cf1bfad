package domain

// DeliverMilestone is the owner's claim that the milestone is done. On is the date of the claim,
// not in the future; the round begins when the claim is recorded.
type DeliverMilestone struct {
	Ref      MilestoneRef `json:"ref"`
	On       Date         `json:"on,omitzero"` // zero: today
	Evidence []Evidence   `json:"evidence,omitempty"`
	Kept     []Evidence   `json:"kept,omitempty"` // evidence that only the deliverer sees (R16)
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
	events := x.event(MilestoneDelivered{c.On, x.Round + 1, x.Plan.Acceptors, c.Evidence})
	if len(c.Kept) > 0 {
		events = append(events, Event{string(x.Ref.Milestone), PrivateTo(m.Actor.Partner), EvidenceKept{x.Round + 1, c.Kept}})
	}
	return events, nil
}

func (c DeliverMilestone) faults(m Meta) (f faults) {
	if c.On > m.Today {
		f.add("on", "%s is in the future", c.On)
	}
	f.evidence(c.Evidence, c.Kept)
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
	x.State, x.DeliveredOn, x.Round = Delivered, e.On, e.Round
	x.Decisions, x.Conditions, x.Rejection = nil, nil, nil
	x.Evidence, x.Kept = e.Evidence, nil
	for _, p := range e.Acceptors {
		x.decide(Decision{Partner: p, State: DecisionPending})
	}
}

// WithdrawDelivery takes a delivery back, as long as no acceptor has decided it: an acceptor's word is
// not taken back by somebody else.
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
	if err := x.withdrawable(); err != nil {
		return nil, err
	}
	return x.event(DeliveryWithdrawn{x.Round, x.DeliveredOn}), nil
}

func (x located) withdrawable() error {
	if x.State != ConditionallyAccepted {
		if err := x.in(Delivered); err != nil {
			return err
		}
	}
	for _, d := range x.Decisions {
		if d.State != DecisionPending {
			return conflict("delivery_decided", "%s has decided delivery %d; only one that nobody has decided can be withdrawn.", d.Partner, x.Round)
		}
	}
	return nil
}

func (DeliveryWithdrawn) apply(w *World, h Header) {
	x := h.edit(w)
	x.reopen()
	x.Evidence, x.Kept = nil, nil
}
