package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// setting is one of the server's settings that a promise rests on.
type setting struct{ name, want, why string }

// onDisk are the settings that Disk needs. See https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/
// and the comments of redis.conf.
var onDisk = []setting{
	{"appendonly", "yes", "without its append-only file the server forgets everything when it ends"},
	{"appendfsync", "always", "with any other value the last second of acknowledged commands is lost with the power"},
	{"no-appendfsync-on-rewrite", "no", "otherwise nothing is synced while the file is rewritten"},
	{"maxmemory-policy", "noeviction", "any other policy throws history away when memory runs short"},
}

// inMemory are those that Replicated needs.
var inMemory = onDisk[3:]

// checkServers looks at every server that holds a part of the log.
func (l *Log) checkServers(ctx context.Context) error {
	cluster, ok := l.client.(*redis.ClusterClient)
	if !ok {
		c, err := server(ctx, l.client, nodesKey)
		if err != nil {
			return err
		}
		return l.checkServer(ctx, c)
	}
	return cluster.ForEachMaster(ctx, l.checkServer)
}

func (l *Log) checkServer(ctx context.Context, c *redis.Client) error {
	info, err := c.InfoMap(ctx, "server", "replication", "memory").Result()
	if err != nil {
		return err
	}
	faults := []error{l.checkVersion(info), l.checkRole(info)}
	needed := onDisk
	if l.cfg.Durability == Replicated {
		needed = inMemory
	}
	for _, s := range needed {
		faults = append(faults, l.checkSetting(ctx, c, s, info))
	}
	return errors.Join(faults...)
}

// checkVersion wants Redis 7.0: stream ids of which the server completes the second part, and scripts
// that are refused before they begin when memory is short.
func (l *Log) checkVersion(info map[string]map[string]string) error {
	version := info["Server"]["redis_version"]
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err == nil && n < 7 {
		return fmt.Errorf("the server is Redis %s; 7.0 or newer is needed: upgrade it", version)
	}
	return nil
}

func (l *Log) checkRole(info map[string]map[string]string) error {
	replication := info["Replication"]
	if replication["role"] == "slave" {
		return fmt.Errorf("the server is a replica of %s:%s: name the master in --redis, or use redis+sentinel://", replication["master_host"], replication["master_port"])
	}
	connected, _ := strconv.Atoi(replication["connected_slaves"])
	if l.cfg.Durability == Replicated && connected < l.cfg.Replicas {
		l.cfg.Logger.Warn("fewer replicas are connected than every append needs; commands wait for them", "connected", connected, "needed", l.cfg.Replicas)
	}
	return nil
}

func (l *Log) checkSetting(ctx context.Context, c *redis.Client, s setting, info map[string]map[string]string) error {
	found, err := c.ConfigGet(ctx, s.name).Result()
	value, known := found[s.name]
	if err != nil || !known {
		if value, known = info["Memory"][strings.ReplaceAll(s.name, "-", "_")]; !known {
			return fmt.Errorf("%s cannot be read (%w): allow CONFIG GET to this user, or use --redis-durability replicated where a service keeps it from you", s.name, errors.Join(err, errors.New("no answer")))
		}
	}
	if value == s.want {
		return nil
	}
	return fmt.Errorf("%s is %s and must be %s: %s. Mend it with: redis-cli CONFIG SET %s %s, and put it into redis.conf", s.name, value, s.want, s.why, s.name, s.want)
}
