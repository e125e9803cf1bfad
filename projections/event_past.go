package projections

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"tandem/domain"
	"tandem/projections/sentences"
)

// events reads single events and past states.
type events struct {
	views *views
	log   Log
	book  *sentences.Book
	pasts pastCache
}

// pastState is the state of one root after one of its commits. Other partners are as they were when the fold of the past
// began.
type pastState struct {
	index *eventIndex
	seq   uint64
	store *store
}

// AsOf calls read on a view of one root, the stream's agreement or partner directory, as it was after commit seq of its
// partition. Names and time zones of other partners are the present ones.
func (s *events) AsOf(ctx context.Context, viewer Viewer, stream domain.Stream, seq uint64, read func(*View) error) error {
	var past *pastState
	err := s.views.View(viewer, func(view *View) error {
		index := view.store.indexOf(stream)
		if index == nil || index.lastSeq() <= seq {
			return read(view) // the root has not changed since
		}
		past = &pastState{index: index, store: view.store.emptyPast(stream)}
		return nil
	})
	if past == nil {
		return err
	}
	if err := s.advancePast(ctx, past, seq); err != nil {
		return err
	}
	return read(s.views.view(past.store, viewer))
}

// withPast calls read with the state that an event's commit left. Pasts are cached, so that a reader that is far behind
// does not fold the same commits for every event.
func (s *events) withPast(ctx context.Context, event VisibleEvent, read func(*store)) error {
	seq := uint64(event.ref.entry.Seq)
	past := s.pasts.take(event.ref.index, seq)
	if past == nil {
		s.views.present.mu.RLock()
		past = &pastState{index: event.ref.index, store: s.views.present.store.emptyPast(domain.Stream{Agreement: event.Agreement()})}
		s.views.present.mu.RUnlock()
	}
	if err := s.advancePast(ctx, past, seq); err != nil {
		return err
	}
	read(past.store)
	s.pasts.put(past)
	return nil
}

// readAhead is how many commits of a past are read at once.
const readAhead = 1024

// advancePast folds the root's commits up to seq.
func (s *events) advancePast(ctx context.Context, past *pastState, seq uint64) error {
	s.views.present.mu.RLock()
	seqs := past.index.commitsBetween(past.seq, seq)
	s.views.present.mu.RUnlock()
	for chunk := range slices.Chunk(seqs, readAhead) {
		commits, err := s.log.Read(ctx, past.index.partition, chunk)
		if err != nil {
			return fmt.Errorf("read the past of %s: %w", past.index.name, unreadable(err))
		}
		for i := range commits {
			if err := past.store.refold(&commits[i]); err != nil {
				return commitError(&commits[i], err)
			}
		}
	}
	if past.seq = seq; past.store.replay {
		past.store.endReplay()
	}
	return nil
}

// maxPasts is how many pasts the cache holds.
const maxPasts = 16

// pastCache holds the pasts that were used last. A goroutine that takes one owns it until it puts it back.
type pastCache struct {
	mu   sync.Mutex
	list []*pastState // least recently used first
}

// take removes and returns the latest past of a root that is not later than seq, or nil.
func (c *pastCache) take(index *eventIndex, seq uint64) *pastState {
	c.mu.Lock()
	defer c.mu.Unlock()
	best := -1
	for i, past := range c.list {
		if past.index == index && past.seq <= seq && (best < 0 || past.seq > c.list[best].seq) {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	past := c.list[best]
	c.list = slices.Delete(c.list, best, best+1)
	return past
}

func (c *pastCache) put(past *pastState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.list = append(c.list, past); len(c.list) > maxPasts {
		c.list = slices.Delete(c.list, 0, 1)
	}
}
