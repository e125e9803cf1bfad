package eventlogtest

import (
	"context"
	"fmt"
	"slices"

	"tandem/eventlog"
)

type memoryTopic struct {
	messages   []eventlog.Message // after the checkpoint
	lastOffset uint64             // of the newest message so far
	checkpoint eventlog.Offset
	arrived    signal
}

// advance moves the checkpoint forward and deletes the messages up to it.
func (t *memoryTopic) advance(to eventlog.Offset) {
	if to.Compare(t.checkpoint) <= 0 {
		return
	}
	t.checkpoint = to
	t.lastOffset = max(t.lastOffset, to[0])
	t.messages = slices.Clone(t.after(to))
}

func (t *memoryTopic) after(offset eventlog.Offset) []eventlog.Message {
	i, found := slices.BinarySearchFunc(t.messages, offset, func(message eventlog.Message, offset eventlog.Offset) int { return message.Offset.Compare(offset) })
	if found {
		i++
	}
	return t.messages[i:]
}

// topic returns the topic, which it creates on first use. The caller holds m.mu.
func (m *Memory) topic(name string) *memoryTopic {
	topic := m.store.topics[name]
	if topic == nil {
		topic = &memoryTopic{}
		m.store.topics[name] = topic
	}
	return topic
}

// Send appends the message to the topic. Every error is also eventlog.ErrNotSent.
func (m *Memory) Send(ctx context.Context, name string, message eventlog.Message) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.checkOpen(ctx); err != nil {
		return fmt.Errorf("%w: %w", eventlog.ErrNotSent, err)
	}
	topic := m.topic(name)
	topic.lastOffset++
	message.Offset = eventlog.Offset{topic.lastOffset}
	topic.messages = append(topic.messages, message)
	topic.arrived.fire()
	return nil
}

// Receive returns up to limit messages after the offset. It waits for the first one.
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

func (m *Memory) peek(ctx context.Context, name string, after eventlog.Offset, limit int) ([]eventlog.Message, <-chan struct{}, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.checkOpen(ctx); err != nil {
		return nil, nil, err
	}
	topic := m.topic(name)
	found := topic.after(after)
	return slices.Clone(found[:min(len(found), max(limit, 1))]), topic.arrived.wait(), nil
}

// Checkpoint returns the offset up to which the topic's messages are handled.
func (m *Memory) Checkpoint(ctx context.Context, topic string) (eventlog.Offset, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.topic(topic).checkpoint, m.checkOpen(ctx)
}

// Advance moves the checkpoint of a topic that belongs to no partition. It never moves back.
func (m *Memory) Advance(ctx context.Context, topic string, to eventlog.Offset) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.checkOpen(ctx); err != nil {
		return err
	}
	for partition := range eventlog.Partitions {
		if topic == eventlog.Topic(eventlog.Partition(partition)) {
			return fmt.Errorf("topic %s belongs to partition %d: only Append moves its checkpoint", topic, partition)
		}
	}
	m.topic(topic).advance(to)
	return nil
}
