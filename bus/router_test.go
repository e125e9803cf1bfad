package bus_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tandem/bus"
	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
)

// A router has handlers for all partitions, of which other nodes own most.
func TestRouterWithSilentTopics(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	queue := eventlogtest.NewMemory()
	sub := bus.NewSubscriber(queue, bus.AdvanceOnAppend, nil)
	router := newRouter(t)
	var mu sync.Mutex
	var handled []string
	got := make(chan struct{}, 8)
	for partition := range eventlog.Partition(eventlog.Partitions) {
		topic := eventlog.Topic(partition)
		publish(t, queue, topic, topic)
		router.AddConsumerHandler(topic, topic, sub, func(msg *message.Message) error {
			mu.Lock()
			defer mu.Unlock()
			handled = append(handled, msg.UUID)
			got <- struct{}{}
			return nil
		})
	}
	stop := start(t, router)
	sub.Resume(eventlog.Topic(3), eventlog.Offset{})
	sub.Resume(eventlog.Topic(63), eventlog.Offset{})
	<-got
	<-got
	require.ElementsMatch(t, []string{eventlog.Topic(3), eventlog.Topic(63)}, handled)
	stop()
	_, err := sub.Subscribe(t.Context(), "t")
	require.ErrorIs(t, err, bus.ErrClosed, "closing the router closes its subscriber")
}

// Closing the router waits for a running handler, and no other message is handled after it.
func TestRouterCloseWaitsForTheHandler(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	queue := eventlogtest.NewMemory()
	publish(t, queue, "t", "a", "b")
	sub := bus.NewSubscriber(queue, bus.AdvanceOnAppend, nil)
	sub.Resume("t", eventlog.Offset{})
	router := newRouter(t)
	entered, release := make(chan struct{}), make(chan struct{})
	var handled []string
	router.AddConsumerHandler("t", "t", sub, func(msg *message.Message) error {
		close(entered)
		<-msg.Context().Done() // the end of the subscription cancels the context of a running handler
		<-release
		handled = append(handled, msg.UUID)
		return nil
	})
	stop := start(t, router)
	<-entered
	stopped := make(chan struct{})
	go func() { defer close(stopped); stop() }()
	close(release)
	<-stopped
	require.Equal(t, []string{"a"}, handled)
}

// BenchmarkRouter measures the path of a command without its decision: publish, route, handle, ack. The
// messages are spread over the topics.
func BenchmarkRouter(b *testing.B) {
	for _, topics := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("topics=%d", topics), func(b *testing.B) { benchmarkRouter(b, topics) })
	}
}

func benchmarkRouter(b *testing.B, topics int) {
	queue := openSQLite(b)
	pub, sub := bus.NewPublisher(queue), bus.NewSubscriber(queue, bus.AdvanceOnAppend, nil)
	router := newRouter(b)
	names := make([]string, topics)
	var wg sync.WaitGroup
	wg.Add(b.N)
	for i := range names {
		names[i] = eventlog.Topic(eventlog.Partition(i))
		generation := sub.Resume(names[i], eventlog.Offset{})
		router.AddConsumerHandler(names[i], names[i], sub, func(msg *message.Message) error {
			if _, gotGeneration := bus.Origin(msg); gotGeneration == generation {
				wg.Done()
			}
			return nil
		})
	}
	stop := start(b, router)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if err := pub.Publish(names[i%topics], message.NewMessage("id", nil)); err != nil {
			b.Fatal(err)
		}
	}
	wg.Wait()
	b.StopTimer()
	stop()
}

// BenchmarkSubscriber measures dispatch and ack without a router.
func BenchmarkSubscriber(b *testing.B) {
	queue := openSQLite(b)
	for range b.N {
		require.NoError(b, queue.Send(b.Context(), "t", eventlog.Message{ID: "id"}))
	}
	sub := bus.NewSubscriber(queue, bus.AdvanceOnAppend, nil)
	sub.Resume("t", eventlog.Offset{})
	messages, err := sub.Subscribe(b.Context(), "t")
	require.NoError(b, err)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		(<-messages).Ack()
	}
	b.StopTimer()
	require.NoError(b, sub.Close())
}
