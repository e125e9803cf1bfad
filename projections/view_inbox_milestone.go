package projections

import (
	"fmt"
	"time"

	"tandem/api"
	"tandem/domain"
)

// milestoneItems returns the items of a milestone: the viewer's decision, open conditions that it set or has to
// meet, its settlement of a dispute.
func (v inbox) milestoneItems(node *milestoneNode) (items []api.InboxItem) {
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

// milestoneItem returns an item about a milestone.
func (v inbox) milestoneItem(milestone *domain.Milestone, kind string, since int64, reason string) api.InboxItem {
	return api.InboxItem{
		Kind: kind, Agreement: &milestone.Ref.Agreement, Project: &milestone.Ref.Project, Milestone: &milestone.Ref.Milestone,
		Title: milestone.Plan.Title, Reason: reason, Since: time.UnixMicro(since).UTC(), URL: v.milestoneURL(milestone.Ref),
	}
}

func (v inbox) acceptanceItem(node *milestoneNode) api.InboxItem {
	milestone := node.entity
	return v.milestoneItem(milestone, "acceptance", milestone.RecordedAt,
		fmt.Sprintf("Delivery %d by %s waits for your decision.", milestone.Round, v.name(milestone.Plan.Owner)))
}

func (v inbox) conditionItem(milestone *domain.Milestone, condition domain.RoundCondition) api.InboxItem {
	reason := fmt.Sprintf("%s accepts once condition %d is met: %s", v.name(condition.Author), condition.Number, condition.Text)
	if condition.Author == v.viewer.Partner {
		reason = fmt.Sprintf("Your condition %d is open: %s", condition.Number, condition.Text)
	}
	item := v.milestoneItem(milestone, "condition", condition.Since, reason)
	item.MustMeet = condition.Author != v.viewer.Partner
	item.Condition, item.DecideBy = &condition.Number, &condition.DueOn
	return item
}

func (v inbox) disputeItem(milestone *domain.Milestone) api.InboxItem {
	dispute := milestone.Dispute
	reason := fmt.Sprintf("%s disputes the rejection of delivery %d by %s: %s",
		v.name(dispute.By), milestone.Round, v.name(dispute.Acceptor), dispute.Reason)
	for _, naming := range dispute.Choices {
		reason += fmt.Sprintf("; %s names %s", v.name(naming.Partner), naming.Settlement)
	}
	return v.milestoneItem(milestone, "dispute", dispute.Since, reason)
}
