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

// Heads returns the durable heads of all partitions at one time.
func (l *Log) Heads(ctx context.Context) (eventlog.Positions, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.index.heads, l.checkOpen(ctx)
}

// nodeName identifies this process.
func nodeName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return fmt.Sprintf("%s:%d", host, os.Getpid())
}

// Status describes the log. Its only node is this process. Bytes is the size of the file and the write-ahead file.
func (l *Log) Status(ctx context.Context) (eventlog.Status, error) {
	file, node := l.readers.file, nodeName()
	status := eventlog.Status{Kind: "sqlite", Location: file, Durability: "disk", Nodes: []string{node}}
	err := l.queryRows(ctx, "SELECT partition, count(*) FROM dead_letters GROUP BY partition", func(row []driver.Value) {
		partition, _ := row[0].(int64)
		count, _ := row[1].(int64)
		if partition >= 0 && partition < eventlog.Partitions {
			status.Partitions[partition].DeadLetters = uint64(count)
		}
	})
	if err != nil {
		return eventlog.Status{}, err
	}
	if status.Bytes, err = fileSizes(file, file+"-wal"); err != nil {
		return eventlog.Status{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for partition := range status.Partitions {
		l.describe(eventlog.Partition(partition), node, &status.Partitions[partition])
	}
	return status, l.checkOpen(ctx)
}

// describe fills in the fields that are in memory. The caller holds l.mu.
func (l *Log) describe(partition eventlog.Partition, node string, to *eventlog.PartitionStatus) {
	owned := &l.owners.partitions[partition]
	to.Head, to.Durable, to.Fence = l.index.heads[partition], l.index.heads[partition].Seq, owned.fence
	to.Epoch, to.OpenLoss = l.losses.epochs[partition], l.losses.open[partition]
	to.Waiting = l.commands.waiting(eventlog.Topic(partition))
	if owned.lease != nil {
		to.Owner = node
	}
}

// fileSizes returns the total size of the files that exist.
func fileSizes(files ...string) (sum uint64, err error) {
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
