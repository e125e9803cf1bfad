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

// poison is a message or command that must not stop others.
type poison struct {
	name   string
	put    func(node *node, partition eventlog.Partition)
	letter string // part of the dead letter's reason; empty: the command is refused
}

// TestPoison sends poison to a partition (P8) and requires that the next command is committed. The goal of
// 10 ms until its answer is logged, not asserted, because it depends on the machine.
func TestPoison(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		survivePoison(t, startNode(t, openSQLite(t)), poisons(t))
	})
	t.Run("redis", func(t *testing.T) {
		server := redistest.Start(t)
		malformed := poison{"a malformed entry", func(node *node, partition eventlog.Partition) {
			stream := fmt.Sprintf("tandem:{%02d}:inbox", partition)
			require.NoError(t, server.Client().XAdd(t.Context(), &redis.XAddArgs{Stream: stream, Values: []string{"foo", "bar"}}).Err())
		}, "command id"}
		survivePoison(t, startNode(t, openRedis(t, server)), append(poisons(t), malformed))
	})
}

func poisons(t *testing.T) []poison {
	spared := foldReads(t)
	publish := func(node *node, partition eventlog.Partition, id, payload string) {
		require.NoError(node.t, bus.NewPublisher(node.log).Publish(eventlog.Topic(partition), message.NewMessage(id, []byte(payload))))
	}
	return []poison{
		{"a payload that is not JSON", func(node *node, partition eventlog.Partition) {
			publish(node, partition, eventlog.CommandID(uuid.New()).String(), "{")
		}, "envelope"},
		{"an invalid id", func(node *node, partition eventlog.Partition) { publish(node, partition, "not an id", "{}") }, "command id"},
		{"a panic in the decision", func(node *node, _ eventlog.Partition) { node.panics(0) }, ""},
		{"a panic in the fold", func(node *node, _ eventlog.Partition) { node.panics(spared) }, ""},
	}
}

// panics sends a command that panics after the given number of reads, and requires that it is refused.
func (n *node) panics(spared int) {
	n.t.Helper()
	n.model.setPanic("poisoned", spared)
	result, err := n.bus.Do(n.t.Context(), newRequest(nokia, plan("poisoned")))
	require.NoError(n.t, err)
	require.NotNil(n.t, result.Rejection)
	require.Equal(n.t, domain.Internal, result.Rejection.Kind)
}

func survivePoison(t *testing.T, node *node, poisons []poison) {
	defer node.stop()
	node.activateAgreement()
	node.do(nokia, plan("m"))
	partition := eventlog.PartitionOf("agreement/a")
	const rounds = 20
	var letters int
	for _, poison := range poisons {
		var took []time.Duration
		for range rounds {
			begin := time.Now()
			poison.put(node, partition)
			node.do(nokia, domain.CommentMilestone{MilestoneRef: ref("m"), Text: "after the poison"})
			took = append(took, time.Since(begin))
		}
		if poison.letter != "" {
			letters += rounds
			stored, err := node.log.DeadLetters(t.Context(), partition)
			require.NoError(t, err)
			require.Len(t, stored, letters, poison.name)
			require.Contains(t, stored[letters-1].Reason, poison.letter)
		}
		slices.Sort(took)
		t.Logf("%s: the next command was answered after %s (median), %s (longest)", poison.name, took[rounds/2], took[rounds-1])
	}
	node.commits()
}
