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

// metas reads fields of all partitions; one that is missing is empty.
func (l *Log) metas(ctx context.Context, fields ...string) (all [eventlog.Partitions][]string, err error) {
	var got [eventlog.Partitions]*redis.SliceCmd
	_, err = l.client.Pipelined(ctx, func(pipeline redis.Pipeliner) error {
		for p := range got {
			got[p] = pipeline.HMGet(ctx, l.keys[p].meta, fields...)
		}
		return nil
	})
	if err != nil {
		return all, explain(err)
	}
	for p, cmd := range got {
		all[p] = make([]string, len(fields))
		for i, v := range cmd.Val() {
			all[p][i], _ = v.(string)
		}
	}
	return all, nil
}

// headFields are those of the durable end: of the chain, or of the mark.
func (l *Log) headFields() []string {
	if l.cfg.Durability == Replicated {
		return []string{"mseq", "mhash", "mout"}
	}
	return []string{"seq", "hash", "out"}
}

func parseHead(seq, hash string) (h eventlog.Head, err error) {
	if seq == "" || seq == "0" {
		return h, nil
	}
	if h.Seq, err = strconv.ParseUint(seq, 10, 64); err != nil || len(hash) != len(h.Hash) {
		return h, fmt.Errorf("the stored head %q: %w", seq, eventlog.ErrDamaged)
	}
	copy(h.Hash[:], hash)
	return h, nil
}

// Head returns the durable end of the partition's chain.
func (l *Log) Head(ctx context.Context, p eventlog.Partition) (eventlog.Head, error) {
	if err := l.open(ctx); err != nil {
		return eventlog.Head{}, err
	}
	got, err := l.client.HMGet(ctx, l.keys[p].meta, l.headFields()...).Result()
	if err != nil {
		return eventlog.Head{}, explain(err)
	}
	seq, _ := got[0].(string)
	hash, _ := got[1].(string)
	return parseHead(seq, hash)
}

// Heads returns the durable ends of all chains, in one round trip.
func (l *Log) Heads(ctx context.Context) (heads eventlog.Positions, err error) {
	if err := l.open(ctx); err != nil {
		return heads, err
	}
	got, err := l.metas(ctx, l.headFields()...)
	if err != nil {
		return heads, err
	}
	for p, fields := range got {
		if heads[p], err = parseHead(fields[0], fields[1]); err != nil {
			return heads, err
		}
	}
	return heads, nil
}

// Read returns the commits with the given numbers, each checked to be unaltered. Numbers that follow
// one another cost one command.
func (l *Log) Read(ctx context.Context, p eventlog.Partition, seqs []uint64) ([]eventlog.Commit, error) {
	head, err := l.Head(ctx, p)
	if err != nil {
		return nil, err
	}
	for _, seq := range seqs {
		if seq == 0 || seq > head.Seq {
			return nil, fmt.Errorf("partition %d has no commit %d, only 1 to %d", p, seq, head.Seq)
		}
	}
	commits := make([]eventlog.Commit, 0, len(seqs))
	for page := range slices.Chunk(runs(seqs), readRuns) {
		got := make([]*redis.XMessageSliceCmd, len(page))
		_, err := l.client.Pipelined(ctx, func(pipeline redis.Pipeliner) error {
			for i, r := range page {
				got[i] = pipeline.XRange(ctx, l.keys[p].log, commitID(r.first), commitID(r.last))
			}
			return nil
		})
		if err != nil {
			return nil, explain(err)
		}
		for i, r := range page {
			if commits, err = parseRun(commits, p, r, got[i].Val()); err != nil {
				return nil, err
			}
		}
	}
	return commits, nil
}

// readRuns is how many ranges one pipeline of Read asks for.
const readRuns = 256

// run is a range of sequence numbers.
type run struct{ first, last uint64 }

// maxRun bounds the commits that one range returns.
const maxRun = 256

func runs(seqs []uint64) (all []run) {
	for _, seq := range seqs {
		if n := len(all); n > 0 && all[n-1].last+1 == seq && seq-all[n-1].first < maxRun {
			all[n-1].last = seq
			continue
		}
		all = append(all, run{seq, seq})
	}
	return all
}

func parseRun(commits []eventlog.Commit, p eventlog.Partition, r run, entries []redis.XMessage) ([]eventlog.Commit, error) {
	if uint64(len(entries)) != r.last-r.first+1 {
		return nil, fmt.Errorf("partition %d: of the commits %d to %d only %d are there: %w; restore a backup", p, r.first, r.last, len(entries), eventlog.ErrDamaged)
	}
	for i, e := range entries {
		c, err := parseCommit(p, e)
		if err != nil {
			return nil, err
		}
		if err := c.Verify(eventlog.Head{Seq: r.first + uint64(i) - 1, Hash: c.Prev}); err != nil {
			return nil, err
		}
		commits = append(commits, *c)
	}
	return commits, nil
}

func commitID(seq uint64) string { return formatSeq(seq) + "-0" }

// parseCommit reads a log entry and checks that it is of the partition. It does not check the hash.
func parseCommit(p eventlog.Partition, e redis.XMessage) (*eventlog.Commit, error) {
	frame, _ := e.Values["c"].(string)
	c, err := eventlog.ParseFrame([]byte(frame))
	if err == nil && (c.Partition != p || e.ID != commitID(c.Seq)) {
		err = fmt.Errorf("it says it is commit %d of partition %d: %w", c.Seq, c.Partition, eventlog.ErrDamaged)
	}
	if err != nil {
		return nil, fmt.Errorf("partition %d: entry %s: %w", p, e.ID, err)
	}
	return &c, nil
}

// Records returns the partition's records since the given time, in the order of their arrival.
func (l *Log) Records(ctx context.Context, p eventlog.Partition, since time.Time) (found []eventlog.Record, err error) {
	err = l.scanStream(ctx, l.keys[p].records, "r", func(packed string) error {
		return unpackRecords(packed, func(r eventlog.Record) {
			if !r.At.Before(since) {
				found = append(found, r)
			}
		})
	})
	return found, err
}

// DeadLetters returns the partition's dead letters.
func (l *Log) DeadLetters(ctx context.Context, p eventlog.Partition) (found []eventlog.DeadLetter, err error) {
	err = l.scanStream(ctx, l.keys[p].deadLetters, "d", func(packed string) error {
		d, err := unpackLetter(packed)
		found = append(found, d)
		return err
	})
	return found, err
}

// scanPage is how many entries or values are read at once.
const scanPage = 1000

// scanStream calls add with one field of every entry of a stream, oldest first.
func (l *Log) scanStream(ctx context.Context, key, field string, add func(string) error) error {
	if err := l.open(ctx); err != nil {
		return err
	}
	for from := "-"; ; {
		entries, err := l.client.XRangeN(ctx, key, from, "+", scanPage).Result()
		if err != nil {
			return explain(err)
		}
		for _, e := range entries {
			value, _ := e.Values[field].(string)
			if err := add(value); err != nil {
				return err
			}
		}
		if len(entries) < scanPage {
			return nil
		}
		from = "(" + entries[len(entries)-1].ID
	}
}

// Get returns the value of a key.
func (l *Log) Get(ctx context.Context, p eventlog.Partition, key string) ([]byte, error) {
	if err := l.open(ctx); err != nil {
		return nil, err
	}
	value, err := l.client.HGet(ctx, l.keys[p].values, key).Result()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, explain(err)
	}
	return []byte(value), nil
}

// Scan returns the entries whose key begins with prefix. Values that change meanwhile may be of
// different moments.
func (l *Log) Scan(ctx context.Context, p eventlog.Partition, prefix string) ([]eventlog.KV, error) {
	if err := l.open(ctx); err != nil {
		return nil, err
	}
	values := make(map[string]string)
	for cursor := uint64(0); ; {
		page, next, err := l.client.HScan(ctx, l.keys[p].values, cursor, pattern(prefix), scanPage).Result()
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

// pattern is the glob of all keys with the prefix.
func pattern(prefix string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(prefix) + "*"
}
