package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// traffic is a set of writers that comment without pause, each on the milestone of one agreement: "w3 17" is the
// 17th comment of writer 3. A comment that is not acknowledged is sent again, with its key and to the next node,
// until it is.
type traffic struct {
	t        testing.TB
	name     string // suffix of the writers' names, to distinguish several traffics
	ns       *fleet
	world    world
	patience time.Duration // time limit of one attempt
	end      chan struct{}
	work     sync.WaitGroup

	mu      sync.Mutex
	acked   [][]ack // by writer, in the order of its comments
	failed  map[failure]int
	changed chan struct{}
	broken  error
}

// ack is an acknowledged comment.
type ack struct{ begun, at time.Time }

// failure is a failed attempt: the node, and the status of its answer; 0 for a broken connection or no answer.
type failure struct{ node, status int }

const (
	trafficWriters = 12
	recoveryLimit  = 5 * time.Minute       // for one comment; a service that is gone for so long will not come back
	retryPause     = 20 * time.Millisecond // before another attempt
	attemptLimit   = 10 * time.Second      // longer than the server waits for an outcome
	thinkTime      = 2 * time.Millisecond  // between two comments, to limit the load
)

// startTraffic starts the writers; writer n begins at node n.
func startTraffic(nodes *fleet, world world) *traffic {
	return startImpatientTraffic(nodes, world, attemptLimit)
}

// startNamedTraffic starts one of several traffics that write to the same agreements one after the other.
func startNamedTraffic(nodes *fleet, world world, number int) *traffic {
	return beginTraffic(&traffic{t: nodes.t, ns: nodes, world: world, patience: attemptLimit, name: fmt.Sprintf("-%d", number)})
}

// startImpatientTraffic is for nodes that hang.
func startImpatientTraffic(nodes *fleet, world world, patience time.Duration) *traffic {
	return beginTraffic(&traffic{t: nodes.t, ns: nodes, world: world, patience: patience})
}

func beginTraffic(load *traffic) *traffic {
	load.end, load.changed = make(chan struct{}), make(chan struct{})
	load.acked, load.failed = make([][]ack, trafficWriters), make(map[failure]int)
	load.awaitWorld()
	for n := range trafficWriters {
		load.work.Go(func() { load.write(n) })
	}
	return load
}

// awaitWorld waits until every node serves every milestone. A node that has not applied a creation yet answers 404, which
// a writer would take for a lost milestone.
func (l *traffic) awaitWorld() {
	for n := range l.ns.live {
		for _, agreement := range l.world.agreements {
			eventually(l.t, recoveryLimit, "every node to serve every milestone", func() bool {
				answer, err := l.ns.at(n).try(l.t.Context(), l.world.nokia, "GET", l.world.milestone(agreement), "")
				return err == nil && answer.status == 200
			})
		}
	}
}

// text returns the text of a writer's nth comment.
func (l *traffic) text(writer, n int) string { return fmt.Sprintf("w%d%s %d", writer, l.name, n) }

// parse is the inverse of text. It reports false for other texts.
func (l *traffic) parse(text string) (writer, n int, ok bool) {
	_, err := fmt.Sscanf(text, "w%d"+l.name+" %d", &writer, &n)
	return writer, n, err == nil && text == l.text(writer, n)
}

func (l *traffic) agreement(writer int) string {
	return l.world.agreements[writer%len(l.world.agreements)]
}

func (l *traffic) write(writer int) {
	at := writer
	for n := 1; ; n++ {
		begun := time.Now()
		if err := l.insist(writer, n, &at, begun); err != nil {
			l.update(func() { l.broken = err })
			return
		}
		l.update(func() { l.acked[writer] = append(l.acked[writer], ack{begun, time.Now()}) })
		select {
		case <-l.end:
			return
		case <-time.After(thinkTime):
		}
	}
}

// insist sends one comment until it is acknowledged. It retries only after a broken connection, an undecided
// command (202) and an unavailable node (503).
func (l *traffic) insist(writer, n int, at *int, begun time.Time) error {
	text := l.text(writer, n)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), l.patience)
		answer, err := l.ns.at(*at).comment(ctx, l.world, l.agreement(writer), text, "Idempotency-Key", text)
		cancel()
		switch {
		case err == nil && answer.status == 200:
			return nil
		case err == nil && answer.status != 202 && answer.status != 503:
			return fmt.Errorf("comment %q got %d: %s", text, answer.status, answer.body)
		case time.Since(begun) > recoveryLimit:
			return fmt.Errorf("comment %q was not acknowledged in %v; the last answer was %d %s, error %w", text, recoveryLimit, answer.status, answer.body, err)
		}
		l.update(func() { l.failed[failure{*at % len(l.ns.live), answer.status}]++ })
		if err != nil || answer.status == 503 {
			*at++
		}
		time.Sleep(retryPause)
	}
}

// update changes the writers' shared state and wakes the callers of await.
func (l *traffic) update(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
	close(l.changed)
	l.changed = make(chan struct{})
}

// await waits until a condition on the shared state is met.
func (l *traffic) await(met func() bool) {
	l.t.Helper()
	for {
		l.mu.Lock()
		done, changed, broken := met(), l.changed, l.broken
		l.mu.Unlock()
		require.NoError(l.t, broken)
		if done {
			return
		}
		<-changed // a writer without acknowledgments fails after recoveryLimit
	}
}

// recovery waits until every writer has an acknowledged comment that it started after a time, and returns how
// long after that time the last one was acknowledged.
func (l *traffic) recovery(since time.Time) (last time.Duration) {
	l.t.Helper()
	l.await(func() (all bool) {
		last, all = l.recovered(since)
		return all
	})
	return last
}

// more waits until all writers are writing and a number of further comments are acknowledged.
func (l *traffic) more(comments int) {
	l.t.Helper()
	l.recovery(time.Now())
	first := -1
	l.await(func() bool {
		if first < 0 {
			first = l.comments()
		}
		return l.comments() >= first+comments
	})
}

// comments returns the number of acknowledged comments.
func (l *traffic) comments() (n int) {
	for _, acked := range l.acked {
		n += len(acked)
	}
	return n
}

func (l *traffic) recovered(since time.Time) (last time.Duration, all bool) {
	for _, acked := range l.acked {
		i, _ := slices.BinarySearchFunc(acked, since, func(a ack, t time.Time) int { return a.begun.Compare(t) })
		if i == len(acked) {
			return 0, false
		}
		last = max(last, acked[i].at.Sub(since))
	}
	return last, true
}

// stop stops the writers after their present comments, and returns the number of acknowledged comments.
func (l *traffic) stop() (comments int) {
	l.t.Helper()
	close(l.end)
	l.work.Wait()
	require.NoError(l.t, l.broken)
	return l.comments()
}

// again returns the number of repeated attempts.
func (l *traffic) again() (n int) {
	for _, times := range l.failed {
		n += times
	}
	return n
}

// gap returns the longest time between two acknowledged comments of a writer.
func (l *traffic) gap() (longest time.Duration) {
	for _, acked := range l.acked {
		for i := 1; i < len(acked); i++ {
			longest = max(longest, acked[i].at.Sub(acked[i-1].at))
		}
	}
	return longest
}

// findings is the result of comparing a history with the acknowledged comments.
type findings struct{ lost, doubled, disordered int }

// check compares the whole history, as one node serves it, with the acknowledged comments. It returns the
// histories of all agreements.
func (l *traffic) check(program *program) (found findings, all map[string]history) {
	l.t.Helper()
	all = make(map[string]history)
	seen := make([][]int, len(l.acked))
	for _, agreement := range l.world.agreements {
		feed := program.history(l.world, agreement)
		all[agreement] = feed
		feed.requireDense(l.t, agreement)
		for _, event := range feed.events {
			writer, n, ok := l.parse(event.Data.Text)
			if !ok {
				continue // from the arrangement
			}
			require.Equal(l.t, l.agreement(writer), agreement)
			require.LessOrEqual(l.t, n, len(l.acked[writer]), "the history contains only comments that were sent")
			seen[writer] = append(seen[writer], n)
		}
	}
	for writer, numbers := range seen {
		if !slices.IsSorted(numbers) {
			found.disordered++
		}
		slices.Sort(numbers)
		once := slices.Compact(slices.Clone(numbers))
		found.doubled += len(numbers) - len(once)
		found.lost += len(l.acked[writer]) - len(once)
	}
	return found, all
}

// requireWhole requires that every node has every acknowledged comment once and in order, and that all nodes
// serve the same history.
func (l *traffic) requireWhole() {
	l.t.Helper()
	var first map[string]history
	for i := range l.ns.live {
		found, all := l.check(l.ns.at(i))
		require.Zerof(l.t, found, "node %d", i)
		if first == nil {
			first = all
		}
		for agreement, feed := range all {
			require.Equalf(l.t, string(first[agreement].raw), string(feed.raw), "%s on node %d", agreement, i)
		}
	}
}

func median(of []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}
