package redis

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/redis/redistest"
)

// node wants every partition and gives up what it has lost, as the product does.
type node struct {
	t       *testing.T
	log     *Log
	stop    context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex
	leases map[eventlog.Partition]eventlog.Lease
}

func join(t *testing.T, l *Log) *node {
	ctx, stop := context.WithCancel(context.Background())
	n := &node{t: t, log: l, stop: stop, leases: make(map[eventlog.Partition]eventlog.Lease)}
	for p := range eventlog.Partition(eventlog.Partitions) {
		n.running.Go(func() { n.own(ctx, p) })
	}
	t.Cleanup(n.leave)
	return n
}

func (n *node) own(ctx context.Context, p eventlog.Partition) {
	for {
		lease, err := n.log.Own(ctx, p)
		if err != nil {
			return
		}
		n.set(p, lease)
		select {
		case <-lease.Lost():
		case <-ctx.Done():
		}
		n.set(p, nil)
		_ = lease.Release(context.Background())
	}
}

// leave gives everything up; what Close does not do for it.
func (n *node) leave() {
	n.stop()
	n.running.Wait()
}

func (n *node) set(p eventlog.Partition, lease eventlog.Lease) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if lease == nil {
		delete(n.leases, p)
		return
	}
	n.leases[p] = lease
}

func (n *node) held() map[eventlog.Partition]uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	fences := make(map[eventlog.Partition]uint64)
	for p, l := range n.leases {
		fences[p] = l.Fence()
	}
	return fences
}

// shared waits until the nodes have so many partitions each, and all of them together, and returns how long
// that took.
func shared(t *testing.T, most int, nodes ...*node) time.Duration {
	t.Helper()
	began := time.Now()
	eventually(t, "fair shares", func() bool {
		owners := make(map[eventlog.Partition]bool)
		for _, n := range nodes {
			held := n.held()
			if len(held) > most {
				return false
			}
			for p := range held {
				owners[p] = true
			}
		}
		return len(owners) == eventlog.Partitions
	})
	return time.Since(began)
}

// silence is how long a silent node keeps its partitions at most, until the next beat of another one.
func silence() time.Duration {
	l := defaultLimits()
	return l.lease + l.beat
}

// TestPartitionsAreShared: nodes share the partitions evenly, within a few beats of a node's coming or going. A
// node that closes its log gives all of them up at once.
func TestPartitionsAreShared(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	cfg := Config{URL: s.URL()}
	first := join(t, open(t, cfg))
	t.Logf("one node: %s", shared(t, 64, first))
	second := join(t, open(t, cfg))
	t.Logf("a second node comes: %s", shared(t, 32, first, second))
	third := join(t, open(t, cfg))
	t.Logf("a third node comes: %s", shared(t, 22, first, second, third))

	status, err := first.log.Status(t.Context())
	require.NoError(t, err)
	require.Len(t, status.Nodes, 3)
	for _, n := range []*node{first, second, third} {
		for p, fence := range n.held() {
			require.Equal(t, n.log.owners.node, status.Partitions[p].Owner)
			require.Equal(t, fence, status.Partitions[p].Fence)
		}
	}

	require.NoError(t, third.log.Close())
	took := shared(t, 32, first, second)
	t.Logf("the third node closes: %s", took)
	require.Less(t, took, time.Second, "nobody waits for the end of a lease")
	second.leave()
	require.NoError(t, second.log.Close())
	took = shared(t, 64, first)
	t.Logf("the second node leaves and closes: %s", took)
	require.Less(t, took, time.Second)
}

// TestSilentNode: the partitions of a node that is cut off, paused or dead are taken over within a lease and a
// beat. What it still appends is refused, also if it was sent before, and its leases are lost when it can
// see that.
func TestSilentNode(t *testing.T) {
	t.Parallel()
	for name, silences := range map[string]func(*redistest.Proxy){
		"hangs": (*redistest.Proxy).Hang, "is cut off": (*redistest.Proxy).Cut,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, p, l := throughProxy(t, nil)
			old := join(t, l)
			shared(t, 64, old)
			fresh := join(t, open(t, Config{URL: s.URL()}))
			shared(t, 32, old, fresh)
			theirs := old.owner().must(1)

			silences(p)
			appended := started(func() error { return theirs.append(1) })
			took := shared(t, 64, fresh)
			t.Logf("taken over after %s", took)
			require.Less(t, took, silence()+time.Second, "the product promises 3 s")
			mine := &owner{t: t, log: fresh.log, p: theirs.p, lease: fresh.log.owners.any(theirs.p), head: theirs.head}
			mine.must(1)

			p.Mend()
			require.Error(t, within(t, appended, "the end of Append"))
			within(t, theirs.lease.Lost(), "the end of the lease")
			require.ErrorIs(t, theirs.append(1), eventlog.ErrConflict)
			require.Len(t, chain(t, fresh.log, theirs.p), 2)
			shared(t, 32, old, fresh)
			mine.must(1)
		})
	}
}

// owner returns the owner of some partition of the node, which has no commits.
func (n *node) owner() *owner {
	for p, fence := range n.held() {
		return &owner{t: n.t, log: n.log, p: p, lease: n.log.owners.lease(p, fence)}
	}
	require.FailNow(n.t, "the node owns nothing")
	return nil
}

// TestWrongClock: a node whose clock is more than half a second off the server's owns nothing, says so, and
// leaves its share to the others. When the clock is right it takes part again.
func TestWrongClock(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	var off atomic.Int64
	said := newLines()
	l := open(t, Config{URL: s.URL(), Logger: said.logger(), Now: func() time.Time { return time.Now().Add(time.Duration(off.Load())) }})
	wrong := join(t, l)
	shared(t, 64, wrong)
	other := join(t, open(t, Config{URL: s.URL()}))
	shared(t, 32, wrong, other)
	for _, d := range []time.Duration{700 * time.Millisecond, -700 * time.Millisecond} {
		off.Store(int64(d))
		shared(t, 64, other)
		require.Empty(t, wrong.held())
		require.Regexp(t, `this node's clock is [567]\d\dms off the server's: it owns nothing until they agree \(set it with NTP\)`, l.Health())
		require.NoError(t, other.log.Health())
		status, err := l.Status(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{other.log.owners.node}, status.Nodes)
		off.Store(int64(d / 2))
		shared(t, 32, wrong, other)
		require.NoError(t, l.Health())
	}
	said.await(t, "this node's clock is ")
}

// TestWrongClockFromTheStart: such a node takes nothing even for a moment.
func TestWrongClockFromTheStart(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	l := open(t, Config{URL: s.URL(), Now: func() time.Time { return time.Now().Add(time.Minute) }})
	ctx, cancel := context.WithTimeout(t.Context(), 3*defaultLimits().beat)
	defer cancel()
	_, err := l.Own(ctx, 3)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.False(t, s.Client().HExists(t.Context(), keysOf(3).meta, "owner").Val())
	require.ErrorContains(t, l.Health(), "this node's clock is ")
}

// TestOutageMovesNothing: while the server is away all nodes are silent, and none takes that for the others'
// end when it is back.
func TestOutageMovesNothing(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	first, second := join(t, open(t, Config{URL: s.URL()})), join(t, open(t, Config{URL: s.URL()}))
	shared(t, 32, first, second)
	a, b := first.held(), second.held()
	s.Kill()
	time.Sleep(silence())
	s.Begin()
	back := func(n *node) func() bool {
		return func() bool { return n.log.Health() == nil }
	}
	eventually(t, "the first node's health", back(first))
	eventually(t, "the second node's health", back(second))
	time.Sleep(silence() + defaultLimits().lease + redial)
	require.Equal(t, a, first.held())
	require.Equal(t, b, second.held())
}

// TestNodesHearOfEachOther: whoever owns a partition, the followers of all nodes are told of what is appended, at
// once and not only by the comparison of every second.
func TestNodesHearOfEachOther(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	never := defaultLimits()
	never.verify = time.Hour
	cfg := Config{URL: s.URL(), limits: never}
	logs := []*Log{open(t, cfg), open(t, cfg)}
	readers := []*reader{follow(t, logs[0], eventlog.Positions{}), follow(t, logs[1], eventlog.Positions{})}
	for i := range 20 {
		o := own(t, logs[i%2], 3)
		for range 2 {
			o.must(1)
			for _, r := range readers {
				r.await(o)
			}
		}
		require.NoError(t, o.lease.Release(t.Context()))
	}
	for _, r := range readers {
		r.end()
	}
}

// TestNothingIsReadAheadForOthers: a node that has lost a partition reads no more of its commands.
func TestNothingIsReadAheadForOthers(t *testing.T) {
	t.Parallel()
	l := open(t, Config{URL: redistest.Start(t).URL()})
	o := own(t, l, 3)
	require.NoError(t, l.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "a"}))
	_, err := l.Receive(t.Context(), eventlog.Topic(3), o.done, 10)
	require.NoError(t, err)
	tailer := l.inbox.tailers.of(keysOf(3).inbox)
	streams := func() int {
		tailer.mu.Lock()
		defer tailer.mu.Unlock()
		return len(tailer.streams)
	}
	require.Equal(t, 1, streams())
	require.NoError(t, o.lease.Release(t.Context()))
	require.Zero(t, streams())
}
