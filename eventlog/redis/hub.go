package redis

import (
	"context"
	"errors"
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
	var others []eventlog.Partition
	for p := range eventlog.Partition(eventlog.Partitions) {
		if !h.log.owners.owns(p) {
			others = append(others, p)
		}
	}
	h.watch(others...)
}

func (h *hub) leave(f *follower) {
	h.mu.Lock()
	delete(h.followers, f)
	h.mu.Unlock()
}

// watch reads the marks of partitions that this node does not own, if anybody follows.
func (h *hub) watch(partitions ...eventlog.Partition) {
	var added []*tail
	h.mu.Lock()
	for _, p := range partitions {
		if h.tails[p] != nil || len(h.followers) == 0 {
			continue
		}
		h.tails[p] = &tail{
			key: h.log.keys[p].mark, wants: func() bool { return true },
			deliver: func(entries []redis.XMessage) { h.marked(p, entries[len(entries)-1]) },
		}
		added = append(added, h.tails[p])
	}
	h.mu.Unlock()
	h.marks.add(added...)
}

// unwatch stops reading the marks of a partition that this node owns now.
func (h *hub) unwatch(p eventlog.Partition) {
	h.mu.Lock()
	t := h.tails[p]
	h.tails[p] = nil
	h.mu.Unlock()
	if t != nil {
		h.marks.drop(t)
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
// or a mark may have been missed.
func (h *hub) verify() {
	ticks := time.NewTicker(h.log.cfg.limits.verify)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			err := h.compare(h.log.ctx)
			if err == nil {
				err = h.log.measure(h.log.ctx)
			}
			if err != nil && h.log.ctx.Err() == nil {
				h.log.state.set(err)
			}
		case <-h.log.ctx.Done():
			return
		}
	}
}

func (h *hub) compare(ctx context.Context) error {
	known := make(map[*follower]eventlog.Positions) // of before asking: what is delivered meanwhile is not lost
	h.each(func(f *follower) { known[f] = f.delivered() })
	if len(known) == 0 {
		return nil
	}
	asked := time.Now()
	stored, err := h.log.places(ctx)
	if err != nil {
		return err
	}
	for f, heads := range known {
		f.compare(heads, &stored, asked)
	}
	for p := range stored {
		if !stored[p].made {
			return errGone
		}
	}
	return nil
}

// stored is what the log says about a partition.
type stored struct {
	place
	made bool                    // it exists at all
	loss *eventlog.LostTailError // reported and not accepted
}

// places reads the durable end of every partition.
func (l *Log) places(ctx context.Context) (all [eventlog.Partitions]stored, err error) {
	got, err := l.metas(ctx, append(l.headFields(), "format", "lost")...)
	if err != nil {
		return all, err
	}
	var faults []error
	for p, fields := range got {
		s := &all[p]
		var errs [3]error
		s.head, errs[0] = parseHead(fields[0], fields[1])
		if fields[2] != "" {
			s.out, errs[1] = parseID(fields[2])
		}
		s.made = fields[3] != ""
		if fields[4] != "" {
			s.loss, errs[2] = parseLoss(eventlog.Partition(p), fields[4])
		}
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
