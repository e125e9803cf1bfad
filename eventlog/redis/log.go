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

// Log is an eventlog.Log on a Redis server, behind Sentinel or on a cluster. Any number of processes may have it open.
type Log struct {
	cfg         Config
	addr        address
	name        string // stored name of the log
	keys        [eventlog.Partitions]partitionKeys
	scripts     scripts
	client      redis.UniversalClient // for writes and non-blocking reads
	tailing     redis.UniversalClient // for blocking reads
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

// Open connects to the log, or creates it on a server that has none. It checks the servers first; the error names
// every setting that violates the configured durability, with a remedy. A server that cannot be reached is an error.
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

// Maximum numbers of connections to one server. A tailer uses one, and sometimes a second one; on a cluster each
// partition has two tailers.
const (
	connections     = 16
	tailConnections = 2*eventlog.Partitions + 16

	pipelineBuffer = 128 << 10 // default of go-redis for pipelines with a pool of their own
)

// prepareServers checks the servers and creates missing partitions.
func (l *Log) prepareServers(ctx context.Context) error {
	if err := l.checkServers(ctx); err != nil {
		return err
	}
	return l.create(ctx)
}

// onPipelineResult updates the health after a pipeline.
func (l *Log) onPipelineResult(client *redis.Client, err error) {
	source := faultSource{concern: concernWrites}
	if l.addr.cluster != nil {
		source.server = client.Options().Addr
	}
	l.health.set(source, err)
}

// logHealthChange logs the first fault and the end of all faults.
func (l *Log) logHealthChange(fault error, lasted time.Duration) {
	if l.ctx.Err() != nil {
		return
	}
	if fault != nil {
		l.cfg.Logger.Warn("the log's server is unusable; retrying", "server", l.addr.display, "error", fault)
		return
	}
	l.cfg.Logger.Info("the log's server is usable again", "server", l.addr.display, "after", lasted.Round(time.Millisecond))
}

// Capabilities returns those of a log that many nodes share and whose command queue survives them.
func (l *Log) Capabilities() eventlog.Capabilities {
	return eventlog.Capabilities{Shared: true, DurableQueue: true}
}

// Health returns nil while the server accepts writes, as of the last append or heartbeat.
func (l *Log) Health() error {
	if l.ctx.Err() != nil {
		return errClosed()
	}
	if err := l.health.current(); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}

// closeTimeout limits the release of partitions in Close.
const closeTimeout = time.Second

// Close writes queued commands, ends every lease and all blocked calls, which return eventlog.ErrStopped, and releases
// the partitions after the last write, so that other nodes own them at once.
func (l *Log) Close() error {
	l.closing.Do(func() {
		l.end()
		had := l.coordinator.stop()
		l.pipe.close()
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		_ = l.coordinator.release(ctx, had, true) // after an error the leases expire
		l.commands.close()
		l.feed.close()
		l.closed = l.tailing.Close() // ends the blocking reads
		l.loops.Wait()
		l.closed = errors.Join(l.closed, l.client.Close())
	})
	return l.closed
}

// checkOpen returns an error if the log is closed or ctx has ended.
func (l *Log) checkOpen(ctx context.Context) error {
	if l.ctx.Err() != nil {
		return errClosed()
	}
	return ctx.Err()
}

// eval runs a script on the server of a key, outside the write pipe.
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
