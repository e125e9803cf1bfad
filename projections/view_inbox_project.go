package projections

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tandem/api"
	"tandem/domain"
)

// projectItems returns the items of a project other than those of its milestones.
func (v inbox) projectItems(project *projectNode) []api.InboxItem {
	return append(v.stageItems(project), v.changeItems(project)...)
}

// stageItems returns the moves that other participants have called and the viewer has not.
func (v inbox) stageItems(project *projectNode) []api.InboxItem {
	var items []api.InboxItem
	for n, open := range project.calls {
		same := func(other openCall) bool { return other.Call.SameAs(open.Call) }
		mine := func(other openCall) bool { return same(other) && other.Call.Partner == v.viewer.Partner }
		if slices.ContainsFunc(project.calls, mine) || slices.ContainsFunc(project.calls[:n], same) {
			continue // one item per move, for its first call
		}
		if !slices.Contains(project.entity.RequiredCallers(v.store, project.agreement.entity, open.Call.Move, v.now), v.viewer.Partner) {
			continue // a party that has left does not call
		}
		items = append(items, api.InboxItem{
			Kind: "stage", Agreement: &project.agreement.id, Project: &project.entity.Ref.Project, Title: project.entity.Title,
			Reason: v.callText(open.Call), Since: time.UnixMicro(open.At).UTC(),
			URL: v.url("agreements", string(project.agreement.id), "projects", string(project.id)),
		})
	}
	return items
}

func (v inbox) callText(call domain.Call) string {
	text := strings.ReplaceAll(string(call.Move), "_", "-")
	if call.DecideBy != 0 {
		text += " to " + call.DecideBy.String()
	}
	for i, partner := range call.Add {
		text += map[bool]string{true: " ", false: ", "}[i == 0] + v.name(partner)
	}
	if call.Reason != "" {
		text += ": " + call.Reason
	}
	return v.name(call.Partner) + " called " + text
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
			Reason: fmt.Sprintf("%s proposes change %d: %s", v.name(request.ProposedBy), request.Number, request.Reason),
			Since:  time.UnixMicro(request.ProposedAt).UTC(), URL: v.changeURL(project.Ref, request.Number),
		}
		item.Milestone = onlyMilestone(request)
		items = append(items, item)
	}
	return items
}
