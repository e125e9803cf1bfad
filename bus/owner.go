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
	maxQueued   = 1024           // decided commands that wait for an append; more make the handler wait
	recordsKept = 24 * time.Hour // how long a client's key is remembered
)

// errTorn: a panic left the state with a part of a command that was refused for it.
var errTorn = errors.New("the state holds a part of a command")

// owner decides the commands of one partition while this process owns it.
//
// The router's goroutine decides under mu and queues; the owner's own goroutine appends what is
// queued. Whatever goes wrong with an append, all that was not durable is dropped and the inbox is
// read again from the stored checkpoint.
type owner struct {
	bus      *Bus
	p        eventlog.Partition
	topic    string
	wake     chan struct{} // holds a signal while something is queued
	room     *sync.Cond    // on mu; signalled when the queue was taken or given up
	begun    sync.Once
	setbacks setbacks

	mu         sync.Mutex
	running    bool
	generation uint64 // of the topic's gate; messages of another one are stale
	decided    decided
}

// decided is what an owner knows, ahead of what is durable.
type decided struct {
	state    *domain.World
	versions map[string]uint64 // of the streams that have commits in flight or were asked for
	records  map[eventlog.CommandID]eventlog.Record
	oldest   []eventlog.Record // the records in the order of their age
	head     eventlog.Head
	last     time.Time // of the last commit
	queue    eventlog.Batch
	queued   int // commands in queue
	keepers  []keeper
	torn     bool // state is ahead of queue, or was when something panicked: nothing can be decided on it
}

func newOwner(b *Bus, p eventlog.Partition) *owner {
	o := &owner{bus: b, p: p, topic: eventlog.Topic(p), wake: make(chan struct{}, 1)}
	o.setbacks.logger = b.cfg.Logger.With("partition", p)
	o.room = sync.NewCond(&o.mu)
	return o
}

// handle is the router's handler. It never returns an error: a message that cannot be handled is
// an outcome, and one of an earlier generation comes again.
func (o *owner) handle(msg *message.Message) error {
	offset, generation := Origin(msg)
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.running && generation == o.generation && o.decided.queued >= maxQueued {
		o.room.Wait()
	}
	if !o.running || generation != o.generation || o.decided.torn {
		return nil
	}
	o.take(msg, offset)
	o.wakeUp()
	return nil
}

func (o *owner) wakeUp() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// run owns the partition until ctx ends, again and again if the log takes it away.
func (o *owner) run(ctx context.Context) {
	for ctx.Err() == nil {
		lease, err := o.bus.cfg.Log.Own(ctx, o.p)
		if err != nil {
			if !o.survives(ctx, nil, fmt.Errorf("own the partition: %w", err), false) {
				return
			}
			continue
		}
		o.serve(ctx, lease)
		if err := lease.Release(context.WithoutCancel(ctx)); err != nil {
			o.bus.cfg.Logger.Warn("a partition could not be given up; its lease will run out", "partition", o.p, "error", err)
		}
	}
}

// survives reports whether to go on after a failure, of an append or of what comes before; it waits
// a moment first, unless the lease is lost. What no trying again can mend stops the whole bus.
func (o *owner) survives(ctx context.Context, lost <-chan struct{}, err error, appends bool) bool {
	if errors.Is(err, eventlog.ErrStopped) || errors.Is(err, eventlog.ErrDamaged) || errors.Is(err, eventlog.ErrNewer) {
		o.bus.fail(err)
		<-ctx.Done()
	}
	if ctx.Err() != nil {
		return false
	}
	select {
	case <-time.After(o.setbacks.failed(err, appends)):
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
	for !ended(lease) {
		err := o.begin(ctx, lease)
		began := err == nil
		if began {
			o.setbacks.worked(false)
			err = o.commit(ctx, lease)
		}
		o.stop()
		if errors.Is(err, errTorn) && ctx.Err() == nil {
			continue // the command over which it was torn is behind the checkpoint
		}
		if err == nil || ended(lease) || !o.survives(ctx, lease.Lost(), err, began) {
			return
		}
	}
}

func ended(lease eventlog.Lease) bool {
	select {
	case <-lease.Lost():
		return true
	default:
		return false
	}
}

// begin takes the durable state as the one to decide on and opens the inbox at the checkpoint.
func (o *owner) begin(ctx context.Context, lease eventlog.Lease) error {
	log := o.bus.cfg.Log
	head, err := log.Head(ctx, o.p)
	if err != nil {
		return fmt.Errorf("read the head: %w", err)
	}
	checkpoint, err := log.Checkpoint(ctx, o.topic)
	if err != nil {
		return fmt.Errorf("read the checkpoint: %w", err)
	}
	records, err := log.Records(ctx, o.p, o.bus.cfg.Now().Add(-recordsKept))
	if err != nil {
		return fmt.Errorf("read the records: %w", err)
	}
	last, err := o.lastTime(ctx, head)
	if err != nil {
		return fmt.Errorf("read the last commit: %w", err)
	}
	if err := o.waitImage(ctx, lease, head.Seq); err != nil {
		return fmt.Errorf("wait for the image: %w", err)
	}
	// What is decided on another history than the one it is appended to may be wrong without any trace.
	if shown := o.bus.cfg.Image.Head(o.p); shown != head {
		return fmt.Errorf("the image is at commit %d (%.12s), the log at %d (%.12s)", shown.Seq, shown.Hash, head.Seq, head.Hash)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.decided = decided{
		state:    domain.NewFork(o.bus.cfg.Image.State(o.p)),
		versions: make(map[string]uint64),
		records:  make(map[eventlog.CommandID]eventlog.Record, len(records)),
		head:     head,
		last:     last,
		queue:    eventlog.Batch{Partition: o.p, Fence: lease.Fence(), Head: head, From: checkpoint, To: checkpoint},
	}
	for _, r := range records {
		o.decided.remember(r)
	}
	o.running = true
	o.generation = o.bus.subscriber.Resume(o.topic, checkpoint)
	o.begun.Do(o.bus.began)
	o.bus.announceMove()
	return nil
}

// waitImage waits as long as the lease holds: a commit that is lost never comes.
func (o *owner) waitImage(ctx context.Context, lease eventlog.Lease, seq uint64) error {
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
	return o.bus.cfg.Image.WaitHead(ctx, o.p, seq)
}

func (o *owner) lastTime(ctx context.Context, head eventlog.Head) (time.Time, error) {
	if head.Seq == 0 {
		return time.Time{}, nil
	}
	commits, err := o.bus.cfg.Log.Read(ctx, o.p, []uint64{head.Seq})
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
	tell(o.decided.keepers, ErrNotOwner)
	o.decided = decided{}
	o.bus.subscriber.Pause(o.topic)
	o.room.Broadcast()
	o.bus.announceMove()
}

// commit appends what is queued, one append at a time, until the lease or ctx ends (nil) or an
// append fails. At the end of ctx it appends what is left.
func (o *owner) commit(ctx context.Context, lease eventlog.Lease) error {
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
	batch, keepers, torn := o.dequeue()
	if batch == nil {
		return nil
	}
	err := o.bus.cfg.Log.Append(context.WithoutCancel(ctx), *batch)
	tell(keepers, err)
	if err != nil {
		return fmt.Errorf("append %d commits: %w", len(batch.Commits), err)
	}
	o.setbacks.worked(true)
	if torn {
		return errTorn
	}
	return nil
}

// dequeue takes what is queued and lets the handler go on behind it. A nil batch is nothing.
func (o *owner) dequeue() (batch *eventlog.Batch, keepers []keeper, torn bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	d := &o.decided
	if d.queued == 0 && len(d.keepers) == 0 {
		return nil, nil, false
	}
	taken := d.queue
	batch, keepers, d.keepers = &taken, d.keepers, nil
	join(keepers, batch)
	d.queue = eventlog.Batch{Partition: o.p, Fence: batch.Fence, Head: d.head, From: batch.To, To: batch.To}
	d.queued = 0
	d.prune(o.bus.cfg.Image.Head(o.p).Seq)
	o.room.Broadcast()
	return batch, keepers, d.torn
}
