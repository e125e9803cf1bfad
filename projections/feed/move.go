package feed

import (
	"time"

	"tandem/domain"
	"tandem/projections"
)

// Behind returns how many events a query selects after a cursor, matching or not. Agreements where an accepted loss has
// ended the cursor's epoch do not count.
func (r *Reader) Behind(viewer projections.Viewer, cursor Cursor, query EventQuery) (behind uint64) {
	_ = r.eachList(viewer, query, func(list projections.EventList) { // never an error
		begin, ended := cursor.start(list, query.Since)
		if count := list.Count(); !ended && begin.Epoch == list.Epoch && begin.Count < count {
			behind += count - begin.Count
		}
	})
	return behind
}

// Rewind moves a cursor back to a position, or to the first event recorded at or after a time if the position is empty.
// A position in one agreement moves the cursor in that agreement only. The cursor never moves forward. Errors are
// projections.ErrPosition and projections.ErrPositionLost.
func (r *Reader) Rewind(viewer projections.Viewer, cursor *Cursor, query EventQuery, position string, since time.Time) error {
	target, err := ParseCursor(position)
	if err != nil {
		return err
	}
	if err := r.model.View(viewer, target.checkEpochs); err != nil {
		return err
	}
	if position != "" {
		since = time.Time{} // an agreement that the position does not name begins with its first event
	}
	single := len(target.roots) == 1 && target.roots[0].String() == position
	return r.eachList(viewer, query, func(list projections.EventList) {
		if single && target.roots[0].Name != list.Root {
			return
		}
		now, _ := cursor.start(list, query.Since)
		if begin, _ := target.start(list, since); begin.Epoch == list.Epoch && begin.Count < now.Count {
			cursor.set(cursorIn(list, begin.Count))
		}
	})
}

// MoveTo moves a cursor, in the agreements that which selects, to the first event recorded at or after a time.
func (r *Reader) MoveTo(viewer projections.Viewer, cursor *Cursor, query EventQuery, at time.Time, which func(domain.AgreementID) bool) {
	_ = r.eachList(viewer, query, func(list projections.EventList) { // never an error
		if which(domain.AgreementID(list.Root)) {
			cursor.set(cursorIn(list, list.CountBefore(at)))
		}
	})
}

// cursorIn returns the place behind the first count events of a list.
func cursorIn(list projections.EventList, count uint64) rootCursor {
	root := rootCursor{RootPosition: list.Position(count)}
	if count > 0 {
		if last := list.After(count-1, 1); len(last) == 1 {
			root.recordedAt = last[0].RecordedAt()
		}
	}
	return root
}

// checkEpochs returns projections.ErrPositionLost if an accepted loss has ended an epoch that the cursor names.
func (c *Cursor) checkEpochs(view *projections.View) error {
	for _, root := range c.roots {
		if root.Epoch < view.Epoch(root.RootPosition) {
			return projections.ErrPositionLost
		}
	}
	return nil
}
