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

// Image holds what every partner may read. All methods are safe for concurrent use.
type Image struct {
	cfg        Config
	mu         sync.RWMutex // guards s
	s          *store
	identities *identities
	pages      *pageCache
	book       *sentences.Book
	folds      folds

	live     chan struct{}
	halted   chan struct{} // closed when Run has ended
	fault    error         // why; set before halted is closed
	arrivals [eventlog.Partitions]arrival
	waiting  atomic.Int32 // goroutines in WaitHead
	lost     atomic.Pointer[[]eventlog.LostTailError]
	accepted atomic.Uint64 // losses
	marks    marks

	schema        *schema
	sinceSnapshot int        // commits applied since the last one; the follower's
	saving        sync.Mutex // held while a snapshot is written in the background
	savings       sync.WaitGroup
}

// New returns an empty image. Run fills it.
func New(cfg Config) (*Image, error) {
	var faults []error
	for name, missing := range map[string]bool{"Log": cfg.Log == nil, "Now": cfg.Now == nil, "Logger": cfg.Logger == nil} {
		if missing {
			faults = append(faults, fmt.Errorf("projections: Config.%s is missing", name))
		}
	}
	if cfg.SnapshotEvery == 0 {
		cfg.SnapshotEvery = defaultSnapshotEvery
	}
	book, bookErr := sentences.New()
	schema, schemaErr := newSchema()
	if err := errors.Join(append(faults, bookErr, schemaErr)...); err != nil {
		return nil, err
	}
	found := newIdentities()
	return &Image{
		cfg: cfg, s: newStore(found), identities: found, pages: newPageCache(), book: book, schema: schema,
		marks: marks{noted: make(chan struct{}, 1)},
		live:  make(chan struct{}), halted: make(chan struct{}),
	}, nil
}

// Live is closed when all that was durable at the start of Run is applied, but for partitions that
// have lost commits.
func (i *Image) Live() <-chan struct{} { return i.live }

func (i *Image) isLive() bool {
	select {
	case <-i.live:
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
func (i *Image) Health() error {
	select {
	case <-i.halted:
		return i.fault
	default:
		return nil
	}
}

// Head returns the end of what is applied of a partition.
func (i *Image) Head(p eventlog.Partition) eventlog.Head {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.s.heads[p]
}

// StreamVersion returns the number of commits of a stream that are applied. The partition must be
// the stream's.
func (i *Image) StreamVersion(_ eventlog.Partition, stream string) uint64 {
	i.mu.RLock()
	defer i.mu.RUnlock()
	if n, ok := i.s.streams[stream]; ok {
		return n.version
	}
	return 0
}

// Empty reports whether no commit at all is applied.
func (i *Image) Empty() bool {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.s.heads == eventlog.Positions{}
}

// arrival wakes those who wait for a partition's next commits.
type arrival struct {
	mu sync.Mutex
	ch chan struct{}
}

func (a *arrival) wait() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ch == nil {
		a.ch = make(chan struct{})
	}
	return a.ch
}

func (a *arrival) fire() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ch != nil {
		close(a.ch)
		a.ch = nil
	}
}

// WaitHead waits until commit seq of the partition is applied, ctx ends or the image halts. In a
// partition that has lost commits it returns the *eventlog.LostTailError.
func (i *Image) WaitHead(ctx context.Context, p eventlog.Partition, seq uint64) error {
	i.waiting.Add(1)
	defer i.waiting.Add(-1)
	return i.await(ctx, func() (bool, <-chan struct{}, error) {
		next := i.arrivals[p].wait()
		if loss := i.LostIn(p); loss != nil {
			return true, nil, loss
		}
		return i.Head(p).Seq >= seq, next, nil
	})
}

// await repeats ready, which returns a channel to wait on, until it is done.
func (i *Image) await(ctx context.Context, ready func() (bool, <-chan struct{}, error)) error {
	live := i.live // a restored snapshot and the replay wake nobody one by one
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
		case <-i.halted:
			return i.fault
		}
	}
}

// WaitLatest asks the log for its heads and waits until all of them are applied, but for those of
// partitions that have lost commits.
func (i *Image) WaitLatest(ctx context.Context) error {
	heads, err := i.cfg.Log.Heads(ctx)
	if err != nil {
		return fmt.Errorf("ask the log for its heads: %w", unreadable(err))
	}
	for p, head := range heads {
		err := i.WaitHead(ctx, eventlog.Partition(p), head.Seq)
		if _, lost := errors.AsType[*eventlog.LostTailError](err); err != nil && !lost {
			return err
		}
	}
	return nil
}

// State returns the entities of one partition, for decisions; for all others it returns nil. It is
// safe for concurrent use, and what it returns never changes once the image is live.
func (i *Image) State(p eventlog.Partition) domain.State { return partitionState{i, p} }

var _ domain.State = partitionState{}

type partitionState struct {
	i *Image
	p eventlog.Partition
}

// Serving implements domain.State. It is decided with, so it is the whole truth, not one partner's.
func (st partitionState) Serving(a domain.AgreementID, i domain.InstrumentID) (list []*domain.Milestone) {
	if eventlog.PartitionOf(domain.Stream{Agreement: a}.Root()) != st.p {
		return nil
	}
	st.i.mu.RLock()
	defer st.i.mu.RUnlock()
	return st.i.s.Serving(a, i)
}

// Milestones implements domain.State.
func (st partitionState) Milestones(in domain.ProjectRef) (list []*domain.Milestone) {
	if eventlog.PartitionOf(domain.Stream{Agreement: in.Agreement}.Root()) != st.p {
		return nil
	}
	st.i.mu.RLock()
	defer st.i.mu.RUnlock()
	return st.i.s.Milestones(in)
}

// read returns what get finds, if stream lies in the state's partition.
func read[T any](st partitionState, stream domain.Stream, get func(*store) *T) *T {
	if eventlog.PartitionOf(stream.Root()) != st.p {
		return nil
	}
	st.i.mu.RLock()
	defer st.i.mu.RUnlock()
	return get(st.i.s)
}

func (st partitionState) Partner(id domain.PartnerID) *domain.Partner {
	return read(st, domain.Stream{Partner: id}, func(s *store) *domain.Partner { return s.Partner(id) })
}

func (st partitionState) Member(ref domain.MemberRef) *domain.Member {
	return read(st, domain.Stream{Partner: ref.Partner}, func(s *store) *domain.Member { return s.Member(ref) })
}

func (st partitionState) Token(ref domain.TokenRef) *domain.Token {
	return read(st, domain.Stream{Partner: ref.Partner}, func(s *store) *domain.Token { return s.Token(ref) })
}

func (st partitionState) Webhook(ref domain.WebhookRef) *domain.Webhook {
	return read(st, domain.Stream{Partner: ref.Partner}, func(s *store) *domain.Webhook { return s.Webhook(ref) })
}

func (st partitionState) Agreement(id domain.AgreementID) *domain.Agreement {
	return read(st, domain.Stream{Agreement: id}, func(s *store) *domain.Agreement { return s.Agreement(id) })
}

func (st partitionState) Project(ref domain.ProjectRef) *domain.Project {
	return read(st, domain.Stream{Agreement: ref.Agreement}, func(s *store) *domain.Project { return s.Project(ref) })
}

func (st partitionState) Milestone(ref domain.MilestoneRef) *domain.Milestone {
	return read(st, domain.Stream{Agreement: ref.Agreement}, func(s *store) *domain.Milestone { return s.Milestone(ref) })
}
