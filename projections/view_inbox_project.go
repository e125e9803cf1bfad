package projections

import (
	"slices"
	"time"

	"tandem/api"
	"tandem/domain"
)

// projectItems returns the items of a project other than those of its milestones.
func (v inbox) projectItems(project *projectNode) []api.InboxItem {
	items := append(v.leadItems(project), v.stageItems(project)...)
	return append(items, v.changeItems(project)...)
}

func (v inbox) projectItem(project *projectNode, kind string, since int64, reason string) api.InboxItem {
	return api.InboxItem{
		Kind: kind, Agreement: &project.agreement.id, Project: &project.entity.Ref.Project, Title: project.entity.Title,
		Reason: reason, Since: time.UnixMicro(since).UTC(), URL: v.url("agreements", string(project.agreement.id), "projects", string(project.id)),
	}
}

// leadItems returns the item of a viewer that another partner has named as lead. It takes the place of the item
// about a call to commit.
func (v inbox) leadItems(project *projectNode) []api.InboxItem {
	if !v.leads(project) {
		return nil
	}
	nomination := project.entity.LeadNomination
	item := v.projectItem(project, "lead", nomination.At, v.text("lead", values{"Partner": v.nameAt(nomination.By, nomination.At)}))
	item.DecideBy = nilIfZero(project.entity.DecideBy)
	return []api.InboxItem{item}
}

// leads reports whether the viewer is named as lead and has not agreed yet.
func (v inbox) leads(project *projectNode) bool {
	entity := project.entity
	return entity.LeadNomination != nil && entity.Lead == v.viewer.Partner && entity.Stage.Tentative()
}

// stageItems returns the moves that other participants have called and the viewer has not.
func (v inbox) stageItems(project *projectNode) []api.InboxItem {
	var items []api.InboxItem
	calls := project.entity.Calls
	for n, open := range calls {
		same := func(other domain.OpenCall) bool { return other.SameAs(open.Call) }
		mine := func(other domain.OpenCall) bool { return same(other) && other.Partner == v.viewer.Partner }
		if slices.ContainsFunc(calls, mine) || slices.ContainsFunc(calls[:n], same) {
			continue // one item per move, for its first call
		}
		if open.Move == domain.MoveCommit && v.leads(project) {
			continue
		}
		if !slices.Contains(project.entity.RequiredCallers(v.store, project.agreement.entity, open.Call, v.now), v.viewer.Partner) {
			continue // a party that has left does not call
		}
		items = append(items, v.projectItem(project, "stage", open.At, v.callText(open)))
	}
	return items
}

func (v inbox) callText(open domain.OpenCall) string {
	call, name := open.Call, string(open.Move)
	data := values{"Partner": v.nameAt(call.Partner, open.At), "Reason": call.Reason}
	if call.DecideBy != 0 {
		data["On"] = v.date(call.DecideBy)
	}
	if len(call.Add) > 0 {
		data["Added"] = v.book.Names(v.language, v.namesOf(call.Add))
	}
	if call.Lead != "" {
		data["Lead"] = v.name(call.Lead)
	}
	if call.Leaving != "" {
		data["Leaving"] = v.name(call.Leaving)
		if call.Leaving != call.Partner {
			name += "_other"
		}
	}
	return v.text("stage."+name, data)
}

// changeItems returns the open change requests that need the viewer's approval.
func (v inbox) changeItems(node *projectNode) (items []api.InboxItem) {
	project := node.entity
	for _, request := range project.Changes {
		if !request.Awaits(v.viewer.Partner, v.store, project.Ref) {
			continue
		}
		item := api.InboxItem{
			Kind: "change", Agreement: &project.Ref.Agreement, Project: &project.Ref.Project, Change: &request.Number, Title: project.Title,
			Reason: v.text("change", values{
				"Partner": v.nameAt(request.ProposedBy, request.ProposedAt), "Change": request.Number, "Reason": request.Reason,
			}),
			Since: time.UnixMicro(request.ProposedAt).UTC(), URL: v.changeURL(project.Ref, request.Number),
		}
		item.Milestone = onlyMilestone(request)
		items = append(items, item)
	}
	return items
}
