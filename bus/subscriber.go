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

// ErrSubscribed: the topic has a subscription already and allows only one.
var ErrSubscribed = errors.New("the topic has a subscription already")

// Checkpointing says who moves the checkpoint of a topic.
type Checkpointing int

const (
	// AdvanceOnAck: the subscription, with every ack. It starts at the stored checkpoint and needs no
	// Resume. Of several subscriptions of one topic each may get the same message.
	AdvanceOnAck Checkpointing = iota
	// AdvanceOnAppend: the owner of the topic, with Append. An ack only says that the next message may
	// come. A topic has one subscription at a time, and it is silent until Resume.
	AdvanceOnAppend
)

const (
	maxReceive     = 256 // messages that one Receive may return
	minRetryDelay  = 20 * time.Millisecond
	maxRetryDelay  = time.Second
	advanceTimeout = 5 * time.Second // that one Advance may take; it can outlive its subscription
)

var _ message.Subscriber = (*Subscriber)(nil)

// Subscriber delivers the messages of inbox topics in order, one at a time per subscription. It is
// safe for concurrent use. Each subscription has one goroutine.
//
// # Acks
//
// The next message comes after the ack of the one before. After a nack the same message comes
// again, at once and as a fresh copy. A message's context carries the values of the subscription's
// context and ends with the message's ack or nack, or with the subscription. A failing inbox is
// asked again, 20 ms to 1 s later, for as long as the subscription lives; only the first failure in a row is logged.
//
// A subscription ends with its context or with Close, whichever is first, and closes its channel.
// It does not wait for the ack of the message in flight, and nothing is lost: what was not
// acknowledged is delivered again by the next subscription of the topic, that message included. For
// the same reason a router's Close may return just before the handler of a last message begins: an
// owner that stops pauses its topic first, and what comes late is of an earlier generation.
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
// The generation g is 0 before the first Resume and grows with every change. Every message carries
// the generation in which it was taken from the inbox; Origin reads it. An ack moves the position to
// the message's offset only if its generation is still the gate's; the ack or nack of an earlier one
// only says that the handler is free. So these races end well:
//
//   - A Receive under way is interrupted by a change. What it returns nevertheless is dropped.
//   - The message in flight at a change stays in flight: nothing of the new generation is delivered
//     before its ack or nack. It is not delivered again unless from lies before it.
//   - A message on its way from the subscription to the handler cannot be called back. So at most one
//     message of an earlier generation, in flight or on its way, reaches the handler's code after
//     Resume or Pause has returned.
//
// A handler therefore compares the generation with the one that the latest Resume returned and
// acknowledges what is not of that generation without looking at it. Resume and Pause wait neither
// for the inbox nor for a handler: the owner calls them, and stores what Resume returned, while it
// holds the lock under which its handler compares. Without that lock the first message of the new
// generation could come before its number is known and be taken for a stale one.
type Subscriber struct {
	inbox  eventlog.CommandQueue
	mode   Checkpointing
	logger *slog.Logger

	mu      sync.Mutex
	closed  bool
	gates   map[string]*gate // AdvanceOnAppend only
	cancels map[*subscription]context.CancelFunc
	running sync.WaitGroup
}

// NewSubscriber returns a Subscriber on an inbox, which it does not close. A nil logger is silent.
func NewSubscriber(inbox eventlog.CommandQueue, mode Checkpointing, logger *slog.Logger) *Subscriber {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Subscriber{
		inbox:   inbox,
		mode:    mode,
		logger:  logger,
		gates:   make(map[string]*gate),
		cancels: make(map[*subscription]context.CancelFunc),
	}
}

// Subscribe starts a subscription and returns its channel, which is unbuffered and is closed when
// the subscription ends. Errors are ErrClosed and ErrSubscribed; a fault of the inbox is none.
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

// Resume lets the topic's subscription deliver the messages after the given offset, under a new
// generation, which it returns. If the topic was running this rewinds it, or moves it forward. The
// subscription may begin later. Only for AdvanceOnAppend; otherwise it has no effect and returns 0.
func (s *Subscriber) Resume(topic string, from eventlog.Offset) (generation uint64) {
	return s.change(topic, true, from)
}

// Pause silences the topic's subscription until the next Resume. Only for AdvanceOnAppend; otherwise
// it has no effect.
func (s *Subscriber) Pause(topic string) {
	s.change(topic, false, eventlog.Offset{})
}

// Close ends every subscription and returns when their channels are closed. It may be repeated.
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

// gate needs s.mu.
func (s *Subscriber) gate(topic string) *gate {
	topicGate := s.gates[topic]
	if topicGate == nil {
		topicGate = new(gate)
		s.gates[topic] = topicGate
	}
	return topicGate
}

// remove ends the bookkeeping of a subscription before its channel closes, so that whoever sees the
// closed channel can subscribe anew.
func (s *Subscriber) remove(sub *subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancels[sub]()
	delete(s.cancels, sub)
	sub.gate.subscribed = false
}

// gate is the state of a topic that Resume, Pause and the subscription share.
type gate struct {
	subscribed bool // guarded by Subscriber.mu

	mu         sync.Mutex
	open       bool
	generation uint64
	position   eventlog.Offset    // the next message is the one after it
	endSession context.CancelFunc // ends the turn under way; nil before the first
}

// session is the time between two changes of a gate, as the subscription sees it.
type session struct {
	ctx        context.Context // ends with the turn
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

// startSession begins a turn, which the next change ends.
func (g *gate) startSession(ctx context.Context) session {
	ctx, end := context.WithCancel(ctx)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.endSession = end
	return session{ctx: ctx, cancel: end, open: g.open, generation: g.generation, from: g.position}
}

// advance reports whether the generation is still the gate's; only then the position moves.
func (g *gate) advance(generation uint64, to eventlog.Offset) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.generation != generation {
		return false
	}
	g.position = to
	return true
}

// subscription is one channel and the goroutine that feeds it.
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
		at, err = s.inbox.Checkpoint(ctx, s.topic)
		return err
	})
	if ok {
		s.gate.change(true, at)
	}
	return ok
}

// runSession delivers messages until the gate changes or ctx ends.
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
		batch, err = s.inbox.Receive(ctx, s.topic, after, maxReceive)
		return err
	})
	return batch, ok
}

// dispatch hands one message out until it is acknowledged. It reports whether the turn goes on.
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

// waitForAck waits for the ack or nack of a message in flight, or for ctx. An ack that came together with
// the end counts.
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

// acknowledge moves the position, and the checkpoint if that is up to the subscription: then an end
// of the subscription stops the repetition of a failed Advance, but not the first try.
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
		return s.inbox.Advance(ctx, s.topic, to)
	})
}

// retry tries until it succeeds, or until ctx ends and it returns false.
func (s *subscription) retry(ctx context.Context, action string, operation func() error) bool {
	wait := minRetryDelay
	for {
		err := operation()
		if err == nil {
			if wait > minRetryDelay {
				s.logger.Info("the inbox works again", "action", action, "topic", s.topic)
			}
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		if wait == minRetryDelay {
			s.logger.Warn("the inbox failed", "action", action, "topic", s.topic, "error", err)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return false
		}
		wait = min(2*wait, maxRetryDelay)
	}
}

// newMessage copies what a handler or middleware may write to. The payload is shared.
func newMessage(msgCtx *messageContext, received *eventlog.Message) *message.Message {
	msg := message.NewMessage(received.ID, received.Payload)
	for key, value := range received.Metadata {
		msg.Metadata[key] = value
	}
	msg.SetContext(msgCtx)
	return msg
}
