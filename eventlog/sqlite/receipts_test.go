package sqlite

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tandem/eventlog"
)

func TestReceiptsSurvivePacking(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all packedReceipts
		var want []eventlog.Receipt
		var where []eventlog.Partition
		for range rapid.IntRange(0, 20).Draw(t, "batches") {
			batch := eventlog.Batch{Partition: eventlog.Partition(rapid.IntRange(0, eventlog.Partitions-1).Draw(t, "partition"))}
			for range rapid.IntRange(0, 3).Draw(t, "receipts") {
				receipt := eventlog.Receipt{Seq: rapid.Uint64().Draw(t, "seq"), At: time.UnixMicro(rapid.Int64Range(-1e16, 1e16).Draw(t, "at")).UTC()}
				copy(receipt.Command[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "command"))
				copy(receipt.Request[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "request"))
				if rapid.Bool().Draw(t, "rejected") {
					receipt.Rejection = append([]byte{}, rapid.SliceOf(rapid.Byte()).Draw(t, "rejection")...)
				}
				batch.Receipts = append(batch.Receipts, receipt)
				want, where = append(want, receipt), append(where, batch.Partition)
			}
			all.add(&batch)
		}
		i := 0
		require.NoError(t, unpackReceipts(all.bytes, func(partition eventlog.Partition, receipt eventlog.Receipt) {
			require.Equal(t, where[i], partition)
			require.Equal(t, want[i], receipt)
			i++
		}))
		require.Len(t, want, i)
	})
}

func FuzzUnpack(f *testing.F) {
	var p packedReceipts
	p.add(&eventlog.Batch{Partition: 3, Receipts: []eventlog.Receipt{
		{Command: eventlog.CommandID{1}, Seq: 300, At: time.UnixMicro(1_700_000_000_000_000)},
		{Command: eventlog.CommandID{2}, Rejection: []byte(`{"code":"conflict"}`), At: time.UnixMicro(-1)},
	}})
	f.Add(p.bytes)
	f.Add(p.bytes[:len(p.bytes)-1])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var again packedReceipts
		err := unpackReceipts(b, func(partition eventlog.Partition, receipt eventlog.Receipt) {
			require.Less(t, partition, eventlog.Partition(eventlog.Partitions))
			again.add(&eventlog.Batch{Partition: partition, Receipts: []eventlog.Receipt{receipt}})
		})
		if err != nil {
			require.ErrorIs(t, err, eventlog.ErrDamaged)
			return
		}
		require.LessOrEqual(t, len(again.bytes), len(b), "no more bytes are read than exist")
	})
}

func TestPrefixEnd(t *testing.T) {
	for _, test := range []struct{ name, prefix, want string }{
		{"no prefix", "", ""},
		{"a letter", "a", "b"},
		{"a path", "lane/", "lane0"},
		{"a last byte of 255", "a\xff", "b"},
		{"only bytes of 255", "\xff\xff", ""},
		{"a last byte of 254", "a\xfe", "a\xff"},
		{"two bytes of one letter", "ä", "\xc3\xa5"},
	} {
		t.Run(test.name, func(t *testing.T) { require.Equal(t, test.want, prefixEnd(test.prefix)) })
	}
}
