package projections_test

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
	"tandem/projections"
)

// fixture is a log and its writer, which decides commands like the owner of a partition.
type fixture struct {
	t      require.TestingT
	log    eventlog.Log
	clock  *clock
	state  *domain.World
	leases map[eventlog.Partition]eventlog.Lease
	heads  map[eventlog.Partition]eventlog.Head
	count  map[string]uint64
	puts   []eventlog.KV // of the next commit
	actor  domain.Actor  // of the next commands of its partner; zero: managerOf
	n      int
}

// clock is set by the test.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

func (c *clock) advance(duration time.Duration) time.Time {
	c.set(c.Now().Add(duration))
	return c.Now()
}

func newFixture(t require.TestingT) *fixture { return newFixtureOn(t, eventlogtest.NewMemory()) }

func newFixtureOn(t require.TestingT, log eventlog.Log) *fixture {
	return &fixture{
		t: t, log: log, clock: &clock{now: time.Date(2017, 7, 5, 9, 0, 0, 0, time.UTC)},
		state: domain.NewWorld(), leases: map[eventlog.Partition]eventlog.Lease{},
		heads: map[eventlog.Partition]eventlog.Head{}, count: map[string]uint64{},
	}
}

// managerOf returns a manager of the partner; "" is the operator.
func managerOf(partner domain.PartnerID) domain.Actor {
	if partner == "" {
		return domain.Actor{Member: "operator", Role: domain.Operator}
	}
	return domain.Actor{Partner: partner, Member: domain.MemberID(partner) + "-manager", Role: domain.Manager, MaySign: true}
}

// try decides a command and stores its events, or returns the refusal.
func (h *fixture) try(who domain.PartnerID, c domain.Command) (*eventlog.Commit, error) {
	at, actor := h.clock.advance(time.Second), managerOf(who)
	if h.actor.Partner == who && who != "" {
		actor = h.actor
	}
	if _, system := c.(domain.RenameParty); system {
		actor = domain.Actor{Member: domain.MemberID(domain.System), Role: domain.System}
	}
	today := domain.DateOf(at)
	if plan, ok := c.(domain.PlanMilestone); ok {
		today = min(today, plan.Plan.DueOn) // planned in time
	}
	events, err := domain.Decide(h.state, reserved(c, at), domain.DecisionContext{Actor: actor, At: at, Today: today})
	if err != nil {
		return nil, err
	}
	return h.store(actor, c.Stream(), at, events), nil
}

// store stores and folds events as one commit.
func (h *fixture) store(actor domain.Actor, stream domain.Stream, at time.Time, events []domain.Event) *eventlog.Commit {
	commit := h.commit(actor, stream, at)
	for _, e := range events {
		stored, data, err := domain.EncodeEvent(e.Payload)
		require.NoError(h.t, err)
		commit.Events = append(commit.Events, eventlog.Event{Type: stored, Subject: e.Subject, Audience: string(e.Audience), Data: data})
		h.state.Apply(domain.Header{
			Stream: stream, Commit: commit.Seq, Subject: e.Subject, Audience: e.Audience, Partner: actor.Partner,
			Member: actor.Member, RecordedAt: at,
		}, e.Payload)
	}
	h.append(commit)
	return commit
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

func (h *fixture) do(who domain.PartnerID, c domain.Command) *eventlog.Commit {
	commit, err := h.try(who, c)
	require.NoError(h.t, err)
	return commit
}

// at sets the time and the number of the next command.
func (h *fixture) at(step int) {
	h.n = step
	h.clock.set(time.Date(2017, 7, 5, 9, step, 0, 0, time.UTC))
}

func (h *fixture) commit(who domain.Actor, stream domain.Stream, at time.Time) *eventlog.Commit {
	h.n++
	h.count[stream.String()]++
	partition := eventlog.PartitionOf(stream.Root())
	sum := sha256.Sum256([]byte(strconv.Itoa(h.n)))
	commit := &eventlog.Commit{
		Partition: partition, Stream: stream.String(), Version: h.count[stream.String()],
		Actor: who.Name(), Partner: string(who.Partner), RecordedAt: at,
	}
	copy(commit.Command[:], sum[:])
	return commit
}

// append seals the commits and appends them to their partition.
func (h *fixture) append(commits ...*eventlog.Commit) {
	partition := commits[0].Partition
	if h.leases[partition] == nil {
		lease, err := h.log.Own(context.Background(), partition)
		require.NoError(h.t, err)
		h.leases[partition] = lease
	}
	b := eventlog.Batch{Partition: partition, Fence: h.leases[partition].Fence(), Head: h.heads[partition], Puts: h.puts}
	h.puts = nil
	head := b.Head
	for _, commit := range commits {
		commit.Seal(head)
		head = commit.Head()
		b.Commits = append(b.Commits, *commit)
	}
	require.NoError(h.t, h.log.Append(context.Background(), b))
	h.heads[partition] = head
}

func (h *fixture) config() projections.Config {
	return projections.Config{
		Log: h.log, BaseURL: "http://tandem.test", Now: h.clock.Now, Logger: slog.New(slog.DiscardHandler),
	}
}

// runningModel is a read model whose Run was called.
type runningModel struct {
	*projections.ReadModel
	applied *appliedHeads
	stop    func() error // ends Run and returns its error
}

// follow starts a read model and waits until it is live. It ends with the test.
func (h *fixture) follow(t testing.TB, cfg projections.Config) *runningModel {
	model := start(t, cfg)
	t.Cleanup(func() { _ = model.stop() })
	return model
}

// start starts a read model and waits until it is live or has failed.
func start(t require.TestingT, cfg projections.Config) *runningModel {
	applied := &appliedHeads{changed: make(chan struct{})}
	cfg.Applied = applied.record(cfg.Applied)
	model, err := projections.New(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- model.Run(ctx) }()
	stop := sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	select {
	case <-model.Live():
	case err := <-ended:
		ended <- err
	}
	applied.start(model)
	return &runningModel{model, applied, stop}
}

// caughtUp waits until all stored commits are applied and the readers that can see them are woken.
func (i *runningModel) caughtUp(t require.TestingT) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	require.NoError(t, i.WaitLatest(ctx))
	for partition := range eventlog.Partition(eventlog.Partitions) {
		i.applied.wait(partition, i.Head(partition).Seq)
	}
}

// appliedHeads records for which commits Config.Applied was called, which is after readers are woken.
type appliedHeads struct {
	mu      sync.Mutex
	seqs    [eventlog.Partitions]uint64
	changed chan struct{} // closed and replaced by each call
}

func (a *appliedHeads) record(next func([]eventlog.Entry)) func([]eventlog.Entry) {
	return func(entries []eventlog.Entry) {
		a.mu.Lock()
		for _, entry := range entries {
			if entry.Commit != nil {
				a.seqs[entry.Partition] = entry.Commit.Seq
			}
		}
		close(a.changed)
		a.changed = make(chan struct{})
		a.mu.Unlock()
		if next != nil {
			next(entries)
		}
	}
}

// start counts the commits that a live read model has restored from a snapshot as recorded.
func (a *appliedHeads) start(model *projections.ReadModel) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for partition := range a.seqs {
		a.seqs[partition] = max(a.seqs[partition], model.Head(eventlog.Partition(partition)).Seq)
	}
}

func (a *appliedHeads) wait(partition eventlog.Partition, seq uint64) {
	for {
		a.mu.Lock()
		reached, changed := a.seqs[partition], a.changed
		a.mu.Unlock()
		if reached >= seq {
			return
		}
		<-changed
	}
}

const agreementID, projectID = "nokia-xiaomi-2017", "ip-routing"

func milestoneRef(milestone domain.MilestoneID) domain.MilestoneRef {
	return domain.MilestoneRef{Agreement: agreementID, Project: projectID, Milestone: milestone}
}

func viewerOf(partner domain.PartnerID) projections.Viewer {
	return projections.Viewer{Partner: partner}
}

// settle creates the partners nokia and xiaomi, their active agreement and a committed project.
func (h *fixture) settle() {
	h.do("", domain.CreatePartner{PartnerID: "nokia", Profile: domain.PartnerProfile{Name: "Nokia", Country: "FI", TimeZone: "Europe/Helsinki"}})
	h.do("", domain.CreatePartner{PartnerID: "xiaomi", Profile: domain.PartnerProfile{Name: "Xiaomi", Country: "CN", TimeZone: "Asia/Shanghai"}})
	h.do("nokia", domain.DraftAgreement{AgreementID: agreementID, Terms: domain.Terms{
		Title: "Collaboration", Parties: []domain.PartnerID{"nokia", "xiaomi"},
		EffectiveOn: domain.NewDate(2017, 7, 5), AcceptanceDays: 10, ForecastToleranceDays: 14,
	}})
	h.do("nokia", domain.SignAgreement{AgreementID: agreementID, Signatory: "Chief executive"})
	h.do("xiaomi", domain.SignAgreement{AgreementID: agreementID, Signatory: "Chief executive"})
	h.store(managerOf("nokia"), domain.Stream{Agreement: agreementID, Project: projectID}, h.clock.advance(time.Second), []domain.Event{{
		Audience: domain.Shared, Payload: domain.ProjectCreated{ // committed at once, as in histories from before proposals
			Title: "IP routing", Stage: domain.Committed, Lead: "nokia", Participants: []domain.PartnerID{"nokia", "xiaomi"},
		},
	}})
}

// plan plans a milestone of nokia.
func (h *fixture) plan(m domain.MilestoneID, due domain.Date) {
	h.do("nokia", domain.PlanMilestone{MilestoneRef: milestoneRef(m), Plan: domain.Plan{Title: "Title of " + string(m), Owner: "nokia", DueOn: due}})
}
