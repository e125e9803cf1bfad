package sqlite

import (
	"database/sql/driver"
	"fmt"
	"slices"

	"tandem/eventlog"
)

// commitIndex locates every durable commit. Arrival numbers count all commits from 1; they are the row ids of table
// commits.
type commitIndex struct {
	partitions []uint8                       // of each commit, in order of arrival
	arrivals   [eventlog.Partitions][]uint64 // of each partition's commits, in order of seq
	heads      [eventlog.Partitions]eventlog.Head
}

// last returns the arrival number of the newest commit.
func (idx *commitIndex) last() uint64 { return uint64(len(idx.partitions)) }

func (idx *commitIndex) add(commit *eventlog.Commit) {
	idx.partitions = append(idx.partitions, uint8(commit.Partition))
	idx.arrivals[commit.Partition] = append(idx.arrivals[commit.Partition], idx.last())
	idx.heads[commit.Partition] = commit.Head()
}

// arrival returns the arrival number of a commit. It returns false if the commit does not exist.
func (idx *commitIndex) arrival(partition eventlog.Partition, seq uint64) (uint64, bool) {
	if seq == 0 || seq > uint64(len(idx.arrivals[partition])) {
		return 0, false
	}
	return idx.arrivals[partition][seq-1], true
}

// loadIndex reads the partitions of all commits and verifies the head of each partition.
func loadIndex(conn *connection, reader *readConnection, perRow int) (*commitIndex, error) {
	index := &commitIndex{}
	if err := index.loadPartitions(conn, perRow); err != nil {
		return nil, err
	}
	var count [eventlog.Partitions]int
	for i, partition := range index.partitions {
		if partition >= eventlog.Partitions {
			return nil, fmt.Errorf("commit with arrival number %d: partition %d: %w; restore a backup", i+1, partition, eventlog.ErrDamaged)
		}
		count[partition]++
	}
	for partition, n := range count {
		index.arrivals[partition] = make([]uint64, 0, n+n/8+16)
	}
	for i, partition := range index.partitions {
		index.arrivals[partition] = append(index.arrivals[partition], uint64(i)+1)
	}
	return index, index.loadHeads(reader)
}

func (idx *commitIndex) loadPartitions(conn *connection, perRow int) error {
	err := conn.query("SELECT id, partitions FROM locations ORDER BY id", func(row []driver.Value) error {
		block, _ := row[1].([]byte)
		if row[0] != int64(len(idx.partitions)/perRow+1) || len(block) != perRow {
			return fmt.Errorf("row %v of table locations: %w; restore a backup", row[0], eventlog.ErrDamaged)
		}
		idx.partitions = append(idx.partitions, block...)
		return nil
	})
	if err != nil {
		return err
	}
	idx.partitions = slices.Grow(idx.partitions, len(idx.partitions)/8+perRow)
	return conn.query("SELECT id, partition FROM commits WHERE id > ? ORDER BY id", func(row []driver.Value) error {
		partition, _ := row[1].(int64)
		if row[0] != int64(len(idx.partitions))+1 || partition < 0 || partition >= eventlog.Partitions {
			return fmt.Errorf("commit with arrival number %v: %w; restore a backup", row[0], eventlog.ErrDamaged)
		}
		idx.partitions = append(idx.partitions, uint8(partition))
		return nil
	}, int64(len(idx.partitions)))
}

func (idx *commitIndex) loadHeads(reader *readConnection) error {
	for partition := range eventlog.Partition(eventlog.Partitions) {
		seq := uint64(len(idx.arrivals[partition]))
		if seq == 0 {
			continue
		}
		last, err := reader.commit(idx.arrivals[partition][seq-1], partition, seq)
		if err != nil {
			return err
		}
		idx.heads[partition] = last.Head()
	}
	return nil
}
