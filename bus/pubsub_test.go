package bus_test

import (
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/stretchr/testify/require"

	"tandem/bus"
	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
	"tandem/eventlog/redis"
	"tandem/eventlog/redis/redistest"
	"tandem/eventlog/sqlite"
)

// inboxes opens the inbox of each log.
func inboxes() map[string]func(*testing.T) eventlog.CommandQueue {
	return map[string]func(*testing.T) eventlog.CommandQueue{
		"memory": func(*testing.T) eventlog.CommandQueue { return eventlogtest.NewMemory() },
		"sqlite": func(t *testing.T) eventlog.CommandQueue { return openSQLite(t) },
		"redis":  func(t *testing.T) eventlog.CommandQueue { return openRedis(t, redistest.Start(t)) },
	}
}

func openRedis(t testing.TB, server *redistest.Server) *redis.Log {
	t.Helper()
	log, err := redis.Open(t.Context(), redis.Config{URL: server.URL()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, log.Close()) })
	return log
}

func openSQLite(t testing.TB) *sqlite.Log {
	t.Helper()
	log, err := sqlite.Open(t.Context(), sqlite.Config{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, log.Close()) })
	return log
}

// TestWatermillSuite runs Watermill's suite twice over each inbox. The first run has many
// subscribers on a topic and closes them in the middle, where a message in flight may come again.
// The second has one subscriber and forbids any repetition. Its test that restarts the server is
// TestWatermillReconnect.
func TestWatermillSuite(t *testing.T) {
	runs := map[string]tests.Features{
		"at least once": {GuaranteedOrder: true, Persistent: true},
		"exactly once":  {GuaranteedOrder: true, Persistent: true, ExactlyOnceDelivery: true, RequireSingleInstance: true},
	}
	for name, open := range inboxes() {
		for run, features := range runs {
			features.ForceShort = name == "memory" // its Advance copies the whole topic
			t.Run(name+"/"+run, func(t *testing.T) {
				inbox := open(t)
				construct := func(*testing.T) (message.Publisher, message.Subscriber) {
					return bus.NewPublisher(inbox), bus.NewSubscriber(inbox, bus.AdvanceOnAck, nil)
				}
				tests.TestPubSub(t, features, construct, nil)
			})
		}
	}
}
