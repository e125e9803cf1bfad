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
)

func TestRecordsAreTrimmed(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	cfg := Config{Dir: t.TempDir(), KeepRecords: 24 * time.Hour, Now: func() time.Time { return now }, limits: defaultLimits()}
	cfg.limits.trimEvery = 10
	l := mustOpen(t, cfg)
	c := newWriterChain(t, l, 1)
	write := func(n int) {
		for range n {
			b := c.batch(0)
			b.Records = []eventlog.Record{{Command: eventlog.CommandID{1}, At: now}}
			require.NoError(t, l.Append(t.Context(), b))
		}
	}
	count := func() int {
		records, err := l.Records(t.Context(), 1, time.Time{})
		require.NoError(t, err)
		return len(records)
	}
	write(30)
	now = now.Add(24 * time.Hour)
	write(10)
	require.Equal(t, 40, count(), "nothing is too old yet")
	now = now.Add(time.Microsecond)
	write(10)
	require.Equal(t, 30, count(), "twenty rows at most for every ten")
	require.NoError(t, l.Close())
	l = mustOpen(t, cfg)
	defer l.Close()
	require.Equal(t, 20, count(), "the rest goes when the log is opened")
}

// TestRecordsOfLongAgo shows that trimming all rows hides no later ones from who asked before.
func TestRecordsOfLongAgo(t *testing.T) {
	cfg := Config{Dir: t.TempDir(), limits: defaultLimits()}
	cfg.limits.trimEvery = 1
	l := mustOpen(t, cfg)
	defer l.Close()
	write := func(c *writerChain, at time.Time) {
		b := c.batch(0)
		b.Records = []eventlog.Record{{Command: eventlog.CommandID{1}, At: at.UTC().Truncate(time.Microsecond)}}
		require.NoError(t, l.Append(t.Context(), b))
	}
	one, two := newWriterChain(t, l, 1), newWriterChain(t, l, 2)
	for range 5 {
		write(one, time.Now())
	}
	records, err := l.Records(t.Context(), 1, time.Time{})
	require.NoError(t, err)
	require.Len(t, records, 5)
	c, err := connect(filepath.Join(cfg.Dir, FileName), "DELETE FROM records")
	require.NoError(t, err)
	require.NoError(t, c.close())
	write(one, time.Now().Add(-48*time.Hour))
	write(two, time.Now())
	write(two, time.Now())
	records, err = l.Records(t.Context(), 2, time.Time{})
	require.NoError(t, err)
	require.Len(t, records, 2)
	records, err = l.Records(t.Context(), 3, time.Time{})
	require.NoError(t, err)
	require.Empty(t, records)
}

// TestVolatileBatchesAreNotWritten shows that a batch of outcomes costs no write and no sync.
func TestVolatileBatchesAreNotWritten(t *testing.T) {
	cfg := Config{Dir: t.TempDir()}
	l := mustOpen(t, cfg)
	defer l.Close()
	c := newWriterChain(t, l, 1)
	require.NoError(t, l.Append(t.Context(), c.batch(1)))
	content := func() []byte {
		b, err := os.ReadFile(filepath.Join(cfg.Dir, FileName+"-wal"))
		require.NoError(t, err)
		return b
	}
	before := content()
	b := c.batch(0)
	b.Outcomes = []eventlog.Outcome{{Command: eventlog.CommandID{1}}}
	b.To = eventlog.Offset{7}
	require.NoError(t, l.Append(t.Context(), b))
	require.True(t, bytes.Equal(before, content()))
	at, err := l.Checkpoint(t.Context(), eventlog.Topic(1))
	require.NoError(t, err)
	require.Equal(t, b.To, at)
}

// TestOutcomesOfTheSlowestAreBounded shows that a follower that never reads costs a bounded
// number of outcomes, and that what is dropped is said.
func TestOutcomesOfTheSlowestAreBounded(t *testing.T) {
	var said bytes.Buffer
	cfg := Config{Dir: t.TempDir(), Logger: slog.New(slog.NewTextHandler(&said, nil)), limits: defaultLimits()}
	cfg.limits.tailOutcomes, cfg.limits.tailCommits = 10, 5
	l := mustOpen(t, cfg)
	defer l.Close()
	f, err := l.startFollow(t.Context(), eventlog.Positions{})
	require.NoError(t, err)
	defer f.end()
	c := newWriterChain(t, l, 1)
	for i := range 25 {
		b := c.batch(1)
		b.Outcomes = []eventlog.Outcome{{Command: eventlog.CommandID{byte(i)}}}
		require.NoError(t, l.Append(t.Context(), b))
	}
	require.Len(t, l.tail.commits, 5)
	require.Len(t, l.tail.outcomes, 10)
	require.Equal(t, 15, strings.Count(said.String(), "outcomes=1\n"), "each loss is said once:\n%s", &said)
	var commits, outcomes int
	for {
		entries, more, err := f.read()
		require.NoError(t, err)
		if !more {
			break
		}
		for _, e := range entries {
			if e.Commit != nil {
				commits++
			} else {
				outcomes++
			}
		}
	}
	require.Equal(t, 25, commits, "commits are read from the file")
	require.Equal(t, 10, outcomes)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail.trim()
	require.Empty(t, l.tail.commits)
	require.Empty(t, l.tail.outcomes)
	require.Zero(t, l.tail.bytes)
}

// TestWriteAheadFileIsBounded shows that readers who never pause do not let it grow.
func TestWriteAheadFileIsBounded(t *testing.T) {
	cfg := Config{Dir: t.TempDir(), limits: defaultLimits()}
	cfg.limits.walBytes, cfg.limits.walFrames = 64<<10, 128
	l := mustOpen(t, cfg)
	defer l.Close()
	fill(t, l, 2000)
	ctx, cancel := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	var rounds atomic.Int64
	for range 2 {
		readers.Go(func() {
			for ctx.Err() == nil {
				if _, err := followAll(l); err != nil {
					t.Error(err)
					return
				}
				rounds.Add(1)
			}
		})
	}
	chains := make([]*writerChain, 8)
	for i := range chains {
		chains[i] = newWriterChain(t, l, eventlog.Partition(i))
	}
	largest, written := int64(0), 0
	for i := range 800 {
		b := chains[i%8].batch(10)
		require.NoError(t, l.Append(t.Context(), b))
		written += 10 * 500
		info, err := os.Stat(filepath.Join(cfg.Dir, FileName+"-wal"))
		require.NoError(t, err)
		largest = max(largest, info.Size())
	}
	cancel()
	readers.Wait()
	require.Positive(t, rounds.Load())
	// 128 frames and the 64 KiB until the next checkpoint are some 0.6 MB; several times that is
	// allowed, as the size is estimated, and a file without bound would hold more than is written.
	require.Less(t, largest, int64(written)/2, "of %d bytes written", written)
	t.Logf("%d bytes were written through a file of at most %d", written, largest)
}

// TestFullFile fills the file up to a number of pages, as a full disk would.
func TestFullFile(t *testing.T) {
	cfg := Config{Dir: t.TempDir()}
	l := mustOpen(t, cfg)
	require.NoError(t, l.writer.conn.exec("PRAGMA max_page_count = 60"))
	c := newWriterChain(t, l, 1)
	var stored eventlog.Head
	var err error
	for err == nil {
		stored = c.head
		err = l.Append(t.Context(), c.batch(5))
	}
	require.ErrorIs(t, err, eventlog.ErrStopped)
	require.ErrorContains(t, err, "make room on the disk")
	require.NoError(t, checkStopped(l))
	head, err := l.Head(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, stored, head)
	require.NoError(t, l.Close())
	l = mustOpen(t, cfg)
	defer l.Close()
	c = newWriterChain(t, l, 1)
	require.Equal(t, stored, c.head, "the failed transaction left nothing")
	require.NoError(t, l.Append(t.Context(), c.batch(5)))
}

// TestCloseWhileAppending closes under load again and again: what was acknowledged is there, and
// nobody waits for ever.
func TestCloseWhileAppending(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	cfg := Config{Dir: t.TempDir()}
	var acknowledged [childWriters]atomic.Uint64
	for range 20 {
		l := mustOpen(t, cfg)
		var writers sync.WaitGroup
		enough := make(chan struct{}, 1)
		for p := range eventlog.Partition(childWriters) {
			writers.Go(func() {
				err := writeOn(l, p, func(seq uint64) {
					acknowledged[p].Store(seq)
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
		require.NoError(t, l.Close())
		writers.Wait()
	}
	l := mustOpen(t, cfg)
	defer l.Close()
	commits, err := followAll(l)
	require.NoError(t, err)
	for p := range eventlog.Partition(childWriters) {
		require.Len(t, commits[p], int(acknowledged[p].Load()), "all that was written was acknowledged before Close")
	}
}

func TestFileTellsItsStory(t *testing.T) {
	cfg := closedLog(t, 10)
	c, err := connect(filepath.Join(cfg.Dir, FileName))
	require.NoError(t, err)
	defer func() { require.NoError(t, c.close()) }()
	stream, err := scalar(c, "SELECT stream || ' ' || seq || ' ' || datetime(recorded_at/1000000, 'unixepoch') FROM commits WHERE partition = 0 AND seq = 3")
	require.NoError(t, err)
	require.Equal(t, "project/nokia-xiaomi-2017/p1 3 2023-11-14 22:13:20", stream)
	problems, err := scalar(c, "PRAGMA integrity_check")
	require.NoError(t, err)
	require.Equal(t, "ok", problems)
}
