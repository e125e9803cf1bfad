package webhooks

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
	"tandem/webhooks/formats"
)

// Attempts at receivers that misbehave end with a reason for people.
func TestBadReceivers(t *testing.T) {
	redirected := newReceiver(t, nil)
	for name, test := range map[string]struct {
		answer func(w http.ResponseWriter, message receivedMessage)
		reason string
	}{
		"drops": {func(http.ResponseWriter, receivedMessage) { panic(http.ErrAbortHandler) }, "The connection was closed before a response"},
		"redirects": {func(w http.ResponseWriter, _ receivedMessage) {
			w.Header().Set("Location", redirected.URL)
			w.WriteHeader(307)
		}, "307"},
		"unready": {func(w http.ResponseWriter, _ receivedMessage) { w.WriteHeader(503) }, "503"},
	} {
		t.Run(name, func(t *testing.T) {
			world, receiver := newWorld(t), newReceiver(t, test.answer)
			hook := world.hook("ops", receiver.URL)
			world.plan("m1")
			attempt := world.attempts(hook, 1)[0]
			require.False(t, attempt.OK)
			require.Contains(t, attempt.Reason, test.reason)
			require.False(t, attempt.NextAt.IsZero())
		})
	}
	require.Empty(t, redirected.messages)
}

func TestHangingReceiver(t *testing.T) {
	world := newWorld(t, func(cfg *Config) { cfg.AttemptTimeout = 50 * time.Millisecond })
	release := make(chan struct{})
	receiver := newReceiver(t, func(http.ResponseWriter, receivedMessage) { <-release })
	t.Cleanup(func() { close(release) })
	hook := world.hook("ops", receiver.URL)
	world.plan("m1")
	require.Contains(t, world.attempts(hook, 1)[0].Reason, "No response in time")
}

func TestEndlessResponse(t *testing.T) {
	world, receiver := newWorld(t), newReceiver(t, func(w http.ResponseWriter, _ receivedMessage) {
		for i := 0; i < 1<<20; i++ {
			if _, err := w.Write([]byte(strings.Repeat("x", 1024))); err != nil {
				return
			}
		}
	})
	hook := world.hook("ops", receiver.URL)
	world.plan("m1")
	attempt := world.attempts(hook, 1)[0]
	require.True(t, attempt.OK, attempt.Reason)
	require.Len(t, attempt.ResponseBody, formats.MaxRedactedBytes)
	require.NotEmpty(t, attempt.Note)
}

func TestPrivateAddress(t *testing.T) {
	world, receiver := newWorld(t, func(cfg *Config) { cfg.Client = NewClient(nil) }), newReceiver(t, nil)
	hook := world.hook("ops", receiver.URL)
	world.plan("m1")
	require.Contains(t, world.attempts(hook, 1)[0].Reason, "are blocked")
	world.expectNothing(receiver)
}

// P7: a hanging endpoint does not delay the others.
func TestOneHangingEndpointAmongTwenty(t *testing.T) {
	world := newWorld(t, func(cfg *Config) { cfg.Workers, cfg.RetryWorkers = 4, 2 })
	release := make(chan struct{})
	hanging := newReceiver(t, func(http.ResponseWriter, receivedMessage) { <-release })
	t.Cleanup(func() { close(release) })
	world.hook("hangs", hanging.URL)
	var receivers []*testReceiver
	for i := range 19 {
		receiver := newReceiver(t, nil)
		receivers = append(receivers, receiver)
		world.hook("ok"+string(rune('a'+i)), receiver.URL)
	}
	var names []string
	for i := range 25 {
		names = append(names, "m"+string(rune('a'+i)))
	}
	world.plan(names...)
	for _, receiver := range receivers {
		require.Equal(t, names, receiver.milestones(t, len(names)))
	}
}

// P7: endpoints that accept everything slowly delay only one another.
func TestSlowEndpointsShareTheSlowPool(t *testing.T) {
	world := newWorld(t, func(cfg *Config) { cfg.Workers, cfg.RetryWorkers = 2, 2 })
	release := make(chan struct{})

	// Each of four endpoints takes half of the time limit for its first message.
	for i := range 4 {
		var first atomic.Bool
		receiver := newReceiver(t, func(http.ResponseWriter, receivedMessage) {
			if first.CompareAndSwap(false, true) {
				world.clock.advance(patience / 2)
				return
			}
			<-release
		})
		world.hook("slow"+string(rune('a'+i)), receiver.URL)
	}
	t.Cleanup(func() { close(release) })
	world.plan("first")
	world.settle()

	// For the next message they hang. They occupy all retry workers, and no other worker.
	fast := newReceiver(t, nil)
	world.hook("the-fast-one", fast.URL)
	var names []string
	for i := range 26 {
		names = append(names, "m"+string(rune('a'+i)))
	}
	world.plan(names...)
	require.Equal(t, names, fast.milestones(t, len(names)))
}

// P8: an unreadable lane state disables one webhook, with a reason, and no other.
func TestUnreadableLaneStateDisablesOneWebhook(t *testing.T) {
	receiver, other := newReceiver(t, nil), newReceiver(t, nil)
	world := newWorld(t)
	bad := world.hook("bad", receiver.URL)
	world.hook("good", other.URL)
	world.plan("m1")
	receiver.next(t)
	other.next(t)
	world.attempts(bad, 1)

	// While the engine is stopped, the stored lane state and one attempt are damaged.
	require.NoError(t, world.sending.end())
	world.sending = nil
	partition := projections.DirectoryOf("xiaomi")
	require.NoError(t, world.bus.PutKV(t.Context(), partition, []eventlog.KV{
		{Key: laneKey(bad), Value: []byte(`{"progress":[1]}`)}, {Key: attemptPrefix(bad) + "07", Value: []byte("?")},
	}))
	_, err := ReadStatus(t.Context(), world.log, world.engine.cfg.Events, world.webhook(bad))
	require.NoError(t, err)
	attempts, err := ReadAttempts(t.Context(), world.log, bad)
	require.NoError(t, err)
	require.Len(t, attempts, 1, "the readable attempts")
	world.stop()

	// The next start disables the webhook, and no other.
	again := openWorld(t, world.log, world.clock)
	again.plan("m2")
	require.Equal(t, "m2", other.next(t).Milestone)
	again.settle()
	require.Contains(t, again.webhook(bad).DisabledReason, "could not be read")
	again.expectNothing(receiver)

	// After it is enabled, it sends all events since it was added.
	again.do(xiaomi, domain.EnableWebhook{WebhookRef: bad})
	require.Equal(t, []string{"m1", "m2"}, receiver.milestones(t, 2))
}
