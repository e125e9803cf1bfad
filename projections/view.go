package projections

import (
	"slices"
	"strings"
	"time"

	"tandem/domain"
)

// View answers for one viewer. Every method shows only what the viewer may see; what it may not
// see is absent like what does not exist. A View is valid only during the call it was made for.
type View struct {
	s     *store
	who   Viewer
	me    *partnerNode // the viewer's; a node without agreements for one that does not exist
	scope []domain.AgreementID
	now   time.Time
	base  string
	today map[domain.PartnerID]domain.Date
	alien bool // the viewer's partner does not exist
}

// View calls read on a consistent view of the present, under the read lock: read must neither wait
// nor call the image.
func (i *Image) View(v Viewer, read func(*View) error) error {
	now := i.cfg.Now()
	i.mu.RLock()
	defer i.mu.RUnlock()
	return read(i.s.view(v, now, i.cfg.BaseURL))
}

func (s *store) view(v Viewer, now time.Time, base string) *View {
	me, known := s.reader(v)
	return &View{
		s: s, who: v, me: me, scope: parseScope(v.Scope), alien: !known,
		now: now, base: base, today: map[domain.PartnerID]domain.Date{},
	}
}

// reader returns the viewer's node; an empty one and false for a partner that does not exist.
func (s *store) reader(v Viewer) (*partnerNode, bool) {
	if v.Operator {
		return s.operator, true
	}
	if p, ok := s.partners[v.Partner]; ok {
		return p, true
	}
	return newPartnerNode(v.Partner), false
}

// Changed returns a channel that is closed at the next change that v can see.
func (i *Image) Changed(v Viewer) <-chan struct{} {
	i.mu.RLock()
	defer i.mu.RUnlock()
	me, _ := i.s.reader(v)
	return me.changed(v.Scope)
}

// Now returns the time of the view.
func (v *View) Now() time.Time { return v.now }

// Version returns the version of lists: the number of all events that the viewer may see.
func (v *View) Version() uint64 {
	var n uint64
	for _, r := range v.roots() {
		n += r.count
	}
	return n
}

// AgreementVersion returns the number of all events under an agreement that the viewer may see: the
// version of lists within it.
func (v *View) AgreementVersion(a domain.AgreementID) uint64 {
	n, _ := v.stands(string(a))
	return n
}

// reaches reports whether the viewer's token is good for the agreement.
func (v *View) reaches(a domain.AgreementID) bool {
	return len(v.scope) == 0 || slices.Contains(v.scope, a)
}

// agreements returns what the viewer is party to and its token good for, sorted by id.
func (v *View) agreements() []*agreementNode {
	if len(v.scope) == 0 {
		return v.me.agreements
	}
	return slices.DeleteFunc(slices.Clone(v.me.agreements), func(a *agreementNode) bool { return !v.reaches(a.id) })
}

func (v *View) agreement(id domain.AgreementID) *agreementNode {
	a := v.s.agreements[id]
	if a == nil || v.who.Operator || !v.reaches(id) || !slices.Contains(a.readers(), v.who.Partner) {
		return nil
	}
	return a
}

func (v *View) project(a domain.AgreementID, id domain.ProjectID) *projectNode {
	if v.agreement(a) == nil {
		return nil
	}
	p := v.s.projectNode(domain.ProjectRef{Agreement: a, Project: id})
	if p == nil || !slices.Contains(p.participants(), v.who.Partner) {
		return nil
	}
	return p
}

func (v *View) milestone(ref domain.MilestoneRef) *milestoneNode {
	p := v.project(ref.Agreement, ref.Project)
	if p == nil {
		return nil
	}
	m := p.milestones[ref.Milestone]
	if m == nil || !m.entity.Sees(v.who.Partner, p.entity) {
		return nil
	}
	return m
}

// partner returns a partner that the viewer may know: itself, its counterparties; to the operator
// all.
func (v *View) partner(id domain.PartnerID) *partnerNode {
	p := v.s.partners[id]
	if p == nil || p.entity == nil {
		return nil
	}
	if v.who.Operator || id == v.who.Partner || slices.Contains(v.counterparties(), id) {
		return p
	}
	return nil
}

// counterparties returns who shares an agreement with the viewer, within its scope; of one that it has withdrawn
// from, who did when it left.
func (v *View) counterparties() []domain.PartnerID {
	var ids []domain.PartnerID
	for _, a := range v.agreements() {
		readers := a.readers()
		if a.entity.Left(v.who.Partner, v.now) {
			readers = v.as(a).Terms.Parties
		}
		for _, p := range readers {
			if p != v.who.Partner && !slices.Contains(ids, p) {
				ids = append(ids, p)
			}
		}
	}
	return ids
}

// keeps reports whether the viewer may see the partner's directory.
func (v *View) keeps(id domain.PartnerID) *partnerNode {
	p := v.s.partners[id]
	if p == nil || p.entity == nil || (!v.who.Operator && id != v.who.Partner) {
		return nil
	}
	return p
}

// SeesPartner reports whether the viewer may know the partner.
func (v *View) SeesPartner(id domain.PartnerID) bool { return v.partner(id) != nil }

// SeesAgreement reports whether the viewer may see the agreement.
func (v *View) SeesAgreement(id domain.AgreementID) bool { return v.agreement(id) != nil }

// SeesProject reports whether the viewer may see the project.
func (v *View) SeesProject(a domain.AgreementID, id domain.ProjectID) bool {
	return v.project(a, id) != nil
}

// SeesMilestone reports whether the viewer may see the milestone.
func (v *View) SeesMilestone(ref domain.MilestoneRef) bool { return v.milestone(ref) != nil }

// todayOf returns the date in a partner's zone.
func (v *View) todayOf(p domain.PartnerID) domain.Date {
	d, ok := v.today[p]
	if !ok {
		zone := time.UTC
		if n := v.s.partners[p]; n != nil {
			zone = n.zone
		}
		d = domain.DateOf(v.now.In(zone))
		v.today[p] = d
	}
	return d
}

// midnight returns the next midnight in any zone that can matter to the viewer: its own, its
// counterparties' and UTC, in which agreements end.
func (v *View) midnight() time.Time {
	zones := []*time.Location{time.UTC, v.me.zone}
	for _, id := range v.counterparties() {
		if p := v.s.partners[id]; p != nil && !slices.Contains(zones, p.zone) {
			zones = append(zones, p.zone)
		}
	}
	first := nextMidnight(v.now, time.UTC)
	for _, z := range zones {
		if t := nextMidnight(v.now, z); t.Before(first) {
			first = t
		}
	}
	return first
}

// nextMidnight returns when the date in the zone changes. Where clocks are put forward at
// midnight the computed instant can already be past; then it says a minute from now.
func nextMidnight(now time.Time, zone *time.Location) time.Time {
	y, m, d := now.In(zone).Date()
	t := time.Date(y, m, d+1, 0, 0, 0, 0, zone)
	if !t.After(now) {
		return now.Add(time.Minute)
	}
	return t
}

func (v *View) url(segments ...string) string {
	var b strings.Builder
	b.WriteString(v.base)
	b.WriteString("/v1")
	for _, s := range segments {
		b.WriteByte('/')
		b.WriteString(s)
	}
	return b.String()
}

func (v *View) milestoneURL(ref domain.MilestoneRef) string {
	return v.url("agreements", string(ref.Agreement), "projects", string(ref.Project), "milestones", string(ref.Milestone))
}

// orNull returns nil for a zero value, which is null in JSON.
func orNull[T comparable](x T) *T {
	var zero T
	if x == zero {
		return nil
	}
	return &x
}

// list returns an empty list for none, which is [] in JSON.
func list[T any](x []T) []T {
	if x == nil {
		return []T{}
	}
	return x
}
