package projections

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections/sentences"
)

// Upcoming returns the next events behind a progress that the outlook's partner may see, each as it may see it
// since the event's own time, oldest first; within an agreement they are in order and without gaps. It
// leaves out what has been lost. Where an accepted loss has let positions be counted anew, it names the
// agreements and has moved the progress.
func (i *Image) Upcoming(ctx context.Context, o Outlook, g *Progress) (list []Occurrence, lost []domain.AgreementID, err error) {
	i.mu.RLock()
	picks, lost := i.s.upcoming(o, g)
	list = i.s.occurrences(picks)
	i.mu.RUnlock()
	return list, lost, i.complete(ctx, list)
}

// Recent returns the last events that the outlook's partner may see, oldest first, whatever its progress.
func (i *Image) Recent(ctx context.Context, o Outlook) ([]Occurrence, error) {
	i.mu.RLock()
	var picks []pick
	for _, r := range i.s.agreementsSeen(o.Partner) {
		n := r.visible(o.Partner)
		picks = append(picks, r.after(o.Partner, n-min(n, uint64(o.Limit)), o.Limit)...)
	}
	slices.SortStableFunc(picks, comparePicks)
	list := i.s.occurrences(picks[max(len(picks)-o.Limit, 0):])
	i.mu.RUnlock()
	return list, i.complete(ctx, list)
}

// Occurrence returns the event at a partner's position; false when there is none there. Where history is lost it
// is a *eventlog.LostTailError, and a position of before an accepted loss is an ErrPositionLost.
func (i *Image) Occurrence(ctx context.Context, p domain.PartnerID, position string) (Occurrence, bool, error) {
	at, err := parsePosition(position)
	if err != nil || len(at) != 1 || at[0].count == 0 {
		return Occurrence{}, false, err
	}
	if loss := i.LostIn(at[0].partition()); loss != nil {
		return Occurrence{}, false, loss
	}
	i.mu.RLock()
	var list []Occurrence
	if _, err = i.s.reached(at[0]); err == nil {
		if a := i.s.agreements[domain.AgreementID(at[0].root)]; a != nil {
			list = i.s.occurrences(a.root.after(p, at[0].count-1, 1))
		}
	}
	i.mu.RUnlock()
	if err != nil || len(list) == 0 {
		return Occurrence{}, false, err
	}
	err = i.complete(ctx, list)
	return list[0], err == nil, err
}

func (s *store) occurrences(picks []pick) []Occurrence {
	list := make([]Occurrence, len(picks))
	for n, p := range picks {
		list[n] = Occurrence{pick: p, epoch: firstEpoch + s.epochs[p.root.partition], Agreement: domain.AgreementID(p.root.name)}
		if a := s.recent.get(commitKey{p.root.partition, uint64(p.ref.Seq)}); a != nil {
			list[n].commit = a.commit
		}
	}
	return list
}

// complete fills in what the log says.
func (i *Image) complete(ctx context.Context, list []Occurrence) error {
	var missing []pick
	for _, o := range list {
		if o.commit == nil {
			missing = append(missing, o.pick)
		}
	}
	found, err := i.commits(ctx, missing)
	if err != nil {
		return err
	}
	for n := range list {
		o := &list[n]
		if o.commit == nil {
			o.commit = found[commitKey{o.pick.root.partition, uint64(o.pick.ref.Seq)}]
		}
		index := int(o.pick.ref.Index)
		e := &o.commit.Events[index]
		o.ID, o.Type, o.Audience = eventID(o.commit, index), domain.PublicType(e.Type), domain.Audience(e.Audience)
		o.RecordedAt = o.commit.RecordedAt
	}
	return nil
}

// Told is an event as a webhook tells of it.
type Told struct {
	Event     Event          // exactly as in the feed
	Previous  map[string]any // what the event has changed, as it was
	Milestone *Milestone     // as it was after the event's commit; nil when it is about none
	Sentence  string         // in the language asked for
	Payload   domain.Payload
	Names     map[domain.PartnerID]string // of the partners that the reader may know
	Project   string                      // title; empty: it is about an agreement
	Agreement string                      // title
}

// Tell returns an event with the state that it left behind. Unless private is set, nothing of the state is
// told that only the partner itself sees.
func (i *Image) Tell(ctx context.Context, p domain.PartnerID, o Occurrence, private bool, language string) (*Told, error) {
	told := new(Told)
	known := false
	err := i.View(Viewer{Partner: p}, func(v *View) (err error) {
		if err := v.tell(i.book, o, language, told); err != nil || told.Event.Milestone == nil {
			known = true
			return err
		}
		told.Milestone, known = v.s.view(v.who, o.RecordedAt, v.base).afterwards(o, private)
		return nil
	})
	if err != nil || known {
		return told, err
	}
	err = i.past(ctx, o, func(s *store) {
		v := s.view(Viewer{Partner: p}, o.RecordedAt, i.cfg.BaseURL)
		if n := v.milestone(o.milestone()); n != nil {
			told.Milestone = v.outgoing(n, private)
		}
	})
	return told, err
}

// tell fills in all but the milestone.
func (v *View) tell(book *sentences.Book, o Occurrence, language string, told *Told) (err error) {
	index := int(o.pick.ref.Index)
	if told.Event, err = v.event(book, sentences.English, o.commit, index, o.pick); err != nil {
		return err
	}
	e := &o.commit.Events[index]
	stream, err := domain.ParseStream(o.commit.Stream)
	if err != nil {
		return faultAt(o.commit, err)
	}
	if told.Payload, err = domain.DecodeEvent(e.Type, e.Data); err != nil {
		return faultAt(o.commit, err)
	}
	told.Sentence = book.Sentence(language, v.fact(o.commit, e, stream, told.Payload))
	told.Previous = previous(told.Event.Type, e.Data)
	told.Names = map[domain.PartnerID]string{}
	for _, id := range append(v.counterparties(), v.who.Partner) {
		told.Names[id] = v.name(id)
	}
	if a := v.s.Agreement(stream.Agreement); a != nil {
		told.Agreement = a.As(v.who.Partner, v.now).Terms.Title
	}
	if p := v.s.Project(domain.ProjectRef{Agreement: stream.Agreement, Project: stream.Project}); p != nil {
		told.Project = p.Title
	}
	return nil
}

func (o Occurrence) milestone() domain.MilestoneRef {
	stream, err := domain.ParseStream(o.commit.Stream)
	if err != nil {
		return domain.MilestoneRef{}
	}
	return domain.MilestoneRef{
		Agreement: stream.Agreement, Project: stream.Project,
		Milestone: domain.MilestoneID(o.commit.Events[o.pick.ref.Index].Subject),
	}
}

// afterwards returns the milestone as the occurrence's commit left it, if that is still known: the commit is
// a recent one, or the last that concerned the milestone.
func (v *View) afterwards(o Occurrence, private bool) (*Milestone, bool) {
	if a := v.s.recent.get(commitKey{o.pick.root.partition, uint64(o.pick.ref.Seq)}); a != nil {
		m := a.milestones[o.pick.ref.Index]
		if m == nil || a.project == nil || !m.Sees(v.who.Partner, a.project) {
			return nil, true
		}
		of := &agreementNode{id: a.agreement.ID, entity: a.agreement, root: o.pick.root}
		return v.outgoing(&milestoneNode{entity: m, project: &projectNode{id: a.project.Ref.Project, entity: a.project, agreement: of}}, private), true
	}
	n := v.milestone(o.milestone())
	if n == nil || len(n.history) == 0 || o.pick.root.refs[n.history[len(n.history)-1]].Seq != o.pick.ref.Seq {
		return nil, false
	}
	return v.outgoing(n, private), true
}

// outgoing returns the shape of a milestone as it leaves the house.
func (v *View) outgoing(n *milestoneNode, private bool) *Milestone {
	if !private {
		of := *n
		of.entity = n.entity.WithoutPrivate()
		n = &of
	}
	shape := v.milestoneShape(n)
	return &shape
}

// ReadersOf returns the partners that see anything of an agreement.
func (i *Image) ReadersOf(a domain.AgreementID) []domain.PartnerID {
	i.mu.RLock()
	defer i.mu.RUnlock()
	if n := i.s.agreements[a]; n != nil {
		return slices.Collect(maps.Keys(n.root.seers))
	}
	return nil
}

// Zone returns a partner's time zone; UTC for one that is not known.
func (i *Image) Zone(p domain.PartnerID) *time.Location {
	i.mu.RLock()
	defer i.mu.RUnlock()
	if n := i.s.partners[p]; n != nil {
		return n.zone
	}
	return time.UTC
}

// DirectoryOf returns the partition of a partner's directory, whose owner runs the partner's webhooks.
func DirectoryOf(p domain.PartnerID) eventlog.Partition { return directoryOf(p) }

// past calls read with a store as the occurrence's commit left it. Stores are kept, so that a lane
// which is far behind folds its past once, and not once for each event.
func (i *Image) past(ctx context.Context, o Occurrence, read func(*store)) error {
	seq := uint64(o.pick.ref.Seq)
	f := i.folds.take(o.pick.root.name, seq)
	if f == nil {
		f = i.newFold(o)
	}
	i.mu.RLock()
	seqs := o.pick.root.between(f.seq, seq)
	i.mu.RUnlock()
	for chunk := range slices.Chunk(seqs, readAhead) {
		commits, err := i.cfg.Log.Read(ctx, o.pick.root.partition, chunk)
		if err != nil {
			return fmt.Errorf("read the past of %s: %w", o.pick.root.name, unreadable(err))
		}
		for n := range commits {
			if err := f.s.again(&commits[n]); err != nil {
				return faultAt(&commits[n], err)
			}
		}
	}
	if f.seq = seq; f.s.replay {
		f.s.finish()
	}
	read(f.s)
	i.folds.put(f)
	return nil
}
