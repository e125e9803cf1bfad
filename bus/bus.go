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

// Image is what the bus needs of the memory image that the log is folded into.
type Image interface {
	// State reads one partition's entities as far as they are applied; safe for concurrent use.
	State(p eventlog.Partition) domain.State
	// StreamVersion returns the number of commits of a stream that are applied.
	StreamVersion(p eventlog.Partition, stream string) uint64
	// Head returns the applied end of the partition's chain.
	Head(p eventlog.Partition) eventlog.Head
	// WaitHead waits until the commit with the given number is applied.
	WaitHead(ctx context.Context, p eventlog.Partition, seq uint64) error
}

// Config says what a Bus works with.
type Config struct {
	Log      eventlog.Log
	Image    Image
	Now      func() time.Time // default: time.Now
	Logger   *slog.Logger     // default: silent
	Backdate func() bool      // whether commands may carry their own time now; default: never
	// Shared says that other processes own partitions of this log too. Then Ready does not wait for
	// ownership, and a log that cannot be read shows in Health without ending Run.
	Shared bool
}

// validate fills in the defaults and refuses what has none.
func (c *Config) validate() error {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Backdate == nil {
		c.Backdate = func() bool { return false }
	}
	if c.Log == nil || c.Image == nil {
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
	recent     *recent

	ready   chan struct{}
	moved   chan struct{} // see Moved
	settled atomic.Int32  // owners that have begun

	fault   sync.Once
	failed  chan struct{} // closed when the log has stopped
	failure error         // why; set before failed is closed
	ended   chan struct{} // closed when Run ends
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
	b := &Bus{
		cfg:        cfg,
		publisher:  NewPublisher(cfg.Log),
		subscriber: NewSubscriber(cfg.Log, AdvanceOnAppend, cfg.Logger),
		router:     router,
		waiters:    newWaiters(),
		recent:     newRecent(),
		ready:      make(chan struct{}),
		moved:      make(chan struct{}, 1),
		failed:     make(chan struct{}),
		ended:      make(chan struct{}),
	}
	for p := range b.owners {
		o := newOwner(b, eventlog.Partition(p))
		b.owners[p] = o
		router.AddConsumerHandler(o.topic, o.topic, b.subscriber, o.handle)
	}
	return b, nil
}

// Run takes the partitions and handles their commands until ctx ends. Then it lets the router
// finish, appends what is decided, gives the partitions up and returns nil. The image must be live
// before and be followed for as long as Run runs. A log that cannot be read at the start ends it
// with an error, unless the log is shared. It can be called once.
func (b *Bus) Run(ctx context.Context) error {
	defer close(b.ended)
	routed := make(chan error, 1)
	go func() { routed <- b.router.Run(context.WithoutCancel(ctx)) }()
	select {
	case <-b.router.Running():
	case err := <-routed:
		return fmt.Errorf("watermill router: %w", err)
	}
	if b.cfg.Shared {
		close(b.ready)
	}
	owning, release := context.WithCancel(context.WithoutCancel(ctx))
	var owners sync.WaitGroup
	for _, o := range b.owners {
		owners.Go(func() { o.run(owning) })
	}
	err := b.wait(ctx)
	err = errors.Join(err, b.publisher.Close(), b.router.Close(), <-routed)
	release()
	owners.Wait()
	return errors.Join(err, b.subscriber.Close())
}

// wait returns when ctx ends, or with the reason when the log stops before every partition has its
// owner. Later it is left to Health: reads go on.
func (b *Bus) wait(ctx context.Context) error {
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
func (b *Bus) Do(ctx context.Context, r Request) (Result, error) {
	payload, err := encode(r)
	if err != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return b.send(ctx, eventlog.PartitionOf(r.root()), message.NewMessage(r.ID.String(), payload), waitKey{r.ID, r.Fingerprint})
}

// send publishes a command and waits for the outcome that has the key.
func (b *Bus) send(ctx context.Context, p eventlog.Partition, msg *message.Message, key waitKey) (Result, error) {
	if err := b.Health(); err != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	w := b.waiters.add(key, newAttempt())
	defer b.waiters.remove(w)
	w.attempt.mark(msg)
	msg.SetContext(context.WithoutCancel(ctx)) // however short the wait, the command is sent
	switch err := b.publisher.Publish(b.owners[p].topic, msg); {
	case errors.Is(err, ErrClosed), errors.Is(err, eventlog.ErrNotSent):
		return Result{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	case err != nil:
		return Result{}, fmt.Errorf("%w: %w", ErrOutcomeUnknown, err)
	}
	return b.await(ctx, w)
}

func (b *Bus) await(ctx context.Context, w *waiter) (Result, error) {
	var why error
	select {
	case result := <-w.done:
		return result.orReused()
	case <-ctx.Done():
		why = ctx.Err()
	case <-b.failed:
		why = b.failure
	case <-b.ended:
		why = errors.New("the node is stopping")
	}
	select {
	case result := <-w.done: // it came at the same time
		return result.orReused()
	default:
		return Result{}, fmt.Errorf("%w: %w: %w", ErrOutcomeUnknown, ErrPending, why)
	}
}

// orReused is the result, or ErrKeyReused if that is what it says.
func (r Result) orReused() (Result, error) {
	if r.reused() {
		return Result{}, ErrKeyReused
	}
	return r, nil
}

// reused reports whether this is the answer to another request than the one that has the key.
func (r Result) reused() bool { return r.Rejection != nil && r.Rejection.Code == codeReused }

// Applied tells the waiting callers what the image has applied. The image calls it, in order.
//
// Refusals of one attempt go first: in a batch the commits stand before the outcomes, and a caller
// that was refused would take the commit of a later attempt under its key for its own.
func (b *Bus) Applied(entries []eventlog.Entry) {
	for _, e := range entries {
		if e.Outcome != nil && ofOneAttempt(e.Outcome) {
			b.answer(e, e.Outcome.Attempt)
		}
	}
	for _, e := range entries {
		if e.Outcome == nil || !ofOneAttempt(e.Outcome) {
			b.answer(e, attempt{})
		}
	}
}

// ofOneAttempt reports whether other attempts under the same key may end otherwise.
func ofOneAttempt(o *eventlog.Outcome) bool { return !o.Repeat && o.Attempt != attempt{} }

func (b *Bus) answer(e eventlog.Entry, a attempt) {
	key, result := outcomeOf(e)
	if !result.reused() {
		b.recent.add(key.id, result)
	}
	b.waiters.complete(key, a, result)
}

// Lookup returns how a command ended, if it did lately: the last some ten thousand of this node
// are remembered.
func (b *Bus) Lookup(id eventlog.CommandID) (Result, bool) { return b.recent.get(id) }

// began counts the owners that have begun.
func (b *Bus) began() {
	if b.settled.Add(1) == eventlog.Partitions && !b.cfg.Shared {
		close(b.ready)
	}
}

// fail ends the waiting of all callers: the log accepts nothing more.
func (b *Bus) fail(err error) {
	b.fault.Do(func() {
		b.failure = err
		b.cfg.Logger.Error("the log has stopped; commands are refused until the cause is removed and Tandem is started again", "error", err)
		close(b.failed)
	})
}

func outcomeOf(e eventlog.Entry) (waitKey, Result) {
	if c := e.Commit; c != nil {
		return waitKey{c.Command, c.Request}, Result{Partition: e.Partition, Seq: c.Seq}
	}
	o := e.Outcome
	return waitKey{o.Command, o.Request}, Result{
		Partition: e.Partition, Seq: o.Seq, Repeat: o.Repeat, Rejection: decodeRejection(o.Rejection),
	}
}
