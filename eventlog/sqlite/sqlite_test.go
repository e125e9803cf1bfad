package sqlite

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
)

func mustOpen(t testing.TB, cfg Config) *Log {
	t.Helper()
	log, err := Open(t.Context(), cfg)
	require.NoError(t, err)
	return log
}

// harness returns the harness of logs with the limits.
func harness(bounds limits) func(t *testing.T) eventlogtest.Harness {
	return func(t *testing.T) eventlogtest.Harness {
		cfg := Config{Dir: t.TempDir(), limits: bounds}
		log := mustOpen(t, cfg)
		return eventlogtest.Harness{
			Log: log,
			Reopen: func(t *testing.T) eventlog.Log {
				require.NoError(t, log.Close())
				log = mustOpen(t, cfg)
				return log
			},
		}
	}
}

func TestConformance(t *testing.T) {
	eventlogtest.Run(t, harness(defaultLimits()))
}

// TestConformanceWithTinyLimits runs the suite with limits that every test reaches: followers read the file, pages are
// short, the write-ahead file restarts, tables are trimmed.
func TestConformanceWithTinyLimits(t *testing.T) {
	eventlogtest.Run(t, harness(limits{
		groupCommits: 3, groupBytes: 4000, tailCommits: 2, tailBytes: 4000, tailOutcomes: 1000, pageCommits: 3, pageBytes: 1500,
		walBytes: 8192, walFrames: 2, trimEvery: 2, readers: 2, locationCommits: 4, receiptRows: 3,
	}))
}

// testOwner owns a partition and makes commits of a typical size: one event of 300 bytes.
type testOwner struct {
	log       *Log
	lease     eventlog.Lease
	partition eventlog.Partition
	head      eventlog.Head
	data      []byte
}

func newTestOwner(t testing.TB, log *Log, partition eventlog.Partition) *testOwner {
	t.Helper()
	lease, err := log.Own(t.Context(), partition)
	require.NoError(t, err)
	head, err := log.Head(t.Context(), partition)
	require.NoError(t, err)
	data := make([]byte, 300)
	for i := range data {
		data[i] = 'a' + byte(i%26)
	}
	return &testOwner{log: log, lease: lease, partition: partition, head: head, data: data}
}

func (c *testOwner) batch(n int) eventlog.Batch {
	batch := eventlog.Batch{Partition: c.partition, Fence: c.lease.Fence(), Head: c.head, Commits: make([]eventlog.Commit, n)}
	for i := range batch.Commits {
		batch.Commits[i] = eventlog.Commit{
			Partition: c.partition, Stream: "project/nokia-xiaomi-2017/p1", Version: c.head.Seq + 1,
			Command: eventlog.CommandID{byte(c.partition), byte(c.head.Seq)}, Actor: "mei.chen", Partner: "xiaomi",
			RecordedAt: time.UnixMicro(1_700_000_000_000_000 + int64(c.head.Seq)).UTC(),
			Events:     []eventlog.Event{{Type: "milestone.delivered.v1", Subject: "m1", Audience: "shared", Data: c.data}},
		}
		batch.Commits[i].Seal(c.head)
		c.head = batch.Commits[i].Head()
	}
	return batch
}

// keyed adds the receipts of commands with idempotency keys.
func keyed(batch eventlog.Batch) eventlog.Batch {
	for i := range batch.Commits {
		commit := &batch.Commits[i]
		batch.Receipts = append(batch.Receipts, eventlog.Receipt{Command: commit.Command, Request: eventlog.Fingerprint{1}, Seq: commit.Seq, At: time.Now()})
	}
	return batch
}

// fill appends n commits in large batches, spread over the partitions.
func fill(t testing.TB, log *Log, n int) {
	t.Helper()
	chains := make([]*testOwner, eventlog.Partitions)
	for partition := range chains {
		chains[partition] = newTestOwner(t, log, eventlog.Partition(partition))
	}
	const each = 50
	for i := 0; i < n; i += each {
		owner := chains[i/each%len(chains)]
		require.NoError(t, log.Append(t.Context(), owner.batch(min(each, n-i))))
	}
	for _, owner := range chains {
		require.NoError(t, owner.lease.Release(t.Context()))
	}
}
