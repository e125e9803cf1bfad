package redis

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"tandem/eventlog"
)

// Status describes the log. Bytes and Limit are of all servers together.
func (l *Log) Status(ctx context.Context) (eventlog.Status, error) {
	s := eventlog.Status{Kind: "redis", Place: l.addr.place, Durability: string(l.cfg.Durability)}
	if err := l.open(ctx); err != nil {
		return s, err
	}
	var err error
	if s.Bytes, s.Limit, err = l.memory(ctx); err != nil {
		return s, explain(err)
	}
	if s.Nodes, err = l.owners.alive(ctx); err != nil {
		return s, explain(err)
	}
	var faults error
	if err := l.describe(ctx, &s); err != nil {
		faults = explain(err)
	}
	return s, faults
}

// describe fills in the partitions.
func (l *Log) describe(ctx context.Context, s *eventlog.Status) error {
	got, err := l.metas(ctx, "seq", "hash", "mseq", "owner", "fence", "epoch", "lost")
	if err != nil {
		return err
	}
	var waiting, letters [eventlog.Partitions]*redis.IntCmd
	var oldest [eventlog.Partitions]*redis.XMessageSliceCmd
	_, err = l.client.Pipelined(ctx, func(pipeline redis.Pipeliner) error {
		for p, k := range l.keys {
			waiting[p], letters[p] = pipeline.XLen(ctx, k.inbox), pipeline.XLen(ctx, k.deadLetters)
			oldest[p] = pipeline.XRangeN(ctx, k.inbox, "-", "+", 1)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for p, fields := range got {
		at := &s.Partitions[p]
		if at.Head, err = parseHead(fields[0], fields[1]); err != nil {
			return err
		}
		at.Durable = at.Head.Seq
		if l.cfg.Durability == Replicated {
			at.Durable, _ = strconv.ParseUint(fields[2], 10, 64) // empty: nothing is
		}
		at.Owner = fields[3]
		at.Fence, _ = strconv.ParseUint(fields[4], 10, 64)
		at.Epoch, _ = strconv.ParseUint(fields[5], 10, 64)
		if fields[6] != "" {
			if at.Loss, err = parseLoss(eventlog.Partition(p), fields[6]); err != nil {
				return err
			}
		}
		at.Waiting, at.DeadLetters = uint64(waiting[p].Val()), uint64(letters[p].Val())
		if first := oldest[p].Val(); len(first) > 0 {
			at.Oldest = time.UnixMilli(int64(offset(first[0])[0])).UTC()
		}
	}
	return nil
}

// Shares of the server's memory limit.
const (
	warnFrom   = 0.7 // of use on, a warning is logged
	refuseFrom = 0.9 // of use on, nothing new is begun, so that what has begun can be finished
)

// measure looks at how full the servers are.
func (l *Log) measure(ctx context.Context) error {
	used, limit, err := l.memory(ctx)
	if err != nil || limit == 0 {
		return err
	}
	share := float64(used) / float64(limit)
	state := fullness{}
	if share >= warnFrom {
		state.warned = true
	}
	if share >= refuseFrom {
		state.err = fmt.Errorf("the log's server uses %.0f %% of its memory limit of %d MB: raise maxmemory", 100*share, limit>>20)
	}
	if before := l.full.Swap(&state); state.warned && (before == nil || !before.warned) {
		l.cfg.Logger.Warn("the log's server runs short of memory", "used_mb", used>>20, "limit_mb", limit>>20)
	}
	return nil
}

// fullness is what the last measuring found.
type fullness struct {
	warned bool
	err    error
}

// Room returns an error while the server is so full that nothing new should begin.
func (l *Log) Room() error {
	if state := l.full.Load(); state != nil {
		return state.err
	}
	return nil
}

// memory returns what the servers use and what they may use; 0 where one has no limit.
func (l *Log) memory(ctx context.Context) (used, limit uint64, err error) {
	add := func(ctx context.Context, c *redis.Client) error {
		info, err := c.InfoMap(ctx, "memory").Result()
		if err != nil {
			return err
		}
		u, _ := strconv.ParseUint(info["Memory"]["used_memory"], 10, 64)
		m, _ := strconv.ParseUint(info["Memory"]["maxmemory"], 10, 64)
		used, limit = used+u, limit+m
		return nil
	}
	cluster, ok := l.client.(*redis.ClusterClient)
	if !ok {
		c, err := server(ctx, l.client, nodesKey)
		if err != nil {
			return 0, 0, err
		}
		err = add(ctx, c)
		return used, limit, err
	}
	one := make(chan struct{}, 1) // the servers are asked side by side
	err = cluster.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
		one <- struct{}{}
		defer func() { <-one }()
		return add(ctx, c)
	})
	return used, limit, err
}
