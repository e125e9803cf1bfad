package bus

import (
	"sync"

	"tandem/eventlog"
)

// waitKey identifies the outcome that a caller waits for. It includes the fingerprint because a
// different request can use the same key at the same time and must not get this one's outcome.
type waitKey struct {
	id          eventlog.CommandID
	fingerprint eventlog.Fingerprint
}

// waiter is a caller that waits for its outcome.
type waiter struct {
	key  waitKey
	call callID
	done chan Result // buffered; receives at most one result
}

// waiters is the set of waiting callers.
type waiters struct {
	mu    sync.Mutex
	byKey map[waitKey][]*waiter
}

func newWaiters() *waiters { return &waiters{byKey: make(map[waitKey][]*waiter)} }

func (ws *waiters) add(key waitKey, call callID) *waiter {
	caller := &waiter{key: key, call: call, done: make(chan Result, 1)}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.byKey[key] = append(ws.byKey[key], caller)
	return caller
}

// remove removes a waiter. It has no effect on a completed one.
func (ws *waiters) remove(caller *waiter) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	rest := ws.byKey[caller.key]
	for i, other := range rest {
		if other == caller {
			rest = append(rest[:i:i], rest[i+1:]...)
			break
		}
	}
	if len(rest) == 0 {
		delete(ws.byKey, caller.key)
		return
	}
	ws.byKey[caller.key] = rest
}

// complete hands the result to the waiter of a call, or to all with the key if call is zero.
func (ws *waiters) complete(key waitKey, call callID, result Result) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	var others []*waiter
	for _, caller := range ws.byKey[key] {
		if call != (callID{}) && caller.call != call {
			others = append(others, caller)
			continue
		}
		caller.done <- result
	}
	if len(others) > 0 {
		ws.byKey[key] = others
		return
	}
	delete(ws.byKey, key)
}

// maxRecent is the capacity of recentResults.
const maxRecent = 1 << 14

// recentResults stores the results of the latest commands.
type recentResults struct {
	mu   sync.Mutex
	ring [maxRecent]eventlog.CommandID // in the order of their results
	next int                           // index in ring of the id to replace next
	byID map[eventlog.CommandID]Result
}

func newRecentResults() *recentResults {
	return &recentResults{byID: make(map[eventlog.CommandID]Result, maxRecent)}
}

func (r *recentResults) add(id eventlog.CommandID, result Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if first, known := r.byID[id]; known {
		if first.Rejection != nil && !result.Repeat {
			r.byID[id] = result // a retry after a refusal without a receipt
		}
		return
	}
	delete(r.byID, r.ring[r.next])
	r.ring[r.next] = id
	r.next = (r.next + 1) % maxRecent
	r.byID[id] = result
}

func (r *recentResults) get(id eventlog.CommandID) (Result, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	result, ok := r.byID[id]
	return result, ok
}
