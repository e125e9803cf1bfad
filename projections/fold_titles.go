package projections

import (
	"cmp"
	"slices"
	"sort"

	"tandem/domain"
)

// formerTitle is a title that another one has replaced. Sentences about events use the title that was valid at the
// event.
type formerTitle struct {
	Title string
	Until uint64 // order of the replacing event in the root (see titleOrder); for a partner's name, its time of recording
}

// titleAt returns the title that was valid right after the event at an order or time.
func titleAt(former []formerTitle, present string, at uint64) string {
	i := sort.Search(len(former), func(i int) bool { return former[i].Until > at })
	if i < len(former) {
		return former[i].Title
	}
	return present
}

// titleOrder returns the order of an event within its root.
func titleOrder(seq uint64, index int) uint64 { return seq<<16 | uint64(index) }

// order returns the order of the event in its root.
func (e indexEntry) order() uint64 { return titleOrder(uint64(e.Seq), int(e.Index)) }

// titledEntity names an entity of an agreement that has a title: without a milestone the project, without a project the
// agreement itself.
type titledEntity struct {
	Project   domain.ProjectID
	Milestone domain.MilestoneID
}

// titleHistory holds the former titles of an agreement and its projects and milestones; nil until one changes.
type titleHistory map[titledEntity][]formerTitle

// updateTitle keeps the last title of an entity if the present one differs. An entity begins with the empty title.
func (a *agreementNode) updateTitle(entity titledEntity, last *string, present string, order uint64) {
	if *last == present {
		return
	}
	if *last != "" {
		if a.formerTitles == nil {
			a.formerTitles = titleHistory{}
		}
		a.formerTitles[entity] = append(a.formerTitles[entity], formerTitle{*last, order})
	}
	*last = present
}

// savedTitles are the former titles of one entity.
type savedTitles struct {
	Entity titledEntity
	Former []formerTitle
}

// capture returns a copy, sorted by entity.
func (h titleHistory) capture() []savedTitles {
	var all []savedTitles
	for entity, former := range h {
		all = append(all, savedTitles{entity, slices.Clone(former)})
	}
	slices.SortFunc(all, func(one, other savedTitles) int {
		return cmp.Or(cmp.Compare(one.Entity.Project, other.Entity.Project), cmp.Compare(one.Entity.Milestone, other.Entity.Milestone))
	})
	return all
}

func restoreTitles(saved []savedTitles) titleHistory {
	if len(saved) == 0 {
		return nil
	}
	history := titleHistory{}
	for _, titles := range saved {
		history[titles.Entity] = titles.Former
	}
	return history
}
