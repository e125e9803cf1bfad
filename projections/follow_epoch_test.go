package projections_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
)

// TestAcceptedLossBeginsAnEpoch: an accepted loss ends the read model. The next one replays the log and refuses
// positions from before.
func TestAcceptedLossBeginsAnEpoch(t *testing.T) {
	h, cfg := seen(t)
	viewer := viewerOf("nokia")
	short := h.truncated(t, map[eventlog.Partition]uint64{atAgreement: 1})
	cfg.Log = short
	first := h.follow(t, cfg)
	old, oldSet := first.Position(viewer, agreementID), first.Position(viewer, "")
	require.NoError(t, short.AcceptLoss(t.Context(), atAgreement))
	<-halted(first)
	require.ErrorIs(t, first.Health(), projections.ErrEpoch)
	require.ErrorIs(t, first.stop(), projections.ErrEpoch)

	var lines bytes.Buffer
	cfg.Logger = slog.New(slog.NewTextHandler(&lines, nil))
	model := h.follow(t, cfg)
	require.Contains(t, lines.String(), "level=INFO")
	require.NotContains(t, lines.String(), "level=ERROR")
	require.Empty(t, model.OpenLosses())
	require.EqualValues(t, 4, model.Head(atAgreement).Seq)
	require.Equal(t, "2."+agreementID+".5", model.Position(viewer, agreementID))
	for _, position := range []string{old, oldSet, "1." + agreementID + ".1", "1." + agreementID + ".0"} {
		require.ErrorIs(t, model.WaitPosition(t.Context(), viewer, position), projections.ErrPositionLost, position)
		_, err := model.partnerEvents(t.Context(), viewer, position, 10)
		require.ErrorIs(t, err, projections.ErrPositionLost, position)
		_, seen, err := model.agreementEvents(t.Context(), viewer, agreementID, position, 10)
		require.True(t, seen)
		require.ErrorIs(t, err, projections.ErrPositionLost, position)
		_, seen, err = model.agreementEvents(t.Context(), viewerOf("sony"), agreementID, position, 10)
		require.False(t, seen)
		require.NoError(t, err, "visibility is checked before the position")
	}
	require.NoError(t, model.WaitPosition(t.Context(), viewer, model.Position(viewer, "")))
	require.NoError(t, model.WaitPosition(t.Context(), viewer, model.Position(viewer, agreementID)))
	require.NoError(t, model.WaitPosition(t.Context(), viewer, "1.@nokia.1"), "that partition has no loss")
}

// TestPositionOfANewerEpoch: a position of an epoch that this node has not read yet is not reached yet.
func TestPositionOfANewerEpoch(t *testing.T) {
	h := newFixture(t)
	h.settle()
	model := h.follow(t, h.config())
	viewer, newer := viewerOf("nokia"), "2."+agreementID+".1"
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, model.WaitPosition(ctx, viewer, newer), context.Canceled)
	events, seen, err := model.agreementEvents(t.Context(), viewer, agreementID, newer, 10)
	require.NoError(t, err)
	require.True(t, seen)
	require.Empty(t, events.Events)
	require.Equal(t, newer, *events.NextCursor)
	events, err = model.partnerEvents(t.Context(), viewer, newer, 10)
	require.NoError(t, err)
	require.Empty(t, events.Events)
	again, err := model.partnerEvents(t.Context(), viewer, *events.NextCursor, 10)
	require.NoError(t, err)
	require.Equal(t, events, again)
}

// TestPositionInAHaltedPartition: while a loss is open, a position does not wait for the lost commits.
func TestPositionInAHaltedPartition(t *testing.T) {
	h, cfg := seen(t)
	whole := h.follow(t, h.config())
	position := whole.Position(viewerOf("nokia"), "")
	cfg.Log = h.truncated(t, map[eventlog.Partition]uint64{atAgreement: 1})
	model := h.follow(t, cfg)
	require.NoError(t, model.WaitPosition(t.Context(), viewerOf("nokia"), position))
}

// TestSnapshotFromBeforeAnAcceptedLoss: the snapshot of a read model with a halted partition holds the lost
// commits until the loss is accepted.
func TestSnapshotFromBeforeAnAcceptedLoss(t *testing.T) {
	h, cfg := saved(t)
	partition := eventlog.PartitionOf(domain.Stream{Agreement: "a0"}.Root())
	known := h.heads[partition]
	short := h.truncated(t, map[eventlog.Partition]uint64{partition: 1})
	cfg.Log = short
	model := h.follow(t, cfg)
	require.Equal(t, []string{lostLine(partition, known.Seq, known.Seq)}, missing(model.OpenLosses()))
	require.Equal(t, known, model.Head(partition), "applied commits stay applied")
	require.NoError(t, model.stop())
	again := h.follow(t, cfg)
	require.Equal(t, known, again.Head(partition))
	require.NoError(t, short.AcceptLoss(t.Context(), partition))
	<-halted(again)

	var lines bytes.Buffer
	cfg.Logger = slog.New(slog.NewTextHandler(&lines, nil))
	after := start(t, cfg)
	require.Contains(t, lines.String(), "not used")
	require.Equal(t, known.Seq-1, after.Head(partition).Seq)
	require.NoError(t, after.stop())
	last := h.follow(t, cfg)
	require.Empty(t, last.OpenLosses(), "seen heads and snapshot are of the new epoch")
}

// TestOlderLogAfterAnAcceptedLoss: restoring an older copy of the log after an accepted loss is another loss.
func TestOlderLogAfterAnAcceptedLoss(t *testing.T) {
	h, cfg := seen(t)
	short := h.truncated(t, map[eventlog.Partition]uint64{atAgreement: 1})
	cfg.Log = short
	first := h.follow(t, cfg)
	require.NoError(t, short.AcceptLoss(t.Context(), atAgreement))
	<-halted(first)
	second := start(t, cfg)
	require.Empty(t, second.OpenLosses())
	require.NoError(t, second.stop())

	cfg.Log = h.truncated(t, map[eventlog.Partition]uint64{atAgreement: 3})
	third := h.follow(t, cfg)
	require.Equal(t, []string{lostLine(atAgreement, 3, 4)}, missing(third.OpenLosses()))
}

// TestNodeThatMissedALoss: a node that learns of a loss after its acceptance replays the log.
func TestNodeThatMissedALoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newFixture(t)
		h.settle()
		log := &faulty{Log: h.log, fault: make(chan error)}
		cfg := h.config()
		cfg.Log = log
		model := start(t, cfg)
		defer model.stop()
		synctest.Wait()
		short := h.truncated(t, map[eventlog.Partition]uint64{atAgreement: 1})
		require.NoError(t, short.ReportLoss(t.Context(), eventlog.LostTailError{Partition: atAgreement, Known: h.heads[atAgreement]}))
		require.NoError(t, short.AcceptLoss(t.Context(), atAgreement))
		log.Log = short
		log.fault <- errors.New("commit 5 does not follow commit 4")
		require.ErrorIs(t, model.WaitHead(t.Context(), atAgreement, 99), projections.ErrEpoch)
	})
}
