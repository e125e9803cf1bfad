package domain

import "slices"

// WantedChange says what a request wants of one milestone; what is empty stays.
type WantedChange struct {
	Milestone MilestoneID  `json:"id"`
	To        ChangeFields `json:"to"`
	Cancel    bool         `json:"cancel,omitempty"`
}

// ProposeChange begins a change request; its number is the next of the project. Who proposes can give it
// a key of its own, to find it by. Publish names milestones that become public with it (R17).
type ProposeChange struct {
	Ref        ProjectRef     `json:"ref"`
	Key        string         `json:"key,omitempty"`
	Reason     string         `json:"reason"`
	Milestones []WantedChange `json:"milestones"`
	Publish    []MilestoneID  `json:"publish,omitempty"`
}

// ChangeProposed is the first event of a change request. Parties are those whose approval it takes.
type ChangeProposed struct {
	Change     int              `json:"change"`
	Key        string           `json:"key,omitempty"`
	By         PartnerID        `json:"by"`
	Reason     string           `json:"reason"`
	Milestones []ProposedChange `json:"milestones"`
	Parties    []PartnerID      `json:"parties"`
	Publish    []MilestoneID    `json:"publish,omitempty"`
}

// Stream implements Command.
func (c ProposeChange) Stream() Stream {
	return Stream{Agreement: c.Ref.Agreement, Project: c.Ref.Project}
}

func (c ProposeChange) decide(s State, m Meta) ([]Event, error) {
	a, p, err := participantIn(s, c.Ref, m)
	if err != nil {
		return nil, err
	}
	proposed, f := c.proposals(s, a, p, m)
	if err := f.err(); err != nil {
		return nil, err
	}
	if err := m.manager(); err != nil {
		return nil, err
	}
	if err := c.allowed(s, a, m); err != nil {
		return nil, err
	}
	return shared("", ChangeProposed{
		len(p.Changes) + 1, c.Key, m.Actor.Partner, c.Reason, proposed, parties(s, c.Ref, proposed, c.Publish), c.Publish,
	}), nil
}

func (c ProposeChange) milestone(s State, id MilestoneID) *Milestone {
	return s.Milestone(MilestoneRef{c.Ref.Agreement, c.Ref.Project, id})
}

func (c ProposeChange) proposals(s State, a *Agreement, p *Project, m Meta) (proposed []ProposedChange, f faults) {
	proposed = []ProposedChange{}
	f.text("reason", c.Reason, 2000, true)
	if n := len(c.Milestones); n > 100 || (n == 0 && len(c.Publish) == 0) {
		f.add("milestones", "name 1 to 100, or something to publish")
		return nil, f
	}
	var named []MilestoneID
	for _, w := range c.Milestones {
		x := c.milestone(s, w.Milestone)
		switch {
		case slices.Contains(named, w.Milestone):
			f.add("milestones", "%s is named twice", w.Milestone)
		case x == nil || !x.Sees(m.Actor.Partner, p):
			f.add("milestones", "the project has no milestone %q", w.Milestone)
		case x.Audience != Shared:
			f.add("milestones", "%s is private; share it first", w.Milestone)
		default:
			proposed = append(proposed, w.proposal(x, a, p, m, &f))
		}
		named = append(named, w.Milestone)
	}
	c.publishable(s, p, m, &f)
	return proposed, f
}

// proposal compares what is wanted with what is.
func (w WantedChange) proposal(x *Milestone, a *Agreement, p *Project, m Meta, f *faults) ProposedChange {
	pc := ProposedChange{Milestone: w.Milestone, Cancel: w.Cancel}
	to := w.To.over(x.Plan)
	wrong := to.faults(a, p, false)
	wrong.left(a, m.At, to, x.Plan)
	for _, fault := range wrong {
		f.add("milestones", "%s: %s %s", w.Milestone, fault.Field, fault.Message)
	}
	switch {
	case w.Cancel:
		if w.To.names() {
			f.add("milestones", "%s: what is cancelled is not changed too", w.Milestone)
		}
	case x.BaselineOn == 0:
		pc.From, pc.To = whole(x.Plan), whole(to)
	default:
		if pc.From, pc.To = differing(x.Plan, to); !pc.To.names() {
			f.add("milestones", "%s: nothing changes, and its baseline is agreed", w.Milestone)
		}
	}
	return pc
}

func (c ProposeChange) allowed(s State, a *Agreement, m Meta) error {
	for _, w := range c.Milestones {
		if x := c.milestone(s, w.Milestone); x.State.Final() {
			return located{Milestone: x}.in()
		}
	}
	if slices.ContainsFunc(c.Milestones, func(w WantedChange) bool { return !w.Cancel }) {
		return a.open(m)
	}
	return nil
}

func (e ChangeProposed) apply(w *World, h Header) {
	c := h.editChange(w, e.Change)
	c.Key, c.State, c.By, c.Reason, c.Milestones, c.Asked = e.Key, ChangeOpen, e.By, e.Reason, e.Milestones, e.Parties
	c.Publish = e.Publish
	c.ProposedAt, c.DecidedAt, c.Approvals = h.RecordedAt.UnixMicro(), 0, nil
	if slices.Contains(e.Parties, e.By) {
		c.Approvals = []PartnerID{e.By}
	}
}

// editChange returns a request of the project that the fold may change, and counts the event.
func (h Header) editChange(w *World, number int) *ChangeRequest {
	p := w.editProject(h.project())
	fresh := ChangeRequest{Number: number}
	list := slices.Clone(p.Changes)
	if i := slices.IndexFunc(list, func(c *ChangeRequest) bool { return c.Number == number }); i >= 0 {
		fresh = *list[i]
		list[i] = &fresh
	} else {
		list = append(list, &fresh)
	}
	p.Changes = list
	fresh.Seen.Count(h.Audience, h.RecordedAt)
	return &fresh
}

// asked is a request with its surroundings, as one actor may see them.
type asked struct {
	*ChangeRequest
	ref       ProjectRef
	project   *Project
	agreement *Agreement
}

func findChange(s State, ref ProjectRef, number int, m Meta) (asked, error) {
	a, p, err := participantIn(s, ref, m)
	if err != nil {
		return asked{}, err
	}
	c := p.Change(number)
	if c == nil || !c.Sees(m.Actor.Partner) {
		return asked{}, ErrNotFound()
	}
	return asked{c, ref, p, a}, nil
}

func changeSeen(s State, ref ProjectRef, number int) *Seen {
	p := s.Project(ref)
	if p == nil {
		return nil
	}
	c := p.Change(number)
	if c == nil {
		return nil
	}
	return &c.Seen
}

// party refuses all but a manager of a party of the request, and requests that are closed.
func (c asked) party(s State, m Meta) error {
	if err := m.manager(); err != nil {
		return err
	}
	if !slices.Contains(c.Parties(s, c.ref), m.Actor.Partner) {
		return forbidden("not_concerned", "Only the owners and acceptors of its milestones decide change %d; %s is neither.", c.Number, m.Actor.Partner)
	}
	return c.open()
}

func (c asked) open() error {
	if c.State != ChangeOpen {
		return conflict("change_closed", "Change %d is %s; nothing more happens to it.", c.Number, c.State)
	}
	return nil
}

// ApproveChange is one party's yes. With the last one the request takes effect. Of a request that publishes
// it is a yes to all that the public will see of those milestones from then on, see [MilestonePublished].
type ApproveChange struct {
	Ref    ProjectRef `json:"ref"`
	Number int        `json:"number"`
}

// ChangeApproved is one party's yes. Remaining are the parties whose yes is missing.
type ChangeApproved struct {
	Change    int         `json:"change"`
	Partner   PartnerID   `json:"partner"`
	Remaining []PartnerID `json:"remaining,omitempty"`
}

// Stream implements Command.
func (c ApproveChange) Stream() Stream {
	return Stream{Agreement: c.Ref.Agreement, Project: c.Ref.Project}
}

func (c ApproveChange) target(s State) *Seen { return changeSeen(s, c.Ref, c.Number) }

func (c ApproveChange) decide(s State, m Meta) ([]Event, error) {
	x, err := findChange(s, c.Ref, c.Number, m)
	if err != nil {
		return nil, err
	}
	if err := x.party(s, m); err != nil {
		return nil, err
	}
	if x.agrees() {
		if err := x.agreement.running(m.At); err != nil {
			return nil, err
		}
	}
	e := ChangeApproved{Change: c.Number, Partner: m.Actor.Partner}
	for _, p := range x.Parties(s, c.Ref) {
		if p != m.Actor.Partner && !slices.Contains(x.Approvals, p) {
			e.Remaining = append(e.Remaining, p)
		}
	}
	if slices.Contains(x.Approvals, m.Actor.Partner) && len(e.Remaining) > 0 {
		return nil, conflict("already_approved", "%s has approved change %d already; not all others have.", m.Actor.Partner, c.Number)
	}
	events := shared("", e)
	if len(e.Remaining) > 0 {
		return events, nil
	}
	effects, err := x.effects(s)
	if err != nil {
		return nil, err
	}
	return append(append(events, effects...), x.published(ahead(s, c.Stream(), effects, m))...), nil
}

// effects returns what the request does once all have approved it.
func (c asked) effects(s State) ([]Event, error) {
	var events []Event
	for _, pc := range c.Milestones {
		x := located{s.Milestone(MilestoneRef{c.ref.Agreement, c.ref.Project, pc.Milestone}), c.project, c.agreement}
		to := pc.To.over(x.Plan)
		if err := x.changeable(to, pc.Cancel); err != nil {
			return nil, err
		}
		if pc.Cancel {
			events = append(events, x.event(MilestoneCancelled{Reason: c.Reason, From: x.State, Change: c.Number})...)
			continue
		}
		events = append(events, x.event(MilestoneAgreed{
			Change: c.Number, Reason: c.Reason, To: to.agreed(), From: x.Plan.agreed(), BaselineFrom: x.BaselineOn,
		})...)
	}
	return events, nil
}

// changeable refuses what does not fit the milestone now, though it did when it was proposed.
func (x located) changeable(to Plan, cancel bool) error {
	who := to.Owner != x.Plan.Owner || !slices.Equal(to.Acceptors, x.Plan.Acceptors)
	if (cancel || who) && x.State != Planned && x.State != InProgress {
		return conflict("delivery_open", "Milestone %s is %s; owner and acceptors change, and it is cancelled, only between deliveries.",
			x.Ref.Milestone, x.State.words())
	}
	if f := to.faults(x.agreement, x.project, false); len(f) > 0 {
		return conflict("change_does_not_fit", "Milestone %s changed meanwhile, and this does not fit it any more: %s %s.",
			x.Ref.Milestone, f[0].Field, f[0].Message)
	}
	return nil
}

func (e ChangeApproved) apply(w *World, h Header) {
	c := h.editChange(w, e.Change)
	c.Approvals = put(c.Approvals, e.Partner, func(p PartnerID) string { return string(p) })
	if len(e.Remaining) == 0 {
		c.State, c.DecidedAt = ChangeAgreed, h.RecordedAt.UnixMicro()
	}
}

// MilestoneAgreed sets or moves a milestone's baseline, its due date, with all else that is agreed of it.
// BaselineFrom is the baseline before; zero: it is the first.
type MilestoneAgreed struct {
	Change       int        `json:"change"`
	Reason       string     `json:"reason"`
	To           AgreedPlan `json:"to"`
	From         AgreedPlan `json:"from"`
	BaselineFrom Date       `json:"baseline_from,omitzero"`
}

func (e MilestoneAgreed) apply(w *World, h Header) {
	x := h.edit(w)
	x.Plan.DueOn, x.Plan.Owner, x.Plan.Acceptors, x.Plan.Criteria = e.To.DueOn, e.To.Owner, e.To.Acceptors, e.To.Criteria
	x.BaselineOn = e.To.DueOn
	if !slices.Equal(e.To.Acceptors, e.From.Acceptors) || !slices.Equal(e.To.Criteria, e.From.Criteria) {
		x.Waivers = nil // as when it is edited
	}
}
