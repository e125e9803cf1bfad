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
)

// Owner is what the engine needs of who decides the partitions' commands on this node.
type Owner interface {
	// Owns reports whether this node owns the partition now.
	Owns(p eventlog.Partition) bool
	// Keep stores entries in the key–value space of an owned partition, durably.
	Keep(ctx context.Context, p eventlog.Partition, puts []eventlog.KV) error
	// Moved gets a signal after partitions were taken or given up.
	Moved() <-chan struct{}
}

// Config says what an Engine works with.
type Config struct {
	Log     eventlog.Log
	Image   Image
	Owner   Owner
	Keyring *Keyring
	BaseURL string // begins links; no slash at the end
	// Disable has a webhook disabled, for everybody to see why.
	Disable func(ctx context.Context, ref domain.WebhookRef, reason string) error

	Client  *http.Client                // default: NewClient without private networks
	Formats func(string) (Format, bool) // default: FormatNamed
	Logger  *slog.Logger                // default: silent
	Now     func() time.Time            // default: time.Now
	After   func(time.Duration) <-chan time.Time

	KeepEvery      time.Duration // the least time between two keepings of cursors; default: 50 ms
	AttemptTimeout time.Duration // of one attempt; default: 20 s
	Drain          time.Duration // how long attempts under way may take at the end; default: 15 s
	First, Again   int           // attempts at a time: of lanes that work, and of those whose last attempt failed
}

func (c *Config) validate() error {
	if c.Log == nil || c.Image == nil || c.Owner == nil || c.Keyring == nil || c.Disable == nil {
		return errors.New("webhooks: a log, an image, an owner, a keyring and a way to disable are needed")
	}
	if c.Client == nil {
		c.Client = NewClient(nil)
	}
	if c.Formats == nil {
		c.Formats = FormatNamed
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
	orDefault(&c.KeepEvery, 50*time.Millisecond)
	orDefault(&c.AttemptTimeout, attemptTimeout)
	orDefault(&c.Drain, 15*time.Second)
	orDefault(&c.First, 384)
	orDefault(&c.Again, 128)
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
	cfg    Config
	source *source
	starts chan struct{} // bounds how many attempts are busy at once, see slot

	live         atomic.Bool
	count        atomic.Int64 // of lanes
	attemptsKept time.Time    // when the delivery log was kept last; the keeper's

	told  chan struct{} // has room for one signal: there is news
	keeps chan struct{} // likewise: there is something to keep
	stop  atomic.Bool
	turns sync.WaitGroup

	newsMu sync.Mutex
	news   news

	mu       sync.Mutex
	lanes    [eventlog.Partitions]map[domain.WebhookRef]*lane
	loaded   [eventlog.Partitions]bool
	partners map[domain.PartnerID]map[*lane]struct{}
	pool     [2]pool
	timers   timers
	alarm    chan struct{} // has room for one signal: an earlier timer was set
	dirty    [eventlog.Partitions]map[*lane]struct{}
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
	e := &Engine{
		cfg: cfg, source: newSource(cfg.Image, book, cfg.BaseURL),
		starts: make(chan struct{}, 8*runtime.GOMAXPROCS(0)), told: make(chan struct{}, 1), alarm: make(chan struct{}, 1), keeps: make(chan struct{}, 1),
		news: news{agreements: map[domain.AgreementID]struct{}{}}, partners: map[domain.PartnerID]map[*lane]struct{}{},
	}
	e.pool[0].limit, e.pool[1].limit = cfg.First, cfg.Again
	for p := range e.lanes {
		e.lanes[p], e.dirty[p] = map[domain.WebhookRef]*lane{}, map[*lane]struct{}{}
	}
	return e, nil
}

// Applied tells of entries that the image has applied. It never waits, and does nothing before Run.
func (e *Engine) Applied(entries []eventlog.Entry) {
	if !e.live.Load() {
		return
	}
	deaf := e.count.Load() == 0 // who comes later begins with a look at the image, which has the entries already
	e.newsMu.Lock()
	defer e.newsMu.Unlock()
	heard := false
	for n := range entries {
		c := entries[n].Commit
		if c == nil || deaf && !strings.HasPrefix(c.Stream, "partner/") {
			continue
		}
		heard = true
		kind, rest, _ := strings.Cut(c.Stream, "/")
		if kind == "partner" {
			e.news.directories[c.Partition] = true
			continue
		}
		id, _, _ := strings.Cut(rest, "/")
		e.news.agreements[domain.AgreementID(id)] = struct{}{}
	}
	if heard {
		signal(e.told)
	}
}

// Latest returns the latest event that a webhook asks for, as it would be delivered; false if there is none among
// the last ones. Any node can tell.
func (e *Engine) Latest(ctx context.Context, w *domain.Webhook) (Delivery, bool, error) {
	d, err := e.source.latest(ctx, w)
	if d == nil {
		return Delivery{}, false, err
	}
	return *d, true, nil
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
	working, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	e.live.Store(true)
	keeping := make(chan struct{})
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		e.keepUp(working, keeping)
	}()
	e.dispatch(ctx, working)
	e.mu.Lock() // whoever begins a turn looks under the lock
	e.stop.Store(true)
	e.mu.Unlock()
	late := time.AfterFunc(e.cfg.Drain, giveUp)
	e.turns.Wait()
	late.Stop()
	close(keeping)
	<-kept
	e.cfg.Client.CloseIdleConnections()
	return nil
}

func (e *Engine) stopping() bool { return e.stop.Load() }

// dispatch wakes lanes when something happens that concerns them.
func (e *Engine) dispatch(ctx, working context.Context) {
	e.reconcileAll(working)
	for {
		var due <-chan time.Time
		if d, set := e.untilDue(); set {
			due = e.cfg.After(d)
		}
		select {
		case <-e.told:
			e.hear(working)
		case <-e.cfg.Owner.Moved():
			e.reconcileAll(working)
		case <-due:
			e.wakeDue()
		case <-e.alarm:
		case <-ctx.Done():
			return
		}
	}
}

// hear looks at the news.
func (e *Engine) hear(working context.Context) {
	e.newsMu.Lock()
	heard := e.news
	e.news = news{agreements: map[domain.AgreementID]struct{}{}}
	e.newsMu.Unlock()
	for p, changed := range heard.directories {
		if changed {
			e.reconcile(working, eventlog.Partition(p))
		}
	}
	for a := range heard.agreements {
		readers := e.cfg.Image.ReadersOf(a)
		e.mu.Lock()
		for _, p := range readers {
			for l := range e.partners[p] {
				if wanted(l.webhook.Load().Settings.Agreements, a) {
					e.wake(l, false)
				}
			}
		}
		e.mu.Unlock()
	}
}

func (e *Engine) reconcileAll(working context.Context) {
	for p := range e.lanes {
		e.reconcile(working, eventlog.Partition(p))
	}
}

// slot waits for its turn to be busy and returns what gives it back. An attempt that waits for its receiver is not
// busy: it gives its slot back after a moment. So a burst of deliveries takes a bounded part of the machine, and
// commands go on beside it.
func (e *Engine) slot() func() {
	e.starts <- struct{}{}
	free := sync.OnceFunc(func() { <-e.starts })
	moment := time.AfterFunc(busyTime, free)
	return func() {
		moment.Stop()
		free()
	}
}

// busyTime is how long an attempt counts as busy.
const busyTime = 2 * time.Millisecond
