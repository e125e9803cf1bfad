//go:build !race

package bus_test

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/stretchr/testify/require"

	"tandem/bus"
	"tandem/eventlog/redis/redistest"
)

// TestWatermillReconnect is the test of Watermill's suite in which the server crashes twice while a
// hundred publishers send ten thousand messages. Each message must arrive once and in order.
func TestWatermillReconnect(t *testing.T) {
	server := redistest.Start(t, "enable-debug-command local")
	_, port, err := net.SplitHostPort(server.Addr())
	require.NoError(t, err)
	queue := openRedis(t, server)
	features := tests.Features{
		GuaranteedOrder: true, Persistent: true, ExactlyOnceDelivery: true, RequireSingleInstance: true,
		// The process survives; the connection of this command fails.
		RestartServiceCommand: []string{"sh", "-c", "redis-cli -p " + port + " DEBUG CRASH-AND-RECOVER || true"},
	}
	tests.TestReconnect(t, tests.TestContext{TestID: tests.NewTestID(), Features: features}, func(t *testing.T) (message.Publisher, message.Subscriber) {
		sub, err := delayLast(10_000)(bus.NewSubscriber(queue, bus.AdvanceOnAck, nil))
		require.NoError(t, err)
		return bus.NewPublisher(queue), sub
	})
}

// delayLast delays the last message. When the suite receives it, it compares received and sent messages at once,
// although another goroutine may still record the last sent one, without a lock.
func delayLast(messages int) message.SubscriberDecorator {
	var mu sync.Mutex
	seen := make(map[string]bool, messages)
	return message.MessageTransformSubscriberDecorator(func(msg *message.Message) {
		mu.Lock()
		defer mu.Unlock()
		if seen[msg.UUID] = true; len(seen) == messages {
			time.Sleep(100 * time.Millisecond)
		}
	})
}
