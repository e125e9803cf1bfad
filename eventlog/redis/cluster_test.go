package redis

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/redis/redistest"
)

// TestCluster: while slots of a cluster move under load, and one of its servers hangs or is killed, no acknowledged
// command is lost or doubled, and the partitions on the other servers continue.
func TestCluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3)
	log := open(t, Config{URL: cluster.URL()})
	follower := follow(t, log, eventlog.Positions{})
	load := startLoad(t, 8, log)
	for _, partition := range []eventlog.Partition{1, 5, 1} {
		load.progress(100)
		key := keysOf(partition).meta
		from := cluster.Owner(key)
		for _, to := range cluster.Servers {
			if to != from {
				cluster.Move(key, to)
				break
			}
		}
	}
	load.progress(100)

	paused, others := split(cluster)
	require.NotEmpty(t, others)
	paused.Pause()
	for _, partition := range others {
		require.NoError(t, log.Send(t.Context(), eventlog.Topic(partition), eventlog.Message{ID: "beside"}), "partition %d is on another server", partition)
	}
	paused.Resume()
	load.progress(100)
	paused.Restart()
	cluster.AwaitOK()
	load.progress(100)
	load.check(log)
	for partition := range eventlog.Partition(8) {
		head, err := log.Head(t.Context(), partition)
		require.NoError(t, err)
		eventually(t, "the reader", func() bool { return follower.at(partition) == head })
	}
	follower.end()
	eventually(t, "health", func() bool { return log.Health() == nil })
}

// split returns a server without the nodes' heartbeats, and partitions from 8 on that other servers hold.
func split(cluster *redistest.Cluster) (one *redistest.Server, others []eventlog.Partition) {
	for _, server := range cluster.Servers {
		if server != cluster.Owner(nodesKey) {
			one = server
		}
	}
	for partition := eventlog.Partition(8); partition < 24; partition++ {
		if cluster.Owner(keysOf(partition).meta) != one {
			others = append(others, partition)
		}
	}
	return one, others
}

// TestSentinelFailsOver: when Sentinel promotes the replica, nodes find it. With Replicated every acknowledged commit
// is there, and followers continue as soon as the new master has a replica.
func TestSentinelFailsOver(t *testing.T) {
	t.Parallel()
	sentinel := redistest.StartSentinel(t)
	awaitConfirming(t, sentinel.Master, 1)
	log := open(t, Config{URL: sentinel.URL(), Durability: Replicated})
	follower := follow(t, log, eventlog.Positions{})
	load := startLoad(t, 6, log)
	load.progress(200)
	sentinel.Master.Kill()
	sentinel.AwaitMaster(sentinel.Replica)
	sentinel.Master.Start()
	sentinel.Master.ReplicaOf(sentinel.Replica.Addr()) // Sentinel would do so after 8 s
	load.progress(200)
	load.check(log)
	for partition := range eventlog.Partition(6) {
		head, err := log.Head(t.Context(), partition)
		require.NoError(t, err)
		eventually(t, "the reader", func() bool { return follower.at(partition) == head })
	}
	follower.end()
}

// TestUnfitServerIsNotTrustedLater: a node checks the settings again when it reaches another server, for example after
// a failover. With Disk it writes nothing to a server that fails the checks; the error gives the reason, and
// correcting the setting is enough.
func TestUnfitServerIsNotTrustedLater(t *testing.T) {
	t.Parallel()
	servers := startPair(t)
	log := open(t, servers.config(Disk))
	owner := own(t, log, 3).mustAppend(2)
	servers.replica.AwaitSync()
	configure(t, servers.replica, "appendfsync", "everysec")
	servers.replica.Promote()
	servers.frontProxy.Retarget(servers.replica.Addr())
	eventually(t, "ill health", func() bool { return log.Health() != nil })
	err := log.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "a"})
	require.ErrorIs(t, err, eventlog.ErrNotSent)
	require.ErrorContains(t, err, "appendfsync is everysec, but must be always")
	appended := async(func() error { return owner.append(1) })
	require.ErrorContains(t, log.Health(), "appendfsync is everysec")
	require.EqualValues(t, 2, metaNumber(t, servers.replica, 3, "seq"))
	configure(t, servers.replica, "appendfsync", "always")
	require.NoError(t, receive(t, appended, "the end of Append"))
	eventually(t, "health", func() bool { return log.Health() == nil })
}
