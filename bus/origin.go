package bus

import (
	"context"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"tandem/eventlog"
)

// Origin returns the offset of a message that a Subscriber delivered, and the generation of its
// topic's gate under which it was delivered. Both are zero for any other message. Decorated
// contexts, such as the router's, keep them; a Copy of the message without its context does not.
func Origin(msg *message.Message) (offset eventlog.Offset, generation uint64) {
	if msgCtx, ok := msg.Context().Value(originKey{}).(*messageContext); ok {
		return msgCtx.offset, msgCtx.generation
	}
	return eventlog.Offset{}, 0
}

type originKey struct{}

// messageContext is the context of one delivered message. It is a context of its own kind because a
// cancelable one from the standard library would cost every message a registration with its parent,
// though hardly any handler waits for Done.
type messageContext struct {
	context.Context // the subscription's: values and deadline
	offset          eventlog.Offset
	generation      uint64

	mu       sync.Mutex
	finished bool
	done     chan struct{} // made by the first Done
}

func (m *messageContext) Value(key any) any {
	if key == (originKey{}) {
		return m
	}
	return m.Context.Value(key)
}

func (m *messageContext) Done() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.done == nil {
		m.done = make(chan struct{})
		if m.finished {
			close(m.done)
		}
	}
	return m.done
}

// Err does not ask the parent: it must not fail before Done is closed.
func (m *messageContext) Err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.finished {
		return context.Canceled
	}
	return nil
}

func (m *messageContext) finish() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.finished = true
	if m.done != nil {
		close(m.done)
	}
}
