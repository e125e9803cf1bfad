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

func TestAcceptedCommandIsInTheLogAndTheImage(t *testing.T) {
	n := startNode(t, eventlogtest.NewMemory())
	n.agree()
	result := n.do(nokia, plan("m"))
	require.NotNil(t, n.image.world.Milestone(ref("m")), "the caller reads its own write")
	commits := n.commits()
	last := commits[len(commits)-1]
	require.Equal(t, result.Seq, last.Seq)
	require.Equal(t, "project/a/p", last.Stream)
	require.EqualValues(t, 2, last.Version)
	require.Equal(t, "pm", last.Actor)
	require.Equal(t, "nokia", last.Partner)
}

func TestRejectedCommandIsAnAnswerAndNoEvent(t *testing.T) {
	n := startNode(t, eventlogtest.NewMemory())
	n.agree()
	before := n.commits()
	result, err := n.bus.Do(t.Context(), request(xiaomi, domain.StartMilestone{Ref: ref("m")}))
	require.NoError(t, err)
	require.Equal(t, "not_found", result.Rejection.Code)
	require.Equal(t, before, n.commits())
}

func TestFailedAppendIsDecidedAgainOnce(t *testing.T) {
	for name, fail := range map[string]func(*eventlogtest.Memory, error){
		"nothing was stored":      (*eventlogtest.Memory).FailBefore,
		"it was stored after all": (*eventlogtest.Memory).FailAfter,
	} {
		t.Run(name, func(t *testing.T) {
			log := eventlogtest.NewMemory()
			n := startNode(t, log)
			n.agree()
			fail(log, errors.New("the connection broke"))
			n.do(nokia, plan("m"))
			n.do(nokia, domain.StartMilestone{Ref: ref("m")})
			var planned int
			for _, c := range n.commits() {
				if c.Events[0].Type == "milestone.planned.v1" {
					planned++
				}
			}
			require.Equal(t, 1, planned)
		})
	}
}

func TestDecidesAheadOfTheAppend(t *testing.T) {
	log := eventlogtest.NewMemory()
	n := startNode(t, log)
	n.agree()
	held := log.Hold()
	const callers = 20
	done := make(chan error, callers+1)
	do := func(c domain.Command) {
		result, err := n.bus.Do(t.Context(), request(nokia, c))
		if err == nil && result.Rejection != nil {
			err = result.Rejection
		}
		done <- err
	}
	go do(plan("m"))
	<-held.Arrived()
	second := log.Hold() // whatever is decided meanwhile comes in the next append
	for range callers {
		go do(domain.CommentMilestone{Ref: ref("m"), Text: "seen before it is durable"})
	}
	held.Release()
	<-second.Arrived()
	second.Release()
	for range callers + 1 {
		require.NoError(t, <-done)
	}
}

func TestOfTwentyWritersOnOneVersionOneWins(t *testing.T) {
	n := startNode(t, eventlogtest.NewMemory())
	n.agree()
	n.do(nokia, plan("m"))
	version := uint64(1)
	var won, lost int
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			r := request(nokia, domain.CommentMilestone{Ref: ref("m"), Text: "mine"})
			r.IfMatch = &version
			result, err := n.bus.Do(t.Context(), r)
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

func TestPoisonStopsNothingElse(t *testing.T) {
	log := eventlogtest.NewMemory()
	n := startNode(t, log)
	n.agree()
	p := eventlog.PartitionOf("agreement/a")
	publisher := bus.NewPublisher(log)
	unreadable := message.NewMessage("not an id", []byte("{"))
	require.NoError(t, publisher.Publish(eventlog.Topic(p), unreadable))
	n.do(nokia, plan("after-the-unreadable"))
	letters, err := log.DeadLetters(t.Context(), p)
	require.NoError(t, err)
	require.Len(t, letters, 1)
	require.Equal(t, []byte("{"), letters[0].Payload)
	require.Contains(t, letters[0].Reason, "command id")

	n.image.poisoned("poisoned", 0)
	result, err := n.bus.Do(t.Context(), request(nokia, plan("poisoned")))
	require.NoError(t, err)
	require.Equal(t, domain.Internal, result.Rejection.Kind)
	require.NotContains(t, result.Rejection.Detail, "poison", "what went wrong inside stays inside")
	n.do(nokia, plan("after-the-panic"))
}

func TestStoppedLogAnswersAtOnce(t *testing.T) {
	log := eventlogtest.NewMemory()
	n := startNode(t, log)
	n.agree()
	log.Stop(errors.New("no space left on device"))
	_, err := n.bus.Do(t.Context(), request(nokia, plan("m")))
	require.Error(t, err)
	require.Contains(t, err.Error(), "no space left on device")
	require.Error(t, n.bus.Health())
	require.Nil(t, n.image.world.Milestone(ref("m")))
}

func TestStopUnderWayLeavesTheOutcomeOpen(t *testing.T) {
	log := eventlogtest.NewMemory()
	n := startNode(t, log)
	n.agree()
	held := log.Hold()
	done := make(chan error, 1)
	go func() {
		_, err := n.bus.Do(t.Context(), request(nokia, plan("m")))
		done <- err
	}()
	<-held.Arrived()
	log.FailBefore(eventlog.ErrStopped)
	held.Release()
	require.ErrorIs(t, <-done, bus.ErrOutcomeUnknown)
}

func TestWaitRunsOut(t *testing.T) {
	log := eventlogtest.NewMemory()
	n := startNode(t, log)
	n.agree()
	held := log.Hold()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := n.bus.Do(ctx, keyed(1, 1, nokia, plan("m")))
		done <- err
	}()
	<-held.Arrived()
	cancel()
	err := <-done
	require.ErrorIs(t, err, bus.ErrOutcomeUnknown)
	require.ErrorIs(t, err, bus.ErrPending)
	held.Release()
	first := n.send(keyed(1, 1, nokia, plan("m")))
	again := n.send(keyed(1, 1, nokia, plan("m")))
	require.True(t, again.Repeat)
	require.Equal(t, first.Seq, again.Seq, "it had its effect all the same, once")
}

// badInbox is a log whose inbox takes nothing, as far as it knows.
type badInbox struct {
	eventlog.Log
	err error
}

func (l badInbox) Send(context.Context, string, eventlog.Message) error { return l.err }

func TestFailedSend(t *testing.T) {
	broken := errors.New("the connection broke")
	for name, test := range map[string]struct{ failure, want, not error }{
		"surely not sent": {fmt.Errorf("%w: %w", eventlog.ErrNotSent, broken), bus.ErrUnavailable, bus.ErrOutcomeUnknown},
		"perhaps sent":    {broken, bus.ErrOutcomeUnknown, bus.ErrUnavailable},
		"not known to be": {broken, bus.ErrOutcomeUnknown, bus.ErrPending},
	} {
		t.Run(name, func(t *testing.T) {
			n := startNode(t, badInbox{eventlogtest.NewMemory(), test.failure})
			_, err := n.bus.Do(t.Context(), request(nokia, plan("m")))
			require.ErrorIs(t, err, test.want)
			require.NotErrorIs(t, err, test.not)
			require.ErrorIs(t, err, broken)
		})
	}
}

func TestTimeNeverRunsBackwards(t *testing.T) {
	noon := time.Date(2018, 3, 30, 12, 0, 0, 0, time.UTC)
	var asked atomic.Int64
	n := startNode(t, eventlogtest.NewMemory(), func(c *bus.Config) {
		c.Now = func() time.Time { return noon.Add(-time.Duration(asked.Add(1)) * time.Hour) }
	})
	n.agree()
	commits := n.commits()
	for i := 1; i < len(commits); i++ {
		require.Equal(t, commits[i-1].RecordedAt.Add(time.Microsecond), commits[i].RecordedAt)
	}
}

func TestOnlyALoaderWritesIntoThePast(t *testing.T) {
	loading := true
	n := startNode(t, eventlogtest.NewMemory(), func(c *bus.Config) { c.Backdate = func() bool { return loading } })
	past := time.Date(2017, 7, 5, 6, 0, 0, 0, time.UTC)
	r := request(operator, domain.DraftAgreement{ID: agreement, Terms: domain.Terms{
		Title: "A", Parties: []domain.PartnerID{"nokia", "xiaomi"}, EffectiveOn: today,
	}})
	r.RecordedAt = past
	n.send(r)
	require.Equal(t, past, n.commits()[0].RecordedAt)
	loading = false
	r = request(nokia, domain.SignAgreement{ID: agreement})
	r.RecordedAt = past.Add(time.Hour)
	result, err := n.bus.Do(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, "backdated", result.Rejection.Code)
	require.Len(t, n.commits(), 1)
}

func TestPrivateFactsAreStoredWithTheCommit(t *testing.T) {
	log := eventlogtest.NewMemory()
	n := startNode(t, log)
	n.do(operator, domain.CreatePartner{ID: "nokia", Profile: domain.PartnerProfile{Name: "Nokia", Country: "FI", TimeZone: "Europe/Helsinki"}})
	r := request(nokia, domain.AddMember{Partner: "nokia", Member: "m1", Role: domain.Viewer})
	r.Private = []eventlog.KV{{Key: "member/nokia/m1", Value: []byte(`{"name":"somebody"}`)}}
	n.send(r)
	p := eventlog.PartitionOf("partner/nokia")
	value, err := log.Get(t.Context(), p, "member/nokia/m1")
	require.NoError(t, err)
	require.JSONEq(t, `{"name":"somebody"}`, string(value))
	r = request(nokia, domain.AddMember{Partner: "nokia", Member: "m1", Role: domain.Viewer})
	r.Private = []eventlog.KV{{Key: "member/nokia/m1", Value: []byte(`{}`)}}
	result, err := n.bus.Do(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, "member_exists", result.Rejection.Code)
	value, err = log.Get(t.Context(), p, "member/nokia/m1")
	require.NoError(t, err)
	require.JSONEq(t, `{"name":"somebody"}`, string(value), "a refused command changes nothing")

	r = request(nokia, domain.RemoveMember{Partner: "nokia", Member: "m1"})
	r.Private = []eventlog.KV{{Key: "member/nokia/m1"}}
	n.send(r)
	left, err := log.Scan(t.Context(), p, "member/")
	require.NoError(t, err)
	require.Empty(t, left, "what is erased is gone, not empty")
}

func TestNoWaitStillSends(t *testing.T) {
	n := startNode(t, eventlogtest.NewMemory())
	n.agree()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := n.bus.Do(ctx, keyed(1, 1, nokia, plan("m"))); err != nil {
		require.ErrorIs(t, err, bus.ErrOutcomeUnknown)
		require.ErrorIs(t, err, bus.ErrPending)
	}
	n.send(keyed(1, 1, nokia, plan("m")))
	require.NotNil(t, n.image.world.Milestone(ref("m")))
	var planned int
	for _, c := range n.commits() {
		if c.Command == (eventlog.CommandID{1}) {
			planned++
		}
	}
	require.Equal(t, 1, planned)
}

// damagedRecords is a log whose records cannot be read.
type damagedRecords struct{ eventlog.Log }

func (damagedRecords) Records(context.Context, eventlog.Partition, time.Time) ([]eventlog.Record, error) {
	return nil, eventlog.ErrDamaged
}

func TestDamagedLogEndsTheStart(t *testing.T) {
	log := damagedRecords{eventlogtest.NewMemory()}
	b, err := bus.New(bus.Config{Log: log, Image: newImage()})
	require.NoError(t, err)
	require.ErrorIs(t, b.Run(t.Context()), eventlog.ErrDamaged)
	require.ErrorIs(t, b.Health(), eventlog.ErrDamaged)
}

func TestReadyOnASharedLogWaitsForNoOwner(t *testing.T) {
	log := eventlogtest.NewMemory()
	p := eventlog.PartitionOf("agreement/a")
	elsewhere, err := log.Own(t.Context(), p)
	require.NoError(t, err)
	n := startNode(t, log, func(c *bus.Config) { c.Shared = true }) // it returns when the bus is ready
	sent := make(chan error, 1)
	go func() {
		_, err := n.bus.Do(t.Context(), request(operator, domain.DraftAgreement{ID: agreement, Terms: domain.Terms{
			Title: "A", Parties: []domain.PartnerID{"nokia", "xiaomi"}, EffectiveOn: today,
		}}))
		sent <- err
	}()
	inbox, err := log.Receive(t.Context(), eventlog.Topic(p), eventlog.Offset{}, 1)
	require.NoError(t, err)
	require.Len(t, inbox, 1, "the command waits for the owner, wherever that is")
	require.NoError(t, elsewhere.Release(t.Context()))
	require.NoError(t, <-sent)
}

func TestLookup(t *testing.T) {
	n := startNode(t, eventlogtest.NewMemory())
	r := request(operator, domain.CreatePartner{ID: "nokia", Profile: domain.PartnerProfile{Name: "Nokia", Country: "FI", TimeZone: "Europe/Helsinki"}})
	_, known := n.bus.Lookup(r.ID)
	require.False(t, known)
	result := n.send(r)
	found, known := n.bus.Lookup(r.ID)
	require.True(t, known)
	require.Equal(t, result, found)
}

func TestStartAndStopUnderLoad(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	log := eventlogtest.NewMemory()
	acknowledged := make(map[string]bool)
	var mu sync.Mutex
	for round := range 5 {
		n := startNode(t, log)
		if round == 0 {
			n.agree()
			n.do(nokia, plan("m"))
		}
		var callers sync.WaitGroup
		enough := make(chan struct{})
		for range 8 {
			callers.Go(func() {
				for i := 0; ; i++ {
					r := request(nokia, domain.CommentMilestone{Ref: ref("m"), Text: "load"})
					result, err := n.bus.Do(context.Background(), r)
					if err != nil {
						return
					}
					mu.Lock()
					acknowledged[r.ID.String()] = result.Rejection == nil
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
		n.stop()
		callers.Wait()
	}
	n := startNode(t, log)
	stored := make(map[string]int)
	for _, c := range n.commits() {
		stored[c.Command.String()]++
	}
	for id, accepted := range acknowledged {
		require.True(t, accepted)
		require.Equal(t, 1, stored[id], "an acknowledged command is stored exactly once")
	}
	n.stop()
}
