package projections

// positionAt returns a place in a root.
func (s *store) positionAt(index *eventIndex, count uint64) rootPosition {
	return rootPosition{firstEpoch + s.epochs[index.partition], index.name, count}
}

// epochReached says how a position stands to the present: the epoch is over (ErrPositionLost), it has not
// come (false), or it is now.
func (s *store) epochReached(root rootPosition) (bool, error) {
	now := firstEpoch + s.epochs[root.partition()]
	if root.epoch < now {
		return false, ErrPositionLost
	}
	return root.epoch == now, nil
}
