package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/redis/redistest"
)

// TestTwoFaults promotes a replica that lacks acknowledged commands: its link was cut, and both the master and
// the replica that confirmed them are gone. No design can save these commands. Every node reports every loss and
// serves no affected data; after the operator accepts the losses, the nodes continue.
func TestTwoFaults(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t)
	good := redistest.StartReplica(t, master, nil)
	link := redistest.NewProxy(t, master.Addr())
	stale := redistest.StartReplica(t, master, link)
	door := redistest.NewProxy(t, master.Addr())
	nodes := startNodes(t, 2, "redis://"+door.Addr(), "--redis-durability", "replicated", "--redis-replicas", "1")
	world := arrangeAgreements(nodes.at(0), trafficWriters)
	busy, idle := world, world.agreements[8:]
	busy.agreements = world.agreements[1:8] // the first one shares a partition with a partner's directory
	load := startTraffic(nodes, busy)
	load.more(200)
	link.Cut()
	load.more(200)
	load.stop()
	load.requireWhole()
	positions := nodes.at(0).positions(busy)
	missing := behind(t, stale, master)
	require.Len(t, missing, len(busy.agreements))

	silent := newSilence(t, nodes, busy)
	master.Kill()
	good.Kill()
	silent.watch()
	stale.Promote()
	promoted := time.Now()
	door.Retarget(stale.Addr())
	nodes.requireLost(missing)
	named := time.Since(promoted)

	good.Start()
	good.ReplicaOf(stale.Addr())
	nodes.requireWritable(world, idle) // partitions without a loss stay available
	nodes.at(1).kill()
	nodes.start(1)
	nodes.requireLost(missing)
	silent.stop()
	nodes.accept(missing)

	nodes.requirePositionsLost(world, positions)
	found, _ := load.check(nodes.at(0))
	// Commands in flight at the cut are still in the stale server's command queue and are decided now.
	require.InDelta(t, missing.commits(), found.lost, trafficWriters, "the reported losses are the missing comments")
	require.Equal(t, findings{lost: found.lost}, found)
	again := load.repeat()
	load.requireWhole()
	t.Logf("a stale replica was promoted: %d commits of %d partitions lost, all reported by both nodes after %v, and by a node that started later; %d reads and writes meanwhile, none served from a shortened history; %d old positions got 410; repeating all %d comments restored the lost ones",
		missing.commits(), len(missing), named.Round(time.Millisecond), silent.reads, 2*len(positions), again)
	nodes.stop()
}

// positions returns the position of each agreement of a world.
func (p *program) positions(world world) map[string]string {
	p.t.Helper()
	positions := make(map[string]string)
	for _, agreement := range world.agreements {
		positions[agreement] = p.do(200, world.xiaomi, "GET", "/v1/agreements/"+agreement, "").header.Get("Tandem-Position")
	}
	return positions
}

// requireWritable waits until the agreements take commands again.
func (ns *fleet) requireWritable(world world, agreements []string) {
	ns.t.Helper()
	for i, agreement := range agreements {
		eventually(ns.t, 30*time.Second, "a write in a partition without a loss", func() bool {
			wrote, err := ns.at(i).comment(ns.t.Context(), world, agreement, "meanwhile", "Idempotency-Key", "meanwhile")
			require.NoError(ns.t, err)
			return wrote.status == 200
		})
	}
}

// requirePositionsLost requires that every node answers 410 for positions from before an accepted loss.
func (ns *fleet) requirePositionsLost(world world, positions map[string]string) {
	ns.t.Helper()
	for agreement, position := range positions {
		for i := range ns.live {
			ns.at(i).do(410, world.xiaomi, "GET", "/v1/agreements/"+agreement+"/events?after="+position, "")
			ns.at(i).do(410, world.xiaomi, "GET", "/v1/agreements/"+agreement, "", "Tandem-Min-Position", position)
		}
	}
}

// lostTails has the lost commits by partition: the number of the last remaining commit, and of the last one
// before the loss.
type lostTails map[eventlog.Partition][2]uint64

func (l lostTails) commits() (n int) {
	for _, tail := range l {
		n += int(tail[1] - tail[0])
	}
	return n
}

// behind compares the heads of all partitions on two servers. A nil server has no commits.
func behind(t *testing.T, stale, master *redistest.Server) lostTails {
	t.Helper()
	lost := make(lostTails)
	for partition := range eventlog.Partition(eventlog.Partitions) {
		has, had := uint64(0), headOf(t, master, partition)
		if stale != nil {
			has = headOf(t, stale, partition)
		}
		if has < had {
			lost[partition] = [2]uint64{has, had}
		}
	}
	return lost
}

func headOf(t *testing.T, server *redistest.Server, partition eventlog.Partition) uint64 {
	t.Helper()
	got, err := server.Client().HMGet(t.Context(), fmt.Sprintf("tandem:{%02d}:meta", partition), "seq").Result()
	require.NoError(t, err)
	text, _ := got[0].(string)
	seq, _ := strconv.ParseUint(text, 10, 64)
	return seq
}

// requireLost waits until every node reports exactly these losses: in its log lines, on /readyz and in its
// metrics.
func (ns *fleet) requireLost(lost lostTails) {
	ns.t.Helper()
	for i := range ns.live {
		program := ns.at(i)
		eventually(ns.t, 30*time.Second, "the losses to be named", func() bool {
			answer, err := program.try(ns.t.Context(), "", "GET", "/metrics", "")
			return err == nil && strings.Contains(string(answer.body), fmt.Sprintf("\ntandem_log_lost_partitions %d\n", len(lost)))
		})
		ready := string(program.do(503, "", "GET", "/readyz", "").body)
		metrics := string(program.do(200, "", "GET", "/metrics", "").body)
		for number, tail := range lost {
			missing := fmt.Sprintf("partition %d lost commits %d to %d:", number, tail[0]+1, tail[1])
			require.Contains(ns.t, ready, missing)
			require.Contains(ns.t, metrics, fmt.Sprintf("\ntandem_log_lost{partition=\"%02d\"} 1\n", number))
			require.Contains(ns.t, program.stderr.String(), missing)
		}
		require.Equal(ns.t, slices.Sorted(maps.Keys(lost)), program.namedLost())
	}
}

// namedLost returns the partitions whose loss the program has logged.
func (p *program) namedLost() []eventlog.Partition {
	named := make(map[eventlog.Partition]bool)
	lines := bufio.NewScanner(strings.NewReader(p.stderr.String()))
	for lines.Buffer(nil, 1<<20); lines.Scan(); {
		var line struct {
			Msg       string
			Partition eventlog.Partition
		}
		if json.Unmarshal(lines.Bytes(), &line) == nil && strings.HasPrefix(line.Msg, "history was lost") {
			named[line.Partition] = true
		}
	}
	return slices.Sorted(maps.Keys(named))
}

// accept accepts the losses as the operator, and waits until every node is ready.
func (ns *fleet) accept(lost lostTails) {
	ns.t.Helper()
	var partitions []int
	for partition := range lost {
		partitions = append(partitions, int(partition))
	}
	body, err := json.Marshal(map[string]any{"partitions": partitions})
	require.NoError(ns.t, err)
	ns.at(0).do(200, operatorSecret, "POST", "/v1/log/accept-loss", string(body))
	for i := range ns.live {
		eventually(ns.t, 30*time.Second, "the node to be ready", func() bool {
			answer, err := ns.at(i).try(ns.t.Context(), "", "GET", "/readyz", "")
			return err == nil && answer.status == 200
		})
	}
}

// repeat sends every comment of the writers again, with its key, and returns their number.
func (l *traffic) repeat() int {
	l.t.Helper()
	for writer := range l.acked {
		at := writer
		for n := range l.acked[writer] {
			require.NoError(l.t, l.insist(writer, n+1, &at, time.Now()))
		}
	}
	return l.comments()
}

// silence checks that no node serves a shortened history.
type silence struct {
	t     *testing.T
	ns    *fleet
	world world
	whole map[string]uint64 // version of the milestone, by agreement
	end   chan struct{}
	work  sync.WaitGroup

	mu     sync.Mutex
	reads  int
	broken []string
}

// newSilence takes the present versions of the milestones as the minimum.
func newSilence(t *testing.T, nodes *fleet, world world) *silence {
	started := &silence{t: t, ns: nodes, world: world, whole: make(map[string]uint64), end: make(chan struct{})}
	for _, agreement := range world.agreements {
		started.whole[agreement] = versionIn(t, nodes.at(0).do(200, world.nokia, "GET", world.milestone(agreement), ""))
	}
	return started
}

// watch reads the milestones of every node and tries to write, until stop. No write may be acknowledged.
func (s *silence) watch() {
	for i := range s.ns.live {
		s.work.Go(func() { s.each(i, s.read) })
		s.work.Go(func() { s.each(i, s.write) })
	}
}

// each calls do for one agreement after the other.
func (s *silence) each(node int, do func(program *program, agreement string)) {
	for n := 0; ; n++ {
		select {
		case <-s.end:
			return
		case <-time.After(thinkTime):
			do(s.ns.at(node), s.world.agreements[n%len(s.world.agreements)])
		}
	}
}

func (s *silence) write(program *program, agreement string) {
	answer, err := program.comment(s.t.Context(), s.world, agreement, "into a lost history", "Prefer", "wait=1")
	s.saw(err != nil || answer.status == 202 || answer.status == 401 || answer.status == 503, "a write got", answer)
}

// read accepts status 401 too: a restarted node lacks the tokens of a lost directory.
func (s *silence) read(program *program, agreement string) {
	answer, err := program.try(s.t.Context(), s.world.nokia, "GET", s.world.milestone(agreement), "")
	if err != nil {
		return
	}
	var milestone struct{ Version uint64 }
	whole := answer.status == 503 || answer.status == 401 || answer.status == 200 && json.Unmarshal(answer.body, &milestone) == nil && milestone.Version >= s.whole[agreement]
	s.saw(whole, "a read got", answer)
}

func (s *silence) saw(right bool, what string, answer answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	if !right && len(s.broken) < 5 {
		s.broken = append(s.broken, fmt.Sprintf("%s %d: %s", what, answer.status, answer.body))
	}
}

func (s *silence) stop() {
	s.t.Helper()
	close(s.end)
	s.work.Wait()
	require.Empty(s.t, s.broken)
	require.NotZero(s.t, s.reads)
}
