package bus_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tandem/bus"
	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
)

func subscribe(t *testing.T, sub *bus.Subscriber, topic string) <-chan *message.Message {
	t.Helper()
	messages, err := sub.Subscribe(t.Context(), topic)
	require.NoError(t, err)
	return messages
}

// nextMessage returns the message that the subscription offers once all goroutines are blocked, or nil. It
// requires a synctest bubble.
func nextMessage(messages <-chan *message.Message) *message.Message {
	synctest.Wait()
	select {
	case msg := <-messages:
		return msg
	default:
		return nil
	}
}

func checkpoint(t *testing.T, queue eventlog.CommandQueue, topic string) eventlog.Offset {
	t.Helper()
	at, err := queue.Checkpoint(t.Context(), topic)
	require.NoError(t, err)
	return at
}

func TestNextMessageComesOnlyAfterTheAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue := eventlogtest.NewMemory()
		publish(t, queue, "t", "a", "b")
		sub := bus.NewSubscriber(queue, bus.AdvanceOnAck, nil)
		messages := subscribe(t, sub, "t")

		first := nextMessage(messages)
		require.Equal(t, "a", first.UUID)
		require.Nil(t, nextMessage(messages))
		require.NoError(t, first.Context().Err())
		first.Ack()
		require.Equal(t, "b", nextMessage(messages).UUID)
		require.ErrorIs(t, first.Context().Err(), context.Canceled)
		require.NoError(t, sub.Close())
	})
}

func TestNackRepeatsTheMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue := eventlogtest.NewMemory()
		sent := eventlog.Message{ID: "a", Metadata: map[string]string{"kind": "open"}, Payload: []byte("x")}
		require.NoError(t, queue.Send(t.Context(), "t", sent))
		publish(t, queue, "t", "b")
		sub := bus.NewSubscriber(queue, bus.AdvanceOnAck, nil)
		messages := subscribe(t, sub, "t")

		for range 3 {
			first := nextMessage(messages)
			require.Equal(t, "a", first.UUID)
			require.Equal(t, message.Metadata{"kind": "open"}, first.Metadata, "a fresh copy")
			require.Equal(t, "x", string(first.Payload))
			first.Metadata.Set("kind", "spoilt")
			first.Nack()
		}
		nextMessage(messages).Ack()
		require.Equal(t, "b", nextMessage(messages).UUID)
		require.NoError(t, sub.Close())
	})
}

func TestCheckpointing(t *testing.T) {
	for name, tc := range map[string]struct {
		mode  bus.Checkpointing
		moves bool
	}{
		"on ack":    {bus.AdvanceOnAck, true},
		"on append": {bus.AdvanceOnAppend, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				queue := eventlogtest.NewMemory()
				publish(t, queue, "t", "a", "b")
				sub := bus.NewSubscriber(queue, tc.mode, nil)
				sub.Resume("t", eventlog.Offset{})
				messages := subscribe(t, sub, "t")
				first := nextMessage(messages)
				require.Zero(t, checkpoint(t, queue, "t"))
				first.Ack()
				nextMessage(messages)
				at, _ := bus.Origin(first)
				require.Equal(t, tc.moves, checkpoint(t, queue, "t") == at)
				require.NoError(t, sub.Close())
			})
		})
	}
}

func TestAckAtTheEndOfTheSubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue := eventlogtest.NewMemory()
		for i := range 200 {
			publish(t, queue, "t", strconv.Itoa(i))
			sub := bus.NewSubscriber(queue, bus.AdvanceOnAck, nil)
			ctx, cancel := context.WithCancel(t.Context())
			messages, err := sub.Subscribe(ctx, "t")
			require.NoError(t, err)
			synctest.Wait()
			msg := <-messages
			msg.Ack()
			cancel()
			at, _ := bus.Origin(msg)
			require.NoError(t, sub.Close())
			require.Equal(t, at, checkpoint(t, queue, "t"))
		}
	})
}

func TestEndOfSubscription(t *testing.T) {
	for name, end := range map[string]func(*bus.Subscriber, context.CancelFunc){
		"context": func(_ *bus.Subscriber, cancel context.CancelFunc) { cancel() },
		"Close":   func(sub *bus.Subscriber, _ context.CancelFunc) { _ = sub.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				queue := eventlogtest.NewMemory()
				publish(t, queue, "busy", "a", "b")
				publish(t, queue, "offered", "a")
				sub := bus.NewSubscriber(queue, bus.AdvanceOnAck, nil)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				channels := map[string]<-chan *message.Message{}
				for _, topic := range []string{"busy", "offered", "empty"} {
					var err error
					channels[topic], err = sub.Subscribe(ctx, topic)
					require.NoError(t, err)
				}
				inFlight := nextMessage(channels["busy"])

				end(sub, cancel)
				synctest.Wait()
				require.ErrorIs(t, inFlight.Context().Err(), context.Canceled)
				for topic, messages := range channels {
					_, open := <-messages
					require.False(t, open, topic)
				}
				again := bus.NewSubscriber(queue, bus.AdvanceOnAck, nil)
				require.Equal(t, "a", nextMessage(subscribe(t, again, "busy")).UUID, "the message in flight")
				require.Equal(t, "a", nextMessage(subscribe(t, again, "offered")).UUID, "the message that was offered")
				require.NoError(t, again.Close())
			})
		})
	}
}

func TestSubscribeAfterClose(t *testing.T) {
	sub := bus.NewSubscriber(eventlogtest.NewMemory(), bus.AdvanceOnAck, nil)
	require.NoError(t, sub.Close())
	require.NoError(t, sub.Close(), "a second Close")
	_, err := sub.Subscribe(t.Context(), "t")
	require.ErrorIs(t, err, bus.ErrClosed)
}

func TestMessageContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		queue := eventlogtest.NewMemory()
		publish(t, queue, "t", "a")
		sub := bus.NewSubscriber(queue, bus.AdvanceOnAck, nil)
		messages, err := sub.Subscribe(context.WithValue(t.Context(), key{}, "value"), "t")
		require.NoError(t, err)
		msg := nextMessage(messages)
		require.Equal(t, "value", msg.Context().Value(key{}))

		derived, cancel := context.WithTimeout(msg.Context(), time.Hour)
		defer cancel()
		require.NoError(t, derived.Err())
		msg.Ack()
		<-derived.Done()
		require.ErrorIs(t, derived.Err(), context.Canceled)
		require.ErrorIs(t, context.Cause(msg.Context()), context.Canceled)
		<-msg.Context().Done()
		require.NoError(t, sub.Close())
	})
}

func TestOrigin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue := eventlogtest.NewMemory()
		publish(t, queue, "t", "a")
		sub := bus.NewSubscriber(queue, bus.AdvanceOnAppend, nil)
		generation := sub.Resume("t", eventlog.Offset{})
		msg := nextMessage(subscribe(t, sub, "t"))
		want := stored(t, queue, "t", 1)[0].Offset
		check := func(msg *message.Message) {
			at, gotGeneration := bus.Origin(msg)
			require.Equal(t, want, at)
			require.Equal(t, generation, gotGeneration)
		}
		check(msg)
		check(msg.CopyWithContext())
		msg.SetContext(context.WithValue(msg.Context(), t, "decorated"))
		check(msg)

		at, gotGeneration := bus.Origin(message.NewMessage("foreign", nil))
		require.Zero(t, at)
		require.Zero(t, gotGeneration)
		require.NoError(t, sub.Close())
	})
}

// A failing queue is retried with increasing delays. No message is lost or repeated.
func TestFailingQueueIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := eventlogtest.NewMemory()
		publish(t, memory, "t", "a", "b")
		broken := errors.New("broken")
		receives, advances := 0, 0
		queue := hookedQueue{
			CommandQueue: memory,
			receive: func(ctx context.Context, _ eventlog.Offset, next receiveFunc) ([]eventlog.Message, error) {
				if receives++; receives <= 10 {
					return nil, broken
				}
				return next(ctx)
			},
			advance: func(eventlog.Offset) error {
				if advances++; advances <= 3 {
					return broken
				}
				return nil
			},
		}
		start := time.Now()
		sub := bus.NewSubscriber(queue, bus.AdvanceOnAck, nil)
		messages := subscribe(t, sub, "t")
		first := <-messages
		require.Equal(t, "a", first.UUID)
		require.Equal(t, 20+40+80+160+320+640+4*1000, int(time.Since(start).Milliseconds()))
		first.Ack()
		second := <-messages
		require.Equal(t, "b", second.UUID)
		require.Equal(t, 4, advances)
		require.NoError(t, sub.Close())
	})
}

func TestFailingQueueDoesNotDelayClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue := hookedQueue{
			CommandQueue: eventlogtest.NewMemory(),
			receive: func(context.Context, eventlog.Offset, receiveFunc) ([]eventlog.Message, error) {
				return nil, errors.New("broken")
			},
		}
		sub := bus.NewSubscriber(queue, bus.AdvanceOnAck, nil)
		messages := subscribe(t, sub, "t")
		time.Sleep(time.Hour)
		require.NoError(t, sub.Close())
		_, open := <-messages
		require.False(t, open)
	})
}

// Subscriptions start and stop while messages are published. None hangs or leaks.
func TestStartStopStress(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	queue := eventlogtest.NewMemory()
	for range 20 {
		sub := bus.NewSubscriber(queue, bus.AdvanceOnAck, nil)
		var wg sync.WaitGroup
		for i := range 16 {
			topic := strconv.Itoa(i % 4)
			wg.Go(func() { publish(t, queue, topic, "x", "y", "z") })
			wg.Go(func() {
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				messages, err := sub.Subscribe(ctx, topic)
				if err != nil {
					return // already closed
				}
				for msg := range messages {
					switch i % 4 {
					case 0:
						msg.Ack()
					case 1:
						msg.Nack()
						cancel()
					case 2:
						cancel()
					}
				}
			})
		}
		wg.Go(func() { _ = sub.Close() })
		require.NoError(t, sub.Close())
		wg.Wait()
	}
}
