package redis

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/redis/redistest"
)

// TestHealthRecovers: while Health reports a fault no command is sent, so that no other write ends the fault.
func TestHealthRecovers(t *testing.T) {
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
