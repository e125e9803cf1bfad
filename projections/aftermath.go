package projections

import (
	"tandem/domain"
	"tandem/eventlog"
)

// recentCommits is how many commits an image remembers the aftermath of.
const recentCommits = 4096

// aftermath is a commit and what it left behind. Entities never change once they are handed out, so it says
// for ever how things stood then.
type aftermath struct {
	key        commitKey
	commit     *eventlog.Commit
	agreement  *domain.Agreement
	project    *domain.Project
	milestones []*domain.Milestone // by event; nil where it is about none
}

// aftermaths keeps the latest ones. Its store's lock guards it.
type aftermaths struct {
	ring  []*aftermath
	next  int
	byKey map[commitKey]*aftermath
}

func newAftermaths() *aftermaths {
	return &aftermaths{ring: make([]*aftermath, recentCommits), byKey: make(map[commitKey]*aftermath, recentCommits)}
}

func (r *aftermaths) get(key commitKey) *aftermath {
	if r == nil {
		return nil
	}
	return r.byKey[key]
}

// add remembers what a commit of an agreement has just left behind.
func (r *aftermaths) add(n *streamNode, c *eventlog.Commit) {
	if r == nil || n.agreement == nil {
		return
	}
	a := &aftermath{key: commitKey{c.Partition, c.Seq}, commit: c, agreement: n.agreement.entity}
	if n.project != nil {
		a.project = n.project.entity
		a.milestones = make([]*domain.Milestone, len(c.Events))
		for i := range c.Events {
			if m := n.project.milestones[domain.MilestoneID(c.Events[i].Subject)]; m != nil {
				a.milestones[i] = m.entity
			}
		}
	}
	if old := r.ring[r.next]; old != nil {
		delete(r.byKey, old.key)
	}
	r.ring[r.next], r.byKey[a.key] = a, a
	r.next = (r.next + 1) % len(r.ring)
}
