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
	cfg         Config
	addr        address
	name        string // of the log, as stored
	keys        [eventlog.Partitions]partitionKeys
	scripts     scripts
	client      redis.UniversalClient // for writing, and for reading what is there
	tailing     redis.UniversalClient // for reading what comes
	checks      serverChecks
	pipe        *writePipe
	commands    *commandQueue
	coordinator *coordinator
	feed        *durableFeed
	eraser      *eraser
	health      healthState
	memory      atomic.Pointer[memoryPressure]

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
	log := &Log{cfg: cfg, addr: addr, keys: allKeys(), scripts: newScripts()}
	log.ctx, log.end = context.WithCancel(context.Background())
	log.health.notify = log.logHealthChange
	log.checks = serverChecks{log: log, passed: make(map[string]bool)}
	redis.SetLogger(clientLogger{cfg.Logger})
	log.client = addr.dial(connections, pipelineBuffer, log.checks.onConnect)
	if err := log.prepareServers(ctx); err != nil {
		log.end()
		return nil, errors.Join(fmt.Errorf("open the log at %s: %w", addr.display, explain(err)), log.client.Close())
	}
	log.tailing = addr.dial(tailConnections, 0, nil)
	log.pipe = newWritePipe(log.client, cfg, log.onPipelineResult)
	log.commands = newCommandQueue(log)
	log.feed = newDurableFeed(log)
	log.coordinator = newCoordinator(log)
	log.eraser = newEraser(log)
	log.loops.Go(log.probeWrites)
	log.loops.Go(log.eraser.run)
	return log, nil
}

// How many connections there may be to one server. A tailer has one, and needs another for a moment; on a
// cluster there are two tailers for each partition.
const (
	connections     = 16
	tailConnections = 2*eventlog.Partitions + 16

	pipelineBuffer = 128 << 10 // what go-redis gives to pipelines that have a pool of their own
)

// prepareServers checks the servers and makes what is missing.
func (l *Log) prepareServers(ctx context.Context) error {
	if err := l.checkServers(ctx); err != nil {
		return err
	}
	return l.create(ctx)
}

// onPipelineResult takes how a pipeline to a server went.
func (l *Log) onPipelineResult(client *redis.Client, err error) {
	source := faultSource{concern: concernWrites}
	if l.addr.cluster != nil {
		source.server = client.Options().Addr
	}
	l.health.set(source, err)
}

// logHealthChange logs that the server began to refuse, or takes things again.
func (l *Log) logHealthChange(fault error, lasted time.Duration) {
	if l.ctx.Err() != nil {
		return
	}
	if fault != nil {
		l.cfg.Logger.Warn("the log's server cannot be used; it is tried again", "server", l.addr.display, "error", fault)
		return
	}
	l.cfg.Logger.Info("the log's server works again", "server", l.addr.display, "after", lasted.Round(time.Millisecond))
}

// Capabilities returns those of a log that many nodes share and whose command queue survives them.
func (l *Log) Capabilities() eventlog.Capabilities {
	return eventlog.Capabilities{Shared: true, DurableQueue: true}
}

// Health returns nil while the server takes appends, as far as the last one, or the last sign of life,
// tells.
func (l *Log) Health() error {
	if l.ctx.Err() != nil {
		return errClosed()
	}
	if err := l.health.current(); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}

// closeTimeout is how long Close waits until the other nodes may take over.
const closeTimeout = time.Second

// Close ends every lease, every follower and whoever waits, and writes what is queued. They get
// eventlog.ErrStopped. The partitions are given up behind the last write, so that other nodes take them at
// once.
func (l *Log) Close() error {
	l.closing.Do(func() {
		l.end()
		had := l.coordinator.stop()
		l.pipe.close()
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		_ = l.coordinator.release(ctx, had, true) // if it fails, they run out
		l.commands.close()
		l.feed.close()
		l.closed = l.tailing.Close() // ends the reads under way
		l.loops.Wait()
		l.closed = errors.Join(l.closed, l.client.Close())
	})
	return l.closed
}

// checkOpen returns an error when a caller with this context can get no answer.
func (l *Log) checkOpen(ctx context.Context) error {
	if l.ctx.Err() != nil {
		return errClosed()
	}
	return ctx.Err()
}

// eval runs a script on the server of a key, outside the pipe.
func (l *Log) eval(ctx context.Context, script *luaScript, key string, keys []string, args ...any) *redis.Cmd {
	client, err := serverOf(ctx, l.client, key)
	if err != nil {
		cmd := redis.NewCmd(ctx)
		cmd.SetErr(err)
		return cmd
	}
	cmd := client.Do(ctx, script.command(keys, args...)...)
	if hasCode(cmd.Err(), "NOSCRIPT") {
		if err := script.load(ctx, client); err == nil {
			cmd = client.Do(ctx, script.command(keys, args...)...)
		}
	}
	return cmd
}
