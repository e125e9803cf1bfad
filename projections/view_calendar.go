package projections

import (
	"slices"
	"time"

	"tandem/domain"
)

// calendar gives the dates of one time in the zones of partners.
type calendar struct {
	at       time.Time
	partners map[domain.PartnerID]*partnerNode
	today    map[domain.PartnerID]domain.Date // cache
}

// todayOf returns the date in the zone of a partner, or in UTC for an unknown partner.
func (c *calendar) todayOf(partner domain.PartnerID) domain.Date {
	today, ok := c.today[partner]
	if !ok {
		zone := time.UTC
		if node := c.partners[partner]; node != nil {
			zone = node.zone
		}
		today = domain.DateOf(c.at.In(zone))
		c.today[partner] = today
	}
	return today
}

// OwnerZones returns the time zones of the owners of the milestones that a command concerns, as far as the viewer
// sees them.
func (v *View) OwnerZones(command domain.Command) (zones []*time.Location) {
	for _, owner := range v.ownersIn(command) {
		if partner := v.calendar.partners[owner]; partner != nil && v.PartnerVisible(owner) {
			zones = append(zones, partner.zone)
		}
	}
	return zones
}

func (v *View) ownersIn(command domain.Command) (owners []domain.PartnerID) {
	add := func(project domain.ProjectRef, id domain.MilestoneID) {
		ref := domain.MilestoneRef{Agreement: project.Agreement, Project: project.Project, Milestone: id}
		if milestone := v.milestone(ref); milestone != nil {
			owners = append(owners, milestone.entity.Plan.Owner)
		}
	}
	switch command := command.(type) {
	case domain.PlanMilestone:
		owners = append(owners, command.Plan.Owner)
	case interface{ AboutMilestone() domain.MilestoneRef }: // the commands that embed it
		ref := command.AboutMilestone()
		add(ref.ProjectRef(), ref.Milestone)
	case domain.ProposeChange:
		for _, wanted := range command.Milestones {
			add(command.ProjectRef, wanted.Milestone)
		}
	case domain.ApproveChange:
		if change, ok := v.Change(command.Agreement, command.Project, command.Number); ok {
			for _, changed := range change.Milestones {
				add(command.ProjectRef, changed.ID)
			}
		}
	}
	return owners
}

// midnight returns the next midnight in the zones that matter to the viewer: its own, its counterparties' and
// UTC, in which agreements end.
func (v *View) midnight() time.Time {
	zones := []*time.Location{time.UTC, v.node.zone}
	for _, id := range v.counterparties() {
		if partner := v.store.partners[id]; partner != nil && !slices.Contains(zones, partner.zone) {
			zones = append(zones, partner.zone)
		}
	}
	first := nextMidnight(v.now, time.UTC)
	for _, zone := range zones {
		if midnight := nextMidnight(v.now, zone); midnight.Before(first) {
			first = midnight
		}
	}
	return first
}

// nextMidnight returns the time at which the date in the zone changes. Where clocks skip midnight the computed
// time can be in the past; the result is then one minute from now.
func nextMidnight(now time.Time, zone *time.Location) time.Time {
	year, month, day := now.In(zone).Date()
	midnight := time.Date(year, month, day+1, 0, 0, 0, 0, zone)
	if !midnight.After(now) {
		return now.Add(time.Minute)
	}
	return midnight
}
