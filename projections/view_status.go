package projections

import (
	"tandem/api"
	"tandem/domain"
)

// Status returns the state of all visible projects. Decisions are counted in the inbox, so both always agree
// and a new kind of item needs no code here.
func (v *View) Status() api.Status {
	all, projects := newTally(), map[*projectNode]*tally{}
	for _, node := range v.node.milestones {
		if !v.inScope(node.entity.Ref.Agreement) {
			continue
		}
		total := projects[node.project]
		if total == nil {
			total = newTally()
			projects[node.project] = total
		}
		v.tallyMilestone(node, all, total)
	}
	inbox := inbox{v, untexted}.items()
	status := api.Status{
		Partner: v.viewer.Partner, Counts: all.counts, Overdue: all.overdue,
		AwaitingMyDecision: countDecisions(inbox), NextDue: all.nextDue, Projects: []api.ProjectStatus{},
	}
	within := groupByProject(inbox)
	for _, agreement := range v.agreements() {
		for _, project := range v.projectsOf(agreement) {
			total := projects[project]
			if total == nil {
				total = newTally()
			}
			status.Projects = append(status.Projects, total.project(project.entity, within[project.entity.Ref]))
		}
	}
	return status
}

func groupByProject(items []api.InboxItem) map[domain.ProjectRef][]api.InboxItem {
	within := map[domain.ProjectRef][]api.InboxItem{}
	for _, item := range items {
		if item.Project != nil {
			ref := domain.ProjectRef{Agreement: *item.Agreement, Project: *item.Project}
			within[ref] = append(within[ref], item)
		}
	}
	return within
}

// ProjectStatus returns the state of one project, or false if it is invisible.
func (v *View) ProjectStatus(agreement domain.AgreementID, id domain.ProjectID) (api.ProjectStatus, bool) {
	project := v.project(agreement, id)
	if project == nil {
		return api.ProjectStatus{}, false
	}
	total, items := newTally(), inbox{v, untexted}.projectItems(project)
	for _, node := range v.candidates(MilestoneQuery{Agreement: agreement, Project: id}) {
		v.tallyMilestone(node, total)
		items = append(items, inbox{v, untexted}.milestoneItems(node)...)
	}
	return total.project(project.entity, items), true
}

// tally counts milestones, which are added in the order of lists.
type tally struct {
	counts  api.Counts
	overdue int
	nextDue *api.MilestoneRef // the first that is neither overdue nor delivered
}

// newTally returns a tally with a zero for every state and health.
func newTally() *tally {
	total := &tally{counts: api.Counts{State: map[domain.MilestoneState]int{}, Health: map[domain.Health]int{}}}
	for _, milestoneState := range domain.MilestoneStates() {
		total.counts.State[milestoneState] = 0
	}
	for _, health := range domain.Healths() {
		total.counts.Health[health] = 0
	}
	return total
}

// tallyMilestone counts a milestone unless it can no longer happen.
func (v *View) tallyMilestone(node *milestoneNode, tallies ...*tally) {
	milestone := node.entity
	if v.ended(node) {
		return
	}
	overdue := v.overdue(node)
	for _, total := range tallies {
		total.counts.State[milestone.State]++
		if health := milestone.Report(false).Health; health != "" {
			total.counts.Health[health]++
		}
		switch {
		case overdue:
			total.overdue++
		case total.nextDue == nil && milestone.OwnerAgreed() && (milestone.State == domain.Planned || milestone.State == domain.InProgress):
			total.nextDue = &api.MilestoneRef{
				Agreement: milestone.Ref.Agreement, Project: milestone.Ref.Project,
				Milestone: milestone.Ref.Milestone, DueOn: milestone.Plan.DueOn,
			}
		}
	}
}

func (t *tally) project(project *domain.Project, items []api.InboxItem) api.ProjectStatus {
	return api.ProjectStatus{
		Agreement: project.Ref.Agreement, Project: project.Ref.Project, Title: project.Title, Stage: project.Stage,
		Counts: t.counts, Overdue: t.overdue, AwaitingMyDecision: countDecisions(items), NextDue: t.nextDue,
	}
}
