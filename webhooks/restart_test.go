package webhooks

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/eventlog/sqlite"
	"tandem/projections"
	"tandem/projections/feed"
)

func openSQLite(t *testing.T, dir string) eventlog.Log {
	t.Helper()
	log, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir})
	require.NoError(t, err)
	return log
}

// A restart continues at the cursors and repeats no message.
func TestRestartResumes(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	var down atomic.Bool
	receiver := newReceiver(t, func(w http.ResponseWriter, _ receivedMessage) {
		if down.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})

	// Both lanes fail at the second milestone.
	log := openSQLite(t, dir)
	world := openWorld(t, log, clock)
	world.agree("a")
	ordered, ahead := world.hook("ops", receiver.URL), world.hook("room", receiver.URL, unordered)
	world.plan("m1")
	require.Equal(t, []string{"m1", "m1"}, receiver.milestones(t, 2))
	down.Store(true)
	world.plan("m2")
	require.Equal(t, []string{"m2", "m2"}, receiver.milestones(t, 2))
	world.attempts(ordered, 2)
	world.attempts(ahead, 2)
	world.stop()
	require.NoError(t, log.Close())

	// After the restart, the ordered lane still blocks on it, and the unordered lane has skipped it.
	down.Store(false)
	log = openSQLite(t, dir)
	t.Cleanup(func() { require.NoError(t, log.Close()) })
	again := openWorld(t, log, clock)
	t.Cleanup(func() { again.stop() })
	again.plan("m3")
	require.Equal(t, "m3", receiver.next(t).Milestone, "the unordered lane")
	again.pass(time.Second, 6*time.Second)
	again.advance(2 * time.Second) // the timers of the two lanes differ by up to a second
	require.ElementsMatch(t, []string{"m2", "m2", "m3"}, receiver.milestones(t, 3))
	require.Equal(t, 2, again.attempts(ordered, 3)[2].Number, "the number of the attempt continues")
	again.expectNothing(receiver)
}

// After a crash, messages since the last flush are sent again with the same ids, and none is missing.
func TestCrashResendsUnsavedMessages(t *testing.T) {
	receiver := newReceiver(t, nil)
	world := newWorld(t, func(cfg *Config) { cfg.Owner = failingOwner{cfg.Owner} })
	world.hook("ops", receiver.URL)
	world.plan("m1", "m2", "m3")
	var ids []string
	for range 3 {
		ids = append(ids, receiver.next(t).ID)
	}
	world.stop()
	again := openWorld(t, world.log, world.clock)
	for _, id := range ids {
		require.Equal(t, id, receiver.next(t).ID)
	}
	again.plan("m4")
	require.Equal(t, "m4", receiver.next(t).Milestone)
}

// failingOwner fails to store anything, like an owner that is killed before its next append.
type failingOwner struct{ Owner }

func (failingOwner) PutKV(context.Context, eventlog.Partition, []eventlog.KV) error {
	return errors.New("killed")
}

// While flushes fail, messages are sent. The attempt history is complete after a successful flush.
func TestFailedFlushIsRetried(t *testing.T) {
	receiver := newReceiver(t, nil)
	var broken atomic.Bool
	world := newWorld(t, func(cfg *Config) { cfg.Owner = &flakyOwner{cfg.Owner, &broken} })
	hook := world.hook("ops", receiver.URL)
	broken.Store(true)
	world.plan("m1", "m2")
	require.Equal(t, []string{"m1", "m2"}, receiver.milestones(t, 2))
	broken.Store(false)
	require.Len(t, world.attempts(hook, 2), 2)
}

type flakyOwner struct {
	Owner
	broken *atomic.Bool
}

func (o *flakyOwner) PutKV(ctx context.Context, partition eventlog.Partition, puts []eventlog.KV) error {
	if o.broken.Load() {
		return errors.New("unavailable")
	}
	return o.Owner.PutKV(ctx, partition, puts)
}

// A lane stops when its node loses the partition, and continues at the stored cursor when a node takes it over.
func TestLanesFollowTheirPartition(t *testing.T) {
	receiver := newReceiver(t, nil)
	owner := &switchableOwner{owns: &atomic.Bool{}, moved: make(chan struct{}, 1)}
	owner.owns.Store(true)
	world := newWorld(t, func(cfg *Config) {
		owner.Owner = cfg.Owner
		cfg.Owner = owner
	})
	hook := world.hook("ops", receiver.URL)
	world.plan("m1")
	require.Equal(t, "m1", receiver.next(t).Milestone)
	world.attempts(hook, 1)

	// This node loses the partition.
	owner.owns.Store(false)
	owner.moved <- struct{}{}
	world.eventually(func() bool { return len(world.engine.Lanes()) == 0 }, "the lane was not dropped")
	world.plan("m2")
	world.expectNothing(receiver)

	// It owns the partition again.
	owner.owns.Store(true)
	owner.moved <- struct{}{}
	require.Equal(t, "m2", receiver.next(t).Milestone)
	world.expectNothing(receiver)
}

// switchableOwner owns its partitions only while owns is true.
type switchableOwner struct {
	Owner
	owns  *atomic.Bool
	moved chan struct{}
}

func (o *switchableOwner) Owns(partition eventlog.Partition) bool {
	return o.owns.Load() && o.Owner.Owns(partition)
}
func (o *switchableOwner) OwnershipChanged() <-chan struct{} { return o.moved }

// A lane that is far behind sends each event with the state after that event.
func TestLaggingLaneRendersPastStates(t *testing.T) {
	receiver := newReceiver(t, nil)
	world := newWorld(t)
	hook := world.hook("ops", receiver.URL)
	world.do(system, domain.DisableWebhook{WebhookRef: domain.WebhookRef{Partner: "xiaomi", Webhook: "ops"}, Reason: "later"})
	world.plan("m1")
	world.do(nokia, domain.StartMilestone{MilestoneRef: ref("m1")})
	for i := range 20 {
		world.do(nokia, domain.ReportProgress{MilestoneRef: ref("m1"), Percent: new(i + 1)})
	}
	world.stop()
	again := openWorld(t, world.log, world.clock)
	again.do(xiaomi, domain.EnableWebhook{WebhookRef: domain.WebhookRef{Partner: "xiaomi", Webhook: hook.Webhook}})
	receiver.next(t)
	receiver.next(t)
	for i := range 20 {
		milestone := receiver.next(t).Body["data"].(map[string]any)["milestone"].(map[string]any)
		require.EqualValues(t, i+1, milestone["progress"])
	}
	require.Zero(t, again.engine.cfg.Events.Behind(projections.Viewer{Partner: "nobody"}, feed.Cursor{}, feed.EventQuery{}))
}

// A lane continues from a cursor in the stored form of version c87ce1f, and stores its cursor in that form.
func TestLaneStateKeepsItsStoredCursor(t *testing.T) {
	world, receiver := newWorld(t), newReceiver(t, nil)
	hook := world.hook("ops", receiver.URL)
	world.plan("m1", "m2")
	require.Equal(t, []string{"m1", "m2"}, receiver.milestones(t, 2))
	world.attempts(hook, 2)
	world.settledStatus(hook)
	scope := projections.EventScope{Agreement: "a"}
	page, err := world.engine.cfg.Events.Next(t.Context(), projections.Viewer{Partner: "xiaomi"}, feed.Cursor{}, feed.EventQuery{EventScope: scope}, 100)
	require.NoError(t, err)
	require.NoError(t, world.sending.end())
	world.sending = nil
	partition, last := projections.DirectoryOf("xiaomi"), page.Events[len(page.Events)-1]
	value, err := world.log.Get(t.Context(), partition, laneKey(hook))
	require.NoError(t, err)
	var stored map[string]any
	require.NoError(t, json.Unmarshal(value, &stored))
	count := float64(last.Position().Count)
	require.Equal(t, map[string]any{"a": []any{1.0, count, float64(last.RecordedAt().UnixMicro())}}, stored["progress"])

	stored["progress"] = map[string]any{"a": []any{1.0, count - 1, 0.0}}
	value, err = json.Marshal(stored)
	require.NoError(t, err)
	require.NoError(t, world.bus.PutKV(t.Context(), partition, []eventlog.KV{{Key: laneKey(hook), Value: value}}))
	world.stop()
	openWorld(t, world.log, world.clock)
	require.Equal(t, "m2", receiver.next(t).Milestone, "the cursor was moved back by one event")
}

// Lost history halts only the events of its partition. After the loss is accepted, the attempt history notes it.
func TestLostHistoryHaltsSending(t *testing.T) {
	world, receiver := newWorld(t), newReceiver(t, nil)
	world.agree("b")
	hook := world.hook("ops", receiver.URL)
	world.plan("m1")
	require.Equal(t, "m1", receiver.next(t).Milestone)
	world.attempts(hook, 1)

	// Part of the history of agreement a is lost. The webhook sends the events of agreement b.
	partition := eventlog.PartitionOf("agreement/a")
	known := world.readModel.Head(partition)
	known.Seq++
	require.NoError(t, world.log.ReportLoss(t.Context(), eventlog.LostTailError{Partition: partition, Known: known, Stored: world.readModel.Head(partition)}))
	world.eventually(func() bool { return world.readModel.OpenLosses() != nil }, "the loss was not noticed")
	in := domain.MilestoneRef{Agreement: "b", Project: "p", Milestone: "mb"}
	world.do(nokia, domain.PlanMilestone{MilestoneRef: in, Plan: domain.Plan{Title: "T", Owner: "nokia", DueOn: 20180330}})
	require.Equal(t, "mb", receiver.next(t).Milestone)
	world.attempts(hook, 2)

	// After an operator has accepted the loss, the webhook continues and notes the loss.
	require.NoError(t, world.log.AcceptLoss(t.Context(), partition))
	world.ending = true
	world.stop()
	again := openWorld(t, world.log, world.clock)
	again.plan("m2")
	require.Equal(t, "m2", receiver.next(t).Milestone)
	require.True(t, slices.ContainsFunc(again.attempts(hook, 3), func(attempt Attempt) bool { return attempt.Type == lossType }))
	again.expectNothing(receiver)
}
