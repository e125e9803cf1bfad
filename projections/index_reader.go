package projections

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"tandem/domain"
)

// reader is a partner, or the operator, as the one on whose behalf views are rendered: which event indexes
// concern it, and which goroutines wait for a change that it can see.
type reader struct {
	id      domain.PartnerID // empty for the operator
	indexes []*eventIndex    // of the agreements of which it can see, or could see, an event
	changes atomic.Uint64    // increases with every change that it can see

	waitMu  sync.Mutex
	waiters map[string]waiter // by scope
	waiting atomic.Int32      // number of waiters
}

// waiter is a channel to close at the next change within a scope.
type waiter struct {
	changed chan struct{}
	scope   []domain.AgreementID // empty: all agreements
}

// changed returns a channel that is closed at the next change within the scope.
func (r *reader) changed(scope string) <-chan struct{} {
	r.waitMu.Lock()
	defer r.waitMu.Unlock()
	registered, ok := r.waiters[scope]
	if !ok {
		registered = waiter{make(chan struct{}), parseScope(scope)}
		if r.waiters == nil {
			r.waiters = map[string]waiter{}
		}
		r.waiters[scope] = registered
		r.waiting.Add(1)
	}
	return registered.changed
}

// takeWaiters removes the waiters whose scope holds the agreement, all of them if it is empty, and appends
// their channels.
func (r *reader) takeWaiters(channels []chan struct{}, agreement domain.AgreementID) []chan struct{} {
	if r.waiting.Load() == 0 {
		return channels
	}
	r.waitMu.Lock()
	defer r.waitMu.Unlock()
	for scope, waiter := range r.waiters {
		if agreement == "" || len(waiter.scope) == 0 || slices.Contains(waiter.scope, agreement) {
			channels = append(channels, waiter.changed)
			delete(r.waiters, scope)
			r.waiting.Add(-1)
		}
	}
	return channels
}

// parseScope reads the canonical text of a token's agreements.
func parseScope(scope string) []domain.AgreementID {
	if scope == "" {
		return nil
	}
	var ids []domain.AgreementID
	for id := range strings.SplitSeq(scope, ",") {
		ids = append(ids, domain.AgreementID(id))
	}
	return ids
}

// scopeOf returns the canonical text of a token's agreements: sorted, separated by commas.
func scopeOf(agreements []domain.AgreementID) string {
	ids := make([]string, len(agreements))
	for i, id := range agreements {
		ids[i] = string(id)
	}
	slices.Sort(ids)
	return strings.Join(slices.Compact(ids), ",")
}
