package projections

import "tandem/eventlog"

// epoch returns the present epoch of a partition.
func (s *store) epoch(partition eventlog.Partition) uint64 { return firstEpoch + s.epochs[partition] }

// positionAt returns the position after count events of a root.
func (s *store) positionAt(index *eventIndex, count uint64) RootPosition {
	return RootPosition{s.epoch(index.partition), index.name, count}
}

// epochReached compares the epoch of a position with the present one. It returns ErrPositionLost for a past
// epoch and false for a future one.
func (s *store) epochReached(root RootPosition) (bool, error) {
	now := s.epoch(root.Partition())
	if root.Epoch < now {
		return false, ErrPositionLost
	}
	return root.Epoch == now, nil
}
