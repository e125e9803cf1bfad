package sqlite

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
)

func TestReceiptsAreTrimmed(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	cfg := Config{Dir: t.TempDir(), KeepReceipts: 24 * time.Hour, Now: func() time.Time { return now }, limits: defaultLimits()}
	cfg.limits.trimEvery = 10
	log := mustOpen(t, cfg)
	owner := newTestOwner(t, log, 1)
	write := func(n int) {
		for range n {
			batch := owner.batch(0)
			batch.Receipts = []eventlog.Receipt{{Command: eventlog.CommandID{1}, At: now}}
			require.NoError(t, log.Append(t.Context(), batch))
		}
	}
	count := func() int {
		receipts, err := log.Receipts(t.Context(), 1, time.Time{})
		require.NoError(t, err)
		return len(receipts)
	}
	write(30)
	now = now.Add(24 * time.Hour)
	write(10)
	require.Equal(t, 40, count(), "none is too old yet")
	now = now.Add(time.Microsecond)
	write(10)
	require.Equal(t, 30, count(), "twenty rows at most for every ten")
	require.NoError(t, log.Close())
	log = mustOpen(t, cfg)
	defer log.Close()
	require.Equal(t, 20, count(), "the rest goes when the log is opened")
}

// TestOldReceiptsAfterTrim: trimming all rows does not hide later receipts from an owner that read before.
func TestOldReceiptsAfterTrim(t *testing.T) {
	cfg := Config{Dir: t.TempDir(), limits: defaultLimits()}
	cfg.limits.trimEvery = 1
	log := mustOpen(t, cfg)
	defer log.Close()
	write := func(owner *testOwner, at time.Time) {
		batch := owner.batch(0)
		batch.Receipts = []eventlog.Receipt{{Command: eventlog.CommandID{1}, At: at.UTC().Truncate(time.Microsecond)}}
		require.NoError(t, log.Append(t.Context(), batch))
	}
	one, two := newTestOwner(t, log, 1), newTestOwner(t, log, 2)
	for range 5 {
		write(one, time.Now())
	}
	receipts, err := log.Receipts(t.Context(), 1, time.Time{})
	require.NoError(t, err)
	require.Len(t, receipts, 5)
	conn, err := connect(filepath.Join(cfg.Dir, FileName), "DELETE FROM records")
	require.NoError(t, err)
	require.NoError(t, conn.close())
	write(one, time.Now().Add(-48*time.Hour))
	write(two, time.Now())
	write(two, time.Now())
	receipts, err = log.Receipts(t.Context(), 2, time.Time{})
	require.NoError(t, err)
	require.Len(t, receipts, 2)
	receipts, err = log.Receipts(t.Context(), 3, time.Time{})
	require.NoError(t, err)
	require.Empty(t, receipts)
}

// TestVolatileBatchesAreNotWritten: a batch with outcomes only is neither written nor synced.
func TestVolatileBatchesAreNotWritten(t *testing.T) {
	cfg := Config{Dir: t.TempDir()}
	log := mustOpen(t, cfg)
	defer log.Close()
	owner := newTestOwner(t, log, 1)
	require.NoError(t, log.Append(t.Context(), owner.batch(1)))
	content := func() []byte {
		b, err := os.ReadFile(filepath.Join(cfg.Dir, FileName+"-wal"))
		require.NoError(t, err)
		return b
	}
	before := content()
	batch := owner.batch(0)
	batch.Outcomes = []eventlog.Outcome{{Command: eventlog.CommandID{1}}}
	batch.To = eventlog.Offset{7}
	require.NoError(t, log.Append(t.Context(), batch))
	require.True(t, bytes.Equal(before, content()))
	at, err := log.Checkpoint(t.Context(), eventlog.Topic(1))
	require.NoError(t, err)
	require.Equal(t, batch.To, at)
}

// TestOutcomesOfTheSlowestAreBounded: a follower that never reads keeps a limited number of outcomes in memory, and
// dropped ones are logged.
func TestOutcomesOfTheSlowestAreBounded(t *testing.T) {
	var logged bytes.Buffer
	cfg := Config{Dir: t.TempDir(), Logger: slog.New(slog.NewTextHandler(&logged, nil)), limits: defaultLimits()}
	cfg.limits.tailOutcomes, cfg.limits.tailCommits = 10, 5
	log := mustOpen(t, cfg)
	defer log.Close()
	follower, err := log.startFollow(t.Context(), eventlog.Positions{})
	require.NoError(t, err)
	defer follower.end()
	owner := newTestOwner(t, log, 1)
	for i := range 25 {
		batch := owner.batch(1)
		batch.Outcomes = []eventlog.Outcome{{Command: eventlog.CommandID{byte(i)}}}
		require.NoError(t, log.Append(t.Context(), batch))
	}
	require.Len(t, log.tail.commits, 5)
	require.Len(t, log.tail.outcomes, 10)
	require.Equal(t, 15, strings.Count(logged.String(), "outcomes=1\n"), "each loss is logged once:\n%s", &logged)
	var commits, outcomes int
	for {
		entries, more, err := follower.read()
		require.NoError(t, err)
		if !more {
			break
		}
		for _, entry := range entries {
			if entry.Commit != nil {
				commits++
			} else {
				outcomes++
			}
		}
	}
	require.Equal(t, 25, commits, "commits are read from the file")
	require.Equal(t, 10, outcomes)
	log.mu.Lock()
	defer log.mu.Unlock()
	log.tail.trim()
	require.Empty(t, log.tail.commits)
	require.Empty(t, log.tail.outcomes)
	require.Zero(t, log.tail.bytes)
}

// TestWriteAheadFileIsBounded: readers without pauses do not let the write-ahead file grow without limit.
func TestWriteAheadFileIsBounded(t *testing.T) {
	cfg := Config{Dir: t.TempDir(), limits: defaultLimits()}
	cfg.limits.walBytes, cfg.limits.walFrames = 64<<10, 128
	log := mustOpen(t, cfg)
	defer log.Close()
	fill(t, log, 500)
	ctx, cancel := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	var rounds atomic.Int64
	for range 2 {
		readers.Go(func() {
			for ctx.Err() == nil {
				if _, err := followAll(log); err != nil {
					t.Error(err)
					return
				}
				rounds.Add(1)
			}
		})
	}
	chains := make([]*testOwner, 8)
	for i := range chains {
		chains[i] = newTestOwner(t, log, eventlog.Partition(i))
	}
	largest, written := int64(0), 0
	for i := range eventlogtest.Rounds(400, 800) {
		batch := chains[i%8].batch(10)
		require.NoError(t, log.Append(t.Context(), batch))
		written += 10 * 500
		info, err := os.Stat(filepath.Join(cfg.Dir, FileName+"-wal"))
		require.NoError(t, err)
		largest = max(largest, info.Size())
	}
	cancel()
	readers.Wait()
	require.Positive(t, rounds.Load())
	// 128 frames and the 64 KiB until the next checkpoint are some 0.6 MB. The limit is several times that, because
	// the size is estimated; an unbounded file would exceed the bytes written.
	require.Less(t, largest, int64(written)/2, "of %d bytes written", written)
	t.Logf("%d bytes were written through a file of at most %d", written, largest)
}

// TestFullFile limits the number of pages of the file, like a full disk.
func TestFullFile(t *testing.T) {
	cfg := Config{Dir: t.TempDir()}
	log := mustOpen(t, cfg)
	require.NoError(t, log.writer.conn.exec("PRAGMA max_page_count = 60"))
	owner := newTestOwner(t, log, 1)
	var stored eventlog.Head
	var err error
	for err == nil {
		stored = owner.head
		err = log.Append(t.Context(), owner.batch(5))
	}
	require.ErrorIs(t, err, eventlog.ErrStopped)
	require.ErrorContains(t, err, "free space on the disk")
	require.NoError(t, checkStopped(log))
	head, err := log.Head(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, stored, head)
	require.NoError(t, log.Close())
	log = mustOpen(t, cfg)
	defer log.Close()
	owner = newTestOwner(t, log, 1)
	require.Equal(t, stored, owner.head, "the failed transaction is not stored")
	require.NoError(t, log.Append(t.Context(), owner.batch(5)))
}

// TestCloseWhileAppending closes the log under load repeatedly. Every acknowledged commit is stored, and no call
// blocks forever.
func TestCloseWhileAppending(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	cfg := Config{Dir: t.TempDir()}
	var acknowledged [childWriters]atomic.Uint64
	for range eventlogtest.Rounds(5, 20) {
		log := mustOpen(t, cfg)
		var writers sync.WaitGroup
		enough := make(chan struct{}, 1)
		for partition := range eventlog.Partition(childWriters) {
			writers.Go(func() {
				err := writeOn(log, partition, func(seq uint64) {
					acknowledged[partition].Store(seq)
					select {
					case enough <- struct{}{}:
					default:
					}
				})
				if !errors.Is(err, eventlog.ErrStopped) {
					t.Errorf("an append ended with: %v", err)
				}
			})
		}
		<-enough
		require.NoError(t, log.Close())
		writers.Wait()
	}
	log := mustOpen(t, cfg)
	defer log.Close()
	commits, err := followAll(log)
	require.NoError(t, err)
	for partition := range eventlog.Partition(childWriters) {
		require.Len(t, commits[partition], int(acknowledged[partition].Load()), "all that was written was acknowledged before Close")
	}
}

func TestFileIsReadableInTheShell(t *testing.T) {
	cfg := closedLog(t, 10)
	conn, err := connect(filepath.Join(cfg.Dir, FileName))
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.close()) }()
	stream, err := scalar(conn, "SELECT stream || ' ' || seq || ' ' || datetime(recorded_at/1000000, 'unixepoch') FROM commits WHERE partition = 0 AND seq = 3")
	require.NoError(t, err)
	require.Equal(t, "project/nokia-xiaomi-2017/p1 3 2023-11-14 22:13:20", stream)
	problems, err := scalar(conn, "PRAGMA integrity_check")
	require.NoError(t, err)
	require.Equal(t, "ok", problems)
}
