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
	m := newMeter(l.stderr, "Copying", l.commits(), l.already)
	defer m.end()
	return eachPartition(ctx, func(ctx context.Context, p eventlog.Partition) error {
		w, err := l.chainEnd(ctx, p)
		if err != nil {
			return err
		}
		err = pages(ctx, l.from.log, p, w.head.Seq, l.heads[p].Seq, func(commits []eventlog.Commit, _ int) error {
			if err := w.append(ctx, eventlog.Batch{Commits: commits}); err != nil {
				return err
			}
			m.add(len(commits))
			return nil
		})
		if err != nil {
			return err
		}
		return l.transferRest(ctx, w)
	})
}

// transferRest writes what the target lacks beside commits. It looks what is there, so that a copy that
// was interrupted here neither doubles nor loses anything.
func (l *logCopy) transferRest(ctx context.Context, w *chainEnd) error {
	missing, _, err := l.compare(ctx, w.p)
	if err != nil {
		return err
	}
	for _, b := range split(missing) {
		if err := w.append(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// verify reads the target again and checks every commit and everything else.
func (l *logCopy) verify(ctx context.Context, _ context.CancelCauseFunc) error {
	m := newMeter(l.stderr, "Checking", l.commits(), 0)
	defer m.end()
	err := eachPartition(ctx, func(ctx context.Context, p eventlog.Partition) error {
		head := eventlog.Head{}
		err := pages(ctx, l.to.log, p, 0, l.heads[p].Seq, func(commits []eventlog.Commit, size int) error {
			for i := range commits {
				if err := commits[i].Verify(head); err != nil {
					return err
				}
				head = commits[i].Head()
				l.found.events.Add(uint64(len(commits[i].Events)))
			}
			l.found.commits.Add(uint64(len(commits)))
			l.found.bytes.Add(uint64(size))
			m.add(len(commits))
			return nil
		})
		if err == nil && head != l.heads[p] {
			err = fmt.Errorf("partition %d ends with another commit %d than the source: %w", p, head.Seq, eventlog.ErrDamaged)
		}
		if err != nil {
			return err
		}
		return l.verifyRest(ctx, p)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", l.to.name, err)
	}
	return l.verifyEnds(ctx)
}

func (l *logCopy) verifyRest(ctx context.Context, p eventlog.Partition) error {
	missing, there, err := l.compare(ctx, p)
	if err != nil {
		return err
	}
	if n := len(missing.Puts) + len(missing.DeadLetters) + len(missing.Records); n > 0 {
		return fmt.Errorf("partition %d lacks %d values, dead letters or records: %w", p, n, eventlog.ErrDamaged)
	}
	l.found.values.Add(uint64(len(there.Puts)))
	l.found.letters.Add(uint64(len(there.DeadLetters)))
	l.found.records.Add(uint64(len(there.Records)))
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
func eachPartition(ctx context.Context, f func(context.Context, eventlog.Partition) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Uint32
	var all sync.WaitGroup
	for range partitionsOnce {
		all.Go(func() {
			for p := next.Add(1) - 1; p < eventlog.Partitions && ctx.Err() == nil; p = next.Add(1) - 1 {
				if err := f(ctx, eventlog.Partition(p)); err != nil {
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
func pages(ctx context.Context, log eventlog.Log, p eventlog.Partition, after, last uint64, f func([]eventlog.Commit, int) error) error {
	var frame []byte
	for most := uint64(batchCommits); after < last; {
		seqs := make([]uint64, min(most, last-after))
		for i := range seqs {
			seqs[i] = after + uint64(i) + 1
		}
		commits, err := log.Read(ctx, p, seqs)
		if err != nil {
			return err
		}
		begin, size, total := 0, 0, 0
		for i := range commits {
			frame = commits[i].AppendFrame(frame[:0])
			if size > 0 && size+len(frame) > batchBytes {
				if err := f(commits[begin:i:i], size); err != nil {
					return err
				}
				begin, size = i, 0
			}
			size, total = size+len(frame), total+len(frame)
		}
		if err := f(commits[begin:], size); err != nil {
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

func (l *logCopy) chainEnd(ctx context.Context, p eventlog.Partition) (*chainEnd, error) {
	head, err := l.to.log.Head(ctx, p)
	if err != nil {
		return nil, err
	}
	done, err := l.to.log.Checkpoint(ctx, eventlog.Topic(p))
	return &chainEnd{l.to.log, p, l.to.leases[p].Fence(), head, done}, err
}

func (w *chainEnd) append(ctx context.Context, b eventlog.Batch) error {
	b.Partition, b.Fence, b.Head, b.From, b.To = w.p, w.fence, w.head, w.done, w.done
	if err := w.log.Append(ctx, b); err != nil {
		return err
	}
	if n := len(b.Commits); n > 0 {
		w.head = b.Commits[n-1].Head()
	}
	return nil
}

// compare returns the values, dead letters and records of a partition that the target lacks, and
// those of the source.
func (l *logCopy) compare(ctx context.Context, p eventlog.Partition) (missing, all eventlog.Batch, err error) {
	if all, err = l.rest(ctx, l.from.log, p); err != nil {
		return missing, all, err
	}
	there, err := l.rest(ctx, l.to.log, p)
	if err != nil {
		return missing, all, err
	}
	missing.Puts = missingValues(all.Puts, there.Puts)
	missing.Records = missingRecords(all.Records, there.Records)
	for i, d := range there.DeadLetters {
		if i >= len(all.DeadLetters) || !sameLetter(d, all.DeadLetters[i]) {
			return missing, all, fmt.Errorf("partition %d of the target has dead letters that the source has not: %w", p, eventlog.ErrDamaged)
		}
	}
	missing.DeadLetters = all.DeadLetters[len(there.DeadLetters):]
	return missing, all, nil
}

func sameLetter(a, b eventlog.DeadLetter) bool {
	return a.ID == b.ID && a.Reason == b.Reason && a.At.Equal(b.At) && bytes.Equal(a.Payload, b.Payload)
}

// rest reads what a partition holds beside commits, without the mark of a copy.
func (l *logCopy) rest(ctx context.Context, log eventlog.Log, p eventlog.Partition) (b eventlog.Batch, err error) {
	values, err := log.Scan(ctx, p, "")
	if err != nil {
		return b, err
	}
	for _, kv := range values {
		if p != markerPartition || kv.Key != markerKey {
			b.Puts = append(b.Puts, kv)
		}
	}
	if b.DeadLetters, err = log.DeadLetters(ctx, p); err != nil {
		return b, err
	}
	b.Records, err = log.Records(ctx, p, l.begun.Add(-recordsSince))
	return b, err
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
func missingRecords(all, there []eventlog.Record) (missing []eventlog.Record) {
	type identity struct {
		command  eventlog.CommandID
		request  eventlog.Fingerprint
		seq      uint64
		at       int64
		problem  string
		rejected bool
	}
	of := func(r *eventlog.Record) identity {
		return identity{r.Command, r.Request, r.Seq, r.At.UnixMicro(), string(r.Rejection), r.Rejection != nil}
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
	for _, d := range rest.DeadLetters {
		b := room(len(d.ID) + len(d.Reason) + len(d.Payload))
		b.DeadLetters = append(b.DeadLetters, d)
	}
	for _, kv := range rest.Puts {
		b := room(len(kv.Key) + len(kv.Value))
		b.Puts = append(b.Puts, kv)
	}
	for _, r := range rest.Records {
		b := room(64 + len(r.Rejection))
		b.Records = append(b.Records, r)
	}
	return batches
}
