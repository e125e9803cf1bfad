package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
)

// load sends commands and has them handled, as the product does, and remembers what it was told.
type load struct {
	t       *testing.T
	most    int // partitions, from the first one on
	stop    context.CancelFunc
	running sync.WaitGroup
	sending sync.WaitGroup
	halt    context.CancelFunc // ends sending

	mu      sync.Mutex
	sent    map[string]eventlog.Partition // acknowledged
	unknown map[string]eventlog.Partition
	refused map[string]eventlog.Partition
	acked   map[eventlog.Partition][]eventlog.Commit // whose append was acknowledged
	handled atomic.Int64
}

// begin sends commands to the partitions through the first log and has all logs own them.
func begin(t *testing.T, partitions int, logs ...*Log) *load {
	ctx, stop := context.WithCancel(context.Background())
	sending, halt := context.WithCancel(ctx)
	w := &load{
		t: t, most: partitions, stop: stop, halt: halt, sent: make(map[string]eventlog.Partition), unknown: make(map[string]eventlog.Partition),
		refused: make(map[string]eventlog.Partition), acked: make(map[eventlog.Partition][]eventlog.Commit),
	}
	for p := range eventlog.Partition(partitions) {
		w.sending.Go(func() { w.send(sending, logs[0], p) })
		for _, l := range logs {
			w.running.Go(func() { w.own(ctx, l, p) })
		}
	}
	t.Cleanup(func() {
		stop()
		w.sending.Wait()
		w.running.Wait()
	})
	return w
}

func (w *load) send(ctx context.Context, l *Log, p eventlog.Partition) {
	for n := 0; ctx.Err() == nil; n++ {
		id := fmt.Sprintf("%d/%d", p, n)
		err := l.Send(context.Background(), eventlog.Topic(p), eventlog.Message{ID: id, Payload: []byte(id)})
		w.mu.Lock()
		switch {
		case err == nil:
			w.sent[id] = p
		case errors.Is(err, eventlog.ErrNotSent):
			w.refused[id] = p
		default:
			w.unknown[id] = p
		}
		w.mu.Unlock()
		pause := 2 * time.Millisecond
		if err != nil {
			pause = 20 * time.Millisecond
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

func (w *load) own(ctx context.Context, l *Log, p eventlog.Partition) {
	for ctx.Err() == nil {
		lease, err := l.Own(ctx, p)
		if err != nil {
			return
		}
		for ctx.Err() == nil && w.serve(ctx, l, p, lease) {
			time.Sleep(20 * time.Millisecond)
		}
		_ = lease.Release(context.Background())
	}
}

// serve begins at what is stored and handles commands until something fails. It reports whether the lease
// is still there.
func (w *load) serve(ctx context.Context, l *Log, p eventlog.Partition, lease eventlog.Lease) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-lease.Lost():
			cancel()
		case <-ctx.Done():
		}
	}()
	head, err := l.Head(ctx, p)
	if err != nil {
		return ctx.Err() == nil
	}
	at, err := l.Checkpoint(ctx, eventlog.Topic(p))
	for err == nil {
		var messages []eventlog.Message
		if messages, err = l.Receive(ctx, eventlog.Topic(p), at, 16); err != nil {
			break
		}
		b := eventlog.Batch{Partition: p, Fence: lease.Fence(), Head: head, From: at}
		for _, m := range messages {
			c := sealed(p, head, m.ID)
			b.Commits, head, at = append(b.Commits, c), c.Head(), m.Offset
		}
		b.To = at
		if err = l.Append(context.Background(), b); err == nil {
			w.mu.Lock()
			w.acked[p] = append(w.acked[p], b.Commits...)
			w.mu.Unlock()
			w.handled.Add(int64(len(b.Commits)))
		}
	}
	return ctx.Err() == nil
}

// progress waits until n more commands are handled.
func (w *load) progress(n int64) {
	w.t.Helper()
	goal := w.handled.Load() + n
	eventually(w.t, "handled commands", func() bool { return w.handled.Load() >= goal })
}

// check ends the load, when all that was sent is handled, and compares what the log holds with what was
// said: every acknowledged command exactly once, refused ones not at all, others at most once; every
// acknowledged commit in its place.
func (w *load) check(l *Log) {
	w.t.Helper()
	w.halt()
	w.sending.Wait()
	eventually(w.t, "empty inboxes", func() bool {
		s, err := l.Status(w.t.Context())
		if err != nil {
			return false
		}
		waiting := uint64(0)
		for _, p := range s.Partitions[:w.most] {
			waiting += p.Waiting
		}
		return waiting == 0
	})
	w.stop()
	w.running.Wait()
	times := make(map[string]int)
	for p := range eventlog.Partition(eventlog.Partitions) {
		w.compare(l, p, times)
	}
	for id := range w.sent {
		require.Equal(w.t, 1, times[id], "command %s was acknowledged", id)
	}
	for id := range w.unknown {
		require.LessOrEqual(w.t, times[id], 1, "command %s", id)
	}
	for id := range w.refused {
		require.Zero(w.t, times[id], "command %s was refused", id)
	}
	w.t.Logf("%d commands acknowledged, %d refused, %d of unknown outcome; %d handled", len(w.sent), len(w.refused), len(w.unknown), w.handled.Load())
}

func (w *load) compare(l *Log, p eventlog.Partition, times map[string]int) {
	w.t.Helper()
	chain := chain(w.t, l, p)
	for _, c := range chain {
		times[c.Actor]++
	}
	for _, c := range w.acked[p] {
		require.LessOrEqual(w.t, c.Seq, uint64(len(chain)), "partition %d: an acknowledged commit is gone", p)
		require.Equal(w.t, c.Hash, chain[c.Seq-1].Hash, "partition %d: an acknowledged commit is another one", p)
	}
}

// chain reads a partition and checks that it is one.
func chain(t *testing.T, l *Log, p eventlog.Partition) []eventlog.Commit {
	t.Helper()
	head, err := l.Head(t.Context(), p)
	require.NoError(t, err)
	seqs := make([]uint64, head.Seq)
	for i := range seqs {
		seqs[i] = uint64(i) + 1
	}
	commits, err := l.Read(t.Context(), p, seqs)
	require.NoError(t, err)
	var last eventlog.Head
	for i := range commits {
		require.NoError(t, commits[i].Verify(last))
		last = commits[i].Head()
	}
	require.Equal(t, head, last)
	return commits
}
