package projections

import (
	"time"

	"tandem/domain"
)

// EventScope selects the events that a viewer reads. The zero EventScope selects all agreements that it can see.
type EventScope struct {
	Agreement domain.AgreementID  // only this agreement
	Milestone domain.MilestoneRef // only events about this milestone
	Former    bool                // includes agreements that the viewer can no longer see but whose events it has seen
}

// EventList lists the events of an agreement that one partner can see, numbered from 1 in the order of the log. It is
// valid as long as its View.
type EventList struct {
	Root  string // the agreement's name in positions
	Epoch uint64
	Lost  bool // the agreement's partition has an open loss

	index     *eventIndex
	reader    domain.PartnerID
	milestone *milestoneNode // nil: all events
}

// EventLists returns the events in a scope, one list per agreement. It returns no list if the scope names an
// invisible agreement or milestone.
func (v *View) EventLists(scope EventScope) (lists []EventList) {
	add := func(index *eventIndex, milestone *milestoneNode) {
		lists = append(lists, EventList{
			Root: index.name, Epoch: v.store.epoch(index.partition), Lost: v.store.halted[index.partition],
			index: index, reader: v.viewer.Partner, milestone: milestone,
		})
	}
	switch agreement := v.store.agreements[scope.Agreement]; {
	case scope.Milestone != domain.MilestoneRef{}:
		if milestone := v.milestone(scope.Milestone); milestone != nil {
			add(milestone.project.agreement.index, milestone)
		}
	case scope.Agreement != "":
		if agreement != nil && (scope.Former || v.AgreementVisible(scope.Agreement)) {
			add(agreement.index, nil)
		}
	case scope.Former:
		for _, index := range v.node.reader.indexes {
			add(index, nil)
		}
	default:
		for _, agreement := range v.agreements() {
			add(agreement.index, nil)
		}
	}
	return lists
}

// Count returns the number of the agreement's events that the partner can see.
func (l EventList) Count() uint64 { return l.index.visibleCount(l.reader) }

// Position returns the position after the first count events.
func (l EventList) Position(count uint64) RootPosition { return RootPosition{l.Epoch, l.Root, count} }

// After returns up to limit events of the list whose numbers are greater than a number.
func (l EventList) After(number uint64, limit int) []EventRef {
	if l.milestone != nil {
		return l.index.visibleAmong(l.reader, l.milestone.history, number, limit)
	}
	return l.index.after(l.reader, number, limit)
}

// CountBefore returns how many of the agreement's events that the partner can see and that were recorded before a time.
func (l EventList) CountBefore(at time.Time) uint64 {
	return l.index.countBefore(l.reader, at.UnixMicro())
}
