package projections

import (
	"slices"
	"strings"

	"tandem/domain"
	"tandem/eventlog"
)

// index takes over what event i of the commit changed in the scratch world, and counts the event
// for those who may see it.
func (s *store) index(n *streamNode, c *eventlog.Commit, i int, h domain.Header, p domain.Payload) error {
	switch {
	case n.directory != nil:
		return s.indexDirectory(n.directory, c, i, h)
	case n.project == nil:
		return s.indexAgreement(n.agreement, c, i, h, p)
	case h.Subject == "":
		return s.indexProject(n.project, c, i, h)
	default:
		return s.indexMilestone(n.project, c, i, h, p)
	}
}

func (s *store) indexAgreement(a *agreementNode, c *eventlog.Commit, i int, h domain.Header, e domain.Payload) error {
	a.entity = s.world.Agreement(a.id)
	a.signaturesAwaited(h.RecordedAt.UnixMicro())
	s.readers(a)
	told, err := a.root.code(s, a.entity.ReadersOf(e, h.RecordedAt))
	if err == nil {
		_, err = s.record(a.root, c, i, h, told)
	}
	return err
}

// readers puts the agreement into the lists of those who see it and takes it out of those who did.
func (s *store) readers(a *agreementNode) {
	before, now := a.listed, a.readers()
	if s.replay || slices.Equal(before, now) {
		return
	}
	for _, p := range before {
		if !slices.Contains(now, p) {
			s.partner(p).dropAgreement(a)
			s.touch(s.partner(p), a.id)
		}
	}
	for _, p := range now {
		s.partner(p).addAgreement(a)
	}
	a.listed = now
}

// signaturesAwaited notes since when each party's signature is missing.
func (a *agreementNode) signaturesAwaited(at int64) {
	if a.entity.Active {
		a.waiting = nil
		return
	}
	var waiting []waitingSince
	for _, p := range a.entity.Terms.Parties {
		signed := slices.ContainsFunc(a.entity.Signatures, func(s domain.Signature) bool { return s.Partner == p })
		if signed {
			continue
		}
		since := at
		if i := slices.IndexFunc(a.waiting, func(w waitingSince) bool { return w.Partner == p }); i >= 0 {
			since = a.waiting[i].At
		}
		waiting = append(waiting, waitingSince{p, since})
	}
	a.waiting = waiting
}

func (s *store) indexProject(p *projectNode, c *eventlog.Commit, i int, h domain.Header) error {
	p.entity = s.world.Project(domain.ProjectRef{Agreement: p.agreement.id, Project: p.id})
	p.callsOpen(h.RecordedAt.UnixMicro())
	if before, now := p.listed, p.participants(); !slices.Equal(before, now) {
		code, err := p.agreement.root.code(s, now)
		if err != nil {
			return err
		}
		p.shared, p.listed = code, now
		s.participants(p, before)
	}
	_, err := s.record(p.agreement.root, c, i, h, p.shared)
	return err
}

// participants takes over the project's milestones, in which is noted from when on who joined sees them,
// and moves them between the lists of those who took part and those who do.
func (s *store) participants(p *projectNode, before []domain.PartnerID) {
	for _, m := range p.milestones {
		m.entity = s.world.Milestone(m.entity.Ref)
		if s.replay {
			continue
		}
		for _, x := range seenBy(m.entity, before) {
			s.partner(x).dropMilestone(m)
		}
		for _, x := range seenBy(m.entity, p.participants()) {
			s.partner(x).addMilestone(m)
		}
	}
	if s.replay {
		return
	}
	for _, x := range before {
		s.touch(s.partner(x), p.agreement.id)
	}
}

// callsOpen notes since when each open call stands.
func (p *projectNode) callsOpen(at int64) {
	var calls []callSince
	for _, c := range p.entity.Calls {
		since := at
		if i := slices.IndexFunc(p.calls, func(x callSince) bool { return x.Call.Partner == c.Partner && x.Call.For(c) }); i >= 0 {
			since = p.calls[i].At
		}
		calls = append(calls, callSince{c, since})
	}
	p.calls = calls
}

func (s *store) indexMilestone(p *projectNode, c *eventlog.Commit, i int, h domain.Header, event domain.Payload) error {
	id := domain.MilestoneID(h.Subject)
	m, ok := p.milestones[id]
	if !ok {
		m = &milestoneNode{project: p}
		p.milestones[id] = m
	}
	before := m.entity
	m.entity = s.world.Milestone(domain.MilestoneRef{Agreement: p.agreement.id, Project: p.id, Milestone: id})
	m.publish()
	if c.Events[i].Type == deliveredType {
		m.deliveredAt = h.RecordedAt.UnixMicro()
	}
	if !s.replay {
		s.relist(m, before)
		p.agreement.serve(m)
	}
	place, err := s.record(p.agreement.root, c, i, h, p.shared)
	m.history = append(m.history, place)
	m.noteDates(place, event)
	return err
}

const deliveredType = "milestone.delivered.v1"

// relist keeps a milestone's place in the lists of those who see it.
func (s *store) relist(m *milestoneNode, before *domain.Milestone) {
	now := m.entity
	if before != nil && before.Audience == now.Audience && before.Plan.DueOn == now.Plan.DueOn {
		return
	}
	if before != nil {
		for _, p := range seenBy(before, m.project.participants()) {
			s.partner(p).dropMilestone(m)
		}
	}
	m.due = now.Plan.DueOn
	for _, p := range seenBy(now, m.project.participants()) {
		s.partner(p).addMilestone(m)
	}
}

// serve keeps a milestone in the list of the instrument that it names.
func (a *agreementNode) serve(m *milestoneNode) {
	i := m.entity.Plan.Instrument
	if i == m.serves {
		return
	}
	if m.serves != "" {
		a.serving[m.serves] = slices.DeleteFunc(a.serving[m.serves], func(x *milestoneNode) bool { return x == m })
	}
	if m.serves = i; i != "" {
		a.serving[i] = append(a.serving[i], m)
	}
}

// seenBy returns those of the participants who may see the milestone.
func seenBy(m *domain.Milestone, participants []domain.PartnerID) []domain.PartnerID {
	only, private := m.Audience.Private()
	if !private {
		return participants
	}
	if slices.Contains(participants, only) {
		return []domain.PartnerID{only}
	}
	return nil
}

// record counts the event for its audience, which is shared unless the event is private, and
// wakes those who wait for it.
func (s *store) record(r *root, c *eventlog.Commit, i int, h domain.Header, shared uint16) (uint32, error) {
	code := shared
	if only, private := h.Audience.Private(); private {
		var err error
		if code, err = r.code(s, []domain.PartnerID{only}); err != nil {
			return 0, err
		}
	}
	place, err := r.add(c, i, code)
	if err != nil || s.replay {
		return place, err
	}
	for _, x := range r.audiences[code].seers {
		s.touch(x.node, h.Stream.Agreement)
	}
	return place, nil
}

// touch makes the partner's pages stale and wakes those who wait for a change of the agreement;
// of any, when it is empty.
func (s *store) touch(p *partnerNode, a domain.AgreementID) {
	p.changes.Add(1)
	s.fired = p.fire(s.fired, a)
}

// buildLists makes the lists that a replay left out.
func (s *store) buildLists() {
	for _, p := range s.partners {
		p.agreements, p.milestones = nil, nil
	}
	for _, a := range s.agreements {
		a.listed = a.readers()
		for _, p := range a.listed {
			s.partner(p).agreements = append(s.partner(p).agreements, a)
		}
		for _, in := range a.projects {
			for _, m := range in.milestones {
				m.due = m.entity.Plan.DueOn
				a.serve(m)
				for _, p := range seenBy(m.entity, in.participants()) {
					s.partner(p).milestones = append(s.partner(p).milestones, m)
				}
			}
		}
	}
	for _, p := range s.partners {
		slices.SortFunc(p.agreements, compareAgreements)
		slices.SortFunc(p.milestones, compareMilestones)
	}
}

func compareAgreements(a, b *agreementNode) int { return strings.Compare(string(a.id), string(b.id)) }
