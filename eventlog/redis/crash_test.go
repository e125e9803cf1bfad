package redis

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
	"tandem/eventlog/redis/redistest"
)

// TestKilledServer: a server is killed and restarted repeatedly under load. No acknowledged command is lost or
// doubled, and owners and followers continue.
func TestKilledServer(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	log := open(t, Config{URL: server.URL()})
	follower := follow(t, log, eventlog.Positions{})
	load := startLoad(t, 6, log)
	for range eventlogtest.Rounds(3, 10) {
		load.progress(200)
		server.Restart()
	}
	load.progress(200)
	load.check(log)
	for partition := range eventlog.Partition(6) {
		head, err := log.Head(t.Context(), partition)
		require.NoError(t, err)
		eventually(t, "the reader", func() bool { return follower.at(partition) == head })
	}
	follower.end()
}

// TestFlushedScripts: a server loses its script cache repeatedly under load, as after a restart. No command fails.
func TestFlushedScripts(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	log := open(t, Config{URL: server.URL()})
	load := startLoad(t, 6, log)
	for range eventlogtest.Rounds(10, 50) {
		load.progress(20)
		require.NoError(t, server.Client().ScriptFlush(t.Context()).Err())
	}
	load.check(log)
	require.Empty(t, load.refused)
	require.Empty(t, load.unknown)
}

// TestNoConsumerGroups: the command queue has no consumer groups, so that no command can fail with NOGROUP. Groups
// that another client creates and destroys have no effect.
func TestNoConsumerGroups(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	log := open(t, Config{URL: server.URL()})
	load := startLoad(t, 6, log)
	load.progress(100)
	for partition := range eventlog.Partition(eventlog.Partitions) {
		groups, err := server.Client().XInfoGroups(t.Context(), keysOf(partition).commands).Result()
		require.NoError(t, err)
		require.Empty(t, groups)
		require.NoError(t, server.Client().XGroupCreate(t.Context(), keysOf(partition).commands, "foreign", "0").Err())
		require.NoError(t, server.Client().XGroupDestroy(t.Context(), keysOf(partition).commands, "foreign").Err())
	}
	load.progress(100)
	load.check(log)
	require.Empty(t, load.refused)
	require.Empty(t, load.unknown)
}

// throughProxy returns a server, a proxy in front of it, and a log that connects through the proxy.
func throughProxy(t *testing.T, change func(*Config)) (*redistest.Server, *redistest.Proxy, *Log) {
	server := redistest.Start(t)
	proxy := redistest.NewProxy(t, server.Addr())
	cfg := Config{URL: "redis://" + proxy.Addr()}
	if change != nil {
		change(&cfg)
	}
	return server, proxy, open(t, cfg)
}

// TestLostReplyToAppend: the server has stored a batch, and the connection breaks before the reply. Append sends it
// again under the same name, and it is stored once.
func TestLostReplyToAppend(t *testing.T) {
	t.Parallel()
	server, proxy, log := throughProxy(t, nil)
	owner := own(t, log, 3)
	follower := follow(t, log, eventlog.Positions{})
	for range 3 {
		owner.mustAppend(1) // over the connection that will break
		want := formatSeq(owner.head.Seq + 2)
		proxy.HoldReplies()
		appended := async(func() error { return owner.append(2) })
		eventually(t, "a stored batch", func() bool { return server.Client().HGet(t.Context(), keysOf(3).meta, "seq").Val() == want })
		require.Empty(t, appended)
		proxy.Cut()
		proxy.Resume()
		require.NoError(t, receive(t, appended, "the end of Append"))
	}
	follower.await(owner)
	require.Len(t, chain(t, log, 3), 9)
	follower.end()
}

// TestLostReplyAndAnotherOwner: the reply to an append is lost, and before Append can send it again another node has
// taken the partition over and appended. The outcome of the batch is unknown, and the error is not ErrConflict.
func TestLostReplyAndAnotherOwner(t *testing.T) {
	t.Parallel()
	server, proxy, log := throughProxy(t, nil)
	owner := own(t, log, 3).mustAppend(1)
	proxy.HoldReplies()
	batch := owner.batch(1)
	appended := async(func() error { return log.Append(t.Context(), batch) })
	eventually(t, "a stored batch", func() bool { return server.Client().HGet(t.Context(), keysOf(3).meta, "seq").Val() == "2" })
	proxy.Cut()
	other := own(t, open(t, Config{URL: server.URL()}), 3)
	require.Equal(t, batch.Commits[0].Head(), other.head, "the batch is stored")
	other.mustAppend(1)
	proxy.Resume()
	err := receive(t, appended, "the end of Append")
	require.Error(t, err)
	require.NotErrorIs(t, err, eventlog.ErrConflict)
	receive(t, owner.lease.Lost(), "the end of the lease")
}

// TestLostReplyToSend: a message may be in the queue when the reply is lost, and the error is not ErrNotSent.
func TestLostReplyToSend(t *testing.T) {
	t.Parallel()
	server, proxy, log := throughProxy(t, nil)
	require.NoError(t, log.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "a"}))
	proxy.HoldReplies()
	sent := async(func() error { return log.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "b"}) })
	eventually(t, "the message", func() bool { return server.Client().XLen(t.Context(), keysOf(3).commands).Val() == 2 })
	proxy.Cut()
	err := receive(t, sent, "the end of Send")
	require.Error(t, err)
	require.NotErrorIs(t, err, eventlog.ErrNotSent)
	proxy.Resume()
	eventually(t, "the next message", func() bool {
		return log.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "c"}) == nil
	})
}

// TestSilentServer: a server that does not respond is given up, also by blocking reads, and the log continues when it
// responds again. A blocking read ends before two more sends have timed out, although go-redis itself would wait for
// 10 s more.
func TestSilentServer(t *testing.T) {
	t.Parallel()
	_, proxy, log := throughProxy(t, nil)
	owner := own(t, log, 3).mustAppend(1)
	follower := follow(t, log, eventlog.Positions{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	received := async(func() error {
		_, err := log.Receive(ctx, eventlog.Topic(3), eventlog.Offset{}, 1)
		return err
	})
	tailer := log.commands.tailers.tailerOf(keysOf(3).commands)
	reading := func() bool {
		tailer.mu.Lock()
		defer tailer.mu.Unlock()
		return tailer.node != nil
	}
	eventually(t, "a waiting read", reading)
	proxy.Hang()
	first := async(func() error { return log.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "a"}) })
	err := receive(t, first, "the end of Send")
	require.Error(t, err)
	require.NotErrorIs(t, err, eventlog.ErrNotSent)
	require.Error(t, log.Health())
	for range 2 {
		require.Error(t, log.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "b"}))
	}
	require.False(t, reading(), "the blocking read must have ended before")
	eventually(t, "staleness", func() bool { return log.Staleness() > time.Second })
	proxy.Resume()
	require.NoError(t, receive(t, received, "the message"))
	require.NoError(t, owner.append(1))
	follower.await(owner)
	eventually(t, "health", func() bool { return log.Health() == nil && log.Staleness() < 2*time.Second })
	follower.end()
}
