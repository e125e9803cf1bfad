package redis

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// redial is how long go-redis waits between two attempts to connect, after many that failed. Another node may
// notice so much later that a server is back.
const redial = time.Second

// beat gives a sign of life and returns the living nodes. A node whose clock is wrong gives none, so that
// the others share out all partitions without it.
func (o *owners) beat(ctx context.Context) (alive []string, err error) {
	lease := o.log.cfg.limits.lease
	if !o.compared || o.wrong {
		alive, err = o.look(ctx)
	} else {
		alive, err = o.signal(ctx, lease)
	}
	if err != nil {
		return nil, err
	}
	switch here := slices.Contains(alive, o.node); {
	case o.wrong && here:
		alive, err = o.signal(ctx, 0)
	case !o.wrong && !here:
		alive, err = o.signal(ctx, lease)
	}
	now := time.Now()
	if now.Sub(o.last) > lease && !o.last.IsZero() {
		o.steady = now.Add(lease + redial)
	}
	o.last = now
	return alive, err
}

// signal says how long the node may be silent from now on (0: it is no more) and returns the living ones.
func (o *owners) signal(ctx context.Context, lease time.Duration) (alive []string, err error) {
	l := o.log
	sent := l.cfg.Now()
	got, err := l.eval(ctx, l.scripts.beat, nodesKey, []string{nodesKey}, o.node, lease.Milliseconds()).StringSlice()
	if err != nil {
		return nil, explain(err)
	}
	answered := l.cfg.Now()
	micros, err := strconv.ParseInt(got[0], 10, 64)
	if err != nil {
		return nil, fmt.Errorf("the server's clock: %w", err)
	}
	o.judge(time.UnixMicro(micros), sent, answered)
	slices.Sort(got[1:])
	return got[1:], nil
}

// look returns the living nodes and writes nothing.
func (o *owners) look(ctx context.Context) (alive []string, err error) {
	sent := o.log.cfg.Now()
	alive, now, err := o.log.alive(ctx)
	if err == nil {
		o.judge(now, sent, o.log.cfg.Now())
	}
	return alive, err
}

// judge compares the clocks: what the node records carries its time.
func (o *owners) judge(server, sent, answered time.Time) {
	off := time.Duration(0) // at least
	if server.Before(sent) {
		off = sent.Sub(server)
	} else if server.After(answered) {
		off = server.Sub(answered)
	}
	var fault error
	if off > o.log.cfg.limits.clockError {
		fault = fmt.Errorf("this node's clock is %s off the server's: it owns nothing until they agree (set it with NTP)", off.Round(time.Millisecond))
	}
	o.compared, o.wrong = true, fault != nil
	o.log.state.set(source{concern: timing}, fault)
}

// alive returns the nodes that have given a sign of life, and the server's clock. It writes nothing, so that it
// can be asked of a server that takes nothing.
func (l *Log) alive(ctx context.Context) (names []string, now time.Time, err error) {
	c, err := server(ctx, l.client, nodesKey)
	if err != nil {
		return nil, now, err
	}
	var clock *redis.TimeCmd
	var nodes *redis.MapStringStringCmd
	_, err = c.Pipelined(ctx, func(pipeline redis.Pipeliner) error {
		clock, nodes = pipeline.Time(ctx), pipeline.HGetAll(ctx, nodesKey)
		return nil
	})
	if err != nil {
		return nil, now, explain(err)
	}
	now = clock.Val()
	for name, until := range nodes.Val() {
		if ms, err := strconv.ParseInt(until, 10, 64); err == nil && ms >= now.UnixMilli() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, now, nil
}
