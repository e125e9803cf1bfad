package projections

import (
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
		v.text("acceptance", values{"Round": milestone.Round, "Partner": v.name(milestone.Plan.Owner)}))
}

func (v inbox) conditionItem(milestone *domain.Milestone, condition domain.RoundCondition) api.InboxItem {
	reason, data := "condition", values{"Partner": v.name(condition.Author), "Number": condition.Number, "Text": condition.Text}
	if condition.Author == v.viewer.Partner {
		reason = "condition.own"
	}
	item := v.milestoneItem(milestone, "condition", condition.Since, v.text(reason, data))
	item.MustMeet = condition.Author != v.viewer.Partner
	item.Condition, item.DecideBy = &condition.Number, &condition.DueOn
	return item
}

func (v inbox) disputeItem(milestone *domain.Milestone) api.InboxItem {
	dispute := milestone.Dispute
	proposals := make([]string, len(dispute.Choices))
	for i, naming := range dispute.Choices {
		proposals[i] = v.text("dispute."+string(naming.Settlement), values{"Partner": v.name(naming.Partner)})
	}
	return v.milestoneItem(milestone, "dispute", dispute.Since, v.text("dispute", values{
		"Partner": v.nameAt(dispute.By, dispute.Since), "Round": milestone.Round, "Acceptor": v.name(dispute.Acceptor), "Reason": dispute.Reason,
		"Proposals": v.book.Clauses(v.language, proposals),
	}))
}
