package sqlite

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"

	"tandem/eventlog"
	"tandem/eventlog/wakeup"
)

// followSession is one call of Follow. Its goroutine changes next and nextOutcome under Log.mu.
type followSession struct {
	log           *Log
	next          uint64                      // arrival number of the next commit to read
	nextOutcome   uint64                      // number of the next outcome
	liveAt        uint64                      // arrival number of the newest commit at the call
	firstWanted   [eventlog.Partitions]uint64 // arrival number of the first commit to handle
	heads         eventlog.Positions          // of the handled commits, or of the start
	wakeup        wakeup.Signal
	nextPage      chan framePage            // nil unless a page is being read ahead
	nextPageStart uint64                    // arrival number of its first commit
	skipped       [eventlog.Partitions]bool // had an open loss at the call
	reportsSeen   int                       // number of reports before the call
	entries       []eventlog.Entry          // reused
	commits       []*eventlog.Commit        // reused
	late          []tailOutcome             // reused
}

// framePage is a range of commits from the file.
type framePage struct {
	frames [][]byte
	err    error
}

// Follow handles the commits after the given positions in the order of their arrival, and then commits and outcomes as
// they become durable. It verifies the chain of commits that it reads from the file; an eventlog.ErrDamaged names the
// commit.
func (l *Log) Follow(ctx context.Context, from eventlog.Positions, handle func([]eventlog.Entry) error, onLive func()) error {
	follower, err := l.startFollow(ctx, from)
	if err != nil {
		return err
	}
	defer follower.end()
	for {
		if err := l.endReason(ctx); err != nil {
			return err
		}
		if follower.next > follower.liveAt && onLive != nil {
			onLive()
			onLive = nil
		}
		entries, more, err := follower.read()
		if err = cmp.Or(err, follower.reportedLosses()); err != nil {
			return err
		}
		if !more {
			follower.wait(ctx)
		} else if len(entries) > 0 {
			if err := handle(entries); err != nil {
				return err
			}
		}
	}
}

// startFollow checks the positions and registers the follower, so that it misses no later commit.
func (l *Log) startFollow(ctx context.Context, from eventlog.Positions) (*followSession, error) {
	follower := &followSession{log: l, heads: from, wakeup: wakeup.New()}
	heads, err := l.registerFollower(ctx, follower)
	if err != nil {
		return nil, err
	}
	var lost []error
	for i, known := range from {
		if follower.skipped[i] {
			continue
		}
		if err := l.checkPosition(ctx, eventlog.Partition(i), known, heads[i]); err != nil {
			lost = append(lost, err)
		}
	}
	if err := errors.Join(lost...); err != nil {
		follower.end()
		return nil, err
	}
	return follower, nil
}

// registerFollower finds the follower's first commits and returns the present heads.
func (l *Log) registerFollower(ctx context.Context, follower *followSession) (eventlog.Positions, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.checkOpen(ctx); err != nil {
		return eventlog.Positions{}, err
	}
	follower.liveAt = l.index.last()
	follower.next = follower.liveAt + 1
	follower.reportsSeen = len(l.losses.reported)
	for i := range follower.heads {
		if follower.skipped[i] = l.losses.open[i] != nil; follower.skipped[i] {
			follower.firstWanted[i] = math.MaxUint64
			continue
		}
		first, more := l.index.arrival(eventlog.Partition(i), follower.heads[i].Seq+1)
		if !more {
			first = follower.next
		}
		follower.firstWanted[i] = first
	}
	follower.next = min(follower.next, slices.Min(follower.firstWanted[:]))
	follower.nextOutcome = l.tail.lastOutcome + 1
	l.tail.followers[follower] = struct{}{}
	return l.index.heads, nil
}

// checkPosition returns a *eventlog.LostTailError unless the log has the known commit.
func (l *Log) checkPosition(ctx context.Context, partition eventlog.Partition, known, head eventlog.Head) error {
	if known.Seq == 0 || known == head {
		return nil
	}
	if known.Seq >= head.Seq {
		return &eventlog.LostTailError{Partition: partition, Known: known, Stored: head}
	}
	commits, err := l.Read(ctx, partition, []uint64{known.Seq})
	if err != nil {
		return err
	}
	if commits[0].Hash != known.Hash {
		return &eventlog.LostTailError{Partition: partition, Known: known, Stored: commits[0].Head()}
	}
	return nil
}

// end unregisters the follower and waits for the page that is being read ahead.
func (f *followSession) end() {
	f.log.mu.Lock()
	delete(f.log.tail.followers, f)
	f.log.mu.Unlock()
	if f.nextPage != nil {
		<-f.nextPage
	}
}

// wait returns on a wakeup, at the end of ctx and when the log is closed.
func (f *followSession) wait(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-f.log.closed:
	case <-f.wakeup:
	}
}

// endReason returns an error if ctx has ended or the log is closed.
func (l *Log) endReason(ctx context.Context) error {
	select {
	case <-l.closed:
		return errClosed()
	default:
		return ctx.Err()
	}
}

// read returns the next entries, which are valid until the next call. more is false when there are no further commits
// or outcomes; with more, entries may be empty, because the follower has all of them.
func (f *followSession) read() (entries []eventlog.Entry, more bool, err error) {
	first, last, ok := f.fromTail()
	if !ok {
		read, err := f.fromFile(first, last)
		if err != nil {
			return nil, false, err
		}
		last = first + uint64(read) - 1
	}
	f.takeOutcomes(last)
	f.merge(first)
	return f.entries, len(f.commits)+len(f.late) > 0, nil
}

// fromTail takes the next commits from memory. If they are not there, ok is false, and first and last are the range to
// read from the file.
func (f *followSession) fromTail() (first, last uint64, ok bool) {
	tail := f.log.tail
	f.log.mu.Lock()
	defer f.log.mu.Unlock()
	clear(f.commits)
	f.commits = f.commits[:0]
	first, most := f.next, uint64(tail.limits.pageCommits)
	if first < tail.firstCommit() {
		return first, min(first+most, tail.firstCommit()) - 1, false
	}
	last = min(first+most-1, tail.lastCommit)
	for _, recent := range tail.commits[first-tail.firstCommit() : last+1-tail.firstCommit()] {
		f.commits = append(f.commits, recent.commit)
	}
	return first, last, true
}

// takeOutcomes takes the outcomes before the commit that follows last, and moves next.
func (f *followSession) takeOutcomes(last uint64) {
	tail := f.log.tail
	f.log.mu.Lock()
	defer f.log.mu.Unlock()
	clear(f.late)
	f.late = f.late[:0]
	f.nextOutcome = max(f.nextOutcome, tail.firstOutcome())
	for _, outcome := range tail.outcomes[f.nextOutcome-tail.firstOutcome():] {
		if outcome.after > last {
			break
		}
		f.nextOutcome++
		if !f.skipped[outcome.entry.Partition] {
			f.late = append(f.late, outcome)
		}
	}
	f.next = last + 1
}

// merge orders commits and outcomes as they were written, and drops the commits that the follower has.
func (f *followSession) merge(first uint64) {
	clear(f.entries)
	f.entries = f.entries[:0]
	late := f.late
	for i, commit := range f.commits {
		arrival := first + uint64(i)
		for len(late) > 0 && late[0].after < arrival {
			f.entries, late = append(f.entries, late[0].entry), late[1:]
		}
		if commit != nil && arrival >= f.firstWanted[commit.Partition] {
			f.heads[commit.Partition] = commit.Head()
			f.entries = append(f.entries, eventlog.Entry{Partition: commit.Partition, Commit: commit})
		}
	}
	for _, outcome := range late {
		f.entries = append(f.entries, outcome.entry)
	}
}

// fromFile reads commits that the tail no longer has and returns their number. Commits that the follower has are nil.
func (f *followSession) fromFile(first, last uint64) (int, error) {
	frames, err := f.fetch(first, last)
	if err != nil {
		return 0, err
	}
	partitions := f.readAhead(first + uint64(len(frames)))
	for i, frame := range frames {
		arrival := first + uint64(i)
		partition := eventlog.Partition(partitions[arrival-1])
		if arrival < f.firstWanted[partition] {
			f.commits = append(f.commits, nil)
			continue
		}
		commit, err := parse(frame, partition, f.heads[partition].Seq+1, &f.heads[partition].Hash)
		if err != nil {
			return 0, err
		}
		f.heads[partition] = commit.Head()
		f.commits = append(f.commits, commit)
	}
	return len(frames), nil
}

// fetch returns the page that was read ahead, if it is the right one, or reads it now.
func (f *followSession) fetch(first, last uint64) ([][]byte, error) {
	if f.nextPage != nil {
		page := <-f.nextPage
		f.nextPage = nil
		if f.nextPageStart == first {
			return page.frames, page.err
		}
	}
	page := f.log.readPage(first, last)
	return page.frames, page.err
}

// readAhead starts to read the page at first while the previous one is handled, and returns the partitions of all
// commits.
func (f *followSession) readAhead(first uint64) []uint8 {
	f.log.mu.Lock()
	partitions := slices.Clip(f.log.index.partitions)
	last := min(first+uint64(f.log.cfg.limits.pageCommits), f.log.tail.firstCommit()) - 1
	f.log.mu.Unlock()
	if first > last {
		return partitions
	}
	ahead := make(chan framePage, 1)
	f.nextPage, f.nextPageStart = ahead, first
	go func() { ahead <- f.log.readPage(first, last) }()
	return partitions
}

// readPage reads commits from the file.
func (l *Log) readPage(first, last uint64) (page framePage) {
	err := l.readers.read(func(reader *readConnection) (err error) {
		page.frames, err = reader.page(first, last, l.cfg.limits.pageBytes)
		return err
	})
	if page.err == nil {
		page.err = err
	}
	return page
}
