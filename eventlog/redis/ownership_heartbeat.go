package redis

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// reconnectDelay is the pause of go-redis between attempts to connect after many failures. A node may notice that much
// later that a server is back.
const reconnectDelay = time.Second

// heartbeat sends a heartbeat and returns the living nodes. A node with a wrong clock sends none, so that the others
// share all partitions without it.
func (c *coordinator) heartbeat(ctx context.Context) (alive []string, err error) {
	lease := c.log.cfg.limits.lease
	if !c.clockCompared || c.clockWrong {
		alive, err = c.readAlive(ctx)
	} else {
		alive, err = c.sendHeartbeat(ctx, lease)
	}
	if err != nil {
		return nil, err
	}
	switch here := slices.Contains(alive, c.node); {
	case c.clockWrong && here:
		alive, err = c.sendHeartbeat(ctx, 0)
	case !c.clockWrong && !here:
		alive, err = c.sendHeartbeat(ctx, lease)
	}
	now := time.Now()
	if now.Sub(c.lastHeartbeat) > lease && !c.lastHeartbeat.IsZero() {
		c.noTakeoverUntil = now.Add(lease + reconnectDelay)
	}
	c.lastHeartbeat = now
	return alive, err
}

// sendHeartbeat extends the node's lease (0: ends it) and returns the living nodes.
func (c *coordinator) sendHeartbeat(ctx context.Context, lease time.Duration) (alive []string, err error) {
	log := c.log
	sent := log.cfg.Now()
	got, err := log.eval(ctx, log.scripts.heartbeat, nodesKey, []string{nodesKey}, c.node, lease.Milliseconds()).StringSlice()
	if err != nil {
		return nil, explain(err)
	}
	answered := log.cfg.Now()
	micros, err := strconv.ParseInt(got[0], 10, 64)
	if err != nil {
		return nil, fmt.Errorf("the server's clock: %w", err)
	}
	c.compareClocks(time.UnixMicro(micros), sent, answered)
	slices.Sort(got[1:])
	return got[1:], nil
}

// readAlive returns the living nodes without writing.
func (c *coordinator) readAlive(ctx context.Context) (alive []string, err error) {
	sent := c.log.cfg.Now()
	alive, now, err := c.log.aliveNodes(ctx)
	if err == nil {
		c.compareClocks(now, sent, c.log.cfg.Now())
	}
	return alive, err
}

// compareClocks checks this node's clock, from which commits get their time, against the server's.
func (c *coordinator) compareClocks(server, sent, answered time.Time) {
	off := time.Duration(0) // lower bound of the difference
	if server.Before(sent) {
		off = sent.Sub(server)
	} else if server.After(answered) {
		off = server.Sub(answered)
	}
	var fault error
	if off > c.log.cfg.limits.clockError {
		fault = fmt.Errorf("this node's clock is %s off the server's: it owns no partitions until they agree (synchronise it with NTP)", off.Round(time.Millisecond))
	}
	c.clockCompared, c.clockWrong = true, fault != nil
	c.log.health.set(faultSource{concern: concernClock}, fault)
}

// aliveNodes returns the living nodes and the server's clock. It does not write, so that a server that refuses writes
// answers too.
func (l *Log) aliveNodes(ctx context.Context) (names []string, now time.Time, err error) {
	client, err := serverOf(ctx, l.client, nodesKey)
	if err != nil {
		return nil, now, err
	}
	var clock *redis.TimeCmd
	var nodes *redis.MapStringStringCmd
	_, err = client.Pipelined(ctx, func(pipeline redis.Pipeliner) error {
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
