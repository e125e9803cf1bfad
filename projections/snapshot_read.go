package projections

import (
	"errors"
	"io/fs"
	"os"
	"sync"

	"tandem/eventlog"
	"tandem/projections/snapshot"
)

// read returns the store of the snapshot in the midst of a replay, or nil if there is no usable one. A snapshot
// from before an accepted loss holds commits that no longer exist and is not used.
func (s *snapshotWriter) read(epochs [eventlog.Partitions]uint64) *store {
	if s.dir == "" {
		return nil
	}
	file, err := os.ReadFile(s.path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var state *store
	if err == nil {
		state, err = s.restore(file)
	}
	if err != nil {
		s.logger.Warn("the snapshot is not used; the log is replayed", "path", s.path(), "reason", err)
		return nil
	}
	for partition, head := range state.heads {
		if head.Seq > 0 && state.epochs[partition] < epochs[partition] {
			s.logger.Info("the snapshot is from before an accepted loss and not used; the log is replayed",
				"path", s.path(), "partition", partition)
			return nil
		}
	}
	return state
}

// restore returns a store in the midst of a replay.
func (s *snapshotWriter) restore(file []byte) (*store, error) {
	sections, err := s.format.Sections(file)
	if err != nil {
		return nil, err
	}
	values, err := s.decodeAll(sections)
	if err != nil {
		return nil, err
	}
	state := newStore(s.tokens, s.names)
	state.beginReplay()
	for _, value := range values {
		if err := state.restoreSection(value); err != nil {
			return nil, err
		}
	}
	return state, nil
}

// decodeAll decodes the sections on as many goroutines as there are decoders.
func (s *snapshotWriter) decodeAll(sections []snapshot.Section) ([]any, error) {
	values, errs := make([]any, len(sections)), make([]error, len(sections))
	next := make(chan int, len(sections))
	for i := range sections {
		next <- i
	}
	close(next)
	var wg sync.WaitGroup
	for range decoders {
		wg.Go(func() {
			for i := range next {
				values[i], errs[i] = s.format.Decode(sections[i])
			}
		})
	}
	wg.Wait()
	return values, errors.Join(errs...)
}
