package redis

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"tandem/eventlog"
)

// page is what one round of reading brought.
type page struct {
	entries []eventlog.Entry
	at      [eventlog.Partitions]place // after it
	more    bool
	err     error
}

// catchUp reads from the log up to the targets. The next page is read while the one before is
// delivered.
func (f *follower) catchUp(ctx context.Context, targets *[eventlog.Partitions]place) error {
	next := f.log.readPage(ctx, f.at, f.open, targets)
	for next.more || len(next.entries) > 0 || next.err != nil {
		got := next
		if got.err != nil {
			return got.err
		}
		var ahead chan page
		if got.more {
			ahead = make(chan page, 1)
			go func() { ahead <- f.log.readPage(ctx, got.at, f.open, targets) }()
		}
		f.at = got.at
		var err error
		if len(got.entries) > 0 {
			err = f.deliver(got.entries)
		}
		next = page{}
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

// readPage reads what comes next in some of the partitions that are behind.
func (l *Log) readPage(ctx context.Context, at [eventlog.Partitions]place, open [eventlog.Partitions]bool, targets *[eventlog.Partitions]place) (result page) {
	result.at = at
	var parts []*part
	for p := range at {
		to := targets[p]
		if open[p] || at[p].head.Seq >= to.head.Seq && at[p].out.Compare(to.out) >= 0 {
			continue
		}
		if len(parts) == l.cfg.limits.pages {
			result.more = true
			break
		}
		parts = append(parts, &part{p: eventlog.Partition(p), at: at[p], to: to})
	}
	if len(parts) == 0 {
		return result
	}
	count := int64(l.cfg.limits.page)
	_, err := l.client.Pipelined(ctx, func(pipeline redis.Pipeliner) error {
		for _, part := range parts {
			part.ask(ctx, pipeline, l.keys[part.p], count)
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

// part is what is read of one partition for a page.
type part struct {
	p        eventlog.Partition
	at, to   place
	commits  *redis.XMessageSliceCmd
	outcomes *redis.XMessageSliceCmd
}

func (part *part) ask(ctx context.Context, pipeline redis.Pipeliner, k keys, count int64) {
	if part.to.head.Seq > part.at.head.Seq {
		part.commits = pipeline.XRangeN(ctx, k.log, commitID(part.at.head.Seq+1), commitID(part.to.head.Seq), count)
	}
	if part.to.out.Compare(part.at.out) > 0 {
		part.outcomes = pipeline.XRangeN(ctx, k.outcomes, "("+formatID(part.at.out), formatID(part.to.out), count)
	}
}

// read puts commits and outcomes in the order in which they were written: an outcome's id begins with
// the number of the commit that it came after. Where a page ends early, what lies behind its end is left
// for the next one.
func (part *part) read(ctx context.Context, l *Log, count int64, result *page) error {
	commits, err := part.chain(ctx, l)
	if err != nil {
		return err
	}
	outcomes := []redis.XMessage(nil)
	if part.outcomes != nil {
		outcomes = part.outcomes.Val()
	}
	commitsEnd, outcomesEnd := part.to.head.Seq, part.to.out
	if int64(len(commits)) == count {
		commitsEnd = commits[len(commits)-1].Seq
	}
	if int64(len(outcomes)) == count {
		outcomesEnd = offset(outcomes[len(outcomes)-1])
		commitsEnd = min(commitsEnd, max(outcomesEnd[0], part.at.head.Seq))
	}
	at := part.at
	for _, c := range commits {
		if c.Seq > commitsEnd {
			break
		}
		if outcomes, err = part.outcomesBefore(c.Seq, outcomes, &at, result); err != nil {
			return err
		}
		result.entries = append(result.entries, eventlog.Entry{Partition: part.p, Commit: c})
		at.head = c.Head()
	}
	if _, err = part.outcomesBefore(at.head.Seq+1, outcomes, &at, result); err != nil {
		return err
	}
	if at.head.Seq == part.to.head.Seq && outcomesEnd == part.to.out {
		at.out = part.to.out // the last ones may have been trimmed
	}
	result.at[part.p] = at
	result.more = result.more || at.head.Seq < part.to.head.Seq || at.out.Compare(part.to.out) < 0
	return nil
}

// outcomesBefore adds the outcomes that came before the commit with the given number.
func (part *part) outcomesBefore(seq uint64, outcomes []redis.XMessage, at *place, result *page) ([]redis.XMessage, error) {
	for len(outcomes) > 0 && offset(outcomes[0])[0] < seq {
		text, _ := outcomes[0].Values["o"].(string)
		o, err := unpackOutcome(text)
		if err != nil {
			return nil, fmt.Errorf("partition %d: %w", part.p, err)
		}
		result.entries = append(result.entries, eventlog.Entry{Partition: part.p, Outcome: &o})
		at.out = offset(outcomes[0])
		outcomes = outcomes[1:]
	}
	return outcomes, nil
}

// chain returns the commits that were read, checked against the place before them. A chain that does
// not continue there is a lost tail.
func (part *part) chain(ctx context.Context, l *Log) ([]*eventlog.Commit, error) {
	if part.commits == nil {
		return nil, nil
	}
	var commits []*eventlog.Commit
	head := part.at.head
	for _, e := range part.commits.Val() {
		c, err := parseCommit(part.p, e)
		if err != nil {
			return nil, err
		}
		if err := c.Verify(head); err != nil {
			if lost := l.held(ctx, part.p, part.at.head, &stored{end: part.to.head}); lost != nil {
				return nil, lost
			}
			return nil, err
		}
		commits, head = append(commits, c), c.Head()
	}
	if len(commits) == 0 {
		return nil, &eventlog.LostTailError{Partition: part.p, Known: part.to.head, Stored: part.at.head}
	}
	return commits, nil
}
