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

// Readers of everything run beside a writer and background snapshots; the race detector watches,
// and no reader sees a version go back.
func TestReadersBesideAWriter(t *testing.T) {
	h := newHouse(t)
	h.settle()
	h.plan("fp4", domain.NewDate(2018, 3, 30))
	cfg := h.config()
	cfg.Dir, cfg.SnapshotEvery = t.TempDir(), 50
	i := h.follow(t, cfg)
	ctx, cancel := context.WithCancel(context.Background())
	var readers sync.WaitGroup
	for _, v := range []projections.Viewer{partner("nokia"), partner("xiaomi"), {Operator: true}} {
		readers.Go(func() {
			for last := uint64(0); ctx.Err() == nil; {
				changed := i.Changed(v)
				p, err := i.Page(v, "all", pageOf50)
				if err != nil || p.Version < last {
					t.Errorf("version %d after %d: %v", p.Version, last, err)
					return
				}
				last = p.Version
				_ = look(i, v, (*projections.View).Status)
				_ = look(i, v, (*projections.View).Inbox)
				_, _, _ = i.History(ctx, v, ref("fp4"), "", 20)
				_, _ = i.PartnerEvents(ctx, v, i.Position(v, ""), 20)
				_ = i.AsOf(ctx, v, domain.Stream{Agreement: agreementID}, 8, func(*projections.View) error { return nil })
				select {
				case <-changed:
				case <-ctx.Done():
				}
			}
		})
	}
	for n := range 300 {
		h.do("nokia", domain.MoveForecast{Ref: ref("fp4"), On: domain.NewDate(2018, 4, 1+n%28), Reason: "moved", Private: n%3 == 0})
		h.plan(domain.MilestoneID(fmt.Sprintf("m%d", n)), domain.NewDate(2018, 1, 1+n%28))
	}
	i.caughtUp(t)
	cancel()
	readers.Wait()
	want := dump(t, i.Image, partner("xiaomi"))
	require.NoError(t, i.stop())
	require.Equal(t, want, dump(t, h.follow(t, cfg).Image, partner("xiaomi")))
}
