package projections_test

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
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
	"tandem/projections"
)

// Partitions of the streams that settle creates.
var (
	atAgreement = eventlog.PartitionOf(domain.Stream{Agreement: agreementID}.Root())
	atNokia     = eventlog.PartitionOf(domain.Stream{Partner: "nokia"}.Root())
	atXiaomi    = eventlog.PartitionOf(domain.Stream{Partner: "xiaomi"}.Root())
)

// truncated returns a copy of the log without the last commits of some partitions.
func (h *fixture) truncated(t require.TestingT, missing map[eventlog.Partition]uint64) *eventlogtest.Memory {
	short := eventlogtest.NewMemory()
	for partition, head := range h.heads {
		var seqs []uint64
		for seq := uint64(1); seq+missing[partition] <= head.Seq; seq++ {
			seqs = append(seqs, seq)
		}
		commits, err := h.log.Read(context.Background(), partition, seqs)
		require.NoError(t, err)
		lease, err := short.Own(context.Background(), partition)
		require.NoError(t, err)
		require.NoError(t, short.Append(context.Background(), eventlog.Batch{Partition: partition, Fence: lease.Fence(), Commits: commits}))
		require.NoError(t, lease.Release(context.Background()))
	}
	return short
}

// seen returns a fixture with a milestone and the configuration of a read model that has applied all of it. Its
// snapshot is removed; its seen heads remain.
func seen(t *testing.T) (*fixture, projections.Config) {
	h := newFixture(t)
	h.settle()
	h.plan("fp4", domain.NewDate(2018, 3, 30))
	cfg := h.config()
	cfg.Dir = t.TempDir()
	require.NoError(t, start(t, cfg).stop())
	require.NoError(t, os.Remove(filepath.Join(cfg.Dir, "image.snapshot")))
	return h, cfg
}

func missing(losses []eventlog.LostTailError) (lines []string) {
	for _, loss := range losses {
		lines = append(lines, loss.Error())
	}
	return lines
}

func lostLine(partition eventlog.Partition, first, last uint64) string {
	loss := eventlog.LostTailError{Partition: partition, Known: eventlog.Head{Seq: last}, Stored: eventlog.Head{Seq: first - 1}}
	return loss.Error()
}

// TestLossIsDetectedAtTheStart: the seen heads or the snapshot are each enough to detect a loss that happened
// while the node was down.
func TestLossIsDetectedAtTheStart(t *testing.T) {
	for _, kept := range []string{"marks", "image.snapshot"} {
		t.Run(kept, func(t *testing.T) {
			h := newFixture(t)
			h.settle()
			cfg := h.config()
			cfg.Dir = t.TempDir()
			require.NoError(t, start(t, cfg).stop())
			other := map[string]string{"marks": "image.snapshot", "image.snapshot": "marks"}[kept]
			require.NoError(t, os.Remove(filepath.Join(cfg.Dir, other)))

			var lines bytes.Buffer
			cfg.Logger = slog.New(slog.NewTextHandler(&lines, nil))
			short := h.truncated(t, map[eventlog.Partition]uint64{atAgreement: 2})
			cfg.Log = short
			model := h.follow(t, cfg)
			require.NoError(t, model.Health())
			require.Equal(t, []string{lostLine(atAgreement, 3, 4)}, missing(model.OpenLosses()))
			require.Contains(t, lines.String(), lostLine(atAgreement, 3, 4))
			require.Equal(t, 1, strings.Count(lines.String(), "level=ERROR"))
			reported, err := short.Losses(t.Context())
			require.NoError(t, err)
			require.Equal(t, model.OpenLosses(), reported.Open, "the log stores it")

			require.False(t, model.Intact(domain.Stream{Agreement: agreementID}))
			require.True(t, model.Intact(domain.Stream{Partner: "nokia"}))
			require.False(t, viewed(model, viewerOf("nokia"), (*projections.View).Intact))
			require.True(t, viewed(model, viewerOf("sony"), (*projections.View).Intact))
			require.True(t, viewed(model, projections.Viewer{Operator: true}, (*projections.View).IntactPartners))
			require.True(t, viewed(model, viewerOf("nokia"), func(view *projections.View) bool { return view.AgreementVisible(agreementID) }),
				"the readers of the lost partition are known")
			require.NoError(t, model.WaitLatest(t.Context()))
			var loss *eventlog.LostTailError
			require.ErrorAs(t, model.WaitHead(t.Context(), atAgreement, 9), &loss)
		})
	}
}

// TestLossOfTheWholeLog: a read model without commits cannot tell whose history was lost, so no view is intact.
func TestLossOfTheWholeLog(t *testing.T) {
	h, cfg := seen(t)
	cfg.Log = eventlogtest.NewMemory()
	model := h.follow(t, cfg)
	require.Len(t, model.OpenLosses(), 3)
	require.False(t, viewed(model, projections.Viewer{Operator: true}, (*projections.View).IntactPartners))
	require.False(t, viewed(model, viewerOf("sony"), (*projections.View).Intact))
	require.False(t, viewed(model, viewerOf("sony"), (*projections.View).IntactPartners))
}

func TestDifferentHistoryIsALoss(t *testing.T) {
	h, cfg := seen(t)
	other := newFixture(t)
	other.n = 500 // different command ids
	other.settle()
	other.plan("fp5", domain.NewDate(2018, 3, 30))
	other.plan("fp6", domain.NewDate(2018, 3, 30))
	cfg.Log = other.log
	model := h.follow(t, cfg)
	require.Len(t, model.OpenLosses(), 3)
	for _, loss := range model.OpenLosses() {
		require.ErrorContains(t, &loss, "another history")
	}
}

func TestLossOfTwoPartitions(t *testing.T) {
	h, cfg := seen(t)
	h.issue("nokia", domain.IssueToken{TokenRef: domain.TokenRef{Token: "ci"}, Role: domain.Viewer})
	require.NoError(t, start(t, cfg).stop())
	cfg.Log = h.truncated(t, map[eventlog.Partition]uint64{atAgreement: 1, atNokia: 1})
	model := h.follow(t, cfg)
	want := []string{lostLine(atAgreement, 5, 5), lostLine(atNokia, 2, 2)}
	if atNokia < atAgreement {
		want[0], want[1] = want[1], want[0]
	}
	require.Equal(t, want, missing(model.OpenLosses()))
	require.False(t, viewed(model, projections.Viewer{Operator: true}, (*projections.View).IntactPartners))
	require.False(t, viewed(model, viewerOf("xiaomi"), (*projections.View).IntactPartners))
	require.True(t, model.Intact(domain.Stream{Partner: "xiaomi"}))
}

// TestLossReportedByAnotherNode: it halts the partition and wakes waiting goroutines; the other partitions go
// on.
func TestLossReportedByAnotherNode(t *testing.T) {
	h := newFixture(t)
	h.settle()
	model := h.follow(t, h.config())
	changed := model.Changed(viewerOf("xiaomi"))
	waited := make(chan error, 1)
	go func() { waited <- model.WaitHead(context.Background(), atAgreement, 99) }()
	require.NoError(t, h.log.ReportLoss(t.Context(), eventlog.LostTailError{
		Partition: atAgreement, Known: eventlog.Head{Seq: 9}, Stored: h.heads[atAgreement],
	}))
	<-changed
	var loss *eventlog.LostTailError
	require.ErrorAs(t, <-waited, &loss)
	require.Equal(t, []string{lostLine(atAgreement, 5, 9)}, missing(model.OpenLosses()))
	h.issue("nokia", domain.IssueToken{TokenRef: domain.TokenRef{Token: "ci"}, Role: domain.Viewer})
	model.caughtUp(t)
	require.EqualValues(t, 2, model.Head(atNokia).Seq, "other partitions go on")
	require.NoError(t, model.Health())
}

// faulty is a log whose Follow can be ended with an error and whose reports can fail.
type faulty struct {
	eventlog.Log
	fault        chan error   // ends Follow
	refuse       atomic.Int32 // number of reports to refuse
	once         sync.Once
	beforeFollow func() // called once, before the first Follow
}

func (f *faulty) Follow(ctx context.Context, from eventlog.Positions, deliver func([]eventlog.Entry) error, onLive func()) error {
	if f.beforeFollow != nil {
		f.once.Do(f.beforeFollow)
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go func() {
		select {
		case err := <-f.fault:
			stop(err)
		case <-ctx.Done():
		}
	}()
	err := f.Log.Follow(ctx, from, deliver, onLive)
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

func (f *faulty) ReportLoss(ctx context.Context, loss eventlog.LostTailError) error {
	if f.refuse.Add(-1) >= 0 {
		return errors.New("connection refused")
	}
	return f.Log.ReportLoss(ctx, loss)
}

// TestLossIsDetectedWhileFollowing: the head that this node has applied counts, even if the error names an
// earlier one, and the report is repeated until the log accepts it.
func TestLossIsDetectedWhileFollowing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newFixture(t)
		h.settle()
		log := &faulty{Log: h.log, fault: make(chan error)}
		log.refuse.Store(3)
		cfg := h.config()
		cfg.Log = log
		model := start(t, cfg)
		defer model.stop()
		log.fault <- errors.Join(errors.New("lost the connection"), &eventlog.LostTailError{
			Partition: atAgreement, Known: eventlog.Head{Seq: 3}, Stored: eventlog.Head{Seq: 1},
		})
		synctest.Wait()
		require.Equal(t, []string{lostLine(atAgreement, 2, 4)}, missing(model.OpenLosses()), "halted before the report succeeds")
		time.Sleep(5 * time.Second)
		reported, err := h.log.Losses(t.Context())
		require.NoError(t, err)
		require.Equal(t, model.OpenLosses(), reported.Open)
		h.issue("nokia", domain.IssueToken{TokenRef: domain.TokenRef{Token: "ci"}, Role: domain.Viewer})
		model.caughtUp(t)
		require.NoError(t, model.Health())
	})
}

// TestLossReportedBeforeFollow: Follow skips a partition that another node reports between reading the losses
// and the call, without naming it.
func TestLossReportedBeforeFollow(t *testing.T) {
	h := newFixture(t)
	h.settle()
	loss := eventlog.LostTailError{Partition: atXiaomi, Known: eventlog.Head{Seq: 7}, Stored: h.heads[atXiaomi]}
	log := &faulty{Log: h.log, fault: make(chan error), beforeFollow: func() { _ = h.log.ReportLoss(context.Background(), loss) }}
	cfg := h.config()
	cfg.Log = log
	model := h.follow(t, cfg)
	var found *eventlog.LostTailError
	require.ErrorAs(t, model.WaitHead(t.Context(), atXiaomi, 99), &found)
	require.Equal(t, []eventlog.LostTailError{loss}, model.OpenLosses())
	model.caughtUp(t)
}
