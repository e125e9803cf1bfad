package projections

import (
	"cmp"
	"errors"
	"slices"
	"sync/atomic"

	"tandem/domain"
	"tandem/eventlog"
)

// ErrEpoch means that the operator has accepted a loss: the read model holds commits, and has given out
// positions, that no longer exist.
var ErrEpoch = errors.New("the operator accepted a loss; the log must be read from its beginning")

// losses are the losses of history that are known and not accepted, and the number of accepted ones.
type losses struct {
	open     atomic.Pointer[[]eventlog.LostTailError] // sorted by partition; replaced, never changed
	accepted atomic.Uint64
}

// OpenLosses returns the losses that are known and not accepted, sorted by partition, at most one for each.
// Views of those partitions must not be served. It costs one atomic load; nil means that no history is lost.
// The list must not be changed.
func (l *losses) OpenLosses() []eventlog.LostTailError {
	if open := l.open.Load(); open != nil {
		return *open
	}
	return nil
}

// OpenLossIn returns the open loss of a partition, or nil.
func (l *losses) OpenLossIn(partition eventlog.Partition) *eventlog.LostTailError {
	open := l.OpenLosses()
	if i, found := slices.BinarySearchFunc(open, partition, comparePartition); found {
		return &open[i]
	}
	return nil
}

// Intact reports whether the stream's partition has no open loss. The stream need not exist.
func (l *losses) Intact(stream domain.Stream) bool {
	return l.OpenLosses() == nil || l.OpenLossIn(eventlog.PartitionOf(stream.Root())) == nil
}

// AcceptedLosses returns the number of accepted losses of all partitions. It is valid once the read model is
// live.
func (l *losses) AcceptedLosses() uint64 { return l.accepted.Load() }

func comparePartition(loss eventlog.LostTailError, partition eventlog.Partition) int {
	return cmp.Compare(loss.Partition, partition)
}
