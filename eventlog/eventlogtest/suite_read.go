package eventlogtest

import (
	"fmt"
	"math"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
)

var readTests = map[string]func(*suite){
	"read/in the given order":            (*suite).testReadOrder,
	"read/an unknown number":             (*suite).testReadUnknown,
	"read/large and small commits":       (*suite).testReadSizes,
	"receipts/since a time":              (*suite).testReceipts,
	"receipts/are separate by partition": (*suite).testReceiptsApart,
	"values/put, overwrite, delete":      (*suite).testValues,
	"values/scan by prefix in key order": (*suite).testScan,
	"values/are separate by partition":   (*suite).testValuesApart,
	"dead letters/oldest first":          (*suite).testDeadLetters,
}

func (s *suite) testReadOrder() {
	owner := s.own(6)
	all := owner.append(40)
	s.own(8).append(3)
	seqs := []uint64{40, 1, 17, 17, 2, 39}
	got, err := s.log.Read(s.ctx, 6, seqs)
	require.NoError(s, err)
	for i, seq := range seqs {
		require.Equal(s, all[seq-1], got[i])
	}
	got, err = s.log.Read(s.ctx, 6, nil)
	require.NoError(s, err)
	require.Empty(s, got)
}

func (s *suite) testReadUnknown() {
	s.own(6).append(3)
	for _, seq := range []uint64{0, 4, math.MaxInt64, math.MaxUint64} {
		got, err := s.log.Read(s.ctx, 6, []uint64{1, seq})
		require.Error(s, err, seq)
		require.Empty(s, got)
	}
}

func (s *suite) testReadSizes() {
	owner := s.own(6)
	for _, size := range []int{1, 300, 4096, 70_000, 2_000_000} {
		batch := owner.batch(1)
		batch.Commits[0].Events[0].Data = make([]byte, size)
		batch.Commits[0].Seal(batch.Head)
		require.NoError(s, owner.store(s.ctx, batch))
		got, err := s.log.Read(s.ctx, 6, []uint64{owner.head.Seq})
		require.NoError(s, err)
		require.Equal(s, batch.Commits, got)
	}
}

// put stores a batch without commits.
func (o *partitionOwner) put(fill func(*eventlog.Batch)) {
	o.suite.Helper()
	batch := o.batch(0)
	fill(&batch)
	require.NoError(o.suite, o.store(o.suite.ctx, batch))
}

func (s *suite) receipts(partition eventlog.Partition, since time.Time) []eventlog.Receipt {
	s.Helper()
	got, err := s.log.Receipts(s.ctx, partition, since)
	require.NoError(s, err)
	return got
}

// recentTime returns a time at which receipts are young enough for every adapter to keep them.
func recentTime() time.Time { return time.Now().UTC().Truncate(time.Microsecond).Add(-time.Hour) }

func (s *suite) testReceipts() {
	owner, start := s.own(6), recentTime()
	var all []eventlog.Receipt
	for i := range 30 {
		receipt := eventlog.Receipt{Command: commandID(6, uint64(i)), Request: eventlog.Fingerprint{byte(i)}, Seq: uint64(i), At: start.Add(time.Duration(i) * time.Second)}
		if i%3 == 0 {
			receipt.Seq, receipt.Rejection = 0, fmt.Appendf(nil, `{"code":"conflict","detail":%d}`, i)
		}
		all = append(all, receipt)
	}
	owner.put(func(batch *eventlog.Batch) { batch.Receipts = all[:1] })
	owner.put(func(batch *eventlog.Batch) { batch.Receipts = all[1:20] })
	require.Equal(s, all[:20], s.receipts(6, start))
	owner.put(func(batch *eventlog.Batch) { batch.Receipts = all[20:] })
	require.Equal(s, all, s.receipts(6, start))
	require.Equal(s, all, s.receipts(6, start.Add(-time.Hour)))
	require.Equal(s, all[12:], s.receipts(6, start.Add(12*time.Second)))
	require.Equal(s, all[13:], s.receipts(6, start.Add(12*time.Second+time.Microsecond)))
	require.Empty(s, s.receipts(6, start.Add(30*time.Second)))
}

func (s *suite) testReceiptsApart() {
	start := recentTime()
	receipt := func(partition eventlog.Partition) eventlog.Receipt {
		return eventlog.Receipt{Command: commandID(partition, 1), Seq: uint64(partition) + 1, At: start}
	}
	for partition := range eventlog.Partition(10) {
		s.own(partition).put(func(batch *eventlog.Batch) { batch.Receipts = []eventlog.Receipt{receipt(partition)} })
	}
	for partition := range eventlog.Partition(10) {
		require.Equal(s, []eventlog.Receipt{receipt(partition)}, s.receipts(partition, start))
	}
	require.Empty(s, s.receipts(10, start))
}

func (s *suite) get(partition eventlog.Partition, key string) []byte {
	s.Helper()
	value, err := s.log.Get(s.ctx, partition, key)
	require.NoError(s, err)
	return value
}

func (s *suite) testValues() {
	owner := s.own(6)
	require.Nil(s, s.get(6, "cursor"))
	owner.put(func(batch *eventlog.Batch) { batch.Puts = []eventlog.KV{{Key: "cursor", Value: []byte{0, 1, 0xff}}} })
	require.Equal(s, []byte{0, 1, 0xff}, s.get(6, "cursor"))
	owner.put(func(batch *eventlog.Batch) {
		batch.Puts = []eventlog.KV{{Key: "cursor", Value: []byte("2")}, {Key: "", Value: []byte("nameless")}}
	})
	require.Equal(s, []byte("2"), s.get(6, "cursor"))
	require.Equal(s, []byte("nameless"), s.get(6, ""))
	owner.put(func(batch *eventlog.Batch) { batch.Puts = []eventlog.KV{{Key: "cursor", Value: []byte{}}} })
	require.NotNil(s, s.get(6, "cursor"), "an empty value is a value")
	require.Empty(s, s.get(6, "cursor"))
	owner.put(func(batch *eventlog.Batch) { batch.Puts = []eventlog.KV{{Key: "cursor"}, {Key: "never was"}} })
	require.Nil(s, s.get(6, "cursor"))
	owner.put(func(batch *eventlog.Batch) {
		batch.Puts = []eventlog.KV{{Key: "twice", Value: []byte("1")}, {Key: "twice"}, {Key: "twice", Value: []byte("3")}}
	})
	require.Equal(s, []byte("3"), s.get(6, "twice"), "puts of one batch take effect in order")
	owner.put(func(batch *eventlog.Batch) {
		batch.Puts = []eventlog.KV{{Key: "cursor", Value: []byte("4"), Erase: true}, {Key: "twice", Erase: true}}
	})
	require.Equal(s, []byte("4"), s.get(6, "cursor"), "only the previous value is erased")
	require.Nil(s, s.get(6, "twice"))
}

func (s *suite) testScan() {
	owner := s.own(6)
	keys := []string{"a", "lane/", "lane/1", "lane/10", "lane/2", "lane/ä", "lane/\x00", "lane0", "lanf", "zebra", "\xff", "\xff\xff1"}
	owner.put(func(batch *eventlog.Batch) {
		for _, key := range keys {
			batch.Puts = append(batch.Puts, eventlog.KV{Key: key, Value: []byte("v" + key)})
		}
	})
	for prefix, want := range map[string][]string{
		"lane/":  {"lane/", "lane/\x00", "lane/1", "lane/10", "lane/2", "lane/ä"},
		"lane/1": {"lane/1", "lane/10"},
		"none":   nil,
		"\xff":   {"\xff", "\xff\xff1"},
		"":       {"a", "lane/", "lane/\x00", "lane/1", "lane/10", "lane/2", "lane/ä", "lane0", "lanf", "zebra", "\xff", "\xff\xff1"},
	} {
		found, err := s.log.Scan(s.ctx, 6, prefix)
		require.NoError(s, err)
		var got []string
		for _, kv := range found {
			got = append(got, kv.Key)
			require.Equal(s, "v"+kv.Key, string(kv.Value))
		}
		require.Equal(s, want, got, "prefix %q", prefix)
	}
}

func (s *suite) testValuesApart() {
	for partition := range eventlog.Partition(3) {
		s.own(partition).put(func(batch *eventlog.Batch) { batch.Puts = []eventlog.KV{{Key: "k", Value: []byte{byte(partition)}}} })
	}
	for partition := range eventlog.Partition(3) {
		require.Equal(s, []byte{byte(partition)}, s.get(partition, "k"))
		found, err := s.log.Scan(s.ctx, partition, "")
		require.NoError(s, err)
		require.Len(s, found, 1)
	}
	require.Nil(s, s.get(3, "k"))
}

func (s *suite) testDeadLetters() {
	owner := s.own(6)
	letter := func(i int) eventlog.DeadLetter {
		return eventlog.DeadLetter{ID: fmt.Sprint("m", i), Payload: []byte{byte(i), 0, 0xfe}, Reason: "not a command", At: firstCommitTime}
	}
	owner.put(func(batch *eventlog.Batch) { batch.DeadLetters = []eventlog.DeadLetter{letter(9), letter(2)} })
	s.own(7).put(func(batch *eventlog.Batch) { batch.DeadLetters = []eventlog.DeadLetter{letter(5)} })
	owner.put(func(batch *eventlog.Batch) { batch.DeadLetters = []eventlog.DeadLetter{letter(1)} })
	got, err := s.log.DeadLetters(s.ctx, 6)
	require.NoError(s, err)
	require.Equal(s, []eventlog.DeadLetter{letter(9), letter(2), letter(1)}, got)
	got, err = s.log.DeadLetters(s.ctx, 8)
	require.NoError(s, err)
	require.Empty(s, got)
}
