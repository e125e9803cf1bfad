package bus

import (
	"context"
	"sync"

	"tandem/eventlog"
)

// memInbox keeps every message for ever.
type memInbox struct {
	mu     sync.Mutex
	topics map[string]*memTopic
}

type memTopic struct {
	messages   []eventlog.Message
	checkpoint eventlog.Offset
	grown      chan struct{}
}

func (b *memInbox) topic(name string) *memTopic {
	if b.topics == nil {
		b.topics = map[string]*memTopic{}
	}
	t := b.topics[name]
	if t == nil {
		t = &memTopic{grown: make(chan struct{})}
		b.topics[name] = t
	}
	return t
}

func (b *memInbox) Send(ctx context.Context, topic string, m eventlog.Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.topic(topic)
	m.Offset = eventlog.Offset{uint64(len(t.messages)) + 1}
	t.messages = append(t.messages, m)
	close(t.grown)
	t.grown = make(chan struct{})
	return nil
}

func (b *memInbox) Receive(ctx context.Context, topic string, after eventlog.Offset, most int) ([]eventlog.Message, error) {
	for {
		b.mu.Lock()
		t := b.topic(topic)
		rest := t.messages[min(int(after[0]), len(t.messages)):]
		grown := t.grown
		b.mu.Unlock()
		if len(rest) > 0 {
			return rest[:min(most, len(rest))], nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (b *memInbox) Checkpoint(_ context.Context, topic string) (eventlog.Offset, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.topic(topic).checkpoint, nil
}

func (b *memInbox) Advance(_ context.Context, topic string, to eventlog.Offset) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.topic(topic)
	if to.Compare(t.checkpoint) > 0 {
		t.checkpoint = to
	}
	return nil
}
