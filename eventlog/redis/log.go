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
	client  redis.UniversalClient // for writing, and for reading what is there
	tailing redis.UniversalClient // for reading what comes
	checks  checks
	pipe    *pipe
	inbox   *inbox
	owners  *owners
	hub     *hub
	eraser  *eraser
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
	l := &Log{cfg: cfg, addr: addr, keys: allKeys(), scripts: newScripts()}
	l.ctx, l.end = context.WithCancel(context.Background())
	l.state.notify = l.told
	l.checks = checks{log: l, passed: make(map[string]bool)}
	redis.SetLogger(chatter{cfg.Logger})
	l.client = addr.dial(connections, pipelineBuffer, l.checks.greet)
	if err := l.begin(ctx); err != nil {
		l.end()
		return nil, errors.Join(fmt.Errorf("open the log at %s: %w", addr.place, explain(err)), l.client.Close())
	}
	l.tailing = addr.dial(tailConnections, 0, nil)
	l.pipe = newPipe(l.client, cfg, l.wrote)
	l.inbox = newInbox(l)
	l.hub = newHub(l)
	l.owners = newOwners(l)
	l.eraser = newEraser(l)
	l.loops.Go(l.probe)
	l.loops.Go(l.eraser.run)
	return l, nil
}

// How many connections there may be to one server. A tailer has one, and needs another for a moment; on a
// cluster there are two tailers for each partition.
const (
	connections     = 16
	tailConnections = 2*eventlog.Partitions + 16

	pipelineBuffer = 128 << 10 // what go-redis gives to pipelines that have a pool of their own
)

// begin checks the servers and makes what is missing.
func (l *Log) begin(ctx context.Context) error {
	if err := l.checkServers(ctx); err != nil {
		return err
	}
	return l.create(ctx)
}

// wrote takes how a pipeline to a server went.
func (l *Log) wrote(c *redis.Client, err error) {
	s := source{concern: writing}
	if l.addr.cluster != nil {
		s.server = c.Options().Addr
	}
	l.state.set(s, err)
}

// told logs that the server began to refuse, or takes things again.
func (l *Log) told(fault error, lasted time.Duration) {
	if l.ctx.Err() != nil {
		return
	}
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

// farewell is how long Close waits until the other nodes may take over.
const farewell = time.Second

// Close ends every lease, every follower and whoever waits, and writes what is queued. They get
// eventlog.ErrStopped. The partitions are given up behind the last write, so that other nodes take them at
// once.
func (l *Log) Close() error {
	l.closing.Do(func() {
		l.end()
		had := l.owners.stop()
		l.pipe.close()
		ctx, cancel := context.WithTimeout(context.Background(), farewell)
		defer cancel()
		_ = l.owners.release(ctx, had, true) // if it fails, they run out
		l.inbox.close()
		l.hub.close()
		l.closed = l.tailing.Close() // ends the reads under way
		l.loops.Wait()
		l.closed = errors.Join(l.closed, l.client.Close())
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
