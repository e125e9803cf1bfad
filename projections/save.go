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
func (i *Image) snapshotIfDue() {
	if i.cfg.Dir == "" || i.sinceSnapshot < i.cfg.SnapshotEvery || !i.saving.TryLock() {
		return
	}
	i.sinceSnapshot = 0
	i.savings.Go(func() {
		defer i.saving.Unlock()
		i.save()
	})
}

// lastSnapshot writes a snapshot at the end of Run, if anything happened since the last.
func (i *Image) lastSnapshot() {
	i.savings.Wait()
	if !i.isLive() {
		return // a replay that was cut short; the entities can still change in place
	}
	if i.cfg.Dir != "" && i.sinceSnapshot > 0 {
		i.save()
	}
}

// save writes a snapshot. Failing to is no fault of the image: the next start takes longer.
func (i *Image) save() {
	if err := i.writeSnapshot(); err != nil {
		i.cfg.Logger.Warn("no snapshot could be written; the next start replays more of the log", "path", i.snapshotPath(), "error", err)
	}
}

// writeSnapshot puts a snapshot in place of the one before, whole or not at all.
func (i *Image) writeSnapshot() error {
	if err := os.MkdirAll(i.cfg.Dir, 0o700); err != nil {
		return err
	}
	// One name for all: what a killed process left is overwritten, not kept beside.
	file, err := os.OpenFile(i.snapshotPath()+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = i.writeTo(file)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), i.snapshotPath())
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return syncDir(i.cfg.Dir)
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
func (i *Image) writeTo(file *os.File) error {
	out := bufio.NewWriterSize(file, 1<<20)
	_, err := out.Write(i.schema.begin())
	heads := savedHeads{Epochs: i.s.epochs}
	for p := range heads.Heads {
		if err != nil {
			return err
		}
		i.mu.RLock()
		cut := i.s.cut(eventlog.Partition(p))
		i.mu.RUnlock()
		heads.Heads[p] = cut.head
		err = i.schema.writeCut(out, cut)
	}
	if err == nil {
		_, err = out.Write(appendSection(nil, headsSection, encode(i.schema.codec[headsSection], heads)))
	}
	if err == nil {
		_, err = out.Write(appendSection(nil, endSection, nil))
	}
	return errors.Join(err, out.Flush())
}

// cut is one partition at one moment.
type cut struct {
	head        eventlog.Head
	directories []savedDirectory
	agreements  []savedAgreement
	milestones  []savedMilestone
}

// cut takes hold of a partition. The caller holds the read lock.
func (s *store) cut(p eventlog.Partition) cut {
	c := cut{head: s.heads[p]}
	for _, n := range s.directoriesIn[p] {
		if len(n.root.refs) > 0 {
			c.directories = append(c.directories, n.cut(s.version(domain.Stream{Partner: n.id})))
		}
	}
	for _, a := range s.agreementsIn[p] {
		x := savedAgreement{
			ID: a.id, Entity: a.entity, Version: s.version(domain.Stream{Agreement: a.id}),
			Waiting: a.waiting, Root: a.root.cut(),
		}
		for _, in := range a.projects {
			x.Projects = append(x.Projects, savedProject{
				in.id, in.entity, s.version(domain.Stream{Agreement: a.id, Project: in.id}), in.calls,
			})
			for _, m := range in.milestones {
				c.milestones = append(c.milestones, savedMilestone{m.entity, m.deliveredAt, m.history, m.notes})
			}
		}
		c.agreements = append(c.agreements, x)
	}
	return c
}

// version returns the number of commits of a stream.
func (s *store) version(stream domain.Stream) uint64 {
	if n, ok := s.streams[stream.String()]; ok {
		return n.version
	}
	return 0
}

func (p *partnerNode) cut(version uint64) savedDirectory {
	x := savedDirectory{ID: p.id, Entity: p.entity, Version: version, Profile: p.profile, Root: p.root.cut()}
	for _, m := range p.members {
		x.Members = append(x.Members, m)
	}
	for _, t := range p.tokens {
		x.Tokens = append(x.Tokens, t)
	}
	for _, w := range p.webhooks {
		x.Webhooks = append(x.Webhooks, w)
	}
	return x
}

func (r *root) cut() savedRoot {
	x := savedRoot{Refs: r.refs}
	for _, a := range r.audiences {
		x.Audiences = append(x.Audiences, a.partners)
	}
	return x
}

// Sections are small enough that both cores have something to decode.
const (
	sectionMilestones  = 4096
	sectionDirectories = 512
)

func (s *schema) writeCut(out *bufio.Writer, c cut) error {
	put := func(kind byte, body []byte) error {
		_, err := out.Write(appendSection(nil, kind, body))
		return err
	}
	for chunk := range slices.Chunk(c.directories, sectionDirectories) {
		if err := put(directorySection, encode(s.codec[directorySection], chunk)); err != nil {
			return err
		}
	}
	for _, a := range c.agreements {
		if err := put(agreementSection, encode(s.codec[agreementSection], a)); err != nil {
			return err
		}
	}
	for chunk := range slices.Chunk(c.milestones, sectionMilestones) {
		for n := range chunk {
			chunk[n].History = distances(chunk[n].History)
		}
		if err := put(milestonesSection, encode(s.codec[milestonesSection], chunk)); err != nil {
			return err
		}
	}
	return nil
}

// distances returns how far each place is from the one before.
func distances(places []uint32) []uint32 {
	d := slices.Clone(places)
	for n := len(d) - 1; n > 0; n-- {
		d[n] -= d[n-1]
	}
	return d
}
