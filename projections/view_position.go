package projections

import (
	"context"
	"slices"
	"strings"

	"tandem/domain"
)

// positions returns the viewer's position in every root that it can see, sorted by root.
func (v *View) positions() []RootPosition {
	var roots []RootPosition
	switch {
	case v.viewer.Operator:
		for _, partner := range v.store.partners {
			if partner.entity != nil {
				roots = append(roots, v.store.positionAt(partner.index, partner.index.visibleCount("")))
			}
		}
	case v.node.entity != nil:
		roots = append(roots, v.store.positionAt(v.node.index, v.node.index.visibleCount(v.node.id)))
	}
	for _, id := range v.knownPartners() {
		if partner := v.store.partners[id]; partner != nil {
			roots = append(roots, v.store.positionAt(partner.index, partner.profileMark.Events))
		}
	}
	for _, agreement := range v.agreements() {
		roots = append(roots, v.store.positionAt(agreement.index, agreement.index.visibleCount(v.viewer.Partner)))
	}
	slices.SortFunc(roots, func(one, other RootPosition) int { return strings.Compare(one.Name, other.Name) })
	return roots
}

// countIn returns the number of events of a root that the viewer can see, or false for an invisible root.
func (v *View) countIn(root string) (uint64, bool) {
	id, directory := strings.CutPrefix(root, "@")
	if !directory {
		if agreement := v.agreement(domain.AgreementID(root)); agreement != nil {
			return agreement.index.visibleCount(v.viewer.Partner), true
		}
		return 0, false
	}
	partner := v.partner(domain.PartnerID(id))
	switch {
	case partner == nil:
		return 0, false
	case v.directory(partner.id) != nil:
		return partner.index.visibleCount(v.viewer.Partner), true
	default:
		return partner.profileMark.Events, true
	}
}

// Position returns the viewer's position in one agreement, or in all roots for the empty id.
func (v *View) Position(agreement domain.AgreementID) string {
	if agreement == "" {
		return EncodePositions(v.positions())
	}
	root := RootPosition{Name: string(agreement)}
	root.Count, _ = v.countIn(root.Name)
	root.Epoch = v.store.epoch(root.Partition())
	return root.String()
}

// Position returns the viewer's present position in one agreement, or in all roots for the empty id.
func (s *views) Position(viewer Viewer, agreement domain.AgreementID) (position string) {
	s.present.mu.RLock()
	defer s.present.mu.RUnlock()
	return s.view(s.present.store, viewer).Position(agreement)
}

// WaitPosition waits until the position is applied, ctx ends or the read model halts. A root that the viewer
// cannot see is waited for like one that does not exist; a root in a partition with an open loss is not waited
// for. The error is ErrPosition for a malformed position and ErrPositionLost for one from before an accepted
// loss.
func (s *views) WaitPosition(ctx context.Context, viewer Viewer, position string) error {
	wanted, err := ParsePosition(position)
	if err != nil {
		return err
	}
	return s.lifecycle.waitUntil(ctx, func() (bool, <-chan struct{}, error) {
		s.present.mu.RLock()
		defer s.present.mu.RUnlock()
		view := s.view(s.present.store, viewer)
		for _, root := range wanted {
			switch present, err := s.present.store.epochReached(root); {
			case err != nil:
				return true, nil, err
			case s.present.store.halted[root.Partition()]:
			case !present || !view.reached(root):
				return false, view.node.changed(viewer.Scope), nil
			}
		}
		return true, nil, nil
	})
}

// reached reports whether the viewer's position in a root is at least the given one.
func (v *View) reached(root RootPosition) bool {
	count, ok := v.countIn(root.Name)
	return ok && count >= root.Count
}

// Epoch returns the present epoch of a root's partition.
func (v *View) Epoch(root RootPosition) uint64 { return v.store.epoch(root.Partition()) }
