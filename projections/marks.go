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
	marksName = "marks"
	markEvery = time.Second // at most
)

// mark is the last commit of a partition that was applied, and the losses accepted until then.
type mark struct {
	head  eventlog.Head
	epoch uint64
}

// marks are what the file holds. Only the goroutine that runs the image, and the one that it keeps
// for writing, use them.
type marks struct {
	known  [eventlog.Partitions]mark
	noted  chan struct{} // has room for one signal: something was applied
	broken bool          // the last attempt to write failed
}

// savedMark is a mark in the file.
type savedMark struct {
	Partition int    `json:"partition"`
	Seq       uint64 `json:"seq"`
	Hash      string `json:"hash"`
	Epoch     uint64 `json:"epoch"`
}

func (i *Image) marksPath() string { return filepath.Join(i.cfg.Dir, marksName) }

// note says that something was applied. Only the follower calls it.
func (m *marks) note() {
	select {
	case m.noted <- struct{}{}:
	default:
	}
}

// readMarks reads the file. One that cannot be read is put aside: what it knew is not compared.
func (i *Image) readMarks() {
	if i.cfg.Dir == "" {
		return
	}
	b, err := os.ReadFile(i.marksPath())
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		i.marks.known, err = parseMarks(b)
	}
	if err != nil {
		aside := i.marksPath() + ".broken"
		i.cfg.Logger.Warn("the marks are put aside; what was lost while this node was down may not be noticed",
			"path", aside, "reason", errors.Join(err, os.Rename(i.marksPath(), aside)))
	}
}

func parseMarks(b []byte) (known [eventlog.Partitions]mark, err error) {
	var list []savedMark
	if err := json.Unmarshal(b, &list, json.RejectUnknownMembers(true)); err != nil {
		return known, err
	}
	for _, s := range list {
		if s.Partition < 0 || s.Partition >= len(known) || s.Seq == 0 || known[s.Partition].head.Seq > 0 {
			return [eventlog.Partitions]mark{}, fmt.Errorf("no mark can be %+v", s)
		}
		m := mark{head: eventlog.Head{Seq: s.Seq}, epoch: s.Epoch}
		if n, err := hex.Decode(m.head.Hash[:], []byte(s.Hash)); err != nil || n != len(m.head.Hash) {
			return [eventlog.Partitions]mark{}, fmt.Errorf("partition %d has no hash", s.Partition)
		}
		known[s.Partition] = m
	}
	return known, nil
}

// keepMarks writes the file after something was applied, until ctx ends.
func (i *Image) keepMarks(ctx context.Context) {
	for {
		select {
		case <-i.marks.noted:
		case <-ctx.Done():
			return
		}
		i.writeMarks()
		if !pause(ctx, markEvery) {
			return
		}
	}
}

// writeMarks puts the file in place of the one before. It need not outlast a power cut: the one
// before is as true, only older.
func (i *Image) writeMarks() {
	if i.cfg.Dir == "" || !i.isLive() {
		return // the marks are ahead of a replay
	}
	i.takeMarks()
	b, err := i.marks.bytes()
	if err == nil {
		err = os.MkdirAll(i.cfg.Dir, 0o700)
	}
	if err == nil {
		err = os.WriteFile(i.marksPath()+".new", b, 0o600)
	}
	if err == nil {
		err = os.Rename(i.marksPath()+".new", i.marksPath())
	}
	if err != nil && !i.marks.broken {
		i.cfg.Logger.Warn("no marks can be written; what is lost while this node is down may not be noticed",
			"path", i.marksPath(), "error", err)
	}
	i.marks.broken = err != nil
}

// takeMarks takes over what is applied. Where history was lost the mark stays at the last commit
// that was seen.
func (i *Image) takeMarks() {
	i.mu.RLock()
	defer i.mu.RUnlock()
	for p, head := range i.s.heads {
		if m := &i.marks.known[p]; !i.s.halted[p] || head.Seq > m.head.Seq {
			*m = mark{head, i.s.epochs[p]}
		}
	}
}

func (m *marks) bytes() ([]byte, error) {
	list := []savedMark{}
	for p, x := range m.known {
		if x.head.Seq > 0 {
			list = append(list, savedMark{p, x.head.Seq, hex.EncodeToString(x.head.Hash[:]), x.epoch})
		}
	}
	return json.Marshal(list)
}
