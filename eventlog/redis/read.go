package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"tandem/eventlog"
)

// readMetas reads fields of the meta hashes of all partitions. A missing field is empty.
func (l *Log) readMetas(ctx context.Context, fields ...string) (all [eventlog.Partitions][]string, err error) {
	var got [eventlog.Partitions]*redis.SliceCmd
	_, err = l.client.Pipelined(ctx, func(pipeline redis.Pipeliner) error {
		for partition := range got {
			got[partition] = pipeline.HMGet(ctx, l.keys[partition].meta, fields...)
		}
		return nil
	})
	if err != nil {
		return all, explain(err)
	}
	for partition, cmd := range got {
		all[partition] = make([]string, len(fields))
		for i, value := range cmd.Val() {
			all[partition][i], _ = value.(string)
		}
	}
	return all, nil
}

// headFields returns the names of the fields of the durable head: that of the chain or, with Replicated, the durable
// mark.
func (l *Log) headFields() []string {
	if l.cfg.Durability == Replicated {
		return []string{"mseq", "mhash", "mout"}
	}
	return []string{"seq", "hash", "out"}
}

func parseHead(seq, hash string) (head eventlog.Head, err error) {
	if seq == "" || seq == "0" {
		return head, nil
	}
	if head.Seq, err = strconv.ParseUint(seq, 10, 64); err != nil || len(hash) != len(head.Hash) {
		return head, fmt.Errorf("the stored head %q: %w", seq, eventlog.ErrDamaged)
	}
	copy(head.Hash[:], hash)
	return head, nil
}

// Head returns the durable head of the partition.
func (l *Log) Head(ctx context.Context, partition eventlog.Partition) (eventlog.Head, error) {
	if err := l.checkOpen(ctx); err != nil {
		return eventlog.Head{}, err
	}
	got, err := l.client.HMGet(ctx, l.keys[partition].meta, l.headFields()...).Result()
	if err != nil {
		return eventlog.Head{}, explain(err)
	}
	seq, _ := got[0].(string)
	hash, _ := got[1].(string)
	return parseHead(seq, hash)
}

// Heads returns the durable heads of all partitions, in one round trip.
func (l *Log) Heads(ctx context.Context) (heads eventlog.Positions, err error) {
	if err := l.checkOpen(ctx); err != nil {
		return heads, err
	}
	got, err := l.readMetas(ctx, l.headFields()...)
	if err != nil {
		return heads, err
	}
	for partition, fields := range got {
		if heads[partition], err = parseHead(fields[0], fields[1]); err != nil {
			return heads, err
		}
	}
	return heads, nil
}

// Read returns the commits with the given numbers and checks their hashes. Consecutive numbers need one command.
func (l *Log) Read(ctx context.Context, partition eventlog.Partition, seqs []uint64) ([]eventlog.Commit, error) {
	head, err := l.Head(ctx, partition)
	if err != nil {
		return nil, err
	}
	for _, seq := range seqs {
		if seq == 0 || seq > head.Seq {
			return nil, fmt.Errorf("partition %d has no commit %d, only 1 to %d", partition, seq, head.Seq)
		}
	}
	commits := make([]eventlog.Commit, 0, len(seqs))
	for page := range slices.Chunk(seqRanges(seqs), rangesPerPipeline) {
		got := make([]*redis.XMessageSliceCmd, len(page))
		_, err := l.client.Pipelined(ctx, func(pipeline redis.Pipeliner) error {
			for i, span := range page {
				got[i] = pipeline.XRange(ctx, l.keys[partition].log, commitID(span.first), commitID(span.last))
			}
			return nil
		})
		if err != nil {
			return nil, explain(err)
		}
		for i, span := range page {
			if commits, err = parseRange(commits, partition, span, got[i].Val()); err != nil {
				return nil, err
			}
		}
	}
	return commits, nil
}

// rangesPerPipeline is the number of ranges in one pipeline of Read.
const rangesPerPipeline = 256

// seqRange is a range of sequence numbers.
type seqRange struct{ first, last uint64 }

// maxRange is the maximum number of commits in one range.
const maxRange = 256

func seqRanges(seqs []uint64) (all []seqRange) {
	for _, seq := range seqs {
		if n := len(all); n > 0 && all[n-1].last+1 == seq && seq-all[n-1].first < maxRange {
			all[n-1].last = seq
			continue
		}
		all = append(all, seqRange{seq, seq})
	}
	return all
}

func parseRange(commits []eventlog.Commit, partition eventlog.Partition, span seqRange, entries []redis.XMessage) ([]eventlog.Commit, error) {
	if uint64(len(entries)) != span.last-span.first+1 {
		return nil, fmt.Errorf("partition %d: of the commits %d to %d only %d exist: %w; restore a backup", partition, span.first, span.last, len(entries), eventlog.ErrDamaged)
	}
	for i, entry := range entries {
		commit, err := parseCommit(partition, entry)
		if err != nil {
			return nil, err
		}
		if err := commit.Verify(eventlog.Head{Seq: span.first + uint64(i) - 1, Hash: commit.Prev}); err != nil {
			return nil, err
		}
		commits = append(commits, *commit)
	}
	return commits, nil
}

func commitID(seq uint64) string { return formatSeq(seq) + "-0" }

// parseCommit parses an entry of a log stream and checks its partition and number. It does not check the hash.
func parseCommit(partition eventlog.Partition, entry redis.XMessage) (*eventlog.Commit, error) {
	frame, _ := entry.Values["c"].(string)
	commit, err := eventlog.ParseFrame([]byte(frame))
	if err == nil && (commit.Partition != partition || entry.ID != commitID(commit.Seq)) {
		err = fmt.Errorf("the entry has commit %d of partition %d: %w", commit.Seq, commit.Partition, eventlog.ErrDamaged)
	}
	if err != nil {
		return nil, fmt.Errorf("partition %d: entry %s: %w", partition, entry.ID, err)
	}
	return &commit, nil
}

// Receipts returns the partition's receipts since the given time, in order of arrival.
func (l *Log) Receipts(ctx context.Context, partition eventlog.Partition, since time.Time) (found []eventlog.Receipt, err error) {
	err = l.scanStream(ctx, l.keys[partition].receipts, "r", func(packed string) error {
		return unpackReceipts(packed, func(receipt eventlog.Receipt) {
			if !receipt.At.Before(since) {
				found = append(found, receipt)
			}
		})
	})
	return found, err
}

// DeadLetters returns the partition's dead letters.
func (l *Log) DeadLetters(ctx context.Context, partition eventlog.Partition) (found []eventlog.DeadLetter, err error) {
	err = l.scanStream(ctx, l.keys[partition].deadLetters, "d", func(packed string) error {
		letter, err := unpackDeadLetter(packed)
		found = append(found, letter)
		return err
	})
	return found, err
}

// scanCount is the number of entries or values in one read.
const scanCount = 1000

// scanStream calls add with one field of every entry of a stream, oldest first.
func (l *Log) scanStream(ctx context.Context, key, field string, add func(string) error) error {
	if err := l.checkOpen(ctx); err != nil {
		return err
	}
	for from := "-"; ; {
		entries, err := l.client.XRangeN(ctx, key, from, "+", scanCount).Result()
		if err != nil {
			return explain(err)
		}
		for _, entry := range entries {
			value, _ := entry.Values[field].(string)
			if err := add(value); err != nil {
				return err
			}
		}
		if len(entries) < scanCount {
			return nil
		}
		from = "(" + entries[len(entries)-1].ID
	}
}

// Get returns the value of a key.
func (l *Log) Get(ctx context.Context, partition eventlog.Partition, key string) ([]byte, error) {
	if err := l.checkOpen(ctx); err != nil {
		return nil, err
	}
	value, err := l.client.HGet(ctx, l.keys[partition].values, key).Result()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, explain(err)
	}
	return []byte(value), nil
}

// Scan returns the entries whose key starts with prefix, in the order of their keys. Values that change during the
// call may be of different times.
func (l *Log) Scan(ctx context.Context, partition eventlog.Partition, prefix string) ([]eventlog.KV, error) {
	if err := l.checkOpen(ctx); err != nil {
		return nil, err
	}
	values := make(map[string]string)
	for cursor := uint64(0); ; {
		page, next, err := l.client.HScan(ctx, l.keys[partition].values, cursor, prefixPattern(prefix), scanCount).Result()
		if err != nil {
			return nil, explain(err)
		}
		for i := 0; i+1 < len(page); i += 2 {
			values[page[i]] = page[i+1]
		}
		if cursor = next; cursor == 0 {
			break
		}
	}
	var found []eventlog.KV
	for key, value := range values {
		found = append(found, eventlog.KV{Key: key, Value: []byte(value)})
	}
	slices.SortFunc(found, func(a, b eventlog.KV) int { return strings.Compare(a.Key, b.Key) })
	return found, nil
}

// prefixPattern returns the glob pattern of all keys with the prefix.
func prefixPattern(prefix string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(prefix) + "*"
}
