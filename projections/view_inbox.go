package projections

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tandem/api"
	"tandem/domain"
)

// Inbox returns what waits for the viewer, oldest first; in the order of their keys.
func (v *View) Inbox() []api.InboxItem {
	items := []api.InboxItem{}
	for _, node := range v.node.milestones {
		if v.inScope(node.entity.Ref.Agreement) {
			items = append(items, v.milestoneItems(node)...)
		}
	}
	for _, agreement := range v.agreements() {
		items = append(items, v.signatureItems(agreement)...)
		items = append(items, v.amendmentItems(agreement)...)
		items = append(items, v.endItems(agreement)...)
		for _, project := range v.projectsOf(agreement) {
			items = append(items, v.projectItems(project)...)
		}
	}
	items = append(items, v.noticeItems()...)
	slices.SortFunc(items, func(one, other api.InboxItem) int { return strings.Compare(InboxItemKey(one), InboxItemKey(other)) })
	return items
}

// projectItems returns what waits for the viewer in a project, beside its milestones.
func (v *View) projectItems(project *projectNode) []api.InboxItem {
	return append(v.stageItems(project), v.changeItems(project)...)
}

// needsDecision reports whether the item waits for a decision of the viewer's: all do, but a notice, which is
// only to be read, and a condition that the viewer has to meet and somebody else decides on.
func needsDecision(item api.InboxItem) bool { return item.Kind != "notice" && !item.MustMeet }

// countDecisions counts the items that wait for a decision.
func countDecisions(items []api.InboxItem) (n int) {
	for _, item := range items {
		if needsDecision(item) {
			n++
		}
	}
	return n
}

// InboxItemKey is the item's place in the inbox; no other item has it.
func InboxItemKey(item api.InboxItem) string {
	key := item.Since.UTC().Format("2006-01-02T15:04:05.000000") + "/"
	if item.Agreement != nil {
		key += string(*item.Agreement)
	}
	if item.Project != nil {
		key += "/" + string(*item.Project)
	}
	if item.Milestone != nil {
		key += "/" + string(*item.Milestone)
	}
	key += "/" + item.Kind
	for _, number := range []*int{item.Amendment, item.Change, item.Condition} {
		if number != nil {
			key += fmt.Sprintf("/%09d", *number)
		}
	}
	if item.Notice != nil {
		key += "/" + string(*item.Notice)
	}
	return key
}

// milestoneItems returns what a milestone waits for: the viewer's decision, a condition that it asks
// for or has to meet, its word in a dispute.
func (v *View) milestoneItems(node *milestoneNode) (items []api.InboxItem) {
	milestone, me := node.entity, v.viewer.Partner
	if milestone.Awaits(me) {
		items = append(items, v.acceptanceItem(node))
	}
	for _, condition := range milestone.Conditions {
		if condition.ClosedOn == 0 && (condition.Author == me || milestone.Plan.Owner == me) {
			items = append(items, v.conditionItem(milestone, condition))
		}
	}
	if milestone.AwaitsSettlement(me) {
		items = append(items, v.disputeItem(milestone))
	}
	return items
}

// milestoneItem is an item about a milestone, without what it is for.
func (v *View) milestoneItem(milestone *domain.Milestone, kind string, since int64, reason string) api.InboxItem {
	return api.InboxItem{
		Kind: kind, Agreement: &milestone.Ref.Agreement, Project: &milestone.Ref.Project, Milestone: &milestone.Ref.Milestone,
		Title: milestone.Plan.Title, Reason: reason, Since: time.UnixMicro(since).UTC(), URL: v.milestoneURL(milestone.Ref),
	}
}

func (v *View) acceptanceItem(node *milestoneNode) api.InboxItem {
	milestone := node.entity
	return v.milestoneItem(milestone, "acceptance", node.deliveredAt,
		fmt.Sprintf("Delivery %d by %s waits for your decision.", milestone.Round, v.name(milestone.Plan.Owner)))
}

func (v *View) conditionItem(milestone *domain.Milestone, condition domain.RoundCondition) api.InboxItem {
	reason := fmt.Sprintf("%s accepts once condition %d is met: %s", v.name(condition.Author), condition.Number, condition.Text)
	if condition.Author == v.viewer.Partner {
		reason = fmt.Sprintf("Your condition %d is open: %s", condition.Number, condition.Text)
	}
	item := v.milestoneItem(milestone, "condition", condition.Since, reason)
	item.MustMeet = condition.Author != v.viewer.Partner
	item.Condition, item.DecideBy = &condition.Number, &condition.DueOn
	return item
}

func (v *View) disputeItem(milestone *domain.Milestone) api.InboxItem {
	dispute := milestone.Dispute
	reason := fmt.Sprintf("%s disputes the rejection of delivery %d by %s: %s", v.name(dispute.By), milestone.Round, v.name(dispute.Acceptor), dispute.Reason)
	for _, naming := range dispute.Choices {
		reason += fmt.Sprintf("; %s names %s", v.name(naming.Partner), naming.Settlement)
	}
	return v.milestoneItem(milestone, "dispute", dispute.Since, reason)
}

func (v *View) signatureItems(agreement *agreementNode) []api.InboxItem {
	for _, awaited := range agreement.awaitedSignatures {
		if awaited.Partner == v.viewer.Partner {
			return []api.InboxItem{{
				Kind: "signature", Agreement: &agreement.id, Title: agreement.entity.Terms.Title, Reason: "The draft waits for your signature.",
				Since: time.UnixMicro(awaited.At).UTC(), URL: v.url("agreements", string(agreement.id)),
			}}
		}
	}
	return nil
}

// stageItems returns the moves that others have called and the viewer has not.
func (v *View) stageItems(project *projectNode) []api.InboxItem {
	var items []api.InboxItem
	for n, open := range project.calls {
		same := func(other openCall) bool { return other.Call.SameAs(open.Call) }
		mine := func(other openCall) bool { return same(other) && other.Call.Partner == v.viewer.Partner }
		if slices.ContainsFunc(project.calls, mine) || slices.ContainsFunc(project.calls[:n], same) {
			continue // the first call stands for all
		}
		if !slices.Contains(project.entity.RequiredCallers(v.store, project.agreement.entity, open.Call.Move, v.now), v.viewer.Partner) {
			continue // who left the agreement is not asked
		}
		items = append(items, api.InboxItem{
			Kind: "stage", Agreement: &project.agreement.id, Project: &project.entity.Ref.Project, Title: project.entity.Title,
			Reason: v.callText(open.Call), Since: time.UnixMicro(open.At).UTC(),
			URL: v.url("agreements", string(project.agreement.id), "projects", string(project.id)),
		})
	}
	return items
}

func (v *View) callText(call domain.Call) string {
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

// name returns how a partner is called in sentences.
func (v *View) name(partner domain.PartnerID) string {
	if node := v.store.partners[partner]; node != nil && node.entity != nil {
		return node.entity.Name
	}
	return string(partner)
}
