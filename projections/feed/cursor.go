package feed

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"tandem/projections"
)

// Cursor states how far a reader has come in each agreement: how many of the events that it may see it has passed. The
// zero Cursor names no agreement; EventQuery.Since says where such agreements begin.
//
// It has two forms. As a position (see [projections.ParsePosition]) it is public. As JSON it is part of a webhook's
// lane state, {"<agreement>":[epoch,count,time]}; the time is when the last passed event was recorded, in microseconds
// since 1970, and lets a reader resume after an accepted loss (see EventQuery.Resume).
//
// Copies of a Cursor share memory; use Clone before changing one of them.
type Cursor struct {
	roots []rootCursor // sorted by name
}

// rootCursor is the part of a cursor in one root.
type rootCursor struct {
	projections.RootPosition
	recordedAt int64 // of the last passed event, microseconds since 1970; 0: unknown
}

// ParseCursor reads a position; the empty text is the zero Cursor. Any other text is a projections.ErrPosition.
func ParseCursor(text string) (Cursor, error) {
	var cursor Cursor
	if text == "" {
		return cursor, nil
	}
	positions, err := projections.ParsePosition(text)
	if err != nil {
		return cursor, fmt.Errorf("after %.100q: %w", text, err)
	}
	for _, position := range positions {
		cursor.set(rootCursor{RootPosition: position})
	}
	return cursor, nil
}

// MarshalJSON writes the form that lane states contain.
func (c Cursor) MarshalJSON() ([]byte, error) {
	stored := make(map[string][3]int64, len(c.roots))
	for _, root := range c.roots {
		stored[root.Name] = [3]int64{int64(root.Epoch), int64(root.Count), root.recordedAt}
	}
	return json.Marshal(stored)
}

// UnmarshalJSON reads the form that lane states contain.
func (c *Cursor) UnmarshalJSON(b []byte) error {
	var stored map[string][3]int64
	if err := json.Unmarshal(b, &stored); err != nil {
		return err
	}
	c.roots = make([]rootCursor, 0, len(stored))
	for name, numbers := range stored {
		position := projections.RootPosition{Epoch: uint64(numbers[0]), Name: name, Count: uint64(numbers[1])}
		c.roots = append(c.roots, rootCursor{position, numbers[2]})
	}
	slices.SortFunc(c.roots, func(one, other rootCursor) int { return strings.Compare(one.Name, other.Name) })
	return nil
}

// Equal reports whether both cursors name the same agreements and are at the same place in each.
func (c Cursor) Equal(other Cursor) bool { return slices.Equal(c.roots, other.roots) }

// Clone returns a copy that shares no memory.
func (c Cursor) Clone() Cursor { return Cursor{slices.Clone(c.roots)} }

// Advance moves the cursor past an event.
func (c *Cursor) Advance(event projections.VisibleEvent) {
	c.set(rootCursor{event.Position(), event.RecordedAt().UnixMicro()})
}

func (c *Cursor) find(root string) (int, bool) {
	return slices.BinarySearchFunc(c.roots, root, func(r rootCursor, name string) int { return strings.Compare(r.Name, name) })
}

func (c *Cursor) set(root rootCursor) {
	i, found := c.find(root.Name)
	if !found {
		c.roots = slices.Insert(c.roots, i, root)
		return
	}
	c.roots[i] = root
}

// start returns where a reader begins in a list: where the cursor is, or at the first event recorded at or after since
// if the cursor does not name the list. If an accepted loss has ended the cursor's epoch, that is after the recorded
// time of the last passed event, and lost is true.
func (c *Cursor) start(list projections.EventList, since time.Time) (begin rootCursor, lost bool) {
	i, named := c.find(list.Root)
	if !named {
		return rootCursor{RootPosition: list.Position(list.CountBefore(since))}, false
	}
	if begin = c.roots[i]; begin.Epoch >= list.Epoch {
		return begin, false
	}
	begin.RootPosition = list.Position(list.CountBefore(time.UnixMicro(begin.recordedAt + 1)))
	return begin, true
}

// covers reports whether an event of a list lies before the cursor.
func (c *Cursor) covers(list projections.EventList, event projections.EventRef) bool {
	i, named := c.find(list.Root)
	return named && c.roots[i].Epoch == list.Epoch && event.Number <= c.roots[i].Count
}
