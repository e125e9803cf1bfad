package redis

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// concern is a requirement of the log that can fail. The order is that of importance.
type concern int

const (
	concernHistory concern = iota // the partitions exist
	concernClock                  // the node's clock is right
	concernWrites                 // the server accepts writes
	concernReads
	concernHeartbeat // heartbeats succeed
)

// faultSource is the origin of a fault. On a cluster one server may refuse writes while another accepts them.
type faultSource struct {
	concern concern
	server  string // "" for a single server
}

// healthState is the set of present faults. A fault lasts until its source reports success.
type healthState struct {
	notify func(fault error, lasted time.Duration) // called for the first fault, and with nil when the last one ends

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

// retainServers removes the faults of servers that no longer exist.
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

// notifyChange calls notify if the number of faults changed from or to zero. The caller holds c.mu.
func (c *healthState) notifyChange(before int) {
	switch now := len(c.faults); {
	case before == 0 && now > 0:
		c.notify(c.worst(), 0)
	case before > 0 && now == 0:
		c.notify(nil, time.Since(c.since))
	}
}

// hasFault reports whether the concern has a fault.
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

// worst returns the fault of the most important concern. The caller holds c.mu.
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
