package bus_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"tandem/bus"
	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
)

// hookedQueue calls hooks before or in place of a queue's methods. A nil hook has no effect.
type hookedQueue struct {
	eventlog.CommandQueue
	send    func(context.Context, eventlog.Message) error
	receive func(ctx context.Context, after eventlog.Offset, next receiveFunc) ([]eventlog.Message, error)
	advance func(eventlog.Offset) error
}

type receiveFunc func(context.Context) ([]eventlog.Message, error)

func (h hookedQueue) Send(ctx context.Context, topic string, msg eventlog.Message) error {
	if h.send != nil {
		if err := h.send(ctx, msg); err != nil {
			return err
		}
	}
	return h.CommandQueue.Send(ctx, topic, msg)
}

func (h hookedQueue) Receive(ctx context.Context, topic string, after eventlog.Offset, most int) ([]eventlog.Message, error) {
	next := func(ctx context.Context) ([]eventlog.Message, error) {
		return h.CommandQueue.Receive(ctx, topic, after, most)
	}
	if h.receive != nil {
		return h.receive(ctx, after, next)
	}
	return next(ctx)
}

func (h hookedQueue) Advance(ctx context.Context, topic string, to eventlog.Offset) error {
	if h.advance != nil {
		if err := h.advance(to); err != nil {
			return err
		}
	}
	return h.CommandQueue.Advance(ctx, topic, to)
}

func publish(t *testing.T, queue eventlog.CommandQueue, topic string, ids ...string) {
	t.Helper()
	for _, id := range ids {
		require.NoError(t, queue.Send(t.Context(), topic, eventlog.Message{ID: id, Payload: []byte(id)}))
	}
}

func stored(t *testing.T, queue eventlog.CommandQueue, topic string, n int) (all []eventlog.Message) {
	t.Helper()
	for len(all) < n {
		var after eventlog.Offset
		if len(all) > 0 {
			after = all[len(all)-1].Offset
		}
		more, err := queue.Receive(t.Context(), topic, after, n-len(all))
		require.NoError(t, err)
		all = append(all, more...)
	}
	return all
}

func TestPublishSendsAllFields(t *testing.T) {
	queue := eventlogtest.NewMemory()
	msg := message.NewMessage("id-1", []byte("payload"))
	msg.Metadata.Set("kind", "open")
	require.NoError(t, bus.NewPublisher(queue).Publish("t", msg))
	msg.Metadata.Set("kind", "changed afterwards")

	got := stored(t, queue, "t", 1)[0]
	require.Equal(t, "id-1", got.ID)
	require.Equal(t, "payload", string(got.Payload))
	require.Equal(t, map[string]string{"kind": "open"}, got.Metadata)
}

func TestPublishKeepsTheOrderOfEachSender(t *testing.T) {
	const senders, calls = 8, 60
	queue := eventlogtest.NewMemory()
	pub := bus.NewPublisher(queue)
	var wg sync.WaitGroup
	for sender := range senders {
		wg.Go(func() {
			for call := range calls {
				var batch []*message.Message
				for i := range 3 {
					batch = append(batch, message.NewMessage(strconv.Itoa(sender), []byte(strconv.Itoa(3*call+i))))
				}
				if err := pub.Publish("t", batch...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()

	next := map[string]int{}
	for _, msg := range stored(t, queue, "t", senders*calls*3) {
		require.Equal(t, strconv.Itoa(next[msg.ID]), string(msg.Payload), "sender %s", msg.ID)
		next[msg.ID]++
	}
}

func TestPublishStopsAtTheFirstFailure(t *testing.T) {
	memory := eventlogtest.NewMemory()
	broken := errors.New("broken")
	var tried []string
	queue := hookedQueue{CommandQueue: memory, send: func(_ context.Context, msg eventlog.Message) error {
		tried = append(tried, msg.ID)
		if msg.ID == "b" {
			return broken
		}
		return nil
	}}
	var batch []*message.Message
	for _, id := range []string{"a", "b", "c"} {
		batch = append(batch, message.NewMessage(id, nil))
	}
	require.ErrorIs(t, bus.NewPublisher(queue).Publish("t", batch...), broken)
	require.Equal(t, []string{"a", "b"}, tried)
	require.Equal(t, "a", stored(t, memory, "t", 1)[0].ID)
}

func TestPublishUsesTheContextOfEachMessage(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	first, second := message.NewMessage("a", nil), message.NewMessageWithContext(ctx, "b", nil)
	queue := eventlogtest.NewMemory()
	require.ErrorIs(t, bus.NewPublisher(queue).Publish("t", first, second), context.Canceled)
	require.Equal(t, "a", stored(t, queue, "t", 1)[0].ID)
}

func TestPublisherCloseWaitsForSendsUnderWay(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	queue := eventlogtest.NewMemory()
	pub := bus.NewPublisher(hookedQueue{CommandQueue: queue, send: func(context.Context, eventlog.Message) error {
		close(entered)
		<-release
		return nil
	}})
	published, closed := make(chan error, 1), make(chan struct{})
	go func() { published <- pub.Publish("t", message.NewMessage("a", nil)) }()
	<-entered
	go func() { defer close(closed); _ = pub.Close() }()
	for !errors.Is(pub.Publish("t"), bus.ErrClosed) { // without messages it only reports whether Close has started
		continue
	}
	select {
	case <-closed:
		t.Fatal("Close returned while a message was being sent")
	default:
	}
	close(release)
	require.NoError(t, <-published)
	<-closed
	require.ErrorIs(t, pub.Publish("t", message.NewMessage("late", nil)), bus.ErrClosed)
	require.NoError(t, pub.Close(), "a second Close")
	require.Len(t, stored(t, queue, "t", 1), 1, "only the message that was sent before Close")
}
