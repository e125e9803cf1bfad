package webhooks

import (
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/domain"
)

// An endpoint that is down is left alone. In a chat, the events of that time become one message.
func TestBacklogBecomesOneMessage(t *testing.T) {
	var down atomic.Bool
	down.Store(true)
	world, receiver := newWorld(t), newReceiver(t, func(w http.ResponseWriter, message receivedMessage) {
		if down.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		answerOK(w, message)
	})
	hook := world.hook("room", receiver.URL, slackUnordered)
	world.plan("m1")
	receiver.next(t)
	down.Store(false)
	held := world.attempts(hook, 1)
	require.False(t, held[0].NextAt.IsZero())
	world.pass(5*time.Second, 6*time.Second)
	require.Contains(t, receiver.next(t).Raw, "Title m1")

	// The rate limit delays messages. Events that pile up become one message.
	for i := range 40 {
		world.plan(fmt.Sprintf("n%d", i))
	}
	attempts := world.attempts(hook, 2)
	for i := 0; eventsSent(attempts) < 41; i++ {
		require.Less(t, i, 60)
		world.advance(time.Second)
		attempts = world.attempts(hook, 2)
	}
	require.True(t, slices.ContainsFunc(attempts, func(attempt Attempt) bool {
		return attempt.Type == digestType && len(attempt.Events) > coalesceAbove
	}))
	require.Less(t, len(attempts), 30)
}

// eventsSent returns the number of events in successful attempts.
func eventsSent(attempts []Attempt) (n int) {
	for _, attempt := range attempts {
		if attempt.OK {
			n += len(attempt.Events)
		}
	}
	return n
}

func TestDailyDigest(t *testing.T) {
	world, receiver := newWorld(t), newReceiver(t, nil)
	hook := world.hook("daily", receiver.URL, func(settings *domain.WebhookSettings) { settings.Digest = domain.Daily })
	world.plan("m1", "m2")

	// It is 09:00 UTC, which is 17:00 in Shanghai. The digest is due in fifteen hours.
	world.pass(14*time.Hour, 15*time.Hour)
	message := receiver.next(t)
	require.Equal(t, digestType, message.Type)
	data := message.Body["data"].(map[string]any)
	require.EqualValues(t, 2, data["count"])
	require.Len(t, world.attempts(hook, 1)[0].Events, 2)

	// A day without events has no digest.
	world.pass(23*time.Hour, 24*time.Hour)
	world.plan("m3")
	world.pass(23*time.Hour, 24*time.Hour)
	require.EqualValues(t, 1, receiver.next(t).Body["data"].(map[string]any)["count"])
	world.expectNothing(receiver)
}

// After a change of the partner's time zone, the digest is due at eight in the new zone.
func TestDigestFollowsThePartnersTimeZone(t *testing.T) {
	world, receiver := newWorld(t), newReceiver(t, nil)
	world.hook("daily", receiver.URL, func(settings *domain.WebhookSettings) { settings.Digest = domain.Daily })
	world.plan("m1")
	world.settle()
	delay, ok := world.engine.untilNextTimer()
	require.True(t, ok)
	require.Equal(t, 15*time.Hour, delay.Round(time.Hour), "until 08:00 in Shanghai")
	zone := "UTC"
	world.do(xiaomi, domain.EditPartner{PartnerID: "xiaomi", TimeZone: &zone})
	world.pass(22*time.Hour, 23*time.Hour)
	require.Equal(t, digestType, receiver.next(t).Type)
}
