package projections

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"tandem/domain"
	"tandem/eventlog"
)

// follower keeps the store up to date with the log.
type follower struct {
	log       Log
	logger    *slog.Logger
	applied   func([]eventlog.Entry) // see Config
	present   *present
	lifecycle *lifecycle
	waits     *headWaits
	names     *nameReader
	losses    *lossHandler
	seen      *seenHeads
	snapshots *snapshotWriter
}

// run restores, replays and follows; see ReadModel.Run.
func (f *follower) run(ctx context.Context) error {
	err := f.restoreAndCompare(ctx)
	if err == nil {
		err = f.followUntilDone(ctx)
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = nil
	}
	f.lifecycle.halt(cmp.Or(err, context.Cause(ctx)))
	switch {
	case err == nil:
		f.snapshots.finish()
		return nil
	case errors.Is(err, ErrEpoch):
		f.logger.Info("the read model ends", "reason", err)
	default:
		f.logger.Error("the read model has halted", "error", err)
	}
	f.snapshots.running.Wait()
	return err
}

// followUntilDone follows the log, again whenever partitions have lost commits, and writes the seen heads.
func (f *follower) followUntilDone(ctx context.Context) error {
	keeping, stop := context.WithCancel(ctx)
	var kept sync.WaitGroup
	kept.Go(func() { f.seen.keep(keeping) })
	defer func() {
		stop()
		kept.Wait()
		f.seen.write()
	}()
	for {
		err := f.follow(ctx)
		if lost := eventlog.LostTails(err); len(lost) > 0 {
			err = f.losses.handle(ctx, lost)
		} else if over, unknown := f.losses.epochChanged(ctx); unknown == nil && over {
			err = ErrEpoch // the commits after an accepted loss do not continue those applied
		}
		if err != nil {
			return err
		}
	}
}

// follow calls Follow of the log from the applied heads on.
func (f *follower) follow(ctx context.Context) error {
	session := &session{follower: f, ctx: ctx, caughtUp: make(chan struct{})}
	if !f.lifecycle.isLive() {
		session.replay = startPipeline(f)
	}
	watch := func(ctx context.Context) error { return f.losses.watch(ctx, session.caughtUp) }
	err := runWatched(ctx, watch, func(following context.Context) error {
		following, session.stop = context.WithCancel(following)
		defer session.stop()
		return f.log.Follow(following, f.present.heads(), session.accept, session.goLive)
	})
	if fault := session.result(); fault != nil {
		return fault
	}
	return fmt.Errorf("follow the log: %w", err)
}

// session is one call of Follow. During the replay its entries go through the pipeline, afterwards they are
// applied at once.
type session struct {
	follower *follower
	ctx      context.Context // of reads of names
	replay   *pipeline       // nil once live
	err      error
	stop     func()        // ends the call, which may have no further entry to pass on
	caughtUp chan struct{} // closed when all commits that were durable at the call are applied
}

func (s *session) accept(entries []eventlog.Entry) error {
	if s.replay != nil {
		return s.replay.send(slices.Clone(entries))
	}
	if s.err != nil {
		return s.err
	}
	group := &entryGroup{entries: entries}
	group.decode()
	renamed, err := s.follower.names.readChanged(s.ctx, group)
	if err == nil {
		err = s.follower.applyGroup(group, renamed)
	}
	s.err = err
	return s.err
}

// goLive ends the replay, if this is the first session.
func (s *session) goLive() {
	s.drain()
	follower := s.follower
	if s.err == nil && !follower.lifecycle.isLive() {
		s.err = follower.names.readAll(s.ctx)
	}
	if s.err != nil {
		s.stop()
		return
	}
	close(s.caughtUp)
	if follower.lifecycle.isLive() {
		return
	}
	follower.present.mu.Lock()
	follower.present.store.endReplay()
	follower.present.store.postStates = newPostStates()
	follower.present.mu.Unlock()
	close(follower.lifecycle.live)
	follower.seen.signal()
	follower.snapshots.startIfDue()
}

func (s *session) drain() {
	if s.replay != nil {
		s.err = s.replay.close()
		s.replay = nil
	}
}

func (s *session) result() error {
	s.drain()
	return s.err
}

// applyGroup applies a decoded group, wakes waiting goroutines, and returns the error that must halt the read
// model, if any. The group has changed the names of the members that are renamed.
func (f *follower) applyGroup(group *entryGroup, renamed []domain.MemberRef) error {
	err := f.present.change(func(state *store) error {
		for _, ref := range renamed {
			state.markRenamed(ref)
		}
		return f.apply(state, group)
	})
	f.waits.wake(group.entries)
	if f.applied != nil && len(group.entries) > 0 {
		f.applied(group.entries)
	}
	if f.lifecycle.isLive() {
		f.seen.signal()
		f.snapshots.startIfDue()
	}
	return err
}

// apply folds the group up to the first error, which it returns.
func (f *follower) apply(state *store, group *entryGroup) error {
	rest := group.payloads
	for n, entry := range group.entries {
		if entry.Commit == nil {
			continue
		}
		count := len(entry.Commit.Events)
		if err := state.apply(entry.Commit, rest[:count]); err != nil {
			group.entries = group.entries[:n]
			return commitError(entry.Commit, err)
		}
		rest = rest[count:]
		f.snapshots.since++
	}
	return group.err
}

// pipeline decodes groups on several goroutines during a replay and applies them in order.
type pipeline struct {
	work, order chan *entryGroup
	failed      chan struct{} // closed after err was set
	err         error
	done        chan struct{}
}

// pipelineDepth bounds the number of groups between the stages, and with it the memory they take.
const pipelineDepth = 16

func startPipeline(follower *follower) *pipeline {
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
	go pipe.apply(follower)
	return pipe
}

// apply applies the groups in the order in which they were sent. After an error it discards the rest.
func (p *pipeline) apply(follower *follower) {
	defer close(p.done)
	for group := range p.order {
		<-group.decoded
		if p.err != nil {
			continue
		}
		if p.err = follower.applyGroup(group, nil); p.err != nil {
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

// close waits until all groups are applied and returns the error, if any.
func (p *pipeline) close() error {
	close(p.work)
	close(p.order)
	<-p.done
	return p.err
}
