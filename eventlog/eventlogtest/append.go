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
	"append/a batch is stored whole":            (*suite).testWhole,
	"append/commits that are no chain":          (*suite).testNoChain,
	"append/twenty writers on one head":         (*suite).testTwentyWriters,
	"append/many owners at once":                (*suite).testManyOwners,
	"append/an ended context":                   (*suite).testAppendContext,
}

func (s *suite) testHeads() {
	c := s.own(7)
	require.Zero(s, c.head, "an empty partition")
	var head eventlog.Head
	for _, n := range []int{1, 3, 1, 50} {
		for _, commit := range c.append(n) {
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
	a, b := first.append(2), last.append(3)
	require.Equal(s, a, first.stored())
	require.Equal(s, b, last.stored())
	head, err := s.log.Head(s.ctx, 1)
	require.NoError(s, err)
	require.Zero(s, head)
}

// full returns a batch that holds one of everything, and the message it handles.
func (c *chain) full() eventlog.Batch {
	b := c.batch(2)
	b.To = c.s.sent(eventlog.Topic(c.p), "m")
	at := b.Commits[1].RecordedAt
	b.Records = []eventlog.Record{
		{Command: commandID(c.p, 1000), Request: eventlog.Fingerprint{9}, Seq: b.Commits[0].Seq, At: at},
		{Command: commandID(c.p, 1001), Request: eventlog.Fingerprint{8}, Rejection: []byte(`{"code":"forbidden"}`), At: at},
	}
	b.Outcomes = []eventlog.Outcome{
		{Command: commandID(c.p, 1001), Request: eventlog.Fingerprint{8}, Attempt: [8]byte{7, 0xff}, Head: b.Commits[1].Seq, Rejection: []byte(`{"code":"forbidden"}`), At: at},
	}
	b.DeadLetters = []eventlog.DeadLetter{{ID: "broken", Payload: []byte{0, 0xff, 1}, Reason: "it is no command", At: at}}
	b.Puts = []eventlog.KV{{Key: "lane/a", Value: []byte("1")}, {Key: "lane/gone", Value: nil}}
	return b
}

// misfits are all the ways in which a batch may fail to continue what is stored.
func (c *chain) misfits(old eventlog.Lease) map[string]func(*eventlog.Batch) {
	return map[string]func(*eventlog.Batch){
		"fence of nobody":           func(b *eventlog.Batch) { b.Fence++ },
		"fence of the owner before": func(b *eventlog.Batch) { b.Fence = old.Fence() },
		"head is behind":            func(b *eventlog.Batch) { c.rebase(b, eventlog.Head{}) },
		"head is ahead":             func(b *eventlog.Batch) { c.rebase(b, eventlog.Head{Seq: b.Head.Seq + 1, Hash: b.Head.Hash}) },
		"head has another hash":     func(b *eventlog.Batch) { c.rebase(b, eventlog.Head{Seq: b.Head.Seq, Hash: eventlog.Hash{1}}) },
		"checkpoint is behind":      func(b *eventlog.Batch) { b.From = eventlog.Offset{} },
		"checkpoint is ahead":       func(b *eventlog.Batch) { b.From = eventlog.Offset{b.From[0] + 1000, 0} },
	}
}

// rebase seals the batch on another head.
func (c *chain) rebase(b *eventlog.Batch, head eventlog.Head) {
	b.Head = head
	for i := range b.Commits {
		b.Commits[i].Seal(head)
		head = b.Commits[i].Head()
	}
}

// settled returns an owner of a partition that has had an owner before, a commit and a handled
// message, and the lease of that first owner.
func (s *suite) settled(p eventlog.Partition) (*chain, eventlog.Lease) {
	old := s.own(p)
	require.NoError(s, old.store(s.ctx, old.full()))
	require.NoError(s, old.lease.Release(s.ctx))
	return s.own(p), old.lease
}

func (s *suite) testConflicts() {
	c, old := s.settled(5)
	for name, spoil := range c.misfits(old) {
		b := c.full()
		before := c.everything()
		spoil(&b)
		require.ErrorIs(s, s.log.Append(s.ctx, b), eventlog.ErrConflict, name)
		require.Equal(s, before, c.everything(), name)
	}
	require.NoError(s, c.store(s.ctx, c.full()), "the owner goes on after conflicts")
}

func (s *suite) testConflictsWithoutCommits() {
	c, old := s.settled(5)
	for name, spoil := range c.misfits(old) {
		b := c.full()
		b.Commits = nil
		before := c.everything()
		spoil(&b)
		require.ErrorIs(s, s.log.Append(s.ctx, b), eventlog.ErrConflict, name)
		require.Equal(s, before, c.everything(), name)
		empty := eventlog.Batch{Partition: b.Partition, Fence: b.Fence, Head: b.Head, From: b.From, To: b.From}
		require.ErrorIs(s, s.log.Append(s.ctx, empty), eventlog.ErrConflict, "an empty batch: %s", name)
	}
	empty := c.batch(0)
	require.NoError(s, s.log.Append(s.ctx, empty), "an empty batch that fits")
}

func (s *suite) testWhole() {
	c := s.own(9)
	require.NoError(s, s.log.Append(s.ctx, eventlog.Batch{
		Partition: 9, Fence: c.lease.Fence(), Puts: []eventlog.KV{{Key: "lane/gone", Value: []byte("x")}},
	}))
	b := c.full()
	live := s.follow(eventlog.Positions{})
	live.waitLive()
	require.NoError(s, c.store(s.ctx, b))
	require.Equal(s, everything{
		Head: b.Commits[1].Head(), Commits: b.Commits, Records: b.Records, Letters: b.DeadLetters,
		Values: b.Puts[:1], Checkpoint: b.To,
	}, c.everything())
	require.Equal(s, entriesOf(b), live.wait(3))
	live.end()
}

// testNoChain shows that a batch whose commits do not continue one another is refused: once
// stored it would be damage.
func (s *suite) testNoChain() {
	c := s.own(3)
	c.append(1)
	before := c.everything()
	for name, spoil := range map[string]func(*eventlog.Batch){
		"altered after sealing": func(b *eventlog.Batch) { b.Commits[1].Actor = "somebody else" },
		"a gap":                 func(b *eventlog.Batch) { b.Commits = b.Commits[1:] },
		"another partition":     func(b *eventlog.Batch) { b.Commits[0].Partition = 4; c.rebase(b, b.Head) },
	} {
		b := c.batch(2)
		spoil(&b)
		require.ErrorIs(s, s.log.Append(s.ctx, b), eventlog.ErrConflict, name)
		require.Equal(s, before, c.everything(), name)
	}
}

func (s *suite) testTwentyWriters() {
	c := s.own(11)
	for range 10 {
		errs := make(chan error, 20)
		for i := range cap(errs) {
			b := c.batch(1)
			b.Commits[0].Actor = fmt.Sprint("writer ", i)
			b.Commits[0].Seal(b.Head)
			go func() { errs <- s.log.Append(s.ctx, b) }()
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
		head, err := s.log.Head(s.ctx, c.p)
		require.NoError(s, err)
		require.Equal(s, c.head.Seq+1, head.Seq)
		c.head = head
	}
}

func (s *suite) testManyOwners() {
	var owners sync.WaitGroup
	chains := make([]*chain, eventlog.Partitions)
	for p := range chains {
		chains[p] = s.own(eventlog.Partition(p))
		owners.Go(func() {
			for i := range 20 {
				if err := chains[p].store(s.ctx, chains[p].batch(1+i%3)); err != nil {
					s.Errorf("partition %d: %v", p, err)
				}
			}
		})
	}
	owners.Wait()
	for _, c := range chains {
		var head eventlog.Head
		for _, commit := range c.stored() {
			require.NoError(s, commit.Verify(head))
			head = commit.Head()
		}
		require.Equal(s, c.head, head)
	}
}

func (s *suite) testAppendContext() {
	c := s.own(2)
	ctx, cancel := newDeadline(s.ctx, -time.Second)
	defer cancel()
	require.Error(s, s.log.Append(ctx, c.batch(1)))
	require.NotPanics(s, func() { c = s.own(3); c.append(1) }, "others go on")
}
