package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// serverSetting is a required setting of the server.
type serverSetting struct{ name, want, why string }

// diskSettings are required for Disk. See https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/
// and the comments of redis.conf.
var diskSettings = []serverSetting{
	{"appendonly", "yes", "without an append-only file the server loses everything when it ends"},
	{"appendfsync", "always", "with any other value a power loss loses the last second of acknowledged commands"},
	{"no-appendfsync-on-rewrite", "no", "otherwise writes are not synced while the file is rewritten"},
	{"maxmemory-policy", "noeviction", "any other policy deletes history when memory is short"},
}

// replicatedSettings are required for Replicated.
var replicatedSettings = diskSettings[3:]

// serverChecks checks every server before its first write: after Open, after a failover and after a restart.
type serverChecks struct {
	log *Log

	mu     sync.Mutex
	passed map[string]bool // by run id and replication id
}

// unfitServer is the error of a server that fails the checks.
type unfitServer struct {
	faults    string
	temporary bool // it will pass without intervention
}

func (u *unfitServer) Error() string { return u.faults }

// onConnect is the connectHook of writing connections.
func (c *serverChecks) onConnect(ctx context.Context, server *redis.Conn) error {
	info, err := server.InfoMap(ctx, "server", "replication", "memory", "persistence").Result()
	if err != nil {
		return err
	}
	if info["Server"]["redis_mode"] == "sentinel" {
		return nil // the connection only asks it for the master
	}
	id := info["Server"]["run_id"] + " " + info["Replication"]["master_replid"]
	c.mu.Lock()
	passed := c.passed[id]
	c.mu.Unlock()
	if passed {
		return nil
	}
	if err := c.check(ctx, server, info); err != nil {
		return err
	}
	if info["Persistence"]["loading"] == "0" {
		c.mu.Lock()
		c.passed[id] = true
		c.mu.Unlock()
	}
	return nil
}

// check returns an *unfitServer with all failed checks.
func (c *serverChecks) check(ctx context.Context, server *redis.Conn, info map[string]map[string]string) error {
	faults := []error{checkVersion(info), checkRole(info)}
	needed := diskSettings
	if c.log.cfg.Durability == Replicated {
		needed = replicatedSettings
		faults = append(faults, checkWait(ctx, server))
	}
	for _, setting := range needed {
		faults = append(faults, checkSetting(ctx, server, setting, info))
	}
	if err := errors.Join(faults...); err != nil {
		return &unfitServer{faults: err.Error()}
	}
	if c.log.cfg.Durability == Disk && aofIncomplete(info) {
		return &unfitServer{temporary: true, faults: "the server was a replica and is still writing its first append-only file: until it is complete, a crash would lose everything"}
	}
	return nil
}

// aofIncomplete reports whether a promoted server does not have all data on disk. A replica that received a full copy
// of its master rewrites its append-only file in the background; until that is complete, a crash loses the data, even
// with appendfsync always. Later rewrites are harmless.
func aofIncomplete(info map[string]map[string]string) bool {
	was := strings.Trim(info["Replication"]["master_replid2"], "0") != ""
	persistence := info["Persistence"]
	return was && (persistence["aof_rewrite_in_progress"] == "1" || persistence["aof_rewrite_scheduled"] == "1")
}

// checkServers checks every server of the log. It waits for servers that fail temporarily.
func (l *Log) checkServers(ctx context.Context) error {
	patience := time.Now().Add(l.cfg.limits.serverWait)
	for logged := false; ; logged = true {
		var faults []error
		err := eachMaster(ctx, l.client, func(ctx context.Context, name string, client *redis.Client) error {
			faults = append(faults, l.checkServer(ctx, name, client))
			return nil
		})
		if err = errors.Join(append(faults, err)...); !isTemporary(err) || time.Now().After(patience) {
			return err
		}
		if !logged {
			l.cfg.Logger.Warn("waiting for the log's server", "server", l.addr.display, "reason", err)
		}
		select {
		case <-time.After(retryDelay):
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

// isTemporary reports whether all errors in the tree of err are temporary.
func isTemporary(err error) bool {
	if parts, ok := err.(interface{ Unwrap() []error }); ok {
		return !slices.ContainsFunc(parts.Unwrap(), func(part error) bool { return !isTemporary(part) })
	}
	var reason *unfitServer
	return errors.As(err, &reason) && reason.temporary
}

func (l *Log) checkServer(ctx context.Context, name string, client *redis.Client) error {
	info, err := client.InfoMap(ctx, "replication").Result() // connecting has checked the server
	if err != nil {
		if name != "" {
			return fmt.Errorf("%s: %w", name, err)
		}
		return err
	}
	connected, _ := strconv.Atoi(info["Replication"]["connected_slaves"])
	if l.cfg.Durability == Replicated && connected < l.cfg.Replicas {
		l.cfg.Logger.Warn("fewer replicas are connected than an append needs; commands wait", "server", name, "connected", connected, "needed", l.cfg.Replicas)
	}
	return nil
}

// checkVersion requires Redis 7.0: the server completes the second part of stream ids, and refuses scripts before they
// start when memory is short.
func checkVersion(info map[string]map[string]string) error {
	version := info["Server"]["redis_version"]
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err == nil && n < 7 {
		return fmt.Errorf("the server is Redis %s; 7.0 or newer is needed: upgrade it", version)
	}
	return nil
}

func checkRole(info map[string]map[string]string) error {
	replication := info["Replication"]
	if replication["role"] != "slave" {
		return nil
	}
	return fmt.Errorf("the server is a replica of %s:%s: name the master in --redis, or use redis+sentinel://", replication["master_host"], replication["master_port"])
}

// checkWait calls WAIT for no replicas to check the permission.
func checkWait(ctx context.Context, server *redis.Conn) error {
	if err := server.Wait(ctx, 0, time.Millisecond).Err(); err != nil && !hasCode(err, "LOADING") {
		return fmt.Errorf("WAIT is not permitted, but every append needs it: %w", err)
	}
	return nil
}

func checkSetting(ctx context.Context, server *redis.Conn, setting serverSetting, info map[string]map[string]string) error {
	found, err := server.ConfigGet(ctx, setting.name).Result()
	value, known := found[setting.name]
	if err != nil || !known {
		if value, known = info["Memory"][strings.ReplaceAll(setting.name, "-", "_")]; !known {
			reason := "it is missing"
			if err != nil {
				reason = err.Error()
			}
			return fmt.Errorf("%s cannot be read (%s): allow CONFIG GET to this user, or use --redis-durability replicated if the service does not permit it", setting.name, reason)
		}
	}
	if value == setting.want {
		return nil
	}
	return fmt.Errorf("%s is %s, but must be %s: %s. Run redis-cli CONFIG SET %s %s, and set it in redis.conf", setting.name, value, setting.want, setting.why, setting.name, setting.want)
}
