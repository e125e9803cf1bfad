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
	s := redistest.Start(t)
	l := open(t, Config{URL: s.URL()})
	r := follow(t, l, eventlog.Positions{})
	w := begin(t, 6, l)
	for range 10 {
		w.progress(200)
		s.Restart()
	}
	w.progress(200)
	w.check(l)
	for p := range eventlog.Partition(6) {
		head, err := l.Head(t.Context(), p)
		require.NoError(t, err)
		eventually(t, "the reader", func() bool { return r.at(p) == head })
	}
	r.end()
}

// TestFlushedScripts: a server that forgets the scripts under load, as after a restart, is told them again;
// nobody notices.
func TestFlushedScripts(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	l := open(t, Config{URL: s.URL()})
	w := begin(t, 6, l)
	for range 50 {
		w.progress(20)
		require.NoError(t, s.Client().ScriptFlush(t.Context()).Err())
	}
	w.check(l)
	require.Empty(t, w.refused)
	require.Empty(t, w.unknown)
}

// TestNoConsumerGroups: the inbox has none, so that nothing can answer NOGROUP; one that somebody else makes and
// destroys is nobody's business.
func TestNoConsumerGroups(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	l := open(t, Config{URL: s.URL()})
	w := begin(t, 6, l)
	w.progress(100)
	for p := range eventlog.Partition(eventlog.Partitions) {
		groups, err := s.Client().XInfoGroups(t.Context(), keysOf(p).inbox).Result()
		require.NoError(t, err)
		require.Empty(t, groups)
		require.NoError(t, s.Client().XGroupCreate(t.Context(), keysOf(p).inbox, "foreign", "0").Err())
		require.NoError(t, s.Client().XGroupDestroy(t.Context(), keysOf(p).inbox, "foreign").Err())
	}
	w.progress(100)
	w.check(l)
	require.Empty(t, w.refused)
	require.Empty(t, w.unknown)
}

// throughProxy is a server and a log that reaches it through a proxy.
func throughProxy(t *testing.T, change func(*Config)) (*redistest.Server, *redistest.Proxy, *Log) {
	s := redistest.Start(t)
	p := redistest.NewProxy(t, s.Addr())
	cfg := Config{URL: "redis://" + p.Addr()}
	if change != nil {
		change(&cfg)
	}
	return s, p, open(t, cfg)
}

// TestLostAnswerToAppend: the server has stored a batch, and the connection breaks before it says so. Append
// sends it again under the same name, and it is stored once.
func TestLostAnswerToAppend(t *testing.T) {
	t.Parallel()
	s, p, l := throughProxy(t, nil)
	o := own(t, l, 3)
	r := follow(t, l, eventlog.Positions{})
	for range 3 {
		o.must(1) // over the connection that is to break
		want := formatSeq(o.head.Seq + 2)
		p.HoldAnswers()
		appended := started(func() error { return o.append(2) })
		eventually(t, "a stored batch", func() bool { return s.Client().HGet(t.Context(), keysOf(3).meta, "seq").Val() == want })
		require.Empty(t, appended)
		p.Cut()
		p.Mend()
		require.NoError(t, within(t, appended, "the end of Append"))
	}
	r.await(o)
	require.Len(t, chain(t, l, 3), 9)
	r.end()
}

// TestLostAnswerAndAnotherOwner: the answer to an append got lost, and before it could be asked for again another
// node has taken the partition and gone on. Nobody can tell any more what became of the batch, and Append does
// not claim that nothing was written.
func TestLostAnswerAndAnotherOwner(t *testing.T) {
	t.Parallel()
	s, p, l := throughProxy(t, nil)
	o := own(t, l, 3).must(1)
	p.HoldAnswers()
	b := o.batch(1)
	appended := started(func() error { return l.Append(t.Context(), b) })
	eventually(t, "a stored batch", func() bool { return s.Client().HGet(t.Context(), keysOf(3).meta, "seq").Val() == "2" })
	p.Cut()
	other := own(t, open(t, Config{URL: s.URL()}), 3)
	require.Equal(t, b.Commits[0].Head(), other.head, "the batch is stored")
	other.must(1)
	p.Mend()
	err := within(t, appended, "the end of Append")
	require.Error(t, err)
	require.NotErrorIs(t, err, eventlog.ErrConflict)
	within(t, o.lease.Lost(), "the end of the lease")
}

// TestLostAnswerToSend: a message may be in the inbox when its answer got lost, and the error does not deny it.
func TestLostAnswerToSend(t *testing.T) {
	t.Parallel()
	s, p, l := throughProxy(t, nil)
	require.NoError(t, l.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "a"}))
	p.HoldAnswers()
	sent := started(func() error { return l.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "b"}) })
	eventually(t, "the message", func() bool { return s.Client().XLen(t.Context(), keysOf(3).inbox).Val() == 2 })
	p.Cut()
	err := within(t, sent, "the end of Send")
	require.Error(t, err)
	require.NotErrorIs(t, err, eventlog.ErrNotSent)
	p.Mend()
	eventually(t, "the next message", func() bool {
		return l.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "c"}) == nil
	})
}

// TestSilentServer: a server that says nothing any more, as behind a dead network, is given up within seconds,
// also by those who wait for something new, and everything goes on when it speaks again.
func TestSilentServer(t *testing.T) {
	t.Parallel()
	_, p, l := throughProxy(t, nil)
	o := own(t, l, 3).must(1)
	r := follow(t, l, eventlog.Positions{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	received := started(func() error {
		_, err := l.Receive(ctx, eventlog.Topic(3), eventlog.Offset{}, 1)
		return err
	})
	tailer := l.inbox.tailers.of(keysOf(3).inbox)
	reading := func() bool {
		tailer.mu.Lock()
		defer tailer.mu.Unlock()
		return tailer.node != nil
	}
	eventually(t, "a waiting read", reading)
	hung := time.Now()
	p.Hang()
	err := l.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "a"})
	require.Error(t, err)
	require.NotErrorIs(t, err, eventlog.ErrNotSent)
	require.Less(t, time.Since(hung), 10*time.Second)
	require.Error(t, l.Health())
	eventually(t, "the end of the read", func() bool { return !reading() })
	require.Less(t, time.Since(hung), 8*time.Second, "go-redis would wait for 10 s more than it was told")
	require.Greater(t, l.Silent(), time.Second)
	p.Mend()
	require.NoError(t, within(t, received, "the message"))
	require.NoError(t, o.append(1))
	r.await(o)
	eventually(t, "health", func() bool { return l.Health() == nil && l.Silent() < 2*time.Second })
	r.end()
}
