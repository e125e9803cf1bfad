package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"tandem/eventlog"
)

// follower is one call of Follow. What is new comes to it as batches that this node appended, and as
// places up to which it may read; its goroutine turns both into entries in order.
type follower struct {
	log     *Log
	deliver func([]eventlog.Entry) error
	at      [eventlog.Partitions]place // delivered so far; the goroutine's
	open    [eventlog.Partitions]bool  // not followed: a loss is open; the goroutine's

	mu     sync.Mutex
	known  [eventlog.Partitions]place // copy of at, for compare
	skip   [eventlog.Partitions]bool  // copy of open
	batch  []local
	bytes  int
	target [eventlog.Partitions]place
	behind bool // a target is ahead of at
	err    error
	more   chan struct{}
	asked  time.Time // when the log was asked for the target that is not reached yet
	fresh  time.Time // up to when all that was durable is delivered
}

// local is a batch that this node appended.
type local struct {
	*eventlog.Batch
	from, to place
}

// Follow delivers what is durable after the given positions, and goes on as more becomes durable.
func (l *Log) Follow(ctx context.Context, from eventlog.Positions, deliver func([]eventlog.Entry) error, onLive func()) error {
	if err := l.open(ctx); err != nil {
		return err
	}
	f := &follower{log: l, deliver: deliver, more: make(chan struct{}, 1), fresh: time.Now()}
	l.hub.join(f)
	defer l.hub.leave(f)
	for err := f.begin(ctx, from); err != nil; err = f.begin(ctx, from) {
		if !f.bears(ctx, err) {
			return f.ended(ctx, err)
		}
	}
	for live := false; ; {
		if err := f.advance(ctx, !live); err != nil {
			return f.ended(ctx, err)
		}
		if !live {
			live = true
			if onLive != nil {
				onLive()
			}
		}
		select {
		case <-f.more:
		case <-ctx.Done():
			return ctx.Err()
		case <-l.ctx.Done():
			return errClosed()
		}
	}
}

// ended returns why following ended: the caller's wish and the log's end come before their consequences.
func (f *follower) ended(ctx context.Context, err error) error {
	if closed := f.log.open(ctx); closed != nil {
		return closed
	}
	return err
}

// bears waits a moment after a failure that may pass: the server cannot be reached, or cannot be read
// now. It reports whether to try again. What a follower has delivered does not change meanwhile.
func (f *follower) bears(ctx context.Context, err error) bool {
	if len(eventlog.LostTails(err)) > 0 || errors.Is(err, eventlog.ErrDamaged) || errors.Is(err, eventlog.ErrNewer) || f.log.open(ctx) != nil {
		return false
	}
	f.log.state.set(err)
	select {
	case <-time.After(retryAfter):
		return true
	case <-ctx.Done():
	case <-f.log.ctx.Done():
	}
	return false
}

// begin checks the positions and takes what is durable now as the first target.
func (f *follower) begin(ctx context.Context, from eventlog.Positions) error {
	all, err := f.log.places(ctx)
	if err != nil {
		return err
	}
	var lost []error
	for p := range all {
		if f.open[p] = all[p].loss != nil; f.open[p] {
			continue
		}
		if err := f.log.held(ctx, eventlog.Partition(p), from[p], all[p].head); err != nil {
			lost = append(lost, err)
		}
		f.at[p] = place{from[p], all[p].out}
	}
	if len(lost) > 0 {
		return errors.Join(lost...)
	}
	f.mu.Lock()
	f.known, f.skip, f.asked = f.at, f.open, time.Now()
	f.mu.Unlock()
	for p := range all {
		f.notice(eventlog.Partition(p), all[p].place)
	}
	return nil
}

// held returns a *eventlog.LostTailError unless the partition, whose end is given, still has the known
// commit.
func (l *Log) held(ctx context.Context, p eventlog.Partition, known, end eventlog.Head) error {
	lost := &eventlog.LostTailError{Partition: p, Known: known, Stored: end}
	switch {
	case known.Seq == 0 || known == end:
		return nil
	case known.Seq >= end.Seq:
		return lost
	}
	entries, err := l.client.XRange(ctx, l.keys[p].log, commitID(known.Seq), commitID(known.Seq)).Result()
	if err != nil {
		return explain(err)
	}
	if len(entries) != 1 {
		return fmt.Errorf("partition %d: commit %d is missing in the middle: %w", p, known.Seq, eventlog.ErrDamaged)
	}
	c, err := parseCommit(p, entries[0])
	if err != nil {
		return err
	}
	if c.Hash != known.Hash {
		lost.Stored = c.Head()
		return lost
	}
	return nil
}

// notice takes a place up to which the partition is durable.
func (f *follower) notice(p eventlog.Partition, to place) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if to.head.Seq > f.target[p].head.Seq {
		f.target[p].head = to.head
	}
	if to.out.Compare(f.target[p].out) > 0 {
		f.target[p].out = to.out
	}
	f.behind = true
	f.wake()
}

// append takes a batch of this node. A follower that is far behind gets only its place.
func (f *follower) append(b local) {
	size := 0
	for i := range b.Commits {
		for k := range b.Commits[i].Events {
			size += len(b.Commits[i].Events[k].Data)
		}
	}
	f.mu.Lock()
	if f.bytes+size > f.log.cfg.limits.tailBytes {
		f.mu.Unlock()
		f.notice(b.Partition, b.to)
		return
	}
	f.bytes += size
	f.batch = append(f.batch, b)
	f.wake()
	f.mu.Unlock()
}

// fail ends the follower.
func (f *follower) fail(err error) {
	f.mu.Lock()
	f.err = err
	f.wake()
	f.mu.Unlock()
}

// wake needs f.mu.
func (f *follower) wake() {
	select {
	case f.more <- struct{}{}:
	default:
	}
}

// delivered returns how far the follower is. A partition that is not followed is at its beginning.
func (f *follower) delivered() (heads eventlog.Positions) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for p := range heads {
		heads[p] = f.known[p].head
	}
	return heads
}

// compare looks for a lost tail, given what was delivered before the log was asked, and sets what is
// stored as the target.
func (f *follower) compare(delivered eventlog.Positions, all *[eventlog.Partitions]stored, asked time.Time) {
	var lost []error
	f.mu.Lock()
	for p, known := range delivered {
		s := &all[p]
		switch {
		case f.skip[p]:
		case s.loss != nil:
			lost = append(lost, s.loss)
		case known.Seq > s.head.Seq || known.Seq == s.head.Seq && known != s.head:
			lost = append(lost, &eventlog.LostTailError{Partition: eventlog.Partition(p), Known: known, Stored: s.head})
		}
	}
	if f.asked.IsZero() {
		f.asked = asked
	}
	f.mu.Unlock()
	if len(lost) > 0 {
		f.fail(errors.Join(lost...))
		return
	}
	for p := range all {
		f.notice(eventlog.Partition(p), all[p].place)
	}
}

// silent returns for how long nothing was heard of the log that has not been delivered.
func (f *follower) silent() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return time.Since(f.fresh)
}

// advance delivers all that is known to be durable. In a replay this is a lot, and is read ahead.
func (f *follower) advance(ctx context.Context, replay bool) error {
	for {
		batches, targets, behind, err := f.take()
		if err != nil {
			return err
		}
		for i := range batches {
			if err := f.local(&batches[i], &targets, &behind); err != nil {
				return err
			}
		}
		if behind {
			if err := f.catchUp(ctx, &targets); err != nil {
				return err
			}
		}
		if len(batches) == 0 && !behind {
			return nil
		}
		f.arrived()
		if replay && !behind {
			return nil
		}
	}
}

func (f *follower) take() (batches []local, targets [eventlog.Partitions]place, behind bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	batches, f.batch, f.bytes = f.batch, nil, 0
	behind, f.behind = f.behind, false
	return batches, f.target, behind, f.err
}

// arrived makes known how far everything is delivered.
func (f *follower) arrived() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.known = f.at
	if !f.asked.IsZero() && !f.behind {
		f.fresh, f.asked = f.asked, time.Time{}
	}
}

// local delivers a batch of this node if it continues what was delivered, and leaves it to catchUp
// otherwise.
func (f *follower) local(b *local, targets *[eventlog.Partitions]place, behind *bool) error {
	at := &f.at[b.Partition]
	if f.open[b.Partition] {
		return nil
	}
	if at.head != b.from.head || at.out != b.from.out {
		to := &targets[b.Partition]
		if b.to.head.Seq > to.head.Seq {
			to.head = b.to.head
		}
		if b.to.out.Compare(to.out) > 0 {
			to.out = b.to.out
		}
		*behind = true
		return nil
	}
	*at = b.to
	entries := make([]eventlog.Entry, 0, len(b.Commits)+len(b.Outcomes))
	for i := range b.Commits {
		entries = append(entries, eventlog.Entry{Partition: b.Partition, Commit: &b.Commits[i]})
	}
	for i := range b.Outcomes {
		entries = append(entries, eventlog.Entry{Partition: b.Partition, Outcome: &b.Outcomes[i]})
	}
	if len(entries) == 0 {
		return nil
	}
	return f.deliver(entries)
}

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
			if !f.bears(ctx, got.err) {
				return got.err
			}
			next = f.log.readPage(ctx, f.at, f.open, targets)
			continue
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
			if lost := l.held(ctx, part.p, part.at.head, part.to.head); lost != nil {
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
