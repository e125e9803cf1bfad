package projections

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"tandem/domain"
)

// Changes returns the change requests of a project, by number.
func (v *View) Changes(a domain.AgreementID, id domain.ProjectID) []Change {
	shapes := []Change{}
	if p := v.project(a, id); p != nil {
		for _, c := range p.entity.Changes {
			if c.Sees(v.who.Partner) {
				shapes = append(shapes, v.changeShape(p.entity, c))
			}
		}
	}
	return shapes
}

// Change returns a change request.
func (v *View) Change(a domain.AgreementID, id domain.ProjectID, number int) (Change, bool) {
	p := v.project(a, id)
	if p == nil {
		return Change{}, false
	}
	c := p.entity.Change(number)
	if c == nil || !c.Sees(v.who.Partner) {
		return Change{}, false
	}
	return v.changeShape(p.entity, c), true
}

// ChangeNumber returns the number of the request that was proposed with the given key; 0: there is none.
func (v *View) ChangeNumber(a domain.AgreementID, id domain.ProjectID, key string) int {
	if p := v.project(a, id); p != nil && key != "" {
		for _, c := range p.entity.Changes {
			if c.Key == key && c.Sees(v.who.Partner) {
				return c.Number
			}
		}
	}
	return 0
}

func (v *View) changeShape(p *domain.Project, c *domain.ChangeRequest) Change {
	shape := Change{
		Agreement: p.Ref.Agreement, Project: p.Ref.Project, Number: c.Number, Reason: c.Reason, State: c.State,
		ProposedBy: c.By, ProposedAt: time.UnixMicro(c.ProposedAt).UTC(), Milestones: []ChangedMilestone{}, Publish: list(c.Publish),
		Approvals: map[domain.PartnerID]string{}, URL: v.changeURL(p.Ref, c.Number),
	}
	for _, x := range c.Milestones {
		shape.Milestones = append(shape.Milestones, ChangedMilestone{x.Milestone, changeFields(x.From), changeFields(x.To), x.Cancel})
	}
	for _, party := range c.Parties(v.s, p.Ref) {
		shape.Approvals[party] = approval(c, party)
	}
	if c.DecidedAt != 0 {
		shape.DecidedAt = new(time.UnixMicro(c.DecidedAt).UTC())
	}
	switch c.State {
	case domain.ChangeRefused:
		shape.Rejection = &ChangeRejection{c.RejectedBy, c.Why}
	case domain.ChangeVoid:
		shape.Void = &ChangeVoid{c.Broken.Milestone, c.Broken.Field, c.Broken.State}
	}
	shape.Version, shape.UpdatedAt = c.Seen.For(v.who.Partner)
	return shape
}

// onlyMilestone returns the milestone that the request is about, nil if there are several.
func onlyMilestone(c *domain.ChangeRequest) *domain.MilestoneID {
	ids := slices.Clone(c.Publish)
	for _, x := range c.Milestones {
		ids = append(ids, x.Milestone)
	}
	slices.Sort(ids)
	if ids = slices.Compact(ids); len(ids) != 1 {
		return nil
	}
	return &ids[0]
}

func approval(c *domain.ChangeRequest, party domain.PartnerID) string {
	switch {
	case c.State == domain.ChangeRefused && c.RejectedBy == party:
		return "rejected"
	case slices.Contains(c.Approvals, party):
		return "approved"
	case c.State == domain.ChangeOpen:
		return "pending"
	}
	return "none"
}

func changeFields(f domain.ChangeFields) ChangeFields {
	shape := ChangeFields{DueOn: orNull(f.DueOn), Owner: orNull(f.Owner)}
	if len(f.Acceptors) > 0 {
		shape.Acceptors = &f.Acceptors
	}
	if f.Criteria != nil {
		shape.Criteria = new(list(*f.Criteria))
	}
	return shape
}

func (v *View) changeURL(ref domain.ProjectRef, number int) string {
	return v.url("agreements", string(ref.Agreement), "projects", string(ref.Project), "changes", strconv.Itoa(number))
}

// changeItems returns the open requests that wait for the viewer's approval.
func (v *View) changeItems(n *projectNode) (items []InboxItem) {
	p := n.entity
	for _, c := range p.Changes {
		if !c.Awaits(v.who.Partner, v.s, p.Ref) {
			continue
		}
		item := InboxItem{
			Kind: "change", Agreement: &p.Ref.Agreement, Project: &p.Ref.Project, Change: &c.Number, Title: p.Title,
			Reason: fmt.Sprintf("%s proposes change %d: %s", v.name(c.By), c.Number, c.Reason),
			Since:  time.UnixMicro(c.ProposedAt).UTC(), URL: v.changeURL(p.Ref, c.Number),
		}
		item.Milestone = onlyMilestone(c)
		items = append(items, item)
	}
	return items
}
