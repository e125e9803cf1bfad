package eventlogtest

import (
	"context"
	"fmt"
	"slices"

	"tandem/eventlog"
)

type memoryTopic struct {
	messages   []eventlog.Message // past the checkpoint
	last       uint64             // offset of the newest message ever
	checkpoint eventlog.Offset
	arrived    signal
}

// advance moves the checkpoint forward and drops what is handled.
func (t *memoryTopic) advance(to eventlog.Offset) {
	if to.Compare(t.checkpoint) <= 0 {
		return
	}
	t.checkpoint = to
	t.last = max(t.last, to[0])
	t.messages = slices.Clone(t.after(to))
}

func (t *memoryTopic) after(o eventlog.Offset) []eventlog.Message {
	i, found := slices.BinarySearchFunc(t.messages, o, func(m eventlog.Message, o eventlog.Offset) int { return m.Offset.Compare(o) })
	if found {
		i++
	}
	return t.messages[i:]
}

// topic returns the topic and makes it if need be. The caller holds m.mu.
func (m *Memory) topic(name string) *memoryTopic {
	t := m.store.topics[name]
	if t == nil {
		t = &memoryTopic{}
		m.store.topics[name] = t
	}
	return t
}

// Send appends the message to the topic. Every error is also eventlog.ErrNotSent.
func (m *Memory) Send(ctx context.Context, topic string, msg eventlog.Message) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.open(ctx); err != nil {
		return fmt.Errorf("%w: %w", eventlog.ErrNotSent, err)
	}
	t := m.topic(topic)
	t.last++
	msg.Offset = eventlog.Offset{t.last}
	t.messages = append(t.messages, msg)
	t.arrived.fire()
	return nil
}

// Receive returns up to limit messages after the offset, at least one of them.
func (m *Memory) Receive(ctx context.Context, topic string, after eventlog.Offset, limit int) ([]eventlog.Message, error) {
	for {
		found, arrived, err := m.peek(ctx, topic, after, limit)
		if err != nil || len(found) > 0 {
			return found, err
		}
		if err := m.await(ctx, arrived); err != nil {
			return nil, err
		}
	}
}

func (m *Memory) peek(ctx context.Context, topic string, after eventlog.Offset, limit int) ([]eventlog.Message, <-chan struct{}, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.open(ctx); err != nil {
		return nil, nil, err
	}
	t := m.topic(topic)
	found := t.after(after)
	return slices.Clone(found[:min(len(found), max(limit, 1))]), t.arrived.wait(), nil
}

// Checkpoint returns the offset up to which the topic is handled.
func (m *Memory) Checkpoint(ctx context.Context, topic string) (eventlog.Offset, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.topic(topic).checkpoint, m.open(ctx)
}

// Advance moves the checkpoint of a topic that is not a partition's. It never moves back.
func (m *Memory) Advance(ctx context.Context, topic string, to eventlog.Offset) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.open(ctx); err != nil {
		return err
	}
	for p := range eventlog.Partitions {
		if topic == eventlog.Topic(eventlog.Partition(p)) {
			return fmt.Errorf("topic %s belongs to partition %d: only Append moves its checkpoint", topic, p)
		}
	}
	m.topic(topic).advance(to)
	return nil
}
