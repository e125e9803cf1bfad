package webhooks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections/sentences"
	"tandem/webhooks/formats"
)

// Owner is what the engine needs of who decides the partitions' commands on this node.
type Owner interface {
	// Owns reports whether this node owns the partition now.
	Owns(partition eventlog.Partition) bool
	// PutKV stores entries in the key–value space of an owned partition, durably.
	PutKV(ctx context.Context, partition eventlog.Partition, puts []eventlog.KV) error
	// OwnershipChanged gets a signal after partitions were taken or given up.
	OwnershipChanged() <-chan struct{}
}

// Config says what an Engine works with.
type Config struct {
	Log       eventlog.Log
	ReadModel ReadModel
	Owner     Owner
	Keyring   *Keyring
	BaseURL   string // begins links; no slash at the end
	// Disable has a webhook disabled, for everybody to see why.
	Disable func(ctx context.Context, ref domain.WebhookRef, reason string) error

	Client  *http.Client                        // default: NewClient without private networks
	Formats func(string) (formats.Format, bool) // default: FormatNamed
	Logger  *slog.Logger                        // default: silent
	Now     func() time.Time                    // default: time.Now
	After   func(time.Duration) <-chan time.Time

	FlushInterval         time.Duration // the least time between two keepings of cursors; default: 50 ms
	AttemptTimeout        time.Duration // of one attempt; default: 20 s
	DrainTimeout          time.Duration // how long attempts under way may take at the end; default: 15 s
	Workers, RetryWorkers int           // attempts at a time: of lanes that work, and of those whose last attempt failed
}

func (c *Config) validate() error {
	if c.Log == nil || c.ReadModel == nil || c.Owner == nil || c.Keyring == nil || c.Disable == nil {
		return errors.New("webhooks: a log, an image, an owner, a keyring and a way to disable are needed")
	}
	if c.Client == nil {
		c.Client = NewClient(nil)
	}
	if c.Formats == nil {
		c.Formats = formats.ByName
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.After == nil {
		c.After = time.After
	}
	orDefault(&c.FlushInterval, 50*time.Millisecond)
	orDefault(&c.AttemptTimeout, attemptTimeout)
	orDefault(&c.DrainTimeout, 15*time.Second)
	orDefault(&c.Workers, 384)
	orDefault(&c.RetryWorkers, 128)
	return nil
}

func orDefault[T comparable](value *T, or T) {
	var zero T
	if *value == zero {
		*value = or
	}
}

// Engine delivers what happened to the webhooks of the partners whose directories this node owns.
//
// Every webhook has a lane of its own. A lane that has something to do has a goroutine, for a turn; so many at a
// time, and lanes whose last attempt failed or took long have a share of their own, so that endpoints that hang cannot hold up
// the others. An idle lane costs its memory only.
type Engine struct {
	cfg       Config
	messages  *messageBuilder
	busySlots chan struct{} // bounds how many attempts are busy at once, see slot

	started           atomic.Bool
	laneCount         atomic.Int64 // of lanes
	attemptsFlushedAt time.Time    // when the delivery log was kept last; the keeper's

	newsSignal  chan struct{} // has room for one signal: there is news
	flushSignal chan struct{} // likewise: there is something to keep
	stopped     atomic.Bool
	turns       sync.WaitGroup

	newsMu sync.Mutex
	news   news

	mu             sync.Mutex
	lanes          [eventlog.Partitions]map[domain.WebhookRef]*lane
	loaded         [eventlog.Partitions]bool
	lanesOfPartner map[domain.PartnerID]map[*lane]struct{}
	pools          [2]pool
	timers         timers
	timerSignal    chan struct{} // has room for one signal: an earlier timer was set
	dirty          [eventlog.Partitions]map[*lane]struct{}
}

// news is what was applied and not looked at.
type news struct {
	agreements  map[domain.AgreementID]struct{}
	directories [eventlog.Partitions]bool
}

// New returns an engine that does nothing until Run.
func New(cfg Config) (*Engine, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	book, err := sentences.New()
	if err != nil {
		return nil, fmt.Errorf("webhooks: %w", err)
	}
	engine := &Engine{
		cfg: cfg, messages: newMessageBuilder(cfg.ReadModel, book, cfg.BaseURL),
		busySlots: make(chan struct{}, 8*runtime.GOMAXPROCS(0)), newsSignal: make(chan struct{}, 1), timerSignal: make(chan struct{}, 1), flushSignal: make(chan struct{}, 1),
		news: news{agreements: map[domain.AgreementID]struct{}{}}, lanesOfPartner: map[domain.PartnerID]map[*lane]struct{}{},
	}
	engine.pools[0].limit, engine.pools[1].limit = cfg.Workers, cfg.RetryWorkers
	for partition := range engine.lanes {
		engine.lanes[partition], engine.dirty[partition] = map[domain.WebhookRef]*lane{}, map[*lane]struct{}{}
	}
	return engine, nil
}

// Applied tells of entries that the image has applied. It never waits, and does nothing before Run.
func (e *Engine) Applied(entries []eventlog.Entry) {
	if !e.started.Load() {
		return
	}
	noLanes := e.laneCount.Load() == 0 // who comes later begins with a look at the image, which has the entries already
	e.newsMu.Lock()
	defer e.newsMu.Unlock()
	found := false
	for i := range entries {
		commit := entries[i].Commit
		if commit == nil || noLanes && !strings.HasPrefix(commit.Stream, "partner/") {
			continue
		}
		found = true
		kind, rest, _ := strings.Cut(commit.Stream, "/")
		if kind == "partner" {
			e.news.directories[commit.Partition] = true
			continue
		}
		id, _, _ := strings.Cut(rest, "/")
		e.news.agreements[domain.AgreementID(id)] = struct{}{}
	}
	if found {
		signal(e.newsSignal)
	}
}

// LatestMessage returns the latest event that a webhook asks for, as it would be delivered; false if there is none among
// the last ones. Any node can tell.
func (e *Engine) LatestMessage(ctx context.Context, webhook *domain.Webhook) (formats.Message, bool, error) {
	message, err := e.messages.latestMessage(ctx, webhook)
	if message == nil {
		return formats.Message{}, false, err
	}
	return *message, true, nil
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// Run delivers until ctx ends. The image must be live before. It lets attempts under way end, for Config.Drain
// at most, and keeps what the lanes must not forget, before it returns nil: so the owner must outlive it. It can
// be called once.
func (e *Engine) Run(ctx context.Context) error {
	workCtx, cancelWork := context.WithCancel(context.WithoutCancel(ctx))
	defer cancelWork()
	e.started.Store(true)
	stopFlushing := make(chan struct{})
	flushed := make(chan struct{})
	go func() {
		defer close(flushed)
		e.flushLoop(workCtx, stopFlushing)
	}()
	e.runLoop(ctx, workCtx)
	e.mu.Lock() // whoever begins a turn looks under the lock
	e.stopped.Store(true)
	e.mu.Unlock()
	drainTimer := time.AfterFunc(e.cfg.DrainTimeout, cancelWork)
	e.turns.Wait()
	drainTimer.Stop()
	close(stopFlushing)
	<-flushed
	e.cfg.Client.CloseIdleConnections()
	return nil
}

func (e *Engine) stopping() bool { return e.stopped.Load() }

// runLoop wakes lanes when something happens that concerns them.
func (e *Engine) runLoop(ctx, workCtx context.Context) {
	e.reconcileAll(workCtx)
	for {
		var due <-chan time.Time
		if delay, set := e.untilNextTimer(); set {
			due = e.cfg.After(delay)
		}
		select {
		case <-e.newsSignal:
			e.handleNews(workCtx)
		case <-e.cfg.Owner.OwnershipChanged():
			e.reconcileAll(workCtx)
		case <-due:
			e.wakeDueLanes()
		case <-e.timerSignal:
		case <-ctx.Done():
			return
		}
	}
}

// handleNews looks at the news.
func (e *Engine) handleNews(workCtx context.Context) {
	e.newsMu.Lock()
	pending := e.news
	e.news = news{agreements: map[domain.AgreementID]struct{}{}}
	e.newsMu.Unlock()
	for partition, changed := range pending.directories {
		if changed {
			e.reconcile(workCtx, eventlog.Partition(partition))
		}
	}
	for agreement := range pending.agreements {
		readers := e.cfg.ReadModel.ReadersOf(agreement)
		e.mu.Lock()
		for _, partner := range readers {
			for lane := range e.lanesOfPartner[partner] {
				if includesAgreement(lane.webhook.Load().Settings.Agreements, agreement) {
					e.wake(lane, false)
				}
			}
		}
		e.mu.Unlock()
	}
}

func (e *Engine) reconcileAll(workCtx context.Context) {
	for partition := range e.lanes {
		e.reconcile(workCtx, eventlog.Partition(partition))
	}
}

// acquireSlot waits for its turn to be busy and returns what gives it back. An attempt that waits for its receiver is not
// busy: it gives its slot back after a moment. So a burst of deliveries takes a bounded part of the machine, and
// commands go on beside it.
func (e *Engine) acquireSlot() func() {
	e.busySlots <- struct{}{}
	release := sync.OnceFunc(func() { <-e.busySlots })
	timer := time.AfterFunc(busySlotTime, release)
	return func() {
		timer.Stop()
		release()
	}
}

// busySlotTime is how long an attempt counts as busy.
const busySlotTime = 2 * time.Millisecond
