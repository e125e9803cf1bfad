package eventlogtest

import (
	"context"
	"errors"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
)

var lossTests = map[string]func(*suite){
	"loss/a report ends the lease and keeps owners away": (*suite).testReportLoss,
	"loss/the report of the longest chain is kept":       (*suite).testReportTwice,
	"loss/concurrent reports and acceptances":            (*suite).testLossRace,
	"loss/a closed log refuses reports":                  (*suite).testLossClosed,
	"loss/reports survive reopening":                     (*suite).testLossReopen,
	"loss/accepting raises the epoch":                    (*suite).testAcceptLoss,
	"loss/acceptance needs an open loss":                 (*suite).testAcceptWithoutLoss,
	"loss/a lost partition is not followed":              (*suite).testLossSkipped,
	"loss/a report ends followers":                       (*suite).testLossEndsFollow,
	"loss/several losses are reported together":          (*suite).testSeveralLosses,
	"status/of every partition":                          (*suite).testStatus,
	"heads/of all partitions":                            (*suite).testAllHeads,
}

// lossOf returns a report of count commits beyond the partition's head.
func (o *partitionOwner) lossOf(count uint64) eventlog.LostTailError {
	return eventlog.LostTailError{
		Partition: o.partition, Known: eventlog.Head{Seq: o.head.Seq + count, Hash: eventlog.Hash{byte(count)}}, Stored: o.head,
	}
}

func (s *suite) reportLoss(loss eventlog.LostTailError) {
	s.Helper()
	require.NoError(s, s.log.ReportLoss(s.ctx, loss))
}

func (s *suite) losses() eventlog.Losses {
	s.Helper()
	found, err := s.log.Losses(s.ctx)
	require.NoError(s, err)
	return found
}

func (s *suite) testReportLoss() {
	owner, other := s.own(4), s.own(5)
	owner.append(2)
	require.Empty(s, s.losses().Open)
	batch := owner.batch(1)
	s.reportLoss(owner.lossOf(3))
	<-owner.lease.Lost()
	require.ErrorIs(s, s.log.Append(s.ctx, batch), eventlog.ErrConflict)
	require.Equal(s, []eventlog.LostTailError{owner.lossOf(3)}, s.losses().Open)
	s.requireBlocks(s.tryOwn(4))
	other.append(1)
	require.Len(s, owner.storedCommits(), 2, "the remaining commits can be read")
}

func (s *suite) testReportTwice() {
	owner, last := s.own(4), s.own(63)
	owner.append(2)
	s.reportLoss(last.lossOf(1))
	s.reportLoss(owner.lossOf(3))
	s.reportLoss(owner.lossOf(2))
	s.reportLoss(owner.lossOf(3))
	require.Equal(s, []eventlog.LostTailError{owner.lossOf(3), last.lossOf(1)}, s.losses().Open)
	s.reportLoss(owner.lossOf(7))
	require.Equal(s, []eventlog.LostTailError{owner.lossOf(7), last.lossOf(1)}, s.losses().Open)
}

func (s *suite) testLossRace() {
	owner := s.own(4)
	owner.append(2)
	const reporters = 16
	errs := make(chan error, reporters)
	for count := range uint64(reporters) {
		go func() { errs <- s.log.ReportLoss(s.ctx, owner.lossOf(count+1)) }()
	}
	for range reporters {
		require.NoError(s, <-errs)
	}
	require.Equal(s, []eventlog.LostTailError{owner.lossOf(reporters)}, s.losses().Open)
	for range reporters {
		go func() { errs <- s.log.AcceptLoss(s.ctx, 4) }()
	}
	accepted := 0
	for range reporters {
		if err := <-errs; err == nil {
			accepted++
		}
	}
	require.Equal(s, 1, accepted, "one of the acceptances succeeds")
	s.reopen()
	require.Empty(s, s.losses().Open)
	require.EqualValues(s, 1, s.losses().Epochs[4])
}

func (s *suite) testLossClosed() {
	owner := s.own(4)
	s.reportLoss(owner.lossOf(2))
	require.NoError(s, s.log.Close())
	for _, known := range []uint64{1, 2, 3} {
		require.ErrorIs(s, s.log.ReportLoss(s.ctx, owner.lossOf(known)), eventlog.ErrStopped)
	}
	require.ErrorIs(s, s.log.AcceptLoss(s.ctx, 4), eventlog.ErrStopped)
}

func (s *suite) testLossReopen() {
	owner := s.own(4)
	owner.append(1)
	s.reportLoss(owner.lossOf(2))
	require.NoError(s, s.log.AcceptLoss(s.ctx, 4))
	s.reportLoss(owner.lossOf(1))
	s.reopen()
	found := s.losses()
	require.Equal(s, []eventlog.LostTailError{owner.lossOf(1)}, found.Open)
	require.EqualValues(s, 1, found.Epochs[4])
	s.requireBlocks(s.tryOwn(4))
	require.NoError(s, s.log.AcceptLoss(s.ctx, 4))
	s.own(4).append(1)
}

func (s *suite) testAcceptLoss() {
	owner := s.own(4)
	owner.append(2)
	waiting := async(func() (eventlog.Lease, error) { return s.log.Own(s.ctx, 4) })
	s.reportLoss(owner.lossOf(1))
	require.NoError(s, s.log.AcceptLoss(s.ctx, 4))
	result := <-waiting
	require.NoError(s, result.err)
	require.Greater(s, result.value.Fence(), owner.lease.Fence())
	require.NoError(s, result.value.Release(s.ctx))
	found := s.losses()
	require.Empty(s, found.Open)
	require.EqualValues(s, 1, found.Epochs[4])
	require.Zero(s, found.Epochs[5])
	s.own(4).append(1)
}

func (s *suite) testAcceptWithoutLoss() {
	s.own(4).append(1)
	require.Error(s, s.log.AcceptLoss(s.ctx, 4))
	require.Zero(s, s.losses())
}

func (s *suite) testLossSkipped() {
	owner, other := s.own(4), s.own(5)
	owner.append(2)
	commits := other.append(3)
	s.reportLoss(owner.lossOf(1))
	var from eventlog.Positions
	from[4] = owner.lossOf(1).Known
	collector := s.follow(from)
	collector.waitLive()
	commits = append(commits, other.append(1)...)
	require.Equal(s, commits, commitsOf(collector.wait(4), 5))
	require.NoError(s, s.log.AcceptLoss(s.ctx, 4))
	owner = s.own(4)
	require.NoError(s, owner.store(s.ctx, owner.fullBatch()))
	commits = append(commits, other.append(1)...)
	require.Equal(s, commits, commitsOf(collector.wait(5), 5))
	collector.end()
	require.Len(s, collector.entries, 5, "the partition stays skipped")
	again := s.follow(eventlog.Positions{})
	again.waitLive()
	require.Equal(s, owner.storedCommits(), commitsOf(again.wait(9), 4))
	again.end()
}

func (s *suite) testLossEndsFollow() {
	owner := s.own(4)
	owner.append(1)
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	live := make(chan struct{})
	ended := async(func() (struct{}, error) {
		return struct{}{}, s.log.Follow(ctx, eventlog.Positions{}, func([]eventlog.Entry) error { return nil }, func() { close(live) })
	})
	<-live
	s.reportLoss(owner.lossOf(1))
	lost := eventlog.LostTails((<-ended).err)
	require.Len(s, lost, 1)
	require.Equal(s, owner.lossOf(1), *lost[0])
}

func (s *suite) testSeveralLosses() {
	first, second := s.own(4), s.own(5)
	first.append(1)
	second.append(2)
	var from eventlog.Positions
	from[4], from[5] = first.lossOf(1).Known, second.lossOf(9).Known
	err := s.log.Follow(s.ctx, from, func([]eventlog.Entry) error { return errors.New("an entry was handled") }, nil)
	lost := eventlog.LostTails(err)
	require.Len(s, lost, 2)
	require.Equal(s, first.lossOf(1), *lost[0])
	require.Equal(s, second.lossOf(9), *lost[1])
}

func (s *suite) testStatus() {
	owner := s.own(4)
	require.NoError(s, owner.store(s.ctx, owner.fullBatch()))
	for _, id := range []string{"a", "b"} {
		require.NoError(s, s.log.Send(s.ctx, eventlog.Topic(4), eventlog.Message{ID: id}))
	}
	other := s.own(5)
	s.reportLoss(other.lossOf(3))
	found, err := s.log.Status(s.ctx)
	require.NoError(s, err)
	require.NotEmpty(s, found.Kind)
	require.NotEmpty(s, found.Location)
	require.NotEmpty(s, found.Nodes)
	at := found.Partitions[4]
	require.Equal(s, owner.head, at.Head)
	require.Equal(s, owner.head.Seq, at.Durable)
	require.Contains(s, found.Nodes, at.Owner)
	require.Equal(s, owner.lease.Fence(), at.Fence)
	require.EqualValues(s, 2, at.Waiting)
	require.EqualValues(s, 1, at.DeadLetters)
	require.Nil(s, at.OpenLoss)
	require.Equal(s, other.lossOf(3), *found.Partitions[5].OpenLoss)
	require.Empty(s, found.Partitions[5].Owner)
	require.NoError(s, s.log.AcceptLoss(s.ctx, 5))
	found, err = s.log.Status(s.ctx)
	require.NoError(s, err)
	require.EqualValues(s, 1, found.Partitions[5].Epoch)
	require.Nil(s, found.Partitions[5].OpenLoss)
	require.NoError(s, owner.lease.Release(s.ctx))
	found, err = s.log.Status(s.ctx)
	require.NoError(s, err)
	require.Empty(s, found.Partitions[4].Owner)
	require.Equal(s, owner.lease.Fence(), found.Partitions[4].Fence, "of the latest lease")
}

func (s *suite) testAllHeads() {
	s.own(0).append(2)
	s.own(63).append(1)
	heads, err := s.log.Heads(s.ctx)
	require.NoError(s, err)
	for partition := range eventlog.Partition(eventlog.Partitions) {
		head, err := s.log.Head(s.ctx, partition)
		require.NoError(s, err)
		require.Equal(s, head, heads[partition])
	}
}
