package redis

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
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
// partition raises its fencing token, and the append script refuses an older one.
type owners struct {
	log  *Log
	node string
	poke chan struct{}

	mu      sync.Mutex
	leases  [eventlog.Partitions]*lease
	waiting [eventlog.Partitions][]chan *lease // callers of Own
	begun   bool                               // somebody has called Own: this node takes part
	clock   error                              // the node's clock is wrong
	ended   chan struct{}
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

// lease is the right to append to a partition.
type lease struct {
	owners *owners
	p      eventlog.Partition
	fence  uint64
	once   sync.Once
	lost   chan struct{}
	batch  atomic.Uint64
}

var _ eventlog.Lease = (*lease)(nil)

func (l *lease) Fence() uint64         { return l.fence }
func (l *lease) Lost() <-chan struct{} { return l.lost }

// nextBatch returns a name for a batch that no other one has.
func (l *lease) nextBatch() string {
	return l.owners.node + "-" + formatFence(l.fence) + "-" + strconv.FormatUint(l.batch.Add(1), 10)
}

// end makes the lease worthless in this process. The partition stays this node's until Release.
func (l *lease) end() {
	l.once.Do(func() {
		o := l.owners
		o.mu.Lock()
		if o.leases[l.p] == l {
			o.leases[l.p] = nil
		}
		o.mu.Unlock()
		close(l.lost)
		if o.log.ctx.Err() == nil {
			o.log.hub.watch(l.p)
		}
	})
}

// Release gives the partition up, so that another node can have it at once.
func (l *lease) Release(ctx context.Context) error {
	l.end()
	log := l.owners.log
	if log.ctx.Err() != nil {
		return nil // Close has done it
	}
	return log.release(ctx, l)
}

func (l *Log) release(ctx context.Context, lease *lease) error {
	meta := l.keys[lease.p].meta
	if err := l.eval(ctx, l.scripts.release, meta, []string{meta}, formatFence(lease.fence)).Err(); err != nil {
		return fmt.Errorf("release partition %d: %w", lease.p, explain(err))
	}
	l.owners.wake()
	return l.client.Publish(ctx, ownersSignal, formatFence(lease.fence)).Err()
}

// Own waits until this process owns the partition or ctx ends.
func (l *Log) Own(ctx context.Context, p eventlog.Partition) (eventlog.Lease, error) {
	if err := l.open(ctx); err != nil {
		return nil, err
	}
	got := l.owners.ask(p)
	select {
	case lease := <-got:
		return lease, nil
	case <-ctx.Done():
	case <-l.ctx.Done():
	}
	if lease := l.owners.withdraw(p, got); lease != nil {
		return lease, nil // it came at the same time
	}
	return nil, l.open(ctx)
}

func (o *owners) ask(p eventlog.Partition) chan *lease {
	got := make(chan *lease, 1)
	o.mu.Lock()
	o.waiting[p] = append(o.waiting[p], got)
	o.begun = true
	o.mu.Unlock()
	o.wake()
	return got
}

// withdraw takes a request back, or returns what was given already.
func (o *owners) withdraw(p eventlog.Partition, got chan *lease) *lease {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting[p] = slices.DeleteFunc(o.waiting[p], func(other chan *lease) bool { return other == got })
	select {
	case lease := <-got:
		return lease
	default:
		return nil
	}
}

func (o *owners) wake() {
	select {
	case o.poke <- struct{}{}:
	default:
	}
}

// lease returns the partition's lease if it has this fence.
func (o *owners) lease(p eventlog.Partition, fence uint64) *lease {
	o.mu.Lock()
	defer o.mu.Unlock()
	if l := o.leases[p]; l != nil && l.fence == fence {
		return l
	}
	return nil
}

// any returns the partition's lease here, whatever its fence.
func (o *owners) any(p eventlog.Partition) *lease {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.leases[p]
}

// alive returns the nodes that have given a sign of life.
func (o *owners) alive(ctx context.Context) ([]string, error) { return o.beat(ctx, "") }

// owns reports whether this node has the partition and followers hear of it from here.
func (o *owners) owns(p eventlog.Partition) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.leases[p] != nil
}

// held returns the leases of this node.
func (o *owners) held() (held []*lease) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, l := range o.leases {
		if l != nil {
			held = append(held, l)
		}
	}
	return held
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
			o.log.state.set(o.turn(o.log.ctx))
		}
	}
}

// turn is one beat: a sign of life, a look at who owns what, and what follows from that.
func (o *owners) turn(ctx context.Context) error {
	alive, err := o.beat(ctx, o.node)
	if err != nil {
		return err
	}
	seen, err := o.look(ctx)
	if err != nil {
		return err
	}
	for _, l := range o.held() {
		if s := seen[l.p]; s.fence != l.fence || s.lost {
			l.end()
		}
	}
	o.mu.Lock()
	wrong := o.clock != nil
	o.mu.Unlock()
	share := (eventlog.Partitions + len(alive) - 1) / len(alive)
	if wrong {
		share = 0
	}
	held := o.held()
	for _, l := range held[min(share, len(held)):] {
		l.end() // its owner gives it up, and another node takes it
	}
	if wrong || len(held) >= share {
		return nil
	}
	return o.take(ctx, o.free(seen, alive, share-len(held)))
}

// ownership is what a partition's meta hash says about its owner.
type ownership struct {
	owner string
	fence uint64
	lost  bool
	made  bool
}

func (o *owners) look(ctx context.Context) (seen [eventlog.Partitions]ownership, err error) {
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

// free returns up to n partitions that somebody here waits for and no living node has. They begin at
// another number on every node, so that nodes that start together do not all grasp at the same ones.
func (o *owners) free(seen [eventlog.Partitions]ownership, alive []string, n int) (found []candidate) {
	o.mu.Lock()
	defer o.mu.Unlock()
	first := 0
	if at := slices.Index(alive, o.node); at > 0 {
		first = at * eventlog.Partitions / len(alive)
	}
	for i := range eventlog.Partitions {
		p := eventlog.Partition((first + i) % eventlog.Partitions)
		s := seen[p]
		taken := s.owner != o.node && slices.Contains(alive, s.owner) // our own name without a lease is left from a failure
		if len(found) == n || len(o.waiting[p]) == 0 || s.lost || !s.made || o.leases[p] != nil || taken {
			continue
		}
		found = append(found, candidate{p, s.fence})
	}
	return found
}

// candidate is a partition that may be taken if its fence is still the same.
type candidate struct {
	p     eventlog.Partition
	fence uint64
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
	return err
}

// settle makes sure that what the partition holds is durable and known here, and hands the lease out.
func (o *owners) settle(ctx context.Context, p eventlog.Partition, got []string) {
	fence, err := strconv.ParseUint(got[0], 10, 64)
	if err != nil {
		return // the script's own number
	}
	lease := &lease{owners: o, p: p, fence: fence, lost: make(chan struct{})}
	o.mu.Lock()
	o.leases[p] = lease
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
		err := l.confirm(ctx, lease.p, lease.fence)
		if err == nil {
			err = l.moveMark(ctx, lease, end, out)
		}
		if err == nil {
			break
		}
		l.state.set(err)
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
	l.hub.unwatch(lease.p) // what comes from now on comes from here
	return true
}

// confirm waits until the replicas have all that the partition's server has.
func (l *Log) confirm(ctx context.Context, p eventlog.Partition, fence uint64) error {
	c, err := server(ctx, l.client, l.keys[p].meta)
	if err != nil {
		return err
	}
	conn := c.Conn() // WAIT speaks of the writes of its own connection
	defer conn.Close()
	if err := conn.HSet(ctx, l.keys[p].meta, "confirmed", formatFence(fence)).Err(); err != nil {
		return err
	}
	n, err := conn.Wait(ctx, l.cfg.Replicas, l.cfg.limits.wait).Result()
	if err == nil && n < int64(l.cfg.Replicas) {
		err = fmt.Errorf("%w: %d of %d", errTooFew, n, l.cfg.Replicas)
	}
	return err
}

// hand gives the lease to whoever waited longest.
func (o *owners) hand(l *lease) {
	o.mu.Lock()
	waiting := o.waiting[l.p]
	if len(waiting) > 0 {
		waiting[0] <- l // has room for one
		o.waiting[l.p] = waiting[1:]
	}
	o.mu.Unlock()
	if len(waiting) == 0 {
		_ = l.Release(o.log.ctx) // nobody wants it any more; if that fails, it counts as this node's until it ends
	}
}

// beat says that the node is alive, compares the clocks and returns who else is.
func (o *owners) beat(ctx context.Context, node string) (alive []string, err error) {
	l := o.log
	sent := l.cfg.Now()
	got, err := l.eval(ctx, l.scripts.beat, nodesKey, []string{nodesKey}, node, l.cfg.limits.lease.Milliseconds()).StringSlice()
	if err != nil {
		return nil, err
	}
	answered := l.cfg.Now()
	micros, err := strconv.ParseInt(got[0], 10, 64)
	if err != nil {
		return nil, fmt.Errorf("the server's clock: %w", err)
	}
	o.compare(time.UnixMicro(micros), sent, answered)
	alive = got[1:]
	slices.Sort(alive)
	return alive, nil
}

// compare checks the node's clock: what it records carries its time.
func (o *owners) compare(server, sent, answered time.Time) {
	off := time.Duration(0)
	if server.Before(sent) {
		off = sent.Sub(server)
	} else if server.After(answered) {
		off = server.Sub(answered)
	}
	var wrong error
	if off > o.log.cfg.limits.clockError {
		wrong = fmt.Errorf("this node's clock is %s off the server's: it owns nothing until they agree (set it with NTP)", off.Round(time.Millisecond))
	}
	o.mu.Lock()
	before := o.clock
	o.clock = wrong
	o.mu.Unlock()
	if (before == nil) != (wrong == nil) {
		o.log.cfg.Logger.Warn("the node's clock was compared with the server's", "error", wrong)
	}
}

// close ends every lease and gives all partitions up, so that other nodes take them at once.
func (o *owners) close() {
	o.log.end()
	<-o.ended
	held := o.held()
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	_, _ = o.log.client.Pipelined(ctx, func(pipeline redis.Pipeliner) error { // if it fails, they run out
		for _, l := range held {
			l.end()
			pipeline.Eval(ctx, o.log.scripts.release.source, []string{o.log.keys[l.p].meta}, formatFence(l.fence))
		}
		pipeline.HDel(ctx, nodesKey, o.node)
		pipeline.Publish(ctx, ownersSignal, "closed")
		return nil
	})
}
