package bus_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"tandem/bus"
	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
)

func TestTopicIsSilentUntilResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue := eventlogtest.NewMemory()
		publish(t, queue, "t", "a", "b", "c")
		publish(t, queue, "early", "a")
		sub := bus.NewSubscriber(queue, bus.AdvanceOnAppend, nil)
		sub.Resume("early", eventlog.Offset{})
		messages := subscribe(t, sub, "t")
		require.Nil(t, nextMessage(messages))
		require.Equal(t, "a", nextMessage(subscribe(t, sub, "early")).UUID, "resumed before the subscription")

		second := stored(t, queue, "t", 2)[1].Offset
		sub.Resume("t", second)
		third := nextMessage(messages)
		require.Equal(t, "c", third.UUID)
		sub.Pause("t")
		third.Ack()
		publish(t, queue, "t", "d")
		require.Nil(t, nextMessage(messages))
		sub.Resume("t", second)
		require.Equal(t, "c", nextMessage(messages).UUID)
		require.NoError(t, sub.Close())
	})
}

func TestTopicWithAGateHasOneSubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sub := bus.NewSubscriber(eventlogtest.NewMemory(), bus.AdvanceOnAppend, nil)
		ctx, cancel := context.WithCancel(t.Context())
		messages, err := sub.Subscribe(ctx, "t")
		require.NoError(t, err)
		_, err = sub.Subscribe(t.Context(), "t")
		require.ErrorIs(t, err, bus.ErrSubscribed)
		cancel()
		<-messages
		subscribe(t, sub, "t")
		require.NoError(t, sub.Close())
	})
}

func TestGateHasNoEffectOnAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue := eventlogtest.NewMemory()
		publish(t, queue, "t", "a")
		sub := bus.NewSubscriber(queue, bus.AdvanceOnAck, nil)
		sub.Pause("t")
		require.Zero(t, sub.Resume("t", eventlog.Offset{9}))
		require.Equal(t, "a", nextMessage(subscribe(t, sub, "t")).UUID)
		require.NoError(t, sub.Close())
	})
}

// Resume interrupts a Receive in progress. Messages that it returns nevertheless are not dispatched.
func TestResumeDuringReceive(t *testing.T) {
	for name, late := range map[string]func(receiveFunc) ([]eventlog.Message, error){
		"an error": func(receiveFunc) ([]eventlog.Message, error) { return nil, context.Canceled },
		"messages": func(next receiveFunc) ([]eventlog.Message, error) { return next(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory := eventlogtest.NewMemory()
				publish(t, memory, "t", "a", "b")
				first := true
				queue := hookedQueue{CommandQueue: memory, receive: func(ctx context.Context, _ eventlog.Offset, next receiveFunc) ([]eventlog.Message, error) {
					if first {
						first = false
						<-ctx.Done()
						return late(next)
					}
					return next(ctx)
				}}
				sub := bus.NewSubscriber(queue, bus.AdvanceOnAppend, nil)
				messages := subscribe(t, sub, "t")
				sub.Resume("t", eventlog.Offset{})
				require.Nil(t, nextMessage(messages))
				generation := sub.Resume("t", stored(t, memory, "t", 1)[0].Offset)
				msg := nextMessage(messages)
				_, gotGeneration := bus.Origin(msg)
				require.Equal(t, "b", msg.UUID)
				require.Equal(t, generation, gotGeneration)
				require.NoError(t, sub.Close())
			})
		})
	}
}

// TestGateModel compares a subscription with a model of the state machine that Subscriber documents, after
// each of many random steps.
func TestGateModel(t *testing.T) {
	steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		return step{
			action: rapid.SampledFrom([]string{"send", "take", "take", "ack", "ack", "nack", "resume", "pause", "restart"}).Draw(t, "action"),
			from:   rapid.Uint64Range(0, 6).Draw(t, "from"),
		}
	}), 60, 90) // enough steps to reach all states; rapid prefers the lower bound
	rapid.Check(t, func(rt *rapid.T) {
		drawn := steps.Draw(rt, "steps")
		var err error
		synctest.Test(t, func(t *testing.T) { err = runModel(t.Context(), drawn) })
		if err != nil {
			rt.Fatal(err)
		}
	})
}

type step struct {
	action string
	from   uint64
}

// gateModel is the model of a gate and its subscription. It numbers messages from 1, as Memory does.
type gateModel struct {
	sent, position, generation uint64
	open                       bool

	sub      *bus.Subscriber
	queue    *eventlogtest.Memory
	stop     context.CancelFunc
	messages <-chan *message.Message
	inFlight *message.Message
}

func runModel(ctx context.Context, steps []step) error {
	model := &gateModel{queue: eventlogtest.NewMemory()}
	model.sub = bus.NewSubscriber(model.queue, bus.AdvanceOnAppend, nil)
	defer model.sub.Close()
	if err := model.subscribe(ctx); err != nil {
		return err
	}
	for i, step := range steps {
		if err := model.do(ctx, step); err != nil {
			return fmt.Errorf("step %d %v: %w", i, step, err)
		}
	}
	return nil
}

func (m *gateModel) subscribe(ctx context.Context) (err error) {
	ctx, m.stop = context.WithCancel(ctx)
	m.messages, err = m.sub.Subscribe(ctx, "t")
	return err
}

func (m *gateModel) do(ctx context.Context, step step) error {
	switch step.action {
	case "send":
		m.sent++
		return m.queue.Send(ctx, "t", eventlog.Message{ID: strconv.FormatUint(m.sent, 10)})
	case "take":
		return m.take()
	case "ack", "nack":
		m.settle(step.action == "ack")
	case "resume":
		m.open, m.position = true, min(step.from, m.sent)
		generation := m.sub.Resume("t", eventlog.Offset{m.position})
		if generation <= m.generation {
			return fmt.Errorf("generation %d after %d", generation, m.generation)
		}
		m.generation = generation
	case "pause":
		m.open = false
		m.sub.Pause("t")
	case "restart":
		m.stop()
		synctest.Wait() // otherwise a last message may precede the end
		for range m.messages {
			return errors.New("a message instead of the end")
		}
		m.inFlight = nil
		return m.subscribe(ctx)
	}
	return nil
}

func (m *gateModel) settle(ack bool) {
	if m.inFlight == nil {
		return
	}
	offset, generation := bus.Origin(m.inFlight)
	if !ack {
		m.inFlight.Nack()
	} else if m.inFlight.Ack(); m.open && generation == m.generation {
		m.position = offset[0]
	}
	m.inFlight = nil
	synctest.Wait()
}

func (m *gateModel) take() error {
	got := nextMessage(m.messages)
	want := m.open && m.inFlight == nil && m.position < m.sent
	if !want {
		if got != nil {
			return fmt.Errorf("message %s where none was due", got.UUID)
		}
		return nil
	}
	if got == nil {
		return errors.New("no message where one was due")
	}
	offset, generation := bus.Origin(got)
	if offset != (eventlog.Offset{m.position + 1}) || generation != m.generation {
		return fmt.Errorf("message %v of generation %d, want %d of %d", offset, generation, m.position+1, m.generation)
	}
	m.inFlight = got
	return nil
}

// testOwner is a partition owner that follows the rules of Subscriber. A rewind drops the messages that it
// has handled since the last durable one.
type testOwner struct {
	sub   *bus.Subscriber
	topic string
	all   int // messages to expect

	mu         sync.Mutex
	progress   *sync.Cond
	generation uint64 // 0 while it does not own the topic
	handled    []eventlog.Offset
	ids        []string
	durable    int
}

func newTestOwner(sub *bus.Subscriber, topic string, all int) *testOwner {
	created := &testOwner{sub: sub, topic: topic, all: all}
	created.progress = sync.NewCond(&created.mu)
	return created
}

func (o *testOwner) handle(msg *message.Message) error {
	offset, generation := bus.Origin(msg)
	o.mu.Lock()
	defer o.mu.Unlock()
	if generation != o.generation {
		return nil
	}
	o.handled, o.ids = append(o.handled, offset), append(o.ids, msg.UUID)
	o.progress.Broadcast()
	return nil
}

// disturb rewinds and pauses the topic until all messages are handled.
func (o *testOwner) disturb(random *rand.Rand) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		o.rewind()
		for target := min(len(o.ids)+random.IntN(40), o.all); len(o.ids) < target; {
			o.progress.Wait()
		}
		if len(o.ids) == o.all {
			return
		}
		if random.IntN(2) == 0 {
			o.durable = len(o.ids)
		}
		if random.IntN(4) == 0 {
			o.sub.Pause(o.topic)
			o.generation = 0
			o.mu.Unlock() // messages in flight may arrive now
			runtime.Gosched()
			o.mu.Lock()
		}
	}
}

func (o *testOwner) rewind() {
	o.handled, o.ids = o.handled[:o.durable], o.ids[:o.durable]
	var from eventlog.Offset
	if o.durable > 0 {
		from = o.handled[o.durable-1]
	}
	o.generation = o.sub.Resume(o.topic, from)
}

// Owners behind a router are paused and rewound at random while messages are published. In the end each has
// handled every message once and in order.
func TestRewindsLoseAndRepeatNothing(t *testing.T) {
	for name, open := range queues() {
		t.Run(name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			t.Cleanup(func() { goleak.VerifyNone(t, before) }) // after the queue is closed
			runOwners(t, open(t))
		})
	}
}

func runOwners(t *testing.T, queue eventlog.CommandQueue) {
	const topics, perTopic = 4, 2000
	pub, sub := bus.NewPublisher(queue), bus.NewSubscriber(queue, bus.AdvanceOnAppend, nil)
	router := newRouter(t)
	var owners []*testOwner
	for i := range topics {
		owner := newTestOwner(sub, strconv.Itoa(i), perTopic)
		owners = append(owners, owner)
		router.AddConsumerHandler(owner.topic, owner.topic, sub, owner.handle)
	}
	stop := start(t, router)
	var wg sync.WaitGroup
	for i, owner := range owners {
		wg.Go(func() {
			for n := range perTopic {
				if err := pub.Publish(owner.topic, message.NewMessage(strconv.Itoa(n), nil)); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() { owner.disturb(rand.New(rand.NewPCG(1, uint64(i)))) })
	}
	wg.Wait()
	stop()
	for _, owner := range owners {
		require.Len(t, owner.ids, perTopic)
		for n, id := range owner.ids {
			require.Equal(t, strconv.Itoa(n), id, "topic %s", owner.topic)
		}
	}
}

func newRouter(t testing.TB) *message.Router {
	t.Helper()
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	require.NoError(t, err)
	return router
}

// start runs the router. The returned function stops it.
func start(t testing.TB, router *message.Router) (stop func()) {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- router.Run(context.Background()) }()
	<-router.Running()
	return func() {
		require.NoError(t, router.Close())
		require.NoError(t, <-ended)
	}
}
