package redis

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/redis/redistest"
)

// TestMarkStaysOnTheChain: after a failover the same node can get the same fence once more, while a lease of
// before still wants to make durable what the new server never had. Nobody is told of that.
func TestMarkStaysOnTheChain(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	redistest.StartReplica(t, s, nil)
	l := open(t, Config{URL: s.URL(), Durability: Replicated})
	o := own(t, l, 3).must(2)
	before := &lease{owners: l.owners, p: 3, fence: o.lease.Fence(), lost: make(chan struct{})}
	for _, unknown := range []eventlog.Head{{Seq: 3, Hash: eventlog.Hash{3}}, {Seq: 2, Hash: eventlog.Hash{2}}} {
		require.Error(t, l.moveMark(t.Context(), before, unknown, "9-0"))
		head, err := l.Head(t.Context(), 3)
		require.NoError(t, err)
		require.Equal(t, o.head, head)
	}
	o.must(1)
}

// TestBatchNames: two leases with the same fence never give two batches one name: the second one would count as
// stored.
func TestBatchNames(t *testing.T) {
	t.Parallel()
	l := open(t, Config{URL: redistest.Start(t).URL()})
	names := make(map[string]bool)
	for range 2 {
		same := &lease{owners: l.owners, p: 3, fence: 7, lost: make(chan struct{})}
		names[same.nextBatch()], names[same.nextBatch()] = true, true
	}
	require.Len(t, names, 4)
}
