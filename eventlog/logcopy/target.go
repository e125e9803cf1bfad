package logcopy

import (
	"context"
	"fmt"
	"time"

	"tandem/eventlog"
)

// checkTarget refuses a target that this copy may not write to. On success this process owns it.
func (c *copier) checkTarget(ctx context.Context, found *marker) error {
	check := c.checkEmpty
	if found != nil {
		check = func(ctx context.Context) error { return c.checkMarker(ctx, found) }
	}
	for _, step := range []func(context.Context) error{check, c.target.own, c.checkPrefix} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if c.cfg.CheckTarget == nil {
		return nil
	}
	return c.cfg.CheckTarget(ctx, c.target.log)
}

// checkMarker lets an interrupted copy continue. It accepts a loss that was reported to raise an epoch: no process can
// own a partition with an open loss.
func (c *copier) checkMarker(ctx context.Context, found *marker) error {
	if found.From != c.source.Name {
		return fmt.Errorf("%s is an unfinished copy of %s, not of %s: finish that one, or empty the target. Nothing was changed",
			c.target.Name, printable(found.From), c.source.Name)
	}
	losses, err := c.target.log.Losses(ctx)
	if err != nil {
		return err
	}
	for _, loss := range losses.Open {
		if err := c.target.log.AcceptLoss(ctx, loss.Partition); err != nil {
			return err
		}
	}
	return nil
}

// checkEmpty refuses a target that holds anything.
func (c *copier) checkEmpty(ctx context.Context) error {
	status, err := c.target.log.Status(ctx)
	if err != nil {
		return err
	}
	commits, same := uint64(0), true
	for partition := range status.Partitions {
		commits += status.Partitions[partition].Head.Seq
		same = same && status.Partitions[partition].Head == c.heads[partition]
	}
	switch {
	case same:
		return fmt.Errorf("%s has the whole history of %s, and the copy was finished: there is nothing to do", c.target.Name, c.source.Name)
	case commits > 0:
		return fmt.Errorf("%s has a history of its own of %s: name an empty log. Nothing was changed", c.target.Name, countOf(commits, "commit", "commits"))
	}
	for partition := range status.Partitions {
		if err := c.checkUnused(ctx, eventlog.Partition(partition), &status.Partitions[partition]); err != nil {
			return err
		}
	}
	return nil
}

// checkUnused refuses a partition without commits that holds anything else.
func (c *copier) checkUnused(ctx context.Context, partition eventlog.Partition, status *eventlog.PartitionStatus) error {
	values, err := c.target.log.Scan(ctx, partition, "")
	if err != nil {
		return err
	}
	receipts, err := c.target.log.Receipts(ctx, partition, time.Time{})
	if err != nil {
		return err
	}
	if status.Waiting+status.DeadLetters+status.Epoch > 0 || status.OpenLoss != nil || len(values)+len(receipts) > 0 {
		return fmt.Errorf("%s is used: partition %d has no commits, but values, receipts, messages or losses. Name an empty log. Nothing was changed",
			c.target.Name, partition)
	}
	return nil
}

// checkPrefix refuses a target whose content is not the beginning of the source's history.
func (c *copier) checkPrefix(ctx context.Context) error {
	heads, err := c.target.log.Heads(ctx)
	if err != nil {
		return err
	}
	losses, err := c.target.log.Losses(ctx)
	if err != nil {
		return err
	}
	for i, head := range heads {
		partition := eventlog.Partition(i)
		if losses.Epochs[i] > c.epochs[i] {
			return fmt.Errorf("%s has accepted more losses in partition %d than %s: it is no copy of it. Empty the target", c.target.Name, partition, c.source.Name)
		}
		if err := c.checkPrefixOf(ctx, partition, head); err != nil {
			return err
		}
		c.continued += head.Seq
	}
	return nil
}

// checkPrefixOf checks that the source has the commit that is the target's head.
func (c *copier) checkPrefixOf(ctx context.Context, partition eventlog.Partition, head eventlog.Head) error {
	if head.Seq == 0 {
		return nil
	}
	if last := c.heads[partition].Seq; head.Seq > last {
		return fmt.Errorf("%s has %s in partition %d and %s only %d: it is no copy of it. Empty the target",
			c.target.Name, countOf(head.Seq, "commit", "commits"), partition, c.source.Name, last)
	}
	commits, err := c.source.log.Read(ctx, partition, []uint64{head.Seq})
	if err != nil {
		return err
	}
	if commits[0].Hash != head.Hash {
		return fmt.Errorf("%s has another commit %d in partition %d than %s: it is no copy of it. Empty the target",
			c.target.Name, head.Seq, partition, c.source.Name)
	}
	return nil
}

// copyEpochs accepts as many losses in the target as were accepted in the source, so that positions of earlier epochs
// stay invalid. A report ends the partition's lease; so this comes before the commits, and from then on this process
// owns every partition until the copy is finished.
func (c *copier) copyEpochs(ctx context.Context) error {
	losses, err := c.target.log.Losses(ctx)
	if err != nil {
		return err
	}
	heads, err := c.target.log.Heads(ctx)
	if err != nil {
		return err
	}
	for i, epoch := range losses.Epochs {
		partition := eventlog.Partition(i)
		for ; epoch < c.epochs[i]; epoch++ {
			c.target.leases[i] = nil
			loss := eventlog.LostTailError{Partition: partition, Known: eventlog.Head{Seq: heads[i].Seq + 1}, Stored: heads[i]}
			if err := c.target.log.ReportLoss(ctx, loss); err != nil {
				return err
			}
			if err := c.target.log.AcceptLoss(ctx, partition); err != nil {
				return err
			}
		}
	}
	return c.target.own(ctx)
}
