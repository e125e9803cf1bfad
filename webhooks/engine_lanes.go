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

// reconcile starts and drops lanes so that a partition that this node owns has one lane for each webhook.
func (e *Engine) reconcile(workCtx context.Context, partition eventlog.Partition) {
	if !e.cfg.Owner.Owns(partition) {
		e.dropPartition(partition)
		return
	}
	states, err := e.loadStates(workCtx, partition)
	if err != nil {
		e.cfg.Logger.Warn("cannot read lane states; retrying", "partition", partition, "error", err)
		e.retryReconcile(partition)
		return
	}
	webhooks := e.cfg.ReadModel.WebhooksIn(partition)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.loaded[partition] = true
	removed := make(map[domain.WebhookRef]*lane, len(e.lanes[partition]))
	for ref, lane := range e.lanes[partition] {
		removed[ref] = lane
	}
	for _, webhook := range webhooks {
		delete(removed, webhook.Ref)
		if lane := e.lanes[partition][webhook.Ref]; lane != nil {
			if lane.webhook.Swap(webhook) != webhook || webhook.Settings.Digest != "" { // the partner's time zone may have changed
				e.wake(lane, true)
			}
			continue
		}
		e.wake(e.newLane(workCtx, partition, webhook, states[laneKey(webhook.Ref)]), true)
	}
	for _, lane := range removed {
		e.dropLane(lane)
	}
	e.eraseRemoved(workCtx, partition, removed, states)
}

// loadStates returns the stored lane states of a partition after this node has taken it over, by key; else nil.
func (e *Engine) loadStates(ctx context.Context, partition eventlog.Partition) (map[string]laneState, error) {
	e.mu.Lock()
	loaded := e.loaded[partition]
	e.mu.Unlock()
	if loaded {
		return nil, nil
	}
	entries, err := e.cfg.Log.Scan(ctx, partition, lanePrefix)
	if err != nil {
		return nil, err
	}
	states := make(map[string]laneState, len(entries))
	for _, kv := range entries {
		state := readLaneState(kv.Value)
		if state.unreadable {
			e.cfg.Logger.Error("lane state cannot be decoded; disabling the webhook", "partition", partition, "key", kv.Key)
		}
		states[kv.Key] = state
	}
	return states, nil
}

// newLane adds a lane that continues from a stored state. The engine is locked.
func (e *Engine) newLane(workCtx context.Context, partition eventlog.Partition, webhook *domain.Webhook, state laneState) *lane {
	state.excludeDowntime(e.cfg.Now())
	added := &lane{engine: e, ref: webhook.Ref, partition: partition, state: state, unreadable: state.unreadable}
	added.slowPool.Store(state.ConsecutiveFailures > 0)
	added.webhook.Store(webhook)
	added.ctx, added.cancel = context.WithCancel(workCtx)
	e.lanes[partition][webhook.Ref] = added
	e.laneCount.Add(1)
	if e.lanesOfPartner[webhook.Ref.Partner] == nil {
		e.lanesOfPartner[webhook.Ref.Partner] = map[*lane]struct{}{}
	}
	e.lanesOfPartner[webhook.Ref.Partner][added] = struct{}{}
	return added
}

// dropLane stops a lane. The engine is locked.
func (e *Engine) dropLane(lane *lane) {
	lane.cancel()
	lane.dropped = true
	e.removeTimer(lane)
	delete(e.lanes[lane.partition], lane.ref)
	e.laneCount.Add(-1)
	delete(e.dirty[lane.partition], lane)
	delete(e.lanesOfPartner[lane.ref.Partner], lane)
	if len(e.lanesOfPartner[lane.ref.Partner]) == 0 {
		delete(e.lanesOfPartner, lane.ref.Partner)
	}
}

// dropPartition drops the lanes of a partition that this node does not own.
func (e *Engine) dropPartition(partition eventlog.Partition) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.loaded[partition] = false
	for _, lane := range e.lanes[partition] {
		e.dropLane(lane)
	}
}

// retryReconcile reconciles a partition again in a second.
func (e *Engine) retryReconcile(partition eventlog.Partition) {
	time.AfterFunc(time.Second, func() {
		e.newsMu.Lock()
		e.news.directories[partition] = true
		e.newsMu.Unlock()
		e.newsSignal.Notify()
	})
}

// eraseRemoved erases the stored states and attempts of removed webhooks in the background. The engine is locked.
func (e *Engine) eraseRemoved(workCtx context.Context, partition eventlog.Partition, removed map[domain.WebhookRef]*lane, states map[string]laneState) {
	var refs []domain.WebhookRef
	for ref := range removed {
		refs = append(refs, ref)
	}
	for key := range states {
		partner, id, _ := strings.Cut(strings.TrimPrefix(key, lanePrefix), "/")
		if ref := (domain.WebhookRef{Partner: domain.PartnerID(partner), Webhook: domain.WebhookID(id)}); e.lanes[partition][ref] == nil {
			refs = append(refs, ref)
		}
	}
	if len(refs) == 0 || e.stopping() {
		return
	}
	e.erasing++
	e.turns.Go(func() {
		for _, ref := range refs {
			if err := e.eraseWebhook(workCtx, partition, ref); err != nil && !errors.Is(err, context.Canceled) {
				e.cfg.Logger.Warn("cannot erase the state of a removed webhook; the next start retries", "webhook", ref.Webhook, "error", err)
			}
		}
		e.mu.Lock()
		e.erasing--
		e.mu.Unlock()
	})
}

// eraseWebhook erases the stored state and attempts of a webhook.
func (e *Engine) eraseWebhook(ctx context.Context, partition eventlog.Partition, ref domain.WebhookRef) error {
	entries, err := e.cfg.Log.Scan(ctx, partition, attemptPrefix(ref))
	if err != nil {
		return err
	}
	puts := []eventlog.KV{{Key: laneKey(ref)}}
	for _, kv := range entries {
		puts = append(puts, eventlog.KV{Key: kv.Key})
	}
	return e.cfg.Owner.PutKV(ctx, partition, puts)
}

// markDirty requests a flush of a lane.
func (e *Engine) markDirty(lane *lane) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !lane.dropped {
		e.dirty[lane.partition][lane] = struct{}{}
		e.flushSignal.Notify()
	}
}

// flushLoop flushes dirty lanes at most once per FlushInterval, so that many changes share an append. When end is
// closed, it flushes the rest and returns.
func (e *Engine) flushLoop(ctx context.Context, end <-chan struct{}) {
	for {
		select {
		case <-e.flushSignal:
			e.flushAll(ctx, false)
		case <-end:
			e.flushAll(context.WithoutCancel(ctx), true)
			return
		}
		select {
		case <-time.After(e.cfg.FlushInterval):
		case <-end:
			e.flushAll(context.WithoutCancel(ctx), true)
			return
		}
	}
}

// attemptFlushFactor is the minimum time between two flushes of attempts, in units of FlushInterval. A busy lane
// stores only its latest attempts.
const attemptFlushFactor = 20

// lanesPerFlush limits how many lanes one append contains.
const lanesPerFlush = 64

// flushAll flushes all dirty lanes. The last flush stores all attempts.
func (e *Engine) flushAll(ctx context.Context, last bool) {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.DrainTimeout)
	defer cancel()
	attempts := last || time.Since(e.attemptsFlushedAt) >= attemptFlushFactor*e.cfg.FlushInterval
	if attempts {
		e.attemptsFlushedAt = time.Now()
	}
	e.setFlushing(true)
	defer e.setFlushing(false)
	for partition := range e.dirty {
		e.mu.Lock()
		var lanes []*lane
		for lane := range e.dirty[partition] {
			lanes = append(lanes, lane)
		}
		clear(e.dirty[partition])
		e.mu.Unlock()
		for chunk := range slices.Chunk(lanes, lanesPerFlush) {
			e.flush(ctx, eventlog.Partition(partition), chunk, attempts)
		}
	}
}

func (e *Engine) setFlushing(flushing bool) {
	e.mu.Lock()
	e.flushing = flushing
	e.mu.Unlock()
}

// flush stores the states, and if asked the attempts, of some lanes of a partition. If it fails, the next flush
// retries; a node that has lost the partition has dropped the lanes by then.
func (e *Engine) flush(ctx context.Context, partition eventlog.Partition, lanes []*lane, attempts bool) {
	var puts []eventlog.KV
	takenAttempts := make([]map[int]Attempt, len(lanes))
	for i, lane := range lanes {
		var lanePuts []eventlog.KV
		var attemptsLeft bool
		lanePuts, takenAttempts[i], attemptsLeft = lane.takePuts(attempts)
		if puts = append(puts, lanePuts...); attemptsLeft {
			e.markDirty(lane)
		}
	}
	if len(puts) == 0 {
		return
	}
	err := e.cfg.Owner.PutKV(ctx, partition, puts)
	if err == nil {
		return
	}
	for i, lane := range lanes {
		lane.restoreAttempts(takenAttempts[i])
		e.markDirty(lane)
	}
	if e.cfg.Owner.Owns(partition) && ctx.Err() == nil {
		e.cfg.Logger.Warn("cannot store lane states; retrying", "partition", partition, "error", err)
	}
}

// takePuts returns the entries to store for a lane, the attempts among them, and whether unsaved attempts are left.
func (l *lane) takePuts(attempts bool) (puts []eventlog.KV, taken map[int]Attempt, attemptsLeft bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	value, err := json.Marshal(&l.state)
	if err != nil {
		panic(err) // strings, numbers and times always marshal
	}
	if !bytes.Equal(value, l.savedState) {
		l.savedState = value
		puts = append(puts, eventlog.KV{Key: laneKey(l.ref), Value: value})
	}
	if !attempts {
		return puts, nil, len(l.unsavedAttempts) > 0
	}
	for _, attempt := range l.unsavedAttempts {
		puts = append(puts, attempt.kvEntry(l.ref)) // attempt is a copy
	}
	taken, l.unsavedAttempts = l.unsavedAttempts, nil
	return puts, taken, false
}

// restoreAttempts returns attempts to the lane after a failed flush, except where a later attempt has the same slot.
func (l *lane) restoreAttempts(taken map[int]Attempt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.savedState = nil
	for slot, attempt := range taken {
		if _, later := l.unsavedAttempts[slot]; !later {
			if l.unsavedAttempts == nil {
				l.unsavedAttempts = map[int]Attempt{}
			}
			l.unsavedAttempts[slot] = attempt
		}
	}
}

// LaneStatus is the status of one lane of this node.
type LaneStatus struct {
	Ref      domain.WebhookRef
	Format   string
	Disabled bool
	DeliveryStatus
}

// Lanes returns the status of the lanes of this node, sorted by partner and webhook.
func (e *Engine) Lanes() []LaneStatus {
	e.mu.Lock()
	var lanes []*lane
	for partition := range e.lanes {
		for _, lane := range e.lanes[partition] {
			lanes = append(lanes, lane)
		}
	}
	e.mu.Unlock()
	states := make([]LaneStatus, len(lanes))
	for i, lane := range lanes {
		webhook := lane.webhook.Load()
		lane.mu.Lock()
		states[i] = LaneStatus{lane.ref, webhook.Settings.Format, webhook.DisabledReason != "", lane.state.status(e.cfg.Events, webhook)}
		lane.mu.Unlock()
	}
	slices.SortFunc(states, func(a, b LaneStatus) int {
		return strings.Compare(laneKey(a.Ref), laneKey(b.Ref))
	})
	return states
}
