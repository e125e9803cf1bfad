package projections

// positionAt returns the position after count events of a root.
func (s *store) positionAt(index *eventIndex, count uint64) rootPosition {
	return rootPosition{firstEpoch + s.epochs[index.partition], index.name, count}
}

// epochReached compares the epoch of a position with the present one. It returns ErrPositionLost for a past
// epoch and false for a future one.
func (s *store) epochReached(root rootPosition) (bool, error) {
	now := firstEpoch + s.epochs[root.partition()]
	if root.epoch < now {
		return false, ErrPositionLost
	}
	return root.epoch == now, nil
}
