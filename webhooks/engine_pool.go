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
	l.wakeups++
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
		l.state = waiting
		l.wakeups++
		heap.Push(&e.timers, timer{r.until, l, l.wakeups})
		if e.timers[0].lane == l {
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
	l.wakeups++
	l.state = queued
	p.queue = append(p.queue, l)
}

// timer wakes a lane at a time, unless it was woken before.
type timer struct {
	at      time.Time
	lane    *lane
	wakeups int
}

// timers is a heap, the earliest first.
type timers []timer

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].at.Before(t[j].at) }
func (t timers) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }
func (t *timers) Push(x any)        { *t = append(*t, x.(timer)) }
func (t *timers) Pop() any {
	last := (*t)[len(*t)-1]
	*t = (*t)[:len(*t)-1]
	return last
}

// untilDue returns how long the first timer has to wait; false if there is none.
func (e *Engine) untilDue() (time.Duration, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.dropStale()
	if len(e.timers) == 0 {
		return 0, false
	}
	return max(e.timers[0].at.Sub(e.cfg.Now()), 0), true
}

func (e *Engine) dropStale() {
	for len(e.timers) > 0 && e.timers[0].wakeups != e.timers[0].lane.wakeups {
		heap.Pop(&e.timers)
	}
}

// wakeDue wakes the lanes whose time has come.
func (e *Engine) wakeDue() {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.cfg.Now()
	for e.dropStale(); len(e.timers) > 0 && !e.timers[0].at.After(now); e.dropStale() {
		t := heap.Pop(&e.timers).(timer)
		e.wake(t.lane, true)
	}
}
