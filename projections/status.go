package projections

import (
	"tandem/domain"
)

// Status returns the state of all that the viewer may see. What waits for a decision is counted in the
// inbox, so that the two cannot differ, and a new kind of item counts by itself.
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
	inbox := v.Inbox()
	status := Status{
		Partner: v.who.Partner, Counts: all.counts, Overdue: all.overdue,
		AwaitingMyDecision: decisions(inbox), NextDue: all.nextDue, Projects: []ProjectStatus{},
	}
	within := byProject(inbox)
	for _, a := range v.agreements() {
		for _, p := range v.projectsOf(a) {
			t := projects[p]
			if t == nil {
				t = newTally()
			}
			status.Projects = append(status.Projects, t.project(p.entity, within[p.entity.Ref]))
		}
	}
	return status
}

func byProject(items []InboxItem) map[domain.ProjectRef][]InboxItem {
	within := map[domain.ProjectRef][]InboxItem{}
	for _, i := range items {
		if i.Project != nil {
			ref := domain.ProjectRef{Agreement: *i.Agreement, Project: *i.Project}
			within[ref] = append(within[ref], i)
		}
	}
	return within
}

// ProjectStatus returns the state of one project.
func (v *View) ProjectStatus(a domain.AgreementID, id domain.ProjectID) (ProjectStatus, bool) {
	p := v.project(a, id)
	if p == nil {
		return ProjectStatus{}, false
	}
	t, items := newTally(), v.projectItems(p)
	for _, n := range v.candidates(MilestoneQuery{Agreement: a, Project: id}) {
		v.add(n, t)
		items = append(items, v.milestoneItems(n)...)
	}
	return t.project(p.entity, items), true
}

// tally counts milestones that come in the order of lists.
type tally struct {
	counts  Counts
	overdue int
	nextDue *MilestoneRef // of those that are neither late nor delivered
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
	overdue := v.overdue(m)
	for _, t := range tallies {
		t.counts.State[m.State]++
		if m.Health != "" {
			t.counts.Health[m.Health]++
		}
		switch {
		case overdue:
			t.overdue++
		case t.nextDue == nil && (m.State == domain.Planned || m.State == domain.InProgress):
			t.nextDue = &MilestoneRef{m.Ref.Agreement, m.Ref.Project, m.Ref.Milestone, m.Plan.DueOn}
		}
	}
}

func (t *tally) project(p *domain.Project, items []InboxItem) ProjectStatus {
	return ProjectStatus{
		Agreement: p.Ref.Agreement, Project: p.Ref.Project, Title: p.Title, Stage: p.Stage,
		Counts: t.counts, Overdue: t.overdue, AwaitingMyDecision: decisions(items), NextDue: t.nextDue,
	}
}
