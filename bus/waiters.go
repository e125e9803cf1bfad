package bus

import (
	"sync"

	"tandem/eventlog"
)

// waitKey tells whose outcome a caller waits for. The fingerprint is in it because another request
// may use the same key at the same time, and must not get this one's outcome.
type waitKey struct {
	id          eventlog.CommandID
	fingerprint eventlog.Fingerprint
}

type waiter struct {
	key     waitKey
	attempt attempt
	done    chan Result // buffered, gets at most one
}

// waiters are the callers that wait, by what they wait for.
type waiters struct {
	mu    sync.Mutex
	byKey map[waitKey][]*waiter
}

func newWaiters() *waiters { return &waiters{byKey: make(map[waitKey][]*waiter)} }

func (ws *waiters) add(key waitKey, a attempt) *waiter {
	w := &waiter{key: key, attempt: a, done: make(chan Result, 1)}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.byKey[key] = append(ws.byKey[key], w)
	return w
}

// remove forgets a waiter, whether it got its outcome or not.
func (ws *waiters) remove(w *waiter) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	rest := ws.byKey[w.key]
	for i, other := range rest {
		if other == w {
			rest = append(rest[:i:i], rest[i+1:]...)
			break
		}
	}
	if len(rest) == 0 {
		delete(ws.byKey, w.key)
		return
	}
	ws.byKey[w.key] = rest
}

// complete answers the waiters of an attempt, or all that have the key if the attempt is zero.
func (ws *waiters) complete(key waitKey, a attempt, result Result) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	var others []*waiter
	for _, w := range ws.byKey[key] {
		if a != (attempt{}) && w.attempt != a {
			others = append(others, w)
			continue
		}
		w.done <- result
	}
	if len(others) > 0 {
		ws.byKey[key] = others
		return
	}
	delete(ws.byKey, key)
}

// remembered is how many outcomes recent keeps.
const remembered = 1 << 14

// recent keeps the outcomes of the last commands.
type recent struct {
	mu   sync.Mutex
	ring [remembered]eventlog.CommandID
	next int
	byID map[eventlog.CommandID]Result
}

func newRecent() *recent { return &recent{byID: make(map[eventlog.CommandID]Result, remembered)} }

func (r *recent) add(id eventlog.CommandID, result Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if first, known := r.byID[id]; known {
		if first.Rejection != nil && !result.Repeat {
			r.byID[id] = result // a refusal that was not remembered, and then the command was tried again
		}
		return
	}
	delete(r.byID, r.ring[r.next])
	r.ring[r.next] = id
	r.next = (r.next + 1) % remembered
	r.byID[id] = result
}

func (r *recent) get(id eventlog.CommandID) (Result, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	result, ok := r.byID[id]
	return result, ok
}
