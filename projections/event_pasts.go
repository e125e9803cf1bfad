package projections

import (
	"sync"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections/sentences"
)

// events reads single events and past states.
type events struct {
	views  *views
	losses *losses
	log    eventlog.Log
	book   *sentences.Book
	pasts  pastCache
}

// maxPasts is how many pasts are kept at a time.
const maxPasts = 16

// past is the past of one agreement, after one of its commits.
type past struct {
	root  string
	seq   uint64
	store *store
}

// pastCache keeps the pasts that were read last. Whoever takes one has it alone.
type pastCache struct {
	mu   sync.Mutex
	list []*past // the one used last at the end
}

// take returns the latest past that is not later than seq, nil if there is none.
func (c *pastCache) take(root string, seq uint64) *past {
	c.mu.Lock()
	defer c.mu.Unlock()
	best := -1
	for n, past := range c.list {
		if past.root == root && past.seq <= seq && (best < 0 || past.seq > c.list[best].seq) {
			best = n
		}
	}
	if best < 0 {
		return nil
	}
	past := c.list[best]
	c.list = append(c.list[:best], c.list[best+1:]...)
	return past
}

func (c *pastCache) put(past *past) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.list = append(c.list, past); len(c.list) > maxPasts {
		c.list = append(c.list[:0], c.list[1:]...)
	}
}

// newPast returns the beginning of an agreement's past. Partners are the present ones.
func (s *events) newPast(event VisibleEvent) *past {
	s.views.present.mu.RLock()
	defer s.views.present.mu.RUnlock()
	return &past{root: event.ref.index.name, store: s.views.present.store.emptyPast(domain.Stream{Agreement: event.Agreement})}
}
