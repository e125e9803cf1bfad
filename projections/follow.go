package projections

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"tandem/domain"
	"tandem/eventlog"
)

// Run restores the snapshot, replays what came after it and follows the log until ctx ends; then
// it writes a snapshot and returns nil. A partition that has lost commits is halted, and the others
// go on; see Lost. A fault ends Run with an error: an event that cannot be read, or the log's own.
// ErrEpoch ends it when a loss was accepted; a new image must be made then. It runs once.
func (m *ReadModel) Run(ctx context.Context) error {
	err := m.run(ctx)
	reason := err
	if reason == nil {
		reason = context.Cause(ctx)
	}
	m.haltReason = fmt.Errorf("%w: %w", ErrHalted, reason)
	close(m.halted)
	if err != nil {
		m.snapshotWriters.Wait()
		if errors.Is(err, ErrEpoch) {
			m.cfg.Logger.Info("the memory image ends", "reason", err)
			return err
		}
		m.cfg.Logger.Error("the memory image has halted", "error", err)
		return err
	}
	m.lastSnapshot()
	return nil
}

func (m *ReadModel) run(ctx context.Context) error {
	err := m.restoreAndCompare(ctx)
	if err == nil {
		err = m.followUntilDone(ctx)
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// followUntilDone follows the log, anew whenever partitions have lost commits, and keeps the marks.
func (m *ReadModel) followUntilDone(ctx context.Context) error {
	keeping, stop := context.WithCancel(ctx)
	var kept sync.WaitGroup
	kept.Go(func() { m.keepSeenHeads(keeping) })
	defer func() {
		stop()
		kept.Wait()
		m.writeSeenHeads()
	}()
	for {
		err := m.follow(ctx)
		if lost := eventlog.LostTails(err); len(lost) > 0 {
			err = m.handleLosses(ctx, lost)
		} else if over, unknown := m.epochChanged(ctx); unknown == nil && over {
			err = ErrEpoch // what was lost and what came instead do not fit together
		}
		if err != nil {
			return err
		}
	}
}

// follow follows the log from what is applied.
func (m *ReadModel) follow(ctx context.Context) error {
	follower := &follower{model: m, caughtUp: make(chan struct{})}
	if !m.isLive() {
		follower.replay = startPipeline(m)
	}
	m.mu.RLock()
	from := m.store.heads
	m.mu.RUnlock()
	watch := func(ctx context.Context) error { return m.watchLosses(ctx, follower.caughtUp) }
	err := runWatched(ctx, watch, func(following context.Context) error {
		following, follower.stop = context.WithCancel(following)
		defer follower.stop()
		return m.cfg.Log.Follow(following, from, follower.accept, follower.goLive)
	})
	if fault := follower.result(); fault != nil {
		return fault
	}
	return fmt.Errorf("follow the log: %w", err)
}

// follower is where the log delivers: into the pipeline during the replay, straight into the
// image afterwards.
type follower struct {
	model    *ReadModel
	replay   *pipeline // nil once live
	err      error
	stop     func()        // ends following, for when there may be nothing more to deliver
	caughtUp chan struct{} // closed when all that was durable at the call is applied
}

func (f *follower) accept(entries []eventlog.Entry) error {
	if f.replay != nil {
		return f.replay.send(slices.Clone(entries))
	}
	if f.err != nil {
		return f.err
	}
	group := &entryGroup{entries: entries}
	group.decode()
	f.err = f.model.applyGroup(group)
	return f.err
}

// goLive ends the replay, if there is one.
func (f *follower) goLive() {
	f.drain()
	if f.err != nil {
		f.stop()
		return
	}
	close(f.caughtUp)
	if f.model.isLive() {
		return
	}
	f.model.mu.Lock()
	f.model.store.endReplay()
	f.model.store.postStates = newPostStates()
	f.model.mu.Unlock()
	close(f.model.live)
	f.model.seenHeads.signal()
	f.model.snapshotIfDue()
}

func (f *follower) drain() {
	if f.replay != nil {
		f.err = f.replay.close()
		f.replay = nil
	}
}

func (f *follower) result() error {
	f.drain()
	return f.err
}

// entryGroup is a group of entries on its way into the image.
type entryGroup struct {
	entries  []eventlog.Entry
	payloads []domain.Payload // of the commits' events, one after the other
	err      error            // why the entry after the last one cannot be read
	decoded  chan struct{}
}

// decode reads the events; entries from the first unreadable commit on are cut off.
func (b *entryGroup) decode() {
	for n, entry := range b.entries {
		if entry.Commit == nil {
			continue
		}
		for k := range entry.Commit.Events {
			payload, err := domain.DecodeEvent(entry.Commit.Events[k].Type, entry.Commit.Events[k].Data)
			if err != nil {
				b.entries, b.err = b.entries[:n], commitError(entry.Commit, err)
				return
			}
			b.payloads = append(b.payloads, payload)
		}
	}
}

func commitError(commit *eventlog.Commit, err error) error {
	return fmt.Errorf("partition %d, commit %d cannot be applied: %w", commit.Partition, commit.Seq, err)
}

// applyGroup applies a decoded batch, makes it known, and returns why the image must halt, if it must.
func (m *ReadModel) applyGroup(group *entryGroup) error {
	m.mu.Lock()
	err := m.apply(group)
	fired := m.store.toWake
	m.store.toWake = nil
	m.mu.Unlock()
	for _, ch := range fired {
		close(ch)
	}
	m.wakeHeadWaiters(group.entries)
	if m.cfg.Applied != nil && len(group.entries) > 0 {
		m.cfg.Applied(group.entries)
	}
	if m.isLive() {
		m.seenHeads.signal()
		m.snapshotIfDue()
	}
	return err
}

// apply folds the batch up to the first fault, which it returns. The caller holds the lock.
func (m *ReadModel) apply(group *entryGroup) error {
	rest := group.payloads
	for n, entry := range group.entries {
		if entry.Commit == nil {
			continue
		}
		count := len(entry.Commit.Events)
		if err := m.store.apply(entry.Commit, rest[:count]); err != nil {
			group.entries = group.entries[:n]
			return commitError(entry.Commit, err)
		}
		rest = rest[count:]
		m.sinceSnapshot++
	}
	return group.err
}

// wakeHeadWaiters wakes those who wait for one of the batch's partitions.
func (m *ReadModel) wakeHeadWaiters(entries []eventlog.Entry) {
	if m.headWaiters.Load() == 0 {
		return
	}
	var seen [eventlog.Partitions]bool
	for _, entry := range entries {
		if entry.Commit != nil && !seen[entry.Partition] {
			seen[entry.Partition] = true
			m.headSignals[entry.Partition].fire()
		}
	}
}

// pipeline decodes batches on goroutines of their own during a replay and applies them in order.
type pipeline struct {
	work, order chan *entryGroup
	failed      chan struct{} // closed with err set
	err         error
	done        chan struct{}
}

// The replay has decoders beside the log's reader and the applier; more would not help on two
// cores. The depth bounds what is in memory between the stages.
const (
	decoders      = 2
	pipelineDepth = 16
)

func startPipeline(model *ReadModel) *pipeline {
	pipe := &pipeline{
		work: make(chan *entryGroup, pipelineDepth), order: make(chan *entryGroup, pipelineDepth),
		failed: make(chan struct{}), done: make(chan struct{}),
	}
	for range decoders {
		go func() {
			for group := range pipe.work {
				group.decode()
				close(group.decoded)
			}
		}()
	}
	go pipe.apply(model)
	return pipe
}

// apply takes the batches in the order in which they came. After a fault it lets the rest pass.
func (p *pipeline) apply(model *ReadModel) {
	defer close(p.done)
	for group := range p.order {
		<-group.decoded
		if p.err != nil {
			continue
		}
		if p.err = model.applyGroup(group); p.err != nil {
			close(p.failed)
		}
	}
}

func (p *pipeline) send(entries []eventlog.Entry) error {
	select {
	case <-p.failed:
		return p.err
	default:
	}
	group := &entryGroup{entries: entries, decoded: make(chan struct{})}
	p.work <- group
	p.order <- group
	return nil
}

// close waits until everything sent is applied and returns the fault, if there was one.
func (p *pipeline) close() error {
	close(p.work)
	close(p.order)
	<-p.done
	return p.err
}
