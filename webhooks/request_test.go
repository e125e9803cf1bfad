package webhooks

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/domain"
)

// A manager can request test messages, one message again, and a replay.
func TestRequests(t *testing.T) {
	world, receiver := newWorld(t), newReceiver(t, nil)
	hook := world.hook("ops", receiver.URL)
	since := world.clock.Now()
	world.plan("m1", "m2", "m3")
	var ids []string
	for range 3 {
		ids = append(ids, receiver.next(t).ID)
	}

	// A manager requests a test message, the second message again, and the events after its position.
	position := world.attempts(hook, 3)[1].Events[0]
	world.do(xiaomi, domain.TestWebhook{WebhookRef: hook})
	require.Equal(t, testType, receiver.next(t).Type)
	world.do(xiaomi, domain.ResendWebhook{WebhookRef: hook, Message: ids[1]})
	require.Equal(t, ids[1], receiver.next(t).ID)
	world.do(xiaomi, domain.ReplayWebhook{WebhookRef: hook, After: position})
	require.Equal(t, ids[2], receiver.next(t).ID)

	// A replay from a time sends all events again.
	world.do(xiaomi, domain.ReplayWebhook{WebhookRef: hook, Since: since})
	var again []string
	for i := 0; i < 3; {
		if message := receiver.next(t); message.Milestone != "" {
			again = append(again, message.ID)
			i++
		}
	}
	require.Equal(t, ids, again)

	// An unknown message cannot be resent.
	world.do(xiaomi, domain.ResendWebhook{WebhookRef: hook, Message: "unknown"})
	attempts := world.attempts(hook, 1)
	require.Contains(t, attempts[len(attempts)-1].Reason, "no longer in the attempt history")
}

// Test messages obey the rate of the service: DingTalk would block a robot for ten minutes.
func TestTestMessagesObeyTheRateLimit(t *testing.T) {
	world, receiver := newWorld(t), newReceiver(t, func(w http.ResponseWriter, _ receivedMessage) { _, _ = w.Write([]byte(`{"errcode":0}`)) })
	world.hook("room", receiver.URL+"/?key=x", func(settings *domain.WebhookSettings) { settings.Format, settings.Order = "wecom", domain.SkipAhead })
	for range 8 {
		world.do(xiaomi, domain.TestWebhook{WebhookRef: domain.WebhookRef{Partner: "xiaomi", Webhook: "room"}})
	}
	for range 4 {
		receiver.next(t)
	}
	world.pass(time.Second, 4*time.Second)
	receiver.next(t)
	world.expectNothing(receiver)
}

// Requests that newer ones push out are noted in the attempt history.
func TestDroppedRequestsAreRecorded(t *testing.T) {
	var down atomic.Bool
	entered, release := make(chan struct{}, 100), make(chan struct{})
	down.Store(true)
	world, receiver := newWorld(t), newReceiver(t, func(http.ResponseWriter, receivedMessage) {
		if down.Swap(false) {
			entered <- struct{}{}
			<-release
		}
	})
	hook := world.hook("ops", receiver.URL)
	world.plan("m1")
	<-entered
	world.do(xiaomi, domain.ReplayWebhook{WebhookRef: domain.WebhookRef{Partner: "xiaomi", Webhook: "ops"}, Since: world.clock.Now()})
	for range 16 {
		world.do(xiaomi, domain.TestWebhook{WebhookRef: domain.WebhookRef{Partner: "xiaomi", Webhook: "ops"}})
	}
	close(release)
	for range 17 {
		receiver.next(t)
	}
	list := world.attempts(hook, 18)
	require.Contains(t, list[1].Reason, "1 request(s)")
	world.expectNothing(receiver)
}
