package projections

import (
	"context"
	"fmt"
	"slices"

	"tandem/domain"
	"tandem/projections/sentences"
)

// Upcoming returns the next events behind a progress that the outlook's partner may see, each as it may see it
// since the event's own time, oldest first; within an agreement they are in order and without gaps. It
// leaves out what has been lost. Where an accepted loss has let positions be counted anew, it names the
// agreements and has moved the progress.
func (s *events) Upcoming(ctx context.Context, query EventQuery, cursor *Cursor) (list []VisibleEvent, lost []domain.AgreementID, err error) {
	s.views.present.mu.RLock()
	refs, lost := s.views.present.store.nextEvents(query, cursor)
	list = s.views.present.store.visibleEvents(refs)
	s.views.present.mu.RUnlock()
	return list, lost, s.complete(ctx, list)
}

// Recent returns the last events that the outlook's partner may see, oldest first, whatever its progress.
func (s *events) Recent(ctx context.Context, query EventQuery) ([]VisibleEvent, error) {
	s.views.present.mu.RLock()
	var refs []eventRef
	for _, index := range s.views.present.store.agreementsSeen(query.Partner) {
		count := index.visibleCount(query.Partner)
		refs = append(refs, index.after(query.Partner, count-min(count, uint64(query.Limit)), query.Limit)...)
	}
	slices.SortStableFunc(refs, compareEventRefs)
	list := s.views.present.store.visibleEvents(refs[max(len(refs)-query.Limit, 0):])
	s.views.present.mu.RUnlock()
	return list, s.complete(ctx, list)
}

// EventAt returns the event at a partner's position; false when there is none there. Where history is lost it
// is a *eventlog.LostTailError, and a position of before an accepted loss is an ErrPositionLost.
func (s *events) EventAt(ctx context.Context, partner domain.PartnerID, position string) (VisibleEvent, bool, error) {
	at, err := parsePosition(position)
	if err != nil || len(at) != 1 || at[0].count == 0 {
		return VisibleEvent{}, false, err
	}
	if loss := s.losses.OpenLossIn(at[0].partition()); loss != nil {
		return VisibleEvent{}, false, loss
	}
	s.views.present.mu.RLock()
	var list []VisibleEvent
	if _, err = s.views.present.store.epochReached(at[0]); err == nil {
		if agreement := s.views.present.store.agreements[domain.AgreementID(at[0].name)]; agreement != nil {
			list = s.views.present.store.visibleEvents(agreement.index.after(partner, at[0].count-1, 1))
		}
	}
	s.views.present.mu.RUnlock()
	if err != nil || len(list) == 0 {
		return VisibleEvent{}, false, err
	}
	err = s.complete(ctx, list)
	return list[0], err == nil, err
}

func (s *store) visibleEvents(refs []eventRef) []VisibleEvent {
	list := make([]VisibleEvent, len(refs))
	for n, ref := range refs {
		list[n] = VisibleEvent{ref: ref, epoch: firstEpoch + s.epochs[ref.index.partition], Agreement: domain.AgreementID(ref.index.name)}
		if after := s.postStates.get(commitKey{ref.index.partition, uint64(ref.entry.Seq)}); after != nil {
			list[n].commit = after.commit
		}
	}
	return list
}

// complete fills in what the log says.
func (s *events) complete(ctx context.Context, list []VisibleEvent) error {
	var missing []eventRef
	for _, event := range list {
		if event.commit == nil {
			missing = append(missing, event.ref)
		}
	}
	found, err := s.commits(ctx, missing)
	if err != nil {
		return err
	}
	for n := range list {
		event := &list[n]
		if event.commit == nil {
			event.commit = found[commitKey{event.ref.index.partition, uint64(event.ref.entry.Seq)}]
		}
		index := int(event.ref.entry.Index)
		stored := &event.commit.Events[index]
		event.ID, event.Type, event.Audience = eventID(event.commit, index), domain.PublicType(stored.Type), domain.Audience(stored.Audience)
		event.RecordedAt = event.commit.RecordedAt
	}
	return nil
}

// RenderedEvent is an event as a webhook tells of it.
type RenderedEvent struct {
	Event     Event          // exactly as in the feed
	Previous  map[string]any // what the event has changed, as it was
	Milestone *Milestone     // as it was after the event's commit; nil when it is about none
	Sentence  string         // in the language asked for
	Payload   domain.Payload
	Names     map[domain.PartnerID]string // of the partners that the reader may know
	Project   string                      // title; empty: it is about an agreement
	Agreement string                      // title
}

// RenderEvent returns an event with the state that it left behind. Unless private is set, nothing of the state is
// told that only the partner itself sees.
func (s *events) RenderEvent(ctx context.Context, partner domain.PartnerID, event VisibleEvent, private bool, language string) (*RenderedEvent, error) {
	rendered := new(RenderedEvent)
	known := false
	err := s.views.View(Viewer{Partner: partner}, func(view *View) (err error) {
		if err := view.render(s.book, event, language, rendered); err != nil || rendered.Event.Milestone == nil {
			known = true
			return err
		}
		rendered.Milestone, known = s.views.viewAt(view.store, view.viewer, event.RecordedAt).postState(event, private)
		return nil
	})
	if err != nil || known {
		return rendered, err
	}
	err = s.withPast(ctx, event, func(state *store) {
		view := s.views.viewAt(state, Viewer{Partner: partner}, event.RecordedAt)
		if node := view.milestone(event.milestone()); node != nil {
			rendered.Milestone = view.messageMilestone(node, private)
		}
	})
	return rendered, err
}

// render fills in all but the milestone.
func (v *View) render(book *sentences.Book, visible VisibleEvent, language string, rendered *RenderedEvent) (err error) {
	index := int(visible.ref.entry.Index)
	if rendered.Event, err = v.event(book, sentences.English, visible.commit, index, visible.ref); err != nil {
		return err
	}
	stored := &visible.commit.Events[index]
	stream, err := domain.ParseStream(visible.commit.Stream)
	if err != nil {
		return commitError(visible.commit, err)
	}
	if rendered.Payload, err = domain.DecodeEvent(stored.Type, stored.Data); err != nil {
		return commitError(visible.commit, err)
	}
	rendered.Sentence = book.Sentence(language, v.fact(visible.commit, stored, stream, rendered.Payload))
	if rendered.Previous, err = previous(rendered.Payload); err != nil {
		return commitError(visible.commit, err)
	}
	rendered.Names = map[domain.PartnerID]string{}
	for _, id := range append(v.counterparties(), v.viewer.Partner) {
		rendered.Names[id] = v.name(id)
	}
	if agreement := v.store.Agreement(stream.Agreement); agreement != nil {
		rendered.Agreement = agreement.ViewFor(v.viewer.Partner, v.now).Terms.Title
	}
	if project := v.store.Project(domain.ProjectRef{Agreement: stream.Agreement, Project: stream.Project}); project != nil {
		rendered.Project = project.Title
	}
	return nil
}

func (e VisibleEvent) milestone() domain.MilestoneRef {
	stream, err := domain.ParseStream(e.commit.Stream)
	if err != nil {
		return domain.MilestoneRef{}
	}
	return domain.MilestoneRef{
		Agreement: stream.Agreement, Project: stream.Project,
		Milestone: domain.MilestoneID(e.commit.Events[e.ref.entry.Index].Subject),
	}
}

// postState returns the milestone as the occurrence's commit left it, if that is still known: the commit is
// a recent one, or the last that concerned the milestone.
func (v *View) postState(event VisibleEvent, private bool) (*Milestone, bool) {
	if after := v.store.postStates.get(commitKey{event.ref.index.partition, uint64(event.ref.entry.Seq)}); after != nil {
		milestone := after.milestones[event.ref.entry.Index]
		if milestone == nil || after.project == nil || !milestone.VisibleTo(v.viewer.Partner, after.project) {
			return nil, true
		}
		of := &agreementNode{id: after.agreement.ID, entity: after.agreement, index: event.ref.index}
		return v.messageMilestone(&milestoneNode{entity: milestone, project: &projectNode{id: after.project.Ref.Project, entity: after.project, agreement: of}}, private), true
	}
	node := v.milestone(event.milestone())
	if node == nil || len(node.history) == 0 || event.ref.index.entries[node.history[len(node.history)-1]].Seq != event.ref.entry.Seq {
		return nil, false
	}
	return v.messageMilestone(node, private), true
}

// messageMilestone returns the shape of a milestone as it leaves the house.
func (v *View) messageMilestone(node *milestoneNode, private bool) *Milestone {
	if !private {
		of := *node
		of.entity = node.entity.WithoutPrivate()
		node = &of
	}
	shape := v.milestoneShape(node)
	return &shape
}

// withPast calls read with a store as the occurrence's commit left it. Stores are kept, so that a lane
// which is far behind folds its past once, and not once for each event.
func (s *events) withPast(ctx context.Context, event VisibleEvent, read func(*store)) error {
	seq := uint64(event.ref.entry.Seq)
	past := s.pasts.take(event.ref.index.name, seq)
	if past == nil {
		past = s.newPast(event)
	}
	s.views.present.mu.RLock()
	seqs := event.ref.index.commitsBetween(past.seq, seq)
	s.views.present.mu.RUnlock()
	for chunk := range slices.Chunk(seqs, readAhead) {
		commits, err := s.log.Read(ctx, event.ref.index.partition, chunk)
		if err != nil {
			return fmt.Errorf("read the past of %s: %w", event.ref.index.name, unreadable(err))
		}
		for n := range commits {
			if err := past.store.refold(&commits[n]); err != nil {
				return commitError(&commits[n], err)
			}
		}
	}
	if past.seq = seq; past.store.replay {
		past.store.endReplay()
	}
	read(past.store)
	s.pasts.put(past)
	return nil
}
