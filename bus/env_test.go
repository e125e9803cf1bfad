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

// testModel is a minimal read model: one world behind a lock.
type testModel struct {
	mu               sync.Mutex
	world            *domain.World
	heads            eventlog.Positions
	versions         map[string]uint64
	changed          chan struct{}
	applied          func([]eventlog.Entry)
	panicOn          domain.MilestoneID // reading this milestone panics, like a faulty rule
	readsBeforePanic int                // reads of it before the first panic
	forks            [eventlog.Partitions]int
}

func newTestModel() *testModel {
	return &testModel{world: domain.NewWorld(), versions: make(map[string]uint64), changed: make(chan struct{})}
}

func (m *testModel) follow(ctx context.Context, log eventlog.Log) error {
	return log.Follow(ctx, eventlog.Positions{}, func(entries []eventlog.Entry) error {
		m.mu.Lock()
		for _, entry := range entries {
			if entry.Commit != nil {
				m.apply(entry.Commit)
			}
		}
		close(m.changed)
		m.changed = make(chan struct{})
		m.mu.Unlock()
		m.applied(entries)
		return nil
	}, nil)
}

func (m *testModel) apply(commit *eventlog.Commit) {
	stream, err := domain.ParseStream(commit.Stream)
	if err != nil {
		panic(err)
	}
	member, _ := domain.ParseActorName(commit.Actor)
	for _, e := range commit.Events {
		payload, err := domain.DecodeEvent(e.Type, e.Data)
		if err != nil {
			panic(err)
		}
		m.world.Apply(domain.Header{
			Stream: stream, Commit: commit.Seq, Subject: e.Subject, Audience: domain.Audience(e.Audience),
			Partner: domain.PartnerID(commit.Partner), Member: member, RecordedAt: commit.RecordedAt,
		}, payload)
	}
	m.heads[commit.Partition], m.versions[commit.Stream] = commit.Head(), commit.Version
}

func (m *testModel) State(partition eventlog.Partition) domain.State {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forks[partition]++
	return lockedWorld{m}
}

// setPanic makes reading a milestone panic after the given number of reads.
func (m *testModel) setPanic(id domain.MilestoneID, spared int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.panicOn, m.readsBeforePanic = id, spared
}

func (m *testModel) StreamVersion(_ eventlog.Partition, stream string) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.versions[stream]
}

func (m *testModel) Head(partition eventlog.Partition) eventlog.Head {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.heads[partition]
}

func (m *testModel) WaitHead(ctx context.Context, partition eventlog.Partition, seq uint64) error {
	for {
		m.mu.Lock()
		at, changed := m.heads[partition].Seq, m.changed
		m.mu.Unlock()
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

type lockedWorld struct{ *testModel }

func (w lockedWorld) Partner(id domain.PartnerID) *domain.Partner {
	return read(w, w.world.Partner, id)
}

func (w lockedWorld) Member(ref domain.MemberRef) *domain.Member { return read(w, w.world.Member, ref) }

func (w lockedWorld) Token(ref domain.TokenRef) *domain.Token { return read(w, w.world.Token, ref) }

func (w lockedWorld) Webhook(ref domain.WebhookRef) *domain.Webhook {
	return read(w, w.world.Webhook, ref)
}

func (w lockedWorld) ReservedName(key string) *domain.ReservedName {
	return read(w, w.world.ReservedName, key)
}

func (w lockedWorld) Agreement(id domain.AgreementID) *domain.Agreement {
	return read(w, w.world.Agreement, id)
}

func (w lockedWorld) Project(ref domain.ProjectRef) *domain.Project {
	return read(w, w.world.Project, ref)
}

func (w lockedWorld) Milestone(ref domain.MilestoneRef) *domain.Milestone {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ref.Milestone == w.panicOn {
		if w.readsBeforePanic--; w.readsBeforePanic < 0 {
			panic("poisoned milestone")
		}
	}
	return w.world.Milestone(ref)
}

func (w lockedWorld) MilestonesOf(agreement domain.AgreementID, instrument domain.InstrumentID) []*domain.Milestone {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.world.MilestonesOf(agreement, instrument)
}

func (w lockedWorld) Milestones(in domain.ProjectRef) []*domain.Milestone {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.world.Milestones(in)
}

func read[K, V any](locked lockedWorld, get func(K) V, key K) V {
	locked.mu.Lock()
	defer locked.mu.Unlock()
	return get(key)
}

// node is a bus and a read model on a log.
type node struct {
	t     testing.TB
	log   eventlog.Log
	model *testModel
	bus   *bus.Bus
	stop  func()
}

func startNode(t testing.TB, log eventlog.Log, change ...func(*bus.Config)) *node {
	t.Helper()
	node := &node{t: t, log: log, model: newTestModel()}
	cfg := bus.Config{Log: log, ReadModel: node.model}
	for _, configure := range change {
		configure(&cfg)
	}
	created, err := bus.New(cfg)
	require.NoError(t, err)
	node.bus, node.model.applied = created, created.Applied
	following, endFollowing := context.WithCancel(context.Background())
	running, endRunning := context.WithCancel(context.Background())
	followed, ran := make(chan error, 1), make(chan error, 1)
	go func() { followed <- node.model.follow(following, log) }()
	go func() { ran <- created.Run(running) }()
	node.stop = sync.OnceFunc(func() {
		endRunning()
		require.NoError(t, <-ran)
		endFollowing()
		require.ErrorIs(t, <-followed, context.Canceled)
	})
	t.Cleanup(node.stop)
	<-created.Ready()
	return node
}

var (
	operator = domain.Actor{Member: "operator", Role: domain.Operator}
	nokia    = domain.Actor{Partner: "nokia", Member: "pm", Role: domain.Manager, MaySign: true}
	xiaomi   = domain.Actor{Partner: "xiaomi", Member: "pm", Role: domain.Manager, MaySign: true}
)

const (
	agreement domain.AgreementID = "a"
	today     domain.Date        = 20180330
)

func newRequest(actor domain.Actor, command domain.Command) bus.Request {
	return bus.Request{ID: eventlog.CommandID(uuid.Must(uuid.NewV7())), Command: reserved(command, time.Now()), Actor: actor, Today: today, RequestedAt: time.Now()}
}

// reserved adds the reservation of a new name, which the HTTP layer makes.
func reserved(command domain.Command, at time.Time) domain.Command {
	switch c := command.(type) {
	case domain.CreatePartner:
		c.Reservation = domain.NameReservation{Keys: []string{c.Profile.Name}, At: at}
		return c
	case domain.EditPartner:
		if c.Name != nil {
			c.Reservation = domain.NameReservation{Keys: []string{*c.Name}, At: at}
		}
		return c
	}
	return command
}

// keyed returns a request with an idempotency key. The content determines the fingerprint.
func keyed(key byte, content byte, actor domain.Actor, command domain.Command) bus.Request {
	request := newRequest(actor, command)
	request.ID = eventlog.CommandID{key}
	request.Fingerprint = eventlog.Fingerprint{content}
	return request
}

// do sends a command and requires that it is committed.
func (n *node) do(actor domain.Actor, command domain.Command) bus.Result {
	n.t.Helper()
	return n.send(newRequest(actor, command))
}

func (n *node) send(request bus.Request) bus.Result {
	n.t.Helper()
	result, err := n.bus.Do(n.t.Context(), request)
	require.NoError(n.t, err)
	require.Nil(n.t, result.Rejection)
	return result
}

// activateAgreement creates an active agreement with a project.
func (n *node) activateAgreement() {
	n.t.Helper()
	n.do(operator, domain.DraftAgreement{AgreementID: agreement, Terms: domain.Terms{
		Title: "A", Parties: []domain.PartnerID{"nokia", "xiaomi"}, EffectiveOn: domain.NewDate(1970, 1, 1),
	}})
	n.do(nokia, domain.SignAgreement{AgreementID: agreement, Signatory: "Chief executive"})
	n.do(xiaomi, domain.SignAgreement{AgreementID: agreement, Signatory: "Chief executive"})
	n.do(nokia, domain.CreateProject{
		ProjectRef: domain.ProjectRef{Agreement: agreement, Project: "p"}, Title: "P", Stage: domain.Proposed,
		Lead: "nokia", Participants: []domain.PartnerID{"nokia", "xiaomi"},
	})
}

func ref(id domain.MilestoneID) domain.MilestoneRef {
	return domain.MilestoneRef{Agreement: agreement, Project: "p", Milestone: id}
}

func plan(id domain.MilestoneID) domain.PlanMilestone {
	return domain.PlanMilestone{MilestoneRef: ref(id), Plan: domain.Plan{Title: "M", Owner: "nokia", DueOn: today}}
}

// commits returns all commits of the agreement's partition, after verifying their chain.
func (n *node) commits() []eventlog.Commit {
	n.t.Helper()
	partition := eventlog.PartitionOf("agreement/" + string(agreement))
	head, err := n.log.Head(n.t.Context(), partition)
	require.NoError(n.t, err)
	var seqs []uint64
	for seq := uint64(1); seq <= head.Seq; seq++ {
		seqs = append(seqs, seq)
	}
	commits, err := n.log.Read(n.t.Context(), partition, seqs)
	require.NoError(n.t, err)
	var at eventlog.Head
	for i := range commits {
		require.NoError(n.t, commits[i].Verify(at))
		at = commits[i].Head()
	}
	return commits
}
