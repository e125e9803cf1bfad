package webhooks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"tandem/domain"
	"tandem/eventlog"
)

// reconcile makes the lanes of a partition those of the webhooks that are there, as long as this node owns it.
func (e *Engine) reconcile(working context.Context, p eventlog.Partition) {
	if !e.cfg.Owner.Owns(p) {
		e.abandon(p)
		return
	}
	records, err := e.load(working, p)
	if err != nil {
		e.cfg.Logger.Warn("deliveries wait: what the lanes have kept cannot be read", "partition", p, "error", err)
		e.retry(p)
		return
	}
	webhooks := e.cfg.Image.WebhooksIn(p)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.loaded[p] = true
	gone := make(map[domain.WebhookRef]*lane, len(e.lanes[p]))
	for ref, l := range e.lanes[p] {
		gone[ref] = l
	}
	for _, w := range webhooks {
		delete(gone, w.Ref)
		if l := e.lanes[p][w.Ref]; l != nil {
			if l.webhook.Swap(w) != w || w.Settings.Digest != "" { // the partner's zone may be another
				e.wake(l, true)
			}
			continue
		}
		e.wake(e.newLane(working, p, w, records[laneKey(w.Ref)]), true)
	}
	for _, l := range gone {
		e.drop(l)
	}
	e.forget(working, p, gone, records)
}

// load returns what the lanes of a partition kept, when it was just taken.
func (e *Engine) load(ctx context.Context, p eventlog.Partition) (map[string]record, error) {
	e.mu.Lock()
	loaded := e.loaded[p]
	e.mu.Unlock()
	if loaded {
		return nil, nil
	}
	entries, err := e.cfg.Log.Scan(ctx, p, lanePrefix)
	if err != nil {
		return nil, err
	}
	records := make(map[string]record, len(entries))
	for _, kv := range entries {
		r := readRecord(kv.Value)
		if r.torn {
			e.cfg.Logger.Error("what was kept of a webhook's deliveries cannot be read; it is disabled", "partition", p, "key", kv.Key)
		}
		records[kv.Key] = r
	}
	return records, nil
}

// newLane begins where the record ends. The lock is held.
func (e *Engine) newLane(working context.Context, p eventlog.Partition, w *domain.Webhook, r record) *lane {
	r.rested(e.cfg.Now())
	l := &lane{engine: e, ref: w.Ref, p: p, rec: r, torn: r.torn}
	l.suspect.Store(r.Failures > 0)
	l.webhook.Store(w)
	l.ctx, l.end = context.WithCancel(working)
	e.lanes[p][w.Ref] = l
	e.count.Add(1)
	if e.partners[w.Ref.Partner] == nil {
		e.partners[w.Ref.Partner] = map[*lane]struct{}{}
	}
	e.partners[w.Ref.Partner][l] = struct{}{}
	return l
}

// drop ends a lane. The lock is held.
func (e *Engine) drop(l *lane) {
	l.end()
	l.gone = true
	e.unset(l)
	delete(e.lanes[l.p], l.ref)
	e.count.Add(-1)
	delete(e.dirty[l.p], l)
	delete(e.partners[l.ref.Partner], l)
	if len(e.partners[l.ref.Partner]) == 0 {
		delete(e.partners, l.ref.Partner)
	}
}

// abandon ends the lanes of a partition that this node does not own.
func (e *Engine) abandon(p eventlog.Partition) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.loaded[p] = false
	for _, l := range e.lanes[p] {
		e.drop(l)
	}
}

// retry looks at a partition again in a moment.
func (e *Engine) retry(p eventlog.Partition) {
	time.AfterFunc(time.Second, func() {
		e.newsMu.Lock()
		e.news.directories[p] = true
		e.newsMu.Unlock()
		signal(e.told)
	})
}

// forget removes what was kept for webhooks that are removed.
func (e *Engine) forget(working context.Context, p eventlog.Partition, gone map[domain.WebhookRef]*lane, records map[string]record) {
	var refs []domain.WebhookRef
	for ref := range gone {
		refs = append(refs, ref)
	}
	for key := range records {
		partner, id, _ := strings.Cut(strings.TrimPrefix(key, lanePrefix), "/")
		if ref := (domain.WebhookRef{Partner: domain.PartnerID(partner), Webhook: domain.WebhookID(id)}); e.lanes[p][ref] == nil {
			refs = append(refs, ref)
		}
	}
	if len(refs) == 0 || e.stopping() {
		return
	}
	e.turns.Go(func() {
		for _, ref := range refs {
			if err := e.erase(working, p, ref); err != nil && !errors.Is(err, context.Canceled) {
				e.cfg.Logger.Warn("what was kept for a removed webhook stays until the next start", "webhook", ref.Webhook, "error", err)
			}
		}
	})
}

func (e *Engine) erase(ctx context.Context, p eventlog.Partition, ref domain.WebhookRef) error {
	entries, err := e.cfg.Log.Scan(ctx, p, attemptPrefix(ref))
	if err != nil {
		return err
	}
	puts := []eventlog.KV{{Key: laneKey(ref)}}
	for _, kv := range entries {
		puts = append(puts, eventlog.KV{Key: kv.Key})
	}
	return e.cfg.Owner.Keep(ctx, p, puts)
}

// changed notes that a lane has something to keep.
func (e *Engine) changed(l *lane) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !l.gone {
		e.dirty[l.p][l] = struct{}{}
		signal(e.keeps)
	}
}

// keepUp keeps what has changed: at once after a quiet time, and then every moment, so that a busy time costs few
// appends. At the end it keeps the rest.
func (e *Engine) keepUp(ctx context.Context, end <-chan struct{}) {
	for {
		select {
		case <-e.keeps:
			e.keepAll(ctx, false)
		case <-end:
			e.keepAll(context.WithoutCancel(ctx), true)
			return
		}
		select {
		case <-time.After(e.cfg.KeepEvery):
		case <-end:
			e.keepAll(context.WithoutCancel(ctx), true)
			return
		}
	}
}

// attemptsEvery is the least time between two keepings of the delivery log, of which a busy lane keeps the end.
const attemptsEvery = 20 // times KeepEvery

// lanesAtOnce is how many lanes one append takes along at most.
const lanesAtOnce = 64

func (e *Engine) keepAll(ctx context.Context, last bool) {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.Drain)
	defer cancel()
	attempts := last || time.Since(e.attemptsKept) >= attemptsEvery*e.cfg.KeepEvery
	if attempts {
		e.attemptsKept = time.Now()
	}
	for p := range e.dirty {
		e.mu.Lock()
		var lanes []*lane
		for l := range e.dirty[p] {
			lanes = append(lanes, l)
		}
		clear(e.dirty[p])
		e.mu.Unlock()
		for some := range slices.Chunk(lanes, lanesAtOnce) {
			e.keep(ctx, eventlog.Partition(p), some, attempts)
		}
	}
}

// keep stores what lanes must not forget. When that fails it is tried again with the next keeping; who lost the
// partition has no lanes then.
func (e *Engine) keep(ctx context.Context, p eventlog.Partition, lanes []*lane, attempts bool) {
	var puts []eventlog.KV
	taken := make([]map[int]Attempt, len(lanes))
	for n, l := range lanes {
		var own []eventlog.KV
		var rest bool
		own, taken[n], rest = l.puts(attempts)
		if puts = append(puts, own...); rest {
			e.changed(l)
		}
	}
	if len(puts) == 0 {
		return
	}
	err := e.cfg.Owner.Keep(ctx, p, puts)
	if err == nil {
		return
	}
	for n, l := range lanes {
		l.restore(taken[n])
		e.changed(l)
	}
	if e.cfg.Owner.Owns(p) && ctx.Err() == nil {
		e.cfg.Logger.Warn("cursors of webhooks could not be kept; it is tried again", "partition", p, "error", err)
	}
}

// puts returns what to keep of a lane, the attempts in it, and whether attempts are left for later.
func (l *lane) puts(attempts bool) (puts []eventlog.KV, taken map[int]Attempt, rest bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	value, err := json.Marshal(&l.rec)
	if err != nil {
		panic(err) // strings, numbers and times always marshal
	}
	if !bytes.Equal(value, l.kept) {
		l.kept = value
		puts = append(puts, eventlog.KV{Key: laneKey(l.ref), Value: value})
	}
	if !attempts {
		return puts, nil, len(l.unkept) > 0
	}
	for _, a := range l.unkept {
		puts = append(puts, a.put(l.ref)) // a is a copy
	}
	taken, l.unkept = l.unkept, nil
	return puts, taken, false
}

// restore takes attempts back that could not be kept, unless later ones took their places.
func (l *lane) restore(taken map[int]Attempt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept = nil
	for slot, a := range taken {
		if _, later := l.unkept[slot]; !later {
			if l.unkept == nil {
				l.unkept = map[int]Attempt{}
			}
			l.unkept[slot] = a
		}
	}
}

// LaneState is how one lane of this node stands.
type LaneState struct {
	Ref      domain.WebhookRef
	Format   string
	Disabled bool
	Standing
}

// Lanes returns how the lanes of this node stand, by partner and webhook.
func (e *Engine) Lanes() []LaneState {
	e.mu.Lock()
	var lanes []*lane
	for p := range e.lanes {
		for _, l := range e.lanes[p] {
			lanes = append(lanes, l)
		}
	}
	e.mu.Unlock()
	states := make([]LaneState, len(lanes))
	for n, l := range lanes {
		w := l.webhook.Load()
		l.mu.Lock()
		states[n] = LaneState{l.ref, w.Settings.Format, w.Disabled != "", l.rec.standing(e.cfg.Image, w)}
		l.mu.Unlock()
	}
	slices.SortFunc(states, func(a, b LaneState) int {
		return strings.Compare(laneKey(a.Ref), laneKey(b.Ref))
	})
	return states
}
