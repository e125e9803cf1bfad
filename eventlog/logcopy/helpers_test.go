package logcopy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
	"tandem/eventlog/redis"
	"tandem/eventlog/sqlite"
)

// endAt returns an end: a log in memory, a directory, or the URL of a server.
func endAt(place string) End {
	switch {
	case strings.HasPrefix(place, "redis"):
		return replicatedEnd(place, redis.Disk)
	case strings.HasPrefix(place, "memory:"):
		return End{Name: place, Open: func(context.Context) (eventlog.Log, error) { return openMemory(place), nil }}
	}
	return End{Name: "sqlite:" + place, Open: func(ctx context.Context) (eventlog.Log, error) {
		return sqlite.Open(ctx, sqlite.Config{Dir: place})
	}}
}

// memories are the logs in memory, by name.
var memories sync.Map

// newMemory returns the name of an empty log in memory.
func newMemory() string { return fmt.Sprintf("memory:%d", nodes.Add(1)) }

func openMemory(name string) eventlog.Log {
	log := eventlogtest.NewMemory()
	if stored, found := memories.Load(name); found {
		log = stored.(*eventlogtest.Memory).Reopen()
	}
	memories.Store(name, log)
	return log
}

var nodes atomic.Int64

func replicatedEnd(url string, durability redis.Durability) End {
	node := fmt.Sprintf("copy:%d:%d", os.Getpid(), nodes.Add(1))
	return End{Node: node, Open: func(ctx context.Context) (eventlog.Log, error) {
		return redis.Open(ctx, redis.Config{URL: url, Name: node, Durability: durability})
	}}
}

// run copies between two places.
func run(t testing.TB, source, target string) (Result, error) {
	t.Helper()
	return Run(t.Context(), Config{Source: endAt(source), Target: endAt(target)})
}

func open(t testing.TB, place string) eventlog.Log {
	t.Helper()
	log, err := endAt(place).Open(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = log.Close() })
	return log
}

// newSource returns the name of a log in memory with commits and some of everything else.
func newSource(t testing.TB, commits int) string {
	t.Helper()
	name := newMemory()
	log := open(t, name)
	eventlogtest.RaiseEpoch(t, log, 0, 1)
	eventlogtest.RaiseEpoch(t, log, 7, 3)
	eventlogtest.Fill(t, log, commits)
	require.NoError(t, log.Close())
	return name
}

// contents reads a log, without the receipts that may become too old to be copied during the test.
func contents(t testing.TB, log eventlog.Log) [eventlog.Partitions]eventlogtest.PartitionContents {
	t.Helper()
	return eventlogtest.Contents(t, log, time.Now().Add(-receiptAge+time.Hour))
}

func contentsOf(t testing.TB, place string) [eventlog.Partitions]eventlogtest.PartitionContents {
	t.Helper()
	log := open(t, place)
	defer func() { require.NoError(t, log.Close()) }()
	return contents(t, log)
}

// putMarker makes a log an unfinished copy.
func putMarker(t testing.TB, log eventlog.Log, source string) {
	t.Helper()
	put(t, log, eventlog.Batch{Partition: markerPartition, Puts: []eventlog.KV{{Key: markerKey, Value: fmt.Appendf(nil, `{"from":%q}`, source)}}})
}

// put appends to the end of a partition.
func put(t testing.TB, log eventlog.Log, batch eventlog.Batch) {
	t.Helper()
	lease, err := log.Own(t.Context(), batch.Partition)
	require.NoError(t, err)
	batch.Fence = lease.Fence()
	batch.Head, err = log.Head(t.Context(), batch.Partition)
	require.NoError(t, err)
	require.NoError(t, log.Append(t.Context(), batch))
	require.NoError(t, lease.Release(t.Context()))
}

// failingLog is a log whose appends fail from a certain one on. That one is stored or not.
type failingLog struct {
	eventlog.Log
	left   atomic.Int64
	stored bool
}

var errInterrupted = errors.New("interrupted")

func (f *failingLog) Append(ctx context.Context, batch eventlog.Batch) error {
	left := f.left.Add(-1)
	if left == 0 && f.stored {
		return errors.Join(f.Log.Append(ctx, batch), errInterrupted)
	}
	if left <= 0 {
		return errInterrupted
	}
	return f.Log.Append(ctx, batch)
}

// interrupt runs a copy until its nth append after the marker.
func interrupt(t testing.TB, source, target string, appends int64, stored bool) (err error) {
	t.Helper()
	c := newCopier(Config{Source: endAt(source), Target: endAt(target)})
	defer func() { require.NoError(t, errors.Join(c.target.close(), c.source.close())) }()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	require.NoError(t, c.openSource(ctx, cancel))
	require.NoError(t, c.openTarget(ctx, cancel))
	failing := &failingLog{Log: c.target.log, stored: stored}
	failing.left.Store(appends)
	c.target.log = failing
	return errors.Join(c.transfer(ctx, cancel), c.verify(ctx, cancel), c.finish(ctx, cancel))
}
