package eventlogtest

import (
	"fmt"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
)

var appendTests = map[string]func(*suite){
	"append/heads are dense and chained":        (*suite).testHeads,
	"append/partitions are independent":         (*suite).testIndependence,
	"append/a conflict writes nothing":          (*suite).testConflicts,
	"append/a batch without commits is checked": (*suite).testConflictsWithoutCommits,
	"append/a batch is atomic":                  (*suite).testBatchIsAtomic,
	"append/a broken chain is refused":          (*suite).testBrokenChain,
	"append/twenty writers on one head":         (*suite).testTwentyWriters,
	"append/many owners at once":                (*suite).testManyOwners,
	"append/after the end of its context":       (*suite).testAppendContext,
}

func (s *suite) testHeads() {
	owner := s.own(7)
	require.Zero(s, owner.head, "an empty partition")
	var head eventlog.Head
	for _, n := range []int{1, 3, 1, 50} {
		for _, commit := range owner.append(n) {
			require.NoError(s, commit.Verify(head))
			head = commit.Head()
		}
		stored, err := s.log.Head(s.ctx, 7)
		require.NoError(s, err)
		require.Equal(s, head, stored)
	}
	require.EqualValues(s, 55, head.Seq)
}

func (s *suite) testIndependence() {
	first, last := s.own(0), s.own(eventlog.Partitions-1)
	firstCommits, lastCommits := first.append(2), last.append(3)
	require.Equal(s, firstCommits, first.storedCommits())
	require.Equal(s, lastCommits, last.storedCommits())
	head, err := s.log.Head(s.ctx, 1)
	require.NoError(s, err)
	require.Zero(s, head)
}

// fullBatch returns a batch with some of everything, which handles a message.
func (o *partitionOwner) fullBatch() eventlog.Batch {
	batch := o.batch(2)
	batch.To = o.suite.send(eventlog.Topic(o.partition), "m")
	at := batch.Commits[1].RecordedAt
	batch.Receipts = []eventlog.Receipt{
		{Command: commandID(o.partition, 1000), Request: eventlog.Fingerprint{9}, Seq: batch.Commits[0].Seq, At: at},
		{Command: commandID(o.partition, 1001), Request: eventlog.Fingerprint{8}, Rejection: []byte(`{"code":"forbidden"}`), At: at},
	}
	batch.Outcomes = []eventlog.Outcome{
		{Command: commandID(o.partition, 1001), Request: eventlog.Fingerprint{8}, Attempt: [8]byte{7, 0xff}, Head: batch.Commits[1].Seq, Rejection: []byte(`{"code":"forbidden"}`), At: at},
	}
	batch.DeadLetters = []eventlog.DeadLetter{{ID: "broken", Payload: []byte{0, 0xff, 1}, Reason: "not a command", At: at}}
	batch.Puts = []eventlog.KV{{Key: "lane/a", Value: []byte("1")}, {Key: "lane/gone", Value: nil}}
	return batch
}

// conflicts are changes to a batch, each of which makes it continue something other than the stored state.
func (o *partitionOwner) conflicts(old eventlog.Lease) map[string]func(*eventlog.Batch) {
	return map[string]func(*eventlog.Batch){
		"unknown fencing token":               func(batch *eventlog.Batch) { batch.Fence++ },
		"fencing token of the previous owner": func(batch *eventlog.Batch) { batch.Fence = old.Fence() },
		"head is behind":                      func(batch *eventlog.Batch) { o.rebase(batch, eventlog.Head{}) },
		"head is ahead": func(batch *eventlog.Batch) {
			o.rebase(batch, eventlog.Head{Seq: batch.Head.Seq + 1, Hash: batch.Head.Hash})
		},
		"head has another hash": func(batch *eventlog.Batch) {
			o.rebase(batch, eventlog.Head{Seq: batch.Head.Seq, Hash: eventlog.Hash{1}})
		},
		"checkpoint is behind": func(batch *eventlog.Batch) { batch.From = eventlog.Offset{} },
		"checkpoint is ahead":  func(batch *eventlog.Batch) { batch.From = eventlog.Offset{batch.From[0] + 1000, 0} },
	}
}

// rebase seals the batch on another head.
func (o *partitionOwner) rebase(batch *eventlog.Batch, head eventlog.Head) {
	batch.Head = head
	for i := range batch.Commits {
		batch.Commits[i].Seal(head)
		head = batch.Commits[i].Head()
	}
}

// ownTwice returns the second owner of a partition that has commits and a handled message, and the lease of the first
// owner.
func (s *suite) ownTwice(partition eventlog.Partition) (*partitionOwner, eventlog.Lease) {
	old := s.own(partition)
	require.NoError(s, old.store(s.ctx, old.fullBatch()))
	require.NoError(s, old.lease.Release(s.ctx))
	return s.own(partition), old.lease
}

func (s *suite) testConflicts() {
	owner, old := s.ownTwice(5)
	for name, alter := range owner.conflicts(old) {
		batch := owner.fullBatch()
		before := owner.state()
		alter(&batch)
		require.ErrorIs(s, s.log.Append(s.ctx, batch), eventlog.ErrConflict, name)
		require.Equal(s, before, owner.state(), name)
	}
	require.NoError(s, owner.store(s.ctx, owner.fullBatch()), "the owner can append after conflicts")
}

func (s *suite) testConflictsWithoutCommits() {
	owner, old := s.ownTwice(5)
	for name, alter := range owner.conflicts(old) {
		batch := owner.fullBatch()
		batch.Commits = nil
		before := owner.state()
		alter(&batch)
		require.ErrorIs(s, s.log.Append(s.ctx, batch), eventlog.ErrConflict, name)
		require.Equal(s, before, owner.state(), name)
		empty := eventlog.Batch{Partition: batch.Partition, Fence: batch.Fence, Head: batch.Head, From: batch.From, To: batch.From}
		require.ErrorIs(s, s.log.Append(s.ctx, empty), eventlog.ErrConflict, "an empty batch: %s", name)
	}
	empty := owner.batch(0)
	require.NoError(s, s.log.Append(s.ctx, empty), "an empty batch that fits")
}

func (s *suite) testBatchIsAtomic() {
	owner := s.own(9)
	require.NoError(s, s.log.Append(s.ctx, eventlog.Batch{
		Partition: 9, Fence: owner.lease.Fence(), Puts: []eventlog.KV{{Key: "lane/gone", Value: []byte("x")}},
	}))
	batch := owner.fullBatch()
	live := s.follow(eventlog.Positions{})
	live.waitLive()
	require.NoError(s, owner.store(s.ctx, batch))
	require.Equal(s, partitionState{
		Head: batch.Commits[1].Head(), Commits: batch.Commits, Receipts: batch.Receipts, DeadLetters: batch.DeadLetters,
		Values: batch.Puts[:1], Checkpoint: batch.To,
	}, owner.state())
	require.Equal(s, batchEntries(batch), live.wait(3))
	live.end()
}

// testBrokenChain checks that a batch with a broken chain is refused. Stored, it would count as damage.
func (s *suite) testBrokenChain() {
	owner := s.own(3)
	owner.append(1)
	before := owner.state()
	for name, alter := range map[string]func(*eventlog.Batch){
		"altered after sealing": func(batch *eventlog.Batch) { batch.Commits[1].Actor = "another actor" },
		"a gap":                 func(batch *eventlog.Batch) { batch.Commits = batch.Commits[1:] },
		"another partition":     func(batch *eventlog.Batch) { batch.Commits[0].Partition = 4; owner.rebase(batch, batch.Head) },
	} {
		batch := owner.batch(2)
		alter(&batch)
		require.ErrorIs(s, s.log.Append(s.ctx, batch), eventlog.ErrConflict, name)
		require.Equal(s, before, owner.state(), name)
	}
}

func (s *suite) testTwentyWriters() {
	owner := s.own(11)
	for range 10 {
		errs := make(chan error, 20)
		for i := range cap(errs) {
			batch := owner.batch(1)
			batch.Commits[0].Actor = fmt.Sprint("writer ", i)
			batch.Commits[0].Seal(batch.Head)
			go func() { errs <- s.log.Append(s.ctx, batch) }()
		}
		won := 0
		for range cap(errs) {
			if err := <-errs; err == nil {
				won++
			} else {
				require.ErrorIs(s, err, eventlog.ErrConflict)
			}
		}
		require.Equal(s, 1, won)
		head, err := s.log.Head(s.ctx, owner.partition)
		require.NoError(s, err)
		require.Equal(s, owner.head.Seq+1, head.Seq)
		owner.head = head
	}
}

func (s *suite) testManyOwners() {
	var owners sync.WaitGroup
	chains := make([]*partitionOwner, eventlog.Partitions)
	for partition := range chains {
		chains[partition] = s.own(eventlog.Partition(partition))
		owners.Go(func() {
			for i := range 20 {
				if err := chains[partition].store(s.ctx, chains[partition].batch(1+i%3)); err != nil {
					s.Errorf("partition %d: %v", partition, err)
				}
			}
		})
	}
	owners.Wait()
	for _, owner := range chains {
		var head eventlog.Head
		for _, commit := range owner.storedCommits() {
			require.NoError(s, commit.Verify(head))
			head = commit.Head()
		}
		require.Equal(s, owner.head, head)
	}
}

func (s *suite) testAppendContext() {
	owner := s.own(2)
	ctx, cancel := newDeadline(s.ctx, -time.Second)
	defer cancel()
	require.Error(s, s.log.Append(ctx, owner.batch(1)))
	require.NotPanics(s, func() { owner = s.own(3); owner.append(1) }, "other owners can append")
}
