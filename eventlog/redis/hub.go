package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"tandem/eventlog"
)

// place is how far a follower is, or could be, in a partition.
type place struct {
	head eventlog.Head
	out  eventlog.Offset // id of the last outcome
}

// hub tells this node's followers what has become durable: by itself where this node appends, and by
// reading the other partitions' marks.
type hub struct {
	log   *Log
	marks *tailers

	tuning    sync.Mutex // one at a time; before mu
	mu        sync.Mutex
	followers map[*follower]struct{}
	tails     [eventlog.Partitions]*tail // of the marks, while anybody follows
}

func newHub(l *Log) *hub {
	h := &hub{log: l, marks: newTailers(l, 1), followers: make(map[*follower]struct{})}
	l.loops.Go(h.verify)
	return h
}

func (h *hub) close() { h.marks.close() }

func (h *hub) each(f func(*follower)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for follower := range h.followers {
		f(follower)
	}
}

// join adds a follower; the first one begins to read marks.
func (h *hub) join(f *follower) {
	h.mu.Lock()
	h.followers[f] = struct{}{}
	h.mu.Unlock()
	h.tune(everyPartition()...)
}

// leave drops a follower; the last one ends the reading of marks.
func (h *hub) leave(f *follower) {
	h.mu.Lock()
	delete(h.followers, f)
	h.mu.Unlock()
	h.tune(everyPartition()...)
}

func everyPartition() (all []eventlog.Partition) {
	for p := range eventlog.Partition(eventlog.Partitions) {
		all = append(all, p)
	}
	return all
}

// tune has the marks of partitions read exactly while somebody follows and this node does not own them:
// what it owns it hears of from its own appends. It is called after every change of either.
func (h *hub) tune(partitions ...eventlog.Partition) {
	h.tuning.Lock()
	defer h.tuning.Unlock()
	var added, dropped []*tail
	h.mu.Lock()
	for _, p := range partitions {
		wanted := len(h.followers) > 0 && h.log.owners.any(p) == nil
		switch t := h.tails[p]; {
		case wanted && t == nil:
			h.tails[p] = h.newTail(p)
			added = append(added, h.tails[p])
		case !wanted && t != nil:
			h.tails[p] = nil
			dropped = append(dropped, t)
		}
	}
	h.mu.Unlock()
	h.marks.add(added...)
	for _, t := range dropped {
		h.marks.drop(t)
	}
}

func (h *hub) newTail(p eventlog.Partition) *tail {
	return &tail{
		key: h.log.keys[p].mark, wants: func() bool { return true },
		deliver: func(entries []redis.XMessage) { h.marked(p, entries[len(entries)-1]) },
	}
}

// marked takes a mark that another node set.
func (h *hub) marked(p eventlog.Partition, e redis.XMessage) {
	seq, _ := e.Values["seq"].(string)
	hash, _ := e.Values["hash"].(string)
	out, _ := e.Values["out"].(string)
	head, err := parseHead(seq, hash)
	if err == nil {
		err = h.notice(p, head, out)
	}
	if err != nil {
		h.each(func(f *follower) { f.fail(err) })
	}
}

// notice tells the followers up to where the partition is durable.
func (h *hub) notice(p eventlog.Partition, head eventlog.Head, out string) error {
	at, err := parseID(out)
	if err != nil {
		return err
	}
	h.each(func(f *follower) { f.notice(p, place{head, at}) })
	return nil
}

// appended gives the followers a batch that this node made durable.
func (h *hub) appended(b *eventlog.Batch, end eventlog.Head, before, after string) error {
	from, err := parseID(before)
	if err != nil {
		return err
	}
	to, err := parseID(after)
	if err != nil {
		return err
	}
	h.each(func(f *follower) { f.append(local{b, place{b.Head, from}, place{end, to}}) })
	return nil
}

// verify compares what the log holds with what the followers know, every second: a tail may be lost,
// or a mark may have been missed. After a failure it does not wait so long: until it succeeds the node
// grows stale.
func (h *hub) verify() {
	most := h.log.cfg.limits
	for pause := most.verify; ; {
		select {
		case <-time.After(pause):
			err := h.compare(h.log.ctx)
			if err == nil {
				err = h.log.measure(h.log.ctx)
			}
			h.log.state.set(source{concern: reading}, err)
			if pause = most.verify; err != nil {
				pause = min(pause, most.beat)
			}
		case <-h.log.ctx.Done():
			return
		}
	}
}

func (h *hub) compare(ctx context.Context) error {
	known := make(map[*follower]eventlog.Positions) // of before asking: what is delivered meanwhile is not lost
	h.each(func(f *follower) { known[f] = f.delivered() })
	asked := time.Now()
	stored, err := h.log.places(ctx)
	if err != nil {
		return err
	}
	h.log.state.set(source{concern: history}, missing(&stored))
	for f, heads := range known {
		f.compare(heads, &stored, asked)
	}
	return nil
}

// missing returns errGone with the numbers of the partitions that the server does not have.
func missing(all *[eventlog.Partitions]stored) error {
	var gone []int
	for p := range all {
		if !all[p].made {
			gone = append(gone, p)
		}
	}
	switch len(gone) {
	case 0:
		return nil
	case eventlog.Partitions:
		return errGone
	}
	return fmt.Errorf("%w: partitions %d", errGone, gone)
}

// stored is what the log says about a partition.
type stored struct {
	place                         // up to where it is durable
	end   eventlog.Head           // of its chain: with Replicated, and after a failover, it can be further
	made  bool                    // it exists at all
	loss  *eventlog.LostTailError // reported and not accepted
}

// lost returns an error unless what is stored can be the continuation of a known head.
func (s *stored) lost(p eventlog.Partition, known eventlog.Head) *eventlog.LostTailError {
	if known.Seq > s.end.Seq || known.Seq == s.end.Seq && known != s.end {
		return &eventlog.LostTailError{Partition: p, Known: known, Stored: s.end}
	}
	return nil
}

// places reads the ends of every partition.
func (l *Log) places(ctx context.Context) (all [eventlog.Partitions]stored, err error) {
	got, err := l.metas(ctx, append(l.headFields(), "format", "lost", "seq", "hash")...)
	if err != nil {
		return all, err
	}
	var faults []error
	for p, fields := range got {
		s := &all[p]
		var errs [4]error
		s.head, errs[0] = parseHead(fields[0], fields[1])
		if fields[2] != "" {
			s.out, errs[1] = parseID(fields[2])
		}
		s.made = fields[3] != ""
		if fields[4] != "" {
			s.loss, errs[2] = parseLoss(eventlog.Partition(p), fields[4])
		}
		s.end, errs[3] = parseHead(fields[5], fields[6])
		faults = append(faults, errs[:]...)
	}
	return all, errors.Join(faults...)
}

// Silent returns how old the newest state of the log is that this node's followers have: for how long
// nothing was heard of the server, or not passed on yet. It is 0 while nobody follows.
func (l *Log) Silent() time.Duration {
	var silent time.Duration
	l.hub.each(func(f *follower) { silent = max(silent, f.silent()) })
	return silent
}
