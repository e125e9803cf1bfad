package projections

import (
	"time"

	"tandem/domain"
	"tandem/projections/sentences"
)

// views makes views of a store.
type views struct {
	present   *present
	lifecycle *lifecycle
	now       func() time.Time
	baseURL   string // see Config
	book      *sentences.Book
}

// View calls read with a consistent view of the present, under the read lock: read must neither wait nor call
// the read model.
func (s *views) View(viewer Viewer, read func(*View) error) error {
	now := s.now()
	s.present.mu.RLock()
	defer s.present.mu.RUnlock()
	return read(s.viewAt(s.present.store, viewer, now))
}

// Changed returns a channel that is closed at the next change that the viewer can see.
func (s *views) Changed(viewer Viewer) <-chan struct{} {
	s.present.mu.RLock()
	defer s.present.mu.RUnlock()
	partner, _ := s.present.store.viewerNode(viewer)
	return partner.changed(viewer.Scope)
}

func (s *views) view(state *store, viewer Viewer) *View { return s.viewAt(state, viewer, s.now()) }

// viewAt returns a view of a store in which the time is now. The caller holds the store's lock.
func (s *views) viewAt(state *store, viewer Viewer, now time.Time) *View {
	partner, known := state.viewerNode(viewer)
	return &View{
		visibility: visibility{
			store: state, viewer: viewer, node: partner, scope: parseScope(viewer.Scope), unknownPartner: !known, now: now,
		},
		calendar: calendar{at: now, partners: state.partners, today: map[domain.PartnerID]domain.Date{}},
		links:    links{s.baseURL},
		book:     s.book,
	}
}

// viewerNode returns the viewer's node, or an empty one and false for a partner that does not exist.
func (s *store) viewerNode(viewer Viewer) (*partnerNode, bool) {
	if viewer.Operator {
		return s.operator, true
	}
	if partner, ok := s.partners[viewer.Partner]; ok {
		return partner, true
	}
	return newPartnerNode(viewer.Partner), false
}
