package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"tandem/eventlog"
)

// Append stores the batch with one script and returns when it is durable. When the reply is lost, it sends the same
// script again for as long as this process may own the partition; the batch's name prevents that it is stored twice.
func (l *Log) Append(ctx context.Context, batch eventlog.Batch) error {
	if err := l.checkOpen(ctx); err != nil {
		return err
	}
	if err := checkBatch(&batch); err != nil {
		return err
	}
	lease := l.coordinator.leaseWithFence(batch.Partition, batch.Fence)
	if lease == nil {
		return fmt.Errorf("partition %d: this process does not own it: %w", batch.Partition, eventlog.ErrConflict)
	}
	call := &appendCall{log: l, lease: lease, batch: &batch, newHead: headAfter(&batch)}
	call.args = l.appendArgs(lease, &batch, call.newHead)
	if batch.Erases() {
		l.eraser.noteErasure(ctx)
		defer l.eraser.requestRewrite() // also after an error: the batch may be stored
	}
	for patience := time.Now().Add(appendPatience); ; {
		done, err := call.try(ctx)
		if done || time.Now().After(patience) {
			return err
		}
		select { // the server is unreachable or refuses writes
		case <-time.After(retryDelay):
		case <-lease.lost:
			return fmt.Errorf("partition %d: the lease has ended: %w", batch.Partition, err)
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}

const (
	retryDelay     = 50 * time.Millisecond // before a refused command is sent again
	appendPatience = 10 * time.Second      // time limit of an append; then its owner restarts from the stored state
)

// checkBatch refuses a batch that would count as damage once it is stored.
func checkBatch(batch *eventlog.Batch) error {
	if batch.To.Compare(batch.From) < 0 {
		return fmt.Errorf("partition %d: the checkpoint would move back: %w", batch.Partition, eventlog.ErrConflict)
	}
	head := batch.Head
	for i := range batch.Commits {
		commit := &batch.Commits[i]
		if commit.Partition != batch.Partition {
			return fmt.Errorf("partition %d: commit %d belongs to partition %d: %w", batch.Partition, commit.Seq, commit.Partition, eventlog.ErrConflict)
		}
		if err := commit.Verify(head); err != nil {
			return fmt.Errorf("%w: %w", eventlog.ErrConflict, err)
		}
		head = commit.Head()
	}
	return nil
}

func headAfter(batch *eventlog.Batch) eventlog.Head {
	if n := len(batch.Commits); n > 0 {
		return batch.Commits[n-1].Head()
	}
	return batch.Head
}

// appendCall is one call of Append.
type appendCall struct {
	log         *Log
	lease       *partitionLease
	batch       *eventlog.Batch
	newHead     eventlog.Head
	args        []any
	maybeStored bool // an earlier attempt may have stored the batch
}

// try sends the script once. done reports whether the call has ended.
func (a *appendCall) try(ctx context.Context) (done bool, err error) {
	log, partition := a.log, a.batch.Partition
	cmd, err := log.pipe.do(ctx, log.keys[partition].meta, log.scripts.append, a.args...)
	if errors.Is(err, errTooFewReplicas) {
		a.lease.invalidate() // the next owner confirms the replicas first
		return true, fmt.Errorf("partition %d: %w", partition, err)
	}
	if err != nil {
		a.maybeStored = a.maybeStored || !notExecuted(err)
		return errors.Is(err, eventlog.ErrStopped) || ctx.Err() != nil, fmt.Errorf("partition %d: %w", partition, explain(err))
	}
	result, before, after, err := parseAnswer(cmd)
	if err != nil {
		return true, err
	}
	switch result {
	case "OK", "AGAIN":
		if err := log.moveMark(ctx, a.lease, a.newHead, after); err != nil {
			return true, err
		}
		if result == "AGAIN" {
			return true, log.feed.publishPosition(partition, a.newHead, after)
		}
		return true, log.feed.publishBatch(a.batch, a.newHead, before, after)
	case "CONFLICT":
		if before != formatFence(a.lease.fence) || after != log.coordinator.node {
			a.lease.invalidate()
		}
		return true, a.conflict(errors.New("owner, head or checkpoint differ from the stored ones"))
	case "MISSING":
		return true, a.conflict(errors.New("the command queue no longer has the last command that the batch handles"))
	default:
		return true, a.conflict(errGone)
	}
}

// conflict returns the error of a batch that was not stored now. If an earlier attempt may have stored it and others
// have appended since, the outcome is unknown, and the error is not ErrConflict.
func (a *appendCall) conflict(why error) error {
	if a.maybeStored {
		return fmt.Errorf("partition %d: a reply was lost, and a later attempt failed: %w", a.batch.Partition, why)
	}
	return fmt.Errorf("partition %d: %w: %w", a.batch.Partition, why, eventlog.ErrConflict)
}

// parseAnswer parses the result of append.lua.
func parseAnswer(cmd *redis.Cmd) (result, first, second string, err error) {
	parts, err := cmd.StringSlice()
	if err != nil || len(parts) != 3 {
		return "", "", "", fmt.Errorf("the append script answered %v: %w", cmd.Val(), errors.Join(err, errors.New("want three strings")))
	}
	return parts[0], parts[1], parts[2], nil
}

// moveMark moves the durable mark after a replicated append. With Disk the append has moved it.
func (l *Log) moveMark(ctx context.Context, lease *partitionLease, end eventlog.Head, out string) error {
	if l.cfg.Durability != Replicated {
		return nil
	}
	keys := l.keys[lease.partition]
	args := l.scripts.mark.command([]string{keys.meta, keys.mark}, formatFence(lease.fence), l.coordinator.node, formatSeq(end.Seq), formatHash(end), out)
	cmd, err := l.pipe.do(ctx, keys.meta, l.scripts.mark, args...)
	if err == nil {
		var moved int
		if moved, err = cmd.Int(); err == nil && moved == 1 {
			return nil
		}
	}
	lease.invalidate() // every replica has the append, but readers must not see it before the mark moves
	return fmt.Errorf("partition %d: the durable mark did not move: %w", lease.partition, errors.Join(err, errors.New("the next owner decides the outcome")))
}

func formatSeq(seq uint64) string     { return strconv.FormatUint(seq, 10) }
func formatFence(fence uint64) string { return strconv.FormatUint(fence, 10) }

// formatHash returns the hash as bytes, or an empty string for an empty chain.
func formatHash(head eventlog.Head) string {
	if head.Seq == 0 {
		return ""
	}
	return string(head.Hash[:])
}

// appendArgs returns the command that appends the batch under a new name.
func (l *Log) appendArgs(lease *partitionLease, batch *eventlog.Batch, end eventlog.Head) []any {
	keys := l.keys[batch.Partition]
	mark := "1"
	if l.cfg.Durability == Replicated {
		mark = "0"
	}
	oldest := l.cfg.Now().Add(-l.cfg.KeepReceipts).UnixMilli()
	args := l.scripts.append.command(
		[]string{keys.meta, keys.log, keys.outcomes, keys.commands, keys.receipts, keys.deadLetters, keys.values, keys.mark},
		lease.nextBatchName(), formatFence(batch.Fence), l.coordinator.node, formatSeq(batch.Head.Seq), headHash(batch.Head), formatID(batch.From), formatID(batch.To), formatID(nextID(batch.To)),
		formatSeq(end.Seq), formatHash(end), mark, max(oldest, 0), packReceipts(batch.Receipts),
		len(batch.Commits), len(batch.Outcomes), len(batch.DeadLetters), len(batch.Puts),
	)
	for i := range batch.Commits {
		args = append(args, batch.Commits[i].AppendFrame(nil))
	}
	for i := range batch.Outcomes {
		args = append(args, packOutcome(&batch.Outcomes[i]))
	}
	for i := range batch.DeadLetters {
		args = append(args, packDeadLetter(&batch.DeadLetters[i]))
	}
	for _, kv := range batch.Puts {
		sign := "+"
		if kv.Value == nil {
			sign = "-"
		}
		args = append(args, kv.Key, sign, kv.Value)
	}
	return args
}

// headHash returns the expected hash. A Head with number 0 and a hash matches no partition.
func headHash(head eventlog.Head) string {
	if head == (eventlog.Head{}) {
		return ""
	}
	return string(head.Hash[:])
}
