package projections

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json"

	"tandem/eventlog"
)

// The file of marks says how far this node has seen every partition. A start compares it with the
// log, so that commits which were lost while the node was down are missed.

const (
	seenHeadsName     = "marks"
	seenHeadsInterval = time.Second // at most
)

// seenHead is the last commit of a partition that was applied, and the losses accepted until then.
type seenHead struct {
	head  eventlog.Head
	epoch uint64
}

// seenHeads are what the file holds. Only the goroutine that runs the image, and the one that it keeps
// for writing, use them.
type seenHeads struct {
	heads   [eventlog.Partitions]seenHead
	changed chan struct{} // has room for one signal: something was applied
	failed  bool          // the last attempt to write failed
}

// savedSeenHead is a mark in the file.
type savedSeenHead struct {
	Partition int    `json:"partition"`
	Seq       uint64 `json:"seq"`
	Hash      string `json:"hash"`
	Epoch     uint64 `json:"epoch"`
}

func (m *ReadModel) seenHeadsPath() string { return filepath.Join(m.cfg.Dir, seenHeadsName) }

// signal says that something was applied. Only the follower calls it.
func (m *seenHeads) signal() {
	select {
	case m.changed <- struct{}{}:
	default:
	}
}

// readSeenHeads reads the file. One that cannot be read is put aside: what it knew is not compared.
func (m *ReadModel) readSeenHeads() {
	if m.cfg.Dir == "" {
		return
	}
	b, err := os.ReadFile(m.seenHeadsPath())
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		m.seenHeads.heads, err = parseSeenHeads(b)
	}
	if err != nil {
		setAside := m.seenHeadsPath() + ".broken"
		m.cfg.Logger.Warn("the marks are put aside; what was lost while this node was down may not be noticed",
			"path", setAside, "reason", errors.Join(err, os.Rename(m.seenHeadsPath(), setAside)))
	}
}

func parseSeenHeads(b []byte) (known [eventlog.Partitions]seenHead, err error) {
	var list []savedSeenHead
	if err := json.Unmarshal(b, &list, json.RejectUnknownMembers(true)); err != nil {
		return known, err
	}
	for _, saved := range list {
		if saved.Partition < 0 || saved.Partition >= len(known) || saved.Seq == 0 || known[saved.Partition].head.Seq > 0 {
			return [eventlog.Partitions]seenHead{}, fmt.Errorf("no mark can be %+v", saved)
		}
		head := seenHead{head: eventlog.Head{Seq: saved.Seq}, epoch: saved.Epoch}
		if n, err := hex.Decode(head.head.Hash[:], []byte(saved.Hash)); err != nil || n != len(head.head.Hash) {
			return [eventlog.Partitions]seenHead{}, fmt.Errorf("partition %d has no hash", saved.Partition)
		}
		known[saved.Partition] = head
	}
	return known, nil
}

// keepSeenHeads writes the file after something was applied, until ctx ends.
func (m *ReadModel) keepSeenHeads(ctx context.Context) {
	for {
		select {
		case <-m.seenHeads.changed:
		case <-ctx.Done():
			return
		}
		m.writeSeenHeads()
		if !pause(ctx, seenHeadsInterval) {
			return
		}
	}
}

// writeSeenHeads puts the file in place of the one before. It need not outlast a power cut: the one
// before is as true, only older.
func (m *ReadModel) writeSeenHeads() {
	if m.cfg.Dir == "" || !m.isLive() {
		return // the marks are ahead of a replay
	}
	m.collectSeenHeads()
	b, err := m.seenHeads.bytes()
	if err == nil {
		err = os.MkdirAll(m.cfg.Dir, 0o700)
	}
	if err == nil {
		err = os.WriteFile(m.seenHeadsPath()+".new", b, 0o600)
	}
	if err == nil {
		err = os.Rename(m.seenHeadsPath()+".new", m.seenHeadsPath())
	}
	if err != nil && !m.seenHeads.failed {
		m.cfg.Logger.Warn("no marks can be written; what is lost while this node is down may not be noticed",
			"path", m.seenHeadsPath(), "error", err)
	}
	m.seenHeads.failed = err != nil
}

// collectSeenHeads takes over what is applied. Where history was lost the mark stays at the last commit
// that was seen.
func (m *ReadModel) collectSeenHeads() {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for partition, head := range m.store.heads {
		if known := &m.seenHeads.heads[partition]; !m.store.halted[partition] || head.Seq > known.head.Seq {
			*known = seenHead{head, m.store.epochs[partition]}
		}
	}
}

func (m *seenHeads) bytes() ([]byte, error) {
	list := []savedSeenHead{}
	for partition, head := range m.heads {
		if head.head.Seq > 0 {
			list = append(list, savedSeenHead{partition, head.head.Seq, hex.EncodeToString(head.head.Hash[:]), head.epoch})
		}
	}
	return json.Marshal(list)
}
