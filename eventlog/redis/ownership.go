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
	"tandem/eventlog/wakeup"
)

// coordinator shares the partitions among the nodes; this is the part of one node.
//
// Every node sends heartbeats. A partition belongs to the node in its meta hash until that node's heartbeats stop for
// longer than a lease, it releases the partition, or another node takes it over because the first one has more than
// its share. The right to append depends on no clock: a takeover raises the fencing token and sets the owner, and the
// append script compares both. (The token alone is not enough: a server that lost its latest writes hands out the same
// token again.)
type coordinator struct {
	log    *Log
	node   string
	wakeup wakeup.Signal
	ended  chan struct{}

	batches atomic.Uint64 // number of batch names so far

	mu           sync.Mutex
	leases       [eventlog.Partitions]*partitionLease
	storedFences [eventlog.Partitions]uint64                 // under which meta hashes name this node; 0: none
	waiting      [eventlog.Partitions][]chan *partitionLease // callers of Own, in order
	started      bool                                        // Own was called: this node wants partitions

	// The following fields belong to run's goroutine.
	clockCompared, clockWrong bool      // the node's clock with the server's
	lastHeartbeat             time.Time // time of the last reply to a heartbeat
	noTakeoverUntil           time.Time // until then missing heartbeats may be due to an outage
}

func newCoordinator(log *Log) *coordinator {
	suffix := make([]byte, 3)
	rand.Read(suffix) // never returns an error
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

// listen wakes run when another node has released a partition.
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

// rebalance sends a heartbeat, reads the owners of all partitions, and takes over or gives up partitions.
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
		lease.invalidate() // its owner releases it, and another node takes it over
	}
	return c.takeOver(ctx, wanted)
}

// share returns the maximum number of partitions of this node.
func (c *coordinator) share(alive []string) int {
	if c.clockWrong || len(alive) == 0 {
		return 0
	}
	return (eventlog.Partitions + len(alive) - 1) / len(alive)
}

// storedOwner is the owner of a partition in its meta hash.
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
		fence, _ := strconv.ParseUint(fields[0], 10, 64) // empty before the first owner
		seen[partition] = storedOwner{owner: fields[1], fence: fence, hasLoss: fields[2] != "", exists: fields[3] != ""}
	}
	return seen, nil
}

// takeoverCandidate is a partition that may be taken over while its fencing token is unchanged.
type takeoverCandidate struct {
	partition eventlog.Partition
	fence     uint64
}

// freePartitions returns up to n partitions that have waiting callers here and no living owner. Every node starts at
// another number, so that nodes that start together do not compete for the same partitions.
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
		others := stored.owner != "" && stored.owner != c.node // this node's name without a lease is left from a failure
		taken := others && (unsteady || slices.Contains(alive, stored.owner))
		if len(found) == n || len(c.waiting[partition]) == 0 || stored.hasLoss || !stored.exists || c.leases[partition] != nil || taken {
			continue
		}
		found = append(found, takeoverCandidate{partition, stored.fence})
	}
	return found
}

// releaseLeftovers releases partitions that have this node as owner in their meta hash although it has no lease and
// wants none, because a release failed or was never sent.
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

// release releases partitions in one pipeline. If leaving is set, it also removes the node from the list of living
// nodes.
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

// takeOver takes partitions over in one pipeline.
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

// acceptPartition makes the inherited state durable and known to this node, and then grants the lease.
func (c *coordinator) acceptPartition(ctx context.Context, partition eventlog.Partition, got []string) {
	fence, err := strconv.ParseUint(got[0], 10, 64)
	if err != nil {
		return // unreachable: the script returns a number
	}
	lease := &partitionLease{coordinator: c, partition: partition, fence: fence, lost: make(chan struct{})}
	c.mu.Lock()
	c.leases[partition], c.storedFences[partition] = lease, fence
	c.mu.Unlock()
	end, err := parseHead(got[1], got[2])
	if err != nil {
		c.log.cfg.Logger.Error("cannot own a partition", "partition", partition, "error", err)
		lease.invalidate()
		return
	}
	c.log.loops.Go(func() {
		if !c.awaitDurable(ctx, lease, end, got[3]) {
			_ = lease.Release(ctx) // its caller still waits and gets the next lease
			return
		}
		c.grant(lease)
	})
}

// awaitDurable waits until every replica has the inherited state, which the previous owner may not have confirmed.
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
	log.feed.updateMarkReaders(lease.partition) // from now on batches come from this node
	return true
}

// confirmReplicas waits until the replicas have everything that the partition's server has.
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

// stop ends every lease and returns the partitions that are not released yet.
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
