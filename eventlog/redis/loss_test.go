package redis

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/redis/redistest"
)

// TestFlushedServer: after FLUSHALL no partition is created again over lost commits. Send is ErrNotSent and Append
// fails, both with a clear reason; Health reports it as long as it lasts; Follow ends with the losses of all
// partitions that had commits. The losses stay recorded, also for nodes that start later, until an operator accepts
// them. Then the log starts again, with the partitions that lost no commits.
func TestFlushedServer(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	logged := newLogLines()
	log := open(t, Config{URL: server.URL(), Logger: logged.logger()})
	follower := follow(t, log, eventlog.Positions{})
	var owners []*testOwner
	var want []eventlog.LostTailError
	for _, partition := range []eventlog.Partition{0, 7, 63} {
		owner := own(t, log, partition).mustAppend(int(partition) + 2)
		owners, want = append(owners, owner), append(want, eventlog.LostTailError{Partition: partition, Known: owner.head})
		follower.await(owner)
	}
	require.NoError(t, server.Client().FlushAll(t.Context()).Err())

	err := log.Send(t.Context(), eventlog.Topic(5), eventlog.Message{ID: "a"})
	require.ErrorIs(t, err, eventlog.ErrNotSent)
	require.ErrorContains(t, err, "the log is gone from the server: it was flushed or replaced")
	err = owners[1].append(1)
	require.ErrorIs(t, err, eventlog.ErrConflict)
	require.Equal(t, want, follower.lost())
	require.ErrorContains(t, log.Health(), "the log is gone from the server")
	for range 3 {
		awaitHeartbeats(t, server, log, 1)
		require.Error(t, log.Health(), "successful heartbeats do not end the fault")
	}
	require.Equal(t, 1, logged.count("the log is gone"))
	for _, owner := range owners {
		receive(t, owner.lease.Lost(), "the end of the lease")
	}

	for _, loss := range want {
		require.NoError(t, log.ReportLoss(t.Context(), loss))
	}
	late := open(t, Config{URL: server.URL()})
	found, err := late.Losses(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, found.Open)
	own(t, late, 5).mustAppend(1)
	for _, loss := range want {
		require.NoError(t, late.AcceptLoss(t.Context(), loss.Partition))
	}
	for _, loss := range want {
		owner := own(t, late, loss.Partition)
		require.Zero(t, owner.head)
		owner.mustAppend(1)
	}
	require.NoError(t, late.Send(t.Context(), eventlog.Topic(6), eventlog.Message{ID: "a"}))
	eventually(t, "health", func() bool { return log.Health() == nil })
}

// TestPartitionsAreMissing: when some partitions were deleted, the others continue. Health names missing partitions
// without known losses; a node that starts does not create them again; an operator can accept their loss.
func TestPartitionsAreMissing(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	log := open(t, Config{URL: server.URL()})
	own(t, log, 3).mustAppend(1)
	for _, partition := range []eventlog.Partition{8, 9} {
		keys := keysOf(partition)
		require.NoError(t, server.Client().Del(t.Context(), keys.meta, keys.commands).Err())
	}
	eventually(t, "ill health", func() bool { return log.Health() != nil })
	require.ErrorContains(t, log.Health(), "partitions [8 9]")
	require.NoError(t, log.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "a"}))
	require.ErrorIs(t, log.Send(t.Context(), eventlog.Topic(8), eventlog.Message{ID: "a"}), eventlog.ErrNotSent)
	logged := newLogLines()
	late := open(t, Config{URL: server.URL(), Logger: logged.logger()})
	logged.await(t, "some partitions are missing on the server")
	require.ErrorIs(t, late.Send(t.Context(), eventlog.Topic(8), eventlog.Message{ID: "a"}), eventlog.ErrNotSent)
	require.Error(t, late.AcceptLoss(t.Context(), 3))
	require.NoError(t, late.AcceptLoss(t.Context(), 8))
	require.NoError(t, late.Send(t.Context(), eventlog.Topic(9), eventlog.Message{ID: "a"}))
	own(t, late, 8).mustAppend(1)
	eventually(t, "health", func() bool { return log.Health() == nil })
}

// TestRestoredBackup: followers, also new ones with later positions, get the partitions and commits that are lost. The
// rest of the backup can be read.
func TestRestoredBackup(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	log := open(t, Config{URL: server.URL()})
	follower := follow(t, log, eventlog.Positions{})
	a, b, c := own(t, log, 1).mustAppend(4), own(t, log, 2).mustAppend(3), own(t, log, 3).mustAppend(5)
	left := a.head
	backup := server.Backup()
	for _, owner := range []*testOwner{a.mustAppend(5), b.mustAppend(1), c} {
		follower.await(owner)
	}
	known := follower.positions()
	require.NoError(t, log.Send(t.Context(), eventlog.Topic(2), eventlog.Message{ID: "later"}))
	server.Restore(backup)

	lost := follower.lost()
	require.Len(t, lost, 2)
	require.Equal(t, eventlog.LostTailError{Partition: 1, Known: a.head, Stored: left}, lost[0])
	require.EqualError(t, &lost[0], "partition 1 lost commits 5 to 9: they were seen before and are gone")
	require.EqualError(t, &lost[1], "partition 2 lost commits 4 to 4: they were seen before and are gone")
	require.ErrorIs(t, a.append(1), eventlog.ErrConflict)
	err := open(t, Config{URL: server.URL()}).Follow(t.Context(), known, nil, nil)
	require.Len(t, eventlog.LostTails(err), 2)
	require.Equal(t, &lost[0], eventlog.LostTails(err)[0])
	require.Len(t, chain(t, log, 1), 4)
	var before eventlog.Positions
	before[1] = left
	follow(t, log, before).end()
}

// TestOtherHistory: a server that was restored and went on has at least as many commits, but other ones. Their hashes
// reveal it.
func TestOtherHistory(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	log := open(t, Config{URL: server.URL()})
	a, b := own(t, log, 1).mustAppend(4), own(t, log, 2).mustAppend(4)
	backup := server.Backup()
	follower := follow(t, log, eventlog.Positions{})
	follower.await(a.mustAppend(2))
	follower.await(b.mustAppend(2))
	known := follower.positions()
	require.NoError(t, log.Close())
	server.Restore(backup)
	log = open(t, Config{URL: server.URL()})
	other, longer := own(t, log, 1).mustAppend(2), own(t, log, 2).mustAppend(3)
	require.NotEqual(t, a.head, other.head)
	lost := eventlog.LostTails(log.Follow(t.Context(), known, nil, nil))
	require.Len(t, lost, 2)
	require.Equal(t, eventlog.LostTailError{Partition: 1, Known: a.head, Stored: other.head}, *lost[0])
	require.Equal(t, b.head, lost[1].Known)
	require.EqualValues(t, 6, lost[1].Stored.Seq)
	require.EqualValues(t, 7, longer.head.Seq)
	require.ErrorContains(t, lost[0], "partition 1 has another history: commit 6 has hash")
}

// TestFenceOfARestoredServer: a server that lost its latest writes hands out a fencing token that another lease still
// has. Only one of the two owners can append, because the script compares the owner too.
func TestFenceOfARestoredServer(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	unaware := defaultLimits()
	unaware.heartbeat = time.Hour
	log := open(t, Config{URL: server.URL()})
	require.NoError(t, log.Close())
	backup := server.Backup()
	first := own(t, open(t, Config{URL: server.URL(), limits: unaware}), 3)
	server.Restore(backup)
	second := own(t, open(t, Config{URL: server.URL()}), 3)
	require.Equal(t, first.lease.Fence(), second.lease.Fence())
	eventually(t, "a connection", func() bool {
		return first.log.checkOpen(t.Context()) == nil && first.log.client.Ping(t.Context()).Err() == nil
	})
	require.ErrorIs(t, first.append(1), eventlog.ErrConflict)
	receive(t, first.lease.Lost(), "the end of the lease")
	require.NoError(t, first.lease.Release(t.Context()))
	second.mustAppend(1)
}

// lostCommand returns an owner that has received a command which the server then lost to a restored backup. The next
// command has a smaller id, as on a server with a late clock.
func lostCommand(t *testing.T) (log *Log, owner *testOwner, lost eventlog.Message) {
	server := redistest.Start(t)
	logged := newLogLines()
	log = open(t, Config{URL: server.URL(), Logger: logged.logger()})
	owner = own(t, log, 3).mustAppend(1)
	backup := server.Backup()
	require.NoError(t, log.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "lost"}))
	got, err := log.Receive(t.Context(), eventlog.Topic(3), owner.checkpoint, 10)
	require.NoError(t, err)
	server.Restore(backup)
	smaller := formatID(eventlog.Offset{got[0].Offset[0] - 1, 0})
	require.NoError(t, server.Client().XAdd(t.Context(), &redis.XAddArgs{Stream: keysOf(3).commands, ID: smaller, Values: []string{"id", "next", "payload", ""}}).Err())
	require.NoError(t, server.Client().XAdd(t.Context(), &redis.XAddArgs{Stream: keysOf(3).commands, Values: []string{"id", "last", "payload", ""}}).Err())
	logged.await(t, "the server lost commands that were read from it")
	return log, owner, got[0]
}

// TestLostCommand: an owner that received a command which the server lost restarts from its checkpoint and skips no
// other command.
func TestLostCommand(t *testing.T) {
	t.Parallel()
	log, owner, lost := lostCommand(t)
	receive(t, owner.lease.Lost(), "the end of the lease")
	batch := owner.batch(1)
	batch.To = lost.Offset
	require.ErrorIs(t, log.Append(t.Context(), batch), eventlog.ErrConflict)
	owner = own(t, log, 3)
	got, err := log.Receive(t.Context(), eventlog.Topic(3), owner.checkpoint, 10)
	require.NoError(t, err)
	require.Equal(t, []string{"next", "last"}, []string{got[0].ID, got[1].ID})
}

// TestLostCommandIsNotAppended: an append that handles a command which the queue does not have writes nothing, even
// before the owner has noticed.
func TestLostCommandIsNotAppended(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	log := open(t, Config{URL: server.URL()})
	owner := own(t, log, 3).mustAppend(1)
	require.NoError(t, log.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "lost"}))
	got, err := log.Receive(t.Context(), eventlog.Topic(3), owner.checkpoint, 10)
	require.NoError(t, err)
	require.NoError(t, server.Client().XDel(t.Context(), keysOf(3).commands, formatID(got[0].Offset)).Err())
	batch := owner.batch(1)
	batch.To = got[0].Offset
	err = log.Append(t.Context(), batch)
	require.ErrorIs(t, err, eventlog.ErrConflict)
	require.ErrorContains(t, err, "the command queue no longer has the last command that the batch handles")
	require.Len(t, chain(t, log, 3), 1)
	owner.mustAppend(1)
}
