package redistest

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

const slots = 16384

// Cluster is a Redis Cluster of masters without replicas. While one of them is down, the others refuse all keys
// (cluster-require-full-coverage, the default), some 2 s after they have missed it.
type Cluster struct {
	Servers []*Server

	t testing.TB
}

// StartCluster runs a cluster of n durable masters that share all slots evenly, and waits until each of them reports a
// complete cluster. It takes about 2 s, because Redis waits that long before a new master serves keys.
func StartCluster(t testing.TB, n int) *Cluster {
	t.Helper()
	cluster := &Cluster{t: t}
	for i := range n {
		server := Start(t, "cluster-enabled yes", "cluster-node-timeout 2000", "cluster-announce-ip 127.0.0.1")
		require.NoError(t, server.client.ClusterAddSlotsRange(t.Context(), i*slots/n, (i+1)*slots/n-1).Err())
		// Masters with the same epoch would first have to agree on different ones.
		require.NoError(t, server.client.Do(t.Context(), "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err())
		cluster.Servers = append(cluster.Servers, server)
	}
	for _, server := range cluster.Servers[1:] {
		require.NoError(t, cluster.Servers[0].client.ClusterMeet(t.Context(), "127.0.0.1", strconv.Itoa(server.port)).Err())
	}
	cluster.AwaitOK()
	return cluster
}

// URL returns the addresses as redis+cluster://127.0.0.1:p1,127.0.0.1:p2.
func (c *Cluster) URL() string { return "redis+cluster://" + strings.Join(c.Addrs(), ",") }

// Addrs returns the address of every node.
func (c *Cluster) Addrs() []string {
	var all []string
	for _, server := range c.Servers {
		all = append(all, server.Addr())
	}
	return all
}

// AwaitOK waits until every node reports a complete cluster, for example after the restart of one.
func (c *Cluster) AwaitOK() {
	c.t.Helper()
	var report string
	whole := waitUntil(func() bool {
		for _, server := range c.Servers {
			report = server.client.ClusterInfo(c.t.Context()).Val()
			if !strings.Contains(report, "cluster_state:ok\r\n") || !strings.Contains(report, "cluster_size:"+strconv.Itoa(len(c.Servers))+"\r\n") {
				return false
			}
		}
		return true
	})
	require.Truef(c.t, whole, "the cluster is not complete; a node reports:\n%s", report)
}

// Owner returns the node that serves the slot of a key.
func (c *Cluster) Owner(key string) *Server {
	c.t.Helper()
	slot := int64(c.slot(key))
	shards, err := c.Servers[0].client.ClusterShards(c.t.Context()).Result()
	require.NoError(c.t, err)
	for _, shard := range shards {
		if slices.ContainsFunc(shard.Slots, func(slots redis.SlotRange) bool { return slots.Start <= slot && slot <= slots.End }) {
			return c.Servers[slices.IndexFunc(c.Servers, func(server *Server) bool { return int64(server.port) == shard.Nodes[0].Port })]
		}
	}
	require.FailNowf(c.t, "no owner", "no node serves slot %d of %q: %v", slot, key, shards)
	return nil
}

// Move moves the slot of a key, with all keys in it, to another node, one key after the other and while clients
// continue, like a resharding.
func (c *Cluster) Move(key string, to *Server) {
	c.t.Helper()
	from, slot := c.Owner(key), c.slot(key)
	require.NotSame(c.t, from, to)
	source, target := c.id(from), c.id(to)
	do := func(server *Server, args ...any) *redis.Cmd {
		cmd := server.client.Do(c.t.Context(), args...)
		require.NoError(c.t, cmd.Err())
		return cmd
	}
	do(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", source)
	do(from, "CLUSTER", "SETSLOT", slot, "MIGRATING", target)
	for {
		keys, err := from.client.ClusterGetKeysInSlot(c.t.Context(), slot, 100).Result()
		require.NoError(c.t, err)
		if len(keys) == 0 {
			break
		}
		for _, movedKey := range keys {
			do(from, "MIGRATE", "127.0.0.1", to.port, movedKey, 0, Timeout.Milliseconds())
		}
	}
	do(to, "CLUSTER", "SETSLOT", slot, "NODE", target) // the new owner first, or the slot would have no owner for a moment
	for _, server := range c.Servers {
		do(server, "CLUSTER", "SETSLOT", slot, "NODE", target)
	}
}

func (c *Cluster) slot(key string) int {
	c.t.Helper()
	slot, err := c.Servers[0].client.ClusterKeySlot(c.t.Context(), key).Result()
	require.NoError(c.t, err)
	return int(slot)
}

func (c *Cluster) id(server *Server) string {
	c.t.Helper()
	id, err := server.client.ClusterMyID(c.t.Context()).Result()
	require.NoError(c.t, err)
	return id
}
