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
	c := StartCluster(t, 3)
	addrs := strings.Split(strings.TrimPrefix(c.URL(), "redis+cluster://"), ",")
	require.Equal(t, c.Addrs(), addrs)
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs, MaintNotificationsConfig: newClient("").Options().MaintNotificationsConfig})
	defer client.Close()

	owners := map[*Server]bool{}
	for i := range 30 {
		key := fmt.Sprintf("{%d}", i)
		require.NoError(t, client.Set(t.Context(), key, i, 0).Err())
		require.NoError(t, c.Owner(key).Client().Get(t.Context(), key).Err())
		owners[c.Owner(key)] = true
	}
	require.Len(t, owners, 3)

	from := c.Owner("{1}")
	to := c.Servers[0]
	if to == from {
		to = c.Servers[1]
	}
	c.Move("{1}", to)
	require.Same(t, to, c.Owner("{1}"))
	require.Equal(t, "1", client.Get(t.Context(), "{1}").Val())
	require.ErrorContains(t, from.Client().Get(t.Context(), "{1}").Err(), "MOVED")

	to.Restart()
	c.AwaitOK()
	require.Equal(t, "1", to.Client().Get(t.Context(), "{1}").Val())
}

func TestSentinelPromotesTheReplica(t *testing.T) {
	t.Parallel()
	s := StartSentinel(t)
	require.Equal(t, "redis+sentinel://"+s.Watcher.Addr()+"/mymaster", s.URL())
	s.AwaitMaster(s.Master)
	require.NoError(t, s.Master.Client().Set(t.Context(), "k", "v", 0).Err())
	s.Replica.AwaitSync()

	s.Master.Kill()
	s.AwaitMaster(s.Replica)
	require.Equal(t, "v", s.Replica.Client().Get(t.Context(), "k").Val())
	require.NoError(t, s.Replica.Client().Set(t.Context(), "k", "w", 0).Err())
}
