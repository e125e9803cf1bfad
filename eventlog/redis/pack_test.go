package redis

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tandem/eventlog"
)

func anyTime(t *rapid.T) time.Time {
	return time.UnixMicro(rapid.Int64Range(-1e16, 1e16).Draw(t, "time")).UTC()
}

// anyBytes also draws nil, which differs from an empty slice.
func anyBytes(t *rapid.T, name string) []byte {
	if rapid.Bool().Draw(t, name+" is nil") {
		return nil
	}
	return append([]byte{}, rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, name)...)
}

func anyArray(t *rapid.T, dst []byte, name string) {
	copy(dst, rapid.SliceOfN(rapid.Byte(), len(dst), len(dst)).Draw(t, name))
}

func anyReceipt(t *rapid.T) (receipt eventlog.Receipt) {
	anyArray(t, receipt.Command[:], "command")
	anyArray(t, receipt.Request[:], "request")
	receipt.Seq, receipt.Rejection, receipt.At = rapid.Uint64().Draw(t, "seq"), anyBytes(t, "rejection"), anyTime(t)
	return receipt
}

// TestPackedIsUnpacked: receipts, outcomes and dead letters survive packing.
func TestPackedIsUnpacked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		receipts := make([]eventlog.Receipt, rapid.IntRange(0, 5).Draw(t, "receipts"))
		for i := range receipts {
			receipts[i] = anyReceipt(t)
		}
		read := make([]eventlog.Receipt, 0, len(receipts))
		require.NoError(t, unpackReceipts(string(packReceipts(receipts)), func(receipt eventlog.Receipt) { read = append(read, receipt) }))
		require.Empty(t, cmp.Diff(receipts, read))

		wantOutcome := eventlog.Outcome{
			Head: rapid.Uint64().Draw(t, "head"), Seq: rapid.Uint64().Draw(t, "seq"), Repeat: rapid.Bool().Draw(t, "repeat"),
			Rejection: anyBytes(t, "rejection"), At: anyTime(t),
		}
		anyArray(t, wantOutcome.Command[:], "command")
		anyArray(t, wantOutcome.Request[:], "request")
		anyArray(t, wantOutcome.Attempt[:], "attempt")
		outcome, err := unpackOutcome(string(packOutcome(&wantOutcome)))
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(wantOutcome, outcome))

		wantLetter := eventlog.DeadLetter{
			ID: string(anyBytes(t, "id")), Reason: rapid.String().Draw(t, "reason"), At: anyTime(t),
			Payload: append([]byte{}, anyBytes(t, "payload")...),
		}
		letter, err := unpackDeadLetter(string(packDeadLetter(&wantLetter)))
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(wantLetter, letter))
	})
}

// TestTruncatedIsDamaged: truncated bytes are damage. A list of receipts may end after any of them.
func TestTruncatedIsDamaged(t *testing.T) {
	outcome := string(packOutcome(&eventlog.Outcome{Head: 300, Seq: 7, Rejection: []byte("no"), At: time.UnixMicro(1e15)}))
	for n := range len(outcome) {
		_, err := unpackOutcome(outcome[:n])
		require.ErrorIs(t, err, eventlog.ErrDamaged)
	}
	letter := string(packDeadLetter(&eventlog.DeadLetter{ID: "a", Payload: []byte("b"), Reason: "c", At: time.UnixMicro(1e15)}))
	for n := range len(letter) {
		_, err := unpackDeadLetter(letter[:n])
		require.ErrorIs(t, err, eventlog.ErrDamaged)
	}
	one := eventlog.Receipt{Seq: 300, Rejection: []byte("no"), At: time.UnixMicro(1e15)}
	records := string(packReceipts([]eventlog.Receipt{one, one}))
	for n := range len(records) {
		read := 0
		err := unpackReceipts(records[:n], func(eventlog.Receipt) { read++ })
		if n%(len(records)/2) == 0 {
			require.NoError(t, err)
			require.Equal(t, n/(len(records)/2), read)
			continue
		}
		require.ErrorIs(t, err, eventlog.ErrDamaged)
	}
}

// TestTrailingIsDamaged: bytes after the end are damage.
func TestTrailingIsDamaged(t *testing.T) {
	_, err := unpackOutcome(string(packOutcome(&eventlog.Outcome{})) + "x")
	require.ErrorIs(t, err, eventlog.ErrDamaged)
	_, err = unpackDeadLetter(string(packDeadLetter(&eventlog.DeadLetter{})) + "x")
	require.ErrorIs(t, err, eventlog.ErrDamaged)
}

// FuzzUnpack: any bytes are either read or damage, and unpacked values are packed to equal ones.
func FuzzUnpack(f *testing.F) {
	f.Add("")
	f.Add(string(packReceipts([]eventlog.Receipt{{Seq: 1, Rejection: []byte{}}, {}})))
	f.Add(string(packOutcome(&eventlog.Outcome{Head: 1 << 63, Rejection: []byte("no"), At: time.UnixMicro(-1)})))
	f.Add(string(packDeadLetter(&eventlog.DeadLetter{ID: "id", Payload: []byte{0xff}, Reason: "why"})))
	f.Add(strings.Repeat("\xff", 60))
	f.Fuzz(func(t *testing.T, text string) {
		var receipts []eventlog.Receipt
		if err := unpackReceipts(text, func(receipt eventlog.Receipt) { receipts = append(receipts, receipt) }); err != nil {
			require.ErrorIs(t, err, eventlog.ErrDamaged)
		} else {
			var again []eventlog.Receipt
			require.NoError(t, unpackReceipts(string(packReceipts(receipts)), func(receipt eventlog.Receipt) { again = append(again, receipt) }))
			require.Empty(t, cmp.Diff(receipts, again))
		}
		if outcome, err := unpackOutcome(text); err != nil {
			require.ErrorIs(t, err, eventlog.ErrDamaged)
		} else {
			again, err := unpackOutcome(string(packOutcome(&outcome)))
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(outcome, again))
		}
		if letter, err := unpackDeadLetter(text); err != nil {
			require.ErrorIs(t, err, eventlog.ErrDamaged)
		} else {
			again, err := unpackDeadLetter(string(packDeadLetter(&letter)))
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(letter, again))
		}
	})
}

// TestIDs: offsets are stream ids, and nextID returns the smallest id after an offset.
func TestIDs(t *testing.T) {
	for _, offset := range []eventlog.Offset{{}, {0, 1}, {1700000000000, 3}, {1<<64 - 1, 1<<64 - 2}} {
		read, err := parseID(formatID(offset))
		require.NoError(t, err)
		require.Equal(t, offset, read)
		require.Equal(t, 1, nextID(offset).Compare(offset))
	}
	require.Equal(t, eventlog.Offset{8, 0}, nextID(eventlog.Offset{7, 1<<64 - 1}))
	for _, wrong := range []string{"", "-", "1", "1-", "-1", "1-2-3", "a-1", "1-b", "-1-1", "+1-1", " 1-1", "18446744073709551616-0"} {
		_, err := parseID(wrong)
		require.ErrorIs(t, err, eventlog.ErrDamaged, wrong)
	}
}

// FuzzParseID: a parsed id is formatted to an equal one.
func FuzzParseID(f *testing.F) {
	f.Add("1700000000000-3")
	f.Add("1-")
	f.Fuzz(func(t *testing.T, text string) {
		offset, err := parseID(text)
		if err != nil {
			require.ErrorIs(t, err, eventlog.ErrDamaged)
			return
		}
		again, err := parseID(formatID(offset))
		require.NoError(t, err)
		require.Equal(t, offset, again)
	})
}

// TestLosses: a stored loss is parsed, and any other text is damage.
func TestLosses(t *testing.T) {
	known, left := eventlog.Head{Seq: 9, Hash: eventlog.Hash{1, 31: 2}}, eventlog.Head{Seq: 4, Hash: eventlog.Hash{3}}
	text := "9 " + known.Hash.String() + " 4 " + left.Hash.String()
	loss, err := parseLoss(7, text)
	require.NoError(t, err)
	require.Equal(t, &eventlog.LostTailError{Partition: 7, Known: known, Stored: left}, loss)
	for _, wrong := range []string{"", "9", text + " 1", text[1:], text[:len(text)-1], strings.Replace(text, "0", "g", 1), "x" + text} {
		_, err := parseLoss(7, wrong)
		require.ErrorIs(t, err, eventlog.ErrDamaged, wrong)
	}
}

// FuzzParseLoss: no text causes a panic.
func FuzzParseLoss(f *testing.F) {
	f.Add("9 " + strings.Repeat("0a", 32) + " 4 " + strings.Repeat("00", 32))
	f.Fuzz(func(t *testing.T, text string) {
		if loss, err := parseLoss(1, text); err != nil {
			require.ErrorIs(t, err, eventlog.ErrDamaged)
		} else {
			require.NotEmpty(t, loss.Error())
		}
	})
}

// TestMalformedEntries: an entry of another program becomes a message with an id from its position. It ends as a dead
// letter, and later messages are handled.
func TestMalformedEntries(t *testing.T) {
	full := parseMessage(redis.XMessage{ID: "5-1", Values: map[string]any{"id": "a", "payload": "b", "meta:actor": "mei", "meta:": "x", "other": "y"}})
	require.Equal(t, eventlog.Message{
		Offset: eventlog.Offset{5, 1}, ID: "a", Payload: []byte("b"), Metadata: map[string]string{"actor": "mei", "": "x"},
	}, full)
	for name, test := range map[string]struct {
		values map[string]any
		want   string
	}{
		"no fields":     {map[string]any{}, `[]`},
		"no payload":    {map[string]any{"id": "a", "z": "1"}, `["id","a","z","1"]`},
		"no id":         {map[string]any{"payload": "b"}, `["payload","b"]`},
		"foreign":       {map[string]any{"b": "2", "a": "\"1\""}, `["a","\"1\"","b","2"]`},
		"not text":      {map[string]any{"a": "\xff\xfe"}, `["a","\ufffd\ufffd"]`},
		"not a string":  {map[string]any{"id": 1, "payload": nil}, `["id",1,"payload",null]`},
		"unmarshalable": {map[string]any{"id": make(chan int)}, `json: unsupported type: chan int`},
	} {
		t.Run(name, func(t *testing.T) {
			message := parseMessage(redis.XMessage{ID: "7-2", Values: test.values})
			require.Equal(t, eventlog.Message{Offset: eventlog.Offset{7, 2}, ID: "unnamed-7-2", Payload: []byte(test.want)}, message)
		})
	}
	require.Zero(t, parseMessage(redis.XMessage{ID: "no id at all"}).Offset)
}

// FuzzMessage: no entry causes a panic, and a message keeps the fields of its entry.
func FuzzMessage(f *testing.F) {
	f.Add("id", "a", "payload", "b")
	f.Add("meta:x", "", "", "")
	f.Fuzz(func(t *testing.T, firstName, firstValue, secondName, secondValue string) {
		values := map[string]any{firstName: firstValue, secondName: secondValue}
		message := parseMessage(redis.XMessage{ID: "7-2", Values: values})
		require.Equal(t, eventlog.Offset{7, 2}, message.Offset)
		id, hasID := values["id"]
		payload, hasPayload := values["payload"]
		if hasID && hasPayload {
			require.Equal(t, id, message.ID)
			require.Equal(t, payload, string(message.Payload))
			return // two fields leave no room for metadata
		}
		require.Equal(t, "unnamed-7-2", message.ID)
		var fields []string
		require.NoError(t, json.Unmarshal(message.Payload, &fields))
		require.Len(t, fields, 2*len(values))
		names := map[string]bool{throughJSON(t, firstName): true, throughJSON(t, secondName): true}
		for i := 0; i < len(fields); i += 2 {
			require.Contains(t, names, fields[i])
		}
	})
}

// throughJSON returns the text as JSON stores it, which replaces invalid UTF-8.
func throughJSON(t *testing.T, text string) (stored string) {
	t.Helper()
	encoded, err := json.Marshal(text)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(encoded, &stored))
	return stored
}

// TestPatterns: a prefix matches literally, whatever its characters mean to Redis.
func TestPatterns(t *testing.T) {
	require.Equal(t, `lane/\*\?\[a\]\\*`, prefixPattern(`lane/*?[a]\`))
}

// TestTopics: only the exact names of partitions' topics belong to partitions.
func TestTopics(t *testing.T) {
	for partition := range eventlog.Partition(eventlog.Partitions) {
		got, ok := partitionOf(eventlog.Topic(partition))
		require.True(t, ok)
		require.Equal(t, partition, got)
	}
	for _, other := range []string{"", "commands-", "commands-1", "commands-001", "commands-64", "commands-+1", "commands-0x", "Commands-01", "x"} {
		_, ok := partitionOf(other)
		require.False(t, ok, other)
	}
}
