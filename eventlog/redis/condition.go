package redis

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// concern is a part of what the log needs of its servers and its machine.
type concern int

const (
	history concern = iota // the partitions are there
	timing                 // the node's clock
	writing                // what is written is taken
	reading
	beating // signs of life
)

// source is where a fault was seen. On a cluster one server may refuse what another takes.
type source struct {
	concern concern
	server  string // "" when there is one
}

// condition is whether the log can be used. Each source has its say until it says otherwise.
type condition struct {
	notify func(fault error, lasted time.Duration) // of the first fault, and of the end (nil) of all

	mu     sync.Mutex
	faults map[source]error
	since  time.Time
}

func (c *condition) set(s source, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, known := c.faults[s]
	if err == nil && !known {
		return
	}
	before := len(c.faults)
	if err == nil {
		delete(c.faults, s)
	} else {
		if before == 0 {
			c.faults, c.since = make(map[source]error), time.Now()
		}
		c.faults[s] = explain(err)
	}
	c.tell(before)
}

// keep forgets what is known of servers that are no more.
func (c *condition) keep(servers []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := len(c.faults)
	for s := range c.faults {
		if s.server != "" && !slices.Contains(servers, s.server) {
			delete(c.faults, s)
		}
	}
	c.tell(before)
}

// tell needs c.mu. It is given how many faults there were before a change.
func (c *condition) tell(before int) {
	switch now := len(c.faults); {
	case before == 0 && now > 0:
		c.notify(c.worst(), 0)
	case before > 0 && now == 0:
		c.notify(nil, time.Since(c.since))
	}
}

// has reports whether any source of the concern tells of a fault.
func (c *condition) has(what concern) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for s := range c.faults {
		if s.concern == what {
			return true
		}
	}
	return false
}

func (c *condition) get() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.worst()
}

// worst needs c.mu.
func (c *condition) worst() error {
	var first source
	var fault error
	for s, err := range c.faults {
		if fault == nil || cmp.Or(cmp.Compare(s.concern, first.concern), cmp.Compare(s.server, first.server)) < 0 {
			first, fault = s, err
		}
	}
	return fault
}
