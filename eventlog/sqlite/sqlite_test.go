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
	l, err := Open(t.Context(), cfg)
	require.NoError(t, err)
	return l
}

// harness opens logs with the limits for the conformance suite.
func harness(most limits) func(t *testing.T) eventlogtest.Harness {
	return func(t *testing.T) eventlogtest.Harness {
		cfg := Config{Dir: t.TempDir(), limits: most}
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

// TestConformanceWithTinyLimits runs the suite where every limit is met all the time: followers
// read the file, pages are short, the write-ahead file begins again, tables are trimmed.
func TestConformanceWithTinyLimits(t *testing.T) {
	eventlogtest.Run(t, harness(limits{
		group: 3, groupBytes: 4000, tailCommits: 2, tailBytes: 4000, tailOutcomes: 1000, page: 3, pageBytes: 1500,
		walBytes: 8192, walFrames: 2, trimEvery: 2, readers: 2, location: 4, recordsAtOnce: 3,
	}))
}

// writerChain owns a partition and makes commits of a usual size: one event of 300 bytes.
type writerChain struct {
	log   *Log
	lease eventlog.Lease
	p     eventlog.Partition
	head  eventlog.Head
	data  []byte
}

func newWriterChain(t testing.TB, l *Log, p eventlog.Partition) *writerChain {
	t.Helper()
	lease, err := l.Own(t.Context(), p)
	require.NoError(t, err)
	head, err := l.Head(t.Context(), p)
	require.NoError(t, err)
	data := make([]byte, 300)
	for i := range data {
		data[i] = 'a' + byte(i%26)
	}
	return &writerChain{log: l, lease: lease, p: p, head: head, data: data}
}

func (c *writerChain) batch(n int) eventlog.Batch {
	b := eventlog.Batch{Partition: c.p, Fence: c.lease.Fence(), Head: c.head, Commits: make([]eventlog.Commit, n)}
	for i := range b.Commits {
		b.Commits[i] = eventlog.Commit{
			Partition: c.p, Stream: "project/nokia-xiaomi-2017/p1", Version: c.head.Seq + 1,
			Command: eventlog.CommandID{byte(c.p), byte(c.head.Seq)}, Actor: "mei.chen", Partner: "xiaomi",
			RecordedAt: time.UnixMicro(1_700_000_000_000_000 + int64(c.head.Seq)).UTC(),
			Events:     []eventlog.Event{{Type: "milestone.delivered.v1", Subject: "m1", Audience: "shared", Data: c.data}},
		}
		b.Commits[i].Seal(c.head)
		c.head = b.Commits[i].Head()
	}
	return b
}

// keyed adds the record that a command with an idempotency key brings.
func keyed(b eventlog.Batch) eventlog.Batch {
	for i := range b.Commits {
		c := &b.Commits[i]
		b.Records = append(b.Records, eventlog.Record{Command: c.Command, Request: eventlog.Fingerprint{1}, Seq: c.Seq, At: time.Now()})
	}
	return b
}

// fill appends n commits, spread over the partitions, in large batches.
func fill(t testing.TB, l *Log, n int) {
	t.Helper()
	chains := make([]*writerChain, eventlog.Partitions)
	for p := range chains {
		chains[p] = newWriterChain(t, l, eventlog.Partition(p))
	}
	const each = 50
	for i := 0; i < n; i += each {
		c := chains[i/each%len(chains)]
		require.NoError(t, l.Append(t.Context(), c.batch(min(each, n-i))))
	}
	for _, c := range chains {
		require.NoError(t, c.lease.Release(t.Context()))
	}
}
