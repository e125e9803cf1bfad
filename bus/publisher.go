package bus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"tandem/eventlog"
)

// ErrClosed means that the Publisher or Subscriber was closed before the call.
var ErrClosed = errors.New("the publisher or subscriber is closed")

var _ message.Publisher = (*Publisher)(nil)

// Publisher sends Watermill messages to the topics of a log's command queues. It is safe for concurrent use.
type Publisher struct {
	queue eventlog.CommandQueue

	mu     sync.Mutex // orders Publish's check against Close
	closed bool
	sends  sync.WaitGroup
}

// NewPublisher returns a Publisher to a command queue. Closing it does not close the queue.
func NewPublisher(queue eventlog.CommandQueue) *Publisher {
	return &Publisher{queue: queue}
}

// Publish sends the messages to the topic one after the other, each under its own context, and returns
// when the queue has stored the last one. If one fails, the messages before it are sent and those after
// it are not; the returned error wraps the queue's, which states whether the failed one may have been
// sent. Messages of one goroutine keep their order across calls. The payload is not copied: as in
// Watermill, a published message must not be modified. After Close the error is ErrClosed.
func (p *Publisher) Publish(topic string, messages ...*message.Message) error {
	if !p.beginSend() {
		return ErrClosed
	}
	defer p.sends.Done()
	for i, msg := range messages {
		if err := p.send(msg.Context(), topic, msg); err != nil {
			return fmt.Errorf("publish message %d of %d to %s: %w", i+1, len(messages), topic, err)
		}
	}
	return nil
}

// Close waits for the calls of Publish in progress and makes later ones fail. It can be called repeatedly.
func (p *Publisher) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.sends.Wait()
	return nil
}

// beginSend registers a call of Publish with Close. It reports false after Close.
func (p *Publisher) beginSend() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.sends.Add(1)
	return true
}

// send sends one message. It copies the metadata, because the queue in memory retains it and middleware
// modifies it.
func (p *Publisher) send(ctx context.Context, topic string, msg *message.Message) error {
	outgoing := eventlog.Message{ID: msg.UUID, Payload: msg.Payload}
	if len(msg.Metadata) > 0 {
		outgoing.Metadata = maps.Clone(map[string]string(msg.Metadata))
	}
	return p.queue.Send(ctx, topic, outgoing)
}
