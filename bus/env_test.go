package bus_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"tandem/bus"
	"tandem/domain"
	"tandem/eventlog"
)

// image is the least image there can be: one world behind a lock.
type image struct {
	mu       sync.Mutex
	world    *domain.World
	heads    eventlog.Positions
	versions map[string]uint64
	changed  chan struct{}
	applied  func([]eventlog.Entry)
	poison   domain.MilestoneID // reading this milestone panics, as a fault in a rule would
	spared   int                // reads of it that still go well
	forks    [eventlog.Partitions]int
}

func newImage() *image {
	return &image{world: domain.NewWorld(), versions: make(map[string]uint64), changed: make(chan struct{})}
}

func (i *image) follow(ctx context.Context, log eventlog.Log) error {
	return log.Follow(ctx, eventlog.Positions{}, func(entries []eventlog.Entry) error {
		i.mu.Lock()
		for _, e := range entries {
			if e.Commit != nil {
				i.apply(e.Commit)
			}
		}
		close(i.changed)
		i.changed = make(chan struct{})
		i.mu.Unlock()
		i.applied(entries)
		return nil
	}, nil)
}

func (i *image) apply(c *eventlog.Commit) {
	stream, err := domain.ParseStream(c.Stream)
	if err != nil {
		panic(err)
	}
	for _, e := range c.Events {
		payload, err := domain.DecodeEvent(e.Type, e.Data)
		if err != nil {
			panic(err)
		}
		i.world.Apply(domain.Header{
			Stream: stream, Commit: c.Seq, Subject: e.Subject, Audience: domain.Audience(e.Audience),
			Partner: domain.PartnerID(c.Partner), RecordedAt: c.RecordedAt,
		}, payload)
	}
	i.heads[c.Partition], i.versions[c.Stream] = c.Head(), c.Version
}

func (i *image) State(p eventlog.Partition) domain.State {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.forks[p]++
	return lockedWorld{i}
}

// poisoned makes reading a milestone panic, after the given number of reads that go well.
func (i *image) poisoned(id domain.MilestoneID, spared int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.poison, i.spared = id, spared
}

func (i *image) StreamVersion(_ eventlog.Partition, stream string) uint64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.versions[stream]
}

func (i *image) Head(p eventlog.Partition) eventlog.Head {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.heads[p]
}

func (i *image) WaitHead(ctx context.Context, p eventlog.Partition, seq uint64) error {
	for {
		i.mu.Lock()
		at, changed := i.heads[p].Seq, i.changed
		i.mu.Unlock()
		if at >= seq {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

type lockedWorld struct{ *image }

func (w lockedWorld) Partner(id domain.PartnerID) *domain.Partner {
	return read(w, w.world.Partner, id)
}
func (w lockedWorld) Member(r domain.MemberRef) *domain.Member { return read(w, w.world.Member, r) }
func (w lockedWorld) Token(r domain.TokenRef) *domain.Token    { return read(w, w.world.Token, r) }
func (w lockedWorld) Webhook(r domain.WebhookRef) *domain.Webhook {
	return read(w, w.world.Webhook, r)
}

func (w lockedWorld) Agreement(id domain.AgreementID) *domain.Agreement {
	return read(w, w.world.Agreement, id)
}

func (w lockedWorld) Project(r domain.ProjectRef) *domain.Project { return read(w, w.world.Project, r) }

func (w lockedWorld) Milestone(r domain.MilestoneRef) *domain.Milestone {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.Milestone == w.poison {
		if w.spared--; w.spared < 0 {
			panic("poisoned milestone")
		}
	}
	return w.world.Milestone(r)
}

func (w lockedWorld) Serving(a domain.AgreementID, i domain.InstrumentID) []*domain.Milestone {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.world.Serving(a, i)
}

func (w lockedWorld) Milestones(in domain.ProjectRef) []*domain.Milestone {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.world.Milestones(in)
}

func read[K, V any](w lockedWorld, get func(K) V, key K) V {
	w.mu.Lock()
	defer w.mu.Unlock()
	return get(key)
}

// node is a bus with its image on a log.
type node struct {
	t     testing.TB
	log   eventlog.Log
	image *image
	bus   *bus.Bus
	stop  func()
}

func startNode(t testing.TB, log eventlog.Log, change ...func(*bus.Config)) *node {
	t.Helper()
	n := &node{t: t, log: log, image: newImage()}
	cfg := bus.Config{Log: log, Image: n.image}
	for _, c := range change {
		c(&cfg)
	}
	b, err := bus.New(cfg)
	require.NoError(t, err)
	n.bus, n.image.applied = b, b.Applied
	following, endFollowing := context.WithCancel(context.Background())
	running, endRunning := context.WithCancel(context.Background())
	followed, ran := make(chan error, 1), make(chan error, 1)
	go func() { followed <- n.image.follow(following, log) }()
	go func() { ran <- b.Run(running) }()
	n.stop = sync.OnceFunc(func() {
		endRunning()
		require.NoError(t, <-ran)
		endFollowing()
		require.ErrorIs(t, <-followed, context.Canceled)
	})
	t.Cleanup(n.stop)
	<-b.Ready()
	return n
}

var (
	operator = domain.Actor{Member: "operator", Role: domain.Operator}
	nokia    = domain.Actor{Partner: "nokia", Member: "pm", Role: domain.Manager}
	xiaomi   = domain.Actor{Partner: "xiaomi", Member: "pm", Role: domain.Manager}
)

const (
	agreement domain.AgreementID = "a"
	today     domain.Date        = 20180330
)

func request(actor domain.Actor, c domain.Command) bus.Request {
	return bus.Request{ID: eventlog.CommandID(uuid.Must(uuid.NewV7())), Command: c, Actor: actor, Today: today, RequestedAt: time.Now()}
}

// keyed is a request with an idempotency key; the same key and content make the same request.
func keyed(key byte, content byte, actor domain.Actor, c domain.Command) bus.Request {
	r := request(actor, c)
	r.ID = eventlog.CommandID{key}
	r.Fingerprint = eventlog.Fingerprint{content}
	return r
}

// do sends a command and requires it to be accepted.
func (n *node) do(actor domain.Actor, c domain.Command) bus.Result {
	n.t.Helper()
	return n.send(request(actor, c))
}

func (n *node) send(r bus.Request) bus.Result {
	n.t.Helper()
	result, err := n.bus.Do(n.t.Context(), r)
	require.NoError(n.t, err)
	require.Nil(n.t, result.Rejection)
	return result
}

// agree makes an active agreement with an active project.
func (n *node) agree() {
	n.t.Helper()
	n.do(operator, domain.DraftAgreement{ID: agreement, Terms: domain.Terms{
		Title: "A", Parties: []domain.PartnerID{"nokia", "xiaomi"}, EffectiveOn: today,
	}})
	n.do(nokia, domain.SignAgreement{ID: agreement})
	n.do(xiaomi, domain.SignAgreement{ID: agreement})
	n.do(nokia, domain.CreateProject{
		Ref: domain.ProjectRef{Agreement: agreement, Project: "p"}, Title: "P", Stage: domain.Committed,
		Lead: "nokia", Participants: []domain.PartnerID{"nokia", "xiaomi"},
	})
}

func ref(id domain.MilestoneID) domain.MilestoneRef {
	return domain.MilestoneRef{Agreement: agreement, Project: "p", Milestone: id}
}

func plan(id domain.MilestoneID) domain.PlanMilestone {
	return domain.PlanMilestone{Ref: ref(id), Plan: domain.Plan{Title: "M", Owner: "nokia", DueOn: today}}
}

// commits returns the whole chain of the agreement's partition, verified.
func (n *node) commits() []eventlog.Commit {
	n.t.Helper()
	p := eventlog.PartitionOf("agreement/" + string(agreement))
	head, err := n.log.Head(n.t.Context(), p)
	require.NoError(n.t, err)
	var seqs []uint64
	for seq := uint64(1); seq <= head.Seq; seq++ {
		seqs = append(seqs, seq)
	}
	commits, err := n.log.Read(n.t.Context(), p, seqs)
	require.NoError(n.t, err)
	var at eventlog.Head
	for i := range commits {
		require.NoError(n.t, commits[i].Verify(at))
		at = commits[i].Head()
	}
	return commits
}
