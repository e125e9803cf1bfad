package sqlite

import (
	"database/sql/driver"
	"fmt"
	"slices"

	"tandem/eventlog"
)

// index knows the place of every durable commit. Commits are numbered by arrival, from 1; these
// numbers are the row ids of table commits.
type index struct {
	partitions []uint8                       // of each commit, in order of arrival
	arrivals   [eventlog.Partitions][]uint64 // of each partition's commits, in order of seq
	heads      [eventlog.Partitions]eventlog.Head
}

// last is the arrival number of the newest commit.
func (x *index) last() uint64 { return uint64(len(x.partitions)) }

func (x *index) add(c *eventlog.Commit) {
	x.partitions = append(x.partitions, uint8(c.Partition))
	x.arrivals[c.Partition] = append(x.arrivals[c.Partition], x.last())
	x.heads[c.Partition] = c.Head()
}

// arrival returns the number of a commit; false if there is no such commit.
func (x *index) arrival(p eventlog.Partition, seq uint64) (uint64, bool) {
	if seq == 0 || seq > uint64(len(x.arrivals[p])) {
		return 0, false
	}
	return x.arrivals[p][seq-1], true
}

// loadIndex reads the places of all commits and checks the last of every partition.
func loadIndex(c *conn, r *reader, perRow int) (*index, error) {
	x := &index{}
	if err := x.loadPartitions(c, perRow); err != nil {
		return nil, err
	}
	var count [eventlog.Partitions]int
	for i, p := range x.partitions {
		if p >= eventlog.Partitions {
			return nil, fmt.Errorf("commit %d by arrival is in partition %d: %w; restore a backup", i+1, p, eventlog.ErrDamaged)
		}
		count[p]++
	}
	for p, n := range count {
		x.arrivals[p] = make([]uint64, 0, n+n/8+16)
	}
	for i, p := range x.partitions {
		x.arrivals[p] = append(x.arrivals[p], uint64(i)+1)
	}
	return x, x.loadHeads(r)
}

func (x *index) loadPartitions(c *conn, perRow int) error {
	err := c.query("SELECT id, partitions FROM locations ORDER BY id", func(row []driver.Value) error {
		block, _ := row[1].([]byte)
		if row[0] != int64(len(x.partitions)/perRow+1) || len(block) != perRow {
			return fmt.Errorf("row %v of table locations: %w; restore a backup", row[0], eventlog.ErrDamaged)
		}
		x.partitions = append(x.partitions, block...)
		return nil
	})
	if err != nil {
		return err
	}
	x.partitions = slices.Grow(x.partitions, len(x.partitions)/8+perRow)
	return c.query("SELECT id, partition FROM commits WHERE id > ? ORDER BY id", func(row []driver.Value) error {
		p, _ := row[1].(int64)
		if row[0] != int64(len(x.partitions))+1 || p < 0 || p >= eventlog.Partitions {
			return fmt.Errorf("commit %v by arrival: %w; restore a backup", row[0], eventlog.ErrDamaged)
		}
		x.partitions = append(x.partitions, uint8(p))
		return nil
	}, int64(len(x.partitions)))
}

func (x *index) loadHeads(r *reader) error {
	for p := range eventlog.Partition(eventlog.Partitions) {
		n := uint64(len(x.arrivals[p]))
		if n == 0 {
			continue
		}
		last, err := r.commit(x.arrivals[p][n-1], p, n)
		if err != nil {
			return err
		}
		x.heads[p] = last.Head()
	}
	return nil
}
