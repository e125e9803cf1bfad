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
	concernHistory concern = iota // the partitions are there
	concernClock                  // the node's clock
	concernWrites                 // what is written is taken
	concernReads
	concernHeartbeat // signs of life
)

// faultSource is where a fault was seen. On a cluster one server may refuse what another takes.
type faultSource struct {
	concern concern
	server  string // "" when there is one
}

// healthState is whether the log can be used. Each source has its say until it says otherwise.
type healthState struct {
	notify func(fault error, lasted time.Duration) // of the first fault, and of the end (nil) of all

	mu     sync.Mutex
	faults map[faultSource]error
	since  time.Time
}

func (c *healthState) set(source faultSource, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, known := c.faults[source]
	if err == nil && !known {
		return
	}
	before := len(c.faults)
	if err == nil {
		delete(c.faults, source)
	} else {
		if before == 0 {
			c.faults, c.since = make(map[faultSource]error), time.Now()
		}
		c.faults[source] = explain(err)
	}
	c.notifyChange(before)
}

// retainServers forgets what is known of servers that are no more.
func (c *healthState) retainServers(servers []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := len(c.faults)
	for source := range c.faults {
		if source.server != "" && !slices.Contains(servers, source.server) {
			delete(c.faults, source)
		}
	}
	c.notifyChange(before)
}

// notifyChange needs c.mu. It is given how many faults there were before a change.
func (c *healthState) notifyChange(before int) {
	switch now := len(c.faults); {
	case before == 0 && now > 0:
		c.notify(c.worst(), 0)
	case before > 0 && now == 0:
		c.notify(nil, time.Since(c.since))
	}
}

// hasFault reports whether any source of the concern tells of a fault.
func (c *healthState) hasFault(concern concern) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for source := range c.faults {
		if source.concern == concern {
			return true
		}
	}
	return false
}

func (c *healthState) current() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.worst()
}

// worst needs c.mu.
func (c *healthState) worst() error {
	var first faultSource
	var fault error
	for source, err := range c.faults {
		if fault == nil || cmp.Or(cmp.Compare(source.concern, first.concern), cmp.Compare(source.server, first.server)) < 0 {
			first, fault = source, err
		}
	}
	return fault
}
