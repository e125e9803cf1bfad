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
func (i *Image) Run(ctx context.Context) error {
	err := i.run(ctx)
	reason := err
	if reason == nil {
		reason = context.Cause(ctx)
	}
	i.fault = fmt.Errorf("%w: %w", ErrHalted, reason)
	close(i.halted)
	if err != nil {
		i.savings.Wait()
		if errors.Is(err, ErrEpoch) {
			i.cfg.Logger.Info("the memory image ends", "reason", err)
			return err
		}
		i.cfg.Logger.Error("the memory image has halted", "error", err)
		return err
	}
	i.lastSnapshot()
	return nil
}

func (i *Image) run(ctx context.Context) error {
	err := i.begin(ctx)
	if err == nil {
		err = i.pursue(ctx)
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// pursue follows the log, anew whenever partitions have lost commits, and keeps the marks.
func (i *Image) pursue(ctx context.Context) error {
	keeping, stop := context.WithCancel(ctx)
	var kept sync.WaitGroup
	kept.Go(func() { i.keepMarks(keeping) })
	defer func() {
		stop()
		kept.Wait()
		i.writeMarks()
	}()
	for {
		err := i.follow(ctx)
		if lost := eventlog.LostTails(err); len(lost) > 0 {
			err = i.lose(ctx, lost)
		} else if over, unknown := i.epochOver(ctx); unknown == nil && over {
			err = ErrEpoch // what was lost and what came instead do not fit together
		}
		if err != nil {
			return err
		}
	}
}

// follow follows the log from what is applied.
func (i *Image) follow(ctx context.Context) error {
	f := &follower{image: i, began: make(chan struct{})}
	if !i.isLive() {
		f.replay = startPipeline(i)
	}
	i.mu.RLock()
	from := i.s.heads
	i.mu.RUnlock()
	watch := func(ctx context.Context) error { return i.watch(ctx, f.began) }
	err := beside(ctx, watch, func(following context.Context) error {
		following, f.stop = context.WithCancel(following)
		defer f.stop()
		return i.cfg.Log.Follow(following, from, f.deliver, f.goLive)
	})
	if fault := f.fault(); fault != nil {
		return fault
	}
	return fmt.Errorf("follow the log: %w", err)
}

// follower is where the log delivers: into the pipeline during the replay, straight into the
// image afterwards.
type follower struct {
	image  *Image
	replay *pipeline // nil once live
	halt   error
	stop   func()        // ends following, for when there may be nothing more to deliver
	began  chan struct{} // closed when all that was durable at the call is applied
}

func (f *follower) deliver(entries []eventlog.Entry) error {
	if f.replay != nil {
		return f.replay.send(slices.Clone(entries))
	}
	if f.halt != nil {
		return f.halt
	}
	b := &batch{entries: entries}
	b.decode()
	f.halt = f.image.take(b)
	return f.halt
}

// goLive ends the replay, if there is one.
func (f *follower) goLive() {
	f.drain()
	if f.halt != nil {
		f.stop()
		return
	}
	close(f.began)
	if f.image.isLive() {
		return
	}
	f.image.mu.Lock()
	f.image.s.finish()
	f.image.s.recent = newAftermaths()
	f.image.mu.Unlock()
	close(f.image.live)
	f.image.marks.note()
	f.image.snapshotIfDue()
}

func (f *follower) drain() {
	if f.replay != nil {
		f.halt = f.replay.close()
		f.replay = nil
	}
}

func (f *follower) fault() error {
	f.drain()
	return f.halt
}

// batch is a group of entries on its way into the image.
type batch struct {
	entries  []eventlog.Entry
	payloads []domain.Payload // of the commits' events, one after the other
	err      error            // why the entry after the last one cannot be read
	decoded  chan struct{}
}

// decode reads the events; entries from the first unreadable commit on are cut off.
func (b *batch) decode() {
	for n, e := range b.entries {
		if e.Commit == nil {
			continue
		}
		for k := range e.Commit.Events {
			p, err := domain.DecodeEvent(e.Commit.Events[k].Type, e.Commit.Events[k].Data)
			if err != nil {
				b.entries, b.err = b.entries[:n], faultAt(e.Commit, err)
				return
			}
			b.payloads = append(b.payloads, p)
		}
	}
}

func faultAt(c *eventlog.Commit, err error) error {
	return fmt.Errorf("partition %d, commit %d cannot be applied: %w", c.Partition, c.Seq, err)
}

// take applies a decoded batch, makes it known, and returns why the image must halt, if it must.
func (i *Image) take(b *batch) error {
	i.mu.Lock()
	err := i.apply(b)
	fired := i.s.fired
	i.s.fired = nil
	i.mu.Unlock()
	for _, ch := range fired {
		close(ch)
	}
	i.announce(b.entries)
	if i.cfg.Applied != nil && len(b.entries) > 0 {
		i.cfg.Applied(b.entries)
	}
	if i.isLive() {
		i.marks.note()
		i.snapshotIfDue()
	}
	return err
}

// apply folds the batch up to the first fault, which it returns. The caller holds the lock.
func (i *Image) apply(b *batch) error {
	rest := b.payloads
	for n, e := range b.entries {
		if e.Commit == nil {
			continue
		}
		count := len(e.Commit.Events)
		if err := i.s.apply(e.Commit, rest[:count]); err != nil {
			b.entries = b.entries[:n]
			return faultAt(e.Commit, err)
		}
		rest = rest[count:]
		i.sinceSnapshot++
	}
	return b.err
}

// announce wakes those who wait for one of the batch's partitions.
func (i *Image) announce(entries []eventlog.Entry) {
	if i.waiting.Load() == 0 {
		return
	}
	var seen [eventlog.Partitions]bool
	for _, e := range entries {
		if e.Commit != nil && !seen[e.Partition] {
			seen[e.Partition] = true
			i.arrivals[e.Partition].fire()
		}
	}
}

// pipeline decodes batches on goroutines of their own during a replay and applies them in order.
type pipeline struct {
	work, order chan *batch
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

func startPipeline(i *Image) *pipeline {
	p := &pipeline{
		work: make(chan *batch, pipelineDepth), order: make(chan *batch, pipelineDepth),
		failed: make(chan struct{}), done: make(chan struct{}),
	}
	for range decoders {
		go func() {
			for b := range p.work {
				b.decode()
				close(b.decoded)
			}
		}()
	}
	go p.apply(i)
	return p
}

// apply takes the batches in the order in which they came. After a fault it lets the rest pass.
func (p *pipeline) apply(i *Image) {
	defer close(p.done)
	for b := range p.order {
		<-b.decoded
		if p.err != nil {
			continue
		}
		if p.err = i.take(b); p.err != nil {
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
	b := &batch{entries: entries, decoded: make(chan struct{})}
	p.work <- b
	p.order <- b
	return nil
}

// close waits until everything sent is applied and returns the fault, if there was one.
func (p *pipeline) close() error {
	close(p.work)
	close(p.order)
	<-p.done
	return p.err
}
