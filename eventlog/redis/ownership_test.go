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

// testNode wants every partition and releases the ones that it lost, as the product does.
type testNode struct {
	t       *testing.T
	log     *Log
	stop    context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex
	leases map[eventlog.Partition]eventlog.Lease
}

func join(t *testing.T, log *Log) *testNode {
	ctx, stop := context.WithCancel(context.Background())
	node := &testNode{t: t, log: log, stop: stop, leases: make(map[eventlog.Partition]eventlog.Lease)}
	for partition := range eventlog.Partition(eventlog.Partitions) {
		node.running.Go(func() { node.own(ctx, partition) })
	}
	t.Cleanup(node.leave)
	return node
}

func (n *testNode) own(ctx context.Context, partition eventlog.Partition) {
	for {
		lease, err := n.log.Own(ctx, partition)
		if err != nil {
			return
		}
		n.set(partition, lease)
		select {
		case <-lease.Lost():
		case <-ctx.Done():
		}
		n.set(partition, nil)
		_ = lease.Release(context.Background())
	}
}

// leave releases everything.
func (n *testNode) leave() {
	n.stop()
	n.running.Wait()
}

func (n *testNode) set(partition eventlog.Partition, lease eventlog.Lease) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if lease == nil {
		delete(n.leases, partition)
		return
	}
	n.leases[partition] = lease
}

func (n *testNode) held() map[eventlog.Partition]uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	fences := make(map[eventlog.Partition]uint64)
	for partition, l := range n.leases {
		fences[partition] = l.Fence()
	}
	return fences
}

// awaitShares waits until the nodes own all partitions, each of them at most the given number.
func awaitShares(t *testing.T, most int, nodes ...*testNode) {
	t.Helper()
	eventually(t, "fair shares", func() bool {
		owners := make(map[eventlog.Partition]bool)
		for _, node := range nodes {
			held := node.held()
			if len(held) > most {
				return false
			}
			for partition := range held {
				owners[partition] = true
			}
		}
		return len(owners) == eventlog.Partitions
	})
}

// takeoverTime is the longest time until another node takes over the partitions of a silent one.
func takeoverTime() time.Duration {
	l := defaultLimits()
	return l.lease + l.heartbeat
}

// TestPartitionsAreShared: nodes share the partitions evenly when a node starts or ends. A node that closes its log
// releases all of them: leases last longer than the test.
func TestPartitionsAreShared(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	cfg := Config{URL: server.URL(), limits: defaultLimits()}
	cfg.limits.lease = time.Hour // no partition is free because a lease has expired
	first := join(t, open(t, cfg))
	awaitShares(t, 64, first)
	second := join(t, open(t, cfg))
	awaitShares(t, 32, first, second)
	third := join(t, open(t, cfg))
	awaitShares(t, 22, first, second, third)

	status, err := first.log.Status(t.Context())
	require.NoError(t, err)
	require.Len(t, status.Nodes, 3)
	for _, node := range []*testNode{first, second, third} {
		for partition, fence := range node.held() {
			require.Equal(t, node.log.coordinator.node, status.Partitions[partition].Owner)
			require.Equal(t, fence, status.Partitions[partition].Fence)
		}
	}

	require.NoError(t, third.log.Close())
	awaitShares(t, 32, first, second)
	second.leave()
	require.NoError(t, second.log.Close())
	awaitShares(t, 64, first)
}

// TestSilentNode: another node takes over the partitions of a node that is disconnected or does not respond. Later
// appends of that node are refused, and so are those that were on their way; its leases end when it notices.
func TestSilentNode(t *testing.T) {
	t.Parallel()
	for name, silences := range map[string]func(*redistest.Proxy){
		"hangs": (*redistest.Proxy).Hang, "is cut off": (*redistest.Proxy).Cut,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, proxy, log := throughProxy(t, nil)
			old := join(t, log)
			awaitShares(t, 64, old)
			fresh := join(t, open(t, Config{URL: server.URL()}))
			awaitShares(t, 32, old, fresh)
			theirs := old.owner().mustAppend(1)

			silences(proxy)
			appended := async(func() error { return theirs.append(1) })
			awaitShares(t, 64, fresh)
			mine := &testOwner{t: t, log: fresh.log, partition: theirs.partition, lease: fresh.log.coordinator.localLease(theirs.partition), head: theirs.head}
			mine.mustAppend(1)

			proxy.Resume()
			require.Error(t, receive(t, appended, "the end of Append"))
			receive(t, theirs.lease.Lost(), "the end of the lease")
			require.ErrorIs(t, theirs.append(1), eventlog.ErrConflict)
			require.Len(t, chain(t, fresh.log, theirs.partition), 2)
			awaitShares(t, 32, old, fresh)
			mine.mustAppend(1)
		})
	}
}

// owner returns the owner of some partition of the node. The partition must be empty.
func (n *testNode) owner() *testOwner {
	for partition, fence := range n.held() {
		return &testOwner{t: n.t, log: n.log, partition: partition, lease: n.log.coordinator.leaseWithFence(partition, fence)}
	}
	require.FailNow(n.t, "the node owns no partition")
	return nil
}

// TestWrongClock: a node whose clock differs from the server's by more than half a second owns no partitions, reports
// it, and leaves its share to the others. When the clock is right, it takes part again.
func TestWrongClock(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	var off atomic.Int64
	logged := newLogLines()
	log := open(t, Config{URL: server.URL(), Logger: logged.logger(), Now: func() time.Time { return time.Now().Add(time.Duration(off.Load())) }})
	wrong := join(t, log)
	awaitShares(t, 64, wrong)
	other := join(t, open(t, Config{URL: server.URL()}))
	awaitShares(t, 32, wrong, other)
	for _, d := range []time.Duration{700 * time.Millisecond, -700 * time.Millisecond} {
		off.Store(int64(d))
		awaitShares(t, 64, other)
		require.Empty(t, wrong.held())
		require.Regexp(t, `this node's clock is [567]\d\dms off the server's: it owns no partitions until they agree \(synchronise it with NTP\)`, log.Health())
		require.NoError(t, other.log.Health())
		status, err := log.Status(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{other.log.coordinator.node}, status.Nodes)
		off.Store(int64(d / 2))
		awaitShares(t, 32, wrong, other)
		require.NoError(t, log.Health())
	}
	logged.await(t, "this node's clock is ")
}

// TestWrongClockFromTheStart: such a node never owns a partition.
func TestWrongClockFromTheStart(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	log := open(t, Config{URL: server.URL(), Now: func() time.Time { return time.Now().Add(time.Minute) }})
	ctx, cancel := context.WithTimeout(t.Context(), 3*defaultLimits().heartbeat)
	defer cancel()
	_, err := log.Own(ctx, 3)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.False(t, server.Client().HExists(t.Context(), keysOf(3).meta, "owner").Val())
	require.ErrorContains(t, log.Health(), "this node's clock is ")
}

// TestOutageMovesNothing: while the server is down no node sends heartbeats, and afterwards no node takes partitions
// from another one.
func TestOutageMovesNothing(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	first, second := join(t, open(t, Config{URL: server.URL()})), join(t, open(t, Config{URL: server.URL()}))
	awaitShares(t, 32, first, second)
	a, b := first.held(), second.held()
	server.Kill()
	time.Sleep(takeoverTime()) // the outage lasts longer than a lease
	server.Start()
	back := func(node *testNode) func() bool {
		return func() bool { return node.log.Health() == nil }
	}
	eventually(t, "the first node's health", back(first))
	eventually(t, "the second node's health", back(second))
	for _, node := range []*testNode{first, second} { // until after the time without takeovers
		awaitHeartbeats(t, server, node.log, int((takeoverTime()+defaultLimits().lease+reconnectDelay)/defaultLimits().heartbeat))
	}
	require.Equal(t, a, first.held())
	require.Equal(t, b, second.held())
}

// TestNodesFollowEachOther: the followers of all nodes get every commit at once, whichever node owns the partition,
// without the periodic comparison.
func TestNodesFollowEachOther(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	never := defaultLimits()
	never.compareInterval = time.Hour
	cfg := Config{URL: server.URL(), limits: never}
	logs := []*Log{open(t, cfg), open(t, cfg)}
	readers := []*testFollower{follow(t, logs[0], eventlog.Positions{}), follow(t, logs[1], eventlog.Positions{})}
	for i := range 20 {
		owner := own(t, logs[i%2], 3)
		for range 2 {
			owner.mustAppend(1)
			for _, follower := range readers {
				follower.await(owner)
			}
		}
		require.NoError(t, owner.lease.Release(t.Context()))
	}
	for _, follower := range readers {
		follower.end()
	}
}

// TestReadAheadEndsWithTheLease: a node that lost a partition stops reading its commands.
func TestReadAheadEndsWithTheLease(t *testing.T) {
	t.Parallel()
	log := open(t, Config{URL: redistest.Start(t).URL()})
	owner := own(t, log, 3)
	require.NoError(t, log.Send(t.Context(), eventlog.Topic(3), eventlog.Message{ID: "a"}))
	_, err := log.Receive(t.Context(), eventlog.Topic(3), owner.checkpoint, 10)
	require.NoError(t, err)
	tailer := log.commands.tailers.tailerOf(keysOf(3).commands)
	streams := func() int {
		tailer.mu.Lock()
		defer tailer.mu.Unlock()
		return len(tailer.streams)
	}
	require.Equal(t, 1, streams())
	require.NoError(t, owner.lease.Release(t.Context()))
	require.Zero(t, streams())
}
