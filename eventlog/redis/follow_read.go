package redis

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"tandem/eventlog"
)

// readResult is the result of reading one page.
type readResult struct {
	entries []eventlog.Entry
	at      [eventlog.Partitions]position // positions after the page
	more    bool
	err     error
}

// catchUp reads and handles entries up to the targets. It reads the next page while the previous one is handled.
func (f *followSession) catchUp(ctx context.Context, targets *[eventlog.Partitions]position) error {
	next := f.log.readPage(ctx, f.handled, f.skipped, targets)
	for next.more || len(next.entries) > 0 || next.err != nil {
		got := next
		if got.err != nil {
			return got.err
		}
		var ahead chan readResult
		if got.more {
			ahead = make(chan readResult, 1)
			go func() { ahead <- f.log.readPage(ctx, got.at, f.skipped, targets) }()
		}
		f.handled = got.at
		var err error
		if len(got.entries) > 0 {
			err = f.handle(got.entries)
		}
		next = readResult{}
		if ahead != nil {
			next = <-ahead
		}
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// readPage reads the next entries of some of the partitions that are behind their targets.
func (l *Log) readPage(ctx context.Context, at [eventlog.Partitions]position, open [eventlog.Partitions]bool, targets *[eventlog.Partitions]position) (result readResult) {
	result.at = at
	var parts []*partitionRead
	for partition := range at {
		to := targets[partition]
		if open[partition] || at[partition].head.Seq >= to.head.Seq && at[partition].lastOutcome.Compare(to.lastOutcome) >= 0 {
			continue
		}
		if len(parts) == l.cfg.limits.pagePartitions {
			result.more = true
			break
		}
		parts = append(parts, &partitionRead{partition: eventlog.Partition(partition), at: at[partition], to: to})
	}
	if len(parts) == 0 {
		return result
	}
	count := int64(l.cfg.limits.pageCommits)
	_, err := l.client.Pipelined(ctx, func(pipeline redis.Pipeliner) error {
		for _, part := range parts {
			part.ask(ctx, pipeline, l.keys[part.partition], count)
		}
		return nil
	})
	if err != nil {
		result.err = explain(err)
		return result
	}
	for _, part := range parts {
		if result.err = part.read(ctx, l, count, &result); result.err != nil {
			return result
		}
	}
	return result
}

// partitionRead is the part of a page that belongs to one partition.
type partitionRead struct {
	partition eventlog.Partition
	at, to    position
	commits   *redis.XMessageSliceCmd
	outcomes  *redis.XMessageSliceCmd
}

func (part *partitionRead) ask(ctx context.Context, pipeline redis.Pipeliner, keys partitionKeys, count int64) {
	if part.to.head.Seq > part.at.head.Seq {
		part.commits = pipeline.XRangeN(ctx, keys.log, commitID(part.at.head.Seq+1), commitID(part.to.head.Seq), count)
	}
	if part.to.lastOutcome.Compare(part.at.lastOutcome) > 0 {
		part.outcomes = pipeline.XRangeN(ctx, keys.outcomes, "("+formatID(part.at.lastOutcome), formatID(part.to.lastOutcome), count)
	}
}

// read orders commits and outcomes as they were written: the id of an outcome starts with the number of the commit
// that it follows. If the page ends early, entries beyond its end are left to the next page.
func (part *partitionRead) read(ctx context.Context, log *Log, count int64, result *readResult) error {
	commits, err := part.verifiedCommits(ctx, log)
	if err != nil {
		return err
	}
	outcomes := []redis.XMessage(nil)
	if part.outcomes != nil {
		outcomes = part.outcomes.Val()
	}
	commitsEnd, outcomesEnd := part.to.head.Seq, part.to.lastOutcome
	if int64(len(commits)) == count {
		commitsEnd = commits[len(commits)-1].Seq
	}
	if int64(len(outcomes)) == count {
		outcomesEnd = entryOffset(outcomes[len(outcomes)-1])
		commitsEnd = min(commitsEnd, max(outcomesEnd[0], part.at.head.Seq))
	}
	at := part.at
	for _, commit := range commits {
		if commit.Seq > commitsEnd {
			break
		}
		if outcomes, err = part.outcomesBefore(commit.Seq, outcomes, &at, result); err != nil {
			return err
		}
		result.entries = append(result.entries, eventlog.Entry{Partition: part.partition, Commit: commit})
		at.head = commit.Head()
	}
	if _, err = part.outcomesBefore(at.head.Seq+1, outcomes, &at, result); err != nil {
		return err
	}
	if at.head.Seq == part.to.head.Seq && outcomesEnd == part.to.lastOutcome {
		at.lastOutcome = part.to.lastOutcome // the last outcomes may have been trimmed
	}
	result.at[part.partition] = at
	result.more = result.more || at.head.Seq < part.to.head.Seq || at.lastOutcome.Compare(part.to.lastOutcome) < 0
	return nil
}

// outcomesBefore adds the outcomes before the commit with the given number.
func (part *partitionRead) outcomesBefore(seq uint64, outcomes []redis.XMessage, at *position, result *readResult) ([]redis.XMessage, error) {
	for len(outcomes) > 0 && entryOffset(outcomes[0])[0] < seq {
		text, _ := outcomes[0].Values["o"].(string)
		outcome, err := unpackOutcome(text)
		if err != nil {
			return nil, fmt.Errorf("partition %d: %w", part.partition, err)
		}
		result.entries = append(result.entries, eventlog.Entry{Partition: part.partition, Outcome: &outcome})
		at.lastOutcome = entryOffset(outcomes[0])
		outcomes = outcomes[1:]
	}
	return outcomes, nil
}

// verifiedCommits returns the commits of the page after it has verified that they continue the position. A chain that
// does not is a lost tail.
func (part *partitionRead) verifiedCommits(ctx context.Context, log *Log) ([]*eventlog.Commit, error) {
	if part.commits == nil {
		return nil, nil
	}
	var commits []*eventlog.Commit
	head := part.at.head
	for _, entry := range part.commits.Val() {
		commit, err := parseCommit(part.partition, entry)
		if err != nil {
			return nil, err
		}
		if err := commit.Verify(head); err != nil {
			if lost := log.checkPosition(ctx, part.partition, part.at.head, &partitionState{end: part.to.head}); lost != nil {
				return nil, lost
			}
			return nil, err
		}
		commits, head = append(commits, commit), commit.Head()
	}
	if len(commits) == 0 {
		return nil, &eventlog.LostTailError{Partition: part.partition, Known: part.to.head, Stored: part.at.head}
	}
	return commits, nil
}
