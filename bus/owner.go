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
	"tandem/eventlog/wakeup"
)

const (
	maxQueued        = 1024           // decided commands that wait for an append, before the handler blocks
	receiptRetention = 24 * time.Hour // how long an idempotency key is valid
)

// errInconsistent means that a panic during the fold left part of a refused command in the state.
var errInconsistent = errors.New("the state holds part of a command")

// owner decides the commands of one partition while this process owns it.
//
// The router's goroutine decides commands and queues them, under mu. The owner's goroutine appends the
// queue. After any failed append the owner drops all state that is not durable and reads the command
// queue again from the stored checkpoint.
type owner struct {
	bus       *Bus
	partition eventlog.Partition
	topic     string
	wake      wakeup.Signal // pending while the queue is not empty
	drained   *sync.Cond    // on mu; signalled when the queue is taken or dropped
	startOnce sync.Once
	backoff   backoff

	mu         sync.Mutex
	running    bool
	generation uint64 // of the topic's gate; messages of other generations are stale
	state      ownerState
}

// ownerState is the state on which an owner decides. It is ahead of the log by the commits in flight.
type ownerState struct {
	fork           *domain.World     // entities, over those of the read model
	versions       map[string]uint64 // of streams with commits in flight, and of those read since
	receipts       map[eventlog.CommandID]eventlog.Receipt
	receiptsByAge  []eventlog.Receipt // the oldest first
	head           eventlog.Head
	lastRecordedAt time.Time      // of the last commit
	queue          eventlog.Batch // the next append
	queuedCommands int            // commands in queue
	kvWrites       []kvWrite      // that the next append includes
	inconsistent   bool           // fork has, or may have, events that are not in queue; no decision can use it
}

func newOwner(bus *Bus, partition eventlog.Partition) *owner {
	created := &owner{bus: bus, partition: partition, topic: eventlog.Topic(partition), wake: wakeup.New()}
	created.backoff.logger = bus.cfg.Logger.With("partition", partition)
	created.drained = sync.NewCond(&created.mu)
	return created
}

// handle is the router's handler. It never returns an error: a message that cannot be handled becomes
// an outcome or a dead letter, and a message of an earlier generation is dispatched again.
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
	o.wake.Notify()
	return nil
}

// run owns the partition until ctx ends. After a lost lease it acquires the partition again.
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
			o.bus.cfg.Logger.Warn("a partition could not be released; its lease will expire", "partition", o.partition, "error", err)
		}
	}
}

// shouldRetry reports whether the owner continues after a failure, of an append (appends) or of an
// earlier step. It waits for the backoff first, unless the lease is lost. A failure that no retry can
// repair stops the whole bus.
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

// serve decides from the stored head and checkpoint on and appends the decisions, until the lease or
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
			continue // the command that panicked is behind the checkpoint
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

// start makes the durable state the one to decide on and opens the command queue at the checkpoint.
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
		return fmt.Errorf("read the receipts: %w", err)
	}
	last, err := o.lastCommitTime(ctx, head)
	if err != nil {
		return fmt.Errorf("read the last commit: %w", err)
	}
	if err := o.waitForReadModel(ctx, lease, head.Seq); err != nil {
		return fmt.Errorf("wait for the read model: %w", err)
	}
	// A decision on a different history than the one it is appended to could be wrong undetected.
	if applied := o.bus.cfg.ReadModel.Head(o.partition); applied != head {
		return fmt.Errorf("the read model is at commit %d (%.12s), the log at %d (%.12s)", applied.Seq, applied.Hash, head.Seq, head.Hash)
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
	o.bus.ownershipChanged.Notify()
	return nil
}

// waitForReadModel waits until the read model has applied the commit with the given number. It ends with
// the lease, because a lost commit never arrives.
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

// lastCommitTime returns when the commit at the head was recorded; the zero time for an empty partition.
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

// stop drops the state that is not durable and pauses the command queue.
func (o *owner) stop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.running = false
	completeWrites(o.state.kvWrites, ErrNotOwner)
	o.state = ownerState{}
	o.bus.subscriber.Pause(o.topic)
	o.drained.Broadcast()
	o.bus.ownershipChanged.Notify()
}

// appendLoop appends the queue, one append at a time, until the lease or ctx ends (nil) or an append
// fails. When ctx ends it appends the rest of the queue.
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

// flush appends the queue. The end of ctx does not interrupt the append, so that its result is known.
// With errInconsistent the append has succeeded too.
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

// dequeue takes the queue and unblocks the handler. The batch is nil if the queue is empty.
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
