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

// testLoad sends commands and handles them, as the product does, and remembers every result.
type testLoad struct {
	t           *testing.T
	partitions  int // number of partitions with load, from 0 on
	stop        context.CancelFunc
	running     sync.WaitGroup
	sending     sync.WaitGroup
	stopSending context.CancelFunc // ends sending

	mu      sync.Mutex
	sent    map[string]eventlog.Partition // acknowledged
	unknown map[string]eventlog.Partition
	refused map[string]eventlog.Partition
	acked   map[eventlog.Partition][]eventlog.Commit // with an acknowledged append
	handled atomic.Int64
}

// startLoad sends commands to the partitions through the first log and handles them in all logs.
func startLoad(t *testing.T, partitions int, logs ...*Log) *testLoad {
	ctx, stop := context.WithCancel(context.Background())
	sending, halt := context.WithCancel(ctx)
	load := &testLoad{
		t: t, partitions: partitions, stop: stop, stopSending: halt, sent: make(map[string]eventlog.Partition), unknown: make(map[string]eventlog.Partition),
		refused: make(map[string]eventlog.Partition), acked: make(map[eventlog.Partition][]eventlog.Commit),
	}
	for partition := range eventlog.Partition(partitions) {
		load.sending.Go(func() { load.send(sending, logs[0], partition) })
		for _, log := range logs {
			load.running.Go(func() { load.own(ctx, log, partition) })
		}
	}
	t.Cleanup(func() {
		stop()
		load.sending.Wait()
		load.running.Wait()
	})
	return load
}

func (w *testLoad) send(ctx context.Context, log *Log, partition eventlog.Partition) {
	for n := 0; ctx.Err() == nil; n++ {
		id := fmt.Sprintf("%d/%d", partition, n)
		err := log.Send(context.Background(), eventlog.Topic(partition), eventlog.Message{ID: id, Payload: []byte(id)})
		w.mu.Lock()
		switch {
		case err == nil:
			w.sent[id] = partition
		case errors.Is(err, eventlog.ErrNotSent):
			w.refused[id] = partition
		default:
			w.unknown[id] = partition
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

func (w *testLoad) own(ctx context.Context, log *Log, partition eventlog.Partition) {
	for ctx.Err() == nil {
		lease, err := log.Own(ctx, partition)
		if err != nil {
			return
		}
		for ctx.Err() == nil && w.serve(ctx, log, partition, lease) {
			time.Sleep(20 * time.Millisecond)
		}
		_ = lease.Release(context.Background())
	}
}

// serve starts from the stored state and handles commands until an error. It reports whether the lease still holds.
func (w *testLoad) serve(ctx context.Context, log *Log, partition eventlog.Partition, lease eventlog.Lease) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-lease.Lost():
			cancel()
		case <-ctx.Done():
		}
	}()
	head, err := log.Head(ctx, partition)
	if err != nil {
		return ctx.Err() == nil
	}
	at, err := log.Checkpoint(ctx, eventlog.Topic(partition))
	for err == nil {
		var messages []eventlog.Message
		if messages, err = log.Receive(ctx, eventlog.Topic(partition), at, 16); err != nil {
			break
		}
		batch := eventlog.Batch{Partition: partition, Fence: lease.Fence(), Head: head, From: at}
		for _, message := range messages {
			commit := sealed(partition, head, message.ID)
			batch.Commits, head, at = append(batch.Commits, commit), commit.Head(), message.Offset
		}
		batch.To = at
		if err = log.Append(context.Background(), batch); err == nil {
			w.mu.Lock()
			w.acked[partition] = append(w.acked[partition], batch.Commits...)
			w.mu.Unlock()
			w.handled.Add(int64(len(batch.Commits)))
		}
	}
	return ctx.Err() == nil
}

// progress waits until n more commands are handled.
func (w *testLoad) progress(n int64) {
	w.t.Helper()
	goal := w.handled.Load() + n
	eventually(w.t, "handled commands", func() bool { return w.handled.Load() >= goal })
}

// check ends the load when every command is handled, and compares the log with the results: every acknowledged command
// is there exactly once, refused ones are missing, others are there at most once, and every acknowledged commit is in
// its place.
func (w *testLoad) check(log *Log) {
	w.t.Helper()
	w.stopSending()
	w.sending.Wait()
	eventually(w.t, "empty inboxes", func() bool {
		status, err := log.Status(w.t.Context())
		if err != nil {
			return false
		}
		waiting := uint64(0)
		for _, p := range status.Partitions[:w.partitions] {
			waiting += p.Waiting
		}
		return waiting == 0
	})
	w.stop()
	w.running.Wait()
	times := make(map[string]int)
	for partition := range eventlog.Partition(eventlog.Partitions) {
		w.compare(log, partition, times)
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

func (w *testLoad) compare(log *Log, partition eventlog.Partition, times map[string]int) {
	w.t.Helper()
	chain := chain(w.t, log, partition)
	for _, commit := range chain {
		times[commit.Actor]++
	}
	for _, commit := range w.acked[partition] {
		require.LessOrEqual(w.t, commit.Seq, uint64(len(chain)), "partition %d: an acknowledged commit is gone", partition)
		require.Equal(w.t, commit.Hash, chain[commit.Seq-1].Hash, "partition %d: an acknowledged commit is another one", partition)
	}
}

// chain reads a partition and verifies its chain.
func chain(t *testing.T, log *Log, partition eventlog.Partition) []eventlog.Commit {
	t.Helper()
	head, err := log.Head(t.Context(), partition)
	require.NoError(t, err)
	seqs := make([]uint64, head.Seq)
	for i := range seqs {
		seqs[i] = uint64(i) + 1
	}
	commits, err := log.Read(t.Context(), partition, seqs)
	require.NoError(t, err)
	var last eventlog.Head
	for i := range commits {
		require.NoError(t, commits[i].Verify(last))
		last = commits[i].Head()
	}
	require.Equal(t, head, last)
	return commits
}
