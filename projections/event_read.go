package projections

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"tandem/domain"
	"tandem/eventlog"
)

// VisibleEvent is a stored event that a partner can see.
type VisibleEvent struct {
	ref    EventRef
	epoch  uint64
	commit *eventlog.Commit
}

// ID returns the event's public id. It is derived from the id of the command that caused the event, which is never
// reused, so it is stable and does not reveal the event's place in the log.
func (e VisibleEvent) ID() string {
	index := e.ref.entry.Index
	b := append(e.commit.Command[:len(e.commit.Command):len(e.commit.Command)], e.commit.Stream...)
	sum := sha256.Sum256(append(b, byte(index>>8), byte(index)))
	return hex.EncodeToString(sum[:16])
}

// Type returns the event's type without its version.
func (e VisibleEvent) Type() string { return domain.PublicType(e.stored().Type) }

// Agreement returns the agreement that the event belongs to.
func (e VisibleEvent) Agreement() domain.AgreementID { return domain.AgreementID(e.ref.index.name) }

// Audience returns the partners that may see the event.
func (e VisibleEvent) Audience() domain.Audience { return domain.Audience(e.stored().Audience) }

// RecordedAt returns when the event was recorded.
func (e VisibleEvent) RecordedAt() time.Time { return e.commit.RecordedAt }

// Position returns the partner's position after the event.
func (e VisibleEvent) Position() RootPosition {
	return RootPosition{e.epoch, e.ref.index.name, e.ref.Number}
}

// stored returns the event as it is in the log.
func (e VisibleEvent) stored() *eventlog.Event { return &e.commit.Events[e.ref.entry.Index] }

// ReadEvents reads events, recent ones from memory and the others from the log. The error is an ErrUnreadable if the log
// cannot be read now.
func (s *events) ReadEvents(ctx context.Context, refs []EventRef) ([]VisibleEvent, error) {
	events, older := make([]VisibleEvent, len(refs)), map[eventlog.Partition][]uint64{}
	s.views.present.mu.RLock()
	state := s.views.present.store
	for i, ref := range refs {
		events[i] = VisibleEvent{ref: ref, epoch: state.epoch(ref.index.partition)}
		if recent := state.postStates.get(ref.commit()); recent != nil {
			events[i].commit = recent.commit
		} else {
			older[ref.index.partition] = append(older[ref.index.partition], uint64(ref.entry.Seq))
		}
	}
	s.views.present.mu.RUnlock()
	commits, err := s.readCommits(ctx, older, len(refs))
	if err != nil {
		return nil, err
	}
	for i := range events {
		if events[i].commit == nil {
			events[i].commit = commits[events[i].ref.commit()]
		}
	}
	return events, nil
}

func (r EventRef) commit() commitKey { return commitKey{r.index.partition, uint64(r.entry.Seq)} }

// readCommits reads commits from the log, each once. They are count at most.
func (s *events) readCommits(ctx context.Context, wanted map[eventlog.Partition][]uint64, count int) (map[commitKey]*eventlog.Commit, error) {
	found := make(map[commitKey]*eventlog.Commit, count)
	for partition, seqs := range wanted {
		slices.Sort(seqs)
		commits, err := s.log.Read(ctx, partition, slices.Compact(seqs))
		if err != nil {
			return nil, fmt.Errorf("read events: %w", unreadable(err))
		}
		for i := range commits {
			found[commitKey{partition, commits[i].Seq}] = &commits[i]
		}
	}
	return found, nil
}
