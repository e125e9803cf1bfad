package projections

import (
	"tandem/domain"
	"tandem/eventlog"
)

// recentCommits is the number of commits whose post-states are kept.
const recentCommits = 4096

// postState is a commit and the entities as it left them, which do not change later.
type postState struct {
	key        commitKey
	commit     *eventlog.Commit
	agreement  *domain.Agreement
	project    *domain.Project
	milestones []*domain.Milestone // by event; nil for an event without a milestone
}

// postStates keeps the latest post-states. The lock of its store guards it.
type postStates struct {
	ring  []*postState
	next  int
	byKey map[commitKey]*postState
}

func newPostStates() *postStates {
	return &postStates{ring: make([]*postState, recentCommits), byKey: make(map[commitKey]*postState, recentCommits)}
}

func (r *postStates) get(key commitKey) *postState {
	if r == nil {
		return nil
	}
	return r.byKey[key]
}

// add keeps the post-state of a commit that was just applied.
func (r *postStates) add(node *streamNode, commit *eventlog.Commit) {
	if r == nil || node.agreement == nil {
		return
	}
	after := &postState{key: commitKey{commit.Partition, commit.Seq}, commit: commit, agreement: node.agreement.entity}
	if node.project != nil {
		after.project = node.project.entity
		after.milestones = make([]*domain.Milestone, len(commit.Events))
		for i := range commit.Events {
			if milestone := node.project.milestones[domain.MilestoneID(commit.Events[i].Subject)]; milestone != nil {
				after.milestones[i] = milestone.entity
			}
		}
	}
	if old := r.ring[r.next]; old != nil {
		delete(r.byKey, old.key)
	}
	r.ring[r.next], r.byKey[after.key] = after, after
	r.next = (r.next + 1) % len(r.ring)
}

type commitKey struct {
	partition eventlog.Partition
	seq       uint64
}
