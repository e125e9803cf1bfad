package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"tandem/domain"
	"tandem/eventlog"
)

const (
	maxQueued        = 1024           // decided commands that wait for an append; more make the handler wait
	receiptRetention = 24 * time.Hour // how long a client's key is remembered
)

// errInconsistent: a panic left the state with a part of a command that was refused for it.
var errInconsistent = errors.New("the state holds a part of a command")

// owner decides the commands of one partition while this process owns it.
//
// The router's goroutine decides under mu and queues; the owner's own goroutine appends what is
// queued. Whatever goes wrong with an append, all that was not durable is dropped and the inbox is
// read again from the stored checkpoint.
type owner struct {
	bus       *Bus
	partition eventlog.Partition
	topic     string
	wake      chan struct{} // holds a signal while something is queued
	drained   *sync.Cond    // on mu; signalled when the queue was taken or given up
	startOnce sync.Once
	backoff   backoff

	mu         sync.Mutex
	running    bool
	generation uint64 // of the topic's gate; messages of another one are stale
	state      ownerState
}

// ownerState is what an owner knows, ahead of what is durable.
type ownerState struct {
	fork           *domain.World
	versions       map[string]uint64 // of the streams that have commits in flight or were asked for
	receipts       map[eventlog.CommandID]eventlog.Receipt
	receiptsByAge  []eventlog.Receipt // the records in the order of their age
	head           eventlog.Head
	lastRecordedAt time.Time // of the last commit
	queue          eventlog.Batch
	queuedCommands int // commands in queue
	kvWrites       []kvWrite
	inconsistent   bool // state is ahead of queue, or was when something panicked: nothing can be decided on it
}

func newOwner(bus *Bus, partition eventlog.Partition) *owner {
	created := &owner{bus: bus, partition: partition, topic: eventlog.Topic(partition), wake: make(chan struct{}, 1)}
	created.backoff.logger = bus.cfg.Logger.With("partition", partition)
	created.drained = sync.NewCond(&created.mu)
	return created
}

// handle is the router's handler. It never returns an error: a message that cannot be handled is
// an outcome, and one of an earlier generation comes again.
func (o *owner) handle(msg *message.Message) error {
	offset, generation := Origin(msg)
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.running && generation == o.generation && o.state.queuedCommands >= maxQueued {
		o.drained.Wait()
	}
	if !o.running || generation != o.generation || o.state.inconsistent {
		return nil
	}
	o.process(msg, offset)
	o.wakeAppender()
	return nil
}

func (o *owner) wakeAppender() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// run owns the partition until ctx ends, again and again if the log takes it away.
func (o *owner) run(ctx context.Context) {
	for ctx.Err() == nil {
		lease, err := o.bus.cfg.Log.Own(ctx, o.partition)
		if err != nil {
			if !o.shouldRetry(ctx, nil, fmt.Errorf("own the partition: %w", err), false) {
				return
			}
			continue
		}
		o.serve(ctx, lease)
		if err := lease.Release(context.WithoutCancel(ctx)); err != nil {
			o.bus.cfg.Logger.Warn("a partition could not be given up; its lease will run out", "partition", o.partition, "error", err)
		}
	}
}

// shouldRetry reports whether to go on after a failure, of an append or of what comes before; it waits
// a moment first, unless the lease is lost. What no trying again can mend stops the whole bus.
func (o *owner) shouldRetry(ctx context.Context, lost <-chan struct{}, err error, appends bool) bool {
	if errors.Is(err, eventlog.ErrStopped) || errors.Is(err, eventlog.ErrDamaged) || errors.Is(err, eventlog.ErrNewer) {
		o.bus.fail(err)
		<-ctx.Done()
	}
	if ctx.Err() != nil {
		return false
	}
	select {
	case <-time.After(o.backoff.failed(err, appends)):
		return true
	case <-lost:
		return true
	case <-ctx.Done():
		return false
	}
}

// serve begins at the stored head and checkpoint and appends what is decided, until the lease or
// ctx ends.
func (o *owner) serve(ctx context.Context, lease eventlog.Lease) {
	for !isLost(lease) {
		err := o.start(ctx, lease)
		began := err == nil
		if began {
			o.backoff.succeeded(false)
			err = o.appendLoop(ctx, lease)
		}
		o.stop()
		if errors.Is(err, errInconsistent) && ctx.Err() == nil {
			continue // the command over which it was torn is behind the checkpoint
		}
		if err == nil || isLost(lease) || !o.shouldRetry(ctx, lease.Lost(), err, began) {
			return
		}
	}
}

func isLost(lease eventlog.Lease) bool {
	select {
	case <-lease.Lost():
		return true
	default:
		return false
	}
}

// start takes the durable state as the one to decide on and opens the inbox at the checkpoint.
func (o *owner) start(ctx context.Context, lease eventlog.Lease) error {
	log := o.bus.cfg.Log
	head, err := log.Head(ctx, o.partition)
	if err != nil {
		return fmt.Errorf("read the head: %w", err)
	}
	checkpoint, err := log.Checkpoint(ctx, o.topic)
	if err != nil {
		return fmt.Errorf("read the checkpoint: %w", err)
	}
	receipts, err := log.Receipts(ctx, o.partition, o.bus.cfg.Now().Add(-receiptRetention))
	if err != nil {
		return fmt.Errorf("read the records: %w", err)
	}
	last, err := o.lastCommitTime(ctx, head)
	if err != nil {
		return fmt.Errorf("read the last commit: %w", err)
	}
	if err := o.waitForReadModel(ctx, lease, head.Seq); err != nil {
		return fmt.Errorf("wait for the image: %w", err)
	}
	// What is decided on another history than the one it is appended to may be wrong without any trace.
	if shown := o.bus.cfg.ReadModel.Head(o.partition); shown != head {
		return fmt.Errorf("the image is at commit %d (%.12s), the log at %d (%.12s)", shown.Seq, shown.Hash, head.Seq, head.Hash)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.state = ownerState{
		fork:           domain.NewFork(o.bus.cfg.ReadModel.State(o.partition)),
		versions:       make(map[string]uint64),
		receipts:       make(map[eventlog.CommandID]eventlog.Receipt, len(receipts)),
		head:           head,
		lastRecordedAt: last,
		queue:          eventlog.Batch{Partition: o.partition, Fence: lease.Fence(), Head: head, From: checkpoint, To: checkpoint},
	}
	for _, receipt := range receipts {
		o.state.rememberReceipt(receipt)
	}
	o.running = true
	o.generation = o.bus.subscriber.Resume(o.topic, checkpoint)
	o.startOnce.Do(o.bus.ownerStarted)
	o.bus.signalOwnershipChange()
	return nil
}

// waitForReadModel waits as long as the lease holds: a commit that is lost never comes.
func (o *owner) waitForReadModel(ctx context.Context, lease eventlog.Lease, seq uint64) error {
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	watching.Go(func() {
		select {
		case <-lease.Lost():
			cancel()
		case <-ctx.Done():
		}
	})
	return o.bus.cfg.ReadModel.WaitHead(ctx, o.partition, seq)
}

func (o *owner) lastCommitTime(ctx context.Context, head eventlog.Head) (time.Time, error) {
	if head.Seq == 0 {
		return time.Time{}, nil
	}
	commits, err := o.bus.cfg.Log.Read(ctx, o.partition, []uint64{head.Seq})
	if err != nil {
		return time.Time{}, err
	}
	return commits[0].RecordedAt, nil
}

// stop gives up what is decided and not durable.
func (o *owner) stop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.running = false
	completeWrites(o.state.kvWrites, ErrNotOwner)
	o.state = ownerState{}
	o.bus.subscriber.Pause(o.topic)
	o.drained.Broadcast()
	o.bus.signalOwnershipChange()
}

// appendLoop appends what is queued, one append at a time, until the lease or ctx ends (nil) or an
// append fails. At the end of ctx it appends what is left.
func (o *owner) appendLoop(ctx context.Context, lease eventlog.Lease) error {
	for {
		select {
		case <-o.wake:
		case <-lease.Lost():
			return nil
		case <-ctx.Done():
			return o.flush(ctx)
		}
		if err := o.flush(ctx); err != nil {
			return err
		}
	}
}

// flush appends what is queued. The append is not cut short by the end of ctx, so that its
// outcome is known. After errTorn it is stored all the same.
func (o *owner) flush(ctx context.Context) error {
	batch, writes, inconsistent := o.dequeue()
	if batch == nil {
		return nil
	}
	err := o.bus.cfg.Log.Append(context.WithoutCancel(ctx), *batch)
	completeWrites(writes, err)
	if err != nil {
		return fmt.Errorf("append %d commits: %w", len(batch.Commits), err)
	}
	o.backoff.succeeded(true)
	if inconsistent {
		return errInconsistent
	}
	return nil
}

// dequeue takes what is queued and lets the handler go on behind it. A nil batch is nothing.
func (o *owner) dequeue() (batch *eventlog.Batch, writes []kvWrite, inconsistent bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	state := &o.state
	if state.queuedCommands == 0 && len(state.kvWrites) == 0 {
		return nil, nil, false
	}
	taken := state.queue
	batch, writes, state.kvWrites = &taken, state.kvWrites, nil
	appendPuts(writes, batch)
	state.queue = eventlog.Batch{Partition: o.partition, Fence: batch.Fence, Head: state.head, From: batch.To, To: batch.To}
	state.queuedCommands = 0
	state.prune(o.bus.cfg.ReadModel.Head(o.partition).Seq)
	o.drained.Broadcast()
	return batch, writes, state.inconsistent
}
