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
	"tandem/eventlog/eventlogtest"
	"tandem/eventlog/redis/redistest"
)

// TestStartStop: closing a log at any time ends all calls and leaves no goroutine behind.
func TestStartStop(t *testing.T) {
	server := redistest.Start(t)
	require.NoError(t, server.Client().Ping(t.Context()).Err())
	before := goleak.IgnoreCurrent()
	for range eventlogtest.Rounds(10, 50) {
		log, err := Open(t.Context(), Config{URL: server.URL()})
		require.NoError(t, err)
		var all sync.WaitGroup
		for partition := range eventlog.Partition(8) {
			all.Go(func() { useUntilClosed(log, partition) })
		}
		all.Go(func() {
			_ = log.Follow(context.Background(), eventlog.Positions{}, func([]eventlog.Entry) error { return nil }, nil)
		})
		time.Sleep(rand.N(20 * time.Millisecond)) // so that Close meets different calls
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

// useUntilClosed calls the methods of a log until it is closed.
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

// TestCloseWhileTheServerIsAway: a log closes although its server is killed or does not respond, and leaves no
// goroutine behind.
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
			eventually(t, "a commit", func() bool { return metaNumber(t, server, 0, "seq") > 0 })
			away(server)
			require.NoError(t, receive(t, async(log.Close), "the end of Close"))
			all.Wait()
			goleak.VerifyNone(t, before)
		})
	}
}

// TestOpenEndsWithItsContext: Open returns when its context ends, and leaves no goroutine behind.
func TestOpenEndsWithItsContext(t *testing.T) {
	server := redistest.Start(t)
	before := goleak.IgnoreCurrent()
	server.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	opened := async(func() error {
		_, err := Open(ctx, Config{URL: server.URL()})
		return err
	})
	require.Error(t, receive(t, opened, "the end of Open"))
	goleak.VerifyNone(t, before)
}
