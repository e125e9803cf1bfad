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

// Fields of an entry in a command queue. Metadata keys have a prefix.
const (
	fieldID       = "id"
	fieldPayload  = "payload"
	metaPrefix    = "meta:"
	unnamedPrefix = "unnamed-" // prefix of the message id of an entry without one; the stream id follows
)

// commandQueue reads messages ahead, so that an owner finds its commands in memory.
type commandQueue struct {
	log     *Log
	tailers *tailerSet

	mu     sync.Mutex
	topics map[string][]*topicReader
}

// topicReader is the position of a receiver in a topic. The buffered messages follow lastTaken.
type topicReader struct {
	stream    *streamReader
	lastTaken eventlog.Offset // of the last message that Receive returned
	busy      bool            // a Receive uses it
	buffer    []eventlog.Message
	arrived   chan struct{} // closed when the buffer grows
}

func newCommandQueue(log *Log) *commandQueue {
	return &commandQueue{log: log, tailers: newTailers(log, 256), topics: make(map[string][]*topicReader)}
}

func (q *commandQueue) close() { q.tailers.close() }

// Send appends the message to the topic's stream and returns when it is durable. The message stays until the
// checkpoint of the topic passes it, even if all processes end.
func (l *Log) Send(ctx context.Context, name string, message eventlog.Message) error {
	if err := l.checkOpen(ctx); err != nil {
		return fmt.Errorf("%w: %w", eventlog.ErrNotSent, err)
	}
	key, _ := topicKeys(name)
	partition, ofPartition := partitionOf(name)
	args := make([]any, 0, 8+2*len(message.Metadata))
	if ofPartition {
		key = l.keys[partition].commands
		args = append(args, "XADD", key, "NOMKSTREAM", "*") // must not recreate a log that is gone
	} else {
		args = append(args, "XADD", key, "*")
	}
	args = append(args, fieldID, message.ID, fieldPayload, message.Payload)
	for key, value := range message.Metadata {
		args = append(args, metaPrefix+key, value)
	}
	cmd, err := l.pipe.do(ctx, key, nil, args...)
	switch {
	case err != nil && notExecuted(err):
		return fmt.Errorf("%w: %w", eventlog.ErrNotSent, explain(err))
	case err != nil:
		return err
	case cmd.Val() == nil:
		return fmt.Errorf("%w: %w", eventlog.ErrNotSent, errGone)
	}
	return nil
}

// Receive returns up to most messages after the offset, oldest first. It waits for the first one.
func (l *Log) Receive(ctx context.Context, name string, after eventlog.Offset, most int) ([]eventlog.Message, error) {
	if err := l.checkOpen(ctx); err != nil {
		return nil, err
	}
	topic := l.commands.openReader(name, after)
	for {
		messages, more := l.commands.take(topic, most)
		if len(messages) > 0 {
			l.commands.tailers.resume(topic.stream)
			return messages, nil
		}
		select {
		case <-more:
			continue
		case <-ctx.Done():
		case <-l.ctx.Done():
		}
		l.commands.closeReader(name, topic)
		return nil, l.checkOpen(ctx)
	}
}

// openReader returns the idle reader at the offset, or a new one in place of the idle readers elsewhere.
func (q *commandQueue) openReader(name string, after eventlog.Offset) *topicReader {
	q.mu.Lock()
	var kept, left []*topicReader
	for _, topic := range q.topics[name] {
		switch {
		case !topic.busy && topic.lastTaken == after:
			topic.busy = true
			q.mu.Unlock()
			return topic
		case topic.busy:
			kept = append(kept, topic)
		default:
			left = append(left, topic)
		}
	}
	topic := q.newReader(name, after)
	q.topics[name] = append(kept, topic)
	q.mu.Unlock()
	for _, old := range left {
		q.tailers.drop(old.stream)
	}
	q.tailers.add(topic.stream)
	return topic
}

func (q *commandQueue) newReader(name string, after eventlog.Offset) *topicReader {
	topic := &topicReader{lastTaken: after, busy: true, arrived: make(chan struct{})}
	topic.stream = &streamReader{
		after:     after,
		receive:   func(entries []redis.XMessage) { q.buffer(topic, entries) },
		wantsMore: func() bool { return q.wantsMore(topic) },
	}
	topic.stream.key, _ = topicKeys(name)
	if partition, ok := partitionOf(name); ok {
		topic.stream.key = q.log.keys[partition].commands
		topic.stream.onConnect = func(ctx context.Context, conn *redis.Conn, at eventlog.Offset) error {
			return q.checkNotLost(ctx, conn, partition, topic, at)
		}
	}
	return topic
}

// checkNotLost checks that a partition's queue still has the last message that was read and is not handled. If not,
// the server was replaced by one with less data: new messages may have smaller ids than the lost ones, and a reader
// that continues after those would skip them. Then the reader and the lease end, and the next owner starts at the
// stored checkpoint.
func (q *commandQueue) checkNotLost(ctx context.Context, conn *redis.Conn, partition eventlog.Partition, topic *topicReader, at eventlog.Offset) error {
	keys := q.log.keys[partition]
	stored, err := conn.HGet(ctx, keys.meta, "cp").Result()
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
	there, err := conn.XRange(ctx, keys.commands, formatID(at), formatID(at)).Result()
	if err != nil || len(there) > 0 {
		return err
	}
	q.log.cfg.Logger.Warn("the server lost commands that were read from it; the partition restarts from its checkpoint", "partition", partition)
	if lease := q.log.coordinator.localLease(partition); lease != nil {
		lease.invalidate()
	}
	q.closeReader(eventlog.Topic(partition), topic)
	return nil
}

// closeReader removes a reader.
func (q *commandQueue) closeReader(name string, topic *topicReader) {
	q.mu.Lock()
	q.topics[name] = slices.DeleteFunc(q.topics[name], func(other *topicReader) bool { return other == topic })
	if len(q.topics[name]) == 0 {
		delete(q.topics, name)
	}
	q.mu.Unlock()
	q.tailers.drop(topic.stream)
}

// stopReadAhead removes the idle readers of a partition's topic when its owner is no longer here.
func (q *commandQueue) stopReadAhead(partition eventlog.Partition) {
	name := eventlog.Topic(partition)
	var busy, left []*topicReader
	q.mu.Lock()
	for _, topic := range q.topics[name] {
		if topic.busy {
			busy = append(busy, topic)
		} else {
			left = append(left, topic)
		}
	}
	if q.topics[name] = busy; len(busy) == 0 {
		delete(q.topics, name)
	}
	q.mu.Unlock()
	for _, topic := range left {
		q.tailers.drop(topic.stream)
	}
}

func (q *commandQueue) wantsMore(topic *topicReader) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(topic.buffer) < q.log.cfg.limits.prefetch
}

func (q *commandQueue) buffer(topic *topicReader, entries []redis.XMessage) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, entry := range entries {
		topic.buffer = append(topic.buffer, parseMessage(entry))
	}
	close(topic.arrived)
	topic.arrived = make(chan struct{})
}

func (q *commandQueue) take(topic *topicReader, most int) (messages []eventlog.Message, more <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(topic.buffer), most)
	messages, topic.buffer = topic.buffer[:n:n], topic.buffer[n:]
	if n > 0 {
		topic.lastTaken, topic.busy = messages[n-1].Offset, false
	}
	return messages, topic.arrived
}

// parseMessage parses a stream entry. An entry without the expected fields becomes a message too: its payload has all
// fields and its id contains the stream id, so that it ends as a dead letter.
func parseMessage(entry redis.XMessage) eventlog.Message {
	message := eventlog.Message{}
	message.Offset, _ = parseID(entry.ID) // an id that the server generated
	id, named := entry.Values[fieldID].(string)
	payload, full := entry.Values[fieldPayload].(string)
	if !named || !full {
		message.ID = unnamedPrefix + entry.ID
		message.Payload = malformedPayload(entry.Values)
		return message
	}
	message.ID, message.Payload = id, []byte(payload)
	for name, value := range entry.Values {
		if key, ok := strings.CutPrefix(name, metaPrefix); ok {
			if message.Metadata == nil {
				message.Metadata = make(map[string]string)
			}
			message.Metadata[key], _ = value.(string)
		}
	}
	return message
}

// malformedPayload returns the fields of an entry as a JSON array of names and values.
func malformedPayload(values map[string]any) []byte {
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
		return []byte(err.Error()) // unreachable: strings can always be marshalled
	}
	return b
}

// Checkpoint returns the offset up to which the topic's messages are handled.
func (l *Log) Checkpoint(ctx context.Context, name string) (eventlog.Offset, error) {
	if err := l.checkOpen(ctx); err != nil {
		return eventlog.Offset{}, err
	}
	_, key := topicKeys(name)
	get := func() *redis.StringCmd { return l.client.Get(ctx, key) }
	if partition, ok := partitionOf(name); ok {
		get = func() *redis.StringCmd { return l.client.HGet(ctx, l.keys[partition].meta, "cp") }
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

// Advance moves the checkpoint of a topic that belongs to no partition and deletes the messages up to it.
func (l *Log) Advance(ctx context.Context, name string, to eventlog.Offset) error {
	if err := l.checkOpen(ctx); err != nil {
		return err
	}
	if partition, ok := partitionOf(name); ok {
		return fmt.Errorf("the checkpoint of partition %d moves with Append only", partition)
	}
	stream, checkpoint := topicKeys(name)
	args := l.scripts.advance.command([]string{stream, checkpoint}, to[0], to[1], formatID(nextID(to)))
	_, err := l.pipe.do(ctx, stream, l.scripts.advance, args...)
	return explain(err)
}
