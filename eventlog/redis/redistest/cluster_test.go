package redistest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

func TestCluster(t *testing.T) {
	t.Parallel()
	cluster := StartCluster(t, 3)
	addrs := strings.Split(strings.TrimPrefix(cluster.URL(), "redis+cluster://"), ",")
	require.Equal(t, cluster.Addrs(), addrs)
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs, MaintNotificationsConfig: newClient("").Options().MaintNotificationsConfig})
	defer client.Close()

	owners := map[*Server]bool{}
	for i := range 30 {
		key := fmt.Sprintf("{%d}", i)
		require.NoError(t, client.Set(t.Context(), key, i, 0).Err())
		require.NoError(t, cluster.Owner(key).Client().Get(t.Context(), key).Err())
		owners[cluster.Owner(key)] = true
	}
	require.Len(t, owners, 3)

	from := cluster.Owner("{1}")
	to := cluster.Servers[0]
	if to == from {
		to = cluster.Servers[1]
	}
	cluster.Move("{1}", to)
	require.Same(t, to, cluster.Owner("{1}"))
	require.Equal(t, "1", client.Get(t.Context(), "{1}").Val())
	require.ErrorContains(t, from.Client().Get(t.Context(), "{1}").Err(), "MOVED")

	to.Restart()
	cluster.AwaitOK()
	require.Equal(t, "1", to.Client().Get(t.Context(), "{1}").Val())
}

func TestSentinelPromotesTheReplica(t *testing.T) {
	t.Parallel()
	sentinel := StartSentinel(t)
	require.Equal(t, "redis+sentinel://"+sentinel.Process.Addr()+"/mymaster", sentinel.URL())
	sentinel.AwaitMaster(sentinel.Master)
	require.NoError(t, sentinel.Master.Client().Set(t.Context(), "k", "v", 0).Err())
	sentinel.Replica.AwaitSync()

	sentinel.Master.Kill()
	sentinel.AwaitMaster(sentinel.Replica)
	require.Equal(t, "v", sentinel.Replica.Client().Get(t.Context(), "k").Val())
	require.NoError(t, sentinel.Replica.Client().Set(t.Context(), "k", "w", 0).Err())
}
