package redis

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/redis/redistest"
)

// TestFlushedServer: after a FLUSHALL nothing is begun over what was there. A Send is ErrNotSent and an Append
// fails, both with a clear reason; Health says so, and keeps saying so; Follow ends with the losses of all
// partitions that had commits. The losses are kept, also for nodes that start later, until a person accepts
// them; then the log begins anew, and with it the partitions of which nobody missed anything.
func TestFlushedServer(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	said := newLines()
	l := open(t, Config{URL: s.URL(), Logger: said.logger()})
	r := follow(t, l, eventlog.Positions{})
	var owners []*owner
	var want []eventlog.LostTailError
	for _, p := range []eventlog.Partition{0, 7, 63} {
		o := own(t, l, p).must(int(p) + 2)
		owners, want = append(owners, o), append(want, eventlog.LostTailError{Partition: p, Known: o.head})
		r.await(o)
	}
	require.NoError(t, s.Client().FlushAll(t.Context()).Err())

	err := l.Send(t.Context(), eventlog.Topic(5), eventlog.Message{ID: "a"})
	require.ErrorIs(t, err, eventlog.ErrNotSent)
	require.ErrorContains(t, err, "the log is gone from the server: it was flushed or replaced")
	err = owners[1].append(1)
	require.ErrorIs(t, err, eventlog.ErrConflict)
	require.Equal(t, want, r.lost())
	require.ErrorContains(t, l.Health(), "the log is gone from the server")
	for end := time.Now().Add(600 * time.Millisecond); time.Now().Before(end); time.Sleep(time.Millisecond) {
		require.Error(t, l.Health(), "more than two beats")
	}
	require.Equal(t, 1, said.count("the log is gone"))
	for _, o := range owners {
		within(t, o.lease.Lost(), "the end of the lease")
	}

	for _, loss := range want {
		require.NoError(t, l.ReportLoss(t.Context(), loss))
	}
	late := open(t, Config{URL: s.URL()})
	found, err := late.Losses(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, found.Open)
	own(t, late, 5).must(1)
	for _, loss := range want {
		require.NoError(t, late.AcceptLoss(t.Context(), loss.Partition))
	}
	for _, loss := range want {
		o := own(t, late, loss.Partition)
		require.Zero(t, o.head)
		o.must(1)
	}
	require.NoError(t, late.Send(t.Context(), eventlog.Topic(6), eventlog.Message{ID: "a"}))
	eventually(t, "health", func() bool { return l.Health() == nil })
}

// TestPartIsGone: of a log of which one part was removed the rest goes on. What is gone without anybody
// missing a commit is named by Health, is not begun anew by a node that starts, and can be accepted.
func TestPartIsGone(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	l := open(t, Config{URL: s.URL()})
	own(t, l, 3).must(1)
	for _, p := range []eventlog.Partition{8, 9} {
		k := keysOf(p)
		require.NoError(t, s.Client().Del(t.Context(), k.meta, k.inbox).Err())
	}
	eventually(t, "ill health", func() bool { return l.Health() != nil })
	require.ErrorContains(t, l.Health(), "partitions [8 9]")
	require.NoError(t, l.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "a"}))
	require.ErrorIs(t, l.Send(t.Context(), eventlog.Topic(8), eventlog.Message{ID: "a"}), eventlog.ErrNotSent)
	said := newLines()
	late := open(t, Config{URL: s.URL(), Logger: said.logger()})
	said.await(t, "a part of the log is gone from the server")
	require.ErrorIs(t, late.Send(t.Context(), eventlog.Topic(8), eventlog.Message{ID: "a"}), eventlog.ErrNotSent)
	require.Error(t, late.AcceptLoss(t.Context(), 3))
	require.NoError(t, late.AcceptLoss(t.Context(), 8))
	require.NoError(t, late.Send(t.Context(), eventlog.Topic(9), eventlog.Message{ID: "a"}))
	own(t, late, 8).must(1)
	eventually(t, "health", func() bool { return l.Health() == nil })
}

// TestRestoredBackup: whoever follows, and whoever knows more from before, is told which partitions have lost
// which commits; what the backup holds is left.
func TestRestoredBackup(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	l := open(t, Config{URL: s.URL()})
	r := follow(t, l, eventlog.Positions{})
	a, b, c := own(t, l, 1).must(4), own(t, l, 2).must(3), own(t, l, 3).must(5)
	left := a.head
	backup := s.Backup()
	for _, o := range []*owner{a.must(5), b.must(1), c} {
		r.await(o)
	}
	known := r.positions()
	require.NoError(t, l.Send(t.Context(), eventlog.Topic(2), eventlog.Message{ID: "later"}))
	s.Restore(backup)

	lost := r.lost()
	require.Len(t, lost, 2)
	require.Equal(t, eventlog.LostTailError{Partition: 1, Known: a.head, Stored: left}, lost[0])
	require.EqualError(t, &lost[0], "partition 1 lost commits 5 to 9: they were seen before and are gone")
	require.EqualError(t, &lost[1], "partition 2 lost commits 4 to 4: they were seen before and are gone")
	require.ErrorIs(t, a.append(1), eventlog.ErrConflict)
	err := open(t, Config{URL: s.URL()}).Follow(t.Context(), known, nil, nil)
	require.Len(t, eventlog.LostTails(err), 2)
	require.Equal(t, &lost[0], eventlog.LostTails(err)[0])
	require.Len(t, chain(t, l, 1), 4)
	var before eventlog.Positions
	before[1] = left
	follow(t, l, before).end()
}

// TestOtherHistory: a server that was restored and went on elsewhere has as many commits again, or more, but
// others. That is found by their hashes.
func TestOtherHistory(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	l := open(t, Config{URL: s.URL()})
	a, b := own(t, l, 1).must(4), own(t, l, 2).must(4)
	backup := s.Backup()
	r := follow(t, l, eventlog.Positions{})
	r.await(a.must(2))
	r.await(b.must(2))
	known := r.positions()
	require.NoError(t, l.Close())
	s.Restore(backup)
	l = open(t, Config{URL: s.URL()})
	other, longer := own(t, l, 1).must(2), own(t, l, 2).must(3)
	require.NotEqual(t, a.head, other.head)
	lost := eventlog.LostTails(l.Follow(t.Context(), known, nil, nil))
	require.Len(t, lost, 2)
	require.Equal(t, eventlog.LostTailError{Partition: 1, Known: a.head, Stored: other.head}, *lost[0])
	require.Equal(t, b.head, lost[1].Known)
	require.EqualValues(t, 6, lost[1].Stored.Seq)
	require.EqualValues(t, 7, longer.head.Seq)
	require.ErrorContains(t, lost[0], "partition 1 has another history: commit 6 has hash")
}

// TestFenceOfALostServer: a server that has lost its latest writes gives a fence out again that somebody else
// still holds. Only one of the two can append, because the owner is compared as well.
func TestFenceOfALostServer(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	unaware := defaultLimits()
	unaware.beat = time.Hour
	l := open(t, Config{URL: s.URL()})
	require.NoError(t, l.Close())
	backup := s.Backup()
	first := own(t, open(t, Config{URL: s.URL(), limits: unaware}), 3)
	s.Restore(backup)
	second := own(t, open(t, Config{URL: s.URL()}), 3)
	require.Equal(t, first.lease.Fence(), second.lease.Fence())
	eventually(t, "a connection", func() bool {
		return first.log.open(t.Context()) == nil && first.log.client.Ping(t.Context()).Err() == nil
	})
	require.ErrorIs(t, first.append(1), eventlog.ErrConflict)
	within(t, first.lease.Lost(), "the end of the lease")
	require.NoError(t, first.lease.Release(t.Context()))
	second.must(1)
}

// lostCommand is an owner that has read a command which the server then lost, by restoring a backup of before.
// The next command that comes has a smaller id, as on a server whose clock is behind.
func lostCommand(t *testing.T) (l *Log, o *owner, lost eventlog.Message) {
	s := redistest.Start(t)
	said := newLines()
	l = open(t, Config{URL: s.URL(), Logger: said.logger()})
	o = own(t, l, 3).must(1)
	backup := s.Backup()
	require.NoError(t, l.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "lost"}))
	got, err := l.Receive(t.Context(), eventlog.Topic(3), o.done, 10)
	require.NoError(t, err)
	s.Restore(backup)
	smaller := formatID(eventlog.Offset{got[0].Offset[0] - 1, 0})
	require.NoError(t, s.Client().XAdd(t.Context(), &redis.XAddArgs{Stream: keysOf(3).inbox, ID: smaller, Values: []string{"id", "next", "payload", ""}}).Err())
	require.NoError(t, s.Client().XAdd(t.Context(), &redis.XAddArgs{Stream: keysOf(3).inbox, Values: []string{"id", "last", "payload", ""}}).Err())
	said.await(t, "the server has lost commands that were read from it")
	return l, o, got[0]
}

// TestLostCommand: an owner that had read a command which is gone from the server now begins again at its
// checkpoint, so that no other one is passed over.
func TestLostCommand(t *testing.T) {
	t.Parallel()
	l, o, lost := lostCommand(t)
	within(t, o.lease.Lost(), "the end of the lease")
	b := o.batch(1)
	b.To = lost.Offset
	require.ErrorIs(t, l.Append(t.Context(), b), eventlog.ErrConflict)
	o = own(t, l, 3)
	got, err := l.Receive(t.Context(), eventlog.Topic(3), o.done, 10)
	require.NoError(t, err)
	require.Equal(t, []string{"next", "last"}, []string{got[0].ID, got[1].ID})
}

// TestLostCommandIsNotAppended: an append that handles a command which the inbox does not hold writes nothing,
// even before anybody has noticed.
func TestLostCommandIsNotAppended(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	l := open(t, Config{URL: s.URL()})
	o := own(t, l, 3).must(1)
	require.NoError(t, l.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "lost"}))
	got, err := l.Receive(t.Context(), eventlog.Topic(3), o.done, 10)
	require.NoError(t, err)
	require.NoError(t, s.Client().XDel(t.Context(), keysOf(3).inbox, formatID(got[0].Offset)).Err())
	b := o.batch(1)
	b.To = got[0].Offset
	err = l.Append(t.Context(), b)
	require.ErrorIs(t, err, eventlog.ErrConflict)
	require.ErrorContains(t, err, "the inbox no longer holds the last command that it handles")
	require.Len(t, chain(t, l, 3), 1)
	o.must(1)
}
