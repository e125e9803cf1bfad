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

// pipe writes for all partitions. Everything that queued for a server while the pipeline before was
// under way goes out together: the server runs it in one turn and syncs its file once. Of several
// servers each has a queue, so that one which hangs holds up nobody else.
type pipe struct {
	client   redis.UniversalClient
	replicas int // that must have a write; 0: it is durable when the server answers
	wait     time.Duration
	most     int
	result   func(*redis.Client, error) // told how each pipeline went

	mu     sync.Mutex
	queues map[*redis.Client][]*write // of the servers for which a goroutine runs
	closed bool
	runs   sync.WaitGroup
}

// write is one command that changes something.
type write struct {
	cmd    *redis.Cmd
	script *script // that cmd runs, or nil
	err    error
	done   chan struct{}
}

// errTooFew: a write was made, but not all configured replicas confirmed it in time.
var errTooFew = errors.New("too few replicas confirmed a write in time")

// While slots of a cluster move, a command may come to the wrong server a few times.
const (
	redirections = 10
	redirectWait = 20 * time.Millisecond
)

func newPipe(client redis.UniversalClient, c Config, result func(*redis.Client, error)) *pipe {
	p := &pipe{
		client: client, wait: c.limits.wait, most: c.limits.pipeline, result: result,
		queues: make(map[*redis.Client][]*write),
	}
	if c.Durability == Replicated {
		p.replicas = c.Replicas
	}
	return p
}

// do sends a command to the server that holds the key and waits for its end. When ctx ends first it may
// still be run.
func (p *pipe) do(ctx context.Context, key string, s *script, args ...any) (*redis.Cmd, error) {
	for try := 0; ; try++ {
		cmd, err := p.once(ctx, key, s, args)
		if !hasWord(err, "MOVED") || try == redirections {
			return cmd, err
		}
		select {
		case <-time.After(redirectWait): // where the slot is now is being asked
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (p *pipe) once(ctx context.Context, key string, s *script, args []any) (*redis.Cmd, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c, err := server(ctx, p.client, key)
	if err != nil {
		return nil, fmt.Errorf("find the server: %w: %w", eventlog.ErrNotSent, err)
	}
	w := &write{script: s, cmd: redis.NewCmd(context.Background(), args...), done: make(chan struct{})}
	if err := p.enter(c, w); err != nil {
		return nil, err
	}
	select {
	case <-w.done:
		return w.cmd, w.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// enter queues a command, and has a goroutine run the queue until it is empty.
func (p *pipe) enter(c *redis.Client, w *write) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errClosed()
	}
	queue, runs := p.queues[c]
	p.queues[c] = append(queue, w)
	if !runs {
		p.runs.Go(func() { p.run(c) })
	}
	return nil
}

// close waits until what is queued is sent.
func (p *pipe) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.runs.Wait()
}

func (p *pipe) run(c *redis.Client) {
	for group := p.take(c); group != nil; group = p.take(c) {
		p.exec(context.Background(), c, group)
	}
}

// take returns what goes out next, and nil when there is nothing and the caller's goroutine ends.
func (p *pipe) take(c *redis.Client) []*write {
	p.mu.Lock()
	defer p.mu.Unlock()
	queue := p.queues[c]
	if len(queue) == 0 {
		delete(p.queues, c)
		return nil
	}
	n := min(len(queue), p.most)
	p.queues[c] = queue[n:]
	return queue[:n:n]
}

// exec runs a group and answers all of it. What was not run because the server did not know a script
// yet is run again.
func (p *pipe) exec(ctx context.Context, c *redis.Client, group []*write) {
	p.result(c, p.send(ctx, c, group))
	known := make(map[*script]bool) // that were loaded now
	var again []*write
	for _, w := range group {
		if w.script == nil || !hasWord(w.err, "NOSCRIPT") {
			close(w.done)
			continue
		}
		if _, tried := known[w.script]; !tried {
			known[w.script] = w.script.load(ctx, c) == nil
		}
		if !known[w.script] {
			close(w.done)
			continue
		}
		w.cmd, w.err = redis.NewCmd(ctx, w.cmd.Args()...), nil
		again = append(again, w)
	}
	if len(again) == 0 {
		return
	}
	p.result(c, p.send(ctx, c, again))
	for _, w := range again {
		close(w.done)
	}
}

// send runs one pipeline and sets the error of each write. It returns the first one that says something
// about the server.
func (p *pipe) send(ctx context.Context, c *redis.Client, group []*write) error {
	pipeline := c.Pipeline()
	for _, w := range group {
		_ = pipeline.Process(ctx, w.cmd) // queues it
	}
	var confirmed *redis.Cmd
	if p.replicas > 0 {
		confirmed = pipeline.Do(ctx, "WAIT", p.replicas, p.wait.Milliseconds())
	}
	_, _ = pipeline.Exec(ctx) // every command has its own error
	short := p.short(confirmed)
	first, moved := error(nil), false
	for _, w := range group {
		if w.err = w.cmd.Err(); isNil(w.err) {
			w.err = nil
		}
		moved = moved || hasWord(w.err, "MOVED")
		if first == nil && !hasWord(w.err, "NOSCRIPT", "MOVED", "ASK", "TRYAGAIN") {
			first = w.err
		}
		if w.err == nil {
			w.err = short
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

// short returns an error unless all replicas have what was written. It is never the server's own answer:
// that would read as if the writes before were refused.
func (p *pipe) short(confirmed *redis.Cmd) error {
	if confirmed == nil {
		return nil
	}
	switch n, err := confirmed.Int(); {
	case err != nil:
		return fmt.Errorf("%w: %v", errTooFew, err)
	case n < p.replicas:
		return fmt.Errorf("%w: %d of %d", errTooFew, n, p.replicas)
	}
	return nil
}
