package eventlog_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tandem/eventlog"
)

// golden returns a commit whose stored form and hash must never change.
func golden() eventlog.Commit {
	commit := eventlog.Commit{
		Partition: 13, Stream: "project/nokia-xiaomi-2017/p1", Version: 4,
		Command: eventlog.CommandID{1, 2, 3, 15: 16}, Request: eventlog.Fingerprint{0xa0, 15: 0xaf},
		Actor: "mei", Partner: "xiaomi", RecordedAt: time.Date(2017, 7, 5, 8, 30, 0, 123456000, time.UTC),
		Events: []eventlog.Event{
			{Type: "milestone.delivered.v1", Subject: "m1", Audience: "shared", Data: []byte(`{"milestone":"m1"}`), Salt: [16]byte{1}},
			{Type: "milestone.commented.v1", Audience: "private:xiaomi", Data: []byte(`{"text":"完成"}`), Salt: [16]byte{2}},
		},
	}
	commit.Seal(eventlog.Head{Seq: 41, Hash: eventlog.Hash{0xee}})
	return commit
}

const (
	goldenHash  = "93e59c7db6f6d289d4586c02eb229f1c6f81d782639ecbf276390f790a2d193f"
	goldenFrame = "010d2a1c70726f6a6563742f6e6f6b69612d7869616f6d692d323031372f70310401020300000000000000000000000010a0" +
		"0000000000000000000000000000af036d6569067869616f6d6980d1dee4b9e3a90502ee0000000000000000000000000000" +
		"000000000000000000000000000000000093e59c7db6f6d289d4586c02eb229f1c6f81d782639ecbf276390f790a2d193f01" +
		"000000000000000000000000000000166d696c6573746f6e652e64656c6976657265642e7631026d3106736861726564127b" +
		"226d696c6573746f6e65223a226d31227d02000000000000000000000000000000166d696c6573746f6e652e636f6d6d656e" +
		"7465642e7631000e707269766174653a7869616f6d69117b2274657874223a22e5ae8ce68890227d"
)

func TestGoldenHash(t *testing.T) {
	commit := golden()
	require.EqualValues(t, 42, commit.Seq)
	require.Equal(t, eventlog.Hash{0xee}, commit.Prev)
	require.Equal(t, goldenHash, commit.Hash.String())
	require.Equal(t, eventlog.Head{Seq: 42, Hash: commit.Hash}, commit.Head())
}

func TestGoldenFrame(t *testing.T) {
	commit := golden()
	require.Equal(t, goldenFrame, hex.EncodeToString(commit.AppendFrame(nil)))
	frame, err := hex.DecodeString(goldenFrame)
	require.NoError(t, err)
	read, err := eventlog.ParseFrame(frame)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(commit, read))
	require.Equal(t, append([]byte("before"), frame...), commit.AppendFrame([]byte("before")))
}

// TestVerifyFindsEveryChange alters one field after the other. The hash covers all of them.
func TestVerifyFindsEveryChange(t *testing.T) {
	head := eventlog.Head{Seq: 41, Hash: eventlog.Hash{0xee}}
	intact := golden()
	require.NoError(t, intact.Verify(head))
	for name, alter := range map[string]func(*eventlog.Commit){
		"partition":   func(c *eventlog.Commit) { c.Partition++ },
		"seq":         func(c *eventlog.Commit) { c.Seq++ },
		"stream":      func(c *eventlog.Commit) { c.Stream += "x" },
		"version":     func(c *eventlog.Commit) { c.Version++ },
		"command":     func(c *eventlog.Commit) { c.Command[15]++ },
		"request":     func(c *eventlog.Commit) { c.Request[15]++ },
		"actor":       func(c *eventlog.Commit) { c.Actor, c.Partner = "meix", "iaomi" },
		"time":        func(c *eventlog.Commit) { c.RecordedAt = c.RecordedAt.Add(time.Microsecond) },
		"prev":        func(c *eventlog.Commit) { c.Prev[31]++ },
		"hash":        func(c *eventlog.Commit) { c.Hash[31]++ },
		"event type":  func(c *eventlog.Commit) { c.Events[0].Type = "milestone.accepted.v1" },
		"subject":     func(c *eventlog.Commit) { c.Events[0].Subject = "m2" },
		"audience":    func(c *eventlog.Commit) { c.Events[1].Audience = "shared" },
		"data":        func(c *eventlog.Commit) { c.Events[1].Data = []byte(`{"text":"完了"}`) },
		"salt":        func(c *eventlog.Commit) { c.Events[1].Salt[3]++ },
		"event order": func(c *eventlog.Commit) { c.Events[0], c.Events[1] = c.Events[1], c.Events[0] },
		"an event":    func(c *eventlog.Commit) { c.Events = c.Events[:1] },
	} {
		commit := golden()
		alter(&commit)
		t.Run(name, func(t *testing.T) { require.ErrorIs(t, commit.Verify(head), eventlog.ErrDamaged) })
	}
}

func TestVerifyFindsAnotherPlace(t *testing.T) {
	commit := golden()
	require.ErrorContains(t, commit.Verify(eventlog.Head{Seq: 40, Hash: eventlog.Hash{0xee}}), "partition 13: commit 42 follows 40")
	require.ErrorContains(t, commit.Verify(eventlog.Head{Seq: 41}), "does not continue the chain at 41")
	commit.Actor = "li"
	require.ErrorContains(t, commit.Verify(eventlog.Head{Seq: 41, Hash: eventlog.Hash{0xee}}), "commit 42 was altered")
}

func anyCommit(t *rapid.T) eventlog.Commit {
	text := rapid.StringN(0, 40, -1)
	commit := eventlog.Commit{
		Partition: eventlog.Partition(rapid.IntRange(0, eventlog.Partitions-1).Draw(t, "partition")),
		Stream:    text.Draw(t, "stream"), Version: rapid.Uint64().Draw(t, "version"),
		Actor: text.Draw(t, "actor"), Partner: text.Draw(t, "partner"),
		RecordedAt: time.UnixMicro(rapid.Int64Range(-1e16, 1e16).Draw(t, "time")).UTC(),
	}
	copy(commit.Command[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "command"))
	copy(commit.Request[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "request"))
	commit.Events = make([]eventlog.Event, rapid.IntRange(1, 4).Draw(t, "events"))
	for i := range commit.Events {
		commit.Events[i] = eventlog.Event{Type: text.Draw(t, "type"), Subject: text.Draw(t, "subject"), Audience: text.Draw(t, "audience"), Data: append([]byte{}, rapid.SliceOfN(rapid.Byte(), 0, 2000).Draw(t, "data")...)}
		copy(commit.Events[i].Salt[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "salt"))
	}
	return commit
}

func TestChainsSurviveFrames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var written, read eventlog.Head
		for range rapid.IntRange(1, 5).Draw(t, "commits") {
			commit := anyCommit(t)
			commit.Seal(written)
			written = commit.Head()
			again, err := eventlog.ParseFrame(commit.AppendFrame(nil))
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(commit, again))
			require.NoError(t, again.Verify(read))
			read = again.Head()
		}
	})
}

// TestFlippedBits checks that no single flipped bit of a stored commit goes unnoticed.
func TestFlippedBits(t *testing.T) {
	commit := golden()
	frame := commit.AppendFrame(nil)
	for bit := range 8 * len(frame) {
		broken := bytes.Clone(frame)
		broken[bit/8] ^= 1 << (bit % 8)
		read, err := eventlog.ParseFrame(broken)
		if err == nil {
			err = read.Verify(eventlog.Head{Seq: 41, Hash: eventlog.Hash{0xee}})
		}
		require.Error(t, err, "bit %d", bit)
	}
}

func TestFrameOfANewerProgram(t *testing.T) {
	commit := golden()
	frame := commit.AppendFrame(nil)
	frame[0] = 2
	_, err := eventlog.ParseFrame(frame)
	require.ErrorIs(t, err, eventlog.ErrNewer)
	require.NotErrorIs(t, err, eventlog.ErrDamaged)
}

func FuzzParseFrame(f *testing.F) {
	commit := golden()
	frame := commit.AppendFrame(nil)
	f.Add(frame)
	f.Add(frame[:len(frame)-1])
	f.Add(append(bytes.Clone(frame), 0))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		read, err := eventlog.ParseFrame(b)
		if err != nil {
			return
		}
		again, err := eventlog.ParseFrame(read.AppendFrame(nil))
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(read, again))
		require.LessOrEqual(t, len(read.AppendFrame(nil)), len(b), "no more bytes are read than exist")
	})
}

// TestPartitionsNeverChange pins the partitions of roots: stored history depends on them.
func TestPartitionsNeverChange(t *testing.T) {
	for root, want := range map[string]eventlog.Partition{
		"":                            1,
		"agreement/nokia-xiaomi-2017": 9,
		"agreement/a":                 13,
		"partner/nokia":               14,
		"partner/xiaomi":              60,
		"partner/名前":                  29,
	} {
		require.Equal(t, want, eventlog.PartitionOf(root), root)
	}
}

func TestPartitionsAreUsedEvenly(t *testing.T) {
	var count [eventlog.Partitions]int
	for i := range 64_000 {
		count[eventlog.PartitionOf("agreement/"+strings.Repeat("x", i%7)+time.UnixMicro(int64(i)*977).UTC().Format("150405.000000"))]++
	}
	for p, n := range count {
		require.InDelta(t, 1000, n, 200, "partition %d", p)
	}
}

func TestCommandIDs(t *testing.T) {
	id := eventlog.CommandID{0: 0xab, 15: 1}
	require.Equal(t, "ab000000000000000000000000000001", id.String())
	read, err := eventlog.ParseCommandID(id.String())
	require.NoError(t, err)
	require.Equal(t, id, read)
	require.False(t, id.IsZero())
	require.True(t, eventlog.CommandID{}.IsZero())
	require.True(t, eventlog.Fingerprint{}.IsZero())
	for _, wrong := range []string{"", "ab", strings.Repeat("g", 32), strings.Repeat("a", 33), strings.Repeat("a", 34)} {
		_, err := eventlog.ParseCommandID(wrong)
		require.ErrorContains(t, err, "want 32 hexadecimal digits", wrong)
	}
}

func TestOffsetsAreOrdered(t *testing.T) {
	ordered := []eventlog.Offset{{}, {0, 1}, {1, 0}, {1, 1}, {2, 0}}
	for i, a := range ordered {
		for j, b := range ordered {
			require.Equal(t, i-j < 0, a.Compare(b) < 0)
			require.Equal(t, i == j, a.Compare(b) == 0)
		}
	}
}

func TestLostTailNamesWhatIsMissing(t *testing.T) {
	gone := &eventlog.LostTailError{Partition: 3, Known: eventlog.Head{Seq: 9}, Stored: eventlog.Head{Seq: 4}}
	require.EqualError(t, gone, "partition 3 lost commits 5 to 9: they were seen before and are gone")
	other := &eventlog.LostTailError{Partition: 3, Known: eventlog.Head{Seq: 4, Hash: eventlog.Hash{0xaa}}, Stored: eventlog.Head{Seq: 4, Hash: eventlog.Hash{0xbb}}}
	require.ErrorContains(t, other, "partition 3 has another history: commit 4 has hash")
	require.ErrorContains(t, other, "bb0000")
	require.ErrorContains(t, other, "aa0000")
}
