package main

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"tandem/eventlog"
)

// How much is read and written at once, and of how many partitions. What is on its way at one time
// fits into a fraction of the time that a server is given for an answer.
const (
	batchCommits   = 500
	batchBytes     = 1 << 20
	partitionsOnce = 4
)

// recordsSince is how long records count.
const recordsSince = 24 * time.Hour

// tally counts what a log holds.
type tally struct {
	commits, events, bytes, values, letters, records atomic.Uint64
}

// transfer copies every partition: its commits, and then what belongs to it.
func (l *logCopy) transfer(ctx context.Context, _ context.CancelCauseFunc) error {
	progress := newMeter(l.stderr, "Copying", l.commits(), l.already)
	defer progress.end()
	return eachPartition(ctx, func(ctx context.Context, partition eventlog.Partition) error {
		writer, err := l.chainEnd(ctx, partition)
		if err != nil {
			return err
		}
		err = pages(ctx, l.from.log, partition, writer.head.Seq, l.heads[partition].Seq, func(commits []eventlog.Commit, _ int) error {
			if err := writer.append(ctx, eventlog.Batch{Commits: commits}); err != nil {
				return err
			}
			progress.add(len(commits))
			return nil
		})
		if err != nil {
			return err
		}
		return l.transferRest(ctx, writer)
	})
}

// transferRest writes what the target lacks beside commits. It looks what is there, so that a copy that
// was interrupted here neither doubles nor loses anything.
func (l *logCopy) transferRest(ctx context.Context, writer *chainEnd) error {
	missing, _, err := l.compare(ctx, writer.p)
	if err != nil {
		return err
	}
	for _, batch := range split(missing) {
		if err := writer.append(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

// verify reads the target again and checks every commit and everything else.
func (l *logCopy) verify(ctx context.Context, _ context.CancelCauseFunc) error {
	progress := newMeter(l.stderr, "Checking", l.commits(), 0)
	defer progress.end()
	err := eachPartition(ctx, func(ctx context.Context, partition eventlog.Partition) error {
		head := eventlog.Head{}
		err := pages(ctx, l.to.log, partition, 0, l.heads[partition].Seq, func(commits []eventlog.Commit, size int) error {
			for i := range commits {
				if err := commits[i].Verify(head); err != nil {
					return err
				}
				head = commits[i].Head()
				l.found.events.Add(uint64(len(commits[i].Events)))
			}
			l.found.commits.Add(uint64(len(commits)))
			l.found.bytes.Add(uint64(size))
			progress.add(len(commits))
			return nil
		})
		if err == nil && head != l.heads[partition] {
			err = fmt.Errorf("partition %d ends with another commit %d than the source: %w", partition, head.Seq, eventlog.ErrDamaged)
		}
		if err != nil {
			return err
		}
		return l.verifyRest(ctx, partition)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", l.to.name, err)
	}
	return l.verifyEnds(ctx)
}

func (l *logCopy) verifyRest(ctx context.Context, partition eventlog.Partition) error {
	missing, there, err := l.compare(ctx, partition)
	if err != nil {
		return err
	}
	if n := len(missing.Puts) + len(missing.DeadLetters) + len(missing.Receipts); n > 0 {
		return fmt.Errorf("partition %d lacks %d values, dead letters or records: %w", partition, n, eventlog.ErrDamaged)
	}
	l.found.values.Add(uint64(len(there.Puts)))
	l.found.letters.Add(uint64(len(there.DeadLetters)))
	l.found.records.Add(uint64(len(there.Receipts)))
	return nil
}

func (l *logCopy) verifyEnds(ctx context.Context) error {
	heads, err := l.to.log.Heads(ctx)
	if err != nil {
		return err
	}
	losses, err := l.to.log.Losses(ctx)
	if err != nil {
		return err
	}
	if heads != l.heads || losses.Epochs != l.epochs || len(losses.Open) > 0 {
		return fmt.Errorf("%s: its ends are not the source's: %w", l.to.name, eventlog.ErrDamaged)
	}
	return nil
}

// commits is how many the source has.
func (l *logCopy) commits() (n uint64) {
	for _, head := range l.heads {
		n += head.Seq
	}
	return n
}

// eachPartition calls f for every partition, for some of them at the same time. The first error ends it.
func eachPartition(ctx context.Context, visit func(context.Context, eventlog.Partition) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Uint32
	var all sync.WaitGroup
	for range partitionsOnce {
		all.Go(func() {
			for partition := next.Add(1) - 1; partition < eventlog.Partitions && ctx.Err() == nil; partition = next.Add(1) - 1 {
				if err := visit(ctx, eventlog.Partition(partition)); err != nil {
					cancel(err) // the first one counts
				}
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// pages calls f with the commits after the first number up to the last, some at a time, and the size
// of their frames. Only a single commit can be larger than a batch should be.
func pages(ctx context.Context, log eventlog.Log, partition eventlog.Partition, after, last uint64, visit func([]eventlog.Commit, int) error) error {
	var frame []byte
	for most := uint64(batchCommits); after < last; {
		seqs := make([]uint64, min(most, last-after))
		for i := range seqs {
			seqs[i] = after + uint64(i) + 1
		}
		commits, err := log.Read(ctx, partition, seqs)
		if err != nil {
			return err
		}
		begin, size, total := 0, 0, 0
		for i := range commits {
			frame = commits[i].AppendFrame(frame[:0])
			if size > 0 && size+len(frame) > batchBytes {
				if err := visit(commits[begin:i:i], size); err != nil {
					return err
				}
				begin, size = i, 0
			}
			size, total = size+len(frame), total+len(frame)
		}
		if err := visit(commits[begin:], size); err != nil {
			return err
		}
		after += uint64(len(seqs))
		most = min(batchCommits, max(1, uint64(len(seqs))*batchBytes/uint64(total))) // as many as are likely to fit
	}
	return nil
}

// chainEnd is where the next batch of a partition of the target goes.
type chainEnd struct {
	log   eventlog.Log
	p     eventlog.Partition
	fence uint64
	head  eventlog.Head
	done  eventlog.Offset
}

func (l *logCopy) chainEnd(ctx context.Context, partition eventlog.Partition) (*chainEnd, error) {
	head, err := l.to.log.Head(ctx, partition)
	if err != nil {
		return nil, err
	}
	done, err := l.to.log.Checkpoint(ctx, eventlog.Topic(partition))
	return &chainEnd{l.to.log, partition, l.to.leases[partition].Fence(), head, done}, err
}

func (w *chainEnd) append(ctx context.Context, batch eventlog.Batch) error {
	batch.Partition, batch.Fence, batch.Head, batch.From, batch.To = w.p, w.fence, w.head, w.done, w.done
	if err := w.log.Append(ctx, batch); err != nil {
		return err
	}
	if n := len(batch.Commits); n > 0 {
		w.head = batch.Commits[n-1].Head()
	}
	return nil
}

// compare returns the values, dead letters and records of a partition that the target lacks, and
// those of the source.
func (l *logCopy) compare(ctx context.Context, partition eventlog.Partition) (missing, all eventlog.Batch, err error) {
	if all, err = l.rest(ctx, l.from.log, partition); err != nil {
		return missing, all, err
	}
	there, err := l.rest(ctx, l.to.log, partition)
	if err != nil {
		return missing, all, err
	}
	missing.Puts = missingValues(all.Puts, there.Puts)
	missing.Receipts = missingRecords(all.Receipts, there.Receipts)
	for i, letter := range there.DeadLetters {
		if i >= len(all.DeadLetters) || !sameLetter(letter, all.DeadLetters[i]) {
			return missing, all, fmt.Errorf("partition %d of the target has dead letters that the source has not: %w", partition, eventlog.ErrDamaged)
		}
	}
	missing.DeadLetters = all.DeadLetters[len(there.DeadLetters):]
	return missing, all, nil
}

func sameLetter(left, right eventlog.DeadLetter) bool {
	return left.ID == right.ID && left.Reason == right.Reason && left.At.Equal(right.At) && bytes.Equal(left.Payload, right.Payload)
}

// rest reads what a partition holds beside commits, without the mark of a copy.
func (l *logCopy) rest(ctx context.Context, log eventlog.Log, partition eventlog.Partition) (batch eventlog.Batch, err error) {
	values, err := log.Scan(ctx, partition, "")
	if err != nil {
		return batch, err
	}
	for _, kv := range values {
		if partition != markerPartition || kv.Key != markerKey {
			batch.Puts = append(batch.Puts, kv)
		}
	}
	if batch.DeadLetters, err = log.DeadLetters(ctx, partition); err != nil {
		return batch, err
	}
	batch.Receipts, err = log.Receipts(ctx, partition, l.begun.Add(-recordsSince))
	return batch, err
}

// missingValues returns what turns the one set of values into the other.
func missingValues(all, there []eventlog.KV) (missing []eventlog.KV) {
	had := make(map[string][]byte, len(there))
	for _, kv := range there {
		had[kv.Key] = kv.Value
	}
	for _, kv := range all {
		if value, found := had[kv.Key]; !found || !bytes.Equal(value, kv.Value) {
			missing = append(missing, kv)
		}
		delete(had, kv.Key)
	}
	for key := range had {
		missing = append(missing, eventlog.KV{Key: key})
	}
	return missing
}

// missingRecords returns the records that are in the one list and not in the other.
func missingRecords(all, there []eventlog.Receipt) (missing []eventlog.Receipt) {
	type identity struct {
		command  eventlog.CommandID
		request  eventlog.Fingerprint
		seq      uint64
		at       int64
		problem  string
		rejected bool
	}
	of := func(receipt *eventlog.Receipt) identity {
		return identity{receipt.Command, receipt.Request, receipt.Seq, receipt.At.UnixMicro(), string(receipt.Rejection), receipt.Rejection != nil}
	}
	had := make(map[identity]bool, len(there))
	for i := range there {
		had[of(&there[i])] = true
	}
	for i := range all {
		if !had[of(&all[i])] {
			missing = append(missing, all[i])
		}
	}
	return missing
}

// split makes batches of bounded size of one without commits.
func split(rest eventlog.Batch) (batches []eventlog.Batch) {
	size := 0
	room := func(bytes int) *eventlog.Batch {
		if len(batches) == 0 || size+bytes > batchBytes {
			batches, size = append(batches, eventlog.Batch{}), 0
		}
		size += bytes
		return &batches[len(batches)-1]
	}
	for _, letter := range rest.DeadLetters {
		batch := room(len(letter.ID) + len(letter.Reason) + len(letter.Payload))
		batch.DeadLetters = append(batch.DeadLetters, letter)
	}
	for _, kv := range rest.Puts {
		batch := room(len(kv.Key) + len(kv.Value))
		batch.Puts = append(batch.Puts, kv)
	}
	for _, receipt := range rest.Receipts {
		batch := room(64 + len(receipt.Rejection))
		batch.Receipts = append(batch.Receipts, receipt)
	}
	return batches
}
