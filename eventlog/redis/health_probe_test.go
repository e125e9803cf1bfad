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
	server := redistest.Start(t)
	log := open(t, Config{URL: server.URL()})
	server.Kill()
	require.Error(t, log.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "lost"}))
	require.Error(t, log.Health())
	server.Start()
	eventually(t, "health", func() bool { return log.Health() == nil })
	require.NoError(t, log.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "sent"}))
}
