package redis

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"tandem/eventlog"
)

// The fields of an entry in an inbox. Metadata keys stand behind a prefix.
const (
	fieldID       = "id"
	fieldPayload  = "payload"
	metaPrefix    = "meta:"
	unnamedPrefix = "unnamed-" // begins the id of an entry that has none, before its stream id
)

// inbox reads ahead what its topics get, so that an owner finds its commands waiting.
type inbox struct {
	log     *Log
	tailers *tailers

	mu     sync.Mutex
	topics map[string][]*topic
}

// topic is a place in a topic from which somebody receives. What is buffered continues at base.
type topic struct {
	tail   *tail
	base   eventlog.Offset // of the last message that was handed out
	busy   bool            // a Receive is at it
	buffer []eventlog.Message
	more   chan struct{} // closed when the buffer gets something
}

func newInbox(l *Log) *inbox {
	return &inbox{log: l, tailers: newTailers(l, 256), topics: make(map[string][]*topic)}
}

func (i *inbox) close() { i.tailers.close() }

// Send appends the message to the topic's stream and returns when that is durable. A message stays
// until the checkpoint of its topic passes it, whatever process ends.
func (l *Log) Send(ctx context.Context, name string, m eventlog.Message) error {
	if err := l.open(ctx); err != nil {
		return fmt.Errorf("%w: %w", eventlog.ErrNotSent, err)
	}
	key, _ := topicKeys(name)
	p, partitions := partitionOf(name)
	args := make([]any, 0, 8+2*len(m.Metadata))
	if partitions {
		key = l.keys[p].inbox
		args = append(args, "XADD", key, "NOMKSTREAM", "*") // a log that is gone must not begin anew
	} else {
		args = append(args, "XADD", key, "*")
	}
	args = append(args, fieldID, m.ID, fieldPayload, m.Payload)
	for k, v := range m.Metadata {
		args = append(args, metaPrefix+k, v)
	}
	cmd, err := l.pipe.do(ctx, key, nil, args...)
	switch {
	case err != nil && refused(err):
		return fmt.Errorf("%w: %w", eventlog.ErrNotSent, explain(err))
	case err != nil:
		return err
	case cmd.Val() == nil:
		return fmt.Errorf("%w: %w", eventlog.ErrNotSent, errGone)
	}
	return nil
}

// Receive returns the messages after the offset, oldest first, and waits for the first one.
func (l *Log) Receive(ctx context.Context, name string, after eventlog.Offset, most int) ([]eventlog.Message, error) {
	if err := l.open(ctx); err != nil {
		return nil, err
	}
	t := l.inbox.enter(name, after)
	for {
		messages, more := l.inbox.take(t, most)
		if len(messages) > 0 {
			l.inbox.tailers.resume(t.tail)
			return messages, nil
		}
		select {
		case <-more:
			continue
		case <-ctx.Done():
		case <-l.ctx.Done():
		}
		l.inbox.leave(name, t)
		return nil, l.open(ctx)
	}
}

// enter returns the topic at the offset: the one that stands there already, or a new one, in place of
// those that nobody is at.
func (i *inbox) enter(name string, after eventlog.Offset) *topic {
	i.mu.Lock()
	var kept, left []*topic
	for _, t := range i.topics[name] {
		switch {
		case !t.busy && t.base == after:
			t.busy = true
			i.mu.Unlock()
			return t
		case t.busy:
			kept = append(kept, t)
		default:
			left = append(left, t)
		}
	}
	t := i.newTopic(name, after)
	i.topics[name] = append(kept, t)
	i.mu.Unlock()
	for _, old := range left {
		i.tailers.drop(old.tail)
	}
	i.tailers.add(t.tail)
	return t
}

func (i *inbox) newTopic(name string, after eventlog.Offset) *topic {
	t := &topic{base: after, busy: true, more: make(chan struct{})}
	t.tail = &tail{
		after:   after,
		deliver: func(entries []redis.XMessage) { i.add(t, entries) },
		wants:   func() bool { return i.wants(t) },
	}
	t.tail.key, _ = topicKeys(name)
	if p, ok := partitionOf(name); ok {
		t.tail.key = i.log.keys[p].inbox
		t.tail.inspect = func(ctx context.Context, c *redis.Conn, at eventlog.Offset) error {
			return i.inspect(ctx, c, p, t, at)
		}
	}
	return t
}

// inspect looks whether a partition's inbox still has what was read of it and is not handled. If not, a
// server was put in the place of one that had more: messages that come now may have smaller ids than those
// that are gone, and a reader that went on behind them would pass them over. So the reader ends, and with
// it the lease; the next owner begins at the stored checkpoint.
func (i *inbox) inspect(ctx context.Context, c *redis.Conn, p eventlog.Partition, t *topic, at eventlog.Offset) error {
	k := i.log.keys[p]
	stored, err := c.HGet(ctx, k.meta, "cp").Result()
	if err != nil && !isNil(err) {
		return err
	}
	checkpoint, err := parseID(stored)
	if stored == "" {
		checkpoint, err = eventlog.Offset{}, nil
	}
	if err != nil || at.Compare(checkpoint) <= 0 {
		return err
	}
	there, err := c.XRange(ctx, k.inbox, formatID(at), formatID(at)).Result()
	if err != nil || len(there) > 0 {
		return err
	}
	i.log.cfg.Logger.Warn("the server has lost commands that were read from it; their partition begins again at its checkpoint", "partition", p)
	if lease := i.log.owners.any(p); lease != nil {
		lease.end()
	}
	i.leave(eventlog.Topic(p), t)
	return nil
}

// leave ends the reading of somebody who gave up waiting.
func (i *inbox) leave(name string, t *topic) {
	i.mu.Lock()
	i.topics[name] = slices.DeleteFunc(i.topics[name], func(other *topic) bool { return other == t })
	if len(i.topics[name]) == 0 {
		delete(i.topics, name)
	}
	i.mu.Unlock()
	i.tailers.drop(t.tail)
}

// rest ends the reading ahead of a partition's topic, when its owner is here no more.
func (i *inbox) rest(p eventlog.Partition) {
	name := eventlog.Topic(p)
	var busy, left []*topic
	i.mu.Lock()
	for _, t := range i.topics[name] {
		if t.busy {
			busy = append(busy, t)
		} else {
			left = append(left, t)
		}
	}
	if i.topics[name] = busy; len(busy) == 0 {
		delete(i.topics, name)
	}
	i.mu.Unlock()
	for _, t := range left {
		i.tailers.drop(t.tail)
	}
}

func (i *inbox) wants(t *topic) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(t.buffer) < i.log.cfg.limits.prefetch
}

func (i *inbox) add(t *topic, entries []redis.XMessage) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, e := range entries {
		t.buffer = append(t.buffer, message(e))
	}
	close(t.more)
	t.more = make(chan struct{})
}

func (i *inbox) take(t *topic, most int) (messages []eventlog.Message, more <-chan struct{}) {
	i.mu.Lock()
	defer i.mu.Unlock()
	n := min(len(t.buffer), most)
	messages, t.buffer = t.buffer[:n:n], t.buffer[n:]
	if n > 0 {
		t.base, t.busy = messages[n-1].Offset, false
	}
	return messages, t.more
}

// message reads a stream entry. What somebody else wrote there, in whatever form, is a message too: it
// has all fields as its payload and an id made of its place, so that it ends as a dead letter that can
// be looked at.
func message(e redis.XMessage) eventlog.Message {
	m := eventlog.Message{}
	m.Offset, _ = parseID(e.ID) // the server's own id
	id, named := e.Values[fieldID].(string)
	payload, full := e.Values[fieldPayload].(string)
	if !named || !full {
		m.ID = unnamedPrefix + e.ID
		m.Payload = malformed(e.Values)
		return m
	}
	m.ID, m.Payload = id, []byte(payload)
	for name, value := range e.Values {
		if key, ok := strings.CutPrefix(name, metaPrefix); ok {
			if m.Metadata == nil {
				m.Metadata = make(map[string]string)
			}
			m.Metadata[key], _ = value.(string)
		}
	}
	return m
}

// malformed returns the fields of an entry as a JSON array of names and values.
func malformed(values map[string]any) []byte {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	sort.Strings(names)
	fields := make([]any, 0, 2*len(names))
	for _, name := range names {
		fields = append(fields, name, values[name])
	}
	b, err := json.Marshal(fields)
	if err != nil {
		return []byte(err.Error()) // strings always marshal
	}
	return b
}

// Checkpoint returns the offset up to which the topic is handled.
func (l *Log) Checkpoint(ctx context.Context, name string) (eventlog.Offset, error) {
	if err := l.open(ctx); err != nil {
		return eventlog.Offset{}, err
	}
	_, key := topicKeys(name)
	get := func() *redis.StringCmd { return l.client.Get(ctx, key) }
	if p, ok := partitionOf(name); ok {
		get = func() *redis.StringCmd { return l.client.HGet(ctx, l.keys[p].meta, "cp") }
	}
	id, err := get().Result()
	if isNil(err) {
		return eventlog.Offset{}, nil
	}
	if err != nil {
		return eventlog.Offset{}, explain(err)
	}
	return parseID(id)
}

// Advance moves the checkpoint of a topic that no partition owns, and drops what lies before it.
func (l *Log) Advance(ctx context.Context, name string, to eventlog.Offset) error {
	if err := l.open(ctx); err != nil {
		return err
	}
	if p, ok := partitionOf(name); ok {
		return fmt.Errorf("the checkpoint of partition %d moves with Append alone", p)
	}
	stream, checkpoint := topicKeys(name)
	args := l.scripts.advance.args([]string{stream, checkpoint}, to[0], to[1], formatID(next(to)))
	_, err := l.pipe.do(ctx, stream, l.scripts.advance, args...)
	return explain(err)
}
