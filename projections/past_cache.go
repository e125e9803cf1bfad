package projections

import (
	"sort"
	"sync"

	"tandem/domain"
)

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
func (m *ReadModel) newPast(event VisibleEvent) *past {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return &past{root: event.ref.index.name, store: m.store.emptyPast(domain.Stream{Agreement: event.Agreement})}
}

// commitsBetween returns the numbers of the root's commits after one and up to another.
func (e *eventIndex) commitsBetween(after, upTo uint64) []uint64 {
	var seqs []uint64
	first := sort.Search(len(e.entries), func(i int) bool { return uint64(e.entries[i].Seq) > after })
	for _, entry := range e.entries[first:] {
		if seq := uint64(entry.Seq); seq > upTo {
			break
		} else if len(seqs) == 0 || seqs[len(seqs)-1] != seq {
			seqs = append(seqs, seq)
		}
	}
	return seqs
}
