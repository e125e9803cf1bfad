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

// Append stores the batch with one script and returns when it is durable. When the answer gets lost
// the same script is sent again, for as long as this process may own the partition: the batch's name
// keeps it from being stored twice.
func (l *Log) Append(ctx context.Context, b eventlog.Batch) error {
	if err := l.open(ctx); err != nil {
		return err
	}
	if err := check(&b); err != nil {
		return err
	}
	lease := l.owners.lease(b.Partition, b.Fence)
	if lease == nil {
		return fmt.Errorf("partition %d: this process does not own it: %w", b.Partition, eventlog.ErrConflict)
	}
	a := &appending{log: l, lease: lease, batch: &b, end: end(&b)}
	a.args = l.appendArgs(lease, &b, a.end)
	if b.Erases() {
		l.eraser.before(ctx)
		defer l.eraser.after() // however it ends: an answer may have got lost
	}
	for patience := time.Now().Add(appendPatience); ; {
		done, err := a.try(ctx)
		if done || time.Now().After(patience) {
			return err
		}
		select { // the server cannot be reached, or does not take it now
		case <-time.After(retryAfter):
		case <-lease.lost:
			return fmt.Errorf("partition %d was taken away: %w", b.Partition, err)
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}

const (
	retryAfter     = 50 * time.Millisecond // before something is sent again that the server did not take
	appendPatience = 10 * time.Second      // with an append, before its owner begins again at what is stored
)

// check refuses a batch that would be damage once it was stored.
func check(b *eventlog.Batch) error {
	if b.To.Compare(b.From) < 0 {
		return fmt.Errorf("partition %d: the checkpoint would move back: %w", b.Partition, eventlog.ErrConflict)
	}
	head := b.Head
	for i := range b.Commits {
		c := &b.Commits[i]
		if c.Partition != b.Partition {
			return fmt.Errorf("partition %d: commit %d is of partition %d: %w", b.Partition, c.Seq, c.Partition, eventlog.ErrConflict)
		}
		if err := c.Verify(head); err != nil {
			return fmt.Errorf("%w: %w", eventlog.ErrConflict, err)
		}
		head = c.Head()
	}
	return nil
}

func end(b *eventlog.Batch) eventlog.Head {
	if n := len(b.Commits); n > 0 {
		return b.Commits[n-1].Head()
	}
	return b.Head
}

// appending is one call of Append.
type appending struct {
	log   *Log
	lease *lease
	batch *eventlog.Batch
	end   eventlog.Head
	args  []any
	open  bool // an attempt before may have stored the batch
}

// try sends the script once. It reports whether that was the end of it.
func (a *appending) try(ctx context.Context) (done bool, err error) {
	l, p := a.log, a.batch.Partition
	cmd, err := l.pipe.do(ctx, l.keys[p].meta, l.scripts.append, a.args...)
	if errors.Is(err, errTooFew) {
		a.lease.end() // whoever owns the partition next makes sure of the replicas first
		return true, fmt.Errorf("partition %d: %w", p, err)
	}
	if err != nil {
		a.open = a.open || !refused(err)
		return errors.Is(err, eventlog.ErrStopped) || ctx.Err() != nil, fmt.Errorf("partition %d: %w", p, explain(err))
	}
	result, before, after, err := answer(cmd)
	if err != nil {
		return true, err
	}
	switch result {
	case "OK", "AGAIN":
		if err := l.moveMark(ctx, a.lease, a.end, after); err != nil {
			return true, err
		}
		if result == "AGAIN" {
			return true, l.hub.notice(p, a.end, after)
		}
		return true, l.hub.appended(a.batch, a.end, before, after)
	case "CONFLICT":
		if before != formatFence(a.lease.fence) || after != l.owners.node {
			a.lease.end()
		}
		return true, a.conflict(errors.New("it fits neither the owner, nor the head, nor the checkpoint"))
	case "MISSING":
		return true, a.conflict(errors.New("the inbox no longer holds the last command that it handles"))
	default:
		return true, a.conflict(errGone)
	}
}

// conflict says that the batch was not stored now. If it may have been stored before, and others followed
// it, nobody can tell any more.
func (a *appending) conflict(why error) error {
	if a.open {
		return fmt.Errorf("partition %d: an answer got lost, and then: %w", a.batch.Partition, why)
	}
	return fmt.Errorf("partition %d: %w: %w", a.batch.Partition, why, eventlog.ErrConflict)
}

// answer reads what append.lua returned.
func answer(cmd *redis.Cmd) (result, first, second string, err error) {
	parts, err := cmd.StringSlice()
	if err != nil || len(parts) != 3 {
		return "", "", "", fmt.Errorf("the append script answered %v: %w", cmd.Val(), errors.Join(err, errors.New("want three strings")))
	}
	return parts[0], parts[1], parts[2], nil
}

// moveMark makes a replicated append known to followers. With Disk the append itself did that.
func (l *Log) moveMark(ctx context.Context, lease *lease, end eventlog.Head, out string) error {
	if l.cfg.Durability != Replicated {
		return nil
	}
	k := l.keys[lease.p]
	args := l.scripts.mark.args([]string{k.meta, k.mark}, formatFence(lease.fence), l.owners.node, formatSeq(end.Seq), formatHash(end), out)
	cmd, err := l.pipe.do(ctx, k.meta, l.scripts.mark, args...)
	if err == nil {
		var moved int
		if moved, err = cmd.Int(); err == nil && moved == 1 {
			return nil
		}
	}
	lease.end() // the append is on every replica, but nobody may see it before the mark has moved
	return fmt.Errorf("partition %d: the durable mark did not move: %w", lease.p, errors.Join(err, errors.New("the outcome is left to the next owner")))
}

func formatSeq(seq uint64) string     { return strconv.FormatUint(seq, 10) }
func formatFence(fence uint64) string { return strconv.FormatUint(fence, 10) }

// formatHash returns the hash as bytes, and nothing for the end of an empty chain.
func formatHash(h eventlog.Head) string {
	if h.Seq == 0 {
		return ""
	}
	return string(h.Hash[:])
}

// appendArgs returns the command that appends the batch under a name of its own.
func (l *Log) appendArgs(lease *lease, b *eventlog.Batch, end eventlog.Head) []any {
	k := l.keys[b.Partition]
	mark := "1"
	if l.cfg.Durability == Replicated {
		mark = "0"
	}
	oldest := l.cfg.Now().Add(-l.cfg.KeepRecords).UnixMilli()
	args := l.scripts.append.args(
		[]string{k.meta, k.log, k.outcomes, k.inbox, k.records, k.deadLetters, k.values, k.mark},
		lease.nextBatch(), formatFence(b.Fence), l.owners.node, formatSeq(b.Head.Seq), headHash(b.Head), formatID(b.From), formatID(b.To), formatID(next(b.To)),
		formatSeq(end.Seq), formatHash(end), mark, max(oldest, 0), packRecords(b.Records),
		len(b.Commits), len(b.Outcomes), len(b.DeadLetters), len(b.Puts),
	)
	for i := range b.Commits {
		args = append(args, b.Commits[i].AppendFrame(nil))
	}
	for i := range b.Outcomes {
		args = append(args, packOutcome(&b.Outcomes[i]))
	}
	for i := range b.DeadLetters {
		args = append(args, packLetter(&b.DeadLetters[i]))
	}
	for _, kv := range b.Puts {
		sign := "+"
		if kv.Value == nil {
			sign = "-"
		}
		args = append(args, kv.Key, sign, kv.Value)
	}
	return args
}

// headHash is the expected hash. A head that claims a hash at 0 fits nothing, as it should.
func headHash(h eventlog.Head) string {
	if h == (eventlog.Head{}) {
		return ""
	}
	return string(h.Hash[:])
}
