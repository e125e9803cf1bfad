package webhooks

import (
	"container/heap"
	"time"
)

// pool runs at most limit turns at once, in the order in which the lanes were woken.
type pool struct {
	limit, running int
	queue          []*lane
}

// wake schedules a turn of a lane. Without force it does not wake a lane that ignores news. The engine is locked.
func (e *Engine) wake(lane *lane, force bool) {
	switch lane.runState {
	case running:
		lane.wokenAgain, lane.forceWake = true, lane.forceWake || force
	case waiting:
		if lane.ignoreNews && !force {
			return
		}
		e.enqueue(lane)
	case idle:
		e.enqueue(lane)
	}
}

// enqueue starts a turn of a lane, or queues the lane if its pool is full.
func (e *Engine) enqueue(lane *lane) {
	e.removeTimer(lane)
	if lane.ctx.Err() != nil || e.stopping() {
		lane.runState = idle
		return
	}
	pool := &e.pools[0]
	if lane.slowPool.Load() {
		pool = &e.pools[1]
	}
	if pool.running >= pool.limit {
		lane.runState = queued
		pool.queue = append(pool.queue, lane)
		return
	}
	pool.running++
	lane.runState = running
	e.turns.Add(1)
	go e.runTurns(pool, lane)
}

// runTurns runs the turn of a lane, and then turns of queued lanes until none is left.
func (e *Engine) runTurns(pool *pool, lane *lane) {
	defer e.turns.Done()
	for lane != nil {
		result := lane.turn(lane.ctx)
		e.mu.Lock()
		e.endTurn(lane, result)
		lane = pool.pop()
		e.mu.Unlock()
	}
}

// pop returns the next queued lane, or nil and releases the caller's place in the pool.
func (p *pool) pop() *lane {
	for len(p.queue) > 0 {
		lane := p.queue[0]
		p.queue[0] = nil
		if p.queue = p.queue[1:]; lane.runState == queued {
			lane.runState = running
			return lane
		}
	}
	p.queue = nil
	p.running--
	return nil
}

// endTurn sets the state of a lane after a turn.
func (e *Engine) endTurn(lane *lane, result turnResult) {
	again := result.more || lane.forceWake || lane.wokenAgain && !result.ignoreNews
	lane.wokenAgain, lane.forceWake, lane.ignoreNews = false, false, result.ignoreNews
	switch {
	case again:
		lane.runState = idle
		e.requeue(lane)
	case !result.wakeAt.IsZero():
		lane.runState, lane.wakeAt = waiting, result.wakeAt
		if lane.dropped {
			return
		}
		heap.Push(&e.timers, lane)
		if lane.timerIndex == 1 {
			e.timerSignal.Notify()
		}
	case result.ignoreNews:
		lane.runState = waiting
	default:
		lane.runState = idle
	}
}

// requeue queues a lane behind all waiting lanes, even if its worker is free.
func (e *Engine) requeue(lane *lane) {
	pool := &e.pools[0]
	if lane.slowPool.Load() {
		pool = &e.pools[1]
	}
	if len(pool.queue) == 0 && pool.running < pool.limit || lane.ctx.Err() != nil || e.stopping() {
		e.enqueue(lane)
		return
	}
	lane.runState = queued
	pool.queue = append(pool.queue, lane)
}

// timers is a heap of the lanes that wait for a time, earliest first. It contains each lane at most once.
type timers []*lane

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].wakeAt.Before(t[j].wakeAt) }
func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].timerIndex, t[j].timerIndex = i+1, j+1
}

func (t *timers) Push(item any) {
	lane := item.(*lane)
	*t = append(*t, lane)
	lane.timerIndex = len(*t)
}

func (t *timers) Pop() any {
	lane := (*t)[len(*t)-1]
	(*t)[len(*t)-1] = nil
	*t = (*t)[:len(*t)-1]
	lane.timerIndex = 0
	return lane
}

// removeTimer removes the timer of a lane, if it has one. The engine is locked.
func (e *Engine) removeTimer(lane *lane) {
	if lane.timerIndex > 0 {
		heap.Remove(&e.timers, lane.timerIndex-1)
	}
}

// untilNextTimer returns the time until the first timer; false without timers.
func (e *Engine) untilNextTimer() (time.Duration, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.timers) == 0 {
		return 0, false
	}
	return max(e.timers[0].wakeAt.Sub(e.cfg.Now()), 0), true
}

// wakeDueLanes wakes the lanes whose timers have expired.
func (e *Engine) wakeDueLanes() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for now := e.cfg.Now(); len(e.timers) > 0 && !e.timers[0].wakeAt.After(now); {
		lane := e.timers[0]
		e.removeTimer(lane)
		e.wake(lane, true)
	}
}
