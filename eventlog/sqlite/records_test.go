package sqlite

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tandem/eventlog"
)

func TestRecordsSurvivePacking(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all packed
		var want []eventlog.Record
		var where []eventlog.Partition
		for range rapid.IntRange(0, 20).Draw(t, "batches") {
			b := eventlog.Batch{Partition: eventlog.Partition(rapid.IntRange(0, eventlog.Partitions-1).Draw(t, "partition"))}
			for range rapid.IntRange(0, 3).Draw(t, "records") {
				r := eventlog.Record{Seq: rapid.Uint64().Draw(t, "seq"), At: time.UnixMicro(rapid.Int64Range(-1e16, 1e16).Draw(t, "at")).UTC()}
				copy(r.Command[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "command"))
				copy(r.Request[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "request"))
				if rapid.Bool().Draw(t, "rejected") {
					r.Rejection = append([]byte{}, rapid.SliceOf(rapid.Byte()).Draw(t, "rejection")...)
				}
				b.Records = append(b.Records, r)
				want, where = append(want, r), append(where, b.Partition)
			}
			all.add(&b)
		}
		i := 0
		require.NoError(t, unpack(all.bytes, func(p eventlog.Partition, r eventlog.Record) {
			require.Equal(t, where[i], p)
			require.Equal(t, want[i], r)
			i++
		}))
		require.Len(t, want, i)
	})
}

func FuzzUnpack(f *testing.F) {
	var p packed
	p.add(&eventlog.Batch{Partition: 3, Records: []eventlog.Record{
		{Command: eventlog.CommandID{1}, Seq: 300, At: time.UnixMicro(1_700_000_000_000_000)},
		{Command: eventlog.CommandID{2}, Rejection: []byte(`{"code":"conflict"}`), At: time.UnixMicro(-1)},
	}})
	f.Add(p.bytes)
	f.Add(p.bytes[:len(p.bytes)-1])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var again packed
		err := unpack(b, func(p eventlog.Partition, r eventlog.Record) {
			require.Less(t, p, eventlog.Partition(eventlog.Partitions))
			again.add(&eventlog.Batch{Partition: p, Records: []eventlog.Record{r}})
		})
		if err != nil {
			require.ErrorIs(t, err, eventlog.ErrDamaged)
			return
		}
		require.LessOrEqual(t, len(again.bytes), len(b), "nothing is read that is not there")
	})
}

func TestAfterPrefix(t *testing.T) {
	for prefix, want := range map[string]string{"": "", "a": "b", "lane/": "lane0", "a\xff": "b", "\xff\xff": "", "a\xfe": "a\xff", "ä": "\xc3\xa5"} {
		require.Equal(t, want, after(prefix), "%q", prefix)
	}
}
