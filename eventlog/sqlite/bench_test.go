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

// BenchmarkSync is the baseline: a write and a sync of a plain file on the same disk.
func BenchmarkSync(b *testing.B) {
	handle, err := os.Create(filepath.Join(b.TempDir(), "plain"))
	require.NoError(b, err)
	defer handle.Close()
	page := make([]byte, 4096)
	for b.Loop() {
		_, err := handle.Write(page)
		require.NoError(b, err)
		require.NoError(b, handle.Sync())
	}
}

// BenchmarkAppend appends batches of one commit with its receipt. Each append returns after its sync.
func BenchmarkAppend(b *testing.B) {
	for _, callers := range []int{1, 8, 32} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			log := mustOpen(b, Config{Dir: b.TempDir()})
			defer log.Close()
			chains := make([]*testOwner, callers)
			for i := range chains {
				chains[i] = newTestOwner(b, log, eventlog.Partition(i))
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

// appendAll makes every owner append its share and records the duration of each append.
func appendAll(b *testing.B, chains []*testOwner, times []time.Duration) {
	var all sync.WaitGroup
	for i, owner := range chains {
		all.Go(func() {
			for n := i; n < len(times); n += len(chains) {
				batch, start := keyed(owner.batch(1)), time.Now()
				if err := owner.log.Append(b.Context(), batch); err != nil {
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

// BenchmarkFollow reads 200,000 commits from the file and verifies the chain.
func BenchmarkFollow(b *testing.B) {
	const commits = 200_000
	log := mustOpen(b, Config{Dir: b.TempDir()})
	defer log.Close()
	fill(b, log, commits)
	for b.Loop() {
		got := 0
		done := fmt.Errorf("everything is read")
		err := log.Follow(b.Context(), eventlog.Positions{}, func(entries []eventlog.Entry) error {
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
	log := mustOpen(b, cfg)
	fill(b, log, 1_000_000)
	require.NoError(b, log.Close())
	for b.Loop() {
		log := mustOpen(b, cfg)
		b.StopTimer()
		require.NoError(b, log.Close())
		b.StartTimer()
	}
}
