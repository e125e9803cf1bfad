//go:build unix

package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
)

func processorTime() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkSync is the yardstick: a write and a sync of a plain file on the same disk.
func BenchmarkSync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "plain"))
	require.NoError(b, err)
	defer f.Close()
	page := make([]byte, 4096)
	for b.Loop() {
		_, err := f.Write(page)
		require.NoError(b, err)
		require.NoError(b, f.Sync())
	}
}

// BenchmarkAppend appends batches of one commit with its record, each answered after its sync.
func BenchmarkAppend(b *testing.B) {
	for _, callers := range []int{1, 8, 32} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			l := mustOpen(b, Config{Dir: b.TempDir()})
			defer l.Close()
			chains := make([]*writerChain, callers)
			for i := range chains {
				chains[i] = newWriterChain(b, l, eventlog.Partition(i))
			}
			times := make([]time.Duration, b.N)
			b.ResetTimer()
			before := processorTime()
			appendAll(b, chains, times)
			b.StopTimer()
			report(b, times, processorTime()-before)
		})
	}
}

// appendAll lets every chain append its share and notes how long each append took.
func appendAll(b *testing.B, chains []*writerChain, times []time.Duration) {
	var all sync.WaitGroup
	for i, c := range chains {
		all.Go(func() {
			for n := i; n < len(times); n += len(chains) {
				batch, start := keyed(c.batch(1)), time.Now()
				if err := c.log.Append(b.Context(), batch); err != nil {
					b.Error(err)
					return
				}
				times[n] = time.Since(start)
			}
		})
	}
	all.Wait()
}

func report(b *testing.B, times []time.Duration, processor time.Duration) {
	sorted := append([]time.Duration(nil), times...)
	slices.Sort(sorted)
	b.ReportMetric(float64(len(times))/b.Elapsed().Seconds(), "commits/s")
	b.ReportMetric(float64(processor.Nanoseconds())/1e3/float64(len(times)), "cpu-µs/commit")
	b.ReportMetric(float64(sorted[len(sorted)/2].Nanoseconds())/1e3, "p50-µs")
	b.ReportMetric(float64(sorted[len(sorted)*99/100].Nanoseconds())/1e3, "p99-µs")
	b.ReportMetric(float64(sorted[len(sorted)-1].Nanoseconds())/1e3, "max-µs")
}

// BenchmarkFollow reads 200,000 commits from the file, with the chain checked.
func BenchmarkFollow(b *testing.B) {
	const commits = 200_000
	l := mustOpen(b, Config{Dir: b.TempDir()})
	defer l.Close()
	fill(b, l, commits)
	for b.Loop() {
		got := 0
		done := fmt.Errorf("all is read")
		err := l.Follow(b.Context(), eventlog.Positions{}, func(entries []eventlog.Entry) error {
			if got += len(entries); got == commits {
				return done
			}
			return nil
		}, nil)
		require.ErrorIs(b, err, done)
	}
	b.ReportMetric(float64(commits*b.N)/b.Elapsed().Seconds(), "commits/s")
}

// BenchmarkOpen opens a log of one million commits.
func BenchmarkOpen(b *testing.B) {
	cfg := Config{Dir: b.TempDir()}
	l := mustOpen(b, cfg)
	fill(b, l, 1_000_000)
	require.NoError(b, l.Close())
	for b.Loop() {
		l := mustOpen(b, cfg)
		b.StopTimer()
		require.NoError(b, l.Close())
		b.StartTimer()
	}
}
