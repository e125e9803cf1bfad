package projections

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"tandem/domain"
	"tandem/eventlog"
)

const snapshotName = "image.snapshot"

func (i *Image) snapshotPath() string { return filepath.Join(i.cfg.Dir, snapshotName) }

// restore begins with the snapshot, if there is one that can be used, and otherwise with nothing.
// One of before a loss that was accepted holds what is gone.
func (i *Image) restore(epochs [eventlog.Partitions]uint64) {
	if i.cfg.Dir == "" {
		return
	}
	b, err := os.ReadFile(i.snapshotPath())
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var s *store
	if err == nil {
		s, err = i.schema.restore(b, i.identities)
	}
	if err != nil {
		i.cfg.Logger.Warn("the snapshot is put aside and the log replayed", "path", i.snapshotPath(), "reason", err)
		return
	}
	for p, head := range s.heads {
		if head.Seq > 0 && s.epochs[p] < epochs[p] {
			i.cfg.Logger.Info("the snapshot is of before an accepted loss; it is put aside and the log replayed",
				"path", i.snapshotPath(), "partition", p)
			return
		}
	}
	i.mu.Lock()
	i.s = s
	i.mu.Unlock()
	for p := range i.arrivals {
		i.arrivals[p].fire()
	}
}

// restore returns a store in the midst of a replay.
func (s *schema) restore(b []byte, found *identities) (*store, error) {
	sections, err := s.split(b)
	if err != nil {
		return nil, err
	}
	values, err := s.openAll(sections)
	if err != nil {
		return nil, err
	}
	st := newStore(found)
	st.beginReplay()
	for _, v := range values {
		if err := st.adopt(v); err != nil {
			return nil, err
		}
	}
	return st, nil
}

// openAll decodes the sections on as many goroutines as there are decoders.
func (s *schema) openAll(sections []section) ([]any, error) {
	values, faults := make([]any, len(sections)), make([]error, len(sections))
	next := make(chan int, len(sections))
	for n := range sections {
		next <- n
	}
	close(next)
	var wg sync.WaitGroup
	for range decoders {
		wg.Go(func() {
			for n := range next {
				values[n], faults[n] = s.open(sections[n])
			}
		})
	}
	wg.Wait()
	return values, errors.Join(faults...)
}

// adopt takes over what a section holds.
func (s *store) adopt(v any) error {
	switch x := v.(type) {
	case savedHeads:
		s.heads, s.epochs = x.Heads, x.Epochs
	case []savedDirectory:
		for n := range x {
			if err := s.adoptDirectory(&x[n]); err != nil {
				return err
			}
		}
	case savedAgreement:
		return s.adoptAgreement(&x)
	case []savedMilestone:
		for n := range x {
			if err := s.adoptMilestone(&x[n]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *store) adoptDirectory(x *savedDirectory) error {
	s.place(domain.Stream{Partner: x.ID}).version = x.Version
	p := s.partner(x.ID)
	p.profile = x.Profile
	if x.Entity != nil {
		p.setEntity(s, x.Entity)
		p.face = faceOf(x.Entity)
	}
	for _, m := range x.Members {
		p.members[m.Ref.Member] = m
	}
	for _, t := range x.Tokens {
		p.tokens[t.Ref.Token] = t
	}
	for _, w := range x.Webhooks {
		p.webhooks[w.Ref.Webhook] = w
	}
	return p.root.adopt(s, x.Root)
}

func (s *store) adoptAgreement(x *savedAgreement) (err error) {
	s.place(domain.Stream{Agreement: x.ID}).version = x.Version
	a := s.agreement(x.ID)
	a.entity, a.waiting = x.Entity, x.Waiting
	if err := a.root.adopt(s, x.Root); err != nil {
		return err
	}
	for _, sp := range x.Projects {
		s.place(domain.Stream{Agreement: x.ID, Project: sp.ID}).version = sp.Version
		p := a.project(sp.ID)
		p.entity, p.calls = sp.Entity, sp.Calls
		p.listed = p.participants()
		if p.shared, err = a.root.code(s, p.listed); err != nil {
			return err
		}
	}
	return nil
}

func (s *store) adoptMilestone(x *savedMilestone) error {
	ref := x.Entity.Ref
	p := s.projectNode(domain.ProjectRef{Agreement: ref.Agreement, Project: ref.Project})
	if p == nil {
		return fmt.Errorf("milestone %s has no project: %w", ref.Milestone, errBroken)
	}
	history := x.History
	for n := 1; n < len(history); n++ {
		history[n] += history[n-1]
	}
	m := &milestoneNode{
		entity: x.Entity, project: p, history: history, deliveredAt: x.DeliveredAt,
		notes: x.Notes, accepted: x.Entity.AcceptedOn != 0,
	}
	p.milestones[ref.Milestone] = m
	m.publish()
	return nil
}

// adopt takes over the history of a root and counts it again for those who may see it.
func (r *root) adopt(s *store, x savedRoot) error {
	for _, partners := range x.Audiences {
		if _, err := r.code(s, partners); err != nil {
			return err
		}
	}
	r.refs = x.Refs
	for place, e := range r.refs {
		if int(e.Audience) >= len(r.audiences) {
			return fmt.Errorf("audience %d of %s: %w", e.Audience, r.name, errBroken)
		}
		r.count(uint32(place), e.Audience)
	}
	return nil
}
