package projections_test

import (
	"bytes"
	"context"
	"encoding/json"
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

// An accepted loss ends the image; the next one reads the log anew, and positions of before are told
// apart.
func TestAnAcceptedLossBeginsAnEpoch(t *testing.T) {
	h, cfg := seen(t)
	v := partner("nokia")
	cfg.Log = h.truncated(t, map[eventlog.Partition]uint64{atAgreement: 1})
	first := h.follow(t, cfg)
	old, oldSet := first.Position(v, agreementID), first.Position(v, "")
	require.NoError(t, cfg.Log.AcceptLoss(t.Context(), atAgreement))
	<-halted(first)
	require.ErrorIs(t, first.Health(), projections.ErrEpoch)
	require.ErrorIs(t, first.stop(), projections.ErrEpoch)

	var lines bytes.Buffer
	cfg.Logger = slog.New(slog.NewTextHandler(&lines, nil))
	i := h.follow(t, cfg)
	require.Contains(t, lines.String(), "level=INFO")
	require.NotContains(t, lines.String(), "level=ERROR")
	require.Empty(t, i.Lost())
	require.EqualValues(t, 4, i.Head(atAgreement).Seq)
	require.Equal(t, "2."+agreementID+".5", i.Position(v, agreementID))
	for _, position := range []string{old, oldSet, "1." + agreementID + ".1", "1." + agreementID + ".0"} {
		require.ErrorIs(t, i.WaitPosition(t.Context(), v, position), projections.ErrPositionLost, position)
		_, err := i.PartnerEvents(t.Context(), v, position, 10)
		require.ErrorIs(t, err, projections.ErrPositionLost, position)
		_, seen, err := i.AgreementEvents(t.Context(), v, agreementID, position, 10)
		require.True(t, seen)
		require.ErrorIs(t, err, projections.ErrPositionLost, position)
		_, seen, err = i.AgreementEvents(t.Context(), partner("sony"), agreementID, position, 10)
		require.False(t, seen)
		require.NoError(t, err, "what may not be seen is absent first")
	}
	require.NoError(t, i.WaitPosition(t.Context(), v, i.Position(v, "")))
	require.NoError(t, i.WaitPosition(t.Context(), v, i.Position(v, agreementID)))
	require.NoError(t, i.WaitPosition(t.Context(), v, "1.@nokia.1"), "that partition has lost nothing")
}

// A position of an epoch that this node has not heard of is one that it has not reached.
func TestAPositionOfANewerEpoch(t *testing.T) {
	h := newHouse(t)
	h.settle()
	i := h.follow(t, h.config())
	v, newer := partner("nokia"), "2."+agreementID+".1"
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, i.WaitPosition(ctx, v, newer), context.Canceled)
	events, seen, err := i.AgreementEvents(t.Context(), v, agreementID, newer, 10)
	require.NoError(t, err)
	require.True(t, seen)
	require.Empty(t, events.Events)
	require.Equal(t, newer, *events.NextCursor)
	events, err = i.PartnerEvents(t.Context(), v, newer, 10)
	require.NoError(t, err)
	require.Empty(t, events.Events)
	again, err := i.PartnerEvents(t.Context(), v, *events.NextCursor, 10)
	require.NoError(t, err)
	require.Equal(t, events, again)
}

// While a loss is open, a position that names what is lost does not keep the rest from being read.
func TestAPositionInAHaltedPartition(t *testing.T) {
	h, cfg := seen(t)
	whole := h.follow(t, h.config())
	position := whole.Position(partner("nokia"), "")
	cfg.Log = h.truncated(t, map[eventlog.Partition]uint64{atAgreement: 1})
	i := h.follow(t, cfg)
	require.NoError(t, i.WaitPosition(t.Context(), partner("nokia"), position))
}

// The snapshot of an image with a halted partition brings back what was lost, but only until the loss
// is accepted.
func TestASnapshotOfBeforeAnAcceptedLoss(t *testing.T) {
	h, cfg := saved(t)
	p := eventlog.PartitionOf(domain.Stream{Agreement: "a0"}.Root())
	known := h.heads[p]
	cfg.Log = h.truncated(t, map[eventlog.Partition]uint64{p: 1})
	i := h.follow(t, cfg)
	require.Equal(t, []string{lostLine(p, known.Seq, known.Seq)}, missing(i.Lost()))
	require.Equal(t, known, i.Head(p), "nothing is undone")
	require.NoError(t, i.stop())
	again := h.follow(t, cfg)
	require.Equal(t, known, again.Head(p))
	require.NoError(t, cfg.Log.AcceptLoss(t.Context(), p))
	<-halted(again)

	var lines bytes.Buffer
	cfg.Logger = slog.New(slog.NewTextHandler(&lines, nil))
	after := start(t, cfg)
	require.Contains(t, lines.String(), "put aside")
	require.Equal(t, known.Seq-1, after.Head(p).Seq)
	require.NoError(t, after.stop())
	last := h.follow(t, cfg)
	require.Empty(t, last.Lost(), "marks and snapshot are of the new epoch")
}

// An older copy that is put back after a loss was accepted is a loss again.
func TestAnOlderLogAfterAnAcceptedLoss(t *testing.T) {
	h, cfg := seen(t)
	short := h.truncated(t, map[eventlog.Partition]uint64{atAgreement: 1})
	cfg.Log = short
	first := h.follow(t, cfg)
	require.NoError(t, short.AcceptLoss(t.Context(), atAgreement))
	<-halted(first)
	second := start(t, cfg)
	require.Empty(t, second.Lost())
	require.NoError(t, second.stop())

	cfg.Log = h.truncated(t, map[eventlog.Partition]uint64{atAgreement: 3})
	third := h.follow(t, cfg)
	require.Equal(t, []string{lostLine(atAgreement, 3, 4)}, missing(third.Lost()))
}

// A node that has slept through a loss, its acceptance and what came instead reads anew.
func TestANodeThatMissedALoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.settle()
		log := &faulty{Log: h.log, fault: make(chan error)}
		cfg := h.config()
		cfg.Log = log
		i := start(t, cfg)
		defer i.stop()
		synctest.Wait()
		short := h.truncated(t, map[eventlog.Partition]uint64{atAgreement: 1})
		require.NoError(t, short.ReportLoss(t.Context(), eventlog.LostTailError{Partition: atAgreement, Known: h.heads[atAgreement]}))
		require.NoError(t, short.AcceptLoss(t.Context(), atAgreement))
		log.Log = short
		log.fault <- errors.New("commit 5 does not follow commit 4")
		require.ErrorIs(t, i.WaitHead(t.Context(), atAgreement, 99), projections.ErrEpoch)
	})
}

func TestMarksAreWrittenOnceASecondAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.settle()
		cfg := h.config()
		cfg.Dir = t.TempDir()
		i := start(t, cfg)
		synctest.Wait()
		require.EqualValues(t, 4, markOf(t, cfg, atAgreement))
		h.plan("fp4", domain.NewDate(2018, 3, 30))
		i.caughtUp(t)
		synctest.Wait()
		require.EqualValues(t, 4, markOf(t, cfg, atAgreement), "the second is not over")
		time.Sleep(2 * time.Second)
		require.EqualValues(t, 5, markOf(t, cfg, atAgreement))
		h.plan("fp5", domain.NewDate(2018, 3, 30))
		i.caughtUp(t)
		require.NoError(t, i.stop())
		require.EqualValues(t, 6, markOf(t, cfg, atAgreement), "written at the end")
	})
}

func markOf(t *testing.T, cfg projections.Config, p eventlog.Partition) (seq float64) {
	b, err := os.ReadFile(filepath.Join(cfg.Dir, "marks"))
	require.NoError(t, err)
	var list []map[string]any
	require.NoError(t, json.Unmarshal(b, &list))
	for _, m := range list {
		if m["partition"] == float64(p) {
			return m["seq"].(float64)
		}
	}
	return 0
}

func TestBrokenMarksArePutAside(t *testing.T) {
	_, cfg := seen(t)
	path := filepath.Join(cfg.Dir, "marks")
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	hash := strings.Repeat("0", 64)
	for name, text := range map[string]string{
		"empty": "", "cut": string(whole[:len(whole)-1]), "more": string(whole) + "1", "another shape": `{"partition":1}`,
		"another field": `[{"partition":1,"seq":1,"hash":"` + hash + `","epoch":0,"more":1}]`,
		"no partition":  `[{"partition":64,"seq":1,"hash":"` + hash + `","epoch":0}]`,
		"no commit":     `[{"partition":1,"seq":0,"hash":"` + hash + `","epoch":0}]`,
		"short hash":    `[{"partition":1,"seq":1,"hash":"00","epoch":0}]`,
		"no hash":       `[{"partition":1,"seq":1,"hash":"` + strings.Repeat("x", 64) + `","epoch":0}]`,
		"twice":         `[{"partition":1,"seq":1,"hash":"` + hash + `","epoch":0},{"partition":1,"seq":1,"hash":"` + hash + `","epoch":0}]`,
	} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		var lines bytes.Buffer
		cfg.Logger = slog.New(slog.NewTextHandler(&lines, nil))
		i := start(t, cfg)
		require.Contains(t, lines.String(), "put aside", name)
		require.FileExists(t, path+".broken", name)
		require.Empty(t, i.Lost(), name)
		require.NoError(t, i.stop())
		now, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(whole), string(now), name)
	}
}
