package redis

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
	"tandem/eventlog/redis/redistest"
)

// pair is a master and its replica with two proxies: one between them, and one in front of the present master.
type pair struct {
	master, replica       *redistest.Server
	linkProxy, frontProxy *redistest.Proxy
}

func startPair(t *testing.T) *pair {
	servers := &pair{master: redistest.Start(t)}
	servers.linkProxy, servers.frontProxy = redistest.NewProxy(t, servers.master.Addr()), redistest.NewProxy(t, servers.master.Addr())
	servers.replica = redistest.StartReplica(t, servers.master, servers.linkProxy)
	awaitConfirming(t, servers.master, 1)
	return servers
}

// awaitConfirming waits until the given number of replicas confirm a WAIT. A new replica needs up to a second.
func awaitConfirming(t *testing.T, server *redistest.Server, replicas int) {
	t.Helper()
	conn := server.Client().Conn()
	defer conn.Close()
	require.NoError(t, conn.Set(t.Context(), "something", "written", 0).Err())
	require.NoError(t, conn.Del(t.Context(), "something").Err())
	n, err := conn.Wait(t.Context(), replicas, redistest.Timeout).Result()
	require.NoError(t, err)
	require.EqualValues(t, replicas, n)
}

func (p *pair) config(durability Durability) Config {
	return Config{URL: "redis://" + p.frontProxy.Addr(), Durability: durability}
}

// metaNumber reads a number from a partition's meta hash.
func metaNumber(t *testing.T, server *redistest.Server, partition eventlog.Partition, field string) uint64 {
	t.Helper()
	n, _ := strconv.ParseUint(server.Client().HGet(t.Context(), keysOf(partition).meta, field).Val(), 10, 64) // 0 without the field
	return n
}

// TestReplicaIsCutOff: with Replicated an append that the replica does not confirm fails with an unknown outcome, and
// no reader sees the commit. The owner loses the partition, which has no owner until the replica has everything that
// is stored. Then all readers see exactly that.
func TestReplicaIsCutOff(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]func(*redistest.Proxy){
		"hangs": (*redistest.Proxy).Hang, "is cut off": (*redistest.Proxy).Cut,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			servers := startPair(t)
			log, reading := open(t, servers.config(Replicated)), open(t, servers.config(Replicated))
			owner := own(t, log, 3).mustAppend(2)
			follower, other := follow(t, log, eventlog.Positions{}), follow(t, reading, eventlog.Positions{})
			follower.await(owner)
			other.await(owner)

			cut(servers.linkProxy)
			err := owner.append(1)
			require.ErrorIs(t, err, errTooFewReplicas)
			require.NotErrorIs(t, err, eventlog.ErrConflict)
			receive(t, owner.lease.Lost(), "the end of the lease")
			require.ErrorIs(t, log.Health(), errTooFewReplicas)
			require.EqualValues(t, 3, metaNumber(t, servers.master, 3, "seq"), "it is stored")
			owned := async(func() error {
				owner = own(t, log, 3)
				return nil
			})
			err = log.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "a"})
			require.ErrorIs(t, err, errTooFewReplicas)
			require.NotErrorIs(t, err, eventlog.ErrNotSent)
			waits := calls(t, servers.master, "wait")
			eventually(t, "attempts to own the partition", func() bool { return calls(t, servers.master, "wait") >= waits+2 })
			require.Empty(t, owned, "a partition has an owner before its state is confirmed")
			for _, log := range []*Log{log, reading} {
				head, err := log.Head(t.Context(), 3)
				require.NoError(t, err)
				require.EqualValues(t, 2, head.Seq)
				_, err = log.Read(t.Context(), 3, []uint64{3})
				require.ErrorContains(t, err, "no commit 3")
			}
			require.EqualValues(t, 2, follower.at(3).Seq)
			require.EqualValues(t, 2, other.at(3).Seq)
			late := follow(t, reading, eventlog.Positions{})
			require.EqualValues(t, 2, late.at(3).Seq)
			status, err := reading.Status(t.Context())
			require.NoError(t, err)
			require.EqualValues(t, 3, status.Partitions[3].Head.Seq)
			require.EqualValues(t, 2, status.Partitions[3].Durable)

			servers.linkProxy.Resume()
			receive(t, owned, "an owner")
			require.EqualValues(t, 3, owner.head.Seq)
			require.EqualValues(t, 3, metaNumber(t, servers.replica, 3, "seq"))
			owner.mustAppend(1)
			for _, follower := range []*testFollower{follower, other, late} {
				follower.await(owner)
				follower.end()
			}
			require.NoError(t, log.Health())
		})
	}
}

// TestMarkNeverPassesTheReplica: while the link breaks repeatedly under load, the durable mark is never ahead of the
// replica, and so no reader sees a commit that a promoted replica would lack.
func TestMarkNeverPassesTheReplica(t *testing.T) {
	t.Parallel()
	servers := startPair(t)
	log := open(t, servers.config(Replicated))
	follower := follow(t, log, eventlog.Positions{})
	load := startLoad(t, 6, log)
	done, watched := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for ; ; n++ {
			partition := eventlog.Partition(n % 6)
			mark, seen := metaNumber(t, servers.master, partition, "mseq"), follower.at(partition).Seq
			if has := metaNumber(t, servers.replica, partition, "seq"); has < mark || has < seen {
				t.Errorf("partition %d: the mark is at %d, a reader at %d, the replica at %d", partition, mark, seen, has)
			}
			select {
			case <-done:
				watched <- n
				return
			default:
			}
		}
	}()
	for range eventlogtest.Rounds(2, 4) {
		load.progress(50)
		servers.linkProxy.Cut()
		time.Sleep(50 * time.Millisecond) // for commits that only the master gets
		servers.linkProxy.Resume()
	}
	load.progress(50)
	load.check(log)
	close(done)
	t.Logf("looked %d times", <-watched)
	follower.end()
}

// TestPromotedReplica: with Replicated a promoted replica has every acknowledged commit and every commit that was
// read, also when it was disconnected from its master before.
func TestPromotedReplica(t *testing.T) {
	t.Parallel()
	servers := startPair(t)
	log := open(t, servers.config(Replicated))
	follower := follow(t, log, eventlog.Positions{})
	load := startLoad(t, 6, log)
	master, replica := servers.master, servers.replica
	for range eventlogtest.Rounds(2, 3) {
		load.progress(100)
		servers.linkProxy.Cut()
		time.Sleep(20 * time.Millisecond) // for commits that only the master gets
		replica.Promote()
		servers.frontProxy.Retarget(replica.Addr())
		servers.linkProxy = redistest.NewProxy(t, replica.Addr())
		master.ReplicaOf(servers.linkProxy.Addr()) // it drops the commits that only it had
		master, replica = replica, master
	}
	load.progress(100)
	load.check(log)
	for partition := range eventlog.Partition(6) {
		head, err := log.Head(t.Context(), partition)
		require.NoError(t, err)
		eventually(t, "the reader", func() bool { return follower.at(partition) == head })
	}
	follower.end()
}

// TestPromotedStaleReplica: a promoted replica may lack acknowledged commits, because Disk does not wait for it, or
// because another replica confirmed them. Followers get every partition that lost some, and the other partitions
// continue.
func TestPromotedStaleReplica(t *testing.T) {
	t.Parallel()
	for _, durability := range []Durability{Disk, Replicated} {
		t.Run(string(durability), func(t *testing.T) {
			t.Parallel()
			servers := startPair(t)
			fresh := redistest.StartReplica(t, servers.master, nil)
			awaitConfirming(t, servers.master, 2)
			log := open(t, servers.config(durability))
			follower := follow(t, log, eventlog.Positions{})
			untouched := own(t, log, 9).mustAppend(3)
			owners := []*testOwner{own(t, log, 1).mustAppend(2), own(t, log, 40).mustAppend(1), own(t, log, 63)}
			servers.replica.AwaitSync()
			servers.linkProxy.Cut()
			var want []eventlog.LostTailError
			for i, owner := range owners {
				left := owner.head
				owner.mustAppend(i + 1)
				follower.await(owner)
				want = append(want, eventlog.LostTailError{Partition: owner.partition, Known: owner.head, Stored: left})
			}
			known := follower.positions()

			servers.replica.Promote()
			servers.frontProxy.Retarget(servers.replica.Addr())
			fresh.ReplicaOf(servers.replica.Addr())
			awaitConfirming(t, servers.replica, 1)
			require.Equal(t, want, follower.lost())
			for _, owner := range owners {
				require.Error(t, owner.append(1))
			}
			err := log.Follow(t.Context(), known, nil, nil)
			require.Len(t, eventlog.LostTails(err), 3)
			for _, loss := range want {
				require.NoError(t, log.ReportLoss(t.Context(), loss))
			}
			again := follow(t, log, known)
			again.await(untouched.mustAppend(1))
			again.end()
		})
	}
}

// TestMarkBehindTheChain: a promoted replica may have commits that were read, but not their durable mark. That is no
// loss, and the next owner moves the mark.
func TestMarkBehindTheChain(t *testing.T) {
	t.Parallel()
	servers := startPair(t)
	log := open(t, servers.config(Replicated))
	owner := own(t, log, 3).mustAppend(2)
	earlier := servers.master.Client().HMGet(t.Context(), keysOf(3).meta, "mseq", "mhash", "mout").Val()
	follower := follow(t, log, eventlog.Positions{})
	follower.await(owner.mustAppend(2))
	known := follower.positions()
	require.NoError(t, servers.master.Client().HSet(t.Context(), keysOf(3).meta, "mseq", earlier[0], "mhash", earlier[1], "mout", earlier[2]).Err())
	head, err := log.Head(t.Context(), 3)
	require.NoError(t, err)
	require.EqualValues(t, 2, head.Seq)
	late := follow(t, log, known)
	compared := time.Now()
	eventually(t, "a comparison", func() bool { return log.Staleness() < time.Since(compared) })
	require.NoError(t, owner.lease.Release(t.Context()))
	owner = own(t, log, 3)
	require.Equal(t, known[3], owner.head)
	owner.mustAppend(1)
	for _, follower := range []*testFollower{follower, late} {
		follower.await(owner)
		follower.end()
	}
}

// TestMarkMovesForward: marks that arrive out of order never move it back.
func TestMarkMovesForward(t *testing.T) {
	t.Parallel()
	servers := startPair(t)
	log := open(t, servers.config(Replicated))
	owner := own(t, log, 3).mustAppend(3)
	first := chain(t, log, 3)[0].Head()
	at := func() []any {
		return servers.master.Client().HMGet(t.Context(), keysOf(3).meta, "mseq", "mhash", "mout").Val()
	}
	before := at()
	lease := owner.lease.(*partitionLease)
	require.NoError(t, log.moveMark(t.Context(), lease, first, "0-0"))
	require.NoError(t, log.moveMark(t.Context(), lease, owner.head, "0-0"))
	require.Equal(t, before, at())
	require.NoError(t, log.moveMark(t.Context(), lease, owner.head, "3-1"))
	require.Equal(t, "3-1", at()[2])
	require.NoError(t, log.moveMark(t.Context(), lease, owner.head, "2-9"))
	require.Equal(t, "3-1", at()[2])
}

// TestWAITRefusedLater: an error reply to WAIT says nothing about the writes before it. A message that was written
// does not count as unsent.
func TestWAITRefusedLater(t *testing.T) {
	t.Parallel()
	servers := startPair(t)
	user := func(rules ...string) {
		require.NoError(t, servers.master.Client().ACLSetUser(t.Context(), "tandem", append([]string{"on", ">secret", "~*", "&*"}, rules...)...).Err())
	}
	user("+@all")
	log := open(t, Config{URL: "redis://tandem:secret@" + servers.master.Addr(), Durability: Replicated})
	user("+@all", "-wait")
	err := log.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "a"})
	require.ErrorContains(t, err, "NOPERM")
	require.NotErrorIs(t, err, eventlog.ErrNotSent)
	require.EqualValues(t, 1, servers.master.Client().XLen(t.Context(), keysOf(3).commands).Val())
}

// TestSecondSendingWaitsForTheReplica: when the reply to an append was lost, the second sending waits for the replica
// again, although it changes nothing.
func TestSecondSendingWaitsForTheReplica(t *testing.T) {
	t.Parallel()
	servers := startPair(t)
	log := open(t, servers.config(Replicated))
	owner := own(t, log, 3).mustAppend(1)
	servers.linkProxy.Hang()
	servers.frontProxy.HoldReplies()
	appended := async(func() error { return owner.append(1) })
	eventually(t, "a stored batch", func() bool { return metaNumber(t, servers.master, 3, "seq") == 2 })
	servers.frontProxy.Cut()
	servers.frontProxy.Resume()
	require.ErrorIs(t, receive(t, appended, "the end of Append"), errTooFewReplicas)
	require.EqualValues(t, 1, metaNumber(t, servers.replica, 3, "seq"))
	require.EqualValues(t, 1, metaNumber(t, servers.master, 3, "mseq"))
}
