package sqlite

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"tandem/eventlog"
)

// losses is what was reported as lost, and accepted. Log.mu guards it; the file has it in table meta.
type losses struct {
	open     [eventlog.Partitions]*eventlog.LostTailError
	epochs   [eventlog.Partitions]uint64
	reported []eventlog.LostTailError // since the log was opened, for followers
}

// The names of a partition's rows in table meta.
const (
	lossPrefix  = "loss "
	epochPrefix = "epoch "
)

// loadLosses reads what was reported and accepted before.
func loadLosses(c *conn) (found losses, err error) {
	err = c.query("SELECT name, value FROM meta WHERE name LIKE 'loss %' OR name LIKE 'epoch %'", func(row []driver.Value) error {
		name, _ := row[0].(string)
		_, number, _ := strings.Cut(name, " ")
		p, err := strconv.ParseUint(number, 10, 8)
		if err != nil || p >= eventlog.Partitions {
			return fmt.Errorf("row %q of table meta: %w", name, eventlog.ErrDamaged)
		}
		switch value := row[1].(type) {
		case int64:
			found.epochs[p] = uint64(value)
		case string:
			found.open[p] = new(eventlog.LostTailError)
			err = json.Unmarshal([]byte(value), found.open[p])
		}
		return err
	})
	return found, err
}

// ReportLoss keeps the loss in the file.
func (l *Log) ReportLoss(_ context.Context, loss eventlog.LostTailError) error {
	l.mu.Lock()
	known := l.losses.open[loss.Partition]
	l.mu.Unlock()
	if known != nil && known.Known.Seq >= loss.Known.Seq {
		return nil
	}
	value, err := json.Marshal(loss)
	if err != nil {
		return err
	}
	if err := l.setMeta(map[string]driver.Value{lossPrefix + number(loss.Partition): string(value)}); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.losses.open[loss.Partition] = &loss
	l.losses.reported = append(l.losses.reported, loss)
	if o := &l.owners.partitions[loss.Partition]; o.lease != nil {
		close(o.lease.lost)
		o.lease = nil
	}
	l.tail.wake()
	return nil
}

// Losses returns what was reported and how many losses were accepted.
func (l *Log) Losses(ctx context.Context) (found eventlog.Losses, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	found.Epochs = l.losses.epochs
	for _, loss := range l.losses.open {
		if loss != nil {
			found.Open = append(found.Open, *loss)
		}
	}
	return found, l.open(ctx)
}

// AcceptLoss goes on with what the file holds.
func (l *Log) AcceptLoss(ctx context.Context, p eventlog.Partition) error {
	l.mu.Lock()
	err := l.open(ctx)
	if err == nil && l.losses.open[p] == nil {
		err = fmt.Errorf("partition %d has no loss to accept", p)
	}
	epoch := l.losses.epochs[p] + 1
	l.mu.Unlock()
	if err != nil {
		return err
	}
	err = l.setMeta(map[string]driver.Value{lossPrefix + number(p): nil, epochPrefix + number(p): int64(epoch)})
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.losses.open[p], l.losses.epochs[p] = nil, epoch
	l.grant(p)
	return nil
}

func number(p eventlog.Partition) string { return fmt.Sprintf("%02d", p) }

// setMeta writes rows of table meta through the writer; nil deletes one.
func (l *Log) setMeta(rows map[string]driver.Value) error {
	if err := l.Health(); err != nil {
		return err
	}
	r := &request{meta: rows, done: make(chan error, 1)}
	if !l.writer.queue.put(r) {
		return errClosed()
	}
	return <-r.done
}

func (w *writer) writeMeta(rows map[string]driver.Value) error {
	for name, value := range rows {
		statement, args := w.statements.setMeta, []driver.Value{name, value}
		if value == nil {
			statement, args = w.statements.dropMeta, args[:1]
		}
		if err := statement.exec(args...); err != nil {
			return err
		}
	}
	return nil
}

// lost joins the reports about followed partitions that came since the follower began.
func (f *follower) lost() error {
	f.log.mu.Lock()
	defer f.log.mu.Unlock()
	var lost []error
	for i, loss := range f.log.losses.reported {
		if i >= f.reported && !f.skipped[loss.Partition] {
			lost = append(lost, &loss)
		}
	}
	return errors.Join(lost...)
}

// Status describes the log; the file's size includes what is written ahead of it.
func (l *Log) Status(ctx context.Context) (eventlog.Status, error) {
	file, node := l.readers.file, fmt.Sprintf("process %d", os.Getpid())
	s := eventlog.Status{Kind: "sqlite", Place: file, Durability: "disk", Nodes: []string{node}}
	for _, name := range []string{file, file + "-wal"} {
		if info, err := os.Stat(name); err == nil {
			s.Bytes += uint64(info.Size())
		}
	}
	err := l.lookUp(ctx, "SELECT partition, count(*) FROM dead_letters GROUP BY partition", func(row []driver.Value) {
		p, _ := row[0].(int64)
		n, _ := row[1].(int64)
		s.Partitions[p].DeadLetters = uint64(n)
	})
	if err != nil {
		return s, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range s.Partitions {
		p, at := eventlog.Partition(i), &s.Partitions[i]
		at.Head, at.Durable = l.index.heads[p], l.index.heads[p].Seq
		at.Epoch, at.Loss = l.losses.epochs[p], l.losses.open[p]
		at.Waiting = l.inbox.waiting(eventlog.Topic(p))
		if lease := l.owners.partitions[p].lease; lease != nil {
			at.Owner, at.Fence = node, lease.fence
		}
	}
	return s, l.open(ctx)
}

// Heads returns the durable ends of all chains, as they are at one moment.
func (l *Log) Heads(ctx context.Context) (eventlog.Positions, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.index.heads, l.open(ctx)
}
