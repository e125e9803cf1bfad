package redis

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/redis/redistest"
)

// testOwner owns a partition and knows its head.
type testOwner struct {
	t          *testing.T
	log        *Log
	partition  eventlog.Partition
	lease      eventlog.Lease
	head       eventlog.Head
	checkpoint eventlog.Offset
}

// own becomes the owner of a partition at its present head.
func own(t *testing.T, log *Log, partition eventlog.Partition) *testOwner {
	t.Helper()
	lease, err := log.Own(t.Context(), partition)
	require.NoError(t, err)
	owner := &testOwner{t: t, log: log, partition: partition, lease: lease}
	owner.head, err = log.Head(t.Context(), partition)
	require.NoError(t, err)
	owner.checkpoint, err = log.Checkpoint(t.Context(), eventlog.Topic(partition))
	require.NoError(t, err)
	return owner
}

// batch returns a batch of n commits on the head.
func (o *testOwner) batch(n int) eventlog.Batch {
	batch := eventlog.Batch{Partition: o.partition, Fence: o.lease.Fence(), Head: o.head, From: o.checkpoint, To: o.checkpoint}
	head := o.head
	for range n {
		commit := sealed(o.partition, head, fmt.Sprintf("by %d of %d", o.lease.Fence(), o.partition))
		batch.Commits, head = append(batch.Commits, commit), commit.Head()
	}
	return batch
}

func sealed(partition eventlog.Partition, head eventlog.Head, actor string) eventlog.Commit {
	commit := eventlog.Commit{
		Partition: partition, Stream: fmt.Sprintf("project/a%d/p", partition), Version: head.Seq + 1, Actor: actor,
		RecordedAt: time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC).Add(time.Duration(head.Seq) * time.Second),
		Events:     []eventlog.Event{{Type: "milestone.delivered.v1", Audience: "shared", Data: []byte(`{}`)}},
	}
	commit.Command[0] = byte(partition)
	binary.BigEndian.PutUint64(commit.Command[8:], head.Seq+1)
	commit.Seal(head)
	return commit
}

func (o *testOwner) append(n int) error {
	batch := o.batch(n)
	err := o.log.Append(o.t.Context(), batch)
	if err == nil {
		o.head = headAfter(&batch)
	}
	return err
}

func (o *testOwner) mustAppend(n int) *testOwner {
	o.t.Helper()
	require.NoError(o.t, o.append(n))
	return o
}

// async calls a function on another goroutine and returns a channel with its result.
func async(f func() error) <-chan error {
	ch := make(chan error, 1)
	go func() { ch <- f() }()
	return ch
}

// receive waits for a value. Its time limit is generous for slow machines.
func receive[T any](t *testing.T, ch <-chan T, what string) (got T) {
	t.Helper()
	select {
	case got = <-ch:
	case <-time.After(redistest.Timeout):
		require.FailNow(t, "timeout: "+what)
	}
	return got
}

// eventually polls a condition that has no signal.
func eventually(t *testing.T, what string, met func() bool) {
	t.Helper()
	require.Eventually(t, met, redistest.Timeout, 2*time.Millisecond, what)
}

// testFollower follows a log and verifies the chain of every partition.
type testFollower struct {
	t     *testing.T
	ended <-chan error
	stop  context.CancelFunc

	mu    sync.Mutex
	heads eventlog.Positions
	fault error
	more  chan struct{}
}

// follow follows from the positions and returns when the stored commits are handled.
func follow(t *testing.T, log *Log, from eventlog.Positions) *testFollower {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	follower := &testFollower{t: t, heads: from, stop: stop, more: make(chan struct{}, 1)}
	live := make(chan struct{})
	follower.ended = async(func() error { return log.Follow(ctx, from, follower.deliver, func() { close(live) }) })
	select {
	case <-live:
	case err := <-follower.ended:
		require.NoError(t, err)
	}
	t.Cleanup(stop)
	return follower
}

func (r *testFollower) deliver(entries []eventlog.Entry) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range entries {
		if e.Commit == nil {
			continue
		}
		if err := e.Commit.Verify(r.heads[e.Partition]); err != nil {
			r.fault = err
			return err
		}
		r.heads[e.Partition] = e.Commit.Head()
	}
	select {
	case r.more <- struct{}{}:
	default:
	}
	return nil
}

func (r *testFollower) positions() eventlog.Positions {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.heads
}

func (r *testFollower) at(partition eventlog.Partition) eventlog.Head {
	return r.positions()[partition]
}

// await waits until the follower has the owner's head.
func (r *testFollower) await(owner *testOwner) {
	r.t.Helper()
	for r.at(owner.partition) != owner.head {
		select {
		case <-r.more:
		case err := <-r.ended:
			require.NoError(r.t, err, "following ended")
		case <-time.After(redistest.Timeout):
			require.FailNowf(r.t, "timeout", "the reader is at %v, the owner at %v", r.at(owner.partition), owner.head)
		}
	}
}

// end stops following, which must not have ended before.
func (r *testFollower) end() {
	r.t.Helper()
	r.stop()
	require.ErrorIs(r.t, receive(r.t, r.ended, "the end of Follow"), context.Canceled)
	require.NoError(r.t, r.fault)
}

// lost returns the losses with which Follow ends, by partition.
func (r *testFollower) lost() []eventlog.LostTailError {
	r.t.Helper()
	var lost []eventlog.LostTailError
	for _, l := range eventlog.LostTails(receive(r.t, r.ended, "the end of Follow")) {
		lost = append(lost, *l)
	}
	slices.SortFunc(lost, func(a, b eventlog.LostTailError) int { return int(a.Partition) - int(b.Partition) })
	return lost
}
