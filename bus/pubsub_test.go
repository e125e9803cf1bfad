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

// queues returns functions that open the command queue of each kind of log.
func queues() map[string]func(*testing.T) eventlog.CommandQueue {
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

// TestWatermillSuite runs Watermill's suite twice on each queue. The first run has several subscribers
// per topic and closes them in use, when a message in flight may be repeated. The second run has one
// subscriber and allows no repetition. TestWatermillReconnect is the suite's test that restarts the server.
func TestWatermillSuite(t *testing.T) {
	runs := map[string]tests.Features{
		"at least once": {GuaranteedOrder: true, Persistent: true},
		"exactly once":  {GuaranteedOrder: true, Persistent: true, ExactlyOnceDelivery: true, RequireSingleInstance: true},
	}
	for name, open := range queues() {
		for run, features := range runs {
			features.ForceShort = name == "memory" || !eventlogtest.AllRounds() // Advance of memory copies the whole topic
			t.Run(name+"/"+run, func(t *testing.T) {
				queue := open(t)
				construct := func(*testing.T) (message.Publisher, message.Subscriber) {
					return bus.NewPublisher(queue), bus.NewSubscriber(queue, bus.AdvanceOnAck, nil)
				}
				tests.TestPubSub(t, features, construct, nil)
			})
		}
	}
}
