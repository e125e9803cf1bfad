package redis

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"tandem/eventlog"
)

// ReportLoss stores the loss in the partition's meta hash. Every node reads it within a second.
func (l *Log) ReportLoss(ctx context.Context, loss eventlog.LostTailError) error {
	if err := l.checkOpen(ctx); err != nil {
		return err
	}
	meta := l.keys[loss.Partition].meta
	args := l.scripts.loss.command([]string{meta},
		formatSeq(loss.Known.Seq), loss.Known.Hash.String(), formatSeq(loss.Stored.Seq), loss.Stored.Hash.String())
	if _, err := l.pipe.do(ctx, meta, l.scripts.loss, args...); err != nil {
		return fmt.Errorf("report the loss in partition %d: %w", loss.Partition, explain(err))
	}
	if lease := l.coordinator.localLease(loss.Partition); lease != nil {
		lease.invalidate()
	}
	return explain(l.feed.compare(ctx))
}

// parseLoss parses a loss that loss.lua stored: two heads, each as a number and a hexadecimal hash.
func parseLoss(partition eventlog.Partition, text string) (*eventlog.LostTailError, error) {
	fields := strings.Fields(text)
	loss := &eventlog.LostTailError{Partition: partition}
	if len(fields) != 4 {
		return nil, fmt.Errorf("partition %d: the reported loss %q: %w", partition, text, eventlog.ErrDamaged)
	}
	for i, head := range []*eventlog.Head{&loss.Known, &loss.Stored} {
		seq, err := strconv.ParseUint(fields[2*i], 10, 64)
		hash, hashErr := hex.DecodeString(fields[2*i+1])
		if err != nil || hashErr != nil || len(hash) != len(head.Hash) {
			return nil, fmt.Errorf("partition %d: the reported loss %q: %w", partition, text, eventlog.ErrDamaged)
		}
		head.Seq = seq
		copy(head.Hash[:], hash)
	}
	return loss, nil
}

// Losses returns the open losses and the number of accepted ones.
func (l *Log) Losses(ctx context.Context) (found eventlog.Losses, err error) {
	if err := l.checkOpen(ctx); err != nil {
		return found, err
	}
	got, err := l.readMetas(ctx, "lost", "epoch")
	if err != nil {
		return found, err
	}
	for partition, fields := range got {
		found.Epochs[partition], _ = strconv.ParseUint(fields[1], 10, 64) // empty without accepted losses
		if fields[0] == "" {
			continue
		}
		loss, err := parseLoss(eventlog.Partition(partition), fields[0])
		if err != nil {
			return found, err
		}
		found.Open = append(found.Open, *loss)
	}
	return found, nil
}

// AcceptLoss lets the partition continue with its remaining commits. On a flushed server it creates the partition
// again, and with it all partitions without a reported loss.
func (l *Log) AcceptLoss(ctx context.Context, partition eventlog.Partition) error {
	if err := l.checkOpen(ctx); err != nil {
		return err
	}
	keys := l.keys[partition]
	args := l.scripts.accept.command([]string{keys.meta, keys.commands}, format, eventlog.Partitions, l.name)
	cmd, err := l.pipe.do(ctx, keys.meta, l.scripts.accept, args...)
	if err != nil {
		return fmt.Errorf("accept the loss in partition %d: %w", partition, explain(err))
	}
	if done, err := cmd.Int(); err != nil || done != 1 {
		return fmt.Errorf("partition %d has no open loss", partition)
	}
	name := l.name
	for other := range eventlog.Partition(eventlog.Partitions) {
		if err := l.createOne(ctx, other, &name); err != nil {
			return fmt.Errorf("after the loss in partition %d was accepted: %w", partition, explain(err))
		}
	}
	l.coordinator.wake()
	return explain(l.client.Publish(ctx, ownersSignal, "accepted").Err())
}
