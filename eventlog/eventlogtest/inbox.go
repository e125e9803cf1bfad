package eventlogtest

import (
	"context"
	"fmt"
	"sync"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
)

var inboxTests = map[string]func(*suite){
	"inbox/messages keep their order and content": (*suite).testInboxOrder,
	"inbox/topics are apart":                      (*suite).testInboxTopics,
	"inbox/receive waits for the first message":   (*suite).testInboxWaits,
	"inbox/receive again after an offset":         (*suite).testInboxAgain,
	"inbox/concurrent senders":                    (*suite).testInboxSenders,
	"inbox/advance moves the checkpoint":          (*suite).testInboxAdvance,
	"inbox/append moves the checkpoint and trims": (*suite).testInboxAppend,
	"inbox/offsets go on after a trim":            (*suite).testInboxOffsets,
}

// sent sends a message and returns its offset. It must be the only sender of the topic.
func (s *suite) sent(topic, id string) eventlog.Offset {
	s.Helper()
	require.NoError(s, s.log.Send(s.ctx, topic, eventlog.Message{ID: id, Payload: []byte(id)}))
	all := s.receive(topic, eventlog.Offset{}, 10_000)
	return all[len(all)-1].Offset
}

// marker is the id of the messages that waiting sends.
const marker = "marker"

// waiting returns the messages that the topic holds now. It sends a marker after them, so that
// an empty topic shows without waiting for a time.
func (s *suite) waiting(topic string) []eventlog.Message {
	s.Helper()
	s.sent(topic, marker)
	var all []eventlog.Message
	for _, m := range s.receive(topic, eventlog.Offset{}, 10_000) {
		if m.ID != marker {
			all = append(all, m)
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

func ids(messages []eventlog.Message) []string {
	var found []string
	for _, m := range messages {
		found = append(found, m.ID)
	}
	return found
}

func (s *suite) testInboxOrder() {
	want := []eventlog.Message{
		{ID: "a", Metadata: map[string]string{"actor": "mei", "empty": ""}, Payload: []byte{0, 1, 0xff}},
		{ID: "b", Payload: []byte(`{"x":1}`)},
		{ID: "a", Payload: []byte("the same id again")},
	}
	for _, m := range want {
		require.NoError(s, s.log.Send(s.ctx, "t", m))
	}
	got := s.receive("t", eventlog.Offset{}, 10)
	require.Len(s, got, 3)
	last := eventlog.Offset{}
	for i, m := range got {
		require.Positive(s, m.Offset.Compare(last), "offsets rise from above zero")
		last = m.Offset
		require.Equal(s, want[i].ID, m.ID)
		require.Equal(s, want[i].Payload, m.Payload)
		require.Equal(s, len(want[i].Metadata), len(m.Metadata))
		for key, value := range want[i].Metadata {
			require.Equal(s, value, m.Metadata[key])
		}
	}
}

func (s *suite) testInboxTopics() {
	topics := []string{"orders", "Orders", "a/b c:{d}", "名前", eventlog.Topic(3)}
	for _, topic := range topics {
		require.NoError(s, s.log.Send(s.ctx, topic, eventlog.Message{ID: topic}))
	}
	for _, topic := range topics {
		require.Equal(s, []string{topic}, ids(s.receive(topic, eventlog.Offset{}, 10)))
	}
}

func (s *suite) testInboxWaits() {
	receive := func(ctx context.Context) error {
		_, err := s.log.Receive(ctx, "t", eventlog.Offset{}, 1)
		return err
	}
	s.waits(receive)
	first := started(func() ([]eventlog.Message, error) { return s.log.Receive(s.ctx, "t", eventlog.Offset{}, 5) })
	require.NoError(s, s.log.Send(s.ctx, "other", eventlog.Message{ID: "x"}))
	require.NoError(s, s.log.Send(s.ctx, "t", eventlog.Message{ID: "a"}))
	r := <-first
	require.NoError(s, r.err)
	require.Equal(s, []string{"a"}, ids(r.value))
	second := started(func() ([]eventlog.Message, error) { return s.log.Receive(s.ctx, "t", r.value[0].Offset, 5) })
	require.NoError(s, s.log.Send(s.ctx, "t", eventlog.Message{ID: "b"}))
	r = <-second
	require.NoError(s, r.err)
	require.Equal(s, []string{"b"}, ids(r.value))
}

func (s *suite) testInboxAgain() {
	var offsets []eventlog.Offset
	for i := range 6 {
		offsets = append(offsets, s.sent("t", fmt.Sprint(i)))
	}
	require.Equal(s, []string{"0", "1"}, ids(s.receive("t", eventlog.Offset{}, 2)))
	require.Equal(s, []string{"2", "3", "4", "5"}, ids(s.receive("t", offsets[1], 10)))
	require.NoError(s, s.log.Advance(s.ctx, "t", offsets[2]))
	done, err := s.log.Checkpoint(s.ctx, "t")
	require.NoError(s, err)
	for range 2 {
		require.Equal(s, []string{"3", "4", "5"}, ids(s.receive("t", done, 10)), "a rewind to the checkpoint")
	}
}

func (s *suite) testInboxSenders() {
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
		for _, m := range s.receive("t", after, 7) {
			require.Equal(s, next[m.ID], m.Payload[0], "messages of one sender keep their order")
			next[m.ID]++
			n, after = n+1, m.Offset
		}
	}
	all.Wait()
}

func (s *suite) testInboxAdvance() {
	first, second := s.sent("t", "a"), s.sent("t", "b")
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

	own := s.sent(eventlog.Topic(3), "a")
	require.Error(s, s.log.Advance(s.ctx, eventlog.Topic(3), own), "a partition's topic advances with Append")
	at, err := s.log.Checkpoint(s.ctx, eventlog.Topic(3))
	require.NoError(s, err)
	require.Zero(s, at)
}

func (s *suite) testInboxAppend() {
	c, topic := s.own(3), eventlog.Topic(3)
	for i := range 5 {
		s.sent(topic, fmt.Sprint(i))
	}
	messages := s.receive(topic, c.done, 10)
	b := c.batch(1)
	b.To = messages[1].Offset
	require.NoError(s, c.store(s.ctx, b))
	at, err := s.log.Checkpoint(s.ctx, topic)
	require.NoError(s, err)
	require.Equal(s, messages[1].Offset, at)
	require.Equal(s, []string{"2", "3", "4"}, ids(s.receive(topic, eventlog.Offset{}, 10)), "what is handled is gone")
	b = c.batch(0)
	b.To = messages[4].Offset
	require.NoError(s, c.store(s.ctx, b), "an append without commits moves it too")
	require.Empty(s, s.waiting(topic))
	back := c.batch(0)
	back.To = messages[1].Offset
	require.ErrorIs(s, s.log.Append(s.ctx, back), eventlog.ErrConflict, "a checkpoint never moves back")
}

func (s *suite) testInboxOffsets() {
	c, topic := s.own(3), eventlog.Topic(3)
	last := eventlog.Offset{}
	for range 3 {
		at := s.sent(topic, "m")
		require.Positive(s, at.Compare(last))
		last = at
		b := c.batch(0)
		b.To = at
		require.NoError(s, c.store(s.ctx, b))
	}
}
