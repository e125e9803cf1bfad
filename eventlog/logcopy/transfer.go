package logcopy

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"tandem/eventlog"
)

// Sizes of one read and one append, and the number of partitions that are copied at once. The batches under way at one
// time must fit into the time that a server has for its answer.
const (
	batchCommits       = 500
	batchBytes         = 1 << 20
	parallelPartitions = 4
)

// transfer copies every partition: its commits, and then everything else.
func (c *copier) transfer(ctx context.Context, _ context.CancelCauseFunc) error {
	c.startPhase(c.continued)
	return eachPartition(ctx, func(ctx context.Context, partition eventlog.Partition) error {
		writer, err := c.openPartition(ctx, partition)
		if err != nil {
			return err
		}
		err = readPages(ctx, c.source.log, partition, writer.head.Seq, c.heads[partition].Seq, func(commits []eventlog.Commit, _ int) error {
			if err := writer.append(ctx, eventlog.Batch{Commits: commits}); err != nil {
				return err
			}
			c.report(Copying, len(commits))
			return nil
		})
		if err != nil {
			return err
		}
		return c.transferRest(ctx, writer)
	})
}

// transferRest writes the missing values, dead letters and receipts. It reads the target first, so that an interrupted
// copy neither doubles nor loses anything.
func (c *copier) transferRest(ctx context.Context, writer *partitionWriter) error {
	missing, _, err := c.compare(ctx, writer.partition)
	if err != nil {
		return err
	}
	for _, batch := range split(missing) {
		if err := writer.append(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

// verify reads the target and checks every commit and everything else.
func (c *copier) verify(ctx context.Context, _ context.CancelCauseFunc) error {
	c.startPhase(0)
	if err := eachPartition(ctx, c.verifyPartition); err != nil {
		return fmt.Errorf("%s: %w", c.target.Name, err)
	}
	return c.verifyHeads(ctx)
}

func (c *copier) verifyPartition(ctx context.Context, partition eventlog.Partition) error {
	head := eventlog.Head{}
	err := readPages(ctx, c.target.log, partition, 0, c.heads[partition].Seq, func(commits []eventlog.Commit, size int) error {
		for i := range commits {
			if err := commits[i].Verify(head); err != nil {
				return err
			}
			head = commits[i].Head()
			c.found.events.Add(uint64(len(commits[i].Events)))
		}
		c.found.commits.Add(uint64(len(commits)))
		c.found.bytes.Add(uint64(size))
		c.report(Verifying, len(commits))
		return nil
	})
	if err == nil && head != c.heads[partition] {
		err = fmt.Errorf("partition %d ends with another commit %d than the source: %w", partition, head.Seq, eventlog.ErrDamaged)
	}
	if err != nil {
		return err
	}
	return c.verifyRest(ctx, partition)
}

func (c *copier) verifyRest(ctx context.Context, partition eventlog.Partition) error {
	missing, all, err := c.compare(ctx, partition)
	if err != nil {
		return err
	}
	if n := len(missing.Puts) + len(missing.DeadLetters) + len(missing.Receipts); n > 0 {
		return fmt.Errorf("partition %d lacks %d values, dead letters or receipts: %w", partition, n, eventlog.ErrDamaged)
	}
	c.found.values.Add(uint64(len(all.Puts)))
	c.found.deadLetters.Add(uint64(len(all.DeadLetters)))
	c.found.receipts.Add(uint64(len(all.Receipts)))
	return nil
}

func (c *copier) verifyHeads(ctx context.Context) error {
	heads, err := c.target.log.Heads(ctx)
	if err != nil {
		return err
	}
	losses, err := c.target.log.Losses(ctx)
	if err != nil {
		return err
	}
	if heads != c.heads || losses.Epochs != c.epochs || len(losses.Open) > 0 {
		return fmt.Errorf("%s: heads or accepted losses differ from the source: %w", c.target.Name, eventlog.ErrDamaged)
	}
	return nil
}

// eachPartition calls visit for every partition, for some of them at the same time. The first error ends it.
func eachPartition(ctx context.Context, visit func(context.Context, eventlog.Partition) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Uint32
	var all sync.WaitGroup
	for range parallelPartitions {
		all.Go(func() {
			for partition := next.Add(1) - 1; partition < eventlog.Partitions && ctx.Err() == nil; partition = next.Add(1) - 1 {
				if err := visit(ctx, eventlog.Partition(partition)); err != nil {
					cancel(err) // the first call wins
				}
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// readPages calls visit with the commits after the first number up to the last, some at a time, and with the size of
// their frames. Only a single commit can be larger than batchBytes.
func readPages(ctx context.Context, log eventlog.Log, partition eventlog.Partition, after, last uint64, visit func([]eventlog.Commit, int) error) error {
	var frame []byte
	for limit := uint64(batchCommits); after < last; {
		seqs := make([]uint64, min(limit, last-after))
		for i := range seqs {
			seqs[i] = after + uint64(i) + 1
		}
		commits, err := log.Read(ctx, partition, seqs)
		if err != nil {
			return err
		}
		start, size, total := 0, 0, 0
		for i := range commits {
			frame = commits[i].AppendFrame(frame[:0])
			if size > 0 && size+len(frame) > batchBytes {
				if err := visit(commits[start:i:i], size); err != nil {
					return err
				}
				start, size = i, 0
			}
			size, total = size+len(frame), total+len(frame)
		}
		if err := visit(commits[start:], size); err != nil {
			return err
		}
		after += uint64(len(seqs))
		limit = min(batchCommits, max(1, uint64(len(seqs))*batchBytes/uint64(total))) // as many as are likely to fit
	}
	return nil
}

// partitionWriter appends to a partition of the target.
type partitionWriter struct {
	log        eventlog.Log
	partition  eventlog.Partition
	fence      uint64
	head       eventlog.Head
	checkpoint eventlog.Offset
}

func (c *copier) openPartition(ctx context.Context, partition eventlog.Partition) (*partitionWriter, error) {
	head, err := c.target.log.Head(ctx, partition)
	if err != nil {
		return nil, err
	}
	checkpoint, err := c.target.log.Checkpoint(ctx, eventlog.Topic(partition))
	return &partitionWriter{c.target.log, partition, c.target.leases[partition].Fence(), head, checkpoint}, err
}

func (w *partitionWriter) append(ctx context.Context, batch eventlog.Batch) error {
	batch.Partition, batch.Fence, batch.Head, batch.From, batch.To = w.partition, w.fence, w.head, w.checkpoint, w.checkpoint
	if err := w.log.Append(ctx, batch); err != nil {
		return err
	}
	if n := len(batch.Commits); n > 0 {
		w.head = batch.Commits[n-1].Head()
	}
	return nil
}
