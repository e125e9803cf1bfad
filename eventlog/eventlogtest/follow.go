package eventlogtest

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
)

var followTests = map[string]func(*suite){
	"follow/past, then live":                      (*suite).testFollow,
	"follow/an empty log is live at once":         (*suite).testFollowEmpty,
	"follow/from positions":                       (*suite).testFollowPositions,
	"follow/outcomes in order, live only":         (*suite).testFollowOutcomes,
	"follow/a batch that changes nothing durable": (*suite).testFollowVolatile,
	"follow/no gap under concurrent appends":      (*suite).testFollowConcurrent,
	"follow/a slow follower blocks nobody":        (*suite).testFollowSlow,
	"follow/a lost tail is named":                 (*suite).testFollowLost,
	"follow/another history is named":             (*suite).testFollowOther,
	"follow/a failing deliver ends it":            (*suite).testFollowDeliverError,
	"follow/an ending context ends it":            (*suite).testFollowContext,
}

// follower collects what Follow delivers.
type follower struct {
	s      *suite
	cancel context.CancelFunc
	done   <-chan result[struct{}]
	live   chan struct{}

	mu       sync.Mutex
	entries  []eventlog.Entry
	lives    int // calls of onLive
	atLive   int // entries delivered when it was called
	more     chan struct{}
	slowness chan struct{} // the first delivery waits for it
}

func (s *suite) follow(from eventlog.Positions) *follower {
	return s.followSlowly(from, nil)
}

// followSlowly follows, and waits with the first delivery until slowness is closed.
func (s *suite) followSlowly(from eventlog.Positions, slowness chan struct{}) *follower {
	ctx, cancel := context.WithCancel(s.ctx)
	f := &follower{s: s, cancel: cancel, live: make(chan struct{}), more: make(chan struct{}, 1), slowness: slowness}
	log := s.log
	f.done = started(func() (struct{}, error) { return struct{}{}, log.Follow(ctx, from, f.deliver, f.onLive) })
	return f
}

func (f *follower) deliver(entries []eventlog.Entry) error {
	if f.slowness != nil {
		<-f.slowness
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.entries = append(f.entries, entries...)
	select {
	case f.more <- struct{}{}:
	default:
	}
	return nil
}

func (f *follower) onLive() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lives++
	if f.lives == 1 {
		f.atLive = len(f.entries)
		close(f.live)
	}
}

func (f *follower) waitLive() {
	f.s.Helper()
	select {
	case <-f.live:
	case r := <-f.done:
		f.s.Fatalf("Follow ended: %v", r.err)
	}
}

// wait returns what was delivered, as soon as there are n entries.
func (f *follower) wait(n int) []eventlog.Entry {
	f.s.Helper()
	for {
		f.mu.Lock()
		got := slices.Clone(f.entries)
		f.mu.Unlock()
		if len(got) >= n {
			return got
		}
		select {
		case <-f.more:
		case r := <-f.done:
			f.s.Fatalf("Follow ended after %d entries of %d: %v", len(got), n, r.err)
		}
	}
}

// end stops following; nothing more than what was waited for may have come.
func (f *follower) end() {
	f.s.Helper()
	f.cancel()
	r := <-f.done
	require.ErrorIs(f.s, r.err, context.Canceled)
	require.LessOrEqual(f.s, f.lives, 1, "onLive is called once")
}

// entriesOf returns what a follower sees of the batches.
func entriesOf(batches ...eventlog.Batch) []eventlog.Entry {
	var entries []eventlog.Entry
	for _, b := range batches {
		for i := range b.Commits {
			entries = append(entries, eventlog.Entry{Partition: b.Partition, Commit: &b.Commits[i]})
		}
		for i := range b.Outcomes {
			entries = append(entries, eventlog.Entry{Partition: b.Partition, Outcome: &b.Outcomes[i]})
		}
	}
	return entries
}

// ofPartition returns the commits of one partition among the entries.
func ofPartition(entries []eventlog.Entry, p eventlog.Partition) []eventlog.Commit {
	var commits []eventlog.Commit
	for _, e := range entries {
		if e.Partition == p && e.Commit != nil {
			commits = append(commits, *e.Commit)
		}
	}
	return commits
}

// byPartition keeps the order that a log promises: that of each partition.
func byPartition(entries []eventlog.Entry) map[eventlog.Partition][]eventlog.Entry {
	found := make(map[eventlog.Partition][]eventlog.Entry)
	for _, e := range entries {
		found[e.Partition] = append(found[e.Partition], e)
	}
	return found
}

func (s *suite) testFollow() {
	a, b := s.own(1), s.own(2)
	past, pastB := a.append(5), b.append(4)
	f := s.follow(eventlog.Positions{})
	f.waitLive()
	require.Equal(s, 9, f.atLive)
	require.Equal(s, past, ofPartition(f.wait(9), 1))
	require.Equal(s, pastB, ofPartition(f.wait(9), 2))
	live := a.append(3)
	got := f.wait(12)
	require.Equal(s, slices.Concat(past, live), ofPartition(got, 1))
	f.end()
	require.Len(s, f.entries, 12)
}

func (s *suite) testFollowEmpty() {
	f := s.follow(eventlog.Positions{})
	f.waitLive()
	require.Zero(s, f.atLive)
	commits := s.own(1).append(1)
	require.Equal(s, commits, ofPartition(f.wait(1), 1))
	f.end()
	require.NoError(s, func() error {
		ctx, cancel := context.WithCancel(s.ctx)
		cancel()
		if err := s.log.Follow(ctx, eventlog.Positions{}, f.deliver, nil); !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	}())
}

func (s *suite) testFollowPositions() {
	a, b, c := s.own(1), s.own(2), s.own(3)
	var all [4][]eventlog.Commit
	for range 10 {
		all[1] = append(all[1], a.append(1)...)
		all[2] = append(all[2], b.append(2)...)
		all[3] = append(all[3], c.append(1)...)
	}
	var from eventlog.Positions
	from[1], from[2] = all[1][6].Head(), all[2][19].Head()
	f := s.follow(from)
	f.waitLive()
	require.Equal(s, 13, f.atLive)
	all[2] = append(all[2], b.append(1)...)
	got := f.wait(14)
	require.Equal(s, all[1][7:], ofPartition(got, 1))
	require.Equal(s, all[2][20:], ofPartition(got, 2))
	require.Equal(s, all[3], ofPartition(got, 3))
	f.end()
	require.Len(s, f.entries, 14)
}

func (s *suite) testFollowOutcomes() {
	c := s.own(1)
	past := c.full()
	require.NoError(s, c.store(s.ctx, past))
	f := s.follow(eventlog.Positions{})
	f.waitLive()
	var batches []eventlog.Batch
	for range 20 {
		b := c.full()
		require.NoError(s, c.store(s.ctx, b))
		batches = append(batches, b)
	}
	past.Outcomes = nil
	want := entriesOf(append([]eventlog.Batch{past}, batches...)...)
	require.Equal(s, want, f.wait(len(want)))
	f.end()
	late := s.follow(eventlog.Positions{})
	late.waitLive()
	require.Len(s, late.wait(42), 42, "commits only")
	late.end()
	require.Len(s, late.entries, 42)
}

func (s *suite) testFollowVolatile() {
	c := s.own(1)
	f := s.follow(eventlog.Positions{})
	f.waitLive()
	var batches []eventlog.Batch
	for i := range 30 {
		b := c.batch(i % 2)
		b.To = s.sent(eventlog.Topic(1), "m")
		b.Outcomes = []eventlog.Outcome{{Command: commandID(1, uint64(i)), Head: c.head.Seq + uint64(i%2), Rejection: []byte("no"), At: instant}}
		require.NoError(s, c.store(s.ctx, b))
		batches = append(batches, b)
	}
	want := entriesOf(batches...)
	require.Equal(s, want, f.wait(len(want)))
	f.end()
}

func (s *suite) testFollowConcurrent() {
	const writers, batches = 24, 30
	followers := []*follower{s.follow(eventlog.Positions{})}
	var owners sync.WaitGroup
	for p := range eventlog.Partition(writers) {
		c := s.own(p)
		owners.Go(func() {
			for i := range batches {
				if err := c.store(s.ctx, c.batch(1+i%3)); err != nil {
					s.Errorf("partition %d: %v", p, err)
				}
			}
		})
	}
	starts := []eventlog.Positions{{}}
	for range 4 {
		var from eventlog.Positions
		for p := range eventlog.Partition(writers) {
			head, err := s.log.Head(s.ctx, p)
			require.NoError(s, err)
			from[p] = head
		}
		starts = append(starts, from, eventlog.Positions{})
		followers = append(followers, s.follow(from), s.follow(eventlog.Positions{}))
	}
	owners.Wait()
	for i, f := range followers {
		s.complete(f, starts[i], writers, batches*2)
	}
}

// complete checks that the follower got every commit after its start, in order and once.
func (s *suite) complete(f *follower, from eventlog.Positions, writers eventlog.Partition, each uint64) {
	s.Helper()
	missing := 0
	for p := range writers {
		missing += int(each - from[p].Seq)
	}
	got := f.wait(missing)
	f.end()
	require.Len(s, got, missing)
	for p := range writers {
		head := from[p]
		for _, commit := range ofPartition(got, p) {
			require.NoError(s, commit.Verify(head))
			head = commit.Head()
		}
		require.Equal(s, each, head.Seq)
	}
}

func (s *suite) testFollowSlow() {
	c, other := s.own(1), s.own(2)
	slowness := make(chan struct{})
	slow, fast := s.followSlowly(eventlog.Positions{}, slowness), s.follow(eventlog.Positions{})
	slow.waitLive()
	fast.waitLive()
	var batches []eventlog.Batch
	for range 100 {
		b := c.batch(5)
		b.Outcomes = []eventlog.Outcome{{Command: commandID(1, 1), Head: c.head.Seq, Rejection: []byte("no"), At: instant}}
		require.NoError(s, c.store(s.ctx, b))
		o := other.batch(1)
		require.NoError(s, other.store(s.ctx, o))
		batches = append(batches, b, o)
	}
	want := entriesOf(batches...)
	require.Equal(s, byPartition(want), byPartition(fast.wait(len(want))), "the fast one is not held up")
	close(slowness)
	require.Equal(s, byPartition(want), byPartition(slow.wait(len(want))))
	slow.end()
	fast.end()
}

// refused shows that Follow delivers nothing and names the lost tail.
func (s *suite) refused(from eventlog.Positions) *eventlog.LostTailError {
	s.Helper()
	err := s.log.Follow(s.ctx, from, func([]eventlog.Entry) error {
		s.Error("something was delivered")
		return nil
	}, func() { s.Error("onLive was called") })
	var lost *eventlog.LostTailError
	require.ErrorAs(s, err, &lost)
	return lost
}

func (s *suite) testFollowLost() {
	c := s.own(1)
	known := c.append(3)[2].Head()
	s.own(2).append(1)
	var from eventlog.Positions
	from[1] = eventlog.Head{Seq: 9, Hash: eventlog.Hash{9}}
	require.Equal(s, &eventlog.LostTailError{Partition: 1, Known: from[1], Stored: known}, s.refused(from))
	from = eventlog.Positions{}
	from[3] = eventlog.Head{Seq: 1, Hash: eventlog.Hash{9}}
	require.Equal(s, &eventlog.LostTailError{Partition: 3, Known: from[3]}, s.refused(from))
}

func (s *suite) testFollowOther() {
	c := s.own(1)
	commits := c.append(3)
	for _, at := range []int{0, 2} {
		var from eventlog.Positions
		from[1] = eventlog.Head{Seq: commits[at].Seq, Hash: eventlog.Hash{9}}
		require.Equal(s, &eventlog.LostTailError{Partition: 1, Known: from[1], Stored: commits[at].Head()}, s.refused(from))
	}
}

func (s *suite) testFollowDeliverError() {
	c := s.own(1)
	c.append(1)
	broken := errors.New("the projection is broken")
	calls := 0
	err := s.log.Follow(s.ctx, eventlog.Positions{}, func([]eventlog.Entry) error { calls++; return broken }, nil)
	require.ErrorIs(s, err, broken)
	require.Equal(s, 1, calls)

	live := make(chan struct{})
	ended := started(func() (struct{}, error) {
		var from eventlog.Positions
		from[1] = c.head
		return struct{}{}, s.log.Follow(s.ctx, from, func([]eventlog.Entry) error { return broken }, func() { close(live) })
	})
	<-live
	c.append(1)
	require.ErrorIs(s, (<-ended).err, broken)
}

func (s *suite) testFollowContext() {
	f := s.follow(eventlog.Positions{})
	f.waitLive()
	f.end()
	s.own(1).append(1)
	require.Empty(s, f.entries)
}
