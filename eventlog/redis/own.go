package redis

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"tandem/eventlog"
)

// owners is this node's part in sharing out the partitions.
//
// A node says every beat that it is alive. A partition belongs to the node that its meta hash names,
// until that node is silent for longer than a lease lasts, gives it up, or another one takes it
// because the first has more than its share. The right to append does not hang on any clock: taking a
// partition raises its fencing token and names the owner, and the append script compares both. (The
// token alone would not do: a server that has lost its latest writes gives the same one out again.)
type owners struct {
	log   *Log
	node  string
	poke  chan struct{}
	ended chan struct{}

	batches atomic.Uint64 // that were given a name

	mu      sync.Mutex
	leases  [eventlog.Partitions]*lease
	named   [eventlog.Partitions]uint64        // fence of what stands under this node's name, as far as it knows
	waiting [eventlog.Partitions][]chan *lease // callers of Own
	begun   bool                               // somebody has called Own: this node takes part

	// Of run's goroutine alone:
	compared, wrong bool      // the clock
	last            time.Time // when the last beat was answered
	steady          time.Time // until then nothing is taken from others: like this node, they may have been cut off
}

func newOwners(l *Log) *owners {
	suffix := make([]byte, 3)
	rand.Read(suffix) // never fails
	o := &owners{
		log: l, node: l.cfg.Name + "/" + hex.EncodeToString(suffix),
		poke: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	go o.run()
	l.loops.Go(o.listen)
	return o
}

func (o *owners) wake() {
	select {
	case o.poke <- struct{}{}:
	default:
	}
}

// listen wakes run when another node gave a partition up.
func (o *owners) listen() {
	signals := o.log.client.Subscribe(o.log.ctx, ownersSignal)
	defer signals.Close()
	for {
		select {
		case <-signals.Channel():
			o.wake()
		case <-o.log.ctx.Done():
			return
		}
	}
}

func (o *owners) run() {
	defer close(o.ended)
	beats := time.NewTicker(o.log.cfg.limits.beat)
	defer beats.Stop()
	for {
		select {
		case <-o.poke:
		case <-beats.C:
		case <-o.log.ctx.Done():
			return
		}
		o.mu.Lock()
		begun := o.begun
		o.mu.Unlock()
		if begun {
			o.log.state.set(source{concern: beating}, o.turn(o.log.ctx))
		}
	}
}

// turn is one beat: a sign of life, a look at who owns what, and what follows from that.
func (o *owners) turn(ctx context.Context) error {
	alive, err := o.beat(ctx)
	if err != nil {
		return err
	}
	seen, err := o.ownerships(ctx)
	if err != nil {
		return err
	}
	for _, l := range o.held() {
		if s := seen[l.p]; s.fence != l.fence || s.owner != o.node || s.lost {
			l.end()
		}
	}
	held, share := o.held(), o.share(alive)
	var wanted []candidate
	if len(held) < share {
		wanted = o.free(seen, alive, share-len(held))
	}
	if err := o.tidy(ctx, seen, wanted); err != nil {
		return err
	}
	for _, l := range held[min(share, len(held)):] {
		l.end() // its owner gives it up, and another node takes it
	}
	return o.take(ctx, wanted)
}

// share is how many partitions this node may have.
func (o *owners) share(alive []string) int {
	if o.wrong || len(alive) == 0 {
		return 0
	}
	return (eventlog.Partitions + len(alive) - 1) / len(alive)
}

// ownership is what a partition's meta hash says about its owner.
type ownership struct {
	owner string
	fence uint64
	lost  bool
	made  bool
}

func (o *owners) ownerships(ctx context.Context) (seen [eventlog.Partitions]ownership, err error) {
	got, err := o.log.metas(ctx, "fence", "owner", "lost", "format")
	if err != nil {
		return seen, err
	}
	for p, fields := range got {
		fence, _ := strconv.ParseUint(fields[0], 10, 64) // empty: nobody ever owned it
		seen[p] = ownership{owner: fields[1], fence: fence, lost: fields[2] != "", made: fields[3] != ""}
	}
	return seen, nil
}

// candidate is a partition that may be taken if its fence is still the same.
type candidate struct {
	p     eventlog.Partition
	fence uint64
}

// free returns up to n partitions that somebody here waits for and no living node has. They begin at
// another number on every node, so that nodes that start together do not all grasp at the same ones.
func (o *owners) free(seen [eventlog.Partitions]ownership, alive []string, n int) (found []candidate) {
	unsteady := time.Now().Before(o.steady)
	o.mu.Lock()
	defer o.mu.Unlock()
	first := 0
	if at := slices.Index(alive, o.node); at > 0 {
		first = at * eventlog.Partitions / len(alive)
	}
	for i := range eventlog.Partitions {
		p := eventlog.Partition((first + i) % eventlog.Partitions)
		s := seen[p]
		others := s.owner != "" && s.owner != o.node // our own name without a lease is left from a failure
		taken := others && (unsteady || slices.Contains(alive, s.owner))
		if len(found) == n || len(o.waiting[p]) == 0 || s.lost || !s.made || o.leases[p] != nil || taken {
			continue
		}
		found = append(found, candidate{p, s.fence})
	}
	return found
}

// tidy gives up what stands under this node's name although it has no lease and wants none: a release
// has failed, or nobody made one.
func (o *owners) tidy(ctx context.Context, seen [eventlog.Partitions]ownership, wanted []candidate) error {
	var left []candidate
	for p, s := range seen {
		c := candidate{eventlog.Partition(p), s.fence}
		if s.owner == o.node && o.any(c.p) == nil && !slices.Contains(wanted, c) {
			left = append(left, c)
		}
	}
	return o.release(ctx, left, false)
}

// release gives partitions up, all at once, and with them the node's place among the living if it is
// leaving.
func (o *owners) release(ctx context.Context, all []candidate, leaving bool) error {
	if len(all) == 0 && !leaving {
		return nil
	}
	l := o.log
	_, err := l.client.Pipelined(ctx, func(pipeline redis.Pipeliner) error {
		for _, c := range all {
			pipeline.Eval(ctx, l.scripts.release.source, []string{l.keys[c.p].meta}, formatFence(c.fence), o.node)
		}
		if leaving {
			pipeline.HDel(ctx, nodesKey, o.node)
		}
		pipeline.Publish(ctx, ownersSignal, o.node)
		return nil
	})
	return explain(err)
}

// take takes partitions over, all at once.
func (o *owners) take(ctx context.Context, wanted []candidate) error {
	if len(wanted) == 0 {
		return nil
	}
	l, answers := o.log, make([]*redis.Cmd, len(wanted))
	_, err := l.client.Pipelined(ctx, func(pipeline redis.Pipeliner) error {
		for i, c := range wanted {
			answers[i] = pipeline.Eval(ctx, l.scripts.own.source, []string{l.keys[c.p].meta}, formatFence(c.fence), o.node)
		}
		return nil
	})
	for i, c := range wanted {
		if got, err := answers[i].StringSlice(); err == nil && len(got) == 4 && got[0] != "" {
			o.settle(ctx, c.p, got)
		}
	}
	return explain(err)
}

// settle makes sure that what the partition holds is durable and known here, and hands the lease out.
func (o *owners) settle(ctx context.Context, p eventlog.Partition, got []string) {
	fence, err := strconv.ParseUint(got[0], 10, 64)
	if err != nil {
		return // the script's own number
	}
	lease := &lease{owners: o, p: p, fence: fence, lost: make(chan struct{})}
	o.mu.Lock()
	o.leases[p], o.named[p] = lease, fence
	o.mu.Unlock()
	end, err := parseHead(got[1], got[2])
	if err != nil {
		o.log.cfg.Logger.Error("a partition cannot be owned", "partition", p, "error", err)
		lease.end()
		return
	}
	o.log.loops.Go(func() {
		if !o.inherit(ctx, lease, end, got[3]) {
			_ = lease.Release(ctx) // it is asked for again
			return
		}
		o.hand(lease)
	})
}

// inherit waits until every replica has what the owner before may not have waited for.
func (o *owners) inherit(ctx context.Context, lease *lease, end eventlog.Head, out string) bool {
	l := o.log
	for l.cfg.Durability == Replicated {
		err := l.confirm(ctx, lease)
		if err == nil {
			err = l.moveMark(ctx, lease, end, out)
		}
		if err == nil {
			break
		}
		select {
		case <-time.After(retryAfter):
		case <-lease.lost:
			return false
		case <-ctx.Done():
			return false
		}
	}
	if l.hub.notice(lease.p, end, out) != nil {
		return false
	}
	l.hub.tune(lease.p) // what comes from now on comes from here
	return true
}

// confirm waits until the replicas have all that the partition's server has.
func (l *Log) confirm(ctx context.Context, lease *lease) error {
	meta := l.keys[lease.p].meta
	args := l.scripts.confirm.args([]string{meta}, formatFence(lease.fence), l.owners.node)
	cmd, err := l.pipe.do(ctx, meta, l.scripts.confirm, args...)
	if err != nil {
		return err
	}
	mine, err := cmd.Int()
	if err == nil && mine != 1 {
		lease.end()
	}
	return err
}

// stop ends every lease, so that nothing more is appended, and returns what was not given up yet.
func (o *owners) stop() (left []candidate) {
	<-o.ended
	for _, l := range o.held() {
		l.end()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for p, fence := range o.named {
		if fence > 0 {
			left = append(left, candidate{eventlog.Partition(p), fence})
		}
	}
	return left
}
