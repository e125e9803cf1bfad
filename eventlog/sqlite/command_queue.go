package sqlite

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"tandem/eventlog"
)

// commandQueue is the command queue of this process.
type commandQueue struct {
	closed <-chan struct{}

	mu     sync.Mutex
	topics map[string]*topicMessages
	owned  map[string]bool // topics of partitions
}

// topicMessages are the messages after the topic's checkpoint. Offsets are {n, 0}, dense from 1.
type topicMessages struct {
	messages   []eventlog.Message
	first      uint64 // offset of messages[0], or of the next message
	checkpoint eventlog.Offset
	arrived    chan struct{} // closed by the next message; nil without waiting receivers
}

func newCommandQueue(closed <-chan struct{}) *commandQueue {
	in := &commandQueue{closed: closed, topics: map[string]*topicMessages{}, owned: map[string]bool{}}
	for partition := range eventlog.Partitions {
		in.owned[eventlog.Topic(eventlog.Partition(partition))] = true
	}
	return in
}

// topic returns the topic, which it creates on first use. The caller holds q.mu.
func (q *commandQueue) topic(name string) *topicMessages {
	topic := q.topics[name]
	if topic == nil {
		topic = &topicMessages{first: 1}
		q.topics[name] = topic
	}
	return topic
}

// open returns an error if the log is closed or ctx has ended.
func (q *commandQueue) open(ctx context.Context) error {
	select {
	case <-q.closed:
		return errClosed()
	default:
		return ctx.Err()
	}
}

// after returns the messages after the offset.
func (t *topicMessages) after(offset eventlog.Offset) []eventlog.Message {
	if offset[0] < t.first {
		return t.messages
	}
	return t.messages[min(offset[0]-t.first+1, uint64(len(t.messages))):]
}

// advance moves the checkpoint forward and deletes the messages up to it.
func (t *topicMessages) advance(to eventlog.Offset) {
	if to.Compare(t.checkpoint) <= 0 {
		return
	}
	t.checkpoint = to
	rest := t.after(to)
	clear(t.messages[:len(t.messages)-len(rest)])
	t.messages, t.first = rest, max(t.first, to[0]+1)
	if len(rest) > 0 {
		t.first = rest[0].Offset[0]
	}
}

func (q *commandQueue) advance(name string, to eventlog.Offset) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.topic(name).advance(to)
}

// waiting returns the number of messages in the topic.
func (q *commandQueue) waiting(name string) uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return uint64(len(q.topic(name).messages))
}

// Send appends the message to the topic. It lives until it is handled or the process ends. Every error is also
// eventlog.ErrNotSent.
func (l *Log) Send(ctx context.Context, name string, message eventlog.Message) error {
	in := l.commands
	if err := in.open(ctx); err != nil {
		return fmt.Errorf("%w: %w", eventlog.ErrNotSent, err)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	topic := in.topic(name)
	message.Offset = eventlog.Offset{topic.first + uint64(len(topic.messages))}
	topic.messages = append(topic.messages, message)
	if topic.arrived != nil {
		close(topic.arrived)
		topic.arrived = nil
	}
	return nil
}

// Receive returns up to limit messages after the offset. It waits for the first one.
func (l *Log) Receive(ctx context.Context, name string, after eventlog.Offset, limit int) ([]eventlog.Message, error) {
	for {
		if err := l.commands.open(ctx); err != nil {
			return nil, err
		}
		found, arrived := l.commands.peek(name, after, max(limit, 1))
		if len(found) > 0 {
			return found, nil
		}
		select {
		case <-arrived:
		case <-ctx.Done():
		case <-l.closed:
		}
	}
}

// peek returns messages or, if there are none, a signal for the next one.
func (q *commandQueue) peek(name string, after eventlog.Offset, limit int) ([]eventlog.Message, <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	topic := q.topic(name)
	if found := topic.after(after); len(found) > 0 {
		return slices.Clone(found[:min(len(found), limit)]), nil
	}
	if topic.arrived == nil {
		topic.arrived = make(chan struct{})
	}
	return nil, topic.arrived
}

// Checkpoint returns the offset up to which the topic's messages are handled. After Open it is zero.
func (l *Log) Checkpoint(ctx context.Context, name string) (eventlog.Offset, error) {
	l.commands.mu.Lock()
	defer l.commands.mu.Unlock()
	return l.commands.topic(name).checkpoint, l.commands.open(ctx)
}

// Advance moves the checkpoint of a topic that belongs to no partition and deletes the messages up to it. It never
// moves back.
func (l *Log) Advance(ctx context.Context, name string, to eventlog.Offset) error {
	if err := l.commands.open(ctx); err != nil {
		return err
	}
	if l.commands.owned[name] {
		return fmt.Errorf("topic %s belongs to a partition: only Append moves its checkpoint", name)
	}
	l.commands.advance(name, to)
	return nil
}
