package projections

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tandem/domain"
)

// Status returns the state of all that the viewer may see.
func (v *View) Status() Status {
	all, projects := newTally(), map[*projectNode]*tally{}
	for _, n := range v.me.milestones {
		if !v.reaches(n.entity.Ref.Agreement) {
			continue
		}
		t := projects[n.project]
		if t == nil {
			t = newTally()
			projects[n.project] = t
		}
		v.add(n, all, t)
	}
	status := Status{
		Partner: v.who.Partner, Counts: all.counts, Overdue: all.overdue,
		AwaitingMyDecision: all.awaiting, NextDue: all.nextDue, Projects: []ProjectStatus{},
	}
	for _, a := range v.agreements() {
		for _, p := range v.projectsOf(a) {
			t := projects[p]
			if t == nil {
				t = newTally()
			}
			status.Projects = append(status.Projects, t.project(p.entity))
		}
	}
	return status
}

// ProjectStatus returns the state of one project.
func (v *View) ProjectStatus(a domain.AgreementID, id domain.ProjectID) (ProjectStatus, bool) {
	p := v.project(a, id)
	if p == nil {
		return ProjectStatus{}, false
	}
	t := newTally()
	for _, n := range v.candidates(MilestoneQuery{Agreement: a, Project: id}) {
		v.add(n, t)
	}
	return t.project(p.entity), true
}

// tally counts milestones that come in the order of lists.
type tally struct {
	counts            Counts
	overdue, awaiting int
	nextDue           *MilestoneRef
}

// newTally has every known state and health, so that a reader finds a zero instead of nothing.
func newTally() *tally {
	t := &tally{counts: Counts{State: map[domain.MilestoneState]int{}, Health: map[domain.Health]int{}}}
	for _, s := range domain.MilestoneStates() {
		t.counts.State[s] = 0
	}
	for _, h := range domain.Healths() {
		t.counts.Health[h] = 0
	}
	return t
}

func (v *View) add(n *milestoneNode, tallies ...*tally) {
	m := n.entity
	overdue, awaiting := v.overdue(m), m.Awaits(v.who.Partner)
	for _, t := range tallies {
		t.counts.State[m.State]++
		if m.Health != "" {
			t.counts.Health[m.Health]++
		}
		switch {
		case overdue:
			t.overdue++
		case awaiting:
			t.awaiting++
		case t.nextDue == nil && (m.State == domain.Planned || m.State == domain.InProgress):
			t.nextDue = &MilestoneRef{m.Ref.Agreement, m.Ref.Project, m.Ref.Milestone, m.Plan.DueOn}
		}
	}
}

func (t *tally) project(p *domain.Project) ProjectStatus {
	return ProjectStatus{
		Agreement: p.Ref.Agreement, Project: p.Ref.Project, Title: p.Title, Stage: p.Stage,
		Counts: t.counts, Overdue: t.overdue, AwaitingMyDecision: t.awaiting, NextDue: t.nextDue,
	}
}

// Inbox returns what waits for the viewer, oldest first.
func (v *View) Inbox() []InboxItem {
	items := []InboxItem{}
	for _, n := range v.me.milestones {
		if v.reaches(n.entity.Ref.Agreement) && n.entity.Awaits(v.who.Partner) {
			items = append(items, v.acceptanceItem(n))
		}
	}
	for _, a := range v.agreements() {
		items = append(items, v.signatureItems(a)...)
		for _, p := range v.projectsOf(a) {
			items = append(items, v.stageItems(p)...)
		}
	}
	slices.SortStableFunc(items, func(a, b InboxItem) int { return a.Since.Compare(b.Since) })
	return items
}

func (v *View) acceptanceItem(n *milestoneNode) InboxItem {
	m := n.entity
	return InboxItem{
		Kind: "acceptance", Agreement: m.Ref.Agreement, Project: &m.Ref.Project, Milestone: &m.Ref.Milestone,
		Title:  m.Plan.Title,
		Reason: fmt.Sprintf("Delivery %d by %s waits for your decision.", m.Round, v.name(m.Plan.Owner)),
		Since:  time.UnixMicro(n.deliveredAt).UTC(), URL: v.milestoneURL(m.Ref),
	}
}

func (v *View) signatureItems(a *agreementNode) []InboxItem {
	for _, w := range a.waiting {
		if w.Partner == v.who.Partner {
			return []InboxItem{{
				Kind: "signature", Agreement: a.id, Title: a.entity.Terms.Title, Reason: "The draft waits for your signature.",
				Since: time.UnixMicro(w.At).UTC(), URL: v.url("agreements", string(a.id)),
			}}
		}
	}
	return nil
}

// stageItems returns the moves that others have called and the viewer has not.
func (v *View) stageItems(p *projectNode) []InboxItem {
	type wish struct {
		move domain.Move
		date domain.Date
	}
	mine := map[wish]bool{}
	for _, c := range p.calls {
		if c.Call.Partner == v.who.Partner {
			mine[wish{c.Call.Move, c.Call.DecideBy}] = true
		}
	}
	var items []InboxItem
	for _, c := range p.calls {
		w := wish{c.Call.Move, c.Call.DecideBy}
		if mine[w] {
			continue
		}
		mine[w] = true // the first call stands for all
		items = append(items, InboxItem{
			Kind: "stage", Agreement: p.agreement.id, Project: &p.entity.Ref.Project, Title: p.entity.Title,
			Reason: v.wants(c.Call), Since: time.UnixMicro(c.At).UTC(),
			URL: v.url("agreements", string(p.agreement.id), "projects", string(p.id)),
		})
	}
	return items
}

func (v *View) wants(c domain.Call) string {
	what := strings.ReplaceAll(string(c.Move), "_", "-")
	if c.DecideBy != 0 {
		what += " to " + c.DecideBy.String()
	}
	if c.Reason != "" {
		what += ": " + c.Reason
	}
	return v.name(c.Partner) + " called " + what
}

// name returns how a partner is called in sentences.
func (v *View) name(p domain.PartnerID) string {
	if n := v.s.partners[p]; n != nil && n.entity != nil {
		return n.entity.Name
	}
	return string(p)
}
