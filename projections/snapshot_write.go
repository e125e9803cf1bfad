package projections

import (
	"bufio"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"tandem/eventlog"
	"tandem/projections/snapshot"
)

const snapshotName = "image.snapshot"

// snapshotWriter writes snapshots of the present in the background.
type snapshotWriter struct {
	dir       string // empty: no snapshots
	every     int    // commits between two snapshots
	logger    *slog.Logger
	format    *snapshot.Format
	present   *present
	lifecycle *lifecycle
	tokens    *tokenIndex
	names     *memberNames
	since     int        // commits applied since the last snapshot; used by the follower's goroutine
	lock      sync.Mutex // held while a snapshot is written in the background
	running   sync.WaitGroup
}

func (s *snapshotWriter) path() string { return filepath.Join(s.dir, snapshotName) }

// startIfDue starts a snapshot in the background if enough commits were applied since the last one. Only the
// follower's goroutine calls it.
func (s *snapshotWriter) startIfDue() {
	if s.dir == "" || s.since < s.every || !s.lock.TryLock() {
		return
	}
	s.since = 0
	s.running.Go(func() {
		defer s.lock.Unlock()
		s.save()
	})
}

// finish writes a snapshot at the end of Run if a commit was applied since the last one. During a replay it
// writes none, because the entities can still change in place.
func (s *snapshotWriter) finish() {
	s.running.Wait()
	if s.lifecycle.isLive() && s.dir != "" && s.since > 0 {
		s.save()
	}
}

// save writes a snapshot. If it fails the read model goes on; only the next start takes longer.
func (s *snapshotWriter) save() {
	if err := s.write(); err != nil {
		s.logger.Warn("no snapshot could be written; the next start replays more of the log", "path", s.path(), "error", err)
	}
}

// write replaces the snapshot atomically.
func (s *snapshotWriter) write() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	// The name is always the same, so the next write replaces a file that a killed process left.
	file, err := os.OpenFile(s.path()+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = s.writeTo(file)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), s.path())
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return syncDir(s.dir)
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// writeTo writes one partition after the other and holds the lock only to capture it. Partitions may be
// captured at different times, because each is stored with its own head.
func (s *snapshotWriter) writeTo(file *os.File) error {
	out := bufio.NewWriterSize(file, 1<<20)
	_, err := out.Write(s.format.AppendHeader(nil))
	heads := savedHeads{Epochs: s.present.store.epochs}
	for partition := range heads.Heads {
		if err != nil {
			return err
		}
		s.present.mu.RLock()
		captured := s.present.store.capture(eventlog.Partition(partition))
		s.present.mu.RUnlock()
		heads.Heads[partition] = captured.head
		err = s.writePartition(out, captured)
	}
	if err == nil {
		_, err = out.Write(s.format.AppendEnd(s.format.AppendSection(nil, headsSection, heads)))
	}
	return errors.Join(err, out.Flush())
}

// Sections are small enough that all decoders have work.
const (
	sectionMilestones  = 4096
	sectionDirectories = 512
)

func (s *snapshotWriter) writePartition(out *bufio.Writer, captured partitionCapture) error {
	write := func(kind snapshot.Kind, value any) error {
		_, err := out.Write(s.format.AppendSection(nil, kind, value))
		return err
	}
	if captured.names.Version > 0 {
		if err := write(namesSection, captured.names); err != nil {
			return err
		}
	}
	for chunk := range slices.Chunk(captured.directories, sectionDirectories) {
		if err := write(directorySection, chunk); err != nil {
			return err
		}
	}
	for _, agreement := range captured.agreements {
		if err := write(agreementSection, agreement); err != nil {
			return err
		}
	}
	for chunk := range slices.Chunk(captured.milestones, sectionMilestones) {
		for i := range chunk {
			chunk[i].History = distances(chunk[i].History)
		}
		if err := write(milestonesSection, chunk); err != nil {
			return err
		}
	}
	return nil
}

// distances returns the differences between consecutive places.
func distances(places []uint32) []uint32 {
	deltas := slices.Clone(places)
	for n := len(deltas) - 1; n > 0; n-- {
		deltas[n] -= deltas[n-1]
	}
	return deltas
}
