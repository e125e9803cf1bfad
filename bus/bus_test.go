package bus_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tandem/bus"
	"tandem/domain"
	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
)

func TestCommittedCommandIsLoggedAndApplied(t *testing.T) {
	node := startNode(t, eventlogtest.NewMemory())
	node.activateAgreement()
	result := node.do(nokia, plan("m"))
	require.NotNil(t, node.model.world.Milestone(ref("m")), "the caller reads its own write")
	commits := node.commits()
	last := commits[len(commits)-1]
	require.Equal(t, result.Seq, last.Seq)
	require.Equal(t, "project/a/p", last.Stream)
	require.EqualValues(t, 2, last.Version)
	require.Equal(t, "pm", last.Actor)
	require.Equal(t, "nokia", last.Partner)
}

func TestRefusedCommandHasNoEvent(t *testing.T) {
	node := startNode(t, eventlogtest.NewMemory())
	node.activateAgreement()
	before := node.commits()
	result, err := node.bus.Do(t.Context(), newRequest(xiaomi, domain.StartMilestone{MilestoneRef: ref("m")}))
	require.NoError(t, err)
	require.Equal(t, "not_found", result.Rejection.Code)
	require.Equal(t, before, node.commits())
}

func TestCommandsOfAFailedAppendAreCommittedOnce(t *testing.T) {
	for name, fail := range map[string]func(*eventlogtest.Memory, error){
		"not stored": (*eventlogtest.Memory).FailBefore,
		"stored":     (*eventlogtest.Memory).FailAfter,
	} {
		t.Run(name, func(t *testing.T) {
			log := eventlogtest.NewMemory()
			node := startNode(t, log)
			node.activateAgreement()
			fail(log, errors.New("the connection broke"))
			node.do(nokia, plan("m"))
			node.do(nokia, domain.StartMilestone{MilestoneRef: ref("m")})
			var planned int
			for _, commit := range node.commits() {
				if commit.Events[0].Type == "milestone.planned.v1" {
					planned++
				}
			}
			require.Equal(t, 1, planned)
		})
	}
}

func TestDecidesAheadOfTheAppend(t *testing.T) {
	log := eventlogtest.NewMemory()
	node := startNode(t, log)
	node.activateAgreement()
	held := log.Hold()
	const callers = 20
	done := make(chan error, callers+1)
	do := func(command domain.Command) {
		result, err := node.bus.Do(t.Context(), newRequest(nokia, command))
		if err == nil && result.Rejection != nil {
			err = result.Rejection
		}
		done <- err
	}
	go do(plan("m"))
	<-held.Arrived()
	second := log.Hold() // the next append has all that is decided in the meantime
	for range callers {
		go do(domain.CommentMilestone{MilestoneRef: ref("m"), Text: "decided before it is durable"})
	}
	held.Release()
	<-second.Arrived()
	second.Release()
	for range callers + 1 {
		require.NoError(t, <-done)
	}
}

func TestOfTwentyWritersOnOneVersionOneWins(t *testing.T) {
	node := startNode(t, eventlogtest.NewMemory())
	node.activateAgreement()
	node.do(nokia, plan("m"))
	version := uint64(1)
	var won, lost int
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			request := newRequest(nokia, domain.CommentMilestone{MilestoneRef: ref("m"), Text: "mine"})
			request.IfMatch = &version
			result, err := node.bus.Do(t.Context(), request)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				t.Error(err)
			case result.Rejection == nil:
				won++
			case result.Rejection.Code == "version_mismatch":
				lost++
			}
		})
	}
	all.Wait()
	require.Equal(t, 1, won)
	require.Equal(t, 19, lost)
}

func TestUnreadableMessageAndPanicDoNotStopTheOwner(t *testing.T) {
	log := eventlogtest.NewMemory()
	node := startNode(t, log)
	node.activateAgreement()
	partition := eventlog.PartitionOf("agreement/a")
	publisher := bus.NewPublisher(log)
	unreadable := message.NewMessage("not an id", []byte("{"))
	require.NoError(t, publisher.Publish(eventlog.Topic(partition), unreadable))
	node.do(nokia, plan("after-the-unreadable"))
	letters, err := log.DeadLetters(t.Context(), partition)
	require.NoError(t, err)
	require.Len(t, letters, 1)
	require.Equal(t, []byte("{"), letters[0].Payload)
	require.Contains(t, letters[0].Reason, "command id")

	node.model.setPanic("poisoned", 0)
	result, err := node.bus.Do(t.Context(), newRequest(nokia, plan("poisoned")))
	require.NoError(t, err)
	require.Equal(t, domain.Internal, result.Rejection.Kind)
	require.NotContains(t, result.Rejection.Detail, "poison", "internal details are hidden")
	node.do(nokia, plan("after-the-panic"))
}

func TestStoppedLogFailsCommandsImmediately(t *testing.T) {
	log := eventlogtest.NewMemory()
	node := startNode(t, log)
	node.activateAgreement()
	log.Stop(errors.New("no space left on device"))
	_, err := node.bus.Do(t.Context(), newRequest(nokia, plan("m")))
	require.Error(t, err)
	require.Contains(t, err.Error(), "no space left on device")
	require.Error(t, node.bus.Health())
	require.Nil(t, node.model.world.Milestone(ref("m")))
}

func TestStopDuringAppendLeavesTheOutcomeUnknown(t *testing.T) {
	log := eventlogtest.NewMemory()
	node := startNode(t, log)
	node.activateAgreement()
	held := log.Hold()
	done := make(chan error, 1)
	go func() {
		_, err := node.bus.Do(t.Context(), newRequest(nokia, plan("m")))
		done <- err
	}()
	<-held.Arrived()
	log.FailBefore(eventlog.ErrStopped)
	held.Release()
	require.ErrorIs(t, <-done, bus.ErrOutcomeUnknown)
}

func TestContextEndsTheWait(t *testing.T) {
	log := eventlogtest.NewMemory()
	node := startNode(t, log)
	node.activateAgreement()
	held := log.Hold()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := node.bus.Do(ctx, keyed(1, 1, nokia, plan("m")))
		done <- err
	}()
	<-held.Arrived()
	cancel()
	err := <-done
	require.ErrorIs(t, err, bus.ErrOutcomeUnknown)
	require.ErrorIs(t, err, bus.ErrPending)
	held.Release()
	first := node.send(keyed(1, 1, nokia, plan("m")))
	again := node.send(keyed(1, 1, nokia, plan("m")))
	require.True(t, again.Repeat)
	require.Equal(t, first.Seq, again.Seq, "the command has one effect, although the caller stopped waiting")
}

// failingQueue is a log whose command queue returns an error for every message.
type failingQueue struct {
	eventlog.Log
	err error
}

func (l failingQueue) Send(context.Context, string, eventlog.Message) error { return l.err }

func TestFailedSend(t *testing.T) {
	broken := errors.New("the connection broke")
	for name, test := range map[string]struct{ failure, want, not error }{
		"certainly not sent": {fmt.Errorf("%w: %w", eventlog.ErrNotSent, broken), bus.ErrUnavailable, bus.ErrOutcomeUnknown},
		"possibly sent":      {broken, bus.ErrOutcomeUnknown, bus.ErrUnavailable},
		"not pending":        {broken, bus.ErrOutcomeUnknown, bus.ErrPending},
	} {
		t.Run(name, func(t *testing.T) {
			node := startNode(t, failingQueue{eventlogtest.NewMemory(), test.failure})
			_, err := node.bus.Do(t.Context(), newRequest(nokia, plan("m")))
			require.ErrorIs(t, err, test.want)
			require.NotErrorIs(t, err, test.not)
			require.ErrorIs(t, err, broken)
		})
	}
}

func TestTimeNeverRunsBackwards(t *testing.T) {
	noon := time.Date(2018, 3, 30, 12, 0, 0, 0, time.UTC)
	var asked atomic.Int64
	node := startNode(t, eventlogtest.NewMemory(), func(cfg *bus.Config) {
		cfg.Now = func() time.Time { return noon.Add(-time.Duration(asked.Add(1)) * time.Hour) }
	})
	node.activateAgreement()
	commits := node.commits()
	for i := 1; i < len(commits); i++ {
		require.Equal(t, commits[i-1].RecordedAt.Add(time.Microsecond), commits[i].RecordedAt)
	}
}

func TestBackdatingMustBeAllowed(t *testing.T) {
	loading := true
	node := startNode(t, eventlogtest.NewMemory(), func(cfg *bus.Config) { cfg.AllowBackdating = func() bool { return loading } })
	past := time.Date(2017, 7, 5, 6, 0, 0, 0, time.UTC)
	request := newRequest(operator, domain.DraftAgreement{AgreementID: agreement, Terms: domain.Terms{
		Title: "A", Parties: []domain.PartnerID{"nokia", "xiaomi"}, EffectiveOn: today,
	}})
	request.RecordedAt = past
	node.send(request)
	require.Equal(t, past, node.commits()[0].RecordedAt)
	loading = false
	request = newRequest(nokia, domain.SignAgreement{AgreementID: agreement, Signatory: "Chief executive"})
	request.RecordedAt = past.Add(time.Hour)
	result, err := node.bus.Do(t.Context(), request)
	require.NoError(t, err)
	require.Equal(t, "backdated", result.Rejection.Code)
	require.Len(t, node.commits(), 1)
}

func TestPrivateValuesAreStoredWithTheCommit(t *testing.T) {
	log := eventlogtest.NewMemory()
	node := startNode(t, log)
	node.do(operator, domain.CreatePartner{PartnerID: "nokia", Profile: domain.PartnerProfile{Name: "Nokia", Country: "FI", TimeZone: "Europe/Helsinki"}})
	request := newRequest(nokia, domain.AddMember{MemberRef: domain.MemberRef{Partner: "nokia", Member: "m1"}, Role: domain.Viewer})
	request.Private = []eventlog.KV{{Key: "member/nokia/m1", Value: []byte(`{"name":"A Member"}`)}}
	node.send(request)
	partition := eventlog.PartitionOf("partner/nokia")
	value, err := log.Get(t.Context(), partition, "member/nokia/m1")
	require.NoError(t, err)
	require.JSONEq(t, `{"name":"A Member"}`, string(value))
	request = newRequest(nokia, domain.AddMember{MemberRef: domain.MemberRef{Partner: "nokia", Member: "m1"}, Role: domain.Viewer})
	request.Private = []eventlog.KV{{Key: "member/nokia/m1", Value: []byte(`{}`)}}
	result, err := node.bus.Do(t.Context(), request)
	require.NoError(t, err)
	require.Equal(t, "member_exists", result.Rejection.Code)
	value, err = log.Get(t.Context(), partition, "member/nokia/m1")
	require.NoError(t, err)
	require.JSONEq(t, `{"name":"A Member"}`, string(value), "a refused command has no effect")

	request = newRequest(nokia, domain.RemoveMember{MemberRef: domain.MemberRef{Partner: "nokia", Member: "m1"}})
	request.Private = []eventlog.KV{{Key: "member/nokia/m1"}}
	node.send(request)
	left, err := log.Scan(t.Context(), partition, "member/")
	require.NoError(t, err)
	require.Empty(t, left, "an erased key is absent, not empty")
}

func TestCanceledContextStillSends(t *testing.T) {
	node := startNode(t, eventlogtest.NewMemory())
	node.activateAgreement()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := node.bus.Do(ctx, keyed(1, 1, nokia, plan("m"))); err != nil {
		require.ErrorIs(t, err, bus.ErrOutcomeUnknown)
		require.ErrorIs(t, err, bus.ErrPending)
	}
	node.send(keyed(1, 1, nokia, plan("m")))
	require.NotNil(t, node.model.world.Milestone(ref("m")))
	var planned int
	for _, commit := range node.commits() {
		if commit.Command == (eventlog.CommandID{1}) {
			planned++
		}
	}
	require.Equal(t, 1, planned)
}

// damagedReceipts is a log whose receipts cannot be read.
type damagedReceipts struct{ eventlog.Log }

func (damagedReceipts) Receipts(context.Context, eventlog.Partition, time.Time) ([]eventlog.Receipt, error) {
	return nil, eventlog.ErrDamaged
}

func TestDamagedLogEndsRun(t *testing.T) {
	log := damagedReceipts{eventlogtest.NewMemory()}
	created, err := bus.New(bus.Config{Log: log, ReadModel: newTestModel()})
	require.NoError(t, err)
	require.ErrorIs(t, created.Run(t.Context()), eventlog.ErrDamaged)
	require.ErrorIs(t, created.Health(), eventlog.ErrDamaged)
}

func TestReadyOnASharedLogDoesNotWaitForOwners(t *testing.T) {
	log := eventlogtest.NewMemory()
	partition := eventlog.PartitionOf("agreement/a")
	elsewhere, err := log.Own(t.Context(), partition)
	require.NoError(t, err)
	node := startNode(t, log, func(cfg *bus.Config) { cfg.SharedLog = true }) // returns when the bus is ready
	sent := make(chan error, 1)
	go func() {
		_, err := node.bus.Do(t.Context(), newRequest(operator, domain.DraftAgreement{AgreementID: agreement, Terms: domain.Terms{
			Title: "A", Parties: []domain.PartnerID{"nokia", "xiaomi"}, EffectiveOn: today,
		}}))
		sent <- err
	}()
	queue, err := log.Receive(t.Context(), eventlog.Topic(partition), eventlog.Offset{}, 1)
	require.NoError(t, err)
	require.Len(t, queue, 1, "the command waits for its owner on another node")
	require.NoError(t, elsewhere.Release(t.Context()))
	require.NoError(t, <-sent)
}

func TestLookup(t *testing.T) {
	node := startNode(t, eventlogtest.NewMemory())
	request := newRequest(operator, domain.CreatePartner{PartnerID: "nokia", Profile: domain.PartnerProfile{Name: "Nokia", Country: "FI", TimeZone: "Europe/Helsinki"}})
	_, known := node.bus.Lookup(request.ID)
	require.False(t, known)
	result := node.send(request)
	found, known := node.bus.Lookup(request.ID)
	require.True(t, known)
	require.Equal(t, result, found)
}

func TestStartAndStopUnderLoad(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	log := eventlogtest.NewMemory()
	acknowledged := make(map[string]bool)
	var mu sync.Mutex
	for round := range 5 {
		node := startNode(t, log)
		if round == 0 {
			node.activateAgreement()
			node.do(nokia, plan("m"))
		}
		var callers sync.WaitGroup
		enough := make(chan struct{})
		for range 8 {
			callers.Go(func() {
				for i := 0; ; i++ {
					request := newRequest(nokia, domain.CommentMilestone{MilestoneRef: ref("m"), Text: "load"})
					result, err := node.bus.Do(context.Background(), request)
					if err != nil {
						return
					}
					mu.Lock()
					acknowledged[request.ID.String()] = result.Rejection == nil
					mu.Unlock()
					if i == 20 {
						enough <- struct{}{}
					}
				}
			})
		}
		for range 8 {
			<-enough
		}
		node.stop()
		callers.Wait()
	}
	node := startNode(t, log)
	stored := make(map[string]int)
	for _, commit := range node.commits() {
		stored[commit.Command.String()]++
	}
	for id, accepted := range acknowledged {
		require.True(t, accepted)
		require.Equal(t, 1, stored[id], "an acknowledged command is stored exactly once")
	}
	node.stop()
}
