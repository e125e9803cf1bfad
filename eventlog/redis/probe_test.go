package redis

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/redis/redistest"
)

// TestHealthComesBackByItself: as long as Health tells of a fault nothing is sent, so that no write of somebody
// else's ends the fault.
func TestHealthComesBackByItself(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	l := open(t, Config{URL: s.URL()})
	s.Kill()
	require.Error(t, l.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "lost"}))
	require.Error(t, l.Health())
	s.Begin()
	eventually(t, "health", func() bool { return l.Health() == nil })
	require.NoError(t, l.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "sent"}))
}
