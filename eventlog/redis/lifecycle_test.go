package redis

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tandem/eventlog"
	"tandem/eventlog/redis/redistest"
)

// TestStartStop: a log that is closed in the middle of everything ends all of it, and leaves nothing running. What
// is called meanwhile, or after, ends too.
func TestStartStop(t *testing.T) {
	server := redistest.Start(t)
	require.NoError(t, server.Client().Ping(t.Context()).Err())
	before := goleak.IgnoreCurrent()
	for range 50 {
		log, err := Open(t.Context(), Config{URL: server.URL()})
		require.NoError(t, err)
		var all sync.WaitGroup
		for partition := range eventlog.Partition(8) {
			all.Go(func() { useUntilClosed(log, partition) })
		}
		all.Go(func() {
			_ = log.Follow(context.Background(), eventlog.Positions{}, func([]eventlog.Entry) error { return nil }, nil)
		})
		time.Sleep(rand.N(20 * time.Millisecond))
		for range 2 {
			all.Go(func() { require.NoError(t, log.Close()) })
		}
		all.Wait()
	}
	require.Empty(t, server.Client().HGetAll(t.Context(), nodesKey).Val(), "a node that ended is still alive")
	for partition := range eventlog.Partition(8) {
		require.Empty(t, server.Client().HGet(t.Context(), keysOf(partition).meta, "owner").Val())
	}
	goleak.VerifyNone(t, before)
}

// useUntilClosed uses a log until it is closed.
func useUntilClosed(log *Log, partition eventlog.Partition) {
	ctx := context.Background()
	for log.ctx.Err() == nil {
		lease, err := log.Own(ctx, partition)
		if err != nil {
			return
		}
		head, _ := log.Head(ctx, partition)
		commit := sealed(partition, head, "busy")
		_ = log.Send(ctx, eventlog.Topic(partition), eventlog.Message{ID: "a"})
		_ = log.Append(ctx, eventlog.Batch{Partition: partition, Fence: lease.Fence(), Head: head, Commits: []eventlog.Commit{commit}})
		_, _ = log.Receive(ctx, eventlog.Topic(partition), eventlog.Offset{}, 10)
		_ = lease.Release(ctx)
	}
}

// TestCloseWhileTheServerIsAway: a log whose server is gone, or silent, is closed within seconds, and leaves
// nothing running either.
func TestCloseWhileTheServerIsAway(t *testing.T) {
	for name, away := range map[string]func(*redistest.Server){"killed": (*redistest.Server).Kill, "paused": (*redistest.Server).Pause} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			before := goleak.IgnoreCurrent()
			log, err := Open(t.Context(), Config{URL: server.URL()})
			require.NoError(t, err)
			var all sync.WaitGroup
			for partition := range eventlog.Partition(8) {
				all.Go(func() { useUntilClosed(log, partition) })
			}
			all.Go(func() {
				_ = log.Follow(context.Background(), eventlog.Positions{}, func([]eventlog.Entry) error { return nil }, nil)
			})
			time.Sleep(100 * time.Millisecond)
			away(server)
			began := time.Now()
			require.NoError(t, log.Close())
			all.Wait()
			t.Logf("closed after %s", time.Since(began))
			require.Less(t, time.Since(began), 3*readTimeout)
			goleak.VerifyNone(t, before)
		})
	}
}

// TestOpenEndsWithItsContext: an Open that is given up returns, and leaves nothing running.
func TestOpenEndsWithItsContext(t *testing.T) {
	server := redistest.Start(t)
	before := goleak.IgnoreCurrent()
	server.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := Open(ctx, Config{URL: server.URL()})
	require.Error(t, err)
	require.Less(t, time.Since(began), readTimeout)
	goleak.VerifyNone(t, before)
}
