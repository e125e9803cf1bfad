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
	s := redistest.Start(t)
	require.NoError(t, s.Client().Ping(t.Context()).Err())
	before := goleak.IgnoreCurrent()
	for range 50 {
		l, err := Open(t.Context(), Config{URL: s.URL()})
		require.NoError(t, err)
		var all sync.WaitGroup
		for p := range eventlog.Partition(8) {
			all.Go(func() { busy(l, p) })
		}
		all.Go(func() {
			_ = l.Follow(context.Background(), eventlog.Positions{}, func([]eventlog.Entry) error { return nil }, nil)
		})
		time.Sleep(rand.N(20 * time.Millisecond))
		for range 2 {
			all.Go(func() { require.NoError(t, l.Close()) })
		}
		all.Wait()
	}
	require.Empty(t, s.Client().HGetAll(t.Context(), nodesKey).Val(), "a node that ended is still alive")
	for p := range eventlog.Partition(8) {
		require.Empty(t, s.Client().HGet(t.Context(), keysOf(p).meta, "owner").Val())
	}
	goleak.VerifyNone(t, before)
}

// busy uses a log until it is closed.
func busy(l *Log, p eventlog.Partition) {
	ctx := context.Background()
	for l.ctx.Err() == nil {
		lease, err := l.Own(ctx, p)
		if err != nil {
			return
		}
		head, _ := l.Head(ctx, p)
		c := sealed(p, head, "busy")
		_ = l.Send(ctx, eventlog.Topic(p), eventlog.Message{ID: "a"})
		_ = l.Append(ctx, eventlog.Batch{Partition: p, Fence: lease.Fence(), Head: head, Commits: []eventlog.Commit{c}})
		_, _ = l.Receive(ctx, eventlog.Topic(p), eventlog.Offset{}, 10)
		_ = lease.Release(ctx)
	}
}

// TestCloseWhileTheServerIsAway: a log whose server is gone, or silent, is closed within seconds, and leaves
// nothing running either.
func TestCloseWhileTheServerIsAway(t *testing.T) {
	for name, away := range map[string]func(*redistest.Server){"killed": (*redistest.Server).Kill, "paused": (*redistest.Server).Pause} {
		t.Run(name, func(t *testing.T) {
			s := redistest.Start(t)
			before := goleak.IgnoreCurrent()
			l, err := Open(t.Context(), Config{URL: s.URL()})
			require.NoError(t, err)
			var all sync.WaitGroup
			for p := range eventlog.Partition(8) {
				all.Go(func() { busy(l, p) })
			}
			all.Go(func() {
				_ = l.Follow(context.Background(), eventlog.Positions{}, func([]eventlog.Entry) error { return nil }, nil)
			})
			time.Sleep(100 * time.Millisecond)
			away(s)
			began := time.Now()
			require.NoError(t, l.Close())
			all.Wait()
			t.Logf("closed after %s", time.Since(began))
			require.Less(t, time.Since(began), 3*readTimeout)
			goleak.VerifyNone(t, before)
		})
	}
}

// TestOpenEndsWithItsContext: an Open that is given up returns, and leaves nothing running.
func TestOpenEndsWithItsContext(t *testing.T) {
	s := redistest.Start(t)
	before := goleak.IgnoreCurrent()
	s.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := Open(ctx, Config{URL: s.URL()})
	require.Error(t, err)
	require.Less(t, time.Since(began), readTimeout)
	goleak.VerifyNone(t, before)
}
