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
	n := startNode(t, log)
	n.agree()
	first := n.send(keyed(1, 1, nokia, plan("m")))
	again := n.send(keyed(1, 1, nokia, plan("m")))
	require.True(t, again.Repeat)
	require.Equal(t, first.Seq, again.Seq)
	_, err := n.bus.Do(t.Context(), keyed(1, 2, nokia, plan("other")))
	require.ErrorIs(t, err, bus.ErrKeyReused)

	refused, err := n.bus.Do(t.Context(), keyed(2, 1, nokia, plan("m")))
	require.NoError(t, err)
	require.Equal(t, "milestone_exists", refused.Rejection.Code)
	n.do(nokia, domain.CancelMilestone{Ref: ref("m")})
	refusedAgain, err := n.bus.Do(t.Context(), keyed(2, 1, nokia, plan("m")))
	require.NoError(t, err)
	require.Equal(t, refused.Rejection, refusedAgain.Rejection, "a remembered refusal is not decided again")
	require.True(t, refusedAgain.Repeat)
}

func TestRefusalOfTheEdgeIsRemembered(t *testing.T) {
	n := startNode(t, eventlogtest.NewMemory())
	n.agree()
	refused := keyed(3, 1, nokia, nil)
	refused.Refused = &bus.Refused{Root: "agreement/a", Error: domain.Error{Kind: domain.Invalid, Code: "unknown_partner", Detail: "no"}}
	for _, repeat := range []bool{false, true} {
		result, err := n.bus.Do(t.Context(), refused)
		require.NoError(t, err)
		require.Equal(t, refused.Refused.Error, *result.Rejection)
		require.Equal(t, repeat, result.Repeat)
	}
	result, err := n.bus.Do(t.Context(), keyed(3, 1, nokia, plan("m")))
	require.NoError(t, err)
	require.Equal(t, "unknown_partner", result.Rejection.Code, "the same request is not decided anew")
	_, err = n.bus.Do(t.Context(), keyed(3, 2, nokia, plan("m")))
	require.ErrorIs(t, err, bus.ErrKeyReused)
}

func TestKeyIsForgottenAfterADay(t *testing.T) {
	var hours atomic.Int64
	begin := time.Date(2018, 3, 30, 12, 0, 0, 0, time.UTC)
	n := startNode(t, eventlogtest.NewMemory(), func(c *bus.Config) {
		c.Now = func() time.Time { return begin.Add(time.Duration(hours.Load()) * time.Hour) }
	})
	n.agree()
	first := n.send(keyed(1, 1, nokia, plan("m")))
	hours.Store(24)
	require.Equal(t, first.Seq, n.send(keyed(1, 1, nokia, plan("m"))).Seq)
	hours.Store(25)
	require.False(t, n.send(keyed(1, 2, nokia, plan("other"))).Repeat)
}

func TestForbiddenIsNotRemembered(t *testing.T) {
	n := startNode(t, eventlogtest.NewMemory())
	n.agree()
	for range 2 {
		result, err := n.bus.Do(t.Context(), keyed(7, 1, xiaomi, domain.StartMilestone{Ref: ref("m")}))
		require.NoError(t, err)
		require.Equal(t, domain.NotFound, result.Rejection.Kind)
		require.False(t, result.Repeat)
	}
	n.do(nokia, domain.PlanMilestone{Ref: ref("m"), Plan: domain.Plan{Title: "M", Owner: "xiaomi", DueOn: today}})
	n.send(keyed(7, 1, xiaomi, domain.StartMilestone{Ref: ref("m")}))
}

func TestRepeatAfterRestart(t *testing.T) {
	dir := t.TempDir()
	open := func() eventlog.Log {
		log, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir})
		require.NoError(t, err)
		return log
	}
	log := open()
	n := startNode(t, log)
	n.agree()
	first := n.send(keyed(1, 1, nokia, plan("m")))
	n.stop()
	require.NoError(t, log.Close())

	log = open()
	defer func() { require.NoError(t, log.Close()) }()
	n = startNode(t, log)
	defer n.stop()
	again := n.send(keyed(1, 1, nokia, plan("m")))
	require.True(t, again.Repeat)
	require.Equal(t, first.Seq, again.Seq)
	_, err := n.bus.Do(t.Context(), keyed(1, 2, nokia, plan("x")))
	require.ErrorIs(t, err, bus.ErrKeyReused)
}

func TestSameKeyAtTheSameTime(t *testing.T) {
	log := eventlogtest.NewMemory()
	n := startNode(t, log)
	n.agree()
	held := log.Hold()
	results := make(chan error, 3)
	for _, r := range []bus.Request{keyed(1, 1, nokia, plan("m")), keyed(1, 1, nokia, plan("m")), keyed(1, 2, nokia, plan("x"))} {
		go func() {
			_, err := n.bus.Do(t.Context(), r)
			results <- err
		}()
		if r.Fingerprint == (eventlog.Fingerprint{1}) {
			<-held.Arrived() // the other request comes second
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
	require.Nil(t, n.image.world.Milestone(ref("x")))
}

// gated is a log of which a test can hold the next append back.
type gated struct {
	eventlog.Log

	mu   sync.Mutex
	next *gate
}

type gate struct{ arrived, release chan struct{} }

func (l *gated) hold() *gate {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = &gate{make(chan struct{}), make(chan struct{})}
	return l.next
}

func (l *gated) Append(ctx context.Context, b eventlog.Batch) error {
	l.mu.Lock()
	held := l.next
	l.next = nil
	l.mu.Unlock()
	if held != nil {
		close(held.arrived)
		<-held.release
	}
	return l.Log.Append(ctx, b)
}

// logs opens each log.
func logs() map[string]func(testing.TB) eventlog.Log {
	return map[string]func(testing.TB) eventlog.Log{
		"memory": func(testing.TB) eventlog.Log { return eventlogtest.NewMemory() },
		"sqlite": func(t testing.TB) eventlog.Log { return openSQLite(t) },
		"redis":  func(t testing.TB) eventlog.Log { return openRedis(t, redistest.Start(t)) },
	}
}

// A client repeats a command while the first one is under way. What the first one waited for comes
// true in between: each caller gets the answer to its own attempt.
func TestOverlappingAttempts(t *testing.T) {
	for name, open := range logs() {
		for where, together := range map[string]bool{"in one append": true, "in two": false} {
			t.Run(name+"/"+where, func(t *testing.T) { overlap(t, &gated{Log: open(t)}, together) })
		}
	}
}

func overlap(t *testing.T, log *gated, together bool) {
	n := startNode(t, log)
	defer n.stop()
	n.agree()
	n.do(nokia, plan("other"))
	topic := eventlog.Topic(eventlog.PartitionOf("agreement/a"))
	at, err := log.Checkpoint(t.Context(), topic)
	require.NoError(t, err)
	send := func(r bus.Request) <-chan bus.Result {
		answer := make(chan bus.Result, 1)
		go func() {
			result, err := n.bus.Do(t.Context(), r)
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
		send(request(nokia, domain.CommentMilestone{Ref: ref("other"), Text: "goes before"}))
		<-held.arrived
	}
	first := send(keyed(9, 1, xiaomi, domain.StartMilestone{Ref: ref("m")}))
	if !together {
		<-held.arrived
	}
	planned := send(request(nokia, domain.PlanMilestone{Ref: ref("m"), Plan: domain.Plan{Title: "M", Owner: "xiaomi", DueOn: today}}))
	second := send(keyed(9, 1, xiaomi, domain.StartMilestone{Ref: ref("m")}))
	third := send(keyed(9, 1, xiaomi, domain.StartMilestone{Ref: ref("m")}))
	close(held.release)

	require.Nil(t, (<-planned).Rejection)
	refused := <-first
	require.NotNil(t, refused.Rejection)
	require.Equal(t, domain.NotFound, refused.Rejection.Kind)
	accepted := <-second
	require.Nil(t, accepted.Rejection)
	require.False(t, accepted.Repeat)
	require.Equal(t, accepted.Seq, (<-third).Seq, "once it had its effect, every attempt has")
	remembered, known := n.bus.Lookup(eventlog.CommandID{9})
	require.True(t, known)
	require.Equal(t, accepted.Seq, remembered.Seq)
}

// What somebody else sends under a used key says nothing about the command that has it.
func TestLookupIgnoresAReusedKey(t *testing.T) {
	n := startNode(t, eventlogtest.NewMemory())
	n.agree()
	n.do(nokia, plan("m"))
	first, err := n.bus.Do(t.Context(), keyed(1, 1, nokia, plan("m")))
	require.NoError(t, err)
	require.Equal(t, "milestone_exists", first.Rejection.Code)
	_, err = n.bus.Do(t.Context(), keyed(1, 2, nokia, plan("x")))
	require.ErrorIs(t, err, bus.ErrKeyReused)
	found, known := n.bus.Lookup(eventlog.CommandID{1})
	require.True(t, known)
	require.Equal(t, first, found)
}
