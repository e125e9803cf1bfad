package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"tandem/eventlog"
)

// writePipe sends the writes of all partitions. All writes that queue for a server during a pipeline go out together
// in the next one: the server runs them in one turn and syncs its file once. Each server has a queue, so that one that
// hangs does not delay the others.
type writePipe struct {
	client   redis.UniversalClient
	replicas int // number of replicas that must have a write; 0: a reply means that it is durable
	wait     time.Duration
	maxGroup int
	onResult func(*redis.Client, error) // called after every pipeline

	mu     sync.Mutex
	queues map[*redis.Client][]*pendingWrite // of the servers that have a running goroutine
	closed bool
	runs   sync.WaitGroup
}

// pendingWrite is a queued command.
type pendingWrite struct {
	cmd    *redis.Cmd
	script *luaScript // run by cmd; nil: none
	err    error
	done   chan struct{}
}

// errTooFewReplicas: the server ran a write, but not all configured replicas confirmed it in time.
var errTooFewReplicas = errors.New("too few replicas confirmed a write in time")

// While slots of a cluster move, a command may reach the wrong server several times.
const (
	redirections  = 10
	redirectDelay = 20 * time.Millisecond
)

func newWritePipe(client redis.UniversalClient, cfg Config, result func(*redis.Client, error)) *writePipe {
	pipe := &writePipe{
		client: client, wait: cfg.limits.replicaWait, maxGroup: cfg.limits.pipeline, onResult: result,
		queues: make(map[*redis.Client][]*pendingWrite),
	}
	if cfg.Durability == Replicated {
		pipe.replicas = cfg.Replicas
	}
	return pipe
}

// do sends a command to the server that holds the key and waits for the reply. When ctx ends first, the server may
// still run it.
func (p *writePipe) do(ctx context.Context, key string, script *luaScript, args ...any) (*redis.Cmd, error) {
	for try := 0; ; try++ {
		cmd, err := p.submit(ctx, key, script, args)
		if !hasCode(err, "MOVED") || try == redirections {
			return cmd, err
		}
		select {
		case <-time.After(redirectDelay): // the client looks up the slot meanwhile
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (p *writePipe) submit(ctx context.Context, key string, script *luaScript, args []any) (*redis.Cmd, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	client, err := serverOf(ctx, p.client, key)
	if err != nil {
		return nil, fmt.Errorf("find the server: %w: %w", eventlog.ErrNotSent, err)
	}
	pending := &pendingWrite{script: script, cmd: redis.NewCmd(context.Background(), args...), done: make(chan struct{})}
	if err := p.enqueue(client, pending); err != nil {
		return nil, err
	}
	select {
	case <-pending.done:
		return pending.cmd, pending.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// enqueue queues a command and starts a goroutine for the queue if none is running.
func (p *writePipe) enqueue(client *redis.Client, pending *pendingWrite) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errClosed()
	}
	queue, runs := p.queues[client]
	p.queues[client] = append(queue, pending)
	if !runs {
		p.runs.Go(func() { p.run(client) })
	}
	return nil
}

// close waits until all queued commands are sent.
func (p *writePipe) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.runs.Wait()
}

func (p *writePipe) run(client *redis.Client) {
	for group := p.take(client); group != nil; group = p.take(client) {
		p.runGroup(context.Background(), client, group)
	}
}

// take returns the next group, or nil if the queue is empty and the goroutine must end.
func (p *writePipe) take(client *redis.Client) []*pendingWrite {
	p.mu.Lock()
	defer p.mu.Unlock()
	queue := p.queues[client]
	if len(queue) == 0 {
		delete(p.queues, client)
		return nil
	}
	n := min(len(queue), p.maxGroup)
	p.queues[client] = queue[n:]
	return queue[:n:n]
}

// runGroup sends a group and completes its writes. Commands whose script the server did not have are sent again.
func (p *writePipe) runGroup(ctx context.Context, client *redis.Client, group []*pendingWrite) {
	p.onResult(client, p.send(ctx, client, group))
	known := make(map[*luaScript]bool) // scripts that were loaded now
	var again []*pendingWrite
	for _, pending := range group {
		if pending.script == nil || !hasCode(pending.err, "NOSCRIPT") {
			close(pending.done)
			continue
		}
		if _, tried := known[pending.script]; !tried {
			known[pending.script] = pending.script.load(ctx, client) == nil
		}
		if !known[pending.script] {
			close(pending.done)
			continue
		}
		pending.cmd, pending.err = redis.NewCmd(ctx, pending.cmd.Args()...), nil
		again = append(again, pending)
	}
	if len(again) == 0 {
		return
	}
	p.onResult(client, p.send(ctx, client, again))
	for _, pending := range again {
		close(pending.done)
	}
}

// send sends one pipeline and sets the error of each write. It returns the first error that concerns the server's
// health.
func (p *writePipe) send(ctx context.Context, client *redis.Client, group []*pendingWrite) error {
	pipeline := client.Pipeline()
	for _, pending := range group {
		_ = pipeline.Process(ctx, pending.cmd) // adds it to the pipeline
	}
	var confirmed *redis.Cmd
	if p.replicas > 0 {
		confirmed = pipeline.Do(ctx, "WAIT", p.replicas, p.wait.Milliseconds())
	}
	_, _ = pipeline.Exec(ctx) // every command has its own error
	short := p.checkReplicas(confirmed)
	first, moved := error(nil), false
	for _, pending := range group {
		if pending.err = pending.cmd.Err(); isNil(pending.err) {
			pending.err = nil
		}
		moved = moved || hasCode(pending.err, "MOVED")
		if first == nil && !hasCode(pending.err, "NOSCRIPT", "MOVED", "ASK", "TRYAGAIN") {
			first = pending.err
		}
		if pending.err == nil {
			pending.err = short
		}
	}
	if first == nil {
		first = short
	}
	if cluster, ok := p.client.(*redis.ClusterClient); ok && moved {
		cluster.ReloadState(ctx)
	}
	return first
}

// checkReplicas returns an error unless all configured replicas have the writes. It hides an error reply to WAIT,
// which would look like a refusal of the writes.
func (p *writePipe) checkReplicas(confirmed *redis.Cmd) error {
	if confirmed == nil {
		return nil
	}
	switch n, err := confirmed.Int(); {
	case err != nil:
		return fmt.Errorf("%w: %s", errTooFewReplicas, err.Error())
	case n < p.replicas:
		return fmt.Errorf("%w: %d of %d", errTooFewReplicas, n, p.replicas)
	}
	return nil
}
