package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

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

// Follow delivers what is durable after the given positions, and goes on as more becomes durable. While
// the server cannot be read it waits; only what would be the same again ends it.
func (l *Log) Follow(ctx context.Context, from eventlog.Positions, deliver func([]eventlog.Entry) error, onLive func()) error {
	if err := l.open(ctx); err != nil {
		return err
	}
	f := &follower{log: l, more: make(chan struct{}, 1), fresh: time.Now()}
	f.deliver = func(entries []eventlog.Entry) error {
		if err := deliver(entries); err != nil {
			return undelivered{err}
		}
		return nil
	}
	l.hub.join(f)
	defer l.hub.leave(f)
	if err := f.insist(ctx, func() error { return f.begin(ctx, from) }); err != nil {
		return f.ended(ctx, err)
	}
	for live := false; ; {
		if err := f.insist(ctx, func() error { return f.advance(ctx, !live) }); err != nil {
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

// undelivered is an error of the caller's deliver.
type undelivered struct{ error }

func (e undelivered) Unwrap() error { return e.error }

// insist repeats do while the server cannot be read.
func (f *follower) insist(ctx context.Context, do func() error) error {
	for {
		err := do()
		var callers undelivered
		if err == nil || lasting(err) || errors.As(err, &callers) || f.log.open(ctx) != nil {
			return err
		}
		f.log.state.set(source{concern: reading}, err)
		select {
		case <-time.After(retryAfter):
		case <-ctx.Done():
		case <-f.log.ctx.Done():
		}
	}
}

// ended returns why following ended: the caller's wish and the log's end come before their consequences.
func (f *follower) ended(ctx context.Context, err error) error {
	if closed := f.log.open(ctx); closed != nil {
		return closed
	}
	if callers := (undelivered{}); errors.As(err, &callers) {
		return callers.error
	}
	return err
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
		if err := f.log.held(ctx, eventlog.Partition(p), from[p], &all[p]); err != nil {
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

// held returns a *eventlog.LostTailError unless the partition still has the known commit.
func (l *Log) held(ctx context.Context, p eventlog.Partition, known eventlog.Head, s *stored) error {
	if known.Seq == 0 || known == s.end {
		return nil
	}
	if lost := s.lost(p, known); lost != nil {
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
		return &eventlog.LostTailError{Partition: p, Known: known, Stored: c.Head()}
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

// batchSize is what a batch takes in memory beside its events' data, about.
const batchSize = 500

// append takes a batch of this node. A follower that is far behind gets only its place.
func (f *follower) append(b local) {
	size := batchSize
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
		if f.skip[p] {
			continue
		}
		if s := &all[p]; s.loss != nil {
			lost = append(lost, s.loss)
		} else if gone := s.lost(eventlog.Partition(p), known); gone != nil {
			lost = append(lost, gone)
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

// advance delivers all that is known to be durable. In a replay this is a lot, and is read ahead. After an
// error it can be called again.
func (f *follower) advance(ctx context.Context, replay bool) error {
	for {
		batches, targets, behind, err := f.take()
		if err != nil {
			return err
		}
		for i := range batches {
			if err := f.local(&batches[i]); err != nil {
				return err
			}
		}
		if behind {
			if err := f.catchUp(ctx, &targets); err != nil {
				f.mu.Lock()
				f.behind = true
				f.mu.Unlock()
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
func (f *follower) local(b *local) error {
	at := &f.at[b.Partition]
	if f.open[b.Partition] {
		return nil
	}
	if at.head != b.from.head || at.out != b.from.out {
		f.notice(b.Partition, b.to)
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
