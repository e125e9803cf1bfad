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

// ErrClosed: the Publisher or Subscriber was closed before the call.
var ErrClosed = errors.New("the publisher or subscriber is closed")

var _ message.Publisher = (*Publisher)(nil)

// Publisher sends Watermill messages to the topics of an inbox. It is safe for concurrent use.
type Publisher struct {
	inbox eventlog.CommandQueue

	mu     sync.Mutex // orders Publish's check against Close
	closed bool
	sends  sync.WaitGroup
}

// NewPublisher returns a Publisher on an inbox, which it does not close.
func NewPublisher(inbox eventlog.CommandQueue) *Publisher {
	return &Publisher{inbox: inbox}
}

// Publish sends the messages to the topic one after the other, each under its own context, and
// returns when the inbox has taken the last one. When one fails, those before it are sent and those
// after it are not; what became of the failed one is for the inbox's error to say. Messages of one
// goroutine keep their order over any number of calls. The payload is kept, not copied: like
// Watermill itself this takes a published message for immutable. After Close the error is ErrClosed.
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

// Close waits for the calls of Publish under way and makes later ones fail. It may be repeated.
func (p *Publisher) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.sends.Wait()
	return nil
}

func (p *Publisher) beginSend() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.sends.Add(1)
	return true
}

// send gives the inbox metadata of its own, because an inbox in memory keeps what it is given and
// middleware writes to the metadata of a message that it passes on.
func (p *Publisher) send(ctx context.Context, topic string, msg *message.Message) error {
	outgoing := eventlog.Message{ID: msg.UUID, Payload: msg.Payload}
	if len(msg.Metadata) > 0 {
		outgoing.Metadata = maps.Clone(map[string]string(msg.Metadata))
	}
	return p.inbox.Send(ctx, topic, outgoing)
}
