package bus_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"tandem/bus"
	"tandem/domain"
	"tandem/eventlog"
	"tandem/eventlog/redis/redistest"
)

// poison is something that must stop nothing else.
type poison struct {
	name   string
	put    func(n *node, p eventlog.Partition)
	letter string // what the dead letter's reason says; empty: it is a refusal
}

// P8: one poison message stops nothing else. The time from the poison to the answer of the next
// command of the partition is to be within 10 ms; it is only logged, because a test machine may be slow.
func TestPoisonStopsNothing(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		takePoison(t, startNode(t, openSQLite(t)), poisons(t))
	})
	t.Run("redis", func(t *testing.T) {
		server := redistest.Start(t)
		malformed := poison{"a malformed entry", func(n *node, p eventlog.Partition) {
			stream := fmt.Sprintf("tandem:{%02d}:inbox", p)
			require.NoError(t, server.Client().XAdd(t.Context(), &redis.XAddArgs{Stream: stream, Values: []string{"foo", "bar"}}).Err())
		}, "command id"}
		takePoison(t, startNode(t, openRedis(t, server)), append(poisons(t), malformed))
	})
}

func poisons(t *testing.T) []poison {
	spared := foldReads(t)
	publish := func(n *node, p eventlog.Partition, id, payload string) {
		require.NoError(n.t, bus.NewPublisher(n.log).Publish(eventlog.Topic(p), message.NewMessage(id, []byte(payload))))
	}
	return []poison{
		{"a payload that is no JSON", func(n *node, p eventlog.Partition) {
			publish(n, p, eventlog.CommandID(uuid.New()).String(), "{")
		}, "envelope"},
		{"an id that is none", func(n *node, p eventlog.Partition) { publish(n, p, "not an id", "{}") }, "command id"},
		{"a panic in the decision", func(n *node, _ eventlog.Partition) { n.panics(0) }, ""},
		{"a panic in the fold", func(n *node, _ eventlog.Partition) { n.panics(spared) }, ""},
	}
}

// panics sends a command whose decision panics, or whose fold does after the decision's reads.
func (n *node) panics(spared int) {
	n.t.Helper()
	n.image.poisoned("poisoned", spared)
	result, err := n.bus.Do(n.t.Context(), request(nokia, plan("poisoned")))
	require.NoError(n.t, err)
	require.NotNil(n.t, result.Rejection)
	require.Equal(n.t, domain.Internal, result.Rejection.Kind)
}

func takePoison(t *testing.T, n *node, poisons []poison) {
	defer n.stop()
	n.agree()
	n.do(nokia, plan("m"))
	p := eventlog.PartitionOf("agreement/a")
	const rounds = 20
	var letters int
	for _, x := range poisons {
		var took []time.Duration
		for range rounds {
			begin := time.Now()
			x.put(n, p)
			n.do(nokia, domain.CommentMilestone{Ref: ref("m"), Text: "goes on"})
			took = append(took, time.Since(begin))
		}
		if x.letter != "" {
			letters += rounds
			stored, err := n.log.DeadLetters(t.Context(), p)
			require.NoError(t, err)
			require.Len(t, stored, letters, x.name)
			require.Contains(t, stored[letters-1].Reason, x.letter)
		}
		slices.Sort(took)
		t.Logf("%s: the next command was answered after %s, at worst %s", x.name, took[rounds/2], took[rounds-1])
		require.Less(t, took[rounds-1], 2*time.Second, x.name)
	}
	n.commits()
}
