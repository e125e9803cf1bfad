package redis

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/redis/redistest"
)

// TestCluster: while slots of a cluster move under load, and one of its servers hangs or is killed, nothing that
// was acknowledged is lost or doubled, and what the other servers hold goes on.
func TestCluster(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3)
	l := open(t, Config{URL: c.URL()})
	r := follow(t, l, eventlog.Positions{})
	w := begin(t, 8, l)
	for _, p := range []eventlog.Partition{1, 5, 1} {
		w.progress(100)
		key := keysOf(p).meta
		from := c.Owner(key)
		for _, to := range c.Servers {
			if to != from {
				c.Move(key, to)
				break
			}
		}
	}
	w.progress(100)

	paused, others := split(c)
	require.NotEmpty(t, others)
	paused.Pause()
	began := time.Now()
	for _, p := range others {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		require.NoError(t, l.Send(ctx, eventlog.Topic(p), eventlog.Message{ID: "beside"}), "partition %d is on another server", p)
		cancel()
	}
	t.Logf("%d servers' partitions went on for %s", len(c.Servers)-1, time.Since(began))
	paused.Resume()
	w.progress(100)
	paused.Restart()
	c.AwaitOK()
	w.progress(100)
	w.check(l)
	for p := range eventlog.Partition(8) {
		head, err := l.Head(t.Context(), p)
		require.NoError(t, err)
		eventually(t, "the reader", func() bool { return r.at(p) == head })
	}
	r.end()
	eventually(t, "health", func() bool { return l.Health() == nil })
}

// split returns a server that does not hold the nodes' signs of life, and partitions above 8 that it does not
// hold either.
func split(c *redistest.Cluster) (one *redistest.Server, others []eventlog.Partition) {
	for _, s := range c.Servers {
		if s != c.Owner(nodesKey) {
			one = s
		}
	}
	for p := eventlog.Partition(8); p < 24; p++ {
		if c.Owner(keysOf(p).meta) != one {
			others = append(others, p)
		}
	}
	return one, others
}

// TestSentinelFailsOver: when Sentinel promotes the replica, nodes find it by themselves. With Replicated all that
// was acknowledged is there, and followers go on, as soon as the new master has a replica.
func TestSentinelFailsOver(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinel(t)
	confirmed(t, s.Master, 1)
	l := open(t, Config{URL: s.URL(), Durability: Replicated})
	r := follow(t, l, eventlog.Positions{})
	w := begin(t, 6, l)
	w.progress(200)
	s.Master.Kill()
	s.AwaitMaster(s.Replica)
	s.Master.Begin()
	s.Master.ReplicaOf(s.Replica.Addr()) // Sentinel would do that, after 8 s
	w.progress(200)
	w.check(l)
	for p := range eventlog.Partition(6) {
		head, err := l.Head(t.Context(), p)
		require.NoError(t, err)
		eventually(t, "the reader", func() bool { return r.at(p) == head })
	}
	r.end()
}

// TestUnfitServerIsNotTrustedLater: the settings are looked at again when a node comes to another server, as after
// a failover. With Disk nothing is written to one that does not keep the promise; the reason is named, and mending it is enough.
func TestUnfitServerIsNotTrustedLater(t *testing.T) {
	t.Parallel()
	s := startPair(t)
	l := open(t, s.config(Disk))
	o := own(t, l, 3).must(2)
	s.replica.AwaitSync()
	configure(t, s.replica, "appendfsync", "everysec")
	s.replica.Promote()
	s.door.Retarget(s.replica.Addr())
	eventually(t, "ill health", func() bool { return l.Health() != nil })
	err := l.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "a"})
	require.ErrorIs(t, err, eventlog.ErrNotSent)
	require.ErrorContains(t, err, "appendfsync is everysec and must be always")
	appended := started(func() error { return o.append(1) })
	require.ErrorContains(t, l.Health(), "appendfsync is everysec")
	require.EqualValues(t, 2, seq(t, s.replica, 3, "seq"))
	configure(t, s.replica, "appendfsync", "always")
	require.NoError(t, within(t, appended, "the end of Append"))
	eventually(t, "health", func() bool { return l.Health() == nil })
}
