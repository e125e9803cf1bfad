package projections

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tandem/domain"
)

// Inbox returns what waits for the viewer, oldest first; in the order of their keys.
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
		items = append(items, v.endItems(a)...)
		for _, p := range v.projectsOf(a) {
			items = append(items, v.projectItems(p)...)
		}
	}
	items = append(items, v.noticeItems()...)
	slices.SortFunc(items, func(a, b InboxItem) int { return strings.Compare(a.Key(), b.Key()) })
	return items
}

// projectItems returns what waits for the viewer in a project, beside its milestones.
func (v *View) projectItems(p *projectNode) []InboxItem {
	return append(v.stageItems(p), v.changeItems(p)...)
}

// Decides reports whether the item waits for a decision of the viewer's: all do, but a notice, which is
// only to be read, and a condition that the viewer has to meet and somebody else decides on.
func (i InboxItem) Decides() bool { return i.Kind != "notice" && !i.meets }

// decisions counts the items that wait for a decision.
func decisions(items []InboxItem) (n int) {
	for _, i := range items {
		if i.Decides() {
			n++
		}
	}
	return n
}

// Key is the item's place in the inbox; no other item has it.
func (i InboxItem) Key() string {
	key := i.Since.UTC().Format("2006-01-02T15:04:05.000000") + "/"
	if i.Agreement != nil {
		key += string(*i.Agreement)
	}
	if i.Project != nil {
		key += "/" + string(*i.Project)
	}
	if i.Milestone != nil {
		key += "/" + string(*i.Milestone)
	}
	key += "/" + i.Kind
	for _, number := range []*int{i.Amendment, i.Change, i.Condition} {
		if number != nil {
			key += fmt.Sprintf("/%09d", *number)
		}
	}
	if i.Notice != nil {
		key += "/" + string(*i.Notice)
	}
	return key
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
		Kind: kind, Agreement: &m.Ref.Agreement, Project: &m.Ref.Project, Milestone: &m.Ref.Milestone,
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
	item.meets = c.Author != v.who.Partner
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
				Kind: "signature", Agreement: &a.id, Title: a.entity.Terms.Title, Reason: "The draft waits for your signature.",
				Since: time.UnixMicro(w.At).UTC(), URL: v.url("agreements", string(a.id)),
			}}
		}
	}
	return nil
}

// stageItems returns the moves that others have called and the viewer has not.
func (v *View) stageItems(p *projectNode) []InboxItem {
	var items []InboxItem
	for n, c := range p.calls {
		same := func(x callSince) bool { return x.Call.For(c.Call) }
		mine := func(x callSince) bool { return same(x) && x.Call.Partner == v.who.Partner }
		if slices.ContainsFunc(p.calls, mine) || slices.ContainsFunc(p.calls[:n], same) {
			continue // the first call stands for all
		}
		if !slices.Contains(p.entity.Callers(v.s, p.agreement.entity, c.Call.Move, v.now), v.who.Partner) {
			continue // who left the agreement is not asked
		}
		items = append(items, InboxItem{
			Kind: "stage", Agreement: &p.agreement.id, Project: &p.entity.Ref.Project, Title: p.entity.Title,
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
	for i, p := range c.Add {
		what += map[bool]string{true: " ", false: ", "}[i == 0] + v.name(p)
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
