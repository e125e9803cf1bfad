package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"tandem/eventlog"
)

// A log into which another one is being copied has a mark: a value in partition 0. It is there before
// anything else, and goes when everything is checked.
const (
	markerKey       = "copy"
	markerPartition = eventlog.Partition(0)
)

// marker is the mark of a log that is half a copy.
type marker struct {
	State string    `json:"state"` // "in progress"
	From  string    `json:"from"`  // the source's name
	Begun time.Time `json:"begun"`
}

func readMarker(ctx context.Context, log eventlog.Log) (*marker, error) {
	text, err := log.Get(ctx, markerPartition, markerKey)
	if err != nil || text == nil {
		return nil, err
	}
	found := new(marker)
	if err := json.Unmarshal(text, found); err != nil {
		return nil, fmt.Errorf("the mark of an unfinished copy: %w: %w", err, eventlog.ErrDamaged)
	}
	return found, nil
}

// refuseUnfinishedCopy returns an error for a log that is half a copy of another one: it must not be served.
func refuseUnfinishedCopy(ctx context.Context, log eventlog.Log) error {
	found, err := readMarker(ctx, log)
	if err != nil || found == nil {
		return err
	}
	return fmt.Errorf("this log is an unfinished copy of %s, begun %s: finish it first with the same tandem log copy command", printable(found.From), formatTime(found.Begun))
}

// mark says in the target that it is half a copy.
func (l *logCopy) mark(ctx context.Context) error {
	text, err := json.Marshal(marker{State: "in progress", From: l.from.name, Begun: l.begun.UTC()})
	if err != nil {
		return err
	}
	writer, err := l.chainEnd(ctx, markerPartition)
	if err != nil {
		return err
	}
	return writer.append(ctx, eventlog.Batch{Puts: []eventlog.KV{{Key: markerKey, Value: text}}})
}

// unmark makes the target a log like any other.
func (l *logCopy) unmark(ctx context.Context) error {
	writer, err := l.chainEnd(ctx, markerPartition)
	if err != nil {
		return err
	}
	return writer.append(ctx, eventlog.Batch{Puts: []eventlog.KV{{Key: markerKey}}})
}

// checkMarker lets an interrupted copy go on. An epoch that was being raised then is raised now: nobody
// can own a partition with an open loss.
func (l *logCopy) checkMarker(ctx context.Context, found *marker) error {
	if found.From != l.from.name {
		return fmt.Errorf("%s is an unfinished copy of %s, and not of %s: finish that one, or empty the target. Nothing was changed",
			l.to.name, printable(found.From), l.from.name)
	}
	losses, err := l.to.log.Losses(ctx)
	if err != nil {
		return err
	}
	for _, loss := range losses.Open {
		if err := l.to.log.AcceptLoss(ctx, loss.Partition); err != nil {
			return err
		}
	}
	return nil
}

// checkEmpty refuses a target that holds anything.
func (l *logCopy) checkEmpty(ctx context.Context) error {
	status, err := l.to.log.Status(ctx)
	if err != nil {
		return err
	}
	commits, same := uint64(0), true
	for partition := range status.Partitions {
		commits += status.Partitions[partition].Head.Seq
		same = same && status.Partitions[partition].Head == l.heads[partition]
	}
	switch {
	case same:
		return fmt.Errorf("%s has the whole history of %s already, and the copy was finished: there is nothing to do", l.to.name, l.from.name)
	case commits > 0:
		return fmt.Errorf("%s has a history of its own of %s: name an empty log. Nothing was changed", l.to.name, countOf(commits, "commit", "commits"))
	}
	for partition := range status.Partitions {
		if err := l.checkUnused(ctx, eventlog.Partition(partition), &status.Partitions[partition]); err != nil {
			return err
		}
	}
	return nil
}

// checkUnused refuses a partition without commits that holds something else.
func (l *logCopy) checkUnused(ctx context.Context, partition eventlog.Partition, status *eventlog.PartitionStatus) error {
	values, err := l.to.log.Scan(ctx, partition, "")
	if err != nil {
		return err
	}
	records, err := l.to.log.Receipts(ctx, partition, time.Time{})
	if err != nil {
		return err
	}
	if status.Waiting+status.DeadLetters+status.Epoch > 0 || status.OpenLoss != nil || len(values)+len(records) > 0 {
		return fmt.Errorf("%s is used: partition %d has no commits, but values, records, messages or losses. Name an empty log. Nothing was changed", l.to.name, partition)
	}
	return nil
}

// checkPrefix makes sure that what the target holds is the beginning of the source's history.
func (l *logCopy) checkPrefix(ctx context.Context) error {
	heads, err := l.to.log.Heads(ctx)
	if err != nil {
		return err
	}
	losses, err := l.to.log.Losses(ctx)
	if err != nil {
		return err
	}
	for i, head := range heads {
		partition := eventlog.Partition(i)
		if losses.Epochs[partition] > l.epochs[partition] {
			return fmt.Errorf("%s has accepted more losses in partition %d than %s: it is no copy of it. Empty the target", l.to.name, partition, l.from.name)
		}
		if head.Seq > l.heads[partition].Seq {
			return fmt.Errorf("%s has %s in partition %d and %s only %d: it is no copy of it. Empty the target", l.to.name, countOf(head.Seq, "commit", "commits"), partition, l.from.name, l.heads[partition].Seq)
		}
		if head.Seq == 0 {
			continue
		}
		commits, err := l.from.log.Read(ctx, partition, []uint64{head.Seq})
		if err != nil {
			return err
		}
		if commits[0].Hash != head.Hash {
			return fmt.Errorf("%s has another commit %d in partition %d than %s: it is no copy of it. Empty the target", l.to.name, head.Seq, partition, l.from.name)
		}
		l.already += head.Seq
	}
	return nil
}

// keepEpochs accepts as many losses in the target as the source's operators have accepted, so that
// positions of before them stay invalid. A report takes the partition away, so this comes before the
// commits: from then on every partition is held until the copy is finished.
func (l *logCopy) keepEpochs(ctx context.Context) error {
	losses, err := l.to.log.Losses(ctx)
	if err != nil {
		return err
	}
	heads, err := l.to.log.Heads(ctx)
	if err != nil {
		return err
	}
	for i, epoch := range losses.Epochs {
		partition := eventlog.Partition(i)
		for ; epoch < l.epochs[partition]; epoch++ {
			l.to.leases[partition] = nil
			loss := eventlog.LostTailError{Partition: partition, Known: eventlog.Head{Seq: heads[partition].Seq + 1}, Stored: heads[partition]}
			if err := l.to.log.ReportLoss(ctx, loss); err != nil {
				return err
			}
			if err := l.to.log.AcceptLoss(ctx, partition); err != nil {
				return err
			}
		}
	}
	return l.to.take(ctx)
}
