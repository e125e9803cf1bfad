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

func (m *ReadModel) snapshotPath() string { return filepath.Join(m.cfg.Dir, snapshotName) }

// restore begins with the snapshot, if there is one that can be used, and otherwise with nothing.
// One of before a loss that was accepted holds what is gone.
func (m *ReadModel) restore(epochs [eventlog.Partitions]uint64) {
	if m.cfg.Dir == "" {
		return
	}
	b, err := os.ReadFile(m.snapshotPath())
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var state *store
	if err == nil {
		state, err = m.schema.restore(b, m.tokens)
	}
	if err != nil {
		m.cfg.Logger.Warn("the snapshot is put aside and the log replayed", "path", m.snapshotPath(), "reason", err)
		return
	}
	for partition, head := range state.heads {
		if head.Seq > 0 && state.epochs[partition] < epochs[partition] {
			m.cfg.Logger.Info("the snapshot is of before an accepted loss; it is put aside and the log replayed",
				"path", m.snapshotPath(), "partition", partition)
			return
		}
	}
	m.mu.Lock()
	m.store = state
	m.mu.Unlock()
	for partition := range m.headSignals {
		m.headSignals[partition].fire()
	}
}

// restore returns a store in the midst of a replay.
func (f *snapshotSchema) restore(b []byte, found *tokenIndex) (*store, error) {
	sections, err := f.readSections(b)
	if err != nil {
		return nil, err
	}
	values, err := f.decodeAll(sections)
	if err != nil {
		return nil, err
	}
	restored := newStore(found)
	restored.beginReplay()
	for _, section := range values {
		if err := restored.restoreSection(section); err != nil {
			return nil, err
		}
	}
	return restored, nil
}

// decodeAll decodes the sections on as many goroutines as there are decoders.
func (f *snapshotSchema) decodeAll(sections []section) ([]any, error) {
	values, errs := make([]any, len(sections)), make([]error, len(sections))
	next := make(chan int, len(sections))
	for n := range sections {
		next <- n
	}
	close(next)
	var wg sync.WaitGroup
	for range decoders {
		wg.Go(func() {
			for n := range next {
				values[n], errs[n] = f.decode(sections[n])
			}
		})
	}
	wg.Wait()
	return values, errors.Join(errs...)
}

// restoreSection takes over what a section holds.
func (s *store) restoreSection(section any) error {
	switch x := section.(type) {
	case savedHeads:
		s.heads, s.epochs = x.Heads, x.Epochs
	case []savedDirectory:
		for n := range x {
			if err := s.restoreDirectory(&x[n]); err != nil {
				return err
			}
		}
	case savedAgreement:
		return s.restoreAgreement(&x)
	case []savedMilestone:
		for n := range x {
			if err := s.restoreMilestone(&x[n]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *store) restoreDirectory(saved *savedDirectory) error {
	s.addStream(domain.Stream{Partner: saved.ID}).version = saved.Version
	partner := s.partner(saved.ID)
	partner.profileMark = saved.Profile
	if saved.Entity != nil {
		partner.setEntity(s, saved.Entity)
		partner.profile = profileFieldsOf(saved.Entity)
	}
	for _, member := range saved.Members {
		partner.members[member.Ref.Member] = member
	}
	for _, token := range saved.Tokens {
		partner.tokens[token.Ref.Token] = token
	}
	for _, webhook := range saved.Webhooks {
		partner.webhooks[webhook.Ref.Webhook] = webhook
	}
	return partner.index.restore(s, saved.Root)
}

func (s *store) restoreAgreement(saved *savedAgreement) (err error) {
	s.addStream(domain.Stream{Agreement: saved.ID}).version = saved.Version
	agreement := s.agreement(saved.ID)
	agreement.entity, agreement.awaitedSignatures = saved.Entity, saved.Waiting
	if err := agreement.index.restore(s, saved.Root); err != nil {
		return err
	}
	for _, sp := range saved.Projects {
		s.addStream(domain.Stream{Agreement: saved.ID, Project: sp.ID}).version = sp.Version
		project := agreement.project(sp.ID)
		project.entity, project.calls = sp.Entity, sp.Calls
		project.listedFor = project.participants()
		if project.participantsCode, err = agreement.index.setCode(s, project.listedFor); err != nil {
			return err
		}
	}
	return nil
}

func (s *store) restoreMilestone(saved *savedMilestone) error {
	ref := saved.Entity.Ref
	project := s.projectNode(domain.ProjectRef{Agreement: ref.Agreement, Project: ref.Project})
	if project == nil {
		return fmt.Errorf("milestone %s has no project: %w", ref.Milestone, errDamagedSnapshot)
	}
	history := saved.History
	for n := 1; n < len(history); n++ {
		history[n] += history[n-1]
	}
	milestone := &milestoneNode{
		entity: saved.Entity, project: project, history: history, deliveredAt: saved.DeliveredAt,
		moves: saved.Notes, accepted: saved.Entity.AcceptedOn != 0,
	}
	project.milestones[ref.Milestone] = milestone
	milestone.updatePublic()
	return nil
}

// restore takes over the history of a root and counts it again for those who may see it.
func (e *eventIndex) restore(state *store, saved savedRoot) error {
	for _, partners := range saved.Audiences {
		if _, err := e.setCode(state, partners); err != nil {
			return err
		}
	}
	e.entries = saved.Refs
	for place, entry := range e.entries {
		if int(entry.Audience) >= len(e.readerSets) {
			return fmt.Errorf("audience %d of %s: %w", entry.Audience, e.name, errDamagedSnapshot)
		}
		e.countFor(uint32(place), entry.Audience)
	}
	return nil
}
