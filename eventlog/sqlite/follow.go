package sqlite

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"

	"tandem/eventlog"
)

// follower is one call of Follow. Its goroutine moves next and nextOutcome under Log.mu.
type follower struct {
	log         *Log
	next        uint64                      // arrival number of the next commit to look at
	nextOutcome uint64                      // number of the next outcome
	live        uint64                      // the newest commit at the call
	wanted      [eventlog.Partitions]uint64 // the first commit by arrival to deliver
	heads       eventlog.Positions          // what was delivered, or known before
	more        chan struct{}               // has room for one signal
	ahead       chan page                   // the page after, if it is being read
	aheadOf     uint64                      // its first commit
	skipped     [eventlog.Partitions]bool   // they had an open loss at the call
	reported    int                         // reports of losses before the call
	entries     []eventlog.Entry            // reused
	commits     []*eventlog.Commit          // reused
	late        []lateOutcome               // reused
}

// page is a run of commits from the file.
type page struct {
	frames [][]byte
	err    error
}

// Follow delivers the commits after the given positions in the order of their arrival, and then
// commits and outcomes as they become durable. What it reads from the file is checked to be an
// unbroken chain; damage is an eventlog.ErrDamaged that names the commit.
func (l *Log) Follow(ctx context.Context, from eventlog.Positions, deliver func([]eventlog.Entry) error, onLive func()) error {
	f, err := l.startFollow(ctx, from)
	if err != nil {
		return err
	}
	defer f.end()
	for {
		if err := l.ended(ctx); err != nil {
			return err
		}
		if f.next > f.live && onLive != nil {
			onLive()
			onLive = nil
		}
		entries, more, err := f.read()
		if err = cmp.Or(err, f.lost()); err != nil {
			return err
		}
		if !more {
			f.wait(ctx)
		} else if len(entries) > 0 {
			if err := deliver(entries); err != nil {
				return err
			}
		}
	}
}

// startFollow checks the positions against what is stored and registers the follower, so that
// from here on nothing can pass it by.
func (l *Log) startFollow(ctx context.Context, from eventlog.Positions) (*follower, error) {
	f := &follower{log: l, heads: from, more: make(chan struct{}, 1)}
	heads, err := l.register(ctx, f)
	if err != nil {
		return nil, err
	}
	var lost []error
	for i, known := range from {
		if f.skipped[i] {
			continue
		}
		if err := l.checkPosition(ctx, eventlog.Partition(i), known, heads[i]); err != nil {
			lost = append(lost, err)
		}
	}
	if err := errors.Join(lost...); err != nil {
		f.end()
		return nil, err
	}
	return f, nil
}

// register finds where the follower begins and returns the heads of that moment.
func (l *Log) register(ctx context.Context, f *follower) (eventlog.Positions, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.open(ctx); err != nil {
		return eventlog.Positions{}, err
	}
	f.live = l.index.last()
	f.next = f.live + 1
	f.reported = len(l.losses.reported)
	for i := range f.heads {
		if f.skipped[i] = l.losses.open[i] != nil; f.skipped[i] {
			f.wanted[i] = math.MaxUint64
			continue
		}
		first, more := l.index.arrival(eventlog.Partition(i), f.heads[i].Seq+1)
		if !more {
			first = f.next
		}
		f.wanted[i] = first
	}
	f.next = min(f.next, slices.Min(f.wanted[:]))
	f.nextOutcome = l.tail.ended + 1
	l.tail.followers[f] = struct{}{}
	return l.index.heads, nil
}

// checkPosition returns a LostTailError unless the log holds what is known.
func (l *Log) checkPosition(ctx context.Context, p eventlog.Partition, known, head eventlog.Head) error {
	if known.Seq == 0 || known == head {
		return nil
	}
	if known.Seq >= head.Seq {
		return &eventlog.LostTailError{Partition: p, Known: known, Stored: head}
	}
	commits, err := l.Read(ctx, p, []uint64{known.Seq})
	if err != nil {
		return err
	}
	if commits[0].Hash != known.Hash {
		return &eventlog.LostTailError{Partition: p, Known: known, Stored: commits[0].Head()}
	}
	return nil
}

// end unregisters the follower and waits for the page that is being read.
func (f *follower) end() {
	f.log.mu.Lock()
	delete(f.log.tail.followers, f)
	f.log.mu.Unlock()
	if f.ahead != nil {
		<-f.ahead
	}
}

// wait returns when there may be more to read or a reason to stop.
func (f *follower) wait(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-f.log.closed:
	case <-f.more:
	}
}

// ended returns the reason to give up waiting, nil if there is none.
func (l *Log) ended(ctx context.Context) error {
	select {
	case <-l.closed:
		return errClosed()
	default:
		return ctx.Err()
	}
}

// read returns the next entries, valid until the next call, and whether there was anything to
// look at; a follower may have all of it already.
func (f *follower) read() (entries []eventlog.Entry, more bool, err error) {
	first, last, ok := f.fromTail()
	if !ok {
		read, err := f.fromFile(first, last)
		if err != nil {
			return nil, false, err
		}
		last = first + uint64(read) - 1
	}
	f.outcomes(last)
	f.merge(first)
	return f.entries, len(f.commits)+len(f.late) > 0, nil
}

// fromTail takes the next commits from memory. If they are not there it returns what to read from
// the file.
func (f *follower) fromTail() (first, last uint64, ok bool) {
	t := f.log.tail
	f.log.mu.Lock()
	defer f.log.mu.Unlock()
	clear(f.commits)
	f.commits = f.commits[:0]
	first, most := f.next, uint64(t.limits.page)
	if first < t.first() {
		return first, min(first+most, t.first()) - 1, false
	}
	last = min(first+most-1, t.last)
	for _, r := range t.commits[first-t.first() : last+1-t.first()] {
		f.commits = append(f.commits, r.commit)
	}
	return first, last, true
}

// outcomes takes those that come before the commit after last, and moves on.
func (f *follower) outcomes(last uint64) {
	t := f.log.tail
	f.log.mu.Lock()
	defer f.log.mu.Unlock()
	clear(f.late)
	f.late = f.late[:0]
	f.nextOutcome = max(f.nextOutcome, t.firstOutcome())
	for _, o := range t.outcomes[f.nextOutcome-t.firstOutcome():] {
		if o.after > last {
			break
		}
		f.nextOutcome++
		if !f.skipped[o.entry.Partition] {
			f.late = append(f.late, o)
		}
	}
	f.next = last + 1
}

// merge puts commits and outcomes into the order in which they were written, and leaves out the
// commits that the follower has.
func (f *follower) merge(first uint64) {
	clear(f.entries)
	f.entries = f.entries[:0]
	late := f.late
	for i, c := range f.commits {
		arrival := first + uint64(i)
		for len(late) > 0 && late[0].after < arrival {
			f.entries, late = append(f.entries, late[0].entry), late[1:]
		}
		if c != nil && arrival >= f.wanted[c.Partition] {
			f.heads[c.Partition] = c.Head()
			f.entries = append(f.entries, eventlog.Entry{Partition: c.Partition, Commit: c})
		}
	}
	for _, o := range late {
		f.entries = append(f.entries, o.entry)
	}
}

// fromFile reads commits that the tail no longer holds, nil for those that the follower has, and
// returns how many it read.
func (f *follower) fromFile(first, last uint64) (int, error) {
	frames, err := f.fetch(first, last)
	if err != nil {
		return 0, err
	}
	partitions := f.readAhead(first + uint64(len(frames)))
	for i, frame := range frames {
		arrival := first + uint64(i)
		p := eventlog.Partition(partitions[arrival-1])
		if arrival < f.wanted[p] {
			f.commits = append(f.commits, nil)
			continue
		}
		c, err := parse(frame, p, f.heads[p].Seq+1, &f.heads[p].Hash)
		if err != nil {
			return 0, err
		}
		f.heads[p] = c.Head()
		f.commits = append(f.commits, c)
	}
	return len(frames), nil
}

// fetch returns the page that was read ahead, if it is the right one, or reads it now.
func (f *follower) fetch(first, last uint64) ([][]byte, error) {
	if f.ahead != nil {
		p := <-f.ahead
		f.ahead = nil
		if f.aheadOf == first {
			return p.frames, p.err
		}
	}
	p := f.log.page(first, last)
	return p.frames, p.err
}

// readAhead begins to read the page from first on, while the last one is delivered, and returns
// the partitions of all commits.
func (f *follower) readAhead(first uint64) []uint8 {
	f.log.mu.Lock()
	partitions := slices.Clip(f.log.index.partitions)
	last := min(first+uint64(f.log.cfg.limits.page), f.log.tail.first()) - 1
	f.log.mu.Unlock()
	if first > last {
		return partitions
	}
	ahead := make(chan page, 1)
	f.ahead, f.aheadOf = ahead, first
	go func() { ahead <- f.log.page(first, last) }()
	return partitions
}

// page reads commits from the file.
func (l *Log) page(first, last uint64) (p page) {
	err := l.readers.read(func(r *reader) (err error) {
		p.frames, err = r.page(first, last, l.cfg.limits.pageBytes)
		return err
	})
	if p.err == nil {
		p.err = err
	}
	return p
}
