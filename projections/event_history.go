package projections

import (
	"cmp"
	"container/heap"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections/sentences"
)

// Feeds tells what happened, with its sentences in one language. All else is the same in every language.
type Feeds struct {
	source   *events
	language string
}

// Feeds returns the feeds in a language of the package sentences; any other is English.
func (s *events) Feeds(language string) Feeds { return Feeds{s, language} }

// History is [Feeds.History] in English.
func (s *events) History(ctx context.Context, viewer Viewer, ref domain.MilestoneRef, after string, limit int) (Events, bool, error) {
	return s.Feeds(sentences.English).History(ctx, viewer, ref, after, limit)
}

// AgreementEvents is [Feeds.AgreementEvents] in English.
func (s *events) AgreementEvents(ctx context.Context, viewer Viewer, agreement domain.AgreementID, after string, limit int) (Events, bool, error) {
	return s.Feeds(sentences.English).AgreementEvents(ctx, viewer, agreement, after, limit)
}

// PartnerEvents is [Feeds.PartnerEvents] in English.
func (s *events) PartnerEvents(ctx context.Context, viewer Viewer, after string, limit int) (Events, error) {
	return s.Feeds(sentences.English).PartnerEvents(ctx, viewer, after, limit)
}

// History returns up to limit events about a milestone after a position (empty: from the first
// on), oldest first; false for a milestone that v may not see. A bad position is an ErrPosition, one of before an accepted loss an
// ErrPositionLost.
func (f Feeds) History(ctx context.Context, viewer Viewer, ref domain.MilestoneRef, after string, limit int) (Events, bool, error) {
	return f.feed(ctx, viewer, after, func(view *View) (*eventIndex, func(uint64) []eventRef) {
		milestone := view.milestone(ref)
		if milestone == nil {
			return nil, nil
		}
		index := milestone.project.agreement.index
		return index, func(from uint64) []eventRef {
			return index.visibleAmong(viewer.Partner, milestone.history, from, limit)
		}
	})
}

// AgreementEvents returns up to limit events of an agreement after a position; false for one that
// v may not see.
func (f Feeds) AgreementEvents(ctx context.Context, viewer Viewer, agreement domain.AgreementID, after string, limit int) (Events, bool, error) {
	return f.feed(ctx, viewer, after, func(view *View) (*eventIndex, func(uint64) []eventRef) {
		node := view.agreement(agreement)
		if node == nil {
			return nil, nil
		}
		return node.index, func(from uint64) []eventRef { return node.index.after(viewer.Partner, from, limit) }
	})
}

// feed reads events of the one agreement whose root find returns, with what picks them after a
// place in it; nil for one that v may not see. The next cursor is the position of the last one, or
// where the reader was.
func (f Feeds) feed(ctx context.Context, viewer Viewer, after string, find func(*View) (*eventIndex, func(from uint64) []eventRef)) (Events, bool, error) {
	position, bad := parseAfter(after)
	var refs []eventRef
	var next string
	seen := false
	err := f.source.views.View(viewer, func(view *View) error {
		index, choose := find(view)
		if seen = index != nil; !seen || bad != nil {
			return bad
		}
		start, from, err := view.store.startIn(position, index)
		if err != nil {
			return err
		}
		if refs = choose(from); len(refs) > 0 {
			start.count = refs[len(refs)-1].position
		}
		next = start.String()
		return nil
	})
	if !seen {
		return Events{}, false, nil
	}
	if err != nil {
		return Events{}, true, err
	}
	events, err := f.events(ctx, viewer, refs)
	return Events{Events: events, NextCursor: &next}, true, err
}

// PartnerEvents returns up to limit events of all of v's agreements after a position, merged by
// the time of recording. The next cursor is a position in all of them. A bad position is an
// ErrPosition, one of before an accepted loss, whatever it names, an ErrPositionLost.
func (f Feeds) PartnerEvents(ctx context.Context, viewer Viewer, after string, limit int) (Events, error) {
	position, err := parseAfter(after)
	if err != nil {
		return Events{}, err
	}
	var refs []eventRef
	at := map[string]rootPosition{}
	err = f.source.views.View(viewer, func(view *View) (err error) {
		refs, err = view.mergedEvents(position, limit, at)
		return err
	})
	if err != nil {
		return Events{}, err
	}
	for _, ref := range refs {
		at[ref.index.name] = rootPosition{at[ref.index.name].epoch, ref.index.name, ref.position}
	}
	roots := slices.SortedFunc(maps.Values(at), func(one, other rootPosition) int { return cmp.Compare(one.name, other.name) })
	next := encodePositions(roots)
	events, err := f.events(ctx, viewer, refs)
	return Events{Events: events, NextCursor: &next}, err
}

// mergedEvents returns the first events after the position over all of the viewer's agreements, and
// notes in at where it begins in each.
func (v *View) mergedEvents(position []rootPosition, limit int, at map[string]rootPosition) ([]eventRef, error) {
	for _, root := range position {
		if _, err := v.store.epochReached(root); err != nil {
			return nil, err
		}
	}
	var lanes eventHeap
	for _, agreement := range v.agreements() {
		start, from, _ := v.store.startIn(position, agreement.index)
		at[agreement.index.name] = start
		if refs := agreement.index.after(v.viewer.Partner, from, limit); len(refs) > 0 {
			lanes = append(lanes, refs)
		}
	}
	heap.Init(&lanes)
	var refs []eventRef
	for len(lanes) > 0 && len(refs) < limit {
		refs = append(refs, lanes[0][0])
		if lanes[0] = lanes[0][1:]; len(lanes[0]) == 0 {
			heap.Pop(&lanes)
		} else {
			heap.Fix(&lanes, 0)
		}
	}
	return refs, nil
}

// eventHeap is a heap of lists of picks, the one with the earliest first.
type eventHeap [][]eventRef

func (l eventHeap) Len() int      { return len(l) }
func (l eventHeap) Swap(i, j int) { l[i], l[j] = l[j], l[i] }
func (l eventHeap) Less(i, j int) bool {
	return compareEventRefs(l[i][0], l[j][0]) < 0
}
func (l *eventHeap) Push(x any) { *l = append(*l, x.([]eventRef)) }
func (l *eventHeap) Pop() any {
	last := (*l)[len(*l)-1]
	*l = (*l)[:len(*l)-1]
	return last
}

// events reads the picked events from the log and words them.
func (f Feeds) events(ctx context.Context, viewer Viewer, refs []eventRef) ([]Event, error) {
	commits, err := f.source.commits(ctx, refs)
	if err != nil {
		return nil, err
	}
	events := make([]Event, len(refs))
	err = f.source.views.View(viewer, func(view *View) error {
		for n, ref := range refs {
			commit := commits[commitKey{ref.index.partition, uint64(ref.entry.Seq)}]
			if events[n], err = view.event(f.source.book, f.language, commit, int(ref.entry.Index), ref); err != nil {
				return err
			}
		}
		return nil
	})
	return events, err
}

// commits reads the picks' commits, each once.
func (s *events) commits(ctx context.Context, refs []eventRef) (map[commitKey]*eventlog.Commit, error) {
	wanted := map[eventlog.Partition][]uint64{}
	for _, ref := range refs {
		wanted[ref.index.partition] = append(wanted[ref.index.partition], uint64(ref.entry.Seq))
	}
	found := make(map[commitKey]*eventlog.Commit, len(refs))
	for partition, seqs := range wanted {
		slices.Sort(seqs)
		commits, err := s.log.Read(ctx, partition, slices.Compact(seqs))
		if err != nil {
			return nil, fmt.Errorf("read events: %w", unreadable(err))
		}
		for n := range commits {
			found[commitKey{partition, commits[n].Seq}] = &commits[n]
		}
	}
	return found, nil
}

// event returns an event as the viewer finds it at the pick's position.
func (v *View) event(book *sentences.Book, language string, commit *eventlog.Commit, index int, ref eventRef) (Event, error) {
	event := &commit.Events[index]
	stream, err := domain.ParseStream(commit.Stream)
	if err != nil {
		return Event{}, commitError(commit, err)
	}
	payload, err := domain.DecodeEvent(event.Type, event.Data)
	if err != nil {
		return Event{}, commitError(commit, err)
	}
	member, viaOperator := domain.ParseActorName(commit.Actor)
	shape := Event{
		ID: eventID(commit, index), Position: v.store.positionAt(ref.index, ref.position).String(),
		RecordedAt: commit.RecordedAt, Partner: nilIfZero(domain.PartnerID(commit.Partner)), Member: string(member),
		ViaOperator: viaOperator, Type: domain.PublicType(event.Type), Audience: domain.Audience(event.Audience),
		Agreement: stream.Agreement, Project: nilIfZero(stream.Project), Data: json.RawMessage(event.Data),
	}
	if stream.Project != "" {
		shape.Milestone = nilIfZero(domain.MilestoneID(event.Subject))
	}
	shape.Sentence = book.Sentence(language, v.fact(commit, event, stream, payload))
	return shape, nil
}

// eventID returns the event's id. It is made of the command that caused it, which is unique for
// ever, so it is stable and says nothing of where in the log the event stands.
func eventID(commit *eventlog.Commit, index int) string {
	b := append(commit.Command[:len(commit.Command):len(commit.Command)], commit.Stream...)
	sum := sha256.Sum256(append(b, byte(index>>8), byte(index)))
	return hex.EncodeToString(sum[:16])
}

// fact is what a sentence needs to know of an event: names and titles as they are now.
func (v *View) fact(commit *eventlog.Commit, event *eventlog.Event, stream domain.Stream, payload domain.Payload) sentences.Fact {
	fact := sentences.Fact{
		Payload: payload, Partner: domain.PartnerID(commit.Partner), System: commit.Actor == string(domain.System),
		Name: v.name, Title: event.Subject,
	}
	_, fact.Private = domain.Audience(event.Audience).Private()
	switch {
	case stream.Partner != "":
		if event.Subject == "" {
			fact.Title = v.name(stream.Partner)
		}
	case stream.Project == "":
		fact.Title = string(stream.Agreement)
		if agreement := v.store.Agreement(stream.Agreement); agreement != nil {
			fact.Title = agreement.ViewFor(v.viewer.Partner, v.now).Terms.Title
		}
	case event.Subject == "":
		if project := v.store.Project(domain.ProjectRef{Agreement: stream.Agreement, Project: stream.Project}); project != nil {
			fact.Title = project.Title
		}
	default:
		ref := domain.MilestoneRef{Agreement: stream.Agreement, Project: stream.Project, Milestone: domain.MilestoneID(event.Subject)}
		if milestone := v.store.Milestone(ref); milestone != nil {
			fact.Title = milestone.Plan.Title
		}
	}
	return fact
}

// EventsOf returns the events of one commit that v may see, as its feeds show them. The commit
// must be applied.
func (s *events) EventsOf(viewer Viewer, commit *eventlog.Commit) ([]Event, error) {
	stream, err := domain.ParseStream(commit.Stream)
	if err != nil || stream.Agreement == "" {
		return nil, err
	}
	var events []Event
	err = s.views.View(viewer, func(view *View) error {
		agreement := view.agreement(stream.Agreement)
		if agreement == nil {
			return nil
		}
		for _, ref := range agreement.index.inCommit(viewer.Partner, commit.Seq) {
			event, err := view.event(s.book, sentences.English, commit, int(ref.entry.Index), ref)
			if err != nil {
				return err
			}
			events = append(events, event)
		}
		return nil
	})
	return events, err
}

// PositionBefore returns v's position just before the first event recorded at or after t, over all of its
// agreements.
func (s *events) PositionBefore(viewer Viewer, at time.Time) (position string) {
	s.views.present.mu.RLock()
	defer s.views.present.mu.RUnlock()
	var roots []rootPosition
	for _, agreement := range s.views.view(s.views.present.store, viewer).agreements() {
		roots = append(roots, s.views.present.store.positionAt(agreement.index, agreement.index.countBefore(viewer.Partner, at.UnixMicro())))
	}
	return encodePositions(roots)
}
