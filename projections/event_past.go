package projections

import (
	"context"
	"fmt"
	"slices"

	"tandem/domain"
	"tandem/eventlog"
)

// readAhead is how many commits of a fold are read at once.
const readAhead = 1024

// AsOf calls read on a view of one root, the stream's agreement or partner directory, as it was
// after commit seq of its partition; partners' names and zones are the present ones. When the root
// has not changed since, it is the present view.
func (s *events) AsOf(ctx context.Context, viewer Viewer, stream domain.Stream, seq uint64, read func(*View) error) error {
	past, seqs, err := s.beginPast(viewer, stream, seq, read)
	if past == nil {
		return err
	}
	partition := eventlog.PartitionOf(stream.Root())
	for chunk := range slices.Chunk(seqs, readAhead) {
		commits, err := s.log.Read(ctx, partition, chunk)
		if err != nil {
			return fmt.Errorf("read the past of %s: %w", stream.Root(), unreadable(err))
		}
		for n := range commits {
			if err := past.refold(&commits[n]); err != nil {
				return commitError(&commits[n], err)
			}
		}
	}
	past.endReplay()
	return read(s.views.view(past, viewer))
}

// beginPast reads the present view if it is the past asked for. Else it returns a store to fold
// into and the commits to fold.
func (s *events) beginPast(viewer Viewer, stream domain.Stream, seq uint64, read func(*View) error) (*store, []uint64, error) {
	s.views.present.mu.RLock()
	defer s.views.present.mu.RUnlock()
	index := s.views.present.store.indexOf(stream)
	if index == nil || index.lastSeq() <= seq {
		return nil, nil, read(s.views.view(s.views.present.store, viewer))
	}
	return s.views.present.store.emptyPast(stream), index.commitsUpTo(seq), nil
}
