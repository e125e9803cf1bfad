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

// pipe writes for all partitions. Everything that queued while the pipeline before was under way
// goes out together: the server runs it in one turn and syncs its file once. There is one pipe per
// node; what belongs to different servers of a cluster goes out side by side.
type pipe struct {
	client   redis.UniversalClient
	replicas int // that must have a write; 0: it is durable when the server answers
	wait     time.Duration
	most     int
	result   func(error) // told how each pipeline went

	mu     sync.Mutex
	queue  []*write
	closed bool
	more   chan struct{}
	ended  chan struct{}
}

// write is one command that changes something.
type write struct {
	key    string // of the partition, to find its server
	cmd    *redis.Cmd
	script *script // that cmd runs, or nil
	err    error
	done   chan struct{}
}

// errTooFew: a write was made, but not all configured replicas confirmed it in time.
var errTooFew = errors.New("too few replicas confirmed a write in time")

func newPipe(client redis.UniversalClient, c Config, result func(error)) *pipe {
	p := &pipe{
		client: client, wait: c.limits.wait, most: c.limits.pipeline, result: result,
		more: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	if c.Durability == Replicated {
		p.replicas = c.Replicas
	}
	go p.run()
	return p
}

// do sends a command and waits for its end. When ctx ends first it may still be run.
func (p *pipe) do(ctx context.Context, key string, s *script, args ...any) (*redis.Cmd, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w := &write{key: key, script: s, cmd: redis.NewCmd(context.Background(), args...), done: make(chan struct{})}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, errClosed()
	}
	p.queue = append(p.queue, w)
	p.mu.Unlock()
	select {
	case p.more <- struct{}{}:
	default:
	}
	select {
	case <-w.done:
		return w.cmd, w.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// close sends what is queued and ends.
func (p *pipe) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	select {
	case p.more <- struct{}{}:
	default:
	}
	<-p.ended
}

func (p *pipe) run() {
	defer close(p.ended)
	for range p.more {
		for {
			group, closed := p.take()
			if len(group) == 0 {
				if closed {
					return
				}
				break
			}
			p.send(group)
		}
	}
}

func (p *pipe) take() (group []*write, closed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := min(len(p.queue), p.most)
	group, p.queue = p.queue[:n:n], p.queue[n:]
	return group, p.closed
}

// send runs a group, each server's part beside the others', and answers all of it.
func (p *pipe) send(group []*write) {
	ctx := context.Background()
	parts := make(map[*redis.Client][]*write, 1)
	for _, w := range group {
		c, err := server(ctx, p.client, w.key)
		if err != nil {
			w.err = fmt.Errorf("find the server: %w: %w", eventlog.ErrNotSent, err)
			close(w.done)
			p.result(err)
			continue
		}
		parts[c] = append(parts[c], w)
	}
	var all sync.WaitGroup
	for c, part := range parts {
		if len(parts) == 1 {
			p.exec(ctx, c, part)
			return
		}
		all.Go(func() { p.exec(ctx, c, part) })
	}
	all.Wait()
}

// exec runs a part on its server. What was not run because the server did not know a script yet, or
// a slot has moved, is run again.
func (p *pipe) exec(ctx context.Context, c *redis.Client, part []*write) {
	for attempt := 0; len(part) > 0; attempt++ {
		err := p.once(ctx, c, part)
		p.result(err)
		var again []*write
		for _, w := range part {
			if attempt == 0 && w.script != nil && hasWord(w.err, "NOSCRIPT") {
				if loadErr := w.script.load(ctx, c); loadErr == nil {
					w.cmd, w.err = redis.NewCmd(ctx, w.cmd.Args()...), nil
					again = append(again, w)
					continue
				}
			}
			close(w.done)
		}
		part = again
	}
}

// once runs one pipeline and sets the error of each write. It returns the first one.
func (p *pipe) once(ctx context.Context, c *redis.Client, part []*write) error {
	pipeline := c.Pipeline()
	for _, w := range part {
		_ = pipeline.Process(ctx, w.cmd) // queues it
	}
	var confirmed *redis.Cmd
	if p.replicas > 0 {
		confirmed = pipeline.Do(ctx, "WAIT", p.replicas, p.wait.Milliseconds())
	}
	_, _ = pipeline.Exec(ctx) // every command has its own error
	short := error(nil)
	if confirmed != nil {
		if n, err := confirmed.Int(); err != nil {
			short = err
		} else if n < p.replicas {
			short = fmt.Errorf("%w: %d of %d", errTooFew, n, p.replicas)
		}
	}
	first := short
	for _, w := range part {
		if w.err = w.cmd.Err(); errors.Is(w.err, redis.Nil) {
			w.err = nil
		}
		if w.err == nil {
			w.err = short
		}
		if first == nil && !hasWord(w.err, "NOSCRIPT") {
			first = w.err
		}
	}
	if cluster, ok := p.client.(*redis.ClusterClient); ok && hasWord(first, "MOVED") {
		cluster.ReloadState(ctx)
	}
	return first
}
