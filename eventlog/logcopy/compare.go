package logcopy

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"tandem/eventlog"
)

// receiptAge is how long receipts count.
const receiptAge = 24 * time.Hour

// compare returns the values, dead letters and receipts of a partition that the target lacks, and all of the source.
func (c *copier) compare(ctx context.Context, partition eventlog.Partition) (missing, all eventlog.Batch, err error) {
	if all, err = c.readRest(ctx, c.source.log, partition); err != nil {
		return missing, all, err
	}
	stored, err := c.readRest(ctx, c.target.log, partition)
	if err != nil {
		return missing, all, err
	}
	missing.Puts = missingValues(all.Puts, stored.Puts)
	missing.Receipts = missingReceipts(all.Receipts, stored.Receipts)
	for i, letter := range stored.DeadLetters {
		if i >= len(all.DeadLetters) || !sameLetter(letter, all.DeadLetters[i]) {
			return missing, all, fmt.Errorf("partition %d of the target has dead letters that the source lacks: %w", partition, eventlog.ErrDamaged)
		}
	}
	missing.DeadLetters = all.DeadLetters[len(stored.DeadLetters):]
	return missing, all, nil
}

func sameLetter(a, b eventlog.DeadLetter) bool {
	return a.ID == b.ID && a.Reason == b.Reason && a.At.Equal(b.At) && bytes.Equal(a.Payload, b.Payload)
}

// readRest reads the content of a partition beside its commits, without the marker.
func (c *copier) readRest(ctx context.Context, log eventlog.Log, partition eventlog.Partition) (rest eventlog.Batch, err error) {
	values, err := log.Scan(ctx, partition, "")
	if err != nil {
		return rest, err
	}
	for _, kv := range values {
		if partition != markerPartition || kv.Key != markerKey {
			rest.Puts = append(rest.Puts, kv)
		}
	}
	if rest.DeadLetters, err = log.DeadLetters(ctx, partition); err != nil {
		return rest, err
	}
	rest.Receipts, err = log.Receipts(ctx, partition, c.started.Add(-receiptAge))
	return rest, err
}

// missingValues returns the puts and deletions that turn the stored values into all values.
func missingValues(all, stored []eventlog.KV) (missing []eventlog.KV) {
	values := make(map[string][]byte, len(stored))
	for _, kv := range stored {
		values[kv.Key] = kv.Value
	}
	for _, kv := range all {
		if value, found := values[kv.Key]; !found || !bytes.Equal(value, kv.Value) {
			missing = append(missing, kv)
		}
		delete(values, kv.Key)
	}
	for key := range values {
		missing = append(missing, eventlog.KV{Key: key})
	}
	return missing
}

// missingReceipts returns the receipts that are in all and not in stored.
func missingReceipts(all, stored []eventlog.Receipt) (missing []eventlog.Receipt) {
	type identity struct {
		command   eventlog.CommandID
		request   eventlog.Fingerprint
		seq       uint64
		at        int64
		rejection string
		rejected  bool
	}
	identify := func(receipt *eventlog.Receipt) identity {
		return identity{receipt.Command, receipt.Request, receipt.Seq, receipt.At.UnixMicro(), string(receipt.Rejection), receipt.Rejection != nil}
	}
	known := make(map[identity]bool, len(stored))
	for i := range stored {
		known[identify(&stored[i])] = true
	}
	for i := range all {
		if !known[identify(&all[i])] {
			missing = append(missing, all[i])
		}
	}
	return missing
}

// split makes batches of bounded size of one without commits.
func split(rest eventlog.Batch) (batches []eventlog.Batch) {
	size := 0
	batchFor := func(bytes int) *eventlog.Batch {
		if len(batches) == 0 || size+bytes > batchBytes {
			batches, size = append(batches, eventlog.Batch{}), 0
		}
		size += bytes
		return &batches[len(batches)-1]
	}
	for _, letter := range rest.DeadLetters {
		batch := batchFor(len(letter.ID) + len(letter.Reason) + len(letter.Payload))
		batch.DeadLetters = append(batch.DeadLetters, letter)
	}
	for _, kv := range rest.Puts {
		batch := batchFor(len(kv.Key) + len(kv.Value))
		batch.Puts = append(batch.Puts, kv)
	}
	for _, receipt := range rest.Receipts {
		batch := batchFor(64 + len(receipt.Rejection))
		batch.Receipts = append(batch.Receipts, receipt)
	}
	return batches
}
