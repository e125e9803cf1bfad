package eventlogtest

import (
	"context"
	"fmt"
	"sync"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
)

var queueTests = map[string]func(*suite){
	"queue/messages keep their order and content": (*suite).testQueueOrder,
	"queue/topics are separate":                   (*suite).testQueueTopics,
	"queue/receive waits for the first message":   (*suite).testQueueWaits,
	"queue/receive again from an offset":          (*suite).testQueueReread,
	"queue/concurrent senders":                    (*suite).testQueueSenders,
	"queue/advance moves the checkpoint":          (*suite).testQueueAdvance,
	"queue/append moves the checkpoint and trims": (*suite).testQueueAppend,
	"queue/offsets continue after a trim":         (*suite).testQueueOffsets,
}

// send sends a message and returns its offset. No other goroutine may send to the topic.
func (s *suite) send(topic, id string) eventlog.Offset {
	s.Helper()
	require.NoError(s, s.log.Send(s.ctx, topic, eventlog.Message{ID: id, Payload: []byte(id)}))
	all := s.receive(topic, eventlog.Offset{}, 10_000)
	return all[len(all)-1].Offset
}

// marker is the id of the messages that queued sends.
const marker = "marker"

// queued returns the messages in the topic. It sends a marker after them, so that it can detect an empty topic without
// a timeout.
func (s *suite) queued(topic string) []eventlog.Message {
	s.Helper()
	s.send(topic, marker)
	var all []eventlog.Message
	for _, message := range s.receive(topic, eventlog.Offset{}, 10_000) {
		if message.ID != marker {
			all = append(all, message)
		}
	}
	return all
}

func (s *suite) receive(topic string, after eventlog.Offset, limit int) []eventlog.Message {
	s.Helper()
	got, err := s.log.Receive(s.ctx, topic, after, limit)
	require.NoError(s, err)
	return got
}

func messageIDs(messages []eventlog.Message) []string {
	var found []string
	for _, message := range messages {
		found = append(found, message.ID)
	}
	return found
}

func (s *suite) testQueueOrder() {
	want := []eventlog.Message{
		{ID: "a", Metadata: map[string]string{"actor": "mei", "empty": ""}, Payload: []byte{0, 1, 0xff}},
		{ID: "b", Payload: []byte(`{"x":1}`)},
		{ID: "a", Payload: []byte("the same id again")},
	}
	for _, message := range want {
		require.NoError(s, s.log.Send(s.ctx, "t", message))
	}
	got := s.receive("t", eventlog.Offset{}, 10)
	require.Len(s, got, 3)
	last := eventlog.Offset{}
	for i, message := range got {
		require.Positive(s, message.Offset.Compare(last), "offsets rise from above zero")
		last = message.Offset
		require.Equal(s, want[i].ID, message.ID)
		require.Equal(s, want[i].Payload, message.Payload)
		require.Equal(s, len(want[i].Metadata), len(message.Metadata))
		for key, value := range want[i].Metadata {
			require.Equal(s, value, message.Metadata[key])
		}
	}
}

func (s *suite) testQueueTopics() {
	topics := []string{"orders", "Orders", "a/b c:{d}", "名前", eventlog.Topic(3)}
	for _, topic := range topics {
		require.NoError(s, s.log.Send(s.ctx, topic, eventlog.Message{ID: topic}))
	}
	for _, topic := range topics {
		require.Equal(s, []string{topic}, messageIDs(s.receive(topic, eventlog.Offset{}, 10)))
	}
}

func (s *suite) testQueueWaits() {
	receive := func(ctx context.Context) error {
		_, err := s.log.Receive(ctx, "t", eventlog.Offset{}, 1)
		return err
	}
	s.requireBlocks(receive)
	first := async(func() ([]eventlog.Message, error) { return s.log.Receive(s.ctx, "t", eventlog.Offset{}, 5) })
	require.NoError(s, s.log.Send(s.ctx, "other", eventlog.Message{ID: "x"}))
	require.NoError(s, s.log.Send(s.ctx, "t", eventlog.Message{ID: "a"}))
	result := <-first
	require.NoError(s, result.err)
	require.Equal(s, []string{"a"}, messageIDs(result.value))
	second := async(func() ([]eventlog.Message, error) { return s.log.Receive(s.ctx, "t", result.value[0].Offset, 5) })
	require.NoError(s, s.log.Send(s.ctx, "t", eventlog.Message{ID: "b"}))
	result = <-second
	require.NoError(s, result.err)
	require.Equal(s, []string{"b"}, messageIDs(result.value))
}

func (s *suite) testQueueReread() {
	var offsets []eventlog.Offset
	for i := range 6 {
		offsets = append(offsets, s.send("t", fmt.Sprint(i)))
	}
	require.Equal(s, []string{"0", "1"}, messageIDs(s.receive("t", eventlog.Offset{}, 2)))
	require.Equal(s, []string{"2", "3", "4", "5"}, messageIDs(s.receive("t", offsets[1], 10)))
	require.NoError(s, s.log.Advance(s.ctx, "t", offsets[2]))
	done, err := s.log.Checkpoint(s.ctx, "t")
	require.NoError(s, err)
	for range 2 {
		require.Equal(s, []string{"3", "4", "5"}, messageIDs(s.receive("t", done, 10)), "from the checkpoint")
	}
}

func (s *suite) testQueueSenders() {
	const senders, each = 8, 50
	var all sync.WaitGroup
	for sender := range senders {
		all.Go(func() {
			for i := range each {
				if err := s.log.Send(s.ctx, "t", eventlog.Message{ID: fmt.Sprint(sender), Payload: []byte{byte(i)}}); err != nil {
					s.Error(err)
				}
			}
		})
	}
	next := map[string]byte{}
	for after, n := (eventlog.Offset{}), 0; n < senders*each; {
		for _, message := range s.receive("t", after, 7) {
			require.Equal(s, next[message.ID], message.Payload[0], "messages of one sender keep their order")
			next[message.ID]++
			n, after = n+1, message.Offset
		}
	}
	all.Wait()
}

func (s *suite) testQueueAdvance() {
	first, second := s.send("t", "a"), s.send("t", "b")
	checkpoint := func() eventlog.Offset {
		at, err := s.log.Checkpoint(s.ctx, "t")
		require.NoError(s, err)
		return at
	}
	require.Zero(s, checkpoint())
	require.NoError(s, s.log.Advance(s.ctx, "t", first))
	require.Equal(s, first, checkpoint())
	require.NoError(s, s.log.Advance(s.ctx, "t", second))
	require.NoError(s, s.log.Advance(s.ctx, "t", first))
	require.Equal(s, second, checkpoint(), "a checkpoint never moves back")

	own := s.send(eventlog.Topic(3), "a")
	require.Error(s, s.log.Advance(s.ctx, eventlog.Topic(3), own), "the topic of a partition advances with Append only")
	at, err := s.log.Checkpoint(s.ctx, eventlog.Topic(3))
	require.NoError(s, err)
	require.Zero(s, at)
}

func (s *suite) testQueueAppend() {
	owner, topic := s.own(3), eventlog.Topic(3)
	for i := range 5 {
		s.send(topic, fmt.Sprint(i))
	}
	messages := s.receive(topic, owner.checkpoint, 10)
	batch := owner.batch(1)
	batch.To = messages[1].Offset
	require.NoError(s, owner.store(s.ctx, batch))
	at, err := s.log.Checkpoint(s.ctx, topic)
	require.NoError(s, err)
	require.Equal(s, messages[1].Offset, at)
	require.Equal(s, []string{"2", "3", "4"}, messageIDs(s.receive(topic, eventlog.Offset{}, 10)), "handled messages are deleted")
	batch = owner.batch(0)
	batch.To = messages[4].Offset
	require.NoError(s, owner.store(s.ctx, batch), "an append without commits moves the checkpoint")
	require.Empty(s, s.queued(topic))
	back := owner.batch(0)
	back.To = messages[1].Offset
	require.ErrorIs(s, s.log.Append(s.ctx, back), eventlog.ErrConflict, "a checkpoint never moves back")
}

func (s *suite) testQueueOffsets() {
	owner, topic := s.own(3), eventlog.Topic(3)
	last := eventlog.Offset{}
	for range 3 {
		at := s.send(topic, "m")
		require.Positive(s, at.Compare(last))
		last = at
		batch := owner.batch(0)
		batch.To = at
		require.NoError(s, owner.store(s.ctx, batch))
	}
}
