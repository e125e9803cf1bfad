package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"tandem/eventlog"
	"tandem/eventlog/wakeup"
)

// followSession is one call of Follow. It receives batches that this node appended and positions up to which it may
// read; its goroutine turns both into entries in order.
type followSession struct {
	log     *Log
	handle  func([]eventlog.Entry) error
	handled [eventlog.Partitions]position // belongs to the session's goroutine
	skipped [eventlog.Partitions]bool     // partitions with an open loss; belongs to the session's goroutine

	mu               sync.Mutex
	published        [eventlog.Partitions]position // copy of handled, guarded by mu
	publishedSkipped [eventlog.Partitions]bool     // copy of skipped, guarded by mu
	batches          []localBatch
	bytes            int
	targets          [eventlog.Partitions]position
	behind           bool // a target is ahead of handled
	err              error
	wakeup           wakeup.Signal
	askedAt          time.Time // time of the read that set the first unreached target
	freshAt          time.Time // everything that was durable at this time is handled
}

// localBatch is a batch that this node appended.
type localBatch struct {
	*eventlog.Batch
	from, to position
}

// Follow handles durable commits after the given positions and continues with new ones. While the server cannot be
// read it waits. Only permanent errors end it.
func (l *Log) Follow(ctx context.Context, from eventlog.Positions, handle func([]eventlog.Entry) error, onLive func()) error {
	if err := l.checkOpen(ctx); err != nil {
		return err
	}
	follower := &followSession{log: l, wakeup: wakeup.New(), freshAt: time.Now()}
	follower.handle = func(entries []eventlog.Entry) error {
		if err := handle(entries); err != nil {
			return handlerError{err}
		}
		return nil
	}
	l.feed.addFollower(follower)
	defer l.feed.removeFollower(follower)
	if err := follower.retryReads(ctx, func() error { return follower.start(ctx, from) }); err != nil {
		return follower.endReason(ctx, err)
	}
	for live := false; ; {
		if err := follower.retryReads(ctx, func() error { return follower.handleNew(ctx, !live) }); err != nil {
			return follower.endReason(ctx, err)
		}
		if !live {
			live = true
			if onLive != nil {
				onLive()
			}
		}
		select {
		case <-follower.wakeup:
		case <-ctx.Done():
			return ctx.Err()
		case <-l.ctx.Done():
			return errClosed()
		}
	}
}

// handlerError is an error of the caller's handler.
type handlerError struct{ error }

func (e handlerError) Unwrap() error { return e.error }

// retryReads repeats a function while the server cannot be read.
func (f *followSession) retryReads(ctx context.Context, do func() error) error {
	for {
		err := do()
		var callers handlerError
		if err == nil || isPermanent(err) || errors.As(err, &callers) || f.log.checkOpen(ctx) != nil {
			return err
		}
		f.log.health.set(faultSource{concern: concernReads}, err)
		select {
		case <-time.After(retryDelay):
		case <-ctx.Done():
		case <-f.log.ctx.Done():
		}
	}
}

// endReason returns why Follow ended: the end of ctx or of the log comes before errors that follow from it.
func (f *followSession) endReason(ctx context.Context, err error) error {
	if closed := f.log.checkOpen(ctx); closed != nil {
		return closed
	}
	if callers := (handlerError{}); errors.As(err, &callers) {
		return callers.error
	}
	return err
}

// start checks the positions and sets the first targets.
func (f *followSession) start(ctx context.Context, from eventlog.Positions) error {
	all, err := f.log.partitionStates(ctx)
	if err != nil {
		return err
	}
	var lost []error
	for partition := range all {
		if f.skipped[partition] = all[partition].loss != nil; f.skipped[partition] {
			continue
		}
		if err := f.log.checkPosition(ctx, eventlog.Partition(partition), from[partition], &all[partition]); err != nil {
			lost = append(lost, err)
		}
		f.handled[partition] = position{from[partition], all[partition].lastOutcome}
	}
	if len(lost) > 0 {
		return errors.Join(lost...)
	}
	f.mu.Lock()
	f.published, f.publishedSkipped, f.askedAt = f.handled, f.skipped, time.Now()
	f.mu.Unlock()
	for partition := range all {
		f.addTarget(eventlog.Partition(partition), all[partition].position)
	}
	return nil
}

// checkPosition returns a *eventlog.LostTailError unless the partition still has the known commit.
func (l *Log) checkPosition(ctx context.Context, partition eventlog.Partition, known eventlog.Head, state *partitionState) error {
	if known.Seq == 0 || known == state.end {
		return nil
	}
	if lost := state.checkKnown(partition, known); lost != nil {
		return lost
	}
	entries, err := l.client.XRange(ctx, l.keys[partition].log, commitID(known.Seq), commitID(known.Seq)).Result()
	if err != nil {
		return explain(err)
	}
	if len(entries) != 1 {
		return fmt.Errorf("partition %d: commit %d is missing within the chain: %w", partition, known.Seq, eventlog.ErrDamaged)
	}
	commit, err := parseCommit(partition, entries[0])
	if err != nil {
		return err
	}
	if commit.Hash != known.Hash {
		return &eventlog.LostTailError{Partition: partition, Known: known, Stored: commit.Head()}
	}
	return nil
}

// addTarget sets a position up to which the partition is durable.
func (f *followSession) addTarget(partition eventlog.Partition, to position) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if to.head.Seq > f.targets[partition].head.Seq {
		f.targets[partition].head = to.head
	}
	if to.lastOutcome.Compare(f.targets[partition].lastOutcome) > 0 {
		f.targets[partition].lastOutcome = to.lastOutcome
	}
	f.behind = true
	f.wake()
}

// batchOverhead estimates the memory of a batch in addition to its events' data.
const batchOverhead = 500

// addBatch adds a batch of this node. A follower that is far behind gets only its position.
func (f *followSession) addBatch(batch localBatch) {
	size := batchOverhead
	for i := range batch.Commits {
		for eventIndex := range batch.Commits[i].Events {
			size += len(batch.Commits[i].Events[eventIndex].Data)
		}
	}
	f.mu.Lock()
	if f.bytes+size > f.log.cfg.limits.tailBytes {
		f.mu.Unlock()
		f.addTarget(batch.Partition, batch.to)
		return
	}
	f.bytes += size
	f.batches = append(f.batches, batch)
	f.wake()
	f.mu.Unlock()
}

// fail makes the session return an error.
func (f *followSession) fail(err error) {
	f.mu.Lock()
	f.err = err
	f.wake()
	f.mu.Unlock()
}

// wake signals the session's goroutine. The caller holds f.mu.
func (f *followSession) wake() {
	f.wakeup.Notify()
}

// handledHeads returns the heads of the handled commits. They are zero for skipped partitions.
func (f *followSession) handledHeads() (heads eventlog.Positions) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for partition := range heads {
		heads[partition] = f.published[partition].head
	}
	return heads
}

// checkStored looks for lost tails, comparing the stored state with the heads that were handled before it was read,
// and sets the stored positions as targets.
func (f *followSession) checkStored(delivered eventlog.Positions, all *[eventlog.Partitions]partitionState, asked time.Time) {
	var lost []error
	f.mu.Lock()
	for partition, known := range delivered {
		if f.publishedSkipped[partition] {
			continue
		}
		if state := &all[partition]; state.loss != nil {
			lost = append(lost, state.loss)
		} else if gone := state.checkKnown(eventlog.Partition(partition), known); gone != nil {
			lost = append(lost, gone)
		}
	}
	if f.askedAt.IsZero() {
		f.askedAt = asked
	}
	f.mu.Unlock()
	if len(lost) > 0 {
		f.fail(errors.Join(lost...))
		return
	}
	for partition := range all {
		f.addTarget(eventlog.Partition(partition), all[partition].position)
	}
}

// staleness returns the age of the newest durable state that is completely handled.
func (f *followSession) staleness() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return time.Since(f.freshAt)
}

// handleNew handles everything that is known to be durable. In a replay that is much, and pages are read ahead. It may
// be called again after an error.
func (f *followSession) handleNew(ctx context.Context, replay bool) error {
	for {
		batches, targets, behind, err := f.takePending()
		if err != nil {
			return err
		}
		for i := range batches {
			if err := f.handleLocal(&batches[i]); err != nil {
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
		f.publishProgress()
		if replay && !behind {
			return nil
		}
	}
}

func (f *followSession) takePending() (batches []localBatch, targets [eventlog.Partitions]position, behind bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	batches, f.batches, f.bytes = f.batches, nil, 0
	behind, f.behind = f.behind, false
	return batches, f.targets, behind, f.err
}

// publishProgress copies the handled positions for other goroutines.
func (f *followSession) publishProgress() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.published = f.handled
	if !f.askedAt.IsZero() && !f.behind {
		f.freshAt, f.askedAt = f.askedAt, time.Time{}
	}
}

// handleLocal handles a batch of this node if it continues the handled entries. Otherwise it leaves it to catchUp.
func (f *followSession) handleLocal(batch *localBatch) error {
	at := &f.handled[batch.Partition]
	if f.skipped[batch.Partition] {
		return nil
	}
	if at.head != batch.from.head || at.lastOutcome != batch.from.lastOutcome {
		f.addTarget(batch.Partition, batch.to)
		return nil
	}
	*at = batch.to
	entries := make([]eventlog.Entry, 0, len(batch.Commits)+len(batch.Outcomes))
	for i := range batch.Commits {
		entries = append(entries, eventlog.Entry{Partition: batch.Partition, Commit: &batch.Commits[i]})
	}
	for i := range batch.Outcomes {
		entries = append(entries, eventlog.Entry{Partition: batch.Partition, Outcome: &batch.Outcomes[i]})
	}
	if len(entries) == 0 {
		return nil
	}
	return f.handle(entries)
}
