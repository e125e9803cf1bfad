package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"tandem/eventlog"
)

// ErrSubscribed means that the topic already has a subscription and allows only one.
var ErrSubscribed = errors.New("the topic has a subscription already")

// Checkpointing selects how the checkpoint of a topic advances.
type Checkpointing int

const (
	// AdvanceOnAck advances the checkpoint with every ack. A subscription starts at the stored checkpoint
	// and needs no Resume. Several subscriptions of one topic may each receive the same message.
	AdvanceOnAck Checkpointing = iota
	// AdvanceOnAppend leaves the checkpoint to the topic's owner, which advances it with Log.Append. An ack
	// only requests the next message. A topic has one subscription at a time, which is silent until Resume.
	AdvanceOnAppend
)

const (
	maxReceive     = 256 // messages that one Receive may return
	minRetryDelay  = 20 * time.Millisecond
	maxRetryDelay  = time.Second
	advanceTimeout = 5 * time.Second // for one Advance, which can outlive its subscription
)

var _ message.Subscriber = (*Subscriber)(nil)

// Subscriber dispatches the messages of a log's command queues: in order, and one at a time per subscription. It
// is safe for concurrent use. Each subscription has one goroutine.
//
// # Acks
//
// The next message follows the ack of the previous one. After a nack the same message is dispatched
// again, immediately and as a new copy. A message's context carries the values of the subscription's
// context and ends with the message's ack or nack, or with the subscription. A failing queue is retried
// after 20 ms to 1 s, for as long as the subscription lives; only the first of consecutive failures is logged.
//
// A subscription ends with its context or with Close, whichever is first, and closes its channel. It does
// not wait for the ack of the message in flight: the next subscription of the topic dispatches every
// unacknowledged message again, that one included. For the same reason a router's Close may return
// just before the handler of a last message starts. A stopping owner pauses its topic first, so such a
// late message belongs to an earlier generation.
//
// # The gate
//
// Under AdvanceOnAppend a topic has a gate, with or without a subscription:
//
//	          Resume(from): g+1                Resume(from): g+1
//	          ┌────────────────────────┐      ┌─────┐
//	          │                        ▼      │     ▼
//	shut(g) ──┘                        open(g, position)
//	   ▲                               │
//	   └───────────────────────────────┘
//	          Pause: g+1
//
// The generation g is 0 before the first Resume and increases with every change. Every message carries
// the generation in which it was read from the queue; Origin returns it. An ack moves the position to the
// message's offset only if its generation is still that of the gate; the ack or nack of an earlier
// generation only frees the handler. This resolves three races:
//
//   - A change interrupts a Receive in progress. Messages that it returns nevertheless are dropped.
//   - A message in flight at a change stays in flight: no message of the new generation is dispatched
//     before its ack or nack. It is not dispatched again unless from lies before it.
//   - A message between the subscription and the handler cannot be recalled. At most one message of an
//     earlier generation can therefore reach the handler after Resume or Pause has returned.
//
// A handler must therefore compare a message's generation with the one that the latest Resume returned,
// and acknowledge messages of other generations without handling them. Resume and Pause wait neither
// for the queue nor for a handler. The owner calls them, and stores the result of Resume, while it holds
// the lock under which its handler compares; otherwise the first message of the new generation could
// arrive before its number is stored and would be discarded as stale.
type Subscriber struct {
	queue  eventlog.CommandQueue
	mode   Checkpointing
	logger *slog.Logger

	mu      sync.Mutex
	closed  bool
	gates   map[string]*gate // AdvanceOnAppend only
	cancels map[*subscription]context.CancelFunc
	running sync.WaitGroup // the subscriptions' goroutines
}

// NewSubscriber returns a Subscriber to a command queue. Closing it does not close the queue. A nil
// logger discards all log lines.
func NewSubscriber(queue eventlog.CommandQueue, mode Checkpointing, logger *slog.Logger) *Subscriber {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Subscriber{
		queue:   queue,
		mode:    mode,
		logger:  logger,
		gates:   make(map[string]*gate),
		cancels: make(map[*subscription]context.CancelFunc),
	}
}

// Subscribe starts a subscription and returns its channel, which is unbuffered and is closed when the
// subscription ends. Errors are ErrClosed and ErrSubscribed. A failing queue is not an error.
func (s *Subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("subscribe to %s: %w", topic, ErrClosed)
	}
	sub := &subscription{Subscriber: s, topic: topic, gate: new(gate), out: make(chan *message.Message)}
	if s.mode == AdvanceOnAppend {
		sub.gate = s.gate(topic)
		if sub.gate.subscribed {
			return nil, fmt.Errorf("subscribe to %s: %w", topic, ErrSubscribed)
		}
		sub.gate.subscribed = true
	}
	ctx, s.cancels[sub] = context.WithCancel(ctx)
	s.running.Go(func() { sub.run(ctx) })
	return sub.out, nil
}

// Resume opens the topic's gate: its subscription dispatches the messages after the given offset, under
// a new generation, which Resume returns. On an open gate it moves the position, backward or forward. The
// subscription may start later. With AdvanceOnAck it has no effect and returns 0.
func (s *Subscriber) Resume(topic string, from eventlog.Offset) (generation uint64) {
	return s.change(topic, true, from)
}

// Pause shuts the topic's gate until the next Resume. With AdvanceOnAck it has no effect.
func (s *Subscriber) Pause(topic string) {
	s.change(topic, false, eventlog.Offset{})
}

// Close ends every subscription and returns when their channels are closed. It can be called repeatedly.
func (s *Subscriber) Close() error {
	s.mu.Lock()
	s.closed = true
	for _, end := range s.cancels {
		end()
	}
	s.mu.Unlock()
	s.running.Wait()
	return nil
}

func (s *Subscriber) change(topic string, open bool, from eventlog.Offset) uint64 {
	if s.mode != AdvanceOnAppend {
		return 0
	}
	s.mu.Lock()
	topicGate := s.gate(topic)
	s.mu.Unlock()
	return topicGate.change(open, from)
}

// gate returns the gate of a topic. The caller holds s.mu.
func (s *Subscriber) gate(topic string) *gate {
	topicGate := s.gates[topic]
	if topicGate == nil {
		topicGate = new(gate)
		s.gates[topic] = topicGate
	}
	return topicGate
}

// remove unregisters a subscription. It is called before the channel is closed, so that a reader of the
// closed channel can subscribe again.
func (s *Subscriber) remove(sub *subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancels[sub]()
	delete(s.cancels, sub)
	sub.gate.subscribed = false
}

// gate is the state of a topic. Resume, Pause and the subscription share it.
type gate struct {
	subscribed bool // guarded by Subscriber.mu

	mu         sync.Mutex
	open       bool
	generation uint64
	position   eventlog.Offset    // of the last message before the next one
	endSession context.CancelFunc // ends the present session; nil before the first
}

// session is the subscription's view of a gate between two changes.
type session struct {
	ctx        context.Context // ends with the session
	cancel     context.CancelFunc
	open       bool
	generation uint64
	from       eventlog.Offset
}

func (g *gate) change(open bool, from eventlog.Offset) uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.generation++
	g.open, g.position = open, from
	if g.endSession != nil {
		g.endSession()
	}
	return g.generation
}

// startSession starts a session, which the next change of the gate ends.
func (g *gate) startSession(ctx context.Context) session {
	ctx, end := context.WithCancel(ctx)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.endSession = end
	return session{ctx: ctx, cancel: end, open: g.open, generation: g.generation, from: g.position}
}

// advance moves the position if the generation is still that of the gate, and reports whether it is.
func (g *gate) advance(generation uint64, to eventlog.Offset) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.generation != generation {
		return false
	}
	g.position = to
	return true
}

// subscription is one channel of messages and its sender.
type subscription struct {
	*Subscriber
	topic string
	gate  *gate
	out   chan *message.Message
}

func (s *subscription) run(ctx context.Context) {
	defer close(s.out)
	defer s.remove(s)
	if s.mode == AdvanceOnAck && !s.openAtCheckpoint(ctx) {
		return
	}
	for ctx.Err() == nil {
		s.runSession(ctx)
	}
}

func (s *subscription) openAtCheckpoint(ctx context.Context) bool {
	var at eventlog.Offset
	ok := s.retry(ctx, "read the checkpoint", func() (err error) {
		at, err = s.queue.Checkpoint(ctx, s.topic)
		return err
	})
	if ok {
		s.gate.change(true, at)
	}
	return ok
}

// runSession dispatches messages until the gate changes or ctx ends.
func (s *subscription) runSession(ctx context.Context) {
	session := s.gate.startSession(ctx)
	defer session.cancel()
	if !session.open {
		<-session.ctx.Done()
		return
	}
	for at := session.from; ; {
		batch, ok := s.receive(session.ctx, at)
		if !ok {
			return
		}
		for i := range batch {
			if !s.dispatch(ctx, session, &batch[i]) {
				return
			}
			at = batch[i].Offset
		}
	}
}

func (s *subscription) receive(ctx context.Context, after eventlog.Offset) (batch []eventlog.Message, ok bool) {
	ok = s.retry(ctx, "receive", func() (err error) {
		batch, err = s.queue.Receive(ctx, s.topic, after, maxReceive)
		return err
	})
	return batch, ok
}

// dispatch sends one message to the channel until it is acknowledged, and reports whether the session continues.
func (s *subscription) dispatch(ctx context.Context, session session, received *eventlog.Message) bool {
	for session.ctx.Err() == nil {
		msgCtx := &messageContext{Context: ctx, offset: received.Offset, generation: session.generation}
		msg := newMessage(msgCtx, received)
		select {
		case s.out <- msg:
		case <-session.ctx.Done():
			return false
		}
		acked := waitForAck(ctx, msg)
		msgCtx.finish()
		if acked {
			return s.acknowledge(ctx, session, received.Offset)
		}
	}
	return false
}

// waitForAck waits until a message in flight is acknowledged or rejected, or ctx ends, and reports whether
// it is acknowledged. An ack at the same time as the end of ctx counts.
func waitForAck(ctx context.Context, msg *message.Message) (acked bool) {
	select {
	case <-msg.Acked():
		return true
	case <-msg.Nacked():
		return false
	case <-ctx.Done():
	}
	select {
	case <-msg.Acked():
		return true
	default:
		return false
	}
}

// acknowledge moves the position, and with AdvanceOnAck the checkpoint. The end of the subscription stops
// retries of a failed Advance, but not the first try. It reports whether the session continues.
func (s *subscription) acknowledge(ctx context.Context, session session, to eventlog.Offset) bool {
	if !s.gate.advance(session.generation, to) {
		return false
	}
	if s.mode == AdvanceOnAppend {
		return true
	}
	return s.retry(ctx, "advance the checkpoint", func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), advanceTimeout)
		defer cancel()
		return s.queue.Advance(ctx, s.topic, to)
	})
}

// retry calls operation until it succeeds, or until ctx ends: then it reports false.
func (s *subscription) retry(ctx context.Context, action string, operation func() error) bool {
	wait := minRetryDelay
	for {
		err := operation()
		if err == nil {
			if wait > minRetryDelay {
				s.logger.Info("the command queue has recovered", "action", action, "topic", s.topic)
			}
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		if wait == minRetryDelay {
			s.logger.Warn("the command queue failed", "action", action, "topic", s.topic, "error", err)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return false
		}
		wait = min(2*wait, maxRetryDelay)
	}
}

// newMessage returns a copy of a received message with its own metadata. The payload is shared.
func newMessage(msgCtx *messageContext, received *eventlog.Message) *message.Message {
	msg := message.NewMessage(received.ID, received.Payload)
	for key, value := range received.Metadata {
		msg.Metadata[key] = value
	}
	msg.SetContext(msgCtx)
	return msg
}
