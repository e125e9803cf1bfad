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

// owner has a partition and knows its end.
type owner struct {
	t     *testing.T
	log   *Log
	p     eventlog.Partition
	lease eventlog.Lease
	head  eventlog.Head
	done  eventlog.Offset
}

// own takes a partition over at its present end.
func own(t *testing.T, l *Log, p eventlog.Partition) *owner {
	t.Helper()
	lease, err := l.Own(t.Context(), p)
	require.NoError(t, err)
	o := &owner{t: t, log: l, p: p, lease: lease}
	o.head, err = l.Head(t.Context(), p)
	require.NoError(t, err)
	o.done, err = l.Checkpoint(t.Context(), eventlog.Topic(p))
	require.NoError(t, err)
	return o
}

// batch returns n commits on the head.
func (o *owner) batch(n int) eventlog.Batch {
	b := eventlog.Batch{Partition: o.p, Fence: o.lease.Fence(), Head: o.head, From: o.done, To: o.done}
	head := o.head
	for range n {
		c := sealed(o.p, head, fmt.Sprintf("by %d of %d", o.lease.Fence(), o.p))
		b.Commits, head = append(b.Commits, c), c.Head()
	}
	return b
}

func sealed(p eventlog.Partition, head eventlog.Head, actor string) eventlog.Commit {
	c := eventlog.Commit{
		Partition: p, Stream: fmt.Sprintf("project/a%d/p", p), Version: head.Seq + 1, Actor: actor,
		RecordedAt: time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC).Add(time.Duration(head.Seq) * time.Second),
		Events:     []eventlog.Event{{Type: "milestone.delivered.v1", Audience: "shared", Data: []byte(`{}`)}},
	}
	c.Command[0] = byte(p)
	binary.BigEndian.PutUint64(c.Command[8:], head.Seq+1)
	c.Seal(head)
	return c
}

func (o *owner) append(n int) error {
	b := o.batch(n)
	err := o.log.Append(o.t.Context(), b)
	if err == nil {
		o.head = end(&b)
	}
	return err
}

func (o *owner) must(n int) *owner {
	o.t.Helper()
	require.NoError(o.t, o.append(n))
	return o
}

// started runs f on its own goroutine and returns the channel of its result.
func started(f func() error) <-chan error {
	ch := make(chan error, 1)
	go func() { ch <- f() }()
	return ch
}

// within waits for what must come soon; slow machines get their time.
func within[T any](t *testing.T, ch <-chan T, what string) (got T) {
	t.Helper()
	select {
	case got = <-ch:
	case <-time.After(redistest.Patience):
		require.FailNow(t, "nothing came: "+what)
	}
	return got
}

// eventually waits for what nobody tells of.
func eventually(t *testing.T, what string, met func() bool) {
	t.Helper()
	require.Eventually(t, met, redistest.Patience, 2*time.Millisecond, what)
}

// reader follows a log and checks that what it gets is each partition's chain.
type reader struct {
	t     *testing.T
	ended <-chan error
	stop  context.CancelFunc

	mu    sync.Mutex
	heads eventlog.Positions
	fault error
	more  chan struct{}
}

// follow follows from the positions and returns when the past is delivered.
func follow(t *testing.T, l *Log, from eventlog.Positions) *reader {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r := &reader{t: t, heads: from, stop: stop, more: make(chan struct{}, 1)}
	live := make(chan struct{})
	r.ended = started(func() error { return l.Follow(ctx, from, r.deliver, func() { close(live) }) })
	select {
	case <-live:
	case err := <-r.ended:
		require.NoError(t, err)
	}
	t.Cleanup(stop)
	return r
}

func (r *reader) deliver(entries []eventlog.Entry) error {
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

func (r *reader) positions() eventlog.Positions {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.heads
}

func (r *reader) at(p eventlog.Partition) eventlog.Head { return r.positions()[p] }

// await waits until the reader is where the owner is.
func (r *reader) await(o *owner) {
	r.t.Helper()
	for r.at(o.p) != o.head {
		select {
		case <-r.more:
		case err := <-r.ended:
			require.NoError(r.t, err, "following ended")
		case <-time.After(redistest.Patience):
			require.FailNowf(r.t, "it does not come", "the reader is at %v, the owner at %v", r.at(o.p), o.head)
		}
	}
}

// end stops following; it must not have ended before.
func (r *reader) end() {
	r.t.Helper()
	r.stop()
	require.ErrorIs(r.t, within(r.t, r.ended, "the end of Follow"), context.Canceled)
	require.NoError(r.t, r.fault)
}

// lost returns the losses with which following ends, by partition.
func (r *reader) lost() []eventlog.LostTailError {
	r.t.Helper()
	var lost []eventlog.LostTailError
	for _, l := range eventlog.LostTails(within(r.t, r.ended, "the end of Follow")) {
		lost = append(lost, *l)
	}
	slices.SortFunc(lost, func(a, b eventlog.LostTailError) int { return int(a.Partition) - int(b.Partition) })
	return lost
}
