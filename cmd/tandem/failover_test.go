package main

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog/eventlogtest"
	"tandem/eventlog/redis/redistest"
)

var failovers = eventlogtest.Rounds(3, 10)

// TestFailover fails over repeatedly under load: the link to the only replica breaks, so that the master can
// acknowledge no more commands, and then the replica is promoted. Every acknowledged command is in the history,
// and the readers of the feeds have read no event that is not in it.
func TestFailover(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t)
	link := redistest.NewProxy(t, master.Addr())
	replica := redistest.StartReplica(t, master, link)
	door := redistest.NewProxy(t, master.Addr())
	nodes := startNodes(t, 2, "redis://"+door.Addr(), "--redis-durability", "replicated")
	world := arrangeAgreements(nodes.at(0), trafficWriters)
	load := startTraffic(nodes, world)
	readers := startReaders(t, nodes, world)
	var recoveries []time.Duration
	for round := range failovers {
		load.more(150)
		if round%2 == 0 {
			link.Cut()
		} else {
			link.Hang() // the connection stays open
		}
		time.Sleep(rand.N(800 * time.Millisecond)) // the master continues alone, possibly until requests time out
		replica.Promote()
		promoted := time.Now()
		door.Retarget(replica.Addr())
		master, replica = replica, master
		link.Retarget(master.Addr())
		link.Resume()
		replica.ReplicaOf(link.Addr())
		recoveries = append(recoveries, load.recovery(promoted))
	}
	comments := load.stop()
	load.requireWhole()
	polled, streamed := readers.stop()
	for i := range nodes.live {
		require.NotContains(t, nodes.at(i).stderr.String(), "history was lost")
	}
	t.Logf("%d failovers under %d writers: %d comments acknowledged, %d attempts repeated, 0 lost, 0 doubled, 0 out of order; %d events polled and %d streamed meanwhile, 0 not in the history; all writers went on after median %v, worst %v",
		failovers, trafficWriters, comments, load.again(), polled, streamed, median(recoveries).Round(time.Millisecond), slices.Max(recoveries).Round(time.Millisecond))
	nodes.stop()
}

// TestReplicaAway: a node starts and reads while a required replica is disconnected. Commands wait for it, and
// are not acknowledged before.
func TestReplicaAway(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	replica := redistest.StartReplica(t, server, nil)
	nodes := startNodes(t, 1, server.URL(), "--redis-durability", "replicated")
	world := arrangeAgreements(nodes.at(0), 1)
	before := nodes.at(0).history(world, world.agreements[0])
	replica.Kill()
	nodes.at(0).kill()
	program := nodes.start(0)
	require.Equal(t, string(before.raw), string(program.history(world, world.agreements[0]).raw))
	sent, err := program.comment(t.Context(), world, world.agreements[0], "alone", "Idempotency-Key", "alone", "Prefer", "wait=1")
	require.NoError(t, err)
	require.Contains(t, []int{202, 503}, sent.status, "%s", sent.body)
	require.Equal(t, string(before.raw), string(program.history(world, world.agreements[0]).raw))
	replica.Start()
	eventually(t, 30*time.Second, "the comment to be acknowledged", func() bool {
		answer, err := program.comment(t.Context(), world, world.agreements[0], "alone", "Idempotency-Key", "alone")
		return err == nil && answer.status == 200
	})
	require.Len(t, program.history(world, world.agreements[0]).events, len(before.events)+1)
	nodes.stop()
}

// readers read the feeds of all agreements on all nodes, and compare the events with the history at the end.
type readers struct {
	t     testing.TB
	ns    *fleet
	world world
	end   context.Context
	stops context.CancelFunc
	work  sync.WaitGroup

	mu       sync.Mutex
	seen     map[string]event // by agreement and position
	broken   []string
	polled   int
	streamed int
}

// startReaders starts one polling reader per node, and one reader per agreement on the event stream of the last
// node.
func startReaders(t testing.TB, nodes *fleet, world world) *readers {
	started := &readers{t: t, ns: nodes, world: world, seen: make(map[string]event)}
	started.end, started.stops = context.WithCancel(t.Context())
	for i := range nodes.live {
		started.work.Go(func() { started.poll(i) })
	}
	for _, agreement := range world.agreements {
		started.work.Go(func() { started.stream(len(nodes.live)-1, agreement) })
	}
	return started
}

// poll polls the feed of each agreement in turn.
func (r *readers) poll(node int) {
	after := make(map[string]string)
	for r.end.Err() == nil {
		for _, agreement := range r.world.agreements {
			answer, err := r.ns.at(node).try(r.end, r.world.xiaomi, "GET", "/v1/agreements/"+agreement+"/events?limit=200&after="+url.QueryEscape(after[agreement]), "")
			if err != nil || answer.status == 503 {
				continue // the node is stale or starting
			}
			var page struct {
				Events []event
				Next   string `json:"next_cursor"`
			}
			if answer.status != 200 || json.Unmarshal(answer.body, &page) != nil {
				r.fault(string(answer.body))
				return
			}
			after[agreement] = page.Next
			r.saw(agreement, &r.polled, page.Events...)
		}
		time.Sleep(thinkTime)
	}
}

// stream reads the event stream of an agreement, and reconnects after its last event.
func (r *readers) stream(node int, agreement string) {
	after := ""
	for r.end.Err() == nil {
		told, err := r.ns.at(node).stream(r.end, r.world.xiaomi, agreement, after)
		if err != nil {
			time.Sleep(retryPause)
			continue
		}
		for received := range told {
			after = received.position
			var event event
			if err := json.Unmarshal([]byte(received.data), &event); err != nil || event.Position != received.position {
				r.fault(received.data)
				return
			}
			r.saw(agreement, &r.streamed, event)
		}
	}
}

// saw records events. The event at a position must not change.
func (r *readers) saw(agreement string, count *int, events ...event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, event := range events {
		*count++
		if before, known := r.seen[agreement+" "+event.Position]; known && before != event {
			r.broken = append(r.broken, "two events at "+event.Position)
		}
		r.seen[agreement+" "+event.Position] = event
	}
}

func (r *readers) fault(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken = append(r.broken, what)
}

// stop stops the readers and requires that all events they have read are in the history.
func (r *readers) stop() (polled, streamed int) {
	r.t.Helper()
	r.stops()
	r.work.Wait()
	require.Empty(r.t, r.broken)
	for _, agreement := range r.world.agreements {
		for _, event := range r.ns.at(0).history(r.world, agreement).events {
			key := agreement + " " + event.Position
			if seen, known := r.seen[key]; known {
				require.Equal(r.t, event, seen)
				delete(r.seen, key)
			}
		}
	}
	require.Empty(r.t, r.seen, "events that readers have read and the history lacks")
	return r.polled, r.streamed
}
