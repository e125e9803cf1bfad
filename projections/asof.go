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
func (i *Image) AsOf(ctx context.Context, v Viewer, stream domain.Stream, seq uint64, read func(*View) error) error {
	past, seqs, err := i.beginPast(v, stream, seq, read)
	if past == nil {
		return err
	}
	p := eventlog.PartitionOf(stream.Root())
	for chunk := range slices.Chunk(seqs, readAhead) {
		commits, err := i.cfg.Log.Read(ctx, p, chunk)
		if err != nil {
			return fmt.Errorf("read the past of %s: %w", stream.Root(), unreadable(err))
		}
		for n := range commits {
			if err := past.again(&commits[n]); err != nil {
				return faultAt(&commits[n], err)
			}
		}
	}
	past.finish()
	return read(past.view(v, i.cfg.Now(), i.cfg.BaseURL))
}

// beginPast reads the present view if it is the past asked for. Else it returns a store to fold
// into and the commits to fold.
func (i *Image) beginPast(v Viewer, stream domain.Stream, seq uint64, read func(*View) error) (*store, []uint64, error) {
	i.mu.RLock()
	defer i.mu.RUnlock()
	r := i.s.rootOf(stream)
	if r == nil || r.lastSeq() <= seq {
		return nil, nil, read(i.s.view(v, i.cfg.Now(), i.cfg.BaseURL))
	}
	return i.s.beforeAll(stream), r.seqs(seq), nil
}

// beforeAll returns a store to fold the past of a root into, in the midst of a replay; partners are the
// present ones.
func (s *store) beforeAll(stream domain.Stream) *store {
	past := newStore(newIdentities())
	past.beginReplay()
	past.epochs = s.epochs
	for id, p := range s.partners {
		if id != stream.Partner && p.entity != nil {
			n := past.partner(id)
			n.setEntity(past, p.entity)
			n.face, n.profile = p.face, p.profile
		}
	}
	return past
}

// rootOf returns the root of a stream, nil if nothing ever happened there.
func (s *store) rootOf(stream domain.Stream) *root {
	if stream.Partner != "" {
		if p, ok := s.partners[stream.Partner]; ok {
			return p.root
		}
		return nil
	}
	if a, ok := s.agreements[stream.Agreement]; ok {
		return a.root
	}
	return nil
}

// seqs returns the numbers of the root's commits up to a last one.
func (r *root) seqs(last uint64) []uint64 {
	var seqs []uint64
	for _, x := range r.refs {
		if seq := uint64(x.Seq); seq <= last && (len(seqs) == 0 || seqs[len(seqs)-1] != seq) {
			seqs = append(seqs, seq)
		}
	}
	return seqs
}

// again folds a commit whose neighbours in the partition belong to other roots.
func (s *store) again(c *eventlog.Commit) error {
	s.heads[c.Partition] = eventlog.Head{Seq: c.Seq - 1, Hash: c.Prev}
	b := &batch{entries: []eventlog.Entry{{Partition: c.Partition, Commit: c}}}
	if b.decode(); b.err != nil {
		return b.err
	}
	return s.apply(c, b.payloads)
}
