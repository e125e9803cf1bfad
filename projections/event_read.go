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
	ID         string       // stable, as in feeds
	Type       string       // without its version, as in feeds
	Position   RootPosition // after the event
	Agreement  domain.AgreementID
	Audience   domain.Audience
	RecordedAt time.Time

	ref    EventRef
	commit *eventlog.Commit
}

// ReadEvents reads events, recent ones from memory and the others from the log. If the log cannot be read now, the error
// is an ErrUnreadable.
func (s *events) ReadEvents(ctx context.Context, refs []EventRef) ([]VisibleEvent, error) {
	events, older := make([]VisibleEvent, len(refs)), map[eventlog.Partition][]uint64{}
	s.views.present.mu.RLock()
	state := s.views.present.store
	for i, ref := range refs {
		events[i] = VisibleEvent{Position: state.positionAt(ref.index, ref.Number), ref: ref}
		if recent := state.postStates.get(ref.commit()); recent != nil {
			events[i].commit = recent.commit
		} else {
			older[ref.index.partition] = append(older[ref.index.partition], uint64(ref.entry.Seq))
		}
	}
	s.views.present.mu.RUnlock()
	commits, err := s.readCommits(ctx, older)
	if err != nil {
		return nil, err
	}
	for i := range events {
		event := &events[i]
		if event.commit == nil {
			event.commit = commits[event.ref.commit()]
		}
		stored := event.stored()
		event.ID, event.Agreement, event.RecordedAt = eventID(event.commit, event.ref.entry.Index), domain.AgreementID(event.Position.Name), event.commit.RecordedAt
		event.Type, event.Audience = domain.PublicType(stored.Type), domain.Audience(stored.Audience)
	}
	return events, nil
}

func (r EventRef) commit() commitKey { return commitKey{r.index.partition, uint64(r.entry.Seq)} }

// stored returns the event as it is in the log.
func (e *VisibleEvent) stored() *eventlog.Event { return &e.commit.Events[e.ref.entry.Index] }

// readCommits reads commits from the log, each once.
func (s *events) readCommits(ctx context.Context, wanted map[eventlog.Partition][]uint64) (map[commitKey]*eventlog.Commit, error) {
	found := map[commitKey]*eventlog.Commit{}
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

// eventID returns an event's public id. It is derived from the id of the command that caused the event, which is never
// reused, so it is stable and does not reveal the event's place in the log.
func eventID(commit *eventlog.Commit, index uint16) string {
	b := append(commit.Command[:len(commit.Command):len(commit.Command)], commit.Stream...)
	sum := sha256.Sum256(append(b, byte(index>>8), byte(index)))
	return hex.EncodeToString(sum[:16])
}
