package sqlite

import (
	"slices"

	"tandem/eventlog"
)

// tail is the newest part of the log in memory, for the followers that have not read it yet. What
// no follower needs is dropped at once; what slow ones need is bounded: commits can be read from
// the file, and outcomes are few. Log.mu guards it.
type tail struct {
	limits    limits
	commits   []recent
	bytes     int           // of their frames
	last      uint64        // arrival number of the newest commit
	outcomes  []lateOutcome // in order
	ended     uint64        // number of the newest outcome, counted from the opening of the log
	followers map[*follower]struct{}
}

type recent struct {
	commit *eventlog.Commit
	bytes  int
}

// lateOutcome is an outcome and its place: after the commit with this arrival number.
type lateOutcome struct {
	after uint64
	entry eventlog.Entry
}

func newTail(last uint64, most limits) *tail {
	return &tail{limits: most, last: last, followers: map[*follower]struct{}{}}
}

// first is the arrival number of the oldest commit that the tail holds, or of the next one.
func (t *tail) first() uint64 { return t.last + 1 - uint64(len(t.commits)) }

// firstOutcome is the number of the oldest outcome that the tail holds, or of the next one.
func (t *tail) firstOutcome() uint64 { return t.ended + 1 - uint64(len(t.outcomes)) }

func (t *tail) add(r *request) {
	b := &r.batch
	for i := range b.Commits {
		t.commits = append(t.commits, recent{&b.Commits[i], len(r.frames[i])})
		t.bytes += len(r.frames[i])
		t.last++
	}
	for i := range b.Outcomes {
		t.outcomes = append(t.outcomes, lateOutcome{t.last, eventlog.Entry{Partition: b.Partition, Outcome: &b.Outcomes[i]}})
		t.ended++
	}
}

// trim drops what every follower has read and what is too much, and returns how many outcomes
// were dropped before they were read.
func (t *tail) trim() (lost int) {
	commit, outcome := t.last+1, t.ended+1
	for f := range t.followers {
		commit, outcome = min(commit, f.next), min(outcome, f.nextOutcome)
	}
	drop := 0
	for drop < len(t.commits) && (t.first()+uint64(drop) < commit || len(t.commits)-drop > t.limits.tailCommits || t.bytes > t.limits.tailBytes) {
		t.bytes -= t.commits[drop].bytes
		drop++
	}
	t.commits = slices.Delete(t.commits, 0, drop)
	outcome = max(outcome, t.firstOutcome()) // a slow follower may have lost some already
	read := min(int(outcome-t.firstOutcome()), len(t.outcomes))
	drop = max(read, len(t.outcomes)-t.limits.tailOutcomes)
	t.outcomes = slices.Delete(t.outcomes, 0, drop)
	return drop - read
}

// wake tells every follower that there is more.
func (t *tail) wake() {
	for f := range t.followers {
		select {
		case f.more <- struct{}{}:
		default:
		}
	}
}
