package projections

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tandem/domain"
)

// Inbox returns what waits for the viewer, oldest first.
func (v *View) Inbox() []InboxItem {
	items := []InboxItem{}
	for _, n := range v.me.milestones {
		if v.reaches(n.entity.Ref.Agreement) {
			items = append(items, v.milestoneItems(n)...)
		}
	}
	for _, a := range v.agreements() {
		items = append(items, v.signatureItems(a)...)
		items = append(items, v.amendmentItems(a)...)
		for _, p := range v.projectsOf(a) {
			items = append(items, v.stageItems(p)...)
			items = append(items, v.changeItems(p)...)
		}
	}
	items = append(items, v.webhookItems()...)
	slices.SortStableFunc(items, func(a, b InboxItem) int { return a.Since.Compare(b.Since) })
	return items
}

// milestoneItems returns what a milestone waits for: the viewer's decision, a condition that it asks
// for or has to meet, its word in a dispute.
func (v *View) milestoneItems(n *milestoneNode) (items []InboxItem) {
	m, me := n.entity, v.who.Partner
	if m.Awaits(me) {
		items = append(items, v.acceptanceItem(n))
	}
	for _, c := range m.Conditions {
		if c.ClosedOn == 0 && (c.Author == me || m.Plan.Owner == me) {
			items = append(items, v.conditionItem(m, c))
		}
	}
	if m.AwaitsSettlement(me) {
		items = append(items, v.disputeItem(m))
	}
	return items
}

// milestoneItem is an item about a milestone, without what it is for.
func (v *View) milestoneItem(m *domain.Milestone, kind string, since int64, reason string) InboxItem {
	return InboxItem{
		Kind: kind, Agreement: m.Ref.Agreement, Project: &m.Ref.Project, Milestone: &m.Ref.Milestone,
		Title: m.Plan.Title, Reason: reason, Since: time.UnixMicro(since).UTC(), URL: v.milestoneURL(m.Ref),
	}
}

func (v *View) acceptanceItem(n *milestoneNode) InboxItem {
	m := n.entity
	return v.milestoneItem(m, "acceptance", n.deliveredAt,
		fmt.Sprintf("Delivery %d by %s waits for your decision.", m.Round, v.name(m.Plan.Owner)))
}

func (v *View) conditionItem(m *domain.Milestone, c domain.OwnCondition) InboxItem {
	reason := fmt.Sprintf("%s accepts once condition %d is met: %s", v.name(c.Author), c.Number, c.Text)
	if c.Author == v.who.Partner {
		reason = fmt.Sprintf("Your condition %d is open: %s", c.Number, c.Text)
	}
	item := v.milestoneItem(m, "condition", c.Since, reason)
	item.Condition, item.DecideBy = &c.Number, &c.DueOn
	return item
}

func (v *View) disputeItem(m *domain.Milestone) InboxItem {
	d := m.Dispute
	reason := fmt.Sprintf("%s disputes the rejection of delivery %d by %s: %s", v.name(d.By), m.Round, v.name(d.Acceptor), d.Reason)
	for _, n := range d.Named {
		reason += fmt.Sprintf("; %s names %s", v.name(n.Partner), n.Outcome)
	}
	return v.milestoneItem(m, "dispute", d.Since, reason)
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
