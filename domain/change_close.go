package domain

// RejectChange closes the request on behalf of one party.
type RejectChange struct {
	ChangeRef
	Reason string `json:"reason"`
}

// ChangeRejected closes a request.
type ChangeRejected struct {
	Change  int       `json:"change"`
	Partner PartnerID `json:"partner"`
	Reason  string    `json:"reason"`
}

func (c RejectChange) decide(state State, dc DecisionContext) ([]Event, error) {
	change, err := findChange(state, c.ProjectRef, c.Number, dc)
	if err != nil {
		return nil, err
	}
	var check validation
	check.text("reason", c.Reason, 2000, true)
	if err := check.err(); err != nil {
		return nil, err
	}
	if err := change.requireParty(state, dc); err != nil {
		return nil, err
	}
	return sharedEvents("", ChangeRejected{c.Number, dc.Actor.Partner, c.Reason}), nil
}

func (e ChangeRejected) apply(world *World, header Header) {
	change := header.editChange(world, e.Change)
	change.State, change.RejectedBy, change.RejectionReason, change.DecidedAt = ChangeStateRejected, e.Partner, e.Reason, header.RecordedAt.UnixMicro()
}

// WithdrawChange closes the request on behalf of its proposer.
type WithdrawChange struct {
	ChangeRef
	Reason string `json:"reason,omitempty"`
}

// ChangeWithdrawn closes a request.
type ChangeWithdrawn struct {
	Change int    `json:"change"`
	Reason string `json:"reason,omitempty"`
}

func (c WithdrawChange) decide(state State, dc DecisionContext) ([]Event, error) {
	change, err := findChange(state, c.ProjectRef, c.Number, dc)
	if err != nil {
		return nil, err
	}
	var check validation
	check.text("reason", c.Reason, 2000, false)
	if err := check.err(); err != nil {
		return nil, err
	}
	if err := dc.requireManager(); err != nil {
		return nil, err
	}
	if change.ProposedBy != dc.Actor.Partner {
		return nil, forbidden("not_proposer", "Only %s, who proposed change %d, can withdraw it.", change.ProposedBy, c.Number)
	}
	if err := change.requireOpen(); err != nil {
		return nil, err
	}
	return sharedEvents("", ChangeWithdrawn{c.Number, c.Reason}), nil
}

func (e ChangeWithdrawn) apply(world *World, header Header) {
	change := header.editChange(world, e.Change)
	change.State, change.DecidedAt = ChangeStateWithdrawn, header.RecordedAt.UnixMicro()
}

// ChangeVoided closes a request whose ground has changed.
type ChangeVoided struct {
	Change int    `json:"change"`
	Ground Ground `json:"ground"`
}

func (e ChangeVoided) apply(world *World, header Header) {
	change := header.editChange(world, e.Change)
	change.State, change.VoidGround, change.DecidedAt = ChangeStateVoid, e.Ground, header.RecordedAt.UnixMicro()
}
