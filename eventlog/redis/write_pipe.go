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

// writePipe writes for all partitions. Everything that queued for a server while the pipeline before was
// under way goes out together: the server runs it in one turn and syncs its file once. Of several
// servers each has a queue, so that one which hangs holds up nobody else.
type writePipe struct {
	client   redis.UniversalClient
	replicas int // that must have a write; 0: it is durable when the server answers
	wait     time.Duration
	maxGroup int
	onResult func(*redis.Client, error) // told how each pipeline went

	mu     sync.Mutex
	queues map[*redis.Client][]*pendingWrite // of the servers for which a goroutine runs
	closed bool
	runs   sync.WaitGroup
}

// pendingWrite is one command that changes something.
type pendingWrite struct {
	cmd    *redis.Cmd
	script *luaScript // that cmd runs, or nil
	err    error
	done   chan struct{}
}

// errTooFewReplicas: a write was made, but not all configured replicas confirmed it in time.
var errTooFewReplicas = errors.New("too few replicas confirmed a write in time")

// While slots of a cluster move, a command may come to the wrong server a few times.
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

// do sends a command to the server that holds the key and waits for its end. When ctx ends first it may
// still be run.
func (p *writePipe) do(ctx context.Context, key string, script *luaScript, args ...any) (*redis.Cmd, error) {
	for try := 0; ; try++ {
		cmd, err := p.submit(ctx, key, script, args)
		if !hasCode(err, "MOVED") || try == redirections {
			return cmd, err
		}
		select {
		case <-time.After(redirectDelay): // where the slot is now is being asked
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

// enqueue queues a command, and has a goroutine run the queue until it is empty.
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

// close waits until what is queued is sent.
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

// take returns what goes out next, and nil when there is nothing and the caller's goroutine ends.
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

// runGroup runs a group and answers all of it. What was not run because the server did not know a script
// yet is run again.
func (p *writePipe) runGroup(ctx context.Context, client *redis.Client, group []*pendingWrite) {
	p.onResult(client, p.send(ctx, client, group))
	known := make(map[*luaScript]bool) // that were loaded now
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

// send runs one pipeline and sets the error of each write. It returns the first one that says something
// about the server.
func (p *writePipe) send(ctx context.Context, client *redis.Client, group []*pendingWrite) error {
	pipeline := client.Pipeline()
	for _, pending := range group {
		_ = pipeline.Process(ctx, pending.cmd) // queues it
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

// checkReplicas returns an error unless all replicas have what was written. It is never the server's own answer:
// that would read as if the writes before were refused.
func (p *writePipe) checkReplicas(confirmed *redis.Cmd) error {
	if confirmed == nil {
		return nil
	}
	switch n, err := confirmed.Int(); {
	case err != nil:
		return fmt.Errorf("%w: %v", errTooFewReplicas, err)
	case n < p.replicas:
		return fmt.Errorf("%w: %d of %d", errTooFewReplicas, n, p.replicas)
	}
	return nil
}
