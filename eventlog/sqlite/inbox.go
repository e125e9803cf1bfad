package sqlite

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"tandem/eventlog"
)

// inbox carries messages within this process.
type inbox struct {
	closed <-chan struct{}

	mu     sync.Mutex
	topics map[string]*topic
	owned  map[string]bool // the partitions' topics
}

// topic holds the messages past its checkpoint. Offsets are {n, 0} and dense from 1.
type topic struct {
	messages   []eventlog.Message
	first      uint64 // offset of messages[0], or of the next message
	checkpoint eventlog.Offset
	arrived    chan struct{} // closed by the next message; nil when nobody waits
}

func newInbox(closed <-chan struct{}) *inbox {
	in := &inbox{closed: closed, topics: map[string]*topic{}, owned: map[string]bool{}}
	for p := range eventlog.Partitions {
		in.owned[eventlog.Topic(eventlog.Partition(p))] = true
	}
	return in
}

// topic returns the topic and makes it if need be. The caller holds in.mu.
func (in *inbox) topic(name string) *topic {
	t := in.topics[name]
	if t == nil {
		t = &topic{first: 1}
		in.topics[name] = t
	}
	return t
}

// open returns an error when a caller with this context can get no answer.
func (in *inbox) open(ctx context.Context) error {
	select {
	case <-in.closed:
		return errClosed()
	default:
		return ctx.Err()
	}
}

// after returns the messages after the offset.
func (t *topic) after(o eventlog.Offset) []eventlog.Message {
	if o[0] < t.first {
		return t.messages
	}
	return t.messages[min(o[0]-t.first+1, uint64(len(t.messages))):]
}

// advance moves the checkpoint forward and drops what is handled.
func (t *topic) advance(to eventlog.Offset) {
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

func (in *inbox) advance(name string, to eventlog.Offset) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.topic(name).advance(to)
}

// waiting returns how many messages the topic holds.
func (in *inbox) waiting(name string) uint64 {
	in.mu.Lock()
	defer in.mu.Unlock()
	return uint64(len(in.topic(name).messages))
}

// Send appends the message to the topic. It lives until it is handled or the process ends. Every
// error is also eventlog.ErrNotSent.
func (l *Log) Send(ctx context.Context, topic string, m eventlog.Message) error {
	in := l.inbox
	if err := in.open(ctx); err != nil {
		return fmt.Errorf("%w: %w", eventlog.ErrNotSent, err)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	t := in.topic(topic)
	m.Offset = eventlog.Offset{t.first + uint64(len(t.messages))}
	t.messages = append(t.messages, m)
	if t.arrived != nil {
		close(t.arrived)
		t.arrived = nil
	}
	return nil
}

// Receive returns up to limit messages after the offset, at least one of them.
func (l *Log) Receive(ctx context.Context, topic string, after eventlog.Offset, limit int) ([]eventlog.Message, error) {
	for {
		if err := l.inbox.open(ctx); err != nil {
			return nil, err
		}
		found, arrived := l.inbox.peek(topic, after, max(limit, 1))
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

// peek returns messages or, if there are none, the signal to wait for.
func (in *inbox) peek(name string, after eventlog.Offset, limit int) ([]eventlog.Message, <-chan struct{}) {
	in.mu.Lock()
	defer in.mu.Unlock()
	t := in.topic(name)
	if found := t.after(after); len(found) > 0 {
		return slices.Clone(found[:min(len(found), limit)]), nil
	}
	if t.arrived == nil {
		t.arrived = make(chan struct{})
	}
	return nil, t.arrived
}

// Checkpoint returns the offset up to which the topic is handled, zero after Open.
func (l *Log) Checkpoint(ctx context.Context, topic string) (eventlog.Offset, error) {
	l.inbox.mu.Lock()
	defer l.inbox.mu.Unlock()
	return l.inbox.topic(topic).checkpoint, l.inbox.open(ctx)
}

// Advance moves the checkpoint of a topic that is not a partition's and drops what is handled. It
// never moves back.
func (l *Log) Advance(ctx context.Context, topic string, to eventlog.Offset) error {
	if err := l.inbox.open(ctx); err != nil {
		return err
	}
	if l.inbox.owned[topic] {
		return fmt.Errorf("topic %s belongs to a partition: only Append moves its checkpoint", topic)
	}
	l.inbox.advance(topic, to)
	return nil
}
