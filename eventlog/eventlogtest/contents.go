package eventlogtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
)

// PartitionContents is the durable content of a partition.
type PartitionContents struct {
	Head        eventlog.Head
	Epoch       uint64
	Frames      [][]byte // of all commits
	Values      []eventlog.KV
	DeadLetters []eventlog.DeadLetter
	Receipts    []eventlog.Receipt
}

// Contents reads a whole log, which must have no open loss. It leaves out receipts that are older than since.
func Contents(t testing.TB, log eventlog.Log, since time.Time) (all [eventlog.Partitions]PartitionContents) {
	t.Helper()
	losses, err := log.Losses(t.Context())
	require.NoError(t, err)
	require.Empty(t, losses.Open)
	for i := range all {
		partition, contents := eventlog.Partition(i), &all[i]
		contents.Epoch = losses.Epochs[i]
		contents.Head, err = log.Head(t.Context(), partition)
		require.NoError(t, err)
		seqs := make([]uint64, contents.Head.Seq)
		for i := range seqs {
			seqs[i] = uint64(i) + 1
		}
		commits, err := log.Read(t.Context(), partition, seqs)
		require.NoError(t, err)
		for i := range commits {
			contents.Frames = append(contents.Frames, commits[i].AppendFrame(nil))
		}
		contents.Values, err = log.Scan(t.Context(), partition, "")
		require.NoError(t, err)
		contents.DeadLetters, err = log.DeadLetters(t.Context(), partition)
		require.NoError(t, err)
		contents.Receipts, err = log.Receipts(t.Context(), partition, since)
		require.NoError(t, err)
	}
	return all
}

// LargeCommit is the size of the data of one large event among those that Fill appends.
const LargeCommit = 1 << 20

// Fill appends commits to an empty log, with values, dead letters and receipts; half of the receipts are older than 24
// hours. Partition 3 gets no commits, partition 4 stays empty, and partition 5 one commit larger than LargeCommit.
func Fill(t testing.TB, log eventlog.Log, commits int) {
	t.Helper()
	for partition := range eventlog.Partition(eventlog.Partitions) {
		share := commits / (eventlog.Partitions - 2)
		if partition == 3 || partition == 4 {
			share = 0
		}
		fillPartition(t, log, partition, share)
	}
}

func fillPartition(t testing.TB, log eventlog.Log, partition eventlog.Partition, commits int) {
	t.Helper()
	lease, err := log.Own(t.Context(), partition)
	require.NoError(t, err)
	batch := eventlog.Batch{Partition: partition, Fence: lease.Fence()}
	if partition != 4 {
		batch.Puts = []eventlog.KV{{Key: "member/mei", Value: []byte("Mei")}, {Key: "none", Value: []byte{}}, {Key: "other/\x00", Value: []byte{0, 255}}}
		batch.DeadLetters = []eventlog.DeadLetter{
			{ID: "one", Payload: []byte("{"), Reason: "it ends early", At: firstCommitTime}, {ID: "one", Payload: []byte{}, Reason: "again", At: firstCommitTime},
		}
	}
	head := eventlog.Head{}
	for left := commits; left > 0; {
		size := min(left, 500)
		batch.Head = head
		for range size {
			commit := SampleCommit(partition, head, partition == 5 && head.Seq == uint64(commits/2))
			batch.Commits, head = append(batch.Commits, commit), commit.Head()
			batch.Receipts = append(batch.Receipts, sampleReceipts(&commit)...)
		}
		left -= size
		require.NoError(t, log.Append(t.Context(), batch))
		batch = eventlog.Batch{Partition: partition, Fence: lease.Fence()}
	}
	batch.Head = head
	require.NoError(t, log.Append(t.Context(), batch))
	require.NoError(t, lease.Release(t.Context()))
}

// SampleCommit returns a sealed commit of some 700 bytes, like those of the product, or one larger than LargeCommit.
func SampleCommit(partition eventlog.Partition, head eventlog.Head, large bool) eventlog.Commit {
	text := strings.Repeat("完成 ", 30)
	if large {
		text = strings.Repeat("large ", LargeCommit/4)
	}
	commit := eventlog.Commit{
		Partition: partition, Stream: fmt.Sprintf("project/agreement-%d/ip-routing-fp4", partition), Version: head.Seq + 1,
		Command: commandID(partition, head.Seq+1), Request: eventlog.Fingerprint{1, byte(partition)},
		Actor: "mei", Partner: "xiaomi", RecordedAt: firstCommitTime.Add(time.Duration(head.Seq) * time.Second),
		Events: []eventlog.Event{
			{Type: "milestone.delivered.v1", Subject: "m1", Audience: "shared", Data: fmt.Appendf(nil, `{"milestone":"m%d"}`, head.Seq), Salt: [16]byte{byte(partition), 1}},
			{Type: "milestone.commented.v1", Audience: "private:xiaomi", Data: fmt.Appendf(nil, `{"text":%q}`, text), Salt: [16]byte{byte(partition), 2}},
		},
	}
	commit.Seal(head)
	return commit
}

// sampleReceipts returns the receipts of every third command and of a rejected one before it.
func sampleReceipts(commit *eventlog.Commit) []eventlog.Receipt {
	if commit.Seq%3 != 0 {
		return nil
	}
	at := time.Now().UTC().Truncate(time.Microsecond).Add(-time.Duration(commit.Seq%90) * time.Hour / 2)
	return []eventlog.Receipt{
		{Command: eventlog.CommandID{255, byte(commit.Seq)}, Request: commit.Request, Rejection: []byte(`{"code":"not_owner"}`), At: at},
		{Command: commit.Command, Request: commit.Request, Seq: commit.Seq, At: at},
	}
}

// RaiseEpoch reports and accepts losses in a partition.
func RaiseEpoch(t testing.TB, log eventlog.Log, partition eventlog.Partition, times int) {
	t.Helper()
	for range times {
		require.NoError(t, log.ReportLoss(t.Context(), eventlog.LostTailError{Partition: partition, Known: eventlog.Head{Seq: 1}}))
		require.NoError(t, log.AcceptLoss(t.Context(), partition))
	}
}
