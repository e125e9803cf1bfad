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
	"tandem/eventlog/wakeup"
	"tandem/projections/feed"
	"tandem/projections/sentences"
	"tandem/webhooks/formats"
)

// Owner knows which partitions this node owns, and writes to them.
type Owner interface {
	// Owns reports whether this node owns the partition now.
	Owns(partition eventlog.Partition) bool
	// PutKV stores entries in the key–value space of an owned partition, durably.
	PutKV(ctx context.Context, partition eventlog.Partition, puts []eventlog.KV) error
	// OwnershipChanged gets a signal after partitions were taken or given up.
	OwnershipChanged() <-chan struct{}
}

// Log is the part of an eventlog.Log that the engine uses.
type Log interface {
	Get(ctx context.Context, partition eventlog.Partition, key string) ([]byte, error)
	Scan(ctx context.Context, partition eventlog.Partition, prefix string) ([]eventlog.KV, error)
}

// Config configures an Engine. Fields without a default are required.
type Config struct {
	Log       Log
	ReadModel ReadModel
	Events    *feed.Reader // of the same read model
	Owner     Owner
	Keyring   *Keyring
	BaseURL   string // prefix of links, without a trailing slash
	// Disable disables a webhook by a command, with a reason that its partner can read. It returns nil if the webhook
	// is already disabled or removed.
	Disable func(ctx context.Context, ref domain.WebhookRef, reason string) error

	Client  *http.Client                        // default: NewClient without private networks
	Formats func(string) (formats.Format, bool) // default: FormatNamed
	Logger  *slog.Logger                        // default: silent
	Now     func() time.Time                    // default: time.Now
	After   func(time.Duration) <-chan time.Time

	FlushInterval         time.Duration // the minimum time between two flushes of lane states; default: 50 ms
	AttemptTimeout        time.Duration // limits one attempt; default: 20 s
	DrainTimeout          time.Duration // how long attempts in progress may take during shutdown; default: 15 s
	Workers, RetryWorkers int           // attempts at a time: of lanes that work, and of those whose last attempt failed
}

// validate checks the required fields and sets the defaults.
func (c *Config) validate() error {
	if c.Log == nil || c.ReadModel == nil || c.Events == nil || c.Owner == nil || c.Keyring == nil || c.Disable == nil {
		return errors.New("webhooks: Config requires Log, ReadModel, Events, Owner, Keyring and Disable")
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

// Engine sends the messages of the webhooks whose partners' directories this node owns.
//
// Every webhook has a lane. A lane with a due message gets a goroutine for one turn. Two worker pools limit the
// number of turns: one for lanes that work, and one for lanes whose last attempt failed or was slow, so that hanging
// endpoints do not delay the others. An idle lane costs only memory.
type Engine struct {
	cfg       Config
	messages  *messageBuilder
	busySlots chan struct{} // limits how many attempts use the CPU at once; see acquireSlot

	started           atomic.Bool
	laneCount         atomic.Int64
	attemptsFlushedAt time.Time // used only by flushLoop

	newsSignal  wakeup.Signal // news is not empty
	flushSignal wakeup.Signal // a lane is dirty
	stopped     atomic.Bool
	turns       sync.WaitGroup

	newsMu   sync.Mutex
	news     news
	handling bool // runLoop is handling news

	mu             sync.Mutex
	lanes          [eventlog.Partitions]map[domain.WebhookRef]*lane
	loaded         [eventlog.Partitions]bool
	lanesOfPartner map[domain.PartnerID]map[*lane]struct{}
	flushing       bool // a flush is in progress
	erasing        int  // background erasures in progress
	pools          [2]pool
	timers         timers
	timerSignal    wakeup.Signal // the first timer has changed
	dirty          [eventlog.Partitions]map[*lane]struct{}
}

// news collects changes that the read model has applied and runLoop has not handled.
type news struct {
	agreements  map[domain.AgreementID]struct{}
	directories [eventlog.Partitions]bool
}

// New returns an engine. Call Run to start it.
func New(cfg Config) (*Engine, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	book, err := sentences.New()
	if err != nil {
		return nil, fmt.Errorf("webhooks: %w", err)
	}
	engine := &Engine{
		cfg: cfg, messages: newMessageBuilder(cfg.Events, cfg.ReadModel.NamesVersion, book, cfg.BaseURL),
		busySlots: make(chan struct{}, 8*runtime.GOMAXPROCS(0)), newsSignal: wakeup.New(), timerSignal: wakeup.New(), flushSignal: wakeup.New(),
		news: news{agreements: map[domain.AgreementID]struct{}{}}, lanesOfPartner: map[domain.PartnerID]map[*lane]struct{}{},
	}
	engine.pools[0].limit, engine.pools[1].limit = cfg.Workers, cfg.RetryWorkers
	for partition := range engine.lanes {
		engine.lanes[partition], engine.dirty[partition] = map[domain.WebhookRef]*lane{}, map[*lane]struct{}{}
	}
	return engine, nil
}

// Applied notifies the engine of entries that the read model has applied. It does not block, and has no effect before
// Run.
func (e *Engine) Applied(entries []eventlog.Entry) {
	if !e.started.Load() {
		return
	}
	noLanes := e.laneCount.Load() == 0 // a new lane reads the read model, which already contains the entries
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
		e.newsSignal.Notify()
	}
}

// LatestMessage returns the message about the latest event that a webhook wants; false if none of the recent events
// qualifies. It works on every node.
func (e *Engine) LatestMessage(ctx context.Context, webhook *domain.Webhook) (formats.Message, bool, error) {
	message, err := e.messages.latestMessage(ctx, webhook)
	if message == nil {
		return formats.Message{}, false, err
	}
	return *message, true, nil
}

// Run sends messages until ctx ends; it must be called at most once. The read model must be live before. During
// shutdown, Run waits up to Config.DrainTimeout for attempts in progress, and flushes the lane states before it
// returns nil. Therefore the owner must stop after the engine.
func (e *Engine) Run(ctx context.Context) error {
	workCtx, cancelWork := context.WithCancel(context.WithoutCancel(ctx))
	defer cancelWork()
	e.newsMu.Lock()
	e.started.Store(true)
	e.handling = true // until runLoop has added the lanes
	e.newsMu.Unlock()
	stopFlushing := make(chan struct{})
	flushed := make(chan struct{})
	go func() {
		defer close(flushed)
		e.flushLoop(workCtx, stopFlushing)
	}()
	e.runLoop(ctx, workCtx)
	e.mu.Lock() // turns start under the lock, so none starts after this
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

// runLoop wakes lanes on news, on changes of ownership and at their times.
func (e *Engine) runLoop(ctx, workCtx context.Context) {
	e.reconcileAll(workCtx)
	e.handled()
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

// handleNews updates the lanes of changed directories and wakes the lanes that read changed agreements.
func (e *Engine) handleNews(workCtx context.Context) {
	e.newsMu.Lock()
	pending := e.news
	e.news = news{agreements: map[domain.AgreementID]struct{}{}}
	e.handling = true
	e.newsMu.Unlock()
	defer e.handled()
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

// handled marks the end of the handling of news.
func (e *Engine) handled() {
	e.newsMu.Lock()
	e.handling = false
	e.newsMu.Unlock()
}

// reconcileAll reconciles the lanes of all partitions.
func (e *Engine) reconcileAll(workCtx context.Context) {
	for partition := range e.lanes {
		e.reconcile(workCtx, eventlog.Partition(partition))
	}
}

// acquireSlot waits for a busy slot and returns a function that releases it. A slot is released after busySlotTime at
// the latest, because an attempt that waits for its receiver uses no CPU. The slots limit the CPU use of a burst of
// messages, so that commands proceed.
func (e *Engine) acquireSlot() func() {
	e.busySlots <- struct{}{}
	release := sync.OnceFunc(func() { <-e.busySlots })
	timer := time.AfterFunc(busySlotTime, release)
	return func() {
		timer.Stop()
		release()
	}
}

// busySlotTime is how long an attempt occupies a busy slot at most.
const busySlotTime = 2 * time.Millisecond
