package redis

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// redial is how long go-redis waits between two attempts to connect, after many that failed. Another node may
// notice so much later that a server is back.
const redial = time.Second

// beat gives a sign of life and returns the living nodes. A node whose clock is wrong gives none, so that
// the others share out all partitions without it.
func (o *owners) beat(ctx context.Context) (alive []string, err error) {
	name := o.node
	if !o.compared || o.wrong {
		name = ""
	}
	alive, off, err := o.signal(ctx, name, o.log.cfg.limits.lease)
	if err != nil {
		return nil, err
	}
	o.judge(off)
	switch now := time.Now(); {
	case o.wrong && name != "":
		alive, _, err = o.signal(ctx, o.node, 0)
	case !o.wrong && name == "":
		alive, _, err = o.signal(ctx, o.node, o.log.cfg.limits.lease)
	case !o.wrong && now.Sub(o.last) > o.log.cfg.limits.lease && !o.last.IsZero():
		o.steady = now.Add(o.log.cfg.limits.lease + redial)
	}
	o.last = time.Now()
	return alive, err
}

// judge compares the clocks: what the node records carries its time.
func (o *owners) judge(off time.Duration) {
	var fault error
	if off > o.log.cfg.limits.clockError {
		fault = fmt.Errorf("this node's clock is %s off the server's: it owns nothing until they agree (set it with NTP)", off.Round(time.Millisecond))
	}
	o.compared, o.wrong = true, fault != nil
	o.log.state.set(source{concern: timing}, fault)
}

// alive returns the nodes that have given a sign of life.
func (o *owners) alive(ctx context.Context) ([]string, error) {
	alive, _, err := o.signal(ctx, "", 0)
	return alive, err
}

// signal says how long the named node may be silent from now on (0: it is no more) and returns the
// living ones, and how far the node's clock is from the server's at least.
func (o *owners) signal(ctx context.Context, node string, lease time.Duration) (alive []string, off time.Duration, err error) {
	l := o.log
	sent := l.cfg.Now()
	got, err := l.eval(ctx, l.scripts.beat, nodesKey, []string{nodesKey}, node, lease.Milliseconds()).StringSlice()
	if err != nil {
		return nil, 0, explain(err)
	}
	answered := l.cfg.Now()
	micros, err := strconv.ParseInt(got[0], 10, 64)
	if err != nil {
		return nil, 0, fmt.Errorf("the server's clock: %w", err)
	}
	server := time.UnixMicro(micros)
	if server.Before(sent) {
		off = sent.Sub(server)
	} else if server.After(answered) {
		off = server.Sub(answered)
	}
	alive = got[1:]
	slices.Sort(alive)
	return alive, off, nil
}
