package projections

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json"

	"tandem/eventlog"
	"tandem/eventlog/wakeup"
)

const (
	seenHeadsName     = "marks"
	seenHeadsInterval = time.Second // between two writes, at least
)

// seenHead is the last commit of a partition that was applied, and the number of losses accepted until then.
type seenHead struct {
	head  eventlog.Head
	epoch uint64
}

// seenHeads is a file that states how far this node has seen every partition. The next start compares it with
// the log, which finds commits that were lost while the node was down. Only the follower's goroutine and the
// one that writes use it.
type seenHeads struct {
	dir       string // empty: no file
	logger    *slog.Logger
	present   *present
	lifecycle *lifecycle
	heads     [eventlog.Partitions]seenHead
	changed   wakeup.Signal // a commit was applied
	failed    bool          // the last write failed
}

// savedSeenHead is the form of a seenHead in the file.
type savedSeenHead struct {
	Partition int    `json:"partition"`
	Seq       uint64 `json:"seq"`
	Hash      string `json:"hash"`
	Epoch     uint64 `json:"epoch"`
}

func (s *seenHeads) path() string { return filepath.Join(s.dir, seenHeadsName) }

// signal requests a write. Only the follower's goroutine calls it.
func (s *seenHeads) signal() {
	s.changed.Notify()
}

// read reads the file. A file that cannot be read is renamed and not compared.
func (s *seenHeads) read() {
	if s.dir == "" {
		return
	}
	b, err := os.ReadFile(s.path())
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		s.heads, err = parseSeenHeads(b)
	}
	if err != nil {
		setAside := s.path() + ".broken"
		s.logger.Warn("the file of seen heads is set aside; commits that were lost while this node was down may not be detected",
			"path", setAside, "reason", errors.Join(err, os.Rename(s.path(), setAside)))
	}
}

func parseSeenHeads(b []byte) (known [eventlog.Partitions]seenHead, err error) {
	var list []savedSeenHead
	if err := json.Unmarshal(b, &list, json.RejectUnknownMembers(true)); err != nil {
		return known, err
	}
	for _, saved := range list {
		if saved.Partition < 0 || saved.Partition >= len(known) || saved.Seq == 0 || known[saved.Partition].head.Seq > 0 {
			return [eventlog.Partitions]seenHead{}, fmt.Errorf("entry %+v: no partition has such a head", saved)
		}
		head := seenHead{head: eventlog.Head{Seq: saved.Seq}, epoch: saved.Epoch}
		hash, err := hex.DecodeString(saved.Hash)
		if copy(head.head.Hash[:], hash); err != nil || len(hash) != len(head.head.Hash) {
			return [eventlog.Partitions]seenHead{}, fmt.Errorf("partition %d: the hash is not 64 hexadecimal digits", saved.Partition)
		}
		known[saved.Partition] = head
	}
	return known, nil
}

// keep writes the file after commits were applied, until ctx ends.
func (s *seenHeads) keep(ctx context.Context) {
	for {
		select {
		case <-s.changed:
		case <-ctx.Done():
			return
		}
		s.write()
		if !pause(ctx, seenHeadsInterval) {
			return
		}
	}
}

// write replaces the file atomically. It does not sync it: after a power failure the former file is valid, too.
func (s *seenHeads) write() {
	if s.dir == "" || !s.lifecycle.isLive() {
		return // during a replay the file is ahead of the store
	}
	s.collect()
	b, err := s.bytes()
	if err == nil {
		err = os.MkdirAll(s.dir, 0o700)
	}
	if err == nil {
		err = os.WriteFile(s.path()+".new", b, 0o600)
	}
	if err == nil {
		err = os.Rename(s.path()+".new", s.path())
	}
	if err != nil && !s.failed {
		s.logger.Warn("the file of seen heads cannot be written; commits that are lost while this node is down may not be detected",
			"path", s.path(), "error", err)
	}
	s.failed = err != nil
}

// collect copies the applied heads. In a halted partition the head stays at the last commit that was seen.
func (s *seenHeads) collect() {
	s.present.mu.RLock()
	defer s.present.mu.RUnlock()
	for partition, head := range s.present.store.heads {
		if known := &s.heads[partition]; !s.present.store.halted[partition] || head.Seq > known.head.Seq {
			*known = seenHead{head, s.present.store.epochs[partition]}
		}
	}
}

func (s *seenHeads) bytes() ([]byte, error) {
	list := []savedSeenHead{}
	for partition, head := range s.heads {
		if head.head.Seq > 0 {
			list = append(list, savedSeenHead{partition, head.head.Seq, hex.EncodeToString(head.head.Hash[:]), head.epoch})
		}
	}
	return json.Marshal(list)
}

// dropOutdated forgets heads from before an accepted loss.
func (s *seenHeads) dropOutdated(epochs [eventlog.Partitions]uint64) {
	for partition := range s.heads {
		if known := &s.heads[partition]; known.epoch < epochs[partition] {
			s.logger.Info("a seen head from before an accepted loss is forgotten", "partition", partition, "commit", known.head.Seq)
			*known = seenHead{}
		}
	}
}
