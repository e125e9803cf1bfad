package sqlite

import (
	"slices"

	"tandem/eventlog"
)

// tail is the newest part of the log in memory, for the followers that have not read it yet. Entries that every
// follower has read are dropped at once. The number of entries kept for slow followers is limited: they can read
// commits from the file. Log.mu guards the tail.
type tail struct {
	limits      limits
	commits     []tailCommit
	bytes       int           // total size of the commits' frames
	lastCommit  uint64        // arrival number of the newest commit
	outcomes    []tailOutcome // in order of arrival
	lastOutcome uint64        // number of the newest outcome since the log was opened
	followers   map[*followSession]struct{}
}

type tailCommit struct {
	commit *eventlog.Commit
	bytes  int
}

// tailOutcome is an outcome that follows the commit with this arrival number.
type tailOutcome struct {
	after uint64
	entry eventlog.Entry
}

func newTail(last uint64, bounds limits) *tail {
	return &tail{limits: bounds, lastCommit: last, followers: map[*followSession]struct{}{}}
}

// firstCommit returns the arrival number of the oldest commit in the tail, or of the next commit.
func (t *tail) firstCommit() uint64 { return t.lastCommit + 1 - uint64(len(t.commits)) }

// firstOutcome returns the number of the oldest outcome in the tail, or of the next outcome.
func (t *tail) firstOutcome() uint64 { return t.lastOutcome + 1 - uint64(len(t.outcomes)) }

func (t *tail) add(request *writeRequest) {
	batch := &request.batch
	for i := range batch.Commits {
		t.commits = append(t.commits, tailCommit{&batch.Commits[i], len(request.frames[i])})
		t.bytes += len(request.frames[i])
		t.lastCommit++
	}
	for i := range batch.Outcomes {
		t.outcomes = append(t.outcomes, tailOutcome{t.lastCommit, eventlog.Entry{Partition: batch.Partition, Outcome: &batch.Outcomes[i]}})
		t.lastOutcome++
	}
}

// trim drops entries that every follower has read and those beyond the limits. It returns the number of outcomes that
// it dropped before every follower had read them.
func (t *tail) trim() (lost int) {
	commit, outcome := t.lastCommit+1, t.lastOutcome+1
	for follower := range t.followers {
		commit, outcome = min(commit, follower.next), min(outcome, follower.nextOutcome)
	}
	drop := 0
	for drop < len(t.commits) && (t.firstCommit()+uint64(drop) < commit || len(t.commits)-drop > t.limits.tailCommits || t.bytes > t.limits.tailBytes) {
		t.bytes -= t.commits[drop].bytes
		drop++
	}
	t.commits = slices.Delete(t.commits, 0, drop)
	outcome = max(outcome, t.firstOutcome()) // a slow follower may have missed some before
	read := min(int(outcome-t.firstOutcome()), len(t.outcomes))
	drop = max(read, len(t.outcomes)-t.limits.tailOutcomes)
	t.outcomes = slices.Delete(t.outcomes, 0, drop)
	return drop - read
}

// wake signals all followers.
func (t *tail) wake() {
	for follower := range t.followers {
		follower.wakeup.Notify()
	}
}
