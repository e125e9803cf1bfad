package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/eventlog/wakeup"
)

// ReadModel is the part of the node's read model on which owners decide.
type ReadModel interface {
	// State returns the entities of one partition as of the latest applied commit. It is safe for
	// concurrent use.
	State(partition eventlog.Partition) domain.State
	// StreamVersion returns the number of applied commits of a stream.
	StreamVersion(partition eventlog.Partition, stream string) uint64
	// Head returns the latest applied commit of the partition.
	Head(partition eventlog.Partition) eventlog.Head
	// WaitHead waits until the commit with the given number is applied, or ctx ends.
	WaitHead(ctx context.Context, partition eventlog.Partition, seq uint64) error
}

// Log is the part of an eventlog.Log that the bus uses.
type Log interface {
	eventlog.CommandQueue
	Own(ctx context.Context, partition eventlog.Partition) (eventlog.Lease, error)
	Append(ctx context.Context, batch eventlog.Batch) error
	Head(ctx context.Context, partition eventlog.Partition) (eventlog.Head, error)
	Read(ctx context.Context, partition eventlog.Partition, seqs []uint64) ([]eventlog.Commit, error)
	Receipts(ctx context.Context, partition eventlog.Partition, since time.Time) ([]eventlog.Receipt, error)
	Health() error
}

// Config configures a Bus. Log and ReadModel are required.
type Config struct {
	Log       Log
	ReadModel ReadModel
	Now       func() time.Time // default: time.Now
	Logger    *slog.Logger     // default: discards all log lines
	// AllowBackdating reports whether requests may set RecordedAt at present. Default: never.
	AllowBackdating func() bool
	// SharedLog declares that other processes own partitions of this log too. Ready then does not wait
	// for ownership, and an unreadable log is reported by Health without ending Run.
	SharedLog bool
}

// validate fills in the defaults and reports missing required fields.
func (c *Config) validate() error {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.AllowBackdating == nil {
		c.AllowBackdating = func() bool { return false }
	}
	if c.Log == nil || c.ReadModel == nil {
		return errors.New("bus: Config.Log and Config.ReadModel are required")
	}
	return nil
}

// Bus routes commands to the owners of their partitions. Create it with New and run it with Run. All
// methods but Run are safe for concurrent use.
type Bus struct {
	cfg        Config
	publisher  *Publisher
	subscriber *Subscriber
	router     *message.Router
	owners     [eventlog.Partitions]*owner
	waiters    *waiters
	recent     *recentResults

	ready            chan struct{}
	ownershipChanged wakeup.Signal
	startedOwners    atomic.Int32 // owners that have started at least once

	failOnce sync.Once
	failed   chan struct{} // closed when the log has stopped
	failure  error         // the cause; set before failed is closed
	runEnded chan struct{} // closed when Run ends
}

// New returns a Bus. It handles no commands until Run.
func New(cfg Config) (*Bus, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	// CloseTimeout limits how long the router waits for handlers. Ours block for one append at most.
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: time.Minute}, watermill.NopLogger{})
	if err != nil {
		return nil, fmt.Errorf("watermill router: %w", err)
	}
	bus := &Bus{
		cfg:              cfg,
		publisher:        NewPublisher(cfg.Log),
		subscriber:       NewSubscriber(cfg.Log, AdvanceOnAppend, cfg.Logger),
		router:           router,
		waiters:          newWaiters(),
		recent:           newRecentResults(),
		ready:            make(chan struct{}),
		ownershipChanged: wakeup.New(),
		failed:           make(chan struct{}),
		runEnded:         make(chan struct{}),
	}
	for partition := range bus.owners {
		owner := newOwner(bus, eventlog.Partition(partition))
		bus.owners[partition] = owner
		router.AddConsumerHandler(owner.topic, owner.topic, bus.subscriber, owner.handle)
	}
	return bus, nil
}

// Run acquires the partitions and handles their commands until ctx ends. It then waits for the
// router, appends the decided commands, releases the partitions and returns nil. The read model must be
// live before Run is called and must follow the log until Run returns. An unreadable log at start-up
// ends Run with an error, unless the log is shared. Run can be called once.
func (b *Bus) Run(ctx context.Context) error {
	defer close(b.runEnded)
	routed := make(chan error, 1)
	go func() { routed <- b.router.Run(context.WithoutCancel(ctx)) }()
	select {
	case <-b.router.Running():
	case err := <-routed:
		return fmt.Errorf("watermill router: %w", err)
	}
	if b.cfg.SharedLog {
		close(b.ready)
	}
	owning, release := context.WithCancel(context.WithoutCancel(ctx))
	var owners sync.WaitGroup
	for _, owner := range b.owners {
		owners.Go(func() { owner.run(owning) })
	}
	err := b.waitForEnd(ctx)
	err = errors.Join(err, b.publisher.Close(), b.router.Close(), <-routed)
	release()
	owners.Wait()
	return errors.Join(err, b.subscriber.Close())
}

// waitForEnd returns nil when ctx ends, or an error when the log stops before every partition has
// an owner. A log that stops later is reported by Health only, because reads continue.
func (b *Bus) waitForEnd(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-b.ready:
		<-ctx.Done()
		return nil
	case <-b.failed:
		return b.failure
	}
}

// Ready is closed once the owner of every partition has started; with Config.SharedLog, as soon as
// commands can be sent.
func (b *Bus) Ready() <-chan struct{} { return b.ready }

// Health returns nil while commands can be handled, else the cause of the failure.
func (b *Bus) Health() error {
	select {
	case <-b.failed:
		return b.failure
	default:
		return b.cfg.Log.Health()
	}
}

// Do sends a command to its owner and waits until this node has applied its outcome, or ctx ends. The
// end of ctx does not interrupt the sending itself. A refused command is a Result with a Rejection, not
// an error. Errors are ErrUnavailable, ErrKeyReused and ErrOutcomeUnknown, the latter joined with
// ErrPending if the command was sent; all wrap their cause.
func (b *Bus) Do(ctx context.Context, request Request) (Result, error) {
	payload, err := encode(request)
	if err != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return b.send(ctx, eventlog.PartitionOf(request.root()), message.NewMessage(request.ID.String(), payload), waitKey{request.ID, request.Fingerprint})
}

// send publishes a command message and waits for the outcome with the given key.
func (b *Bus) send(ctx context.Context, partition eventlog.Partition, msg *message.Message, key waitKey) (Result, error) {
	if err := b.Health(); err != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	caller := b.waiters.add(key, newCallID())
	defer b.waiters.remove(caller)
	caller.call.setOn(msg)
	msg.SetContext(context.WithoutCancel(ctx)) // ctx limits the wait, not the sending
	switch err := b.publisher.Publish(b.owners[partition].topic, msg); {
	case errors.Is(err, ErrClosed), errors.Is(err, eventlog.ErrNotSent):
		return Result{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	case err != nil:
		return Result{}, fmt.Errorf("%w: %w", ErrOutcomeUnknown, err)
	}
	return b.waitForOutcome(ctx, caller)
}

func (b *Bus) waitForOutcome(ctx context.Context, caller *waiter) (Result, error) {
	var cause error
	select {
	case result := <-caller.done:
		return result.orKeyReused()
	case <-ctx.Done():
		cause = ctx.Err()
	case <-b.failed:
		cause = b.failure
	case <-b.runEnded:
		cause = errors.New("the node is stopping")
	}
	select {
	case result := <-caller.done: // it arrived at the same time
		return result.orKeyReused()
	default:
		return Result{}, fmt.Errorf("%w: %w: %w", ErrOutcomeUnknown, ErrPending, cause)
	}
}

// orKeyReused returns the result, or ErrKeyReused in place of such a refusal.
func (r Result) orKeyReused() (Result, error) {
	if r.isKeyReused() {
		return Result{}, ErrKeyReused
	}
	return r, nil
}

// isKeyReused reports whether the result answers a request whose key belongs to a different request.
func (r Result) isKeyReused() bool { return r.Rejection != nil && r.Rejection.Code == codeKeyReused }

// Applied completes the waiting callers of the applied entries. The read model calls it after each
// batch, in log order.
//
// Refusals of a single call are handled first: a batch lists commits before outcomes, so a refused
// caller would otherwise get the commit of a later call with the same key.
func (b *Bus) Applied(entries []eventlog.Entry) {
	for _, entry := range entries {
		if entry.Outcome != nil && concernsOneCall(entry.Outcome) {
			b.complete(entry, entry.Outcome.Attempt)
		}
	}
	for _, entry := range entries {
		if entry.Outcome == nil || !concernsOneCall(entry.Outcome) {
			b.complete(entry, callID{})
		}
	}
}

// concernsOneCall reports whether other calls with the same key may have another outcome.
func concernsOneCall(outcome *eventlog.Outcome) bool {
	return !outcome.Repeat && outcome.Attempt != callID{}
}

// complete stores the result of an entry for Lookup and completes its callers: those of one call, or all
// callers of the command if call is zero.
func (b *Bus) complete(entry eventlog.Entry, call callID) {
	key, result := resultOf(entry)
	if !result.isKeyReused() {
		b.recent.add(key.id, result)
	}
	b.waiters.complete(key, call, result)
}

// Lookup returns the result of a command among the last 16,384 that this node has applied.
func (b *Bus) Lookup(id eventlog.CommandID) (Result, bool) { return b.recent.get(id) }

// ownerStarted counts the owners that have started, and closes ready after the last one.
func (b *Bus) ownerStarted() {
	if b.startedOwners.Add(1) == eventlog.Partitions && !b.cfg.SharedLog {
		close(b.ready)
	}
}

// fail ends the wait of all callers, because the log accepts no more appends.
func (b *Bus) fail(err error) {
	b.failOnce.Do(func() {
		b.failure = err
		b.cfg.Logger.Error("the event log has stopped; commands are refused until the cause is removed and Tandem is restarted", "error", err)
		close(b.failed)
	})
}

// resultOf returns the result that an entry carries, and the callers' key.
func resultOf(entry eventlog.Entry) (waitKey, Result) {
	if commit := entry.Commit; commit != nil {
		return waitKey{commit.Command, commit.Request}, Result{Partition: entry.Partition, Seq: commit.Seq}
	}
	outcome := entry.Outcome
	return waitKey{outcome.Command, outcome.Request}, Result{
		Partition: entry.Partition, Seq: outcome.Seq, Repeat: outcome.Repeat, Rejection: decodeRejection(outcome.Rejection),
	}
}
