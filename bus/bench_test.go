package bus_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"tandem/domain"
	"tandem/eventlog"
)

// BenchmarkDo measures a command from the call to the applied outcome. It includes one fsync on SQLite, and
// two on Redis: one for the command queue and one for the append.
func BenchmarkDo(b *testing.B) {
	for _, name := range []string{"sqlite", "redis"} {
		for _, callers := range []int{1, 32} {
			b.Run(fmt.Sprintf("%s/callers=%d", name, callers), func(b *testing.B) { benchmarkDo(b, logs()[name](b), callers) })
		}
	}
}

func benchmarkDo(b *testing.B, log eventlog.Log, callers int) {
	node := startNode(b, log)
	defer node.stop()
	node.activateAgreement()
	for i := range callers {
		node.do(nokia, plan(milestone(i)))
		node.do(nokia, domain.StartMilestone{MilestoneRef: ref(milestone(i))})
	}
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ReportAllocs()
	b.ResetTimer()
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				percent := 50
				result, err := node.bus.Do(context.Background(), newRequest(nokia, domain.ReportProgress{MilestoneRef: ref(milestone(i)), Percent: &percent}))
				if err != nil || result.Rejection != nil {
					b.Errorf("%v %v", err, result.Rejection)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commands/s")
}

func milestone(i int) domain.MilestoneID { return domain.MilestoneID(fmt.Sprintf("m%d", i)) }
