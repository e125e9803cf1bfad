package redistest

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// throughProxy returns a server, a proxy in front of it and a client of the proxy.
func throughProxy(t *testing.T) (*Server, *Proxy, *redis.Client) {
	server := Start(t)
	proxy := NewProxy(t, server.Addr())
	client := newClient(proxy.Addr())
	t.Cleanup(func() { _ = client.Close() })
	require.NoError(t, client.Set(t.Context(), "k", "v", 0).Err())
	return server, proxy, client
}

func TestCutLinkRefuses(t *testing.T) {
	t.Parallel()
	server, proxy, client := throughProxy(t)
	blocked := make(chan error, 1)
	go func() { blocked <- client.BLPop(t.Context(), 0, "list").Err() }()
	require.True(t, waitUntil(func() bool {
		return server.Client().InfoMap(t.Context(), "clients").Item("Clients", "blocked_clients") == "1"
	}))
	proxy.Cut()
	require.Error(t, <-blocked)
	require.Error(t, client.Ping(t.Context()).Err())
	proxy.Resume()
	require.Equal(t, "v", client.Get(t.Context(), "k").Val())
}

func TestHungLinkKeepsWhatIsSent(t *testing.T) {
	t.Parallel()
	server, proxy, client := throughProxy(t)
	proxy.Hang()
	answer := make(chan error, 1)
	go func() { answer <- client.Set(t.Context(), "k", "late", 0).Err() }()
	select {
	case err := <-answer:
		require.Failf(t, "a hung link answered", "%v", err)
	case <-time.After(50 * time.Millisecond):
	}
	require.Equal(t, "v", server.Client().Get(t.Context(), "k").Val())
	proxy.Resume()
	require.NoError(t, <-answer)
	require.Equal(t, "late", server.Client().Get(t.Context(), "k").Val())
}

func TestHeldAnswersHideWhatWasDone(t *testing.T) {
	t.Parallel()
	server, proxy, client := throughProxy(t)
	proxy.HoldReplies()
	answer := make(chan error, 1)
	go func() { answer <- client.Set(t.Context(), "k", "done", 0).Err() }()
	require.True(t, waitUntil(func() bool { return server.Client().Get(t.Context(), "k").Val() == "done" }))
	require.Empty(t, answer)
	proxy.Cut()
	require.Error(t, <-answer)
}

func TestRetargetMovesClients(t *testing.T) {
	t.Parallel()
	_, proxy, client := throughProxy(t)
	other := Start(t)
	require.NoError(t, other.Client().Set(t.Context(), "k", "other", 0).Err())
	proxy.Retarget(other.Addr())
	require.True(t, waitUntil(func() bool { return client.Get(t.Context(), "k").Val() == "other" }))
}
