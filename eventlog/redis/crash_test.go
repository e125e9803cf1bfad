package redis

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/redis/redistest"
)

// TestKilledServer: a server that is killed and started again ten times under load loses nothing that was
// acknowledged, and doubles nothing. Owners and followers go on by themselves.
func TestKilledServer(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	log := open(t, Config{URL: server.URL()})
	follower := follow(t, log, eventlog.Positions{})
	load := startLoad(t, 6, log)
	for range 10 {
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

// TestFlushedScripts: a server that forgets the scripts under load, as after a restart, is told them again;
// nobody notices.
func TestFlushedScripts(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	log := open(t, Config{URL: server.URL()})
	load := startLoad(t, 6, log)
	for range 50 {
		load.progress(20)
		require.NoError(t, server.Client().ScriptFlush(t.Context()).Err())
	}
	load.check(log)
	require.Empty(t, load.refused)
	require.Empty(t, load.unknown)
}

// TestNoConsumerGroups: the inbox has none, so that nothing can answer NOGROUP; one that somebody else makes and
// destroys is nobody's business.
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

// throughProxy is a server and a log that reaches it through a proxy.
func throughProxy(t *testing.T, change func(*Config)) (*redistest.Server, *redistest.Proxy, *Log) {
	server := redistest.Start(t)
	proxy := redistest.NewProxy(t, server.Addr())
	cfg := Config{URL: "redis://" + proxy.Addr()}
	if change != nil {
		change(&cfg)
	}
	return server, proxy, open(t, cfg)
}

// TestLostAnswerToAppend: the server has stored a batch, and the connection breaks before it says so. Append
// sends it again under the same name, and it is stored once.
func TestLostAnswerToAppend(t *testing.T) {
	t.Parallel()
	server, proxy, log := throughProxy(t, nil)
	owner := own(t, log, 3)
	follower := follow(t, log, eventlog.Positions{})
	for range 3 {
		owner.mustAppend(1) // over the connection that is to break
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

// TestLostAnswerAndAnotherOwner: the answer to an append got lost, and before it could be asked for again another
// node has taken the partition and gone on. Nobody can tell any more what became of the batch, and Append does
// not claim that nothing was written.
func TestLostAnswerAndAnotherOwner(t *testing.T) {
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

// TestLostAnswerToSend: a message may be in the inbox when its answer got lost, and the error does not deny it.
func TestLostAnswerToSend(t *testing.T) {
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

// TestSilentServer: a server that says nothing any more, as behind a dead network, is given up within seconds,
// also by those who wait for something new, and everything goes on when it speaks again.
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
	hung := time.Now()
	proxy.Hang()
	err := log.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "a"})
	require.Error(t, err)
	require.NotErrorIs(t, err, eventlog.ErrNotSent)
	require.Less(t, time.Since(hung), 10*time.Second)
	require.Error(t, log.Health())
	eventually(t, "the end of the read", func() bool { return !reading() })
	require.Less(t, time.Since(hung), 8*time.Second, "go-redis would wait for 10 s more than it was told")
	require.Greater(t, log.Staleness(), time.Second)
	proxy.Resume()
	require.NoError(t, receive(t, received, "the message"))
	require.NoError(t, owner.append(1))
	follower.await(owner)
	eventually(t, "health", func() bool { return log.Health() == nil && log.Staleness() < 2*time.Second })
	follower.end()
}
