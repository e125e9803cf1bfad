package projections_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/projections"
)

// TestConcurrentReaders runs readers of all kinds beside a writer and background snapshots, under the race detector in
// CI. No reader sees a version decrease.
func TestConcurrentReaders(t *testing.T) {
	h := newFixture(t)
	h.settle()
	h.plan("fp4", domain.NewDate(2018, 3, 30))
	cfg := h.config()
	cfg.Dir, cfg.SnapshotEvery = t.TempDir(), 50
	model := h.follow(t, cfg)
	ctx, cancel := context.WithCancel(context.Background())
	var readers, started sync.WaitGroup
	for _, viewer := range []projections.Viewer{viewerOf("nokia"), viewerOf("xiaomi"), {Operator: true}} {
		started.Add(1)
		begin := sync.OnceFunc(started.Done)
		readers.Go(func() {
			defer begin()
			for last := uint64(0); ctx.Err() == nil; {
				changed := model.Changed(viewer)
				page, err := model.Page(viewer, "all", pageOf50)
				if err != nil || page.Version < last {
					t.Errorf("version %d after %d: %v", page.Version, last, err)
					return
				}
				last = page.Version
				_ = viewed(model, viewer, (*projections.View).Status)
				_ = viewed(model, viewer, inboxOf)
				_, _, _ = model.history(ctx, viewer, milestoneRef("fp4"), "", 20)
				_, _ = model.partnerEvents(ctx, viewer, model.Position(viewer, ""), 20)
				_ = model.AsOf(ctx, viewer, domain.Stream{Agreement: agreementID}, 8, func(*projections.View) error { return nil })
				begin()
				select {
				case <-changed:
				case <-ctx.Done():
				}
			}
		})
	}
	started.Wait()
	for n := range 300 {
		h.do("nokia", domain.MoveForecast{MilestoneRef: milestoneRef("fp4"), On: domain.NewDate(2018, 4, 1+n%28), Reason: "moved", Private: n%3 == 0})
		h.plan(domain.MilestoneID(fmt.Sprintf("m%d", n)), domain.NewDate(2018, 1, 1+n%28))
	}
	model.caughtUp(t)
	cancel()
	readers.Wait()
	want := dump(t, model.ReadModel, viewerOf("xiaomi"))
	require.NoError(t, model.stop())
	require.Equal(t, want, dump(t, h.follow(t, cfg).ReadModel, viewerOf("xiaomi")))
}
