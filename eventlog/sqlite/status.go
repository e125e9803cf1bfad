package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"tandem/eventlog"
)

// Heads returns the durable ends of all chains, as they are at one moment.
func (l *Log) Heads(ctx context.Context) (eventlog.Positions, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.index.heads, l.open(ctx)
}

// nodeName tells this process from others.
func nodeName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return fmt.Sprintf("%s:%d", host, os.Getpid())
}

// Status describes the log. Its one node is this process; its bytes are those of the file and of what
// is written ahead of it.
func (l *Log) Status(ctx context.Context) (eventlog.Status, error) {
	file, node := l.readers.file, nodeName()
	s := eventlog.Status{Kind: "sqlite", Place: file, Durability: "disk", Nodes: []string{node}}
	err := l.lookUp(ctx, "SELECT partition, count(*) FROM dead_letters GROUP BY partition", func(row []driver.Value) {
		p, _ := row[0].(int64)
		n, _ := row[1].(int64)
		if p >= 0 && p < eventlog.Partitions {
			s.Partitions[p].DeadLetters = uint64(n)
		}
	})
	if err != nil {
		return eventlog.Status{}, err
	}
	if s.Bytes, err = size(file, file+"-wal"); err != nil {
		return eventlog.Status{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range s.Partitions {
		l.describe(eventlog.Partition(p), node, &s.Partitions[p])
	}
	return s, l.open(ctx)
}

// describe adds what is known without the file. The caller holds l.mu.
func (l *Log) describe(p eventlog.Partition, node string, to *eventlog.PartitionStatus) {
	o := &l.owners.partitions[p]
	to.Head, to.Durable, to.Fence = l.index.heads[p], l.index.heads[p].Seq, o.fence
	to.Epoch, to.Loss = l.losses.epochs[p], l.losses.open[p]
	to.Waiting = l.inbox.waiting(eventlog.Topic(p))
	if o.lease != nil {
		to.Owner = node
	}
}

// size adds up the files that exist.
func size(files ...string) (sum uint64, err error) {
	for _, file := range files {
		info, err := os.Stat(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, err
		}
		sum += uint64(info.Size())
	}
	return sum, nil
}
