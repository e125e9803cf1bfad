package webhooks

import "tandem/domain"

// HasStateStyle reports whether the state of a stored event type has a manner.
func HasStateStyle(stored string) bool {
	_, ok := eventStyles[domain.PublicType(stored)]
	return ok
}

// idle reports whether the engine has handled all entries that it was notified of: no news, turn, flush or erasure is
// pending, and no timer has expired.
func (e *Engine) idle() bool {
	e.newsMu.Lock()
	defer e.newsMu.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.handling || len(e.news.agreements) > 0 || e.flushing || e.erasing > 0 {
		return false
	}
	for partition := range e.lanes {
		if e.news.directories[partition] || len(e.dirty[partition]) > 0 {
			return false
		}
		for _, lane := range e.lanes[partition] {
			if lane.runState == running || lane.runState == queued {
				return false
			}
		}
	}
	return len(e.timers) == 0 || e.timers[0].wakeAt.After(e.cfg.Now())
}
