package redis

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"tandem/eventlog"
)

// ReportLoss keeps the loss in the partition's meta hash, where every node sees it within a second.
func (l *Log) ReportLoss(ctx context.Context, loss eventlog.LostTailError) error {
	if err := l.open(ctx); err != nil {
		return err
	}
	meta := l.keys[loss.Partition].meta
	args := l.scripts.loss.args([]string{meta},
		formatSeq(loss.Known.Seq), loss.Known.Hash.String(), formatSeq(loss.Stored.Seq), loss.Stored.Hash.String())
	if _, err := l.pipe.do(ctx, meta, l.scripts.loss, args...); err != nil {
		return fmt.Errorf("report the loss in partition %d: %w", loss.Partition, explain(err))
	}
	if lease := l.owners.any(loss.Partition); lease != nil {
		lease.end()
	}
	return explain(l.hub.compare(ctx))
}

// parseLoss reads what loss.lua stored: two heads as numbers and hexadecimal hashes.
func parseLoss(p eventlog.Partition, text string) (*eventlog.LostTailError, error) {
	fields := strings.Fields(text)
	loss := &eventlog.LostTailError{Partition: p}
	if len(fields) != 4 {
		return nil, fmt.Errorf("partition %d: the reported loss %q: %w", p, text, eventlog.ErrDamaged)
	}
	for i, head := range []*eventlog.Head{&loss.Known, &loss.Stored} {
		seq, err := strconv.ParseUint(fields[2*i], 10, 64)
		hash, hashErr := hex.DecodeString(fields[2*i+1])
		if err != nil || hashErr != nil || len(hash) != len(head.Hash) {
			return nil, fmt.Errorf("partition %d: the reported loss %q: %w", p, text, eventlog.ErrDamaged)
		}
		head.Seq = seq
		copy(head.Hash[:], hash)
	}
	return loss, nil
}

// Losses returns what was reported and how many losses were accepted.
func (l *Log) Losses(ctx context.Context) (found eventlog.Losses, err error) {
	if err := l.open(ctx); err != nil {
		return found, err
	}
	got, err := l.metas(ctx, "lost", "epoch")
	if err != nil {
		return found, err
	}
	for p, fields := range got {
		found.Epochs[p], _ = strconv.ParseUint(fields[1], 10, 64) // empty: none
		if fields[0] == "" {
			continue
		}
		loss, err := parseLoss(eventlog.Partition(p), fields[0])
		if err != nil {
			return found, err
		}
		found.Open = append(found.Open, *loss)
	}
	return found, nil
}

// AcceptLoss goes on with what the partition holds. On a server that was flushed it begins anew, and so do
// the partitions of which nobody has missed anything.
func (l *Log) AcceptLoss(ctx context.Context, p eventlog.Partition) error {
	if err := l.open(ctx); err != nil {
		return err
	}
	k := l.keys[p]
	args := l.scripts.accept.args([]string{k.meta, k.inbox}, format, eventlog.Partitions, l.name)
	cmd, err := l.pipe.do(ctx, k.meta, l.scripts.accept, args...)
	if err != nil {
		return fmt.Errorf("accept the loss in partition %d: %w", p, explain(err))
	}
	if done, err := cmd.Int(); err != nil || done != 1 {
		return fmt.Errorf("partition %d has no loss to accept", p)
	}
	name := l.name
	for other := range eventlog.Partition(eventlog.Partitions) {
		if err := l.createOne(ctx, other, &name); err != nil {
			return fmt.Errorf("after the loss in partition %d was accepted: %w", p, explain(err))
		}
	}
	l.owners.wake()
	return explain(l.client.Publish(ctx, ownersSignal, "accepted").Err())
}
