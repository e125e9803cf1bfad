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

// position is a position of a follower in a partition.
type position struct {
	head        eventlog.Head
	lastOutcome eventlog.Offset // stream id of the last outcome
}

// durableFeed passes newly durable commits to the followers of this node: batches that this node appends, and for
// other partitions the positions of their durable marks.
type durableFeed struct {
	log     *Log
	tailers *tailerSet

	updating    sync.Mutex // serialises updateMarkReaders; locked before mu
	mu          sync.Mutex
	followers   map[*followSession]struct{}
	markReaders [eventlog.Partitions]*streamReader // of partitions that other nodes own, while there are followers
}

func newDurableFeed(log *Log) *durableFeed {
	feed := &durableFeed{log: log, tailers: newTailers(log, 1), followers: make(map[*followSession]struct{})}
	log.loops.Go(feed.compareLoop)
	return feed
}

func (d *durableFeed) close() { d.tailers.close() }

func (d *durableFeed) each(visit func(*followSession)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for follower := range d.followers {
		visit(follower)
	}
}

// addFollower adds a follower. With the first one, the feed starts to read durable marks.
func (d *durableFeed) addFollower(follower *followSession) {
	d.mu.Lock()
	d.followers[follower] = struct{}{}
	d.mu.Unlock()
	d.updateMarkReaders(allPartitions()...)
}

// removeFollower removes a follower. With the last one, the feed stops reading durable marks.
func (d *durableFeed) removeFollower(follower *followSession) {
	d.mu.Lock()
	delete(d.followers, follower)
	d.mu.Unlock()
	d.updateMarkReaders(allPartitions()...)
}

func allPartitions() (all []eventlog.Partition) {
	for partition := range eventlog.Partition(eventlog.Partitions) {
		all = append(all, partition)
	}
	return all
}

// updateMarkReaders starts and stops the reading of durable marks. Marks are read while there are followers, except
// for partitions that this node owns: their batches come from Append. It is called after every change of followers and
// leases.
func (d *durableFeed) updateMarkReaders(partitions ...eventlog.Partition) {
	d.updating.Lock()
	defer d.updating.Unlock()
	var added, dropped []*streamReader
	d.mu.Lock()
	for _, partition := range partitions {
		wanted := len(d.followers) > 0 && d.log.coordinator.localLease(partition) == nil
		switch reader := d.markReaders[partition]; {
		case wanted && reader == nil:
			d.markReaders[partition] = d.newMarkReader(partition)
			added = append(added, d.markReaders[partition])
		case !wanted && reader != nil:
			d.markReaders[partition] = nil
			dropped = append(dropped, reader)
		}
	}
	d.mu.Unlock()
	d.tailers.add(added...)
	for _, reader := range dropped {
		d.tailers.drop(reader)
	}
}

func (d *durableFeed) newMarkReader(partition eventlog.Partition) *streamReader {
	return &streamReader{
		key: d.log.keys[partition].mark, wantsMore: func() bool { return true },
		receive: func(entries []redis.XMessage) { d.onMark(partition, entries[len(entries)-1]) },
	}
}

// onMark handles a durable mark that another node has moved.
func (d *durableFeed) onMark(partition eventlog.Partition, entry redis.XMessage) {
	seq, _ := entry.Values["seq"].(string)
	hash, _ := entry.Values["hash"].(string)
	out, _ := entry.Values["out"].(string)
	head, err := parseHead(seq, hash)
	if err == nil {
		err = d.publishPosition(partition, head, out)
	}
	if err != nil {
		d.each(func(follower *followSession) { follower.fail(err) })
	}
}

// publishPosition informs the followers that the partition is durable up to a position.
func (d *durableFeed) publishPosition(partition eventlog.Partition, head eventlog.Head, out string) error {
	at, err := parseID(out)
	if err != nil {
		return err
	}
	d.each(func(follower *followSession) { follower.addTarget(partition, position{head, at}) })
	return nil
}

// publishBatch passes a durable batch of this node to the followers.
func (d *durableFeed) publishBatch(batch *eventlog.Batch, end eventlog.Head, before, after string) error {
	from, err := parseID(before)
	if err != nil {
		return err
	}
	to, err := parseID(after)
	if err != nil {
		return err
	}
	d.each(func(follower *followSession) {
		follower.addBatch(localBatch{batch, position{batch.Head, from}, position{end, to}})
	})
	return nil
}

// compareLoop compares the stored heads with those of the followers at an interval, to detect lost tails and missed
// marks. After an error it retries sooner, because the node's state becomes stale.
func (d *durableFeed) compareLoop() {
	most := d.log.cfg.limits
	for pause := most.compareInterval; ; {
		select {
		case <-time.After(pause):
			err := d.compare(d.log.ctx)
			if err == nil {
				err = d.log.measureMemory(d.log.ctx)
			}
			d.log.health.set(faultSource{concern: concernReads}, err)
			if pause = most.compareInterval; err != nil {
				pause = min(pause, most.heartbeat)
			}
		case <-d.log.ctx.Done():
			return
		}
	}
}

func (d *durableFeed) compare(ctx context.Context) error {
	// Read before the stored state, so that commits handled meanwhile do not count as lost.
	known := make(map[*followSession]eventlog.Positions)
	d.each(func(follower *followSession) { known[follower] = follower.handledHeads() })
	asked := time.Now()
	stored, err := d.log.partitionStates(ctx)
	if err != nil {
		return err
	}
	d.log.health.set(faultSource{concern: concernHistory}, checkMissing(&stored))
	for follower, heads := range known {
		follower.checkStored(heads, &stored, asked)
	}
	return nil
}

// checkMissing returns errGone with the numbers of the missing partitions.
func checkMissing(all *[eventlog.Partitions]partitionState) error {
	var gone []int
	for partition := range all {
		if !all[partition].exists {
			gone = append(gone, partition)
		}
	}
	switch len(gone) {
	case 0:
		return nil
	case eventlog.Partitions:
		return errGone
	}
	return fmt.Errorf("%w: partitions %d", errGone, gone)
}

// partitionState is the stored state of a partition.
type partitionState struct {
	position                         // durable position
	end      eventlog.Head           // head of the chain, which can be ahead of the durable mark with Replicated
	exists   bool                    // the partition was created
	loss     *eventlog.LostTailError // reported and not accepted
}

// checkKnown returns an error unless the stored chain can continue the known head.
func (s *partitionState) checkKnown(partition eventlog.Partition, known eventlog.Head) *eventlog.LostTailError {
	if known.Seq > s.end.Seq || known.Seq == s.end.Seq && known != s.end {
		return &eventlog.LostTailError{Partition: partition, Known: known, Stored: s.end}
	}
	return nil
}

// partitionStates reads the state of every partition.
func (l *Log) partitionStates(ctx context.Context) (all [eventlog.Partitions]partitionState, err error) {
	got, err := l.readMetas(ctx, append(l.headFields(), "format", "lost", "seq", "hash")...)
	if err != nil {
		return all, err
	}
	var faults []error
	for partition, fields := range got {
		state := &all[partition]
		var errs [4]error
		state.head, errs[0] = parseHead(fields[0], fields[1])
		if fields[2] != "" {
			state.lastOutcome, errs[1] = parseID(fields[2])
		}
		state.exists = fields[3] != ""
		if fields[4] != "" {
			state.loss, errs[2] = parseLoss(eventlog.Partition(partition), fields[4])
		}
		state.end, errs[3] = parseHead(fields[5], fields[6])
		faults = append(faults, errs[:]...)
	}
	return all, errors.Join(faults...)
}

// Staleness returns the age of the newest durable state that every follower of this node has handled. Without
// followers it is 0.
func (l *Log) Staleness() time.Duration {
	var silent time.Duration
	l.feed.each(func(follower *followSession) { silent = max(silent, follower.staleness()) })
	return silent
}
