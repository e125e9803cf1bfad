// Package feed reads events from the log on behalf of a partner. Histories, feeds, event streams, replays and webhook
// lanes all use [Reader.Next], so they see the same events in the same order.
//
// # Guarantees
//
// A reader that calls Next until there are no more events, each time with the cursor of the previous page, receives every
// visible event exactly once. Within an agreement events come in log order; agreements are merged by the time of
// recording. An event keeps its position until a loss of history is accepted, which begins a new epoch. An agreement
// whose history is lost is left out until the loss is accepted; the cursor does not move there.
package feed

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"tandem/domain"
	"tandem/projections"
)

// ErrNotVisible means that the reader may not see the agreement, milestone or event that it asks for, or that there is
// no such thing.
var ErrNotVisible = errors.New("not visible to the reader")

// Reader reads events. It is safe for concurrent use.
type Reader struct {
	model *projections.ReadModel
}

// NewReader returns a reader of the events that a read model has applied.
func NewReader(model *projections.ReadModel) *Reader { return &Reader{model} }

// EventQuery selects events. The zero EventQuery selects all events of all agreements that the viewer may see.
type EventQuery struct {
	projections.EventScope

	Since time.Time // agreements that the cursor does not name begin with the first event recorded at or after this time
	Until time.Time // events recorded at or after this time are left for later; zero: none are
	UpTo  *Cursor   // events that this cursor has not passed are left for later; nil: none are

	// Resume continues after an accepted loss with the events recorded after the last passed one. Without it, a cursor of
	// an ended epoch is a projections.ErrPositionLost.
	Resume bool
	// Match selects events; the cursor moves past the others. nil selects all.
	Match func(*projections.VisibleEvent) bool
}

// Page is a part of the selected events, oldest first.
type Page struct {
	Events []projections.VisibleEvent
	Start  Cursor               // before the first event of the page and past those before it that do not match
	Cursor Cursor               // past all events that were read
	Lost   []domain.AgreementID // agreements where an accepted loss has ended the cursor's epoch; see EventQuery.Resume

	single bool                       // the query names an agreement
	ahead  bool                       // the cursor names an epoch that the read model has not reached
	starts []projections.RootPosition // where the page begins in each visible agreement, sorted by name
}

// Position returns the end of the page as a position: in the agreement that the query names, otherwise in all
// agreements that the viewer may see.
func (p Page) Position() string {
	ends := make([]projections.RootPosition, len(p.starts))
	for i, start := range p.starts {
		ends[i] = start
		if k, named := p.Cursor.find(start.Name); named {
			ends[i] = p.Cursor.roots[k].RootPosition
		}
	}
	if p.single {
		return ends[0].String()
	}
	return projections.EncodePositions(ends)
}

// Next returns up to limit events after a cursor that a query selects. Errors are ErrNotVisible,
// projections.ErrPositionLost, projections.ErrUnreadable, and a *eventlog.LostTailError if the query names an agreement
// whose history is lost.
func (r *Reader) Next(ctx context.Context, viewer projections.Viewer, cursor Cursor, query EventQuery, limit int) (Page, error) {
	page := Page{Cursor: cursor.Clone(), single: query.Agreement != "" || query.Milestone.Agreement != ""}
	for {
		refs, err := r.nextRefs(viewer, query, limit, &page)
		if err != nil {
			return Page{}, err
		}
		events, err := r.model.ReadEvents(ctx, refs)
		if err != nil {
			return Page{}, err
		}
		page.add(events, query.Match, limit)
		if len(page.Events) == limit || len(refs) < limit {
			return page, nil
		}
	}
}

// add appends the events that match, up to limit, and moves the cursor.
func (p *Page) add(events []projections.VisibleEvent, match func(*projections.VisibleEvent) bool, limit int) {
	if match == nil {
		p.Start, p.Events = p.Cursor.Clone(), events
		for i := range events {
			p.Cursor.Advance(events[i])
		}
		return
	}
	for i := range events {
		if len(p.Events) == limit {
			return
		}
		if match(&events[i]) {
			if p.Events == nil {
				p.Start = p.Cursor.Clone()
			}
			p.Events = append(p.Events, events[i])
		}
		p.Cursor.Advance(events[i])
	}
	if p.Events == nil {
		p.Start = p.Cursor
	}
}

// nextRefs finds up to limit events after the page's cursor, which it moves to the present epochs.
func (r *Reader) nextRefs(viewer projections.Viewer, query EventQuery, limit int, page *Page) (refs []projections.EventRef, err error) {
	err = r.model.View(viewer, func(view *projections.View) error {
		lists := view.EventLists(query.EventScope)
		if page.single && len(lists) == 0 {
			return ErrNotVisible
		}
		if !page.single && !query.Resume {
			if err := page.Cursor.checkEpochs(view); err != nil {
				return err
			}
		}
		page.starts = page.starts[:0]
		var sources mergeHeap
		for _, list := range lists {
			found, err := r.refsIn(list, query, limit, page)
			if err != nil {
				return err
			}
			if len(found) > 0 {
				sources = append(sources, found)
			}
		}
		refs = sources.merge(limit)
		return nil
	})
	return refs, err
}

// refsIn finds up to limit events of one list.
func (r *Reader) refsIn(list projections.EventList, query EventQuery, limit int, page *Page) ([]projections.EventRef, error) {
	begin, ended := page.Cursor.start(list, query.Since)
	switch {
	case ended && !query.Resume:
		return nil, projections.ErrPositionLost
	case list.Lost && page.single:
		return nil, r.model.OpenLossIn(begin.Partition())
	case ended && !list.Lost:
		page.Cursor.set(begin)
		page.Lost = append(page.Lost, domain.AgreementID(list.Root))
	}
	page.starts = append(page.starts, begin.RootPosition)
	if begin.Epoch > list.Epoch {
		page.ahead = true
		return nil, nil
	}
	if list.Lost {
		return nil, nil
	}
	refs := list.After(begin.Count, limit)
	for i, ref := range refs {
		if !query.Until.IsZero() && ref.RecordedAt() >= query.Until.UnixMicro() || query.UpTo != nil && !query.UpTo.covers(list, ref) {
			return refs[:i], nil
		}
	}
	return refs, nil
}

// mergeHeap is a heap of event lists; the list with the earliest first event is on top.
type mergeHeap [][]projections.EventRef

// merge returns up to limit events by the time of recording. The order within each list stays.
func (h mergeHeap) merge(limit int) []projections.EventRef {
	if len(h) == 1 {
		return h[0][:min(len(h[0]), limit)]
	}
	heap.Init(&h)
	var refs []projections.EventRef
	for len(h) > 0 && len(refs) < limit {
		refs = append(refs, h[0][0])
		if h[0] = h[0][1:]; len(h[0]) > 0 {
			heap.Fix(&h, 0)
		} else {
			heap.Pop(&h)
		}
	}
	return refs
}

func (h mergeHeap) Len() int      { return len(h) }
func (h mergeHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h mergeHeap) Less(i, j int) bool {
	one, other := h[i][0], h[j][0]
	return cmp.Or(cmp.Compare(one.RecordedAt(), other.RecordedAt()), cmp.Compare(one.Root(), other.Root())) < 0
}
func (h *mergeHeap) Push(x any) { *h = append(*h, x.([]projections.EventRef)) }
func (h *mergeHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// EventAt returns the event at a position in one agreement, which the viewer need not see any more. The error is
// ErrNotVisible if there is no such event, or no longer one since a loss was accepted, and projections.ErrUnreadable if
// the read model has not reached the position's epoch; otherwise it is one of Next.
func (r *Reader) EventAt(ctx context.Context, viewer projections.Viewer, position string) (event projections.VisibleEvent, err error) {
	cursor, err := ParseCursor(position)
	if err != nil || len(cursor.roots) != 1 || cursor.roots[0].Count == 0 {
		return event, ErrNotVisible
	}
	cursor.roots[0].Count--
	scope := projections.EventScope{Agreement: domain.AgreementID(cursor.roots[0].Name), Former: true}
	page, err := r.Next(ctx, viewer, cursor, EventQuery{EventScope: scope}, 1)
	switch {
	case err == nil && page.ahead:
		return event, fmt.Errorf("position %s is of a later epoch: %w", position, projections.ErrUnreadable)
	case errors.Is(err, projections.ErrPositionLost), err == nil && len(page.Events) == 0:
		return event, ErrNotVisible
	case err != nil:
		return event, err
	}
	return page.Events[0], nil
}

// Latest returns the last one of the limit latest events that matches a query; false if none does.
func (r *Reader) Latest(ctx context.Context, viewer projections.Viewer, query EventQuery, limit int) (event projections.VisibleEvent, found bool, err error) {
	var sources mergeHeap
	err = r.eachList(viewer, query, func(list projections.EventList) {
		if count := list.Count(); count > 0 {
			sources = append(sources, list.After(count-min(count, uint64(limit)), limit))
		}
	})
	if err != nil {
		return event, false, err
	}
	refs := sources.merge(math.MaxInt)
	events, err := r.model.ReadEvents(ctx, refs[max(len(refs)-limit, 0):])
	for i := len(events) - 1; i >= 0; i-- {
		if query.Match == nil || query.Match(&events[i]) {
			return events[i], true, nil
		}
	}
	return event, false, err
}

// eachList calls visit with the lists that a query selects, but for those of which history is lost.
func (r *Reader) eachList(viewer projections.Viewer, query EventQuery, visit func(projections.EventList)) error {
	return r.model.View(viewer, func(view *projections.View) error {
		for _, list := range view.EventLists(query.EventScope) {
			if !list.Lost {
				visit(list)
			}
		}
		return nil
	})
}

// RenderEvent renders an event for a webhook; see [projections.ReadModel.RenderEvent].
func (r *Reader) RenderEvent(ctx context.Context, partner domain.PartnerID, event projections.VisibleEvent, private bool, language string) (*projections.RenderedEvent, error) {
	return r.model.RenderEvent(ctx, partner, event, private, language)
}
