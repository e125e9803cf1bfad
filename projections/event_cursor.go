package projections

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"tandem/domain"
	"tandem/eventlog"
)

// Cursor says how far a webhook has come in each agreement that its partner may see. An agreement that it
// does not name begins with what was recorded since the webhook was added. The zero Progress names none.
//
// Beside the count it keeps when the last event was recorded: after an accepted loss, which counts anew, it
// goes on behind that time, so that nothing is left out and nothing that is still there is repeated.
type Cursor struct{ roots map[string]cursorRoot }

type cursorRoot struct {
	Epoch, Count uint64
	At           int64 // of the last event, microseconds since 1970
}

// MarshalJSON writes what UnmarshalJSON reads.
func (c Cursor) MarshalJSON() ([]byte, error) {
	list := make(map[string][3]int64, len(c.roots))
	for name, at := range c.roots {
		list[name] = [3]int64{int64(at.Epoch), int64(at.Count), at.At}
	}
	return json.Marshal(list)
}

// UnmarshalJSON reads a stored progress.
func (c *Cursor) UnmarshalJSON(b []byte) error {
	var list map[string][3]int64
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	c.roots = make(map[string]cursorRoot, len(list))
	for name, stored := range list {
		c.roots[name] = cursorRoot{uint64(stored[0]), uint64(stored[1]), stored[2]}
	}
	return nil
}

// Clone returns a progress that changes apart from g.
func (c Cursor) Clone() Cursor {
	clone := Cursor{make(map[string]cursorRoot, len(c.roots))}
	for name, at := range c.roots {
		clone.roots[name] = at
	}
	return clone
}

// Pass moves behind an occurrence.
func (c *Cursor) Pass(event VisibleEvent) {
	c.set(event.ref.index.name, cursorRoot{event.epoch, event.ref.position, event.ref.entry.At})
}

func (c *Cursor) set(root string, at cursorRoot) {
	if c.roots == nil {
		c.roots = map[string]cursorRoot{}
	}
	c.roots[root] = at
}

// EventQuery is what a webhook looks out for.
type EventQuery struct {
	Partner    domain.PartnerID
	Since      time.Time // where agreements begin that its progress does not name
	Until      time.Time // what was recorded at that time or later waits; zero: nothing does
	UpToCursor *Cursor   // what lies behind it waits; nil: nothing does
	Limit      int       // of occurrences
}

// VisibleEvent is an event that a partner may see.
type VisibleEvent struct {
	ID         string // as in feeds
	Type       string // as in feeds
	Agreement  domain.AgreementID
	Audience   domain.Audience
	RecordedAt time.Time

	ref    eventRef
	epoch  uint64
	commit *eventlog.Commit
}

// Position returns where the occurrence stands for its partner, as feeds do.
func (e VisibleEvent) Position() string {
	return rootPosition{e.epoch, e.ref.index.name, e.ref.position}.String()
}

// cursorCount returns where a progress stands in a root. When its epoch is over, that is behind the time of its
// last event, and lost is true.
func (s *store) cursorCount(cursor *Cursor, index *eventIndex, query EventQuery) (count uint64, lost bool) {
	at, named := cursor.roots[index.name]
	now := firstEpoch + s.epochs[index.partition]
	switch {
	case !named:
		return index.countBefore(query.Partner, query.Since.UnixMicro()), false
	case at.Epoch < now:
		at.Epoch, at.Count = now, index.countBefore(query.Partner, at.At+1)
		cursor.set(index.name, at)
		return at.Count, true
	}
	return at.Count, false
}

// agreementsSeen returns the roots of all agreements of which a partner sees, or saw, anything, but for
// those where history is lost.
func (s *store) agreementsSeen(partner domain.PartnerID) []*eventIndex {
	node := s.partners[partner]
	if node == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(node.indexes), func(index *eventIndex) bool { return s.halted[index.partition] })
}

// nextEvents returns the next picks of all agreements by the time of recording, and the agreements where the
// progress was of before a loss.
func (s *store) nextEvents(query EventQuery, cursor *Cursor) (refs []eventRef, lost []domain.AgreementID) {
	for _, index := range s.agreementsSeen(query.Partner) {
		count, lostRoot := s.cursorCount(cursor, index, query)
		if lostRoot {
			lost = append(lost, domain.AgreementID(index.name))
		}
		for _, ref := range index.after(query.Partner, count, query.Limit) {
			if !query.Until.IsZero() && ref.entry.At >= query.Until.UnixMicro() || query.UpToCursor != nil && !query.UpToCursor.covers(ref, s) {
				break
			}
			refs = append(refs, ref)
		}
	}
	slices.SortStableFunc(refs, compareEventRefs)
	return refs[:min(len(refs), query.Limit)], lost
}

func compareEventRefs(one, other eventRef) int {
	return cmp.Or(cmp.Compare(one.entry.At, other.entry.At), cmp.Compare(one.index.name, other.index.name))
}

// Behind returns how many events that the partner may see a progress has before it.
func (s *events) Behind(query EventQuery, cursor *Cursor) (behind uint64) {
	s.views.present.mu.RLock()
	defer s.views.present.mu.RUnlock()
	for _, index := range s.views.present.store.agreementsSeen(query.Partner) {
		if at, ok := cursor.roots[index.name]; ok && at.Epoch < firstEpoch+s.views.present.store.epochs[index.partition] {
			continue // not known before the lane looks
		}
		count, _ := s.views.present.store.cursorCount(cursor, index, query)
		behind += max(index.visibleCount(query.Partner), count) - count
	}
	return behind
}

// Rewind moves a progress back to a position, or to the first event recorded at or after a time when there is
// no position. A position of one agreement moves that one alone. It never moves forward.
func (s *events) Rewind(query EventQuery, cursor *Cursor, after string, since time.Time) error {
	s.views.present.mu.RLock()
	defer s.views.present.mu.RUnlock()
	position, err := parseAfter(after)
	if err != nil {
		return err
	}
	for _, root := range position {
		if _, err := s.views.present.store.epochReached(root); err != nil {
			return err
		}
	}
	one := len(position) == 1 && position[0].String() == after
	for _, index := range s.views.present.store.agreementsSeen(query.Partner) {
		if one && position[0].name != index.name {
			continue
		}
		to := index.countBefore(query.Partner, since.UnixMicro())
		if after != "" {
			_, to, _ = s.views.present.store.startIn(position, index)
		}
		if now, _ := s.views.present.store.cursorCount(cursor, index, query); to < now {
			cursor.set(index.name, s.views.present.store.cursorRoot(index, query.Partner, to))
		}
	}
	return nil
}

// Skip moves a progress, in some agreements, behind what was recorded before a time: what happened there was not looked
// out for.
func (s *events) Skip(query EventQuery, cursor *Cursor, before time.Time, which func(domain.AgreementID) bool) {
	s.views.present.mu.RLock()
	defer s.views.present.mu.RUnlock()
	for _, index := range s.views.present.store.agreementsSeen(query.Partner) {
		if which(domain.AgreementID(index.name)) {
			cursor.set(index.name, s.views.present.store.cursorRoot(index, query.Partner, index.countBefore(query.Partner, before.UnixMicro())))
		}
	}
}

// cursorRoot is the reach behind the first count events of a partner.
func (s *store) cursorRoot(index *eventIndex, partner domain.PartnerID, count uint64) cursorRoot {
	at := cursorRoot{Epoch: firstEpoch + s.epochs[index.partition], Count: count}
	if count > 0 {
		if last := index.after(partner, count-1, 1); len(last) == 1 {
			at.At = last[0].entry.At
		}
	}
	return at
}

// covers reports whether a pick lies before the progress.
func (c *Cursor) covers(ref eventRef, state *store) bool {
	at, named := c.roots[ref.index.name]
	return named && at.Epoch == firstEpoch+state.epochs[ref.index.partition] && ref.position <= at.Count
}
