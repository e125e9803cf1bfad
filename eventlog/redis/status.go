package redis

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"tandem/eventlog"
)

// Status describes the log. Bytes and BytesLimit are totals of all servers.
func (l *Log) Status(ctx context.Context) (eventlog.Status, error) {
	status := eventlog.Status{Kind: "redis", Location: l.addr.display, Durability: string(l.cfg.Durability)}
	if err := l.checkOpen(ctx); err != nil {
		return status, err
	}
	err := l.eachUsage(ctx, func(_ string, usage memoryUsage) {
		status.Bytes, status.BytesLimit = status.Bytes+usage.used, status.BytesLimit+usage.limit
	})
	if err != nil {
		return status, explain(err)
	}
	if status.Nodes, _, err = l.aliveNodes(ctx); err != nil {
		return status, explain(err)
	}
	return status, explain(l.describePartitions(ctx, &status))
}

// describePartitions fills in the partitions.
func (l *Log) describePartitions(ctx context.Context, status *eventlog.Status) error {
	got, err := l.readMetas(ctx, "seq", "hash", "mseq", "owner", "fence", "epoch", "lost")
	if err != nil {
		return err
	}
	var waiting, letters [eventlog.Partitions]*redis.IntCmd
	var oldest [eventlog.Partitions]*redis.XMessageSliceCmd
	_, err = l.client.Pipelined(ctx, func(pipeline redis.Pipeliner) error {
		for partition, keys := range l.keys {
			waiting[partition], letters[partition] = pipeline.XLen(ctx, keys.commands), pipeline.XLen(ctx, keys.deadLetters)
			oldest[partition] = pipeline.XRangeN(ctx, keys.commands, "-", "+", 1)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for partition, fields := range got {
		at := &status.Partitions[partition]
		if at.Head, err = parseHead(fields[0], fields[1]); err != nil {
			return err
		}
		at.Durable = at.Head.Seq
		if l.cfg.Durability == Replicated {
			at.Durable, _ = strconv.ParseUint(fields[2], 10, 64) // empty before the first durable commit
		}
		at.Owner = fields[3]
		at.Fence, _ = strconv.ParseUint(fields[4], 10, 64)
		at.Epoch, _ = strconv.ParseUint(fields[5], 10, 64)
		if fields[6] != "" {
			if at.OpenLoss, err = parseLoss(eventlog.Partition(partition), fields[6]); err != nil {
				return err
			}
		}
		at.Waiting, at.DeadLetters = uint64(waiting[partition].Val()), uint64(letters[partition].Val())
		if first := oldest[partition].Val(); len(first) > 0 {
			at.OldestWaiting = time.UnixMilli(int64(entryOffset(first[0])[0])).UTC()
		}
	}
	return nil
}

// Shares of the server's memory limit.
const (
	warnShare   = 0.7 // above it a warning is logged
	refuseShare = 0.9 // above it CheckCapacity returns an error, so that existing work can be finished
)

// measureMemory measures the memory of all servers and updates the list of servers.
func (l *Log) measureMemory(ctx context.Context) error {
	var fullest memoryUsage
	var names []string
	err := l.eachUsage(ctx, func(name string, usage memoryUsage) {
		names = append(names, name)
		if usage.share() >= fullest.share() {
			fullest = usage
		}
	})
	if err != nil {
		return err
	}
	l.health.retainServers(names)
	state := memoryPressure{warned: fullest.share() >= warnShare}
	if fullest.share() >= refuseShare {
		state.err = fmt.Errorf("the log's server uses %.0f %% of its memory limit of %d MB: raise maxmemory", 100*fullest.share(), fullest.limit>>20)
	}
	if before := l.memory.Swap(&state); state.warned && (before == nil || !before.warned) {
		l.cfg.Logger.Warn("the log's server is low on memory", "used_mb", fullest.used>>20, "limit_mb", fullest.limit>>20)
	}
	return nil
}

// memoryPressure is the result of the last measurement.
type memoryPressure struct {
	warned bool
	err    error
}

// CheckCapacity returns an error while a server uses more than 90 % of its memory limit.
func (l *Log) CheckCapacity() error {
	if state := l.memory.Load(); state != nil {
		return state.err
	}
	return nil
}

// memoryUsage is the memory of a server. The limit is 0 if it has none.
type memoryUsage struct{ used, limit uint64 }

func (u memoryUsage) share() float64 {
	if u.limit == 0 {
		return 0
	}
	return float64(u.used) / float64(u.limit)
}

// eachUsage calls visit for every server of the log.
func (l *Log) eachUsage(ctx context.Context, visit func(name string, usage memoryUsage)) error {
	return eachMaster(ctx, l.client, func(ctx context.Context, name string, client *redis.Client) error {
		info, err := client.InfoMap(ctx, "memory").Result()
		if err != nil {
			return err
		}
		used, _ := strconv.ParseUint(info["Memory"]["used_memory"], 10, 64)
		limit, _ := strconv.ParseUint(info["Memory"]["maxmemory"], 10, 64)
		visit(name, memoryUsage{used, limit})
		return nil
	})
}
