package redis

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/redis/redistest"
)

// TestMarkStaysOnTheChain: after a failover a node can get the same fencing token again while an older lease still
// wants to mark commits that the new server never had. The mark does not move.
func TestMarkStaysOnTheChain(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	redistest.StartReplica(t, server, nil)
	log := open(t, Config{URL: server.URL(), Durability: Replicated})
	owner := own(t, log, 3).mustAppend(2)
	before := &partitionLease{coordinator: log.coordinator, partition: 3, fence: owner.lease.Fence(), lost: make(chan struct{})}
	for _, unknown := range []eventlog.Head{{Seq: 3, Hash: eventlog.Hash{3}}, {Seq: 2, Hash: eventlog.Hash{2}}} {
		require.Error(t, log.moveMark(t.Context(), before, unknown, "9-0"))
		head, err := log.Head(t.Context(), 3)
		require.NoError(t, err)
		require.Equal(t, owner.head, head)
	}
	owner.mustAppend(1)
}

// TestBatchNames: two leases with the same fencing token never give two batches the same name: the second one would
// count as stored.
func TestBatchNames(t *testing.T) {
	t.Parallel()
	log := open(t, Config{URL: redistest.Start(t).URL()})
	names := make(map[string]bool)
	for range 2 {
		same := &partitionLease{coordinator: log.coordinator, partition: 3, fence: 7, lost: make(chan struct{})}
		names[same.nextBatchName()], names[same.nextBatchName()] = true, true
	}
	require.Len(t, names, 4)
}
