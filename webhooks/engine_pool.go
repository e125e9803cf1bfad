package webhooks

import (
	"container/heap"
	"time"
)

// pool runs the turns of lanes, in the order in which they were woken, so many at a time.
type pool struct {
	limit, running int
	queue          []*lane
}

// wake gives a lane its turn. New events do not wake one that must wait anyway; with force it looks again. The
// engine's lock is held.
func (e *Engine) wake(l *lane, force bool) {
	switch l.state {
	case running:
		l.again, l.forced = true, l.forced || force
	case waiting:
		if l.deaf && !force {
			return
		}
		e.enqueue(l)
	case idle:
		e.enqueue(l)
	}
}

func (e *Engine) enqueue(l *lane) {
	e.unset(l)
	if l.ctx.Err() != nil || e.stopping() {
		l.state = idle
		return
	}
	p := &e.pool[0]
	if l.suspect.Load() {
		p = &e.pool[1]
	}
	if p.running >= p.limit {
		l.state = queued
		p.queue = append(p.queue, l)
		return
	}
	p.running++
	l.state = running
	e.turns.Add(1)
	go e.work(p, l)
}

// work runs turns until none is queued.
func (e *Engine) work(p *pool, l *lane) {
	defer e.turns.Done()
	for l != nil {
		r := l.turn(l.ctx)
		e.mu.Lock()
		e.finish(l, r)
		l = p.pop()
		e.mu.Unlock()
	}
}

// pop takes the next lane; without one it gives the place back.
func (p *pool) pop() *lane {
	for len(p.queue) > 0 {
		l := p.queue[0]
		p.queue[0] = nil
		if p.queue = p.queue[1:]; l.state == queued {
			l.state = running
			return l
		}
	}
	p.queue = nil
	p.running--
	return nil
}

// finish puts a lane to rest.
func (e *Engine) finish(l *lane, r rest) {
	again := r.again || l.forced || l.again && !r.deaf
	l.again, l.forced, l.deaf = false, false, r.deaf
	switch {
	case again:
		l.state = idle
		e.enqueueLater(l)
	case !r.until.IsZero():
		l.state, l.until = waiting, r.until
		if l.gone {
			return
		}
		heap.Push(&e.timers, l)
		if l.place == 1 {
			signal(e.alarm)
		}
	case r.deaf:
		l.state = waiting
	default:
		l.state = idle
	}
}

// enqueueLater queues a lane behind those that wait already, even where its own worker becomes free.
func (e *Engine) enqueueLater(l *lane) {
	p := &e.pool[0]
	if l.suspect.Load() {
		p = &e.pool[1]
	}
	if len(p.queue) == 0 && p.running < p.limit || l.ctx.Err() != nil || e.stopping() {
		e.enqueue(l)
		return
	}
	l.state = queued
	p.queue = append(p.queue, l)
}

// timers is a heap of the lanes that wait for a time, the earliest first. Every lane is in it once at most.
type timers []*lane

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].until.Before(t[j].until) }
func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].place, t[j].place = i+1, j+1
}

func (t *timers) Push(x any) {
	l := x.(*lane)
	*t = append(*t, l)
	l.place = len(*t)
}

func (t *timers) Pop() any {
	l := (*t)[len(*t)-1]
	(*t)[len(*t)-1] = nil
	*t = (*t)[:len(*t)-1]
	l.place = 0
	return l
}

// unset takes a lane's timer away. The lock is held.
func (e *Engine) unset(l *lane) {
	if l.place > 0 {
		heap.Remove(&e.timers, l.place-1)
	}
}

// untilDue returns how long the first timer has to wait; false if there is none.
func (e *Engine) untilDue() (time.Duration, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.timers) == 0 {
		return 0, false
	}
	return max(e.timers[0].until.Sub(e.cfg.Now()), 0), true
}

// wakeDue wakes the lanes whose time has come.
func (e *Engine) wakeDue() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for now := e.cfg.Now(); len(e.timers) > 0 && !e.timers[0].until.After(now); {
		l := e.timers[0]
		e.unset(l)
		e.wake(l, true)
	}
}
