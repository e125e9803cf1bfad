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

// The partitions of what settle makes.
var (
	atAgreement = eventlog.PartitionOf(domain.Stream{Agreement: agreementID}.Root())
	atNokia     = eventlog.PartitionOf(domain.Stream{Partner: "nokia"}.Root())
	atXiaomi    = eventlog.PartitionOf(domain.Stream{Partner: "xiaomi"}.Root())
)

// truncated returns a log that holds what h's does, but for the last commits of some partitions.
func (h *house) truncated(t require.TestingT, missing map[eventlog.Partition]uint64) *eventlogtest.Memory {
	short := eventlogtest.NewMemory()
	for p, head := range h.heads {
		var seqs []uint64
		for seq := uint64(1); seq+missing[p] <= head.Seq; seq++ {
			seqs = append(seqs, seq)
		}
		commits, err := h.log.Read(context.Background(), p, seqs)
		require.NoError(t, err)
		lease, err := short.Own(context.Background(), p)
		require.NoError(t, err)
		require.NoError(t, short.Append(context.Background(), eventlog.Batch{Partition: p, Fence: lease.Fence(), Commits: commits}))
		require.NoError(t, lease.Release(context.Background()))
	}
	return short
}

// seen returns a house with a milestone, and the configuration of an image that has seen all of it.
// Only its marks are left.
func seen(t *testing.T) (*house, projections.Config) {
	h := newHouse(t)
	h.settle()
	h.plan("fp4", domain.NewDate(2018, 3, 30))
	cfg := h.config()
	cfg.Dir = t.TempDir()
	require.NoError(t, start(t, cfg).stop())
	require.NoError(t, os.Remove(filepath.Join(cfg.Dir, "image.snapshot")))
	return h, cfg
}

func missing(losses []eventlog.LostTailError) (lines []string) {
	for _, l := range losses {
		lines = append(lines, l.Error())
	}
	return lines
}

func lostLine(p eventlog.Partition, first, last uint64) string {
	l := eventlog.LostTailError{Partition: p, Known: eventlog.Head{Seq: last}, Stored: eventlog.Head{Seq: first - 1}}
	return l.Error()
}

// What was lost while no image ran is found by the marks alone, or by the snapshot alone.
func TestALossIsFoundAtTheStart(t *testing.T) {
	for _, kept := range []string{"marks", "image.snapshot"} {
		t.Run(kept, func(t *testing.T) {
			h := newHouse(t)
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
			i := h.follow(t, cfg)
			require.NoError(t, i.Health())
			require.Equal(t, []string{lostLine(atAgreement, 3, 4)}, missing(i.Lost()))
			require.Contains(t, lines.String(), lostLine(atAgreement, 3, 4))
			require.Equal(t, 1, strings.Count(lines.String(), "level=ERROR"))
			reported, err := short.Losses(t.Context())
			require.NoError(t, err)
			require.Equal(t, i.Lost(), reported.Open, "and the log remembers")

			require.False(t, i.Intact(domain.Stream{Agreement: agreementID}))
			require.True(t, i.Intact(domain.Stream{Partner: "nokia"}))
			require.False(t, look(i, partner("nokia"), (*projections.View).Intact))
			require.True(t, look(i, partner("sony"), (*projections.View).Intact))
			require.True(t, look(i, projections.Viewer{Operator: true}, (*projections.View).IntactPartners))
			require.True(t, look(i, partner("nokia"), func(v *projections.View) bool { return v.SeesAgreement(agreementID) }),
				"who may be told of the loss is known")
			require.NoError(t, i.WaitLatest(t.Context()))
			var loss *eventlog.LostTailError
			require.ErrorAs(t, i.WaitHead(t.Context(), atAgreement, 9), &loss)
		})
	}
}

// Of a log that was emptied an image that starts anew knows nothing, not even whose loss it is. It does
// not tell anybody that there is nothing.
func TestALossOfEverything(t *testing.T) {
	h, cfg := seen(t)
	cfg.Log = eventlogtest.NewMemory()
	i := h.follow(t, cfg)
	require.Len(t, i.Lost(), 3)
	require.False(t, look(i, projections.Viewer{Operator: true}, (*projections.View).IntactPartners))
	require.False(t, look(i, partner("sony"), (*projections.View).Intact))
	require.False(t, look(i, partner("sony"), (*projections.View).IntactPartners))
}

func TestAnotherHistoryIsALoss(t *testing.T) {
	h, cfg := seen(t)
	other := newHouse(t)
	other.n = 500 // other commands
	other.settle()
	other.plan("fp5", domain.NewDate(2018, 3, 30))
	other.plan("fp6", domain.NewDate(2018, 3, 30))
	cfg.Log = other.log
	i := h.follow(t, cfg)
	require.Len(t, i.Lost(), 3)
	for _, l := range i.Lost() {
		require.ErrorContains(t, &l, "another history")
	}
}

func TestTwoPartitionsAreLostAtOnce(t *testing.T) {
	h, cfg := seen(t)
	h.issue("nokia", domain.IssueToken{Token: "ci", Role: domain.Viewer})
	require.NoError(t, start(t, cfg).stop())
	cfg.Log = h.truncated(t, map[eventlog.Partition]uint64{atAgreement: 1, atNokia: 1})
	i := h.follow(t, cfg)
	want := []string{lostLine(atAgreement, 5, 5), lostLine(atNokia, 2, 2)}
	if atNokia < atAgreement {
		want[0], want[1] = want[1], want[0]
	}
	require.Equal(t, want, missing(i.Lost()))
	require.False(t, look(i, projections.Viewer{Operator: true}, (*projections.View).IntactPartners))
	require.False(t, look(i, partner("xiaomi"), (*projections.View).IntactPartners))
	require.True(t, i.Intact(domain.Stream{Partner: "xiaomi"}))
}

// A loss that another node reports halts the partition; the others go on, and who waits is woken.
func TestALossIsReportedMeanwhile(t *testing.T) {
	h := newHouse(t)
	h.settle()
	i := h.follow(t, h.config())
	changed := i.Changed(partner("xiaomi"))
	waited := make(chan error, 1)
	go func() { waited <- i.WaitHead(context.Background(), atAgreement, 99) }()
	require.NoError(t, h.log.ReportLoss(t.Context(), eventlog.LostTailError{
		Partition: atAgreement, Known: eventlog.Head{Seq: 9}, Stored: h.heads[atAgreement],
	}))
	<-changed
	var loss *eventlog.LostTailError
	require.ErrorAs(t, <-waited, &loss)
	require.Equal(t, []string{lostLine(atAgreement, 5, 9)}, missing(i.Lost()))
	h.issue("nokia", domain.IssueToken{Token: "ci", Role: domain.Viewer})
	i.caughtUp(t)
	require.EqualValues(t, 2, i.Head(atNokia).Seq, "the others go on")
	require.NoError(t, i.Health())
}

// faulty is a log whose Follow can be ended, and whose reports can fail.
type faulty struct {
	eventlog.Log
	fault  chan error
	refuse atomic.Int32
	before sync.Once
	sneak  func() // done just before the first Follow
}

func (f *faulty) Follow(ctx context.Context, from eventlog.Positions, deliver func([]eventlog.Entry) error, onLive func()) error {
	if f.sneak != nil {
		f.before.Do(f.sneak)
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

func (f *faulty) ReportLoss(ctx context.Context, l eventlog.LostTailError) error {
	if f.refuse.Add(-1) >= 0 {
		return errors.New("the line is down")
	}
	return f.Log.ReportLoss(ctx, l)
}

// What this node has seen counts, even if the one who found the loss had seen less, and the report is
// repeated until the log takes it.
func TestALossIsFoundWhileFollowing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.settle()
		log := &faulty{Log: h.log, fault: make(chan error)}
		log.refuse.Store(3)
		cfg := h.config()
		cfg.Log = log
		i := start(t, cfg)
		defer i.stop()
		log.fault <- errors.Join(errors.New("lost the connection"), &eventlog.LostTailError{
			Partition: atAgreement, Known: eventlog.Head{Seq: 3}, Stored: eventlog.Head{Seq: 1},
		})
		synctest.Wait()
		require.Equal(t, []string{lostLine(atAgreement, 2, 4)}, missing(i.Lost()), "not served from at once")
		time.Sleep(5 * time.Second)
		reported, err := h.log.Losses(t.Context())
		require.NoError(t, err)
		require.Equal(t, i.Lost(), reported.Open)
		h.issue("nokia", domain.IssueToken{Token: "ci", Role: domain.Viewer})
		i.caughtUp(t)
		require.NoError(t, i.Health())
	})
}

// A partition that is halted between the look at the losses and Follow is left out by Follow without
// a word.
func TestALossIsReportedInTheWrongMoment(t *testing.T) {
	h := newHouse(t)
	h.settle()
	loss := eventlog.LostTailError{Partition: atXiaomi, Known: eventlog.Head{Seq: 7}, Stored: h.heads[atXiaomi]}
	log := &faulty{Log: h.log, fault: make(chan error), sneak: func() { _ = h.log.ReportLoss(context.Background(), loss) }}
	cfg := h.config()
	cfg.Log = log
	i := h.follow(t, cfg)
	var found *eventlog.LostTailError
	require.ErrorAs(t, i.WaitHead(t.Context(), atXiaomi, 99), &found)
	require.Equal(t, []eventlog.LostTailError{loss}, i.Lost())
	i.caughtUp(t)
}
