package redis

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/redis/redistest"
)

// pair is a master and its replica, each behind a proxy: one between the two, one before whoever holds
// the log.
type pair struct {
	master, replica *redistest.Server
	link, door      *redistest.Proxy
}

func startPair(t *testing.T) *pair {
	p := &pair{master: redistest.Start(t)}
	p.link, p.door = redistest.NewProxy(t, p.master.Addr()), redistest.NewProxy(t, p.master.Addr())
	p.replica = redistest.StartReplica(t, p.master, p.link)
	confirmed(t, p.master, 1)
	return p
}

// confirmed waits until so many replicas answer a WAIT. One that has just come does so after a second only.
func confirmed(t *testing.T, s *redistest.Server, replicas int) {
	t.Helper()
	c := s.Client().Conn()
	defer c.Close()
	require.NoError(t, c.Set(t.Context(), "something", "written", 0).Err())
	require.NoError(t, c.Del(t.Context(), "something").Err())
	n, err := c.Wait(t.Context(), replicas, redistest.Patience).Result()
	require.NoError(t, err)
	require.EqualValues(t, replicas, n)
}

func (p *pair) config(d Durability) Config {
	return Config{URL: "redis://" + p.door.Addr(), Durability: d}
}

// seq reads a number of a partition from a server.
func seq(t *testing.T, s *redistest.Server, p eventlog.Partition, field string) uint64 {
	t.Helper()
	n, _ := strconv.ParseUint(s.Client().HGet(t.Context(), keysOf(p).meta, field).Val(), 10, 64) // empty: 0
	return n
}

// TestReplicaIsCutOff: with Replicated an append that the replica does not confirm is an error, which leaves the
// outcome open, and nobody sees the commit. The owner has lost the partition, and nobody owns it before the
// replica has all that is stored. Then everybody sees exactly that.
func TestReplicaIsCutOff(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]func(*redistest.Proxy){
		"hangs": (*redistest.Proxy).Hang, "is cut off": (*redistest.Proxy).Cut,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startPair(t)
			l, reading := open(t, s.config(Replicated)), open(t, s.config(Replicated))
			o := own(t, l, 3).must(2)
			r, other := follow(t, l, eventlog.Positions{}), follow(t, reading, eventlog.Positions{})
			r.await(o)
			other.await(o)

			cut(s.link)
			err := o.append(1)
			require.ErrorIs(t, err, errTooFew)
			require.NotErrorIs(t, err, eventlog.ErrConflict)
			within(t, o.lease.Lost(), "the end of the lease")
			require.ErrorIs(t, l.Health(), errTooFew)
			require.EqualValues(t, 3, seq(t, s.master, 3, "seq"), "it is stored")
			owned := started(func() error {
				o = own(t, l, 3)
				return nil
			})
			err = l.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "a"})
			require.ErrorIs(t, err, errTooFew)
			require.NotErrorIs(t, err, eventlog.ErrNotSent)
			time.Sleep(2 * defaultLimits().wait)
			require.Empty(t, owned, "somebody owns what is not confirmed")
			for _, l := range []*Log{l, reading} {
				head, err := l.Head(t.Context(), 3)
				require.NoError(t, err)
				require.EqualValues(t, 2, head.Seq)
				_, err = l.Read(t.Context(), 3, []uint64{3})
				require.ErrorContains(t, err, "no commit 3")
			}
			require.EqualValues(t, 2, r.at(3).Seq)
			require.EqualValues(t, 2, other.at(3).Seq)
			late := follow(t, reading, eventlog.Positions{})
			require.EqualValues(t, 2, late.at(3).Seq)
			status, err := reading.Status(t.Context())
			require.NoError(t, err)
			require.EqualValues(t, 3, status.Partitions[3].Head.Seq)
			require.EqualValues(t, 2, status.Partitions[3].Durable)

			s.link.Mend()
			within(t, owned, "an owner")
			require.EqualValues(t, 3, o.head.Seq)
			require.EqualValues(t, 3, seq(t, s.replica, 3, "seq"))
			o.must(1)
			for _, r := range []*reader{r, other, late} {
				r.await(o)
				r.end()
			}
			require.NoError(t, l.Health())
		})
	}
}

// TestMarkNeverPassesTheReplica: while the link breaks again and again under load, the mark is never ahead of
// what the replica has, and so nobody sees what a promoted replica would not have.
func TestMarkNeverPassesTheReplica(t *testing.T) {
	t.Parallel()
	s := startPair(t)
	l := open(t, s.config(Replicated))
	r := follow(t, l, eventlog.Positions{})
	w := begin(t, 6, l)
	done, watched := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for ; ; n++ {
			p := eventlog.Partition(n % 6)
			mark, seen := seq(t, s.master, p, "mseq"), r.at(p).Seq
			if has := seq(t, s.replica, p, "seq"); has < mark || has < seen {
				t.Errorf("partition %d: the mark is at %d, a reader at %d, the replica at %d", p, mark, seen, has)
			}
			select {
			case <-done:
				watched <- n
				return
			default:
			}
		}
	}()
	for range 4 {
		w.progress(50)
		s.link.Cut()
		time.Sleep(50 * time.Millisecond)
		s.link.Mend()
	}
	w.progress(50)
	w.check(l)
	close(done)
	t.Logf("looked %d times", <-watched)
	r.end()
}

// TestPromotedReplica: with Replicated a replica that is promoted has all that was acknowledged and all that
// anybody has seen, also when it was cut off from its master before.
func TestPromotedReplica(t *testing.T) {
	t.Parallel()
	s := startPair(t)
	l := open(t, s.config(Replicated))
	r := follow(t, l, eventlog.Positions{})
	w := begin(t, 6, l)
	master, replica := s.master, s.replica
	for range 3 {
		w.progress(100)
		s.link.Cut()
		time.Sleep(20 * time.Millisecond) // the master takes what nobody else has
		replica.Promote()
		s.door.Retarget(replica.Addr())
		s.link = redistest.NewProxy(t, replica.Addr())
		master.ReplicaOf(s.link.Addr()) // what it alone had is gone
		master, replica = replica, master
	}
	w.progress(100)
	w.check(l)
	for p := range eventlog.Partition(6) {
		head, err := l.Head(t.Context(), p)
		require.NoError(t, err)
		eventually(t, "the reader", func() bool { return r.at(p) == head })
	}
	r.end()
}

// TestPromotedStaleReplica: when a replica is promoted that lacks acknowledged commits, because Disk does not wait
// for it, or because it is another one than that which confirmed, every partition that has lost some is named
// to everybody who has seen them, and the others go on.
func TestPromotedStaleReplica(t *testing.T) {
	t.Parallel()
	for _, d := range []Durability{Disk, Replicated} {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			s := startPair(t)
			fresh := redistest.StartReplica(t, s.master, nil)
			confirmed(t, s.master, 2)
			l := open(t, s.config(d))
			r := follow(t, l, eventlog.Positions{})
			untouched := own(t, l, 9).must(3)
			owners := []*owner{own(t, l, 1).must(2), own(t, l, 40).must(1), own(t, l, 63)}
			s.replica.AwaitSync()
			s.link.Cut()
			var want []eventlog.LostTailError
			for i, o := range owners {
				left := o.head
				o.must(i + 1)
				r.await(o)
				want = append(want, eventlog.LostTailError{Partition: o.p, Known: o.head, Stored: left})
			}
			known := r.positions()

			s.replica.Promote()
			s.door.Retarget(s.replica.Addr())
			fresh.ReplicaOf(s.replica.Addr())
			confirmed(t, s.replica, 1)
			require.Equal(t, want, r.lost())
			for _, o := range owners {
				require.Error(t, o.append(1))
			}
			err := l.Follow(t.Context(), known, nil, nil)
			require.Len(t, eventlog.LostTails(err), 3)
			for _, loss := range want {
				require.NoError(t, l.ReportLoss(t.Context(), loss))
			}
			again := follow(t, l, known)
			again.await(untouched.must(1))
			again.end()
		})
	}
}

// TestMarkBehindTheChain: a replica may be promoted that has commits but not the mark of the last ones, which
// somebody has seen. Nothing is lost then, and the next owner moves the mark.
func TestMarkBehindTheChain(t *testing.T) {
	t.Parallel()
	s := startPair(t)
	l := open(t, s.config(Replicated))
	o := own(t, l, 3).must(2)
	earlier := s.master.Client().HMGet(t.Context(), keysOf(3).meta, "mseq", "mhash", "mout").Val()
	r := follow(t, l, eventlog.Positions{})
	r.await(o.must(2))
	known := r.positions()
	require.NoError(t, s.master.Client().HSet(t.Context(), keysOf(3).meta, "mseq", earlier[0], "mhash", earlier[1], "mout", earlier[2]).Err())
	head, err := l.Head(t.Context(), 3)
	require.NoError(t, err)
	require.EqualValues(t, 2, head.Seq)
	late := follow(t, l, known)
	time.Sleep(2 * defaultLimits().verify)
	require.NoError(t, o.lease.Release(t.Context()))
	o = own(t, l, 3)
	require.Equal(t, known[3], o.head)
	o.must(1)
	for _, r := range []*reader{r, late} {
		r.await(o)
		r.end()
	}
}

// TestMarkMovesForward: marks that come in another order than they were sent never move it back.
func TestMarkMovesForward(t *testing.T) {
	t.Parallel()
	s := startPair(t)
	l := open(t, s.config(Replicated))
	o := own(t, l, 3).must(3)
	first := chain(t, l, 3)[0].Head()
	at := func() []any {
		return s.master.Client().HMGet(t.Context(), keysOf(3).meta, "mseq", "mhash", "mout").Val()
	}
	before := at()
	lease := o.lease.(*lease)
	require.NoError(t, l.moveMark(t.Context(), lease, first, "0-0"))
	require.NoError(t, l.moveMark(t.Context(), lease, o.head, "0-0"))
	require.Equal(t, before, at())
	require.NoError(t, l.moveMark(t.Context(), lease, o.head, "3-1"))
	require.Equal(t, "3-1", at()[2])
	require.NoError(t, l.moveMark(t.Context(), lease, o.head, "2-9"))
	require.Equal(t, "3-1", at()[2])
}

// TestWAITRefusedLater: an answer of the server to WAIT says nothing of the writes before it. A message that was
// written then is not called unsent.
func TestWAITRefusedLater(t *testing.T) {
	t.Parallel()
	s := startPair(t)
	user := func(rules ...string) {
		require.NoError(t, s.master.Client().ACLSetUser(t.Context(), "tandem", append([]string{"on", ">secret", "~*", "&*"}, rules...)...).Err())
	}
	user("+@all")
	l := open(t, Config{URL: "redis://tandem:secret@" + s.master.Addr(), Durability: Replicated})
	user("+@all", "-wait")
	err := l.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "a"})
	require.ErrorContains(t, err, "NOPERM")
	require.NotErrorIs(t, err, eventlog.ErrNotSent)
	require.EqualValues(t, 1, s.master.Client().XLen(t.Context(), keysOf(3).inbox).Val())
}

// TestSecondSendingIsWaitedFor: when the answer to an append got lost, the replica is waited for again, although
// the second sending changes nothing.
func TestSecondSendingIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := startPair(t)
	l := open(t, s.config(Replicated))
	o := own(t, l, 3).must(1)
	s.link.Hang()
	s.door.HoldAnswers()
	appended := started(func() error { return o.append(1) })
	eventually(t, "a stored batch", func() bool { return seq(t, s.master, 3, "seq") == 2 })
	s.door.Cut()
	s.door.Mend()
	require.ErrorIs(t, within(t, appended, "the end of Append"), errTooFew)
	require.EqualValues(t, 1, seq(t, s.replica, 3, "seq"))
	require.EqualValues(t, 1, seq(t, s.master, 3, "mseq"))
}
