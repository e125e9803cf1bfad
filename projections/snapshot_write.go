package projections

import (
	"bufio"
	"errors"
	"os"
	"slices"

	"tandem/domain"
	"tandem/eventlog"
)

// snapshotIfDue begins a snapshot in the background when enough was applied since the last. Only
// the follower calls it.
func (m *ReadModel) snapshotIfDue() {
	if m.cfg.Dir == "" || m.sinceSnapshot < m.cfg.SnapshotEvery || !m.snapshotLock.TryLock() {
		return
	}
	m.sinceSnapshot = 0
	m.snapshotWriters.Go(func() {
		defer m.snapshotLock.Unlock()
		m.saveSnapshot()
	})
}

// lastSnapshot writes a snapshot at the end of Run, if anything happened since the last.
func (m *ReadModel) lastSnapshot() {
	m.snapshotWriters.Wait()
	if !m.isLive() {
		return // a replay that was cut short; the entities can still change in place
	}
	if m.cfg.Dir != "" && m.sinceSnapshot > 0 {
		m.saveSnapshot()
	}
}

// saveSnapshot writes a snapshot. Failing to is no fault of the image: the next start takes longer.
func (m *ReadModel) saveSnapshot() {
	if err := m.writeSnapshot(); err != nil {
		m.cfg.Logger.Warn("no snapshot could be written; the next start replays more of the log", "path", m.snapshotPath(), "error", err)
	}
}

// writeSnapshot puts a snapshot in place of the one before, whole or not at all.
func (m *ReadModel) writeSnapshot() error {
	if err := os.MkdirAll(m.cfg.Dir, 0o700); err != nil {
		return err
	}
	// One name for all: what a killed process left is overwritten, not kept beside.
	file, err := os.OpenFile(m.snapshotPath()+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = m.writeTo(file)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), m.snapshotPath())
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return syncDir(m.cfg.Dir)
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// writeTo writes partition after partition. The lock is held only to take hold of one partition's
// entities, which never change; their positions go with them, so it does not matter that another
// partition has moved on meanwhile.
func (m *ReadModel) writeTo(file *os.File) error {
	out := bufio.NewWriterSize(file, 1<<20)
	_, err := out.Write(m.schema.header())
	heads := savedHeads{Epochs: m.store.epochs}
	for partition := range heads.Heads {
		if err != nil {
			return err
		}
		m.mu.RLock()
		cut := m.store.capture(eventlog.Partition(partition))
		m.mu.RUnlock()
		heads.Heads[partition] = cut.head
		err = m.schema.writePartition(out, cut)
	}
	if err == nil {
		_, err = out.Write(appendSection(nil, headsSection, encode(m.schema.codec[headsSection], heads)))
	}
	if err == nil {
		_, err = out.Write(appendSection(nil, endSection, nil))
	}
	return errors.Join(err, out.Flush())
}

// partitionCapture is one partition at one moment.
type partitionCapture struct {
	head        eventlog.Head
	directories []savedDirectory
	agreements  []savedAgreement
	milestones  []savedMilestone
}

// capture takes hold of a partition. The caller holds the read lock.
func (s *store) capture(partition eventlog.Partition) partitionCapture {
	captured := partitionCapture{head: s.heads[partition]}
	for _, node := range s.directoriesIn[partition] {
		if len(node.index.entries) > 0 {
			captured.directories = append(captured.directories, node.capture(s.version(domain.Stream{Partner: node.id})))
		}
	}
	for _, agreement := range s.agreementsIn[partition] {
		saved := savedAgreement{
			ID: agreement.id, Entity: agreement.entity, Version: s.version(domain.Stream{Agreement: agreement.id}),
			Waiting: agreement.awaitedSignatures, Root: agreement.index.capture(),
		}
		for _, project := range agreement.projects {
			saved.Projects = append(saved.Projects, savedProject{
				project.id, project.entity, s.version(domain.Stream{Agreement: agreement.id, Project: project.id}), project.calls,
			})
			for _, milestone := range project.milestones {
				captured.milestones = append(captured.milestones, savedMilestone{milestone.entity, milestone.deliveredAt, milestone.history, milestone.moves})
			}
		}
		captured.agreements = append(captured.agreements, saved)
	}
	return captured
}

// version returns the number of commits of a stream.
func (s *store) version(stream domain.Stream) uint64 {
	if node, ok := s.streams[stream.String()]; ok {
		return node.version
	}
	return 0
}

func (p *partnerNode) capture(version uint64) savedDirectory {
	saved := savedDirectory{ID: p.id, Entity: p.entity, Version: version, Profile: p.profileMark, Root: p.index.capture()}
	for _, member := range p.members {
		saved.Members = append(saved.Members, member)
	}
	for _, token := range p.tokens {
		saved.Tokens = append(saved.Tokens, token)
	}
	for _, webhook := range p.webhooks {
		saved.Webhooks = append(saved.Webhooks, webhook)
	}
	return saved
}

func (e *eventIndex) capture() savedRoot {
	saved := savedRoot{Refs: e.entries}
	for _, set := range e.readerSets {
		saved.Audiences = append(saved.Audiences, set.partners)
	}
	return saved
}

// Sections are small enough that both cores have something to decode.
const (
	sectionMilestones  = 4096
	sectionDirectories = 512
)

func (f *snapshotSchema) writePartition(out *bufio.Writer, captured partitionCapture) error {
	put := func(kind byte, body []byte) error {
		_, err := out.Write(appendSection(nil, kind, body))
		return err
	}
	for chunk := range slices.Chunk(captured.directories, sectionDirectories) {
		if err := put(directorySection, encode(f.codec[directorySection], chunk)); err != nil {
			return err
		}
	}
	for _, agreement := range captured.agreements {
		if err := put(agreementSection, encode(f.codec[agreementSection], agreement)); err != nil {
			return err
		}
	}
	for chunk := range slices.Chunk(captured.milestones, sectionMilestones) {
		for n := range chunk {
			chunk[n].History = distances(chunk[n].History)
		}
		if err := put(milestonesSection, encode(f.codec[milestonesSection], chunk)); err != nil {
			return err
		}
	}
	return nil
}

// distances returns how far each place is from the one before.
func distances(places []uint32) []uint32 {
	deltas := slices.Clone(places)
	for n := len(deltas) - 1; n > 0; n-- {
		deltas[n] -= deltas[n-1]
	}
	return deltas
}
