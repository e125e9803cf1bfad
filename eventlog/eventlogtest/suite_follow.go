package eventlogtest

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/wakeup"
)

var followTests = map[string]func(*suite){
	"follow/stored commits, then live ones":        (*suite).testFollow,
	"follow/an empty log is live at once":          (*suite).testFollowEmpty,
	"follow/from positions":                        (*suite).testFollowPositions,
	"follow/outcomes in order, live only":          (*suite).testFollowOutcomes,
	"follow/batches without commits":               (*suite).testFollowVolatile,
	"follow/no gap under concurrent appends":       (*suite).testFollowConcurrent,
	"follow/a slow follower does not delay others": (*suite).testFollowSlow,
	"follow/a lost tail is reported":               (*suite).testFollowLost,
	"follow/another history is reported":           (*suite).testFollowOtherHistory,
	"follow/an error of the handler ends it":       (*suite).testFollowDeliverError,
	"follow/the end of the context ends it":        (*suite).testFollowContext,
}

// entryCollector collects the entries of a Follow.
type entryCollector struct {
	suite  *suite
	cancel context.CancelFunc
	done   <-chan result[struct{}]
	live   chan struct{}

	mu            sync.Mutex
	entries       []eventlog.Entry
	onLiveCalls   int // number of calls of onLive
	entriesAtLive int // number of entries at the first of them
	arrived       wakeup.Signal
	gate          chan struct{} // if not nil, collect waits until it is closed
}

func (s *suite) follow(from eventlog.Positions) *entryCollector {
	return s.followGated(from, nil)
}

// followGated follows the log and blocks in its first handle call until gate is closed.
func (s *suite) followGated(from eventlog.Positions, gate chan struct{}) *entryCollector {
	ctx, cancel := context.WithCancel(s.ctx)
	collector := &entryCollector{suite: s, cancel: cancel, live: make(chan struct{}), arrived: wakeup.New(), gate: gate}
	log := s.log
	collector.done = async(func() (struct{}, error) {
		return struct{}{}, log.Follow(ctx, from, collector.collect, collector.onLive)
	})
	return collector
}

func (c *entryCollector) collect(entries []eventlog.Entry) error {
	if c.gate != nil {
		<-c.gate
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries = append(c.entries, entries...)
	c.arrived.Notify()
	return nil
}

func (c *entryCollector) onLive() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onLiveCalls++
	if c.onLiveCalls == 1 {
		c.entriesAtLive = len(c.entries)
		close(c.live)
	}
}

func (c *entryCollector) waitLive() {
	c.suite.Helper()
	select {
	case <-c.live:
	case result := <-c.done:
		c.suite.Fatalf("Follow ended: %v", result.err)
	}
}

// wait returns the collected entries as soon as there are n.
func (c *entryCollector) wait(n int) []eventlog.Entry {
	c.suite.Helper()
	for {
		c.mu.Lock()
		got := slices.Clone(c.entries)
		c.mu.Unlock()
		if len(got) >= n {
			return got
		}
		select {
		case <-c.arrived:
		case result := <-c.done:
			c.suite.Fatalf("Follow ended after %d entries of %d: %v", len(got), n, result.err)
		}
	}
}

// end stops following.
func (c *entryCollector) end() {
	c.suite.Helper()
	c.cancel()
	result := <-c.done
	require.ErrorIs(c.suite, result.err, context.Canceled)
	require.LessOrEqual(c.suite, c.onLiveCalls, 1, "onLive is called once")
}

// batchEntries returns the entries that a follower receives for the batches.
func batchEntries(batches ...eventlog.Batch) []eventlog.Entry {
	var entries []eventlog.Entry
	for _, batch := range batches {
		for i := range batch.Commits {
			entries = append(entries, eventlog.Entry{Partition: batch.Partition, Commit: &batch.Commits[i]})
		}
		for i := range batch.Outcomes {
			entries = append(entries, eventlog.Entry{Partition: batch.Partition, Outcome: &batch.Outcomes[i]})
		}
	}
	return entries
}

// commitsOf returns the commits of one partition.
func commitsOf(entries []eventlog.Entry, partition eventlog.Partition) []eventlog.Commit {
	var commits []eventlog.Commit
	for _, entry := range entries {
		if entry.Partition == partition && entry.Commit != nil {
			commits = append(commits, *entry.Commit)
		}
	}
	return commits
}

// byPartition groups entries by partition: the log guarantees the order within each.
func byPartition(entries []eventlog.Entry) map[eventlog.Partition][]eventlog.Entry {
	found := make(map[eventlog.Partition][]eventlog.Entry)
	for _, entry := range entries {
		found[entry.Partition] = append(found[entry.Partition], entry)
	}
	return found
}

func (s *suite) testFollow() {
	first, second := s.own(1), s.own(2)
	pastOfFirst, pastOfSecond := first.append(5), second.append(4)
	collector := s.follow(eventlog.Positions{})
	collector.waitLive()
	require.Equal(s, 9, collector.entriesAtLive)
	require.Equal(s, pastOfFirst, commitsOf(collector.wait(9), 1))
	require.Equal(s, pastOfSecond, commitsOf(collector.wait(9), 2))
	live := first.append(3)
	got := collector.wait(12)
	require.Equal(s, slices.Concat(pastOfFirst, live), commitsOf(got, 1))
	collector.end()
	require.Len(s, collector.entries, 12)
}

func (s *suite) testFollowEmpty() {
	collector := s.follow(eventlog.Positions{})
	collector.waitLive()
	require.Zero(s, collector.entriesAtLive)
	commits := s.own(1).append(1)
	require.Equal(s, commits, commitsOf(collector.wait(1), 1))
	collector.end()
	require.NoError(s, func() error {
		ctx, cancel := context.WithCancel(s.ctx)
		cancel()
		if err := s.log.Follow(ctx, eventlog.Positions{}, collector.collect, nil); !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	}())
}

func (s *suite) testFollowPositions() {
	first, second, third := s.own(1), s.own(2), s.own(3)
	var all [4][]eventlog.Commit
	for range 10 {
		all[1] = append(all[1], first.append(1)...)
		all[2] = append(all[2], second.append(2)...)
		all[3] = append(all[3], third.append(1)...)
	}
	var from eventlog.Positions
	from[1], from[2] = all[1][6].Head(), all[2][19].Head()
	collector := s.follow(from)
	collector.waitLive()
	require.Equal(s, 13, collector.entriesAtLive)
	all[2] = append(all[2], second.append(1)...)
	got := collector.wait(14)
	require.Equal(s, all[1][7:], commitsOf(got, 1))
	require.Equal(s, all[2][20:], commitsOf(got, 2))
	require.Equal(s, all[3], commitsOf(got, 3))
	collector.end()
	require.Len(s, collector.entries, 14)
}

func (s *suite) testFollowOutcomes() {
	owner := s.own(1)
	past := owner.fullBatch()
	require.NoError(s, owner.store(s.ctx, past))
	collector := s.follow(eventlog.Positions{})
	collector.waitLive()
	var batches []eventlog.Batch
	for range 20 {
		batch := owner.fullBatch()
		require.NoError(s, owner.store(s.ctx, batch))
		batches = append(batches, batch)
	}
	past.Outcomes = nil
	want := batchEntries(append([]eventlog.Batch{past}, batches...)...)
	require.Equal(s, want, collector.wait(len(want)))
	collector.end()
	late := s.follow(eventlog.Positions{})
	late.waitLive()
	require.Len(s, late.wait(42), 42, "commits only")
	late.end()
	require.Len(s, late.entries, 42)
}

func (s *suite) testFollowVolatile() {
	owner := s.own(1)
	collector := s.follow(eventlog.Positions{})
	collector.waitLive()
	var batches []eventlog.Batch
	for i := range 30 {
		batch := owner.batch(i % 2)
		batch.To = s.send(eventlog.Topic(1), "m")
		batch.Outcomes = []eventlog.Outcome{{Command: commandID(1, uint64(i)), Head: owner.head.Seq + uint64(i%2), Rejection: []byte("no"), At: firstCommitTime}}
		require.NoError(s, owner.store(s.ctx, batch))
		batches = append(batches, batch)
	}
	want := batchEntries(batches...)
	require.Equal(s, want, collector.wait(len(want)))
	collector.end()
}

func (s *suite) testFollowConcurrent() {
	const writers, batches = 24, 30
	followers := []*entryCollector{s.follow(eventlog.Positions{})}
	var owners sync.WaitGroup
	for partition := range eventlog.Partition(writers) {
		owner := s.own(partition)
		owners.Go(func() {
			for i := range batches {
				if err := owner.store(s.ctx, owner.batch(1+i%3)); err != nil {
					s.Errorf("partition %d: %v", partition, err)
				}
			}
		})
	}
	starts := []eventlog.Positions{{}}
	for range 4 {
		var from eventlog.Positions
		for partition := range eventlog.Partition(writers) {
			head, err := s.log.Head(s.ctx, partition)
			require.NoError(s, err)
			from[partition] = head
		}
		starts = append(starts, from, eventlog.Positions{})
		followers = append(followers, s.follow(from), s.follow(eventlog.Positions{}))
	}
	owners.Wait()
	for i, collector := range followers {
		s.requireComplete(collector, starts[i], writers, batches*2)
	}
}

// requireComplete checks that the collector received every commit after its start, in order and once.
func (s *suite) requireComplete(collector *entryCollector, from eventlog.Positions, writers eventlog.Partition, each uint64) {
	s.Helper()
	missing := 0
	for partition := range writers {
		missing += int(each - from[partition].Seq)
	}
	got := collector.wait(missing)
	collector.end()
	require.Len(s, got, missing)
	for partition := range writers {
		head := from[partition]
		for _, commit := range commitsOf(got, partition) {
			require.NoError(s, commit.Verify(head))
			head = commit.Head()
		}
		require.Equal(s, each, head.Seq)
	}
}

func (s *suite) testFollowSlow() {
	owner, other := s.own(1), s.own(2)
	gate := make(chan struct{})
	slow, fast := s.followGated(eventlog.Positions{}, gate), s.follow(eventlog.Positions{})
	slow.waitLive()
	fast.waitLive()
	var batches []eventlog.Batch
	for range 100 {
		batch := owner.batch(5)
		batch.Outcomes = []eventlog.Outcome{{Command: commandID(1, 1), Head: owner.head.Seq, Rejection: []byte("no"), At: firstCommitTime}}
		require.NoError(s, owner.store(s.ctx, batch))
		otherBatch := other.batch(1)
		require.NoError(s, other.store(s.ctx, otherBatch))
		batches = append(batches, batch, otherBatch)
	}
	want := batchEntries(batches...)
	require.Equal(s, byPartition(want), byPartition(fast.wait(len(want))), "the fast follower is not delayed")
	close(gate)
	require.Equal(s, byPartition(want), byPartition(slow.wait(len(want))))
	slow.end()
	fast.end()
}

// requireLostTail checks that Follow returns a lost tail and handles no entry.
func (s *suite) requireLostTail(from eventlog.Positions) *eventlog.LostTailError {
	s.Helper()
	err := s.log.Follow(s.ctx, from, func([]eventlog.Entry) error {
		s.Error("an entry was handled")
		return nil
	}, func() { s.Error("onLive was called") })
	var lost *eventlog.LostTailError
	require.ErrorAs(s, err, &lost)
	return lost
}

func (s *suite) testFollowLost() {
	owner := s.own(1)
	known := owner.append(3)[2].Head()
	s.own(2).append(1)
	var from eventlog.Positions
	from[1] = eventlog.Head{Seq: 9, Hash: eventlog.Hash{9}}
	require.Equal(s, &eventlog.LostTailError{Partition: 1, Known: from[1], Stored: known}, s.requireLostTail(from))
	from = eventlog.Positions{}
	from[3] = eventlog.Head{Seq: 1, Hash: eventlog.Hash{9}}
	require.Equal(s, &eventlog.LostTailError{Partition: 3, Known: from[3]}, s.requireLostTail(from))
}

func (s *suite) testFollowOtherHistory() {
	owner := s.own(1)
	commits := owner.append(3)
	for _, at := range []int{0, 2} {
		var from eventlog.Positions
		from[1] = eventlog.Head{Seq: commits[at].Seq, Hash: eventlog.Hash{9}}
		require.Equal(s, &eventlog.LostTailError{Partition: 1, Known: from[1], Stored: commits[at].Head()}, s.requireLostTail(from))
	}
}

func (s *suite) testFollowDeliverError() {
	owner := s.own(1)
	owner.append(1)
	broken := errors.New("the handler failed")
	calls := 0
	err := s.log.Follow(s.ctx, eventlog.Positions{}, func([]eventlog.Entry) error { calls++; return broken }, nil)
	require.ErrorIs(s, err, broken)
	require.Equal(s, 1, calls)

	live := make(chan struct{})
	ended := async(func() (struct{}, error) {
		var from eventlog.Positions
		from[1] = owner.head
		return struct{}{}, s.log.Follow(s.ctx, from, func([]eventlog.Entry) error { return broken }, func() { close(live) })
	})
	<-live
	owner.append(1)
	require.ErrorIs(s, (<-ended).err, broken)
}

func (s *suite) testFollowContext() {
	collector := s.follow(eventlog.Positions{})
	collector.waitLive()
	collector.end()
	s.own(1).append(1)
	require.Empty(s, collector.entries)
}
