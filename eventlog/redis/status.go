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
	err := l.usages(ctx, func(_ string, u usage) { s.Bytes, s.Limit = s.Bytes+u.used, s.Limit+u.limit })
	if err != nil {
		return s, explain(err)
	}
	if s.Nodes, _, err = l.alive(ctx); err != nil {
		return s, explain(err)
	}
	return s, explain(l.describe(ctx, &s))
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

// measure looks at how full the fullest server is, and which servers there are.
func (l *Log) measure(ctx context.Context) error {
	var fullest usage
	var names []string
	err := l.usages(ctx, func(name string, u usage) {
		names = append(names, name)
		if u.share() >= fullest.share() {
			fullest = u
		}
	})
	if err != nil {
		return err
	}
	l.state.keep(names)
	state := fullness{warned: fullest.share() >= warnFrom}
	if fullest.share() >= refuseFrom {
		state.err = fmt.Errorf("the log's server uses %.0f %% of its memory limit of %d MB: raise maxmemory", 100*fullest.share(), fullest.limit>>20)
	}
	if before := l.full.Swap(&state); state.warned && (before == nil || !before.warned) {
		l.cfg.Logger.Warn("the log's server runs short of memory", "used_mb", fullest.used>>20, "limit_mb", fullest.limit>>20)
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

// usage is what a server uses of its memory; the limit is 0 if it has none.
type usage struct{ used, limit uint64 }

func (u usage) share() float64 {
	if u.limit == 0 {
		return 0
	}
	return float64(u.used) / float64(u.limit)
}

// usages calls f for every server of the log.
func (l *Log) usages(ctx context.Context, f func(name string, u usage)) error {
	return masters(ctx, l.client, func(ctx context.Context, name string, c *redis.Client) error {
		info, err := c.InfoMap(ctx, "memory").Result()
		if err != nil {
			return err
		}
		used, _ := strconv.ParseUint(info["Memory"]["used_memory"], 10, 64)
		limit, _ := strconv.ParseUint(info["Memory"]["maxmemory"], 10, 64)
		f(name, usage{used, limit})
		return nil
	})
}
