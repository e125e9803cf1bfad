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
	image    *Image
	language string
}

// Feeds returns the feeds in a language of the package sentences; any other is English.
func (i *Image) Feeds(language string) Feeds { return Feeds{i, language} }

// History is [Feeds.History] in English.
func (i *Image) History(ctx context.Context, v Viewer, ref domain.MilestoneRef, after string, limit int) (Events, bool, error) {
	return i.Feeds(sentences.English).History(ctx, v, ref, after, limit)
}

// AgreementEvents is [Feeds.AgreementEvents] in English.
func (i *Image) AgreementEvents(ctx context.Context, v Viewer, a domain.AgreementID, after string, limit int) (Events, bool, error) {
	return i.Feeds(sentences.English).AgreementEvents(ctx, v, a, after, limit)
}

// PartnerEvents is [Feeds.PartnerEvents] in English.
func (i *Image) PartnerEvents(ctx context.Context, v Viewer, after string, limit int) (Events, error) {
	return i.Feeds(sentences.English).PartnerEvents(ctx, v, after, limit)
}

// History returns up to limit events about a milestone after a position (empty: from the first
// on), oldest first; false for a milestone that v may not see. A bad position is an ErrPosition, one of before an accepted loss an
// ErrPositionLost.
func (f Feeds) History(ctx context.Context, v Viewer, ref domain.MilestoneRef, after string, limit int) (Events, bool, error) {
	return f.feed(ctx, v, after, func(view *View) (*root, func(uint64) []pick) {
		m := view.milestone(ref)
		if m == nil {
			return nil, nil
		}
		r := m.project.agreement.root
		return r, func(from uint64) []pick { return r.among(v.Partner, m.history, from, limit) }
	})
}

// AgreementEvents returns up to limit events of an agreement after a position; false for one that
// v may not see.
func (f Feeds) AgreementEvents(ctx context.Context, v Viewer, a domain.AgreementID, after string, limit int) (Events, bool, error) {
	return f.feed(ctx, v, after, func(view *View) (*root, func(uint64) []pick) {
		n := view.agreement(a)
		if n == nil {
			return nil, nil
		}
		return n.root, func(from uint64) []pick { return n.root.after(v.Partner, from, limit) }
	})
}

// feed reads events of the one agreement whose root find returns, with what picks them after a
// place in it; nil for one that v may not see. The next cursor is the position of the last one, or
// where the reader was.
func (f Feeds) feed(ctx context.Context, v Viewer, after string, find func(*View) (*root, func(from uint64) []pick)) (Events, bool, error) {
	position, bad := parseAfter(after)
	var picks []pick
	var next string
	seen := false
	err := f.image.View(v, func(view *View) error {
		r, choose := find(view)
		if seen = r != nil; !seen || bad != nil {
			return bad
		}
		start, from, err := view.s.startIn(position, r)
		if err != nil {
			return err
		}
		if picks = choose(from); len(picks) > 0 {
			start.count = picks[len(picks)-1].position
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
	events, err := f.events(ctx, v, picks)
	return Events{Events: events, NextCursor: &next}, true, err
}

// PartnerEvents returns up to limit events of all of v's agreements after a position, merged by
// the time of recording. The next cursor is a position in all of them. A bad position is an
// ErrPosition, one of before an accepted loss, whatever it names, an ErrPositionLost.
func (f Feeds) PartnerEvents(ctx context.Context, v Viewer, after string, limit int) (Events, error) {
	position, err := parseAfter(after)
	if err != nil {
		return Events{}, err
	}
	var picks []pick
	at := map[string]rootCount{}
	err = f.image.View(v, func(view *View) (err error) {
		picks, err = view.merged(position, limit, at)
		return err
	})
	if err != nil {
		return Events{}, err
	}
	for _, p := range picks {
		at[p.root.name] = rootCount{at[p.root.name].epoch, p.root.name, p.position}
	}
	roots := slices.SortedFunc(maps.Values(at), func(a, b rootCount) int { return cmp.Compare(a.root, b.root) })
	next := encodeSet(roots)
	events, err := f.events(ctx, v, picks)
	return Events{Events: events, NextCursor: &next}, err
}

// merged returns the first events after the position over all of the viewer's agreements, and
// notes in at where it begins in each.
func (v *View) merged(position []rootCount, limit int, at map[string]rootCount) ([]pick, error) {
	for _, r := range position {
		if _, err := v.s.reached(r); err != nil {
			return nil, err
		}
	}
	var lanes lanes
	for _, a := range v.agreements() {
		start, from, _ := v.s.startIn(position, a.root)
		at[a.root.name] = start
		if picks := a.root.after(v.who.Partner, from, limit); len(picks) > 0 {
			lanes = append(lanes, picks)
		}
	}
	heap.Init(&lanes)
	var picks []pick
	for len(lanes) > 0 && len(picks) < limit {
		picks = append(picks, lanes[0][0])
		if lanes[0] = lanes[0][1:]; len(lanes[0]) == 0 {
			heap.Pop(&lanes)
		} else {
			heap.Fix(&lanes, 0)
		}
	}
	return picks, nil
}

// lanes is a heap of lists of picks, the one with the earliest first.
type lanes [][]pick

func (l lanes) Len() int      { return len(l) }
func (l lanes) Swap(i, j int) { l[i], l[j] = l[j], l[i] }
func (l lanes) Less(i, j int) bool {
	return comparePicks(l[i][0], l[j][0]) < 0
}
func (l *lanes) Push(x any) { *l = append(*l, x.([]pick)) }
func (l *lanes) Pop() any {
	last := (*l)[len(*l)-1]
	*l = (*l)[:len(*l)-1]
	return last
}

// events reads the picked events from the log and words them.
func (f Feeds) events(ctx context.Context, v Viewer, picks []pick) ([]Event, error) {
	commits, err := f.image.commits(ctx, picks)
	if err != nil {
		return nil, err
	}
	events := make([]Event, len(picks))
	err = f.image.View(v, func(view *View) error {
		for n, p := range picks {
			c := commits[commitKey{p.root.partition, uint64(p.ref.Seq)}]
			if events[n], err = view.event(f.image.book, f.language, c, int(p.ref.Index), p); err != nil {
				return err
			}
		}
		return nil
	})
	return events, err
}

type commitKey struct {
	partition eventlog.Partition
	seq       uint64
}

// commits reads the picks' commits, each once.
func (i *Image) commits(ctx context.Context, picks []pick) (map[commitKey]*eventlog.Commit, error) {
	wanted := map[eventlog.Partition][]uint64{}
	for _, p := range picks {
		wanted[p.root.partition] = append(wanted[p.root.partition], uint64(p.ref.Seq))
	}
	found := make(map[commitKey]*eventlog.Commit, len(picks))
	for p, seqs := range wanted {
		slices.Sort(seqs)
		commits, err := i.cfg.Log.Read(ctx, p, slices.Compact(seqs))
		if err != nil {
			return nil, fmt.Errorf("read events: %w", unreadable(err))
		}
		for n := range commits {
			found[commitKey{p, commits[n].Seq}] = &commits[n]
		}
	}
	return found, nil
}

// event returns an event as the viewer finds it at the pick's position.
func (v *View) event(book *sentences.Book, language string, c *eventlog.Commit, index int, p pick) (Event, error) {
	e := &c.Events[index]
	stream, err := domain.ParseStream(c.Stream)
	if err != nil {
		return Event{}, faultAt(c, err)
	}
	payload, err := domain.DecodeEvent(e.Type, e.Data)
	if err != nil {
		return Event{}, faultAt(c, err)
	}
	member, viaOperator := domain.ParseActorName(c.Actor)
	shape := Event{
		ID: eventID(c, index), Position: v.s.at(p.root, p.position).String(),
		RecordedAt: c.RecordedAt, Partner: orNull(domain.PartnerID(c.Partner)), Member: string(member),
		ViaOperator: viaOperator, Type: domain.PublicType(e.Type), Audience: domain.Audience(e.Audience),
		Agreement: stream.Agreement, Project: orNull(stream.Project), Data: json.RawMessage(e.Data),
	}
	if stream.Project != "" {
		shape.Milestone = orNull(domain.MilestoneID(e.Subject))
	}
	shape.Sentence = book.Sentence(language, v.fact(c, e, stream, payload))
	return shape, nil
}

// eventID returns the event's id. It is made of the command that caused it, which is unique for
// ever, so it is stable and says nothing of where in the log the event stands.
func eventID(c *eventlog.Commit, index int) string {
	b := append(c.Command[:len(c.Command):len(c.Command)], c.Stream...)
	sum := sha256.Sum256(append(b, byte(index>>8), byte(index)))
	return hex.EncodeToString(sum[:16])
}

// fact is what a sentence needs to know of an event: names and titles as they are now.
func (v *View) fact(c *eventlog.Commit, e *eventlog.Event, stream domain.Stream, payload domain.Payload) sentences.Fact {
	f := sentences.Fact{
		Payload: payload, Partner: domain.PartnerID(c.Partner), System: c.Actor == string(domain.System),
		Name: v.name, Title: e.Subject,
	}
	_, f.Private = domain.Audience(e.Audience).Private()
	switch {
	case stream.Partner != "":
		if e.Subject == "" {
			f.Title = v.name(stream.Partner)
		}
	case stream.Project == "":
		f.Title = string(stream.Agreement)
		if a := v.s.Agreement(stream.Agreement); a != nil {
			f.Title = a.As(v.who.Partner, v.now).Terms.Title
		}
	case e.Subject == "":
		if p := v.s.Project(domain.ProjectRef{Agreement: stream.Agreement, Project: stream.Project}); p != nil {
			f.Title = p.Title
		}
	default:
		ref := domain.MilestoneRef{Agreement: stream.Agreement, Project: stream.Project, Milestone: domain.MilestoneID(e.Subject)}
		if m := v.s.Milestone(ref); m != nil {
			f.Title = m.Plan.Title
		}
	}
	return f
}

// EventsOf returns the events of one commit that v may see, as its feeds show them. The commit
// must be applied.
func (i *Image) EventsOf(v Viewer, c *eventlog.Commit) ([]Event, error) {
	stream, err := domain.ParseStream(c.Stream)
	if err != nil || stream.Agreement == "" {
		return nil, err
	}
	var events []Event
	err = i.View(v, func(view *View) error {
		a := view.agreement(stream.Agreement)
		if a == nil {
			return nil
		}
		for _, p := range a.root.of(v.Partner, c.Seq) {
			e, err := view.event(i.book, sentences.English, c, int(p.ref.Index), p)
			if err != nil {
				return err
			}
			events = append(events, e)
		}
		return nil
	})
	return events, err
}

// Since returns v's position just before the first event recorded at or after t, over all of its
// agreements.
func (i *Image) Since(v Viewer, t time.Time) (position string) {
	i.mu.RLock()
	defer i.mu.RUnlock()
	var roots []rootCount
	for _, a := range i.s.view(v, i.cfg.Now(), "").agreements() {
		roots = append(roots, i.s.at(a.root, a.root.before(v.Partner, t.UnixMicro())))
	}
	return encodeSet(roots)
}
