package projections

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"tandem/domain"
	"tandem/eventlog"
)

// Progress says how far a webhook has come in each agreement that its partner may see. An agreement that it
// does not name begins with what was recorded since the webhook was added. The zero Progress names none.
//
// Beside the count it keeps when the last event was recorded: after an accepted loss, which counts anew, it
// goes on behind that time, so that nothing is left out and nothing that is still there is repeated.
type Progress struct{ roots map[string]reach }

type reach struct {
	Epoch, Count uint64
	At           int64 // of the last event, microseconds since 1970
}

// MarshalJSON writes what UnmarshalJSON reads.
func (g Progress) MarshalJSON() ([]byte, error) {
	list := make(map[string][3]int64, len(g.roots))
	for name, r := range g.roots {
		list[name] = [3]int64{int64(r.Epoch), int64(r.Count), r.At}
	}
	return json.Marshal(list)
}

// UnmarshalJSON reads a stored progress.
func (g *Progress) UnmarshalJSON(b []byte) error {
	var list map[string][3]int64
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	g.roots = make(map[string]reach, len(list))
	for name, r := range list {
		g.roots[name] = reach{uint64(r[0]), uint64(r[1]), r[2]}
	}
	return nil
}

// Clone returns a progress that changes apart from g.
func (g Progress) Clone() Progress {
	c := Progress{make(map[string]reach, len(g.roots))}
	for name, r := range g.roots {
		c.roots[name] = r
	}
	return c
}

// Pass moves behind an occurrence.
func (g *Progress) Pass(o Occurrence) {
	g.set(o.pick.root.name, reach{o.epoch, o.pick.position, o.pick.ref.At})
}

func (g *Progress) set(root string, r reach) {
	if g.roots == nil {
		g.roots = map[string]reach{}
	}
	g.roots[root] = r
}

// Outlook is what a webhook looks out for.
type Outlook struct {
	Partner domain.PartnerID
	Since   time.Time // where agreements begin that its progress does not name
	Until   time.Time // what was recorded at that time or later waits; zero: nothing does
	UpTo    *Progress // what lies behind it waits; nil: nothing does
	Limit   int       // of occurrences
}

// Occurrence is an event that a partner may see.
type Occurrence struct {
	ID         string // as in feeds
	Type       string // as in feeds
	Agreement  domain.AgreementID
	Audience   domain.Audience
	RecordedAt time.Time

	pick   pick
	epoch  uint64
	commit *eventlog.Commit
}

// Position returns where the occurrence stands for its partner, as feeds do.
func (o Occurrence) Position() string {
	return rootCount{o.epoch, o.pick.root.name, o.pick.position}.String()
}

// from returns where a progress stands in a root. When its epoch is over, that is behind the time of its
// last event, and lost is true.
func (s *store) from(g *Progress, r *root, o Outlook) (count uint64, lost bool) {
	at, named := g.roots[r.name]
	now := firstEpoch + s.epochs[r.partition]
	switch {
	case !named:
		return r.before(o.Partner, o.Since.UnixMicro()), false
	case at.Epoch < now:
		at.Epoch, at.Count = now, r.before(o.Partner, at.At+1)
		g.set(r.name, at)
		return at.Count, true
	}
	return at.Count, false
}

// agreementsSeen returns the roots of all agreements of which a partner sees, or saw, anything, but for
// those where history is lost.
func (s *store) agreementsSeen(p domain.PartnerID) []*root {
	n := s.partners[p]
	if n == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(n.roots), func(r *root) bool { return s.halted[r.partition] })
}

// upcoming returns the next picks of all agreements by the time of recording, and the agreements where the
// progress was of before a loss.
func (s *store) upcoming(o Outlook, g *Progress) (picks []pick, lost []domain.AgreementID) {
	for _, r := range s.agreementsSeen(o.Partner) {
		count, anew := s.from(g, r, o)
		if anew {
			lost = append(lost, domain.AgreementID(r.name))
		}
		for _, p := range r.after(o.Partner, count, o.Limit) {
			if !o.Until.IsZero() && p.ref.At >= o.Until.UnixMicro() || o.UpTo != nil && !o.UpTo.covers(p, s) {
				break
			}
			picks = append(picks, p)
		}
	}
	slices.SortStableFunc(picks, comparePicks)
	return picks[:min(len(picks), o.Limit)], lost
}

func comparePicks(a, b pick) int {
	return cmp.Or(cmp.Compare(a.ref.At, b.ref.At), cmp.Compare(a.root.name, b.root.name))
}

// Behind returns how many events that the partner may see a progress has before it.
func (i *Image) Behind(o Outlook, g *Progress) (n uint64) {
	i.mu.RLock()
	defer i.mu.RUnlock()
	for _, r := range i.s.agreementsSeen(o.Partner) {
		if at, ok := g.roots[r.name]; ok && at.Epoch < firstEpoch+i.s.epochs[r.partition] {
			continue // not known before the lane looks
		}
		count, _ := i.s.from(g, r, o)
		n += max(r.visible(o.Partner), count) - count
	}
	return n
}

// Rewind moves a progress back to a position, or to the first event recorded at or after a time when there is
// no position. A position of one agreement moves that one alone. It never moves forward.
func (i *Image) Rewind(o Outlook, g *Progress, after string, since time.Time) error {
	i.mu.RLock()
	defer i.mu.RUnlock()
	position, err := parseAfter(after)
	if err != nil {
		return err
	}
	for _, r := range position {
		if _, err := i.s.reached(r); err != nil {
			return err
		}
	}
	one := len(position) == 1 && position[0].String() == after
	for _, r := range i.s.agreementsSeen(o.Partner) {
		if one && position[0].root != r.name {
			continue
		}
		to := r.before(o.Partner, since.UnixMicro())
		if after != "" {
			_, to, _ = i.s.startIn(position, r)
		}
		if now, _ := i.s.from(g, r, o); to < now {
			g.set(r.name, i.s.reachOf(r, o.Partner, to))
		}
	}
	return nil
}

// Skip moves a progress, in some agreements, behind what was recorded before a time: what happened there was not looked
// out for.
func (i *Image) Skip(o Outlook, g *Progress, before time.Time, which func(domain.AgreementID) bool) {
	i.mu.RLock()
	defer i.mu.RUnlock()
	for _, r := range i.s.agreementsSeen(o.Partner) {
		if which(domain.AgreementID(r.name)) {
			g.set(r.name, i.s.reachOf(r, o.Partner, r.before(o.Partner, before.UnixMicro())))
		}
	}
}

// reachOf is the reach behind the first count events of a partner.
func (s *store) reachOf(r *root, p domain.PartnerID, count uint64) reach {
	at := reach{Epoch: firstEpoch + s.epochs[r.partition], Count: count}
	if count > 0 {
		if last := r.after(p, count-1, 1); len(last) == 1 {
			at.At = last[0].ref.At
		}
	}
	return at
}

// covers reports whether a pick lies before the progress.
func (g *Progress) covers(p pick, s *store) bool {
	at, named := g.roots[p.root.name]
	return named && at.Epoch == firstEpoch+s.epochs[p.root.partition] && p.position <= at.Count
}
