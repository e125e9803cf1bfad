package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections/sentences"
)

// Config says what an image follows and how.
type Config struct {
	Log     eventlog.Log
	Dir     string // snapshots and marks are kept here; empty: none
	BaseURL string // begins the url fields: "http://127.0.0.1:8080", no slash at the end
	Now     func() time.Time
	Logger  *slog.Logger
	// Applied is called on the follower's goroutine after a group of entries was applied, in
	// order, during the replay too. It must not keep the slice. It may be nil.
	Applied func([]eventlog.Entry)
	// SnapshotEvery is the number of commits between background snapshots; 0 stands for 200,000.
	SnapshotEvery int
}

const defaultSnapshotEvery = 200_000

// ReadModel holds what every partner may read. All methods are safe for concurrent use.
type ReadModel struct {
	cfg    Config
	mu     sync.RWMutex // guards s
	store  *store
	tokens *tokenIndex
	pages  *pageCache
	book   *sentences.Book
	pasts  pastCache

	live           chan struct{}
	halted         chan struct{} // closed when Run has ended
	haltReason     error         // why; set before halted is closed
	headSignals    [eventlog.Partitions]signal
	headWaiters    atomic.Int32 // goroutines in WaitHead
	losses         atomic.Pointer[[]eventlog.LostTailError]
	acceptedLosses atomic.Uint64 // losses
	seenHeads      seenHeads

	schema          *snapshotSchema
	sinceSnapshot   int        // commits applied since the last one; the follower's
	snapshotLock    sync.Mutex // held while a snapshot is written in the background
	snapshotWriters sync.WaitGroup
}

// New returns an empty image. Run fills it.
func New(cfg Config) (*ReadModel, error) {
	var errs []error
	for name, missing := range map[string]bool{"Log": cfg.Log == nil, "Now": cfg.Now == nil, "Logger": cfg.Logger == nil} {
		if missing {
			errs = append(errs, fmt.Errorf("projections: Config.%s is missing", name))
		}
	}
	if cfg.SnapshotEvery == 0 {
		cfg.SnapshotEvery = defaultSnapshotEvery
	}
	book, bookErr := sentences.New()
	schema, schemaErr := newSnapshotSchema()
	if err := errors.Join(append(errs, bookErr, schemaErr)...); err != nil {
		return nil, err
	}
	found := newTokenIndex()
	return &ReadModel{
		cfg: cfg, store: newStore(found), tokens: found, pages: newPageCache(), book: book, schema: schema,
		seenHeads: seenHeads{changed: make(chan struct{}, 1)},
		live:      make(chan struct{}), halted: make(chan struct{}),
	}, nil
}

// Live is closed when all that was durable at the start of Run is applied, but for partitions that
// have lost commits.
func (m *ReadModel) Live() <-chan struct{} { return m.live }

func (m *ReadModel) isLive() bool {
	select {
	case <-m.live:
		return true
	default:
		return false
	}
}

// ErrHalted says that the image follows the log no longer.
var ErrHalted = errors.New("the image does not follow the log any more")

// ErrUnreadable says that a read needs something of the log that could not be read now; the same read
// may succeed later.
var ErrUnreadable = errors.New("the log cannot be read now")

// unreadable adds that to an error of the log, unless what is there can never be read.
func unreadable(err error) error {
	if errors.Is(err, eventlog.ErrDamaged) || errors.Is(err, eventlog.ErrNewer) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnreadable, err)
}

// Health returns nil while the image follows, or will; afterwards an ErrHalted with the reason.
func (m *ReadModel) Health() error {
	select {
	case <-m.halted:
		return m.haltReason
	default:
		return nil
	}
}

// Head returns the end of what is applied of a partition.
func (m *ReadModel) Head(partition eventlog.Partition) eventlog.Head {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.store.heads[partition]
}

// StreamVersion returns the number of commits of a stream that are applied. The partition must be
// the stream's.
func (m *ReadModel) StreamVersion(_ eventlog.Partition, stream string) uint64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if node, ok := m.store.streams[stream]; ok {
		return node.version
	}
	return 0
}

// Empty reports whether no commit at all is applied.
func (m *ReadModel) Empty() bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.store.heads == eventlog.Positions{}
}

// signal wakes those who wait for a partition's next commits.
type signal struct {
	mu sync.Mutex
	ch chan struct{}
}

func (a *signal) wait() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ch == nil {
		a.ch = make(chan struct{})
	}
	return a.ch
}

func (a *signal) fire() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ch != nil {
		close(a.ch)
		a.ch = nil
	}
}

// WaitHead waits until commit seq of the partition is applied, ctx ends or the image halts. In a
// partition that has lost commits it returns the *eventlog.LostTailError.
func (m *ReadModel) WaitHead(ctx context.Context, partition eventlog.Partition, seq uint64) error {
	m.headWaiters.Add(1)
	defer m.headWaiters.Add(-1)
	return m.waitUntil(ctx, func() (bool, <-chan struct{}, error) {
		next := m.headSignals[partition].wait()
		if loss := m.OpenLossIn(partition); loss != nil {
			return true, nil, loss
		}
		return m.Head(partition).Seq >= seq, next, nil
	})
}

// waitUntil repeats ready, which returns a channel to wait on, until it is done.
func (m *ReadModel) waitUntil(ctx context.Context, ready func() (bool, <-chan struct{}, error)) error {
	live := m.live // a restored snapshot and the replay wake nobody one by one
	for {
		done, next, err := ready()
		if done {
			return err
		}
		select {
		case <-next:
		case <-live:
			live = nil
		case <-ctx.Done():
			return ctx.Err()
		case <-m.halted:
			return m.haltReason
		}
	}
}

// WaitLatest asks the log for its heads and waits until all of them are applied, but for those of
// partitions that have lost commits.
func (m *ReadModel) WaitLatest(ctx context.Context) error {
	heads, err := m.cfg.Log.Heads(ctx)
	if err != nil {
		return fmt.Errorf("ask the log for its heads: %w", unreadable(err))
	}
	for partition, head := range heads {
		err := m.WaitHead(ctx, eventlog.Partition(partition), head.Seq)
		if _, lost := errors.AsType[*eventlog.LostTailError](err); err != nil && !lost {
			return err
		}
	}
	return nil
}

// State returns the entities of one partition, for decisions; for all others it returns nil. It is
// safe for concurrent use, and what it returns never changes once the image is live.
func (m *ReadModel) State(partition eventlog.Partition) domain.State {
	return partitionState{m, partition}
}

var _ domain.State = partitionState{}

type partitionState struct {
	model     *ReadModel
	partition eventlog.Partition
}

// MilestonesOf implements domain.State. It is decided with, so it is the whole truth, not one partner's.
func (s partitionState) MilestonesOf(agreement domain.AgreementID, instrument domain.InstrumentID) (list []*domain.Milestone) {
	if eventlog.PartitionOf(domain.Stream{Agreement: agreement}.Root()) != s.partition {
		return nil
	}
	s.model.mu.RLock()
	defer s.model.mu.RUnlock()
	return s.model.store.MilestonesOf(agreement, instrument)
}

// Milestones implements domain.State.
func (s partitionState) Milestones(in domain.ProjectRef) (list []*domain.Milestone) {
	if eventlog.PartitionOf(domain.Stream{Agreement: in.Agreement}.Root()) != s.partition {
		return nil
	}
	s.model.mu.RLock()
	defer s.model.mu.RUnlock()
	return s.model.store.Milestones(in)
}

// read returns what get finds, if stream lies in the state's partition.
func read[T any](st partitionState, stream domain.Stream, get func(*store) *T) *T {
	if eventlog.PartitionOf(stream.Root()) != st.partition {
		return nil
	}
	st.model.mu.RLock()
	defer st.model.mu.RUnlock()
	return get(st.model.store)
}

func (s partitionState) Partner(id domain.PartnerID) *domain.Partner {
	return read(s, domain.Stream{Partner: id}, func(state *store) *domain.Partner { return state.Partner(id) })
}

func (s partitionState) Member(ref domain.MemberRef) *domain.Member {
	return read(s, domain.Stream{Partner: ref.Partner}, func(state *store) *domain.Member { return state.Member(ref) })
}

func (s partitionState) Token(ref domain.TokenRef) *domain.Token {
	return read(s, domain.Stream{Partner: ref.Partner}, func(state *store) *domain.Token { return state.Token(ref) })
}

func (s partitionState) Webhook(ref domain.WebhookRef) *domain.Webhook {
	return read(s, domain.Stream{Partner: ref.Partner}, func(state *store) *domain.Webhook { return state.Webhook(ref) })
}

func (s partitionState) Agreement(id domain.AgreementID) *domain.Agreement {
	return read(s, domain.Stream{Agreement: id}, func(state *store) *domain.Agreement { return state.Agreement(id) })
}

func (s partitionState) Project(ref domain.ProjectRef) *domain.Project {
	return read(s, domain.Stream{Agreement: ref.Agreement}, func(state *store) *domain.Project { return state.Project(ref) })
}

func (s partitionState) Milestone(ref domain.MilestoneRef) *domain.Milestone {
	return read(s, domain.Stream{Agreement: ref.Agreement}, func(state *store) *domain.Milestone { return state.Milestone(ref) })
}
