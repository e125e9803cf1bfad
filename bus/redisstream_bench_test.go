package bus_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/ThreeDotsLabs/watermill/message"
	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"tandem/bus"
	"tandem/eventlog"
	"tandem/eventlog/redis/redistest"
)

// BenchmarkRedisStream compares Publisher and Subscriber with those of watermill-redisstream, in interleaved
// rounds on one server that syncs every write, and prints the ratios. Ours run as in production: the append
// advances the checkpoint, not the ack.
func BenchmarkRedisStream(b *testing.B) {
	const (
		rounds     = 7
		messages   = 4000
		publishers = 32
	)
	server := redistest.Start(b)
	log := openRedis(b, server)
	theirs, err := redisstream.NewPublisher(redisstream.PublisherConfig{Client: ownClient(server)}, watermill.NopLogger{})
	require.NoError(b, err)
	defer func() { require.NoError(b, theirs.Close()) }()
	ours := bus.NewPublisher(log)
	var publish, consume ratios
	for round := range rounds {
		mine, other := eventlog.Topic(eventlog.Partition(round)), fmt.Sprintf("theirs-%d", round)
		publish.add(
			publishAll(b, ours, mine, publishers, messages),
			publishAll(b, theirs, other, publishers, messages))
		consume.add(
			consumeOurs(b, log, mine, messages),
			consumeTheirs(b, server, other, messages))
	}
	publish.report(b, "publish", messages)
	consume.report(b, "consume", messages)
	b.ReportMetric(0, "ns/op")
}

// ratios has the durations of both sides, by round.
type ratios struct{ ours, theirs []time.Duration }

func (r *ratios) add(ours, theirs time.Duration) {
	r.ours, r.theirs = append(r.ours, ours), append(r.theirs, theirs)
}

func (r *ratios) report(b *testing.B, operation string, messages int) {
	slices.Sort(r.ours)
	slices.Sort(r.theirs)
	own, other := r.ours[len(r.ours)/2], r.theirs[len(r.theirs)/2]
	ratio := other.Seconds() / own.Seconds()
	fmt.Printf("%s: ours %.0f/s, watermill-redisstream %.0f/s: %.1f times (medians of %d rounds)\n",
		operation, float64(messages)/own.Seconds(), float64(messages)/other.Seconds(), ratio, len(r.ours))
	b.ReportMetric(ratio, operation+"-ratio")
}

func publishAll(b *testing.B, to message.Publisher, topic string, publishers, messages int) time.Duration {
	b.Helper()
	begin := time.Now()
	var all sync.WaitGroup
	for range publishers {
		all.Go(func() {
			for range messages / publishers {
				if err := to.Publish(topic, message.NewMessage(watermill.NewUUID(), make([]byte, 300))); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	return time.Since(begin)
}

func consumeOurs(b *testing.B, log eventlog.CommandQueue, topic string, messages int) time.Duration {
	b.Helper()
	sub := bus.NewSubscriber(log, bus.AdvanceOnAppend, nil)
	defer func() { require.NoError(b, sub.Close()) }()
	begin := time.Now()
	in, err := sub.Subscribe(context.Background(), topic)
	require.NoError(b, err)
	sub.Resume(topic, eventlog.Offset{})
	take(in, messages)
	return time.Since(begin)
}

func consumeTheirs(b *testing.B, server *redistest.Server, topic string, messages int) time.Duration {
	b.Helper()
	sub, err := redisstream.NewSubscriber(redisstream.SubscriberConfig{
		Client: ownClient(server), ConsumerGroup: "benchmark", OldestId: "0", DisableIndefiniteInitialBlock: true,
	}, watermill.NopLogger{})
	require.NoError(b, err)
	defer func() { require.NoError(b, sub.Close()) }()
	begin := time.Now()
	in, err := sub.Subscribe(context.Background(), topic)
	require.NoError(b, err)
	take(in, messages)
	return time.Since(begin)
}

// ownClient returns a client for watermill-redisstream, which closes it.
func ownClient(server *redistest.Server) goredis.UniversalClient {
	return goredis.NewClient(&goredis.Options{Addr: server.Addr(), PoolSize: 64})
}

func take(in <-chan *message.Message, n int) {
	for range n {
		(<-in).Ack()
	}
}
