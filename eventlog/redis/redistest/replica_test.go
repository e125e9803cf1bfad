package redistest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestReplicaHasTheDataAndKeepsItsRole(t *testing.T) {
	t.Parallel()
	master := Start(t)
	require.NoError(t, master.Client().Set(t.Context(), "k", "v", 0).Err())
	replica := StartReplica(t, master, nil, "maxmemory 50mb")
	require.Equal(t, "v", replica.Client().Get(t.Context(), "k").Val())
	require.ErrorContains(t, replica.Client().Set(t.Context(), "k", "w", 0).Err(), "READONLY")

	replica.Restart()
	require.ErrorContains(t, replica.Client().Set(t.Context(), "k", "w", 0).Err(), "READONLY")
	replica.AwaitSync()

	replica.Promote()
	require.NoError(t, replica.Client().Set(t.Context(), "k", "w", 0).Err())
	replica.Restart()
	require.Equal(t, "w", replica.Client().Get(t.Context(), "k").Val())
	require.NoError(t, replica.Client().Set(t.Context(), "k", "x", 0).Err())
}

// TestReplicaCountsAtOnce: a new replica confirms the next WAIT.
func TestReplicaCountsAtOnce(t *testing.T) {
	t.Parallel()
	master := Start(t)
	proxy := NewProxy(t, master.Addr())
	replica := StartReplica(t, master, proxy)
	wait := func(value string, patience time.Duration) int64 {
		c := master.Client().Conn()
		defer c.Close()
		require.NoError(t, c.Set(t.Context(), "k", value, 0).Err())
		return c.Wait(t.Context(), 1, patience).Val()
	}
	require.EqualValues(t, 1, wait("both", Timeout))

	proxy.Hang()
	require.EqualValues(t, 0, wait("late", 50*time.Millisecond))
	require.Equal(t, "both", replica.Client().Get(t.Context(), "k").Val())
	proxy.Resume()
	replica.AwaitSync()
	require.Equal(t, "late", replica.Client().Get(t.Context(), "k").Val())

	proxy.Cut()
	require.EqualValues(t, 0, wait("master only", 50*time.Millisecond))
	replica.Promote()
	require.Equal(t, "late", replica.Client().Get(t.Context(), "k").Val())
	proxy.Resume()
	replica.ReplicaOf(proxy.Addr())
	require.Equal(t, "master only", replica.Client().Get(t.Context(), "k").Val())
}
