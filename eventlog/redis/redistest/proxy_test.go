package redistest

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// throughProxy is a server, a proxy before it and a client of the proxy.
func throughProxy(t *testing.T) (*Server, *Proxy, *redis.Client) {
	s := Start(t)
	p := NewProxy(t, s.Addr())
	c := newClient(p.Addr())
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.Set(t.Context(), "k", "v", 0).Err())
	return s, p, c
}

func TestCutLinkRefuses(t *testing.T) {
	t.Parallel()
	s, p, c := throughProxy(t)
	blocked := make(chan error, 1)
	go func() { blocked <- c.BLPop(t.Context(), 0, "list").Err() }()
	require.True(t, until(func() bool {
		return s.Client().InfoMap(t.Context(), "clients").Item("Clients", "blocked_clients") == "1"
	}))
	p.Cut()
	require.Error(t, <-blocked)
	require.Error(t, c.Ping(t.Context()).Err())
	p.Mend()
	require.Equal(t, "v", c.Get(t.Context(), "k").Val())
}

func TestHungLinkKeepsWhatIsSent(t *testing.T) {
	t.Parallel()
	s, p, c := throughProxy(t)
	p.Hang()
	answer := make(chan error, 1)
	go func() { answer <- c.Set(t.Context(), "k", "late", 0).Err() }()
	select {
	case err := <-answer:
		require.Failf(t, "a hung link answered", "%v", err)
	case <-time.After(50 * time.Millisecond):
	}
	require.Equal(t, "v", s.Client().Get(t.Context(), "k").Val())
	p.Mend()
	require.NoError(t, <-answer)
	require.Equal(t, "late", s.Client().Get(t.Context(), "k").Val())
}

func TestHeldAnswersHideWhatWasDone(t *testing.T) {
	t.Parallel()
	s, p, c := throughProxy(t)
	p.HoldAnswers()
	answer := make(chan error, 1)
	go func() { answer <- c.Set(t.Context(), "k", "done", 0).Err() }()
	require.True(t, until(func() bool { return s.Client().Get(t.Context(), "k").Val() == "done" }))
	require.Empty(t, answer)
	p.Cut()
	require.Error(t, <-answer)
}

func TestRetargetMovesClients(t *testing.T) {
	t.Parallel()
	_, p, c := throughProxy(t)
	other := Start(t)
	require.NoError(t, other.Client().Set(t.Context(), "k", "other", 0).Err())
	p.Retarget(other.Addr())
	require.True(t, until(func() bool { return c.Get(t.Context(), "k").Val() == "other" }))
}
