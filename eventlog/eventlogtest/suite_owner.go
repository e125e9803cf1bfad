package eventlogtest

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
)

// firstCommitTime is RecordedAt of the first commits; later ones are a second apart.
var firstCommitTime = time.Date(2026, 3, 1, 9, 30, 0, 123456000, time.UTC)

// partitionOwner owns a partition and makes batches that continue it.
type partitionOwner struct {
	suite      *suite
	partition  eventlog.Partition
	lease      eventlog.Lease
	head       eventlog.Head
	checkpoint eventlog.Offset
}

// own becomes the owner of a partition at its present head.
func (s *suite) own(partition eventlog.Partition) *partitionOwner {
	s.Helper()
	lease, err := s.log.Own(s.ctx, partition)
	require.NoError(s, err)
	head, err := s.log.Head(s.ctx, partition)
	require.NoError(s, err)
	done, err := s.log.Checkpoint(s.ctx, eventlog.Topic(partition))
	require.NoError(s, err)
	return &partitionOwner{suite: s, partition: partition, lease: lease, head: head, checkpoint: done}
}

// batch returns a batch of n commits on the owner's head, which stays as it is.
func (o *partitionOwner) batch(n int) eventlog.Batch {
	batch := eventlog.Batch{Partition: o.partition, Fence: o.lease.Fence(), Head: o.head, From: o.checkpoint, To: o.checkpoint}
	head := o.head
	for range n {
		commit := smallCommit(o.partition, head)
		batch.Commits, head = append(batch.Commits, commit), commit.Head()
	}
	return batch
}

// smallCommit returns a sealed commit with two small events.
func smallCommit(partition eventlog.Partition, head eventlog.Head) eventlog.Commit {
	commit := eventlog.Commit{
		Partition: partition, Stream: fmt.Sprintf("project/a%d/p", partition), Version: head.Seq + 1,
		Command: commandID(partition, head.Seq+1), Request: eventlog.Fingerprint{1, byte(partition)},
		Actor: "mei", Partner: "xiaomi",
		RecordedAt: firstCommitTime.Add(time.Duration(head.Seq) * time.Second),
		Events: []eventlog.Event{
			{Type: "milestone.delivered.v1", Subject: "m1", Audience: "shared", Data: fmt.Appendf(nil, `{"milestone":"m%d"}`, head.Seq), Salt: [16]byte{byte(partition), 1}},
			{Type: "milestone.commented.v1", Audience: "private:xiaomi", Data: []byte(`{"text":"完成"}`), Salt: [16]byte{byte(partition), 2}},
		},
	}
	commit.Seal(head)
	return commit
}

func commandID(partition eventlog.Partition, number uint64) (id eventlog.CommandID) {
	id[0] = byte(partition)
	binary.BigEndian.PutUint64(id[8:], number)
	return id
}

// store appends a batch and moves the owner's head and checkpoint.
func (o *partitionOwner) store(ctx context.Context, batch eventlog.Batch) error {
	err := o.suite.log.Append(ctx, batch)
	if err != nil {
		return err
	}
	if n := len(batch.Commits); n > 0 {
		o.head = batch.Commits[n-1].Head()
	}
	o.checkpoint = batch.To
	return nil
}

// append stores n commits in one batch and returns them.
func (o *partitionOwner) append(n int) []eventlog.Commit {
	o.suite.Helper()
	batch := o.batch(n)
	require.NoError(o.suite, o.store(o.suite.ctx, batch))
	return batch.Commits
}

// storedCommits reads all commits of the partition.
func (o *partitionOwner) storedCommits() []eventlog.Commit {
	o.suite.Helper()
	head, err := o.suite.log.Head(o.suite.ctx, o.partition)
	require.NoError(o.suite, err)
	seqs := make([]uint64, head.Seq)
	for i := range seqs {
		seqs[i] = uint64(i) + 1
	}
	commits, err := o.suite.log.Read(o.suite.ctx, o.partition, seqs)
	require.NoError(o.suite, err)
	return commits
}

// partitionState is the result of every read method of the log for one partition.
type partitionState struct {
	Head        eventlog.Head
	Commits     []eventlog.Commit
	Receipts    []eventlog.Receipt
	DeadLetters []eventlog.DeadLetter
	Values      []eventlog.KV
	Checkpoint  eventlog.Offset
	Waiting     []eventlog.Message
}

// state reads the partition with every read method.
func (o *partitionOwner) state() partitionState {
	o.suite.Helper()
	var all partitionState
	var err error
	all.Head, err = o.suite.log.Head(o.suite.ctx, o.partition)
	require.NoError(o.suite, err)
	all.Commits = o.storedCommits()
	all.Receipts, err = o.suite.log.Receipts(o.suite.ctx, o.partition, time.Time{})
	require.NoError(o.suite, err)
	all.DeadLetters, err = o.suite.log.DeadLetters(o.suite.ctx, o.partition)
	require.NoError(o.suite, err)
	all.Values, err = o.suite.log.Scan(o.suite.ctx, o.partition, "")
	require.NoError(o.suite, err)
	all.Checkpoint, err = o.suite.log.Checkpoint(o.suite.ctx, eventlog.Topic(o.partition))
	require.NoError(o.suite, err)
	all.Waiting = o.suite.queued(eventlog.Topic(o.partition))
	return all
}
