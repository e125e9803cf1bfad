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
	"tandem/internal/wakeup"
)

// coordinator is this node's part in sharing out the partitions.
//
// A node says every beat that it is alive. A partition belongs to the node that its meta hash names,
// until that node is silent for longer than a lease lasts, gives it up, or another one takes it
// because the first has more than its share. The right to append does not hang on any clock: taking a
// partition raises its fencing token and names the owner, and the append script compares both. (The
// token alone would not do: a server that has lost its latest writes gives the same one out again.)
type coordinator struct {
	log    *Log
	node   string
	wakeup wakeup.Signal
	ended  chan struct{}

	batches atomic.Uint64 // that were given a name

	mu           sync.Mutex
	leases       [eventlog.Partitions]*partitionLease
	storedFences [eventlog.Partitions]uint64                 // fence of what stands under this node's name, as far as it knows
	waiting      [eventlog.Partitions][]chan *partitionLease // callers of Own
	started      bool                                        // somebody has called Own: this node takes part

	// Of run's goroutine alone:
	clockCompared, clockWrong bool      // the clock
	lastHeartbeat             time.Time // when the last beat was answered
	noTakeoverUntil           time.Time // until then nothing is taken from others: like this node, they may have been cut off
}

func newCoordinator(log *Log) *coordinator {
	suffix := make([]byte, 3)
	rand.Read(suffix) // never fails
	coord := &coordinator{
		log: log, node: log.cfg.Name + "/" + hex.EncodeToString(suffix),
		wakeup: wakeup.New(), ended: make(chan struct{}),
	}
	go coord.run()
	log.loops.Go(coord.listen)
	return coord
}

func (c *coordinator) wake() {
	c.wakeup.Notify()
}

// listen wakes run when another node gave a partition up.
func (c *coordinator) listen() {
	signals := c.log.client.Subscribe(c.log.ctx, ownersSignal)
	defer signals.Close()
	for {
		select {
		case <-signals.Channel():
			c.wake()
		case <-c.log.ctx.Done():
			return
		}
	}
}

func (c *coordinator) run() {
	defer close(c.ended)
	beats := time.NewTicker(c.log.cfg.limits.heartbeat)
	defer beats.Stop()
	for {
		select {
		case <-c.wakeup:
		case <-beats.C:
		case <-c.log.ctx.Done():
			return
		}
		c.mu.Lock()
		begun := c.started
		c.mu.Unlock()
		if begun {
			c.log.health.set(faultSource{concern: concernHeartbeat}, c.rebalance(c.log.ctx))
		}
	}
}

// rebalance is one beat: a sign of life, a look at who owns what, and what follows from that.
func (c *coordinator) rebalance(ctx context.Context) error {
	alive, err := c.heartbeat(ctx)
	if err != nil {
		return err
	}
	seen, err := c.readOwners(ctx)
	if err != nil {
		return err
	}
	for _, lease := range c.heldLeases() {
		if stored := seen[lease.partition]; stored.fence != lease.fence || stored.owner != c.node || stored.hasLoss {
			lease.invalidate()
		}
	}
	held, share := c.heldLeases(), c.share(alive)
	var wanted []takeoverCandidate
	if len(held) < share {
		wanted = c.freePartitions(seen, alive, share-len(held))
	}
	if err := c.releaseLeftovers(ctx, seen, wanted); err != nil {
		return err
	}
	for _, lease := range held[min(share, len(held)):] {
		lease.invalidate() // its owner gives it up, and another node takes it
	}
	return c.takeOver(ctx, wanted)
}

// share is how many partitions this node may have.
func (c *coordinator) share(alive []string) int {
	if c.clockWrong || len(alive) == 0 {
		return 0
	}
	return (eventlog.Partitions + len(alive) - 1) / len(alive)
}

// storedOwner is what a partition's meta hash says about its owner.
type storedOwner struct {
	owner   string
	fence   uint64
	hasLoss bool
	exists  bool
}

func (c *coordinator) readOwners(ctx context.Context) (seen [eventlog.Partitions]storedOwner, err error) {
	got, err := c.log.readMetas(ctx, "fence", "owner", "lost", "format")
	if err != nil {
		return seen, err
	}
	for partition, fields := range got {
		fence, _ := strconv.ParseUint(fields[0], 10, 64) // empty: nobody ever owned it
		seen[partition] = storedOwner{owner: fields[1], fence: fence, hasLoss: fields[2] != "", exists: fields[3] != ""}
	}
	return seen, nil
}

// takeoverCandidate is a partition that may be taken if its fence is still the same.
type takeoverCandidate struct {
	partition eventlog.Partition
	fence     uint64
}

// freePartitions returns up to n partitions that somebody here waits for and no living node has. They begin at
// another number on every node, so that nodes that start together do not all grasp at the same ones.
func (c *coordinator) freePartitions(seen [eventlog.Partitions]storedOwner, alive []string, n int) (found []takeoverCandidate) {
	unsteady := time.Now().Before(c.noTakeoverUntil)
	c.mu.Lock()
	defer c.mu.Unlock()
	first := 0
	if at := slices.Index(alive, c.node); at > 0 {
		first = at * eventlog.Partitions / len(alive)
	}
	for i := range eventlog.Partitions {
		partition := eventlog.Partition((first + i) % eventlog.Partitions)
		stored := seen[partition]
		others := stored.owner != "" && stored.owner != c.node // our own name without a lease is left from a failure
		taken := others && (unsteady || slices.Contains(alive, stored.owner))
		if len(found) == n || len(c.waiting[partition]) == 0 || stored.hasLoss || !stored.exists || c.leases[partition] != nil || taken {
			continue
		}
		found = append(found, takeoverCandidate{partition, stored.fence})
	}
	return found
}

// releaseLeftovers gives up what stands under this node's name although it has no lease and wants none: a release
// has failed, or nobody made one.
func (c *coordinator) releaseLeftovers(ctx context.Context, seen [eventlog.Partitions]storedOwner, wanted []takeoverCandidate) error {
	var left []takeoverCandidate
	for partition, stored := range seen {
		candidate := takeoverCandidate{eventlog.Partition(partition), stored.fence}
		if stored.owner == c.node && c.localLease(candidate.partition) == nil && !slices.Contains(wanted, candidate) {
			left = append(left, candidate)
		}
	}
	return c.release(ctx, left, false)
}

// release gives partitions up, all at once, and with them the node's place among the living if it is
// leaving.
func (c *coordinator) release(ctx context.Context, all []takeoverCandidate, leaving bool) error {
	if len(all) == 0 && !leaving {
		return nil
	}
	log := c.log
	_, err := log.client.Pipelined(ctx, func(pipeline redis.Pipeliner) error {
		for _, candidate := range all {
			pipeline.Eval(ctx, log.scripts.release.source, []string{log.keys[candidate.partition].meta}, formatFence(candidate.fence), c.node)
		}
		if leaving {
			pipeline.HDel(ctx, nodesKey, c.node)
		}
		pipeline.Publish(ctx, ownersSignal, c.node)
		return nil
	})
	return explain(err)
}

// takeOver takes partitions over, all at once.
func (c *coordinator) takeOver(ctx context.Context, wanted []takeoverCandidate) error {
	if len(wanted) == 0 {
		return nil
	}
	log, answers := c.log, make([]*redis.Cmd, len(wanted))
	_, err := log.client.Pipelined(ctx, func(pipeline redis.Pipeliner) error {
		for i, candidate := range wanted {
			answers[i] = pipeline.Eval(ctx, log.scripts.own.source, []string{log.keys[candidate.partition].meta}, formatFence(candidate.fence), c.node)
		}
		return nil
	})
	for i, candidate := range wanted {
		if got, err := answers[i].StringSlice(); err == nil && len(got) == 4 && got[0] != "" {
			c.acceptPartition(ctx, candidate.partition, got)
		}
	}
	return explain(err)
}

// acceptPartition makes sure that what the partition holds is durable and known here, and hands the lease out.
func (c *coordinator) acceptPartition(ctx context.Context, partition eventlog.Partition, got []string) {
	fence, err := strconv.ParseUint(got[0], 10, 64)
	if err != nil {
		return // the script's own number
	}
	lease := &partitionLease{coordinator: c, partition: partition, fence: fence, lost: make(chan struct{})}
	c.mu.Lock()
	c.leases[partition], c.storedFences[partition] = lease, fence
	c.mu.Unlock()
	end, err := parseHead(got[1], got[2])
	if err != nil {
		c.log.cfg.Logger.Error("a partition cannot be owned", "partition", partition, "error", err)
		lease.invalidate()
		return
	}
	c.log.loops.Go(func() {
		if !c.awaitDurable(ctx, lease, end, got[3]) {
			_ = lease.Release(ctx) // it is asked for again
			return
		}
		c.grant(lease)
	})
}

// awaitDurable waits until every replica has what the owner before may not have waited for.
func (c *coordinator) awaitDurable(ctx context.Context, lease *partitionLease, end eventlog.Head, out string) bool {
	log := c.log
	for log.cfg.Durability == Replicated {
		err := log.confirmReplicas(ctx, lease)
		if err == nil {
			err = log.moveMark(ctx, lease, end, out)
		}
		if err == nil {
			break
		}
		select {
		case <-time.After(retryDelay):
		case <-lease.lost:
			return false
		case <-ctx.Done():
			return false
		}
	}
	if log.feed.publishPosition(lease.partition, end, out) != nil {
		return false
	}
	log.feed.updateMarkReaders(lease.partition) // what comes from now on comes from here
	return true
}

// confirmReplicas waits until the replicas have all that the partition's server has.
func (l *Log) confirmReplicas(ctx context.Context, lease *partitionLease) error {
	meta := l.keys[lease.partition].meta
	args := l.scripts.confirm.command([]string{meta}, formatFence(lease.fence), l.coordinator.node)
	cmd, err := l.pipe.do(ctx, meta, l.scripts.confirm, args...)
	if err != nil {
		return err
	}
	mine, err := cmd.Int()
	if err == nil && mine != 1 {
		lease.invalidate()
	}
	return err
}

// stop ends every lease, so that nothing more is appended, and returns what was not given up yet.
func (c *coordinator) stop() (left []takeoverCandidate) {
	<-c.ended
	for _, lease := range c.heldLeases() {
		lease.invalidate()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for partition, fence := range c.storedFences {
		if fence > 0 {
			left = append(left, takeoverCandidate{eventlog.Partition(partition), fence})
		}
	}
	return left
}
