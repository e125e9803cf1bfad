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

// watchedLog is a log that records the last message and can change messages before they are sent.
type watchedLog struct {
	eventlog.Log
	change func(*eventlog.Message)
	last   atomic.Pointer[eventlog.Message]
}

func (w *watchedLog) Send(ctx context.Context, topic string, msg eventlog.Message) error {
	if w.change != nil {
		w.change(&msg)
	}
	w.last.Store(&msg)
	return w.Log.Send(ctx, topic, msg)
}

// renameCommand changes the name of a command to an unknown one.
func renameCommand(received *eventlog.Message) {
	received.Payload = []byte(strings.Replace(string(received.Payload), `"name":"`, `"name":"no.such.`, 1))
}

// letters returns the dead letters of the agreement's partition.
func (n *node) letters() []eventlog.DeadLetter {
	n.t.Helper()
	letters, err := n.log.DeadLetters(n.t.Context(), eventlog.PartitionOf("agreement/a"))
	require.NoError(n.t, err)
	return letters
}

func TestReplayOfAnUnreadablePayload(t *testing.T) {
	partition := eventlog.PartitionOf("agreement/a")
	for name, payload := range map[string]string{
		"no JSON":         "{",
		"unknown command": `{"name":"no.such","command":{},"actor":{},"fingerprint":"AQEBAQEBAQEBAQEBAQEBAQ==","today":null,"requested_at":"2018-03-30T00:00:00Z"}`,
	} {
		t.Run(name, func(t *testing.T) {
			log := &watchedLog{Log: eventlogtest.NewMemory()}
			node := startNode(t, log)
			require.NoError(t, bus.NewPublisher(log).Publish(eventlog.Topic(partition), message.NewMessage("odd/id", []byte(payload))))
			node.activateAgreement() // its commands are handled after the unreadable message
			require.Len(t, node.letters(), 1)

			id, result, err := node.bus.Replay(t.Context(), partition, node.letters()[0])
			require.NoError(t, err)
			require.True(t, result.IsDeadLetter(), result.Rejection)
			require.False(t, id.IsZero())
			require.Equal(t, id.String(), log.last.Load().ID)
			require.Equal(t, "odd/id", log.last.Load().Metadata[bus.CausationKey])

			letters := node.letters()
			require.Len(t, letters, 2)
			require.Equal(t, id.String(), letters[1].ID)
			require.Equal(t, payload, string(letters[1].Payload))
			node.do(nokia, plan("after-both"))
		})
	}
}

// TestReplayDecides replays a command that was unreadable when it arrived and is readable now, as after an
// update of the program.
func TestReplayDecides(t *testing.T) {
	log := &watchedLog{Log: eventlogtest.NewMemory()}
	node := startNode(t, log)
	node.activateAgreement()
	log.change = renameCommand
	request := keyed(7, 9, nokia, plan("m"))
	result, err := node.bus.Do(t.Context(), request)
	require.NoError(t, err)
	require.True(t, result.IsDeadLetter(), result.Rejection)
	log.change = nil
	letter := node.letters()[0]
	require.Equal(t, request.ID.String(), letter.ID)
	letter.Payload = []byte(strings.Replace(string(letter.Payload), "no.such.", "", 1))

	id, result, err := node.bus.Replay(t.Context(), eventlog.PartitionOf("agreement/a"), letter)
	require.NoError(t, err)
	require.Nil(t, result.Rejection)
	require.NotEqual(t, request.ID, id)
	commits := node.commits()
	last := commits[len(commits)-1]
	require.Equal(t, result.Seq, last.Seq)
	require.Equal(t, id, last.Command)
	require.Equal(t, request.Fingerprint, last.Request, "the fingerprint is unchanged")
	require.Equal(t, "nokia", last.Partner)

	_, result, err = node.bus.Replay(t.Context(), eventlog.PartitionOf("agreement/a"), letter)
	require.NoError(t, err)
	require.Equal(t, domain.Conflict, result.Rejection.Kind, "the second replay is refused by a rule")
	require.False(t, result.IsDeadLetter())
	require.Len(t, node.letters(), 1)
}

func TestContextEndsTheWaitOfReplay(t *testing.T) {
	log := eventlogtest.NewMemory()
	node := startNode(t, log)
	node.activateAgreement()
	held := log.Hold()
	defer held.Release()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	id, _, err := node.bus.Replay(ctx, 1, eventlog.DeadLetter{ID: "x", Payload: []byte("{")})
	require.ErrorIs(t, err, bus.ErrOutcomeUnknown)
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, id.IsZero(), "the id is needed to look up the outcome")
}

func TestOwns(t *testing.T) {
	node := startNode(t, eventlogtest.NewMemory())
	for partition := range eventlog.Partition(eventlog.Partitions) {
		require.True(t, node.bus.Owns(partition))
	}
	node.stop()
	require.False(t, node.bus.Owns(0))
}
