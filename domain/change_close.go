package domain

// RejectChange is one party's no; it closes the request.
type RejectChange struct {
	Ref    ProjectRef `json:"ref"`
	Number int        `json:"number"`
	Reason string     `json:"reason"`
}

// ChangeRejected closes a request.
type ChangeRejected struct {
	Change  int       `json:"change"`
	Partner PartnerID `json:"partner"`
	Reason  string    `json:"reason"`
}

// Stream implements Command.
func (c RejectChange) Stream() Stream {
	return Stream{Agreement: c.Ref.Agreement, Project: c.Ref.Project}
}

func (c RejectChange) target(s State) *Seen { return changeSeen(s, c.Ref, c.Number) }

func (c RejectChange) decide(s State, m Meta) ([]Event, error) {
	x, err := findChange(s, c.Ref, c.Number, m)
	if err != nil {
		return nil, err
	}
	var f faults
	f.text("reason", c.Reason, 2000, true)
	if err := f.err(); err != nil {
		return nil, err
	}
	if err := x.party(s, m); err != nil {
		return nil, err
	}
	return shared("", ChangeRejected{c.Number, m.Actor.Partner, c.Reason}), nil
}

func (e ChangeRejected) apply(w *World, h Header) {
	c := h.editChange(w, e.Change)
	c.State, c.RejectedBy, c.Why, c.DecidedAt = ChangeRefused, e.Partner, e.Reason, h.RecordedAt.UnixMicro()
}

// WithdrawChange takes a request back; the proposer alone does.
type WithdrawChange struct {
	Ref    ProjectRef `json:"ref"`
	Number int        `json:"number"`
}

// ChangeWithdrawn closes a request.
type ChangeWithdrawn struct {
	Change int `json:"change"`
}

// Stream implements Command.
func (c WithdrawChange) Stream() Stream {
	return Stream{Agreement: c.Ref.Agreement, Project: c.Ref.Project}
}

func (c WithdrawChange) target(s State) *Seen { return changeSeen(s, c.Ref, c.Number) }

func (c WithdrawChange) decide(s State, m Meta) ([]Event, error) {
	x, err := findChange(s, c.Ref, c.Number, m)
	if err != nil {
		return nil, err
	}
	if err := m.manager(); err != nil {
		return nil, err
	}
	if x.By != m.Actor.Partner {
		return nil, forbidden("not_proposer", "Only %s, who proposed change %d, withdraws it.", x.By, c.Number)
	}
	if err := x.open(); err != nil {
		return nil, err
	}
	return shared("", ChangeWithdrawn{c.Number}), nil
}

func (e ChangeWithdrawn) apply(w *World, h Header) {
	c := h.editChange(w, e.Change)
	c.State, c.DecidedAt = ChangeTakenBack, h.RecordedAt.UnixMicro()
}

// ChangeVoided closes a request whose ground changed.
type ChangeVoided struct {
	Change int    `json:"change"`
	Ground Ground `json:"ground"`
}

func (e ChangeVoided) apply(w *World, h Header) {
	c := h.editChange(w, e.Change)
	c.State, c.Broken, c.DecidedAt = ChangeVoid, e.Ground, h.RecordedAt.UnixMicro()
}
