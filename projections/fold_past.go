package projections

import (
	"tandem/domain"
	"tandem/eventlog"
)

// emptyPast returns a store in the midst of a replay, into which the past of a root is folded. It holds the
// present partners.
func (s *store) emptyPast(stream domain.Stream) *store {
	past := newStore(newTokenIndex(), s.names)
	past.beginReplay()
	past.epochs = s.epochs
	for id, partner := range s.partners {
		if id != stream.Partner && partner.entity != nil {
			node := past.partner(id)
			node.setEntity(past, partner.entity)
			node.profile, node.profileMark, node.formerNames = partner.profile, partner.profileMark, partner.formerNames
		}
	}
	return past
}

// indexOf returns the index of a stream's root, or nil if the root has no events.
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

// refold folds a commit of one root, without the commits of other roots before it in the partition.
func (s *store) refold(commit *eventlog.Commit) error {
	s.heads[commit.Partition] = eventlog.Head{Seq: commit.Seq - 1, Hash: commit.Prev}
	group := &entryGroup{entries: []eventlog.Entry{{Partition: commit.Partition, Commit: commit}}}
	if group.decode(); group.err != nil {
		return group.err
	}
	return s.apply(commit, group.payloads)
}
