package domain

import "slices"

// WantedChange is a proposed change of one milestone; zero fields stay as they are.
type WantedChange struct {
	Milestone MilestoneID  `json:"id"`
	To        ChangeFields `json:"to"`
	Cancel    bool         `json:"cancel,omitempty"`
}

// ProposeChange opens a change request with the project's next number. Key is optional and lets the proposer find
// it. Publish names milestones that become public with it (R17).
type ProposeChange struct {
	ProjectRef `json:"ref"`
	Key        string         `json:"key,omitempty"`
	Reason     string         `json:"reason"`
	Milestones []WantedChange `json:"milestones"`
	Publish    []MilestoneID  `json:"publish,omitempty"`
}

// ChangeProposed is the first event of a change request. Parties are the partners that have to approve it.
type ChangeProposed struct {
	Change     int              `json:"change"`
	Key        string           `json:"key,omitempty"`
	By         PartnerID        `json:"by"`
	Reason     string           `json:"reason"`
	Milestones []ProposedChange `json:"milestones"`
	Parties    []PartnerID      `json:"parties"`
	Publish    []MilestoneID    `json:"publish,omitempty"`
}

func (c ProposeChange) target(State) *Versions { return nil }

func (c ProposeChange) decide(state State, dc DecisionContext) ([]Event, error) {
	agreement, project, err := findProject(state, c.ProjectRef, dc)
	if err != nil {
		return nil, err
	}
	proposed, check := c.proposals(state, agreement, project, dc)
	if err := check.err(); err != nil {
		return nil, err
	}
	if err := dc.requireManager(); err != nil {
		return nil, err
	}
	if err := c.allowed(state, agreement, dc); err != nil {
		return nil, err
	}
	events := sharedEvents("", ChangeProposed{
		len(project.Changes) + 1, c.Key, dc.Actor.Partner, c.Reason, proposed, parties(state, c.ProjectRef, proposed, c.Publish), c.Publish,
	})
	return append(events, agreedByRequest(state, c.ProjectRef, proposed, dc.Actor.Partner)...), nil
}

func (c ProposeChange) milestone(state State, id MilestoneID) *Milestone {
	return state.Milestone(MilestoneRef{c.ProjectRef.Agreement, c.ProjectRef.Project, id})
}

func (c ProposeChange) proposals(state State, agreement *Agreement, project *Project, dc DecisionContext) (proposed []ProposedChange, check validation) {
	proposed = []ProposedChange{}
	check.text("reason", c.Reason, 2000, true)
	if n := len(c.Milestones); n > 100 || (n == 0 && len(c.Publish) == 0) {
		check.add("milestones", "name 1 to 100, or publish at least one")
		return nil, check
	}
	var named []MilestoneID
	for _, wanted := range c.Milestones {
		milestone := c.milestone(state, wanted.Milestone)
		switch {
		case slices.Contains(named, wanted.Milestone):
			check.add("milestones", "%s is named twice; name it once", wanted.Milestone)
		case milestone == nil || !milestone.VisibleTo(dc.Actor.Partner, project):
			check.add("milestones", "milestone %q does not exist", wanted.Milestone)
		case milestone.Audience != Shared:
			check.add("milestones", "%s is private; share it first", wanted.Milestone)
		default:
			proposed = append(proposed, wanted.proposal(milestone, agreement, project, dc, &check))
		}
		named = append(named, wanted.Milestone)
	}
	c.validatePublish(state, project, dc, &check)
	return proposed, check
}

// proposal compares the wanted values with the present plan.
func (w WantedChange) proposal(milestone *Milestone, agreement *Agreement, project *Project, dc DecisionContext, check *validation) ProposedChange {
	proposed := ProposedChange{Milestone: w.Milestone, Cancel: w.Cancel}
	named := refs{w.To.Instrument, w.To.ScheduleItem, w.To.Clause}
	to := agreement.keptRefs(dc.Actor.Partner, w.To.applyTo(milestone.Plan), milestone.Plan, named)
	wrong := to.validate(project, false)
	wrong.instrumentRefs(agreement, dc.Actor.Partner, to, milestone.Plan, named)
	if to.Instrument != milestone.Plan.Instrument {
		wrong.instrumentRunning(agreement, to.Instrument, dc)
	}
	wrong.departedPartners(agreement, dc.At, to, milestone.Plan)
	if to.DueOn != milestone.Plan.DueOn {
		wrong.plannedDate("due_on", to.DueOn, dc)
	}
	for _, fieldError := range wrong {
		check.add("milestones", "%s: %s", w.Milestone, fieldError)
	}
	switch {
	case w.Cancel:
		if w.To.hasFields() {
			check.add("milestones", "%s: is cancelled; do not change it as well", w.Milestone)
		}
	case milestone.BaselineOn == 0:
		proposed.From, proposed.To = allFields(milestone.Plan), allFields(to)
	default:
		if proposed.From, proposed.To = diffPlans(milestone.Plan, to); !proposed.To.hasFields() {
			check.add("milestones", "%s: no change of an agreed plan; name at least one field", w.Milestone)
		}
	}
	return proposed
}

func (c ProposeChange) allowed(state State, agreement *Agreement, dc DecisionContext) error {
	for _, wanted := range c.Milestones {
		if milestone := c.milestone(state, wanted.Milestone); milestone.State.Final() {
			return milestoneContext{Milestone: milestone}.requireState()
		}
	}
	if slices.ContainsFunc(c.Milestones, func(wanted WantedChange) bool { return !wanted.Cancel }) {
		return agreement.requireOpen(dc)
	}
	return nil
}

func (e ChangeProposed) apply(world *World, header Header) {
	change := header.editChange(world, e.Change)
	change.Key, change.State, change.ProposedBy, change.Reason, change.Milestones, change.ProposedTo = e.Key, ChangeStateOpen, e.By, e.Reason, e.Milestones, e.Parties
	change.Publish = e.Publish
	change.ProposedAt, change.DecidedAt, change.Approvals = header.RecordedAt.UnixMicro(), 0, nil
	if slices.Contains(e.Parties, e.By) {
		change.Approvals = []PartnerID{e.By}
	}
}

// editChange returns the request for modification by the fold, and counts the event.
func (h Header) editChange(world *World, number int) *ChangeRequest {
	project := world.editProject(h.projectRef())
	fresh := ChangeRequest{Number: number}
	list := slices.Clone(project.Changes)
	if i := slices.IndexFunc(list, func(change *ChangeRequest) bool { return change.Number == number }); i >= 0 {
		fresh = *list[i]
		list[i] = &fresh
	} else {
		list = append(list, &fresh)
	}
	project.Changes = list
	fresh.Versions.count(h)
	return &fresh
}

// changeContext is a change request with its project and agreement, as one actor may see them.
type changeContext struct {
	*ChangeRequest
	ref       ProjectRef
	project   *Project
	agreement *Agreement
}

func findChange(state State, ref ProjectRef, number int, dc DecisionContext) (changeContext, error) {
	agreement, project, err := findProject(state, ref, dc)
	if err != nil {
		return changeContext{}, err
	}
	change := project.Change(number)
	if change == nil || !change.VisibleTo(dc.Actor.Partner) {
		return changeContext{}, ErrNotFound()
	}
	return changeContext{change, ref, project, agreement}, nil
}

func (c *ChangeRequest) versions() *Versions {
	if c == nil {
		return nil
	}
	return &c.Versions
}

// requireParty refuses all actors but a manager of a party of the request, and closed requests.
func (c changeContext) requireParty(state State, dc DecisionContext) error {
	if err := dc.requireManager(); err != nil {
		return err
	}
	if !slices.Contains(c.Parties(state, c.ref), dc.Actor.Partner) {
		return forbidden("not_concerned", "Only the owners and acceptors of its milestones can decide change %d; %s is neither.", c.Number, dc.Actor.Partner)
	}
	return c.requireOpen()
}

func (c changeContext) requireOpen() error {
	if c.State != ChangeStateOpen {
		return conflict("change_closed", "Change %d is %s and can no longer change.", c.Number, c.State)
	}
	return nil
}

// ApproveChange approves for the acting partner. The last approval puts the request into effect. Approving a
// request that publishes includes the later changes that the public will see; see [MilestonePublished].
type ApproveChange struct {
	ChangeRef
}

// ChangeApproved is one party's approval. Remaining are the parties that have not approved yet.
type ChangeApproved struct {
	Change    int         `json:"change"`
	Partner   PartnerID   `json:"partner"`
	Remaining []PartnerID `json:"remaining,omitempty"`
}

func (c ApproveChange) decide(state State, dc DecisionContext) ([]Event, error) {
	change, err := findChange(state, c.ProjectRef, c.Number, dc)
	if err != nil {
		return nil, err
	}
	if err := change.requireParty(state, dc); err != nil {
		return nil, err
	}
	if change.changesPlans() {
		if err := change.agreement.requireActive(dc.At); err != nil {
			return nil, err
		}
	}
	event := ChangeApproved{Change: c.Number, Partner: dc.Actor.Partner}
	for _, partner := range change.Parties(state, c.ProjectRef) {
		if partner != dc.Actor.Partner && !slices.Contains(change.Approvals, partner) {
			event.Remaining = append(event.Remaining, partner)
		}
	}
	if slices.Contains(change.Approvals, dc.Actor.Partner) && len(event.Remaining) > 0 {
		return nil, conflict("already_approved", "%s has already approved change %d; wait for the other partners.", dc.Actor.Partner, c.Number)
	}
	events := sharedEvents("", event)
	if len(event.Remaining) > 0 {
		return append(events, agreedByRequest(state, c.ProjectRef, change.Milestones, dc.Actor.Partner)...), nil
	}
	effects, err := change.effects(state, dc)
	if err != nil {
		return nil, err
	}
	return append(append(events, effects...), change.publishEvents(stateAfter(state, c.Stream(), effects, dc))...), nil
}

// effects returns the events of an approved request, without publishing.
func (c changeContext) effects(state State, dc DecisionContext) ([]Event, error) {
	var events []Event
	for _, proposed := range c.Milestones {
		milestone := milestoneContext{state.Milestone(MilestoneRef{c.ref.Agreement, c.ref.Project, proposed.Milestone}), c.project, c.agreement}
		to := proposed.To.applyTo(milestone.Plan)
		if err := milestone.requireApplicable(to, proposed.Cancel); err != nil {
			return nil, err
		}
		if proposed.Cancel {
			events = append(events, milestone.event(MilestoneCancelled{Reason: c.Reason, From: milestone.State, Change: c.Number})...)
			continue
		}
		events = append(events, milestone.event(MilestoneAgreed{
			Change: c.Number, Reason: c.Reason, To: allFields(to), From: allFields(milestone.Plan), BaselineFrom: milestone.BaselineOn, On: dc.Today,
		})...)
	}
	return events, nil
}

// requireApplicable refuses a change that no longer fits the milestone.
func (m milestoneContext) requireApplicable(to Plan, cancel bool) error {
	who := to.Owner != m.Plan.Owner || !slices.Equal(to.Acceptors, m.Plan.Acceptors)
	if (cancel || who) && m.State != Planned && m.State != InProgress {
		return conflict("delivery_open", "Milestone %s is %s; its owner and acceptors can change, and it can be cancelled, only between deliveries.",
			m.Ref.Milestone, Term(m.State))
	}
	if check := to.validate(m.project, false); len(check) > 0 {
		return conflict("change_does_not_fit", "Milestone %s has changed and the request no longer fits it (%s); propose another.",
			m.Ref.Milestone, check[0])
	}
	return nil
}

func (e ChangeApproved) apply(world *World, header Header) {
	change := header.editChange(world, e.Change)
	change.Approvals = upsert(change.Approvals, e.Partner, func(partner PartnerID) string { return string(partner) })
	if len(e.Remaining) == 0 {
		change.State, change.DecidedAt = ChangeStateApproved, header.RecordedAt.UnixMicro()
	}
}

// MilestoneAgreed sets or moves a milestone's baseline, together with the other agreed fields. BaselineFrom is
// the previous baseline; zero: this is the first. Events of earlier versions contain date, owner, acceptors and
// criteria only, and no criteria if there are none.
type MilestoneAgreed struct {
	Change       int          `json:"change"`
	Reason       string       `json:"reason"`
	To           ChangeFields `json:"to"`
	From         ChangeFields `json:"from"`
	BaselineFrom Date         `json:"baseline_from,omitzero"`
	On           Date         `json:"on,omitzero"` // when the last approval was given
}

func (e MilestoneAgreed) apply(world *World, header Header) {
	milestone := header.editMilestone(world)
	before := milestone.Plan.Criteria
	milestone.Plan, milestone.OwnerNomination = e.To.applyTo(milestone.Plan), nil // the owner has approved the request
	if e.To.Criteria == nil {
		milestone.Plan.Criteria = nil
	}
	milestone.dropChecks(before, milestone.Plan.Criteria)
	milestone.BaselineOn = e.To.DueOn
	if milestone.AgreedOn == 0 {
		milestone.AgreedOn = header.dateOr(e.On)
	}
	if !slices.Equal(e.To.Acceptors, e.From.Acceptors) || !slices.Equal(criteriaOf(e.To), criteriaOf(e.From)) {
		milestone.Waivers = nil // as in MilestoneEdited
	}
}

func criteriaOf(fields ChangeFields) []string {
	if fields.Criteria == nil {
		return nil
	}
	return *fields.Criteria
}
