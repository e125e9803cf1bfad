package webhooks

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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

// A stop keeps the cursors: after the next start everything goes on where it was, and nothing comes twice.
func TestRestartResumes(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	var down atomic.Bool
	receiver := newReceiver(t, func(w http.ResponseWriter, message receivedMessage) {
		if down.Load() || message.Milestone == "bad" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
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

	down.Store(false)
	log = openSQLite(t, dir)
	t.Cleanup(func() { require.NoError(t, log.Close()) })
	again := openWorld(t, log, clock)
	t.Cleanup(func() { again.stop() })
	again.plan("m3")
	require.Equal(t, "m3", receiver.next(t).Milestone, "the one that skips ahead")
	clock.pass(t, time.Second, 6*time.Second)
	clock.mu.Lock()
	clock.advance(2 * time.Second) // the other one's time has come, too
	clock.mu.Unlock()
	require.ElementsMatch(t, []string{"m2", "m2", "m3"}, receiver.milestones(t, 3))
	require.Equal(t, 2, again.attempts(ordered, 3)[2].Number, "the attempts are counted on")
	receiver.nothing(t)
}

// What was not kept before a crash is delivered again, under the same ids; nothing is left out.
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

// failingOwner keeps nothing, as an owner does that is killed before its next append.
type failingOwner struct{ Owner }

func (failingOwner) PutKV(context.Context, eventlog.Partition, []eventlog.KV) error {
	return errors.New("the power is gone")
}

// While nothing can be kept, deliveries go on, and the log of them is whole once it can.
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
		return errors.New("not now")
	}
	return o.Owner.PutKV(ctx, partition, puts)
}

// A lane that is taken over by another node stops on the first, and goes on where it was kept.
func TestLanesFollowTheirPartition(t *testing.T) {
	receiver := newReceiver(t, nil)
	one := &switchableOwner{owns: &atomic.Bool{}, moved: make(chan struct{}, 1)}
	one.owns.Store(true)
	world := newWorld(t, func(cfg *Config) {
		one.Owner = cfg.Owner
		cfg.Owner = one
	})
	hook := world.hook("ops", receiver.URL)
	world.plan("m1")
	require.Equal(t, "m1", receiver.next(t).Milestone)
	world.attempts(hook, 1)
	one.owns.Store(false)
	one.moved <- struct{}{}
	require.Eventually(t, func() bool { return len(world.engine.Lanes()) == 0 }, 5*time.Second, time.Millisecond)
	world.plan("m2")
	receiver.nothing(t)
	one.owns.Store(true)
	one.moved <- struct{}{}
	require.Equal(t, "m2", receiver.next(t).Milestone)
	receiver.nothing(t)
}

// switchableOwner is an owner that can be told that it is none.
type switchableOwner struct {
	Owner
	owns  *atomic.Bool
	moved chan struct{}
}

func (o *switchableOwner) Owns(at eventlog.Partition) bool   { return o.owns.Load() && o.Owner.Owns(at) }
func (o *switchableOwner) OwnershipChanged() <-chan struct{} { return o.moved }

func TestAttemptHistoryKeepsTheLastAttempts(t *testing.T) {
	world, receiver := newWorld(t), newReceiver(t, nil)
	hook := world.hook("ops", receiver.URL)
	for i := range 60 {
		world.plan(fmt.Sprint("m", i))
		receiver.next(t)
	}
	require.Eventually(t, func() bool { return world.status(hook).Sent == 60 }, 5*time.Second, time.Millisecond)
	var list []Attempt
	require.Eventually(t, func() bool {
		list = world.attempts(hook, AttemptHistorySize)
		return list[len(list)-1].Sequence == 60
	}, 5*time.Second, time.Millisecond)
	require.Len(t, list, AttemptHistorySize)
	require.Equal(t, 11, list[0].Sequence)
}

// Whoever was away since before what is remembered tells of every event what was true then.
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
