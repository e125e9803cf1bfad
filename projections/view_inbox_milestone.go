package projections

import (
	"time"

	"tandem/api"
	"tandem/domain"
)

// milestoneItems returns the items of a milestone: the viewer's decision, open conditions that it set or has to
// meet, its settlement of a dispute. A condition that is reported as met no longer waits for the owner, and during a
// dispute no condition waits.
func (v inbox) milestoneItems(node *milestoneNode) (items []api.InboxItem) {
	milestone, me := node.entity, v.viewer.Partner
	if nomination := milestone.OwnerNomination; nomination != nil && milestone.Plan.Owner == me && !milestone.State.Final() && !v.ended(node) {
		items = append(items, v.milestoneItem(milestone, "ownership", nomination.At,
			v.text("ownership", values{"Partner": v.nameAt(nomination.By, nomination.At)})))
	}
	if milestone.Awaits(me) {
		items = append(items, v.acceptanceItem(node))
	}
	for _, condition := range milestone.Conditions {
		if milestone.Dispute != nil || condition.ClosedOn != 0 {
			continue
		}
		if condition.Author == me || (milestone.Plan.Owner == me && condition.State() != domain.ConditionReported) {
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
	mine, state := condition.Author == v.viewer.Partner, condition.State()
	since, decideBy, reason := condition.Since, &condition.DueOn, "condition"
	data := values{"Partner": v.name(condition.Author), "Number": condition.Number, "Text": condition.Text}
	switch {
	case state == domain.ConditionReported:
		since, decideBy, reason = condition.Report.Since, nilIfZero(condition.Report.DecideBy), "condition.reported"
		data["Partner"] = v.nameAt(milestone.Plan.Owner, since)
	case mine:
		reason = "condition.own"
	case state == domain.ConditionRefused:
		since, reason = condition.Refusal.Since, "condition.refused"
		data["Partner"], data["Reason"] = v.nameAt(condition.Author, since), condition.Refusal.Reason
	}
	item := v.milestoneItem(milestone, "condition", since, v.text(reason, data))
	item.MustMeet, item.Condition, item.DecideBy = !mine, &condition.Number, decideBy
	return item
}

func (v inbox) disputeItem(milestone *domain.Milestone) api.InboxItem {
	dispute := milestone.Dispute
	over := "dispute"
	if dispute.Condition != 0 {
		over = "dispute.condition"
	}
	proposals := make([]string, len(dispute.Choices))
	for i, naming := range dispute.Choices {
		proposals[i] = v.text(over+"."+string(naming.Settlement), values{"Partner": v.name(naming.Partner)})
	}
	return v.milestoneItem(milestone, "dispute", dispute.Since, v.text(over, values{
		"Partner": v.nameAt(dispute.By, dispute.Since), "Round": milestone.Round, "Number": dispute.Condition, "Acceptor": v.name(dispute.Acceptor), "Reason": dispute.Reason,
		"Proposals": v.book.Clauses(v.language, proposals),
	}))
}
