package bus_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bus"
	"tandem/domain"
	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
	"tandem/eventlog/redis/redistest"
	"tandem/eventlog/sqlite"
)

func TestRepeatedKeyHasOneEffect(t *testing.T) {
	log := eventlogtest.NewMemory()
	node := startNode(t, log)
	node.activateAgreement()
	first := node.send(keyed(1, 1, nokia, plan("m")))
	again := node.send(keyed(1, 1, nokia, plan("m")))
	require.True(t, again.Repeat)
	require.Equal(t, first.Seq, again.Seq)
	_, err := node.bus.Do(t.Context(), keyed(1, 2, nokia, plan("other")))
	require.ErrorIs(t, err, bus.ErrKeyReused)

	refused, err := node.bus.Do(t.Context(), keyed(2, 1, nokia, plan("m")))
	require.NoError(t, err)
	require.Equal(t, "milestone_exists", refused.Rejection.Code)
	node.do(nokia, domain.CancelMilestone{MilestoneRef: ref("m")})
	refusedAgain, err := node.bus.Do(t.Context(), keyed(2, 1, nokia, plan("m")))
	require.NoError(t, err)
	require.Equal(t, refused.Rejection, refusedAgain.Rejection, "a refusal with a receipt is not decided again")
	require.True(t, refusedAgain.Repeat)
}

func TestRefusalBeforeTheBusGetsAReceipt(t *testing.T) {
	node := startNode(t, eventlogtest.NewMemory())
	node.activateAgreement()
	refused := keyed(3, 1, nokia, nil)
	refused.Refusal = &bus.Refusal{Root: "agreement/a", Error: domain.Error{Kind: domain.Invalid, Code: "unknown_partner", Detail: "no"}}
	for _, repeat := range []bool{false, true} {
		result, err := node.bus.Do(t.Context(), refused)
		require.NoError(t, err)
		require.Equal(t, refused.Refusal.Error, *result.Rejection)
		require.Equal(t, repeat, result.Repeat)
	}
	result, err := node.bus.Do(t.Context(), keyed(3, 1, nokia, plan("m")))
	require.NoError(t, err)
	require.Equal(t, "unknown_partner", result.Rejection.Code, "the same request is not decided again")
	_, err = node.bus.Do(t.Context(), keyed(3, 2, nokia, plan("m")))
	require.ErrorIs(t, err, bus.ErrKeyReused)
}

func TestKeyExpiresAfterADay(t *testing.T) {
	var hours atomic.Int64
	begin := time.Date(2018, 3, 30, 12, 0, 0, 0, time.UTC)
	node := startNode(t, eventlogtest.NewMemory(), func(cfg *bus.Config) {
		cfg.Now = func() time.Time { return begin.Add(time.Duration(hours.Load()) * time.Hour) }
	})
	node.activateAgreement()
	first := node.send(keyed(1, 1, nokia, plan("m")))
	hours.Store(24)
	require.Equal(t, first.Seq, node.send(keyed(1, 1, nokia, plan("m"))).Seq)
	hours.Store(25)
	require.False(t, node.send(keyed(1, 2, nokia, plan("other"))).Repeat)
}

func TestNotFoundGetsNoReceipt(t *testing.T) {
	node := startNode(t, eventlogtest.NewMemory())
	node.activateAgreement()
	for range 2 {
		result, err := node.bus.Do(t.Context(), keyed(7, 1, xiaomi, domain.StartMilestone{MilestoneRef: ref("m")}))
		require.NoError(t, err)
		require.Equal(t, domain.NotFound, result.Rejection.Kind)
		require.False(t, result.Repeat)
	}
	node.do(nokia, domain.PlanMilestone{MilestoneRef: ref("m"), Plan: domain.Plan{Title: "M", Owner: "xiaomi", DueOn: today}})
	node.send(keyed(7, 1, xiaomi, domain.StartMilestone{MilestoneRef: ref("m")}))
}

func TestRepeatAfterRestart(t *testing.T) {
	dir := t.TempDir()
	open := func() eventlog.Log {
		log, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir})
		require.NoError(t, err)
		return log
	}
	log := open()
	node := startNode(t, log)
	node.activateAgreement()
	first := node.send(keyed(1, 1, nokia, plan("m")))
	node.stop()
	require.NoError(t, log.Close())

	log = open()
	defer func() { require.NoError(t, log.Close()) }()
	node = startNode(t, log)
	defer node.stop()
	again := node.send(keyed(1, 1, nokia, plan("m")))
	require.True(t, again.Repeat)
	require.Equal(t, first.Seq, again.Seq)
	_, err := node.bus.Do(t.Context(), keyed(1, 2, nokia, plan("x")))
	require.ErrorIs(t, err, bus.ErrKeyReused)
}

func TestConcurrentRequestsWithOneKey(t *testing.T) {
	log := eventlogtest.NewMemory()
	node := startNode(t, log)
	node.activateAgreement()
	held := log.Hold()
	results := make(chan error, 3)
	for _, request := range []bus.Request{keyed(1, 1, nokia, plan("m")), keyed(1, 1, nokia, plan("m")), keyed(1, 2, nokia, plan("x"))} {
		go func() {
			_, err := node.bus.Do(t.Context(), request)
			results <- err
		}()
		if request.Fingerprint == (eventlog.Fingerprint{1}) {
			<-held.Arrived() // the different request comes second
		}
	}
	held.Release()
	var reused int
	for range 3 {
		if err := <-results; err != nil {
			require.ErrorIs(t, err, bus.ErrKeyReused)
			reused++
		}
	}
	require.Equal(t, 1, reused)
	require.Nil(t, node.model.world.Milestone(ref("x")))
}

// gatedLog is a log whose next append a test can block.
type gatedLog struct {
	eventlog.Log

	mu   sync.Mutex
	next *gate
}

type gate struct{ arrived, release chan struct{} }

func (l *gatedLog) hold() *gate {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = &gate{make(chan struct{}), make(chan struct{})}
	return l.next
}

func (l *gatedLog) Append(ctx context.Context, batch eventlog.Batch) error {
	l.mu.Lock()
	held := l.next
	l.next = nil
	l.mu.Unlock()
	if held != nil {
		close(held.arrived)
		<-held.release
	}
	return l.Log.Append(ctx, batch)
}

// logs returns functions that open each kind of log.
func logs() map[string]func(testing.TB) eventlog.Log {
	return map[string]func(testing.TB) eventlog.Log{
		"memory": func(testing.TB) eventlog.Log { return eventlogtest.NewMemory() },
		"sqlite": func(t testing.TB) eventlog.Log { return openSQLite(t) },
		"redis":  func(t testing.TB) eventlog.Log { return openRedis(t, redistest.Start(t)) },
	}
}

// A client repeats a command before it has the first outcome, and the command's precondition becomes true
// in between. Each call gets the answer to its own message.
func TestOverlappingCalls(t *testing.T) {
	for name, open := range logs() {
		for where, together := range map[string]bool{"in one append": true, "in two": false} {
			t.Run(name+"/"+where, func(t *testing.T) { overlap(t, &gatedLog{Log: open(t)}, together) })
		}
	}
}

func overlap(t *testing.T, log *gatedLog, together bool) {
	node := startNode(t, log)
	defer node.stop()
	node.activateAgreement()
	node.do(nokia, plan("other"))
	topic := eventlog.Topic(eventlog.PartitionOf("agreement/a"))
	at, err := log.Checkpoint(t.Context(), topic)
	require.NoError(t, err)
	send := func(request bus.Request) <-chan bus.Result {
		answer := make(chan bus.Result, 1)
		go func() {
			result, err := node.bus.Do(t.Context(), request)
			if err != nil {
				t.Error(err)
			}
			answer <- result
		}()
		sent, err := log.Receive(t.Context(), topic, at, 1)
		require.NoError(t, err)
		at = sent[0].Offset
		return answer
	}
	held := log.hold()
	if together {
		send(newRequest(nokia, domain.CommentMilestone{MilestoneRef: ref("other"), Text: "goes before"}))
		<-held.arrived
	}
	first := send(keyed(9, 1, xiaomi, domain.StartMilestone{MilestoneRef: ref("m")}))
	if !together {
		<-held.arrived
	}
	planned := send(newRequest(nokia, domain.PlanMilestone{MilestoneRef: ref("m"), Plan: domain.Plan{Title: "M", Owner: "xiaomi", DueOn: today}}))
	second := send(keyed(9, 1, xiaomi, domain.StartMilestone{MilestoneRef: ref("m")}))
	third := send(keyed(9, 1, xiaomi, domain.StartMilestone{MilestoneRef: ref("m")}))
	close(held.release)

	require.Nil(t, (<-planned).Rejection)
	refused := <-first
	require.NotNil(t, refused.Rejection)
	require.Equal(t, domain.NotFound, refused.Rejection.Kind)
	accepted := <-second
	require.Nil(t, accepted.Rejection)
	require.False(t, accepted.Repeat)
	require.Equal(t, accepted.Seq, (<-third).Seq, "after the commit every call gets it")
	remembered, known := node.bus.Lookup(eventlog.CommandID{9})
	require.True(t, known)
	require.Equal(t, accepted.Seq, remembered.Seq)
}

// A different request under a used key does not change the result that Lookup returns.
func TestLookupIgnoresAReusedKey(t *testing.T) {
	node := startNode(t, eventlogtest.NewMemory())
	node.activateAgreement()
	node.do(nokia, plan("m"))
	first, err := node.bus.Do(t.Context(), keyed(1, 1, nokia, plan("m")))
	require.NoError(t, err)
	require.Equal(t, "milestone_exists", first.Rejection.Code)
	_, err = node.bus.Do(t.Context(), keyed(1, 2, nokia, plan("x")))
	require.ErrorIs(t, err, bus.ErrKeyReused)
	found, known := node.bus.Lookup(eventlog.CommandID{1})
	require.True(t, known)
	require.Equal(t, first, found)
}
