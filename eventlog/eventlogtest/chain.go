package eventlogtest

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
)

// instant is when the commits of the suite begin; each is a second after the one before.
var instant = time.Date(2026, 3, 1, 9, 30, 0, 123456000, time.UTC)

// chain is an owner: it knows the end of its partition and makes batches that fit.
type chain struct {
	s     *suite
	p     eventlog.Partition
	lease eventlog.Lease
	head  eventlog.Head
	done  eventlog.Offset
}

// own takes the partition over at its present end.
func (s *suite) own(p eventlog.Partition) *chain {
	s.Helper()
	lease, err := s.log.Own(s.ctx, p)
	require.NoError(s, err)
	head, err := s.log.Head(s.ctx, p)
	require.NoError(s, err)
	done, err := s.log.Checkpoint(s.ctx, eventlog.Topic(p))
	require.NoError(s, err)
	return &chain{s: s, p: p, lease: lease, head: head, done: done}
}

// batch returns n commits on the head as known, and moves nothing.
func (c *chain) batch(n int) eventlog.Batch {
	b := eventlog.Batch{Partition: c.p, Fence: c.lease.Fence(), Head: c.head, From: c.done, To: c.done}
	head := c.head
	for range n {
		commit := sealed(c.p, head)
		b.Commits, head = append(b.Commits, commit), commit.Head()
	}
	return b
}

// sealed returns a commit like those of the product.
func sealed(p eventlog.Partition, head eventlog.Head) eventlog.Commit {
	c := eventlog.Commit{
		Partition: p, Stream: fmt.Sprintf("project/a%d/p", p), Version: head.Seq + 1,
		Command: commandID(p, head.Seq+1), Request: eventlog.Fingerprint{1, byte(p)},
		Actor: "mei", Partner: "xiaomi",
		RecordedAt: instant.Add(time.Duration(head.Seq) * time.Second),
		Events: []eventlog.Event{
			{Type: "milestone.delivered.v1", Subject: "m1", Audience: "shared", Data: fmt.Appendf(nil, `{"milestone":"m%d"}`, head.Seq), Salt: [16]byte{byte(p), 1}},
			{Type: "milestone.commented.v1", Audience: "private:xiaomi", Data: []byte(`{"text":"完成"}`), Salt: [16]byte{byte(p), 2}},
		},
	}
	c.Seal(head)
	return c
}

func commandID(p eventlog.Partition, n uint64) (id eventlog.CommandID) {
	id[0] = byte(p)
	binary.BigEndian.PutUint64(id[8:], n)
	return id
}

// store appends a batch and follows it with the chain's idea of the end.
func (c *chain) store(ctx context.Context, b eventlog.Batch) error {
	err := c.s.log.Append(ctx, b)
	if err != nil {
		return err
	}
	if n := len(b.Commits); n > 0 {
		c.head = b.Commits[n-1].Head()
	}
	c.done = b.To
	return nil
}

// append stores n commits in one batch and returns them.
func (c *chain) append(n int) []eventlog.Commit {
	c.s.Helper()
	b := c.batch(n)
	require.NoError(c.s, c.store(c.s.ctx, b))
	return b.Commits
}

// stored reads the whole partition.
func (c *chain) stored() []eventlog.Commit {
	c.s.Helper()
	head, err := c.s.log.Head(c.s.ctx, c.p)
	require.NoError(c.s, err)
	seqs := make([]uint64, head.Seq)
	for i := range seqs {
		seqs[i] = uint64(i) + 1
	}
	commits, err := c.s.log.Read(c.s.ctx, c.p, seqs)
	require.NoError(c.s, err)
	return commits
}

// everything is all that the log says about a partition.
type everything struct {
	Head       eventlog.Head
	Commits    []eventlog.Commit
	Records    []eventlog.Record
	Letters    []eventlog.DeadLetter
	Values     []eventlog.KV
	Checkpoint eventlog.Offset
	Waiting    []eventlog.Message
}

// everything reads the partition through every method of the log.
func (c *chain) everything() everything {
	c.s.Helper()
	var all everything
	var err error
	all.Head, err = c.s.log.Head(c.s.ctx, c.p)
	require.NoError(c.s, err)
	all.Commits = c.stored()
	all.Records, err = c.s.log.Records(c.s.ctx, c.p, time.Time{})
	require.NoError(c.s, err)
	all.Letters, err = c.s.log.DeadLetters(c.s.ctx, c.p)
	require.NoError(c.s, err)
	all.Values, err = c.s.log.Scan(c.s.ctx, c.p, "")
	require.NoError(c.s, err)
	all.Checkpoint, err = c.s.log.Checkpoint(c.s.ctx, eventlog.Topic(c.p))
	require.NoError(c.s, err)
	all.Waiting = c.s.waiting(eventlog.Topic(c.p))
	return all
}
