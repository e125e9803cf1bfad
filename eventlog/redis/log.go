package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"tandem/eventlog"
)

// Log is an eventlog.Log on a Redis server, a Sentinel group or a cluster. Any number of processes
// may have the same log open.
type Log struct {
	cfg     Config
	addr    address
	name    string // of the log, as stored
	keys    [eventlog.Partitions]keys
	scripts scripts
	client  redis.UniversalClient // for reading, and for what happens rarely
	pipe    *pipe
	inbox   *inbox
	owners  *owners
	hub     *hub
	state   condition
	full    atomic.Pointer[fullness]

	ctx     context.Context // ends with Close
	end     context.CancelFunc
	loops   sync.WaitGroup
	closing sync.Once
	closed  error
}

var _ eventlog.Log = (*Log)(nil)

// Open connects to the log and makes it on a server that has none. The server's settings are checked
// first; the error names every one that does not keep the configured promise, and how to mend it. A
// server that cannot be reached is an error.
func Open(ctx context.Context, cfg Config) (*Log, error) {
	if err := errors.Join(cfg.Validate(), ctx.Err()); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	addr, err := parseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	l := &Log{cfg: cfg, addr: addr, keys: allKeys(), scripts: newScripts(), client: addr.dial(16)}
	l.ctx, l.end = context.WithCancel(context.Background())
	l.state.notify = l.told
	if err := l.begin(ctx); err != nil {
		l.end()
		return nil, errors.Join(fmt.Errorf("open the log at %s: %w", addr.place, explain(err)), l.client.Close())
	}
	l.pipe = newPipe(l.client, cfg, l.state.set)
	l.inbox = newInbox(l)
	l.hub = newHub(l)
	l.owners = newOwners(l)
	return l, nil
}

// begin checks the servers and makes what is missing.
func (l *Log) begin(ctx context.Context) error {
	if err := l.checkServers(ctx); err != nil {
		return err
	}
	return l.create(ctx)
}

// told logs that the server began to refuse, or takes things again.
func (l *Log) told(fault error, lasted time.Duration) {
	if fault != nil {
		l.cfg.Logger.Warn("the log's server cannot be used; it is tried again", "server", l.addr.place, "error", fault)
		return
	}
	l.cfg.Logger.Info("the log's server works again", "server", l.addr.place, "after", lasted.Round(time.Millisecond))
}

// Health returns nil while the server takes appends, as far as the last one, or the last sign of life,
// tells.
func (l *Log) Health() error {
	if l.ctx.Err() != nil {
		return errClosed()
	}
	if err := l.state.get(); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}

// Close ends every lease, every follower and whoever waits, and writes what is queued. They get
// eventlog.ErrStopped.
func (l *Log) Close() error {
	l.closing.Do(func() {
		l.owners.close()
		l.end()
		l.pipe.close()
		l.inbox.close()
		l.hub.close()
		l.loops.Wait()
		l.closed = l.client.Close()
	})
	return l.closed
}

// open returns an error when a caller with this context can get no answer.
func (l *Log) open(ctx context.Context) error {
	if l.ctx.Err() != nil {
		return errClosed()
	}
	return ctx.Err()
}

// eval runs a script on the server of a key, outside the pipe.
func (l *Log) eval(ctx context.Context, s *script, key string, keys []string, args ...any) *redis.Cmd {
	c, err := server(ctx, l.client, key)
	if err != nil {
		cmd := redis.NewCmd(ctx)
		cmd.SetErr(err)
		return cmd
	}
	cmd := c.Do(ctx, s.args(keys, args...)...)
	if hasWord(cmd.Err(), "NOSCRIPT") {
		if err := s.load(ctx, c); err == nil {
			cmd = c.Do(ctx, s.args(keys, args...)...)
		}
	}
	return cmd
}
