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
)

func openSQLite(t *testing.T, dir string) eventlog.Log {
	t.Helper()
	log, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir})
	require.NoError(t, err)
	return log
}

// A stop keeps the cursors: after the next start everything goes on where it was, and nothing comes twice.
func TestRestartGoesOn(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	var down atomic.Bool
	r := newTool(t, func(w http.ResponseWriter, h hit) {
		if down.Load() || h.Milestone == "bad" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	log := openSQLite(t, dir)
	w := openWorld(t, log, c)
	w.agree("a")
	ordered, ahead := w.hook("ops", r.URL), w.hook("room", r.URL, skipAhead)
	w.plan("m1")
	require.Equal(t, []string{"m1", "m1"}, r.milestones(t, 2))
	down.Store(true)
	w.plan("m2")
	require.Equal(t, []string{"m2", "m2"}, r.milestones(t, 2))
	w.attempts(ordered, 2)
	w.attempts(ahead, 2)
	w.stop()
	require.NoError(t, log.Close())

	down.Store(false)
	log = openSQLite(t, dir)
	t.Cleanup(func() { require.NoError(t, log.Close()) })
	again := openWorld(t, log, c)
	t.Cleanup(func() { again.stop() })
	again.plan("m3")
	require.Equal(t, "m3", r.next(t).Milestone, "the one that skips ahead")
	c.pass(t, time.Second, 6*time.Second)
	c.mu.Lock()
	c.advance(2 * time.Second) // the other one's time has come, too
	c.mu.Unlock()
	require.ElementsMatch(t, []string{"m2", "m2", "m3"}, r.milestones(t, 3))
	require.Equal(t, 2, again.attempts(ordered, 3)[2].Number, "the attempts are counted on")
	r.nothing(t)
}

// What was not kept before a crash is delivered again, under the same ids; nothing is left out.
func TestACrashRepeatsWhatWasNotKept(t *testing.T) {
	r := newTool(t, nil)
	w := newWorld(t, func(c *Config) { c.Owner = forgetful{c.Owner} })
	w.hook("ops", r.URL)
	w.plan("m1", "m2", "m3")
	var ids []string
	for range 3 {
		ids = append(ids, r.next(t).ID)
	}
	w.stop()
	again := openWorld(t, w.log, w.clock)
	for _, id := range ids {
		require.Equal(t, id, r.next(t).ID)
	}
	again.plan("m4")
	require.Equal(t, "m4", r.next(t).Milestone)
}

// forgetful keeps nothing, as an owner does that is killed before its next append.
type forgetful struct{ Owner }

func (forgetful) Keep(context.Context, eventlog.Partition, []eventlog.KV) error {
	return errors.New("the power is gone")
}

// While nothing can be kept, deliveries go on, and the log of them is whole once it can.
func TestKeepingIsTriedAgain(t *testing.T) {
	r := newTool(t, nil)
	var broken atomic.Bool
	w := newWorld(t, func(c *Config) { c.Owner = &moody{c.Owner, &broken} })
	hook := w.hook("ops", r.URL)
	broken.Store(true)
	w.plan("m1", "m2")
	require.Equal(t, []string{"m1", "m2"}, r.milestones(t, 2))
	broken.Store(false)
	require.Len(t, w.attempts(hook, 2), 2)
}

type moody struct {
	Owner
	broken *atomic.Bool
}

func (m *moody) Keep(ctx context.Context, p eventlog.Partition, puts []eventlog.KV) error {
	if m.broken.Load() {
		return errors.New("not now")
	}
	return m.Owner.Keep(ctx, p, puts)
}

// A lane that is taken over by another node stops on the first, and goes on where it was kept.
func TestLanesFollowTheirPartition(t *testing.T) {
	r := newTool(t, nil)
	one := &part{owns: &atomic.Bool{}, moved: make(chan struct{}, 1)}
	one.owns.Store(true)
	w := newWorld(t, func(c *Config) {
		one.Owner = c.Owner
		c.Owner = one
	})
	hook := w.hook("ops", r.URL)
	w.plan("m1")
	require.Equal(t, "m1", r.next(t).Milestone)
	w.attempts(hook, 1)
	one.owns.Store(false)
	one.moved <- struct{}{}
	require.Eventually(t, func() bool { return len(w.engine.Lanes()) == 0 }, 5*time.Second, time.Millisecond)
	w.plan("m2")
	r.nothing(t)
	one.owns.Store(true)
	one.moved <- struct{}{}
	require.Equal(t, "m2", r.next(t).Milestone)
	r.nothing(t)
}

// part is an owner that can be told that it is none.
type part struct {
	Owner
	owns  *atomic.Bool
	moved chan struct{}
}

func (p *part) Owns(at eventlog.Partition) bool { return p.owns.Load() && p.Owner.Owns(at) }
func (p *part) Moved() <-chan struct{}          { return p.moved }

func TestTheDeliveryLogKeepsTheLastAttempts(t *testing.T) {
	w, r := newWorld(t), newTool(t, nil)
	hook := w.hook("ops", r.URL)
	for n := range 60 {
		w.plan(fmt.Sprint("m", n))
		r.next(t)
	}
	require.Eventually(t, func() bool { return w.standing(hook).Delivered == 60 }, 5*time.Second, time.Millisecond)
	var list []Attempt
	require.Eventually(t, func() bool {
		list = w.attempts(hook, KeptAttempts)
		return list[len(list)-1].Sequence == 60
	}, 5*time.Second, time.Millisecond)
	require.Len(t, list, KeptAttempts)
	require.Equal(t, 11, list[0].Sequence)
}

// Whoever was away since before what is remembered tells of every event what was true then.
func TestALaneThatIsFarBehind(t *testing.T) {
	r := newTool(t, nil)
	w := newWorld(t)
	hook := w.hook("ops", r.URL)
	w.do(system, domain.DisableWebhook{Partner: "xiaomi", Webhook: "ops", Reason: "later"})
	w.plan("m1")
	w.do(nokia, domain.StartMilestone{Ref: ref("m1")})
	for n := range 20 {
		w.do(nokia, domain.ReportProgress{Ref: ref("m1"), Percent: new(n + 1)})
	}
	w.stop()
	again := openWorld(t, w.log, w.clock)
	again.do(xiaomi, domain.EnableWebhook{Partner: "xiaomi", Webhook: hook.Webhook})
	r.next(t)
	r.next(t)
	for n := range 20 {
		milestone := r.next(t).Body["data"].(map[string]any)["milestone"].(map[string]any)
		require.EqualValues(t, n+1, milestone["progress"])
	}
	require.Zero(t, again.image.Behind(projections.Outlook{Partner: "nobody"}, new(projections.Progress)))
}
