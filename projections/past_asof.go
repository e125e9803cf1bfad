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
func (m *ReadModel) AsOf(ctx context.Context, viewer Viewer, stream domain.Stream, seq uint64, read func(*View) error) error {
	past, seqs, err := m.beginPast(viewer, stream, seq, read)
	if past == nil {
		return err
	}
	partition := eventlog.PartitionOf(stream.Root())
	for chunk := range slices.Chunk(seqs, readAhead) {
		commits, err := m.cfg.Log.Read(ctx, partition, chunk)
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
	return read(past.view(viewer, m.cfg.Now(), m.cfg.BaseURL))
}

// beginPast reads the present view if it is the past asked for. Else it returns a store to fold
// into and the commits to fold.
func (m *ReadModel) beginPast(viewer Viewer, stream domain.Stream, seq uint64, read func(*View) error) (*store, []uint64, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	index := m.store.indexOf(stream)
	if index == nil || index.lastSeq() <= seq {
		return nil, nil, read(m.store.view(viewer, m.cfg.Now(), m.cfg.BaseURL))
	}
	return m.store.emptyPast(stream), index.commitsUpTo(seq), nil
}

// emptyPast returns a store to fold the past of a root into, in the midst of a replay; partners are the
// present ones.
func (s *store) emptyPast(stream domain.Stream) *store {
	past := newStore(newTokenIndex())
	past.beginReplay()
	past.epochs = s.epochs
	for id, partner := range s.partners {
		if id != stream.Partner && partner.entity != nil {
			node := past.partner(id)
			node.setEntity(past, partner.entity)
			node.profile, node.profileMark = partner.profile, partner.profileMark
		}
	}
	return past
}

// indexOf returns the root of a stream, nil if nothing ever happened there.
func (s *store) indexOf(stream domain.Stream) *eventIndex {
	if stream.Partner != "" {
		if partner, ok := s.partners[stream.Partner]; ok {
			return partner.index
		}
		return nil
	}
	if agreement, ok := s.agreements[stream.Agreement]; ok {
		return agreement.index
	}
	return nil
}

// commitsUpTo returns the numbers of the root's commits up to a last one.
func (e *eventIndex) commitsUpTo(last uint64) []uint64 {
	var seqs []uint64
	for _, entry := range e.entries {
		if seq := uint64(entry.Seq); seq <= last && (len(seqs) == 0 || seqs[len(seqs)-1] != seq) {
			seqs = append(seqs, seq)
		}
	}
	return seqs
}

// refold folds a commit whose neighbours in the partition belong to other roots.
func (s *store) refold(commit *eventlog.Commit) error {
	s.heads[commit.Partition] = eventlog.Head{Seq: commit.Seq - 1, Hash: commit.Prev}
	group := &entryGroup{entries: []eventlog.Entry{{Partition: commit.Partition, Commit: commit}}}
	if group.decode(); group.err != nil {
		return group.err
	}
	return s.apply(commit, group.payloads)
}
