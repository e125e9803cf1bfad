package logcopy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"tandem/eventlog"
)

// ErrUnfinished means that the target holds a part of the source. Another Run with the same logs continues.
var ErrUnfinished = errors.New("the copy is not finished")

// Config describes a copy.
type Config struct {
	Source, Target End
	// CheckSource, if not nil, may refuse the source. Run calls it when it owns the source, before it opens the target.
	CheckSource func(context.Context, eventlog.Log) error
	// CheckTarget, if not nil, may refuse the target. Run calls it when it owns the target, which is empty or an
	// unfinished copy of the source, before it writes to it.
	CheckTarget func(context.Context, eventlog.Log) error
	// BeforeFinish, if not nil, is called when everything is verified, before the target loses its marker.
	BeforeFinish func() error
	// Progress, if not nil, is called after every batch, by several goroutines at once.
	Progress func(Progress)
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// End is one of the two logs of a copy.
type End struct {
	// Open opens the log. Run closes it.
	Open func(context.Context) (eventlog.Log, error)
	// Name stands for the log in errors and in the target's marker. Empty means the Location of its Status.
	Name string
	// Node is the name under which Open joins a log that several processes share. The log may append "/" and a suffix.
	Node string
}

// Phase is a part of a copy.
type Phase int

// The phases, in their order.
const (
	Copying Phase = iota
	Verifying
)

// Progress says how many of the source's commits a phase has handled.
type Progress struct {
	Phase       Phase
	Done, Total uint64 // commits
}

// Result counts the content of the finished copy.
type Result struct {
	Source, Target string // names of the logs
	Commits        uint64
	Continued      uint64 // commits that an interrupted copy had stored before
	Events         uint64
	Bytes          uint64 // of the commits' frames
	Values         uint64
	DeadLetters    uint64
	Receipts       uint64 // of the last 24 hours
}

// Run copies the source into the target and verifies the result. An error that is ErrUnfinished leaves a target that
// another Run finishes; after any other error the target is unchanged.
func Run(ctx context.Context, cfg Config) (Result, error) {
	c := newCopier(cfg)
	err := c.run(ctx)
	if err := errors.Join(err, c.target.close(), c.source.close()); err != nil {
		return Result{}, err
	}
	return c.result(), nil
}

// copier is one call of Run.
type copier struct {
	cfg            Config
	source, target *end
	started        time.Time // receipts of the day before are copied

	heads     eventlog.Positions // of the source
	epochs    [eventlog.Partitions]uint64
	continued uint64        // commits that an interrupted copy left in the target
	marked    bool          // the target has the marker of an unfinished copy
	progress  atomic.Uint64 // commits that the present phase has handled
	found     counters
}

// counters count the content of the target while it is verified.
type counters struct {
	commits, events, bytes, values, deadLetters, receipts atomic.Uint64
}

func newCopier(cfg Config) *copier {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Progress == nil {
		cfg.Progress = func(Progress) {}
	}
	return &copier{
		cfg: cfg, started: cfg.Now(),
		source: &end{End: cfg.Source, other: cfg.Target.Node}, target: &end{End: cfg.Target, other: cfg.Source.Node},
	}
}

func (c *copier) result() Result {
	return Result{
		Source: c.source.Name, Target: c.target.Name, Commits: c.found.commits.Load(), Continued: c.continued,
		Events: c.found.events.Load(), Bytes: c.found.bytes.Load(), Values: c.found.values.Load(),
		DeadLetters: c.found.deadLetters.Load(), Receipts: c.found.receipts.Load(),
	}
}

// run does everything but closing the logs.
func (c *copier) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, step := range []func(context.Context, context.CancelCauseFunc) error{
		c.openSource, c.openTarget, c.transfer, c.verify, c.finish,
	} {
		if err := step(ctx, cancel); err != nil {
			return c.endReason(ctx, err)
		}
	}
	return nil
}

// endReason returns the cause of a failure: an interruption, or a node that was started, comes before its consequences.
func (c *copier) endReason(ctx context.Context, err error) error {
	if !c.marked {
		return cmp.Or(context.Cause(ctx), err)
	}
	detached := context.WithoutCancel(ctx)
	others := errors.Join(c.source.checkAlone(detached), c.target.checkAlone(detached))
	return fmt.Errorf("%w: %w", ErrUnfinished, cmp.Or(others, context.Cause(ctx), err))
}

// openSource opens and owns the source and refuses one that cannot be copied.
func (c *copier) openSource(ctx context.Context, cancel context.CancelCauseFunc) error {
	if err := c.source.open(ctx); err != nil {
		return err
	}
	if err := c.source.checkCopyable(ctx); err != nil {
		return err
	}
	if err := c.source.own(ctx); err != nil {
		return err
	}
	c.source.guard(ctx, cancel)
	if err := c.readSource(ctx); err != nil {
		return err
	}
	if c.cfg.CheckSource == nil {
		return nil
	}
	return c.cfg.CheckSource(ctx, c.source.log)
}

// readSource notes the extent of the source, which no other process can change now.
func (c *copier) readSource(ctx context.Context) (err error) {
	if err = c.source.checkCopyable(ctx); err != nil {
		return err
	}
	if c.heads, err = c.source.log.Heads(ctx); err != nil {
		return err
	}
	losses, err := c.source.log.Losses(ctx)
	c.epochs = losses.Epochs
	if err == nil && c.heads == (eventlog.Positions{}) {
		err = fmt.Errorf("%s is empty: there are no commits to copy", c.source.Name)
	}
	return err
}

// openTarget opens and owns the target, which is empty or an unfinished copy of the source, and marks it as unfinished.
func (c *copier) openTarget(ctx context.Context, cancel context.CancelCauseFunc) error {
	if err := c.target.open(ctx); err != nil {
		return err
	}
	if err := c.target.awaitAlone(ctx); err != nil {
		return err
	}
	found, err := readMarker(ctx, c.target.log)
	if err != nil {
		return err
	}
	if err := c.checkTarget(ctx, found); err != nil {
		return err
	}
	if found == nil {
		if err := c.mark(ctx); err != nil {
			return err
		}
	}
	c.marked = true
	if err := c.copyEpochs(ctx); err != nil {
		return err
	}
	c.target.guard(ctx, cancel)
	return nil
}

// finish removes the target's marker, after a last look at the source.
func (c *copier) finish(ctx context.Context, _ context.CancelCauseFunc) error {
	if err := c.source.checkAlone(ctx); err != nil {
		return err
	}
	heads, err := c.source.log.Heads(ctx)
	if err != nil {
		return err
	}
	if heads != c.heads {
		return fmt.Errorf("%s changed while it was copied: stop its nodes", c.source.Name)
	}
	if c.cfg.BeforeFinish != nil {
		if err := c.cfg.BeforeFinish(); err != nil {
			return err
		}
	}
	return c.unmark(ctx)
}

// commits returns the number of commits of the source.
func (c *copier) commits() (n uint64) {
	for _, head := range c.heads {
		n += head.Seq
	}
	return n
}

// startPhase sets the progress of a phase, of which an interrupted copy has done a part.
func (c *copier) startPhase(done uint64) { c.progress.Store(done) }

func (c *copier) report(phase Phase, commits int) {
	done := c.progress.Add(uint64(commits))
	c.cfg.Progress(Progress{Phase: phase, Done: done, Total: c.commits()})
}
