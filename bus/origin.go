package bus

import (
	"context"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"tandem/eventlog"
)

// Origin returns the offset of a message that a Subscriber dispatched, and the generation of its
// topic's gate at that time. Both are zero for any other message. Derived contexts, such as the
// router's, retain them; Message.Copy, which drops the context, does not.
func Origin(msg *message.Message) (offset eventlog.Offset, generation uint64) {
	if msgCtx, ok := msg.Context().Value(originKey{}).(*messageContext); ok {
		return msgCtx.offset, msgCtx.generation
	}
	return eventlog.Offset{}, 0
}

type originKey struct{}

// messageContext is the context of one dispatched message. A cancelable context of the standard library
// would register with its parent for every message, although hardly any handler waits for Done.
type messageContext struct {
	context.Context // of the subscription, for values and deadline
	offset          eventlog.Offset
	generation      uint64

	mu       sync.Mutex
	finished bool
	done     chan struct{} // created by the first call of Done
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

// Err ignores the parent, because it must return nil until Done is closed.
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
