package bus_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"tandem/bus"
	"tandem/domain"
	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
)

// watched is a log that shows what is sent to it and may change it on the way.
type watched struct {
	eventlog.Log
	change func(*eventlog.Message)
	last   atomic.Pointer[eventlog.Message]
}

func (w *watched) Send(ctx context.Context, topic string, m eventlog.Message) error {
	if w.change != nil {
		w.change(&m)
	}
	w.last.Store(&m)
	return w.Log.Send(ctx, topic, m)
}

// renamed makes the name of a command one that nobody knows.
func renamed(m *eventlog.Message) {
	m.Payload = []byte(strings.Replace(string(m.Payload), `"name":"`, `"name":"no.such.`, 1))
}

// letters returns the dead letters of the agreement's partition.
func (n *node) letters() []eventlog.DeadLetter {
	n.t.Helper()
	letters, err := n.log.DeadLetters(n.t.Context(), eventlog.PartitionOf("agreement/a"))
	require.NoError(n.t, err)
	return letters
}

func TestReplayOfWhatCannotBeReadIsDeadAgain(t *testing.T) {
	p := eventlog.PartitionOf("agreement/a")
	for name, payload := range map[string]string{
		"no JSON":         "{",
		"unknown command": `{"name":"no.such","command":{},"actor":{},"fingerprint":"AQEBAQEBAQEBAQEBAQEBAQ==","today":null,"requested_at":"2018-03-30T00:00:00Z"}`,
	} {
		t.Run(name, func(t *testing.T) {
			log := &watched{Log: eventlogtest.NewMemory()}
			n := startNode(t, log)
			require.NoError(t, bus.NewPublisher(log).Publish(eventlog.Topic(p), message.NewMessage("odd/id", []byte(payload))))
			n.agree() // handled after it
			require.Len(t, n.letters(), 1)

			id, result, err := n.bus.Replay(t.Context(), p, n.letters()[0])
			require.NoError(t, err)
			require.True(t, result.Dead(), result.Rejection)
			require.False(t, id.IsZero())
			require.Equal(t, id.String(), log.last.Load().ID)
			require.Equal(t, "odd/id", log.last.Load().Metadata[bus.Causation])

			letters := n.letters()
			require.Len(t, letters, 2)
			require.Equal(t, id.String(), letters[1].ID)
			require.Equal(t, payload, string(letters[1].Payload))
			n.do(nokia, plan("after-both"))
		})
	}
}

// TestReplayDecides replays what could not be read when it came and can be read now, as after an
// update of the program.
func TestReplayDecides(t *testing.T) {
	log := &watched{Log: eventlogtest.NewMemory()}
	n := startNode(t, log)
	n.agree()
	log.change = renamed
	r := keyed(7, 9, nokia, plan("m"))
	result, err := n.bus.Do(t.Context(), r)
	require.NoError(t, err)
	require.True(t, result.Dead(), result.Rejection)
	log.change = nil
	letter := n.letters()[0]
	require.Equal(t, r.ID.String(), letter.ID)
	letter.Payload = []byte(strings.Replace(string(letter.Payload), "no.such.", "", 1))

	id, result, err := n.bus.Replay(t.Context(), eventlog.PartitionOf("agreement/a"), letter)
	require.NoError(t, err)
	require.Nil(t, result.Rejection)
	require.NotEqual(t, r.ID, id)
	commits := n.commits()
	last := commits[len(commits)-1]
	require.Equal(t, result.Seq, last.Seq)
	require.Equal(t, id, last.Command)
	require.Equal(t, r.Fingerprint, last.Request, "it is the same request")
	require.Equal(t, "nokia", last.Partner)

	_, result, err = n.bus.Replay(t.Context(), eventlog.PartitionOf("agreement/a"), letter)
	require.NoError(t, err)
	require.Equal(t, domain.Conflict, result.Rejection.Kind, "a rule refuses it like any other command")
	require.False(t, result.Dead())
	require.Len(t, n.letters(), 1)
}

func TestReplayWaitsNoLongerThanItsContext(t *testing.T) {
	log := eventlogtest.NewMemory()
	n := startNode(t, log)
	n.agree()
	held := log.Hold()
	defer held.Release()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	id, _, err := n.bus.Replay(ctx, 1, eventlog.DeadLetter{ID: "x", Payload: []byte("{")})
	require.ErrorIs(t, err, bus.ErrOutcomeUnknown)
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, id.IsZero(), "so that its outcome can be looked up")
}

func TestOwns(t *testing.T) {
	n := startNode(t, eventlogtest.NewMemory())
	for p := range eventlog.Partition(eventlog.Partitions) {
		require.True(t, n.bus.Owns(p))
	}
	n.stop()
	require.False(t, n.bus.Owns(0))
}
