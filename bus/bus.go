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
)

// ReadModel is what the bus needs of the memory image that the log is folded into.
type ReadModel interface {
	// State reads one partition's entities as far as they are applied; safe for concurrent use.
	State(partition eventlog.Partition) domain.State
	// StreamVersion returns the number of commits of a stream that are applied.
	StreamVersion(partition eventlog.Partition, stream string) uint64
	// Head returns the applied end of the partition's chain.
	Head(partition eventlog.Partition) eventlog.Head
	// WaitHead waits until the commit with the given number is applied.
	WaitHead(ctx context.Context, partition eventlog.Partition, seq uint64) error
}

// Config says what a Bus works with.
type Config struct {
	Log             eventlog.Log
	ReadModel       ReadModel
	Now             func() time.Time // default: time.Now
	Logger          *slog.Logger     // default: silent
	AllowBackdating func() bool      // whether commands may carry their own time now; default: never
	// SharedLog says that other processes own partitions of this log too. Then Ready does not wait for
	// ownership, and a log that cannot be read shows in Health without ending Run.
	SharedLog bool
}

// validate fills in the defaults and refuses what has none.
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
		return errors.New("bus: a log and an image are needed")
	}
	return nil
}

// Bus routes commands to the owners of their partitions. Make one with New, run it with Run.
type Bus struct {
	cfg        Config
	publisher  *Publisher
	subscriber *Subscriber
	router     *message.Router
	owners     [eventlog.Partitions]*owner
	waiters    *waiters
	recent     *recentResults

	ready            chan struct{}
	ownershipChanged chan struct{} // see Moved
	startedOwners    atomic.Int32  // owners that have begun

	failOnce sync.Once
	failed   chan struct{} // closed when the log has stopped
	failure  error         // why; set before failed is closed
	runEnded chan struct{} // closed when Run ends
}

// New returns a bus that does nothing until Run.
func New(cfg Config) (*Bus, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	// The router waits this long for handlers when it closes; ours never block for longer than an append.
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
		ownershipChanged: make(chan struct{}, 1),
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

// Run takes the partitions and handles their commands until ctx ends. Then it lets the router
// finish, appends what is decided, gives the partitions up and returns nil. The image must be live
// before and be followed for as long as Run runs. A log that cannot be read at the start ends it
// with an error, unless the log is shared. It can be called once.
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

// waitForEnd returns when ctx ends, or with the reason when the log stops before every partition has its
// owner. Later it is left to Health: reads go on.
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

// Ready is closed once every partition is owned and its owner has begun; with Config.Shared, as soon
// as commands can be sent.
func (b *Bus) Ready() <-chan struct{} { return b.ready }

// Health returns nil while commands can be handled, else the reason why they cannot.
func (b *Bus) Health() error {
	select {
	case <-b.failed:
		return b.failure
	default:
		return b.cfg.Log.Health()
	}
}

// Do sends a command to its owner and waits until this node has applied its outcome, or ctx ends.
// Before the inbox has taken the command, or failed to, it does not return even then. Errors are
// ErrOutcomeUnknown, perhaps with ErrPending, ErrKeyReused and ErrUnavailable, wrapped with the cause;
// a refused command is no error but a Result with a Rejection.
func (b *Bus) Do(ctx context.Context, request Request) (Result, error) {
	payload, err := encode(request)
	if err != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return b.send(ctx, eventlog.PartitionOf(request.root()), message.NewMessage(request.ID.String(), payload), waitKey{request.ID, request.Fingerprint})
}

// send publishes a command and waits for the outcome that has the key.
func (b *Bus) send(ctx context.Context, partition eventlog.Partition, msg *message.Message, key waitKey) (Result, error) {
	if err := b.Health(); err != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	caller := b.waiters.add(key, newCallID())
	defer b.waiters.remove(caller)
	caller.call.setOn(msg)
	msg.SetContext(context.WithoutCancel(ctx)) // however short the wait, the command is sent
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
	case result := <-caller.done: // it came at the same time
		return result.orKeyReused()
	default:
		return Result{}, fmt.Errorf("%w: %w: %w", ErrOutcomeUnknown, ErrPending, cause)
	}
}

// orKeyReused is the result, or ErrKeyReused if that is what it says.
func (r Result) orKeyReused() (Result, error) {
	if r.isKeyReused() {
		return Result{}, ErrKeyReused
	}
	return r, nil
}

// isKeyReused reports whether this is the answer to another request than the one that has the key.
func (r Result) isKeyReused() bool { return r.Rejection != nil && r.Rejection.Code == codeKeyReused }

// Applied tells the waiting callers what the image has applied. The image calls it, in order.
//
// Refusals of one attempt go first: in a batch the commits stand before the outcomes, and a caller
// that was refused would take the commit of a later attempt under its key for its own.
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

// concernsOneCall reports whether other attempts under the same key may end otherwise.
func concernsOneCall(outcome *eventlog.Outcome) bool {
	return !outcome.Repeat && outcome.Attempt != callID{}
}

func (b *Bus) complete(entry eventlog.Entry, call callID) {
	key, result := resultOf(entry)
	if !result.isKeyReused() {
		b.recent.add(key.id, result)
	}
	b.waiters.complete(key, call, result)
}

// Lookup returns how a command ended, if it did lately: the last some ten thousand of this node
// are remembered.
func (b *Bus) Lookup(id eventlog.CommandID) (Result, bool) { return b.recent.get(id) }

// ownerStarted counts the owners that have begun.
func (b *Bus) ownerStarted() {
	if b.startedOwners.Add(1) == eventlog.Partitions && !b.cfg.SharedLog {
		close(b.ready)
	}
}

// fail ends the waiting of all callers: the log accepts nothing more.
func (b *Bus) fail(err error) {
	b.failOnce.Do(func() {
		b.failure = err
		b.cfg.Logger.Error("the log has stopped; commands are refused until the cause is removed and Tandem is started again", "error", err)
		close(b.failed)
	})
}

func resultOf(entry eventlog.Entry) (waitKey, Result) {
	if commit := entry.Commit; commit != nil {
		return waitKey{commit.Command, commit.Request}, Result{Partition: entry.Partition, Seq: commit.Seq}
	}
	outcome := entry.Outcome
	return waitKey{outcome.Command, outcome.Request}, Result{
		Partition: entry.Partition, Seq: outcome.Seq, Repeat: outcome.Repeat, Rejection: decodeRejection(outcome.Rejection),
	}
}
