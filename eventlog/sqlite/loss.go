package sqlite

import (
	"context"
	"database/sql/driver"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"tandem/eventlog"
)

// lossTable holds the reported and the accepted losses. They are also rows of table meta, which programs that do not
// use them leave alone.
type lossTable struct {
	changeMu sync.Mutex // held from reading the present state until its change is visible

	// Log.mu guards the following fields.
	open     [eventlog.Partitions]*eventlog.LostTailError
	epochs   [eventlog.Partitions]uint64
	reported []eventlog.LostTailError // since the log was opened, for followers
}

// Prefixes of the names of rows in table meta; the partition's number in two digits follows. An epoch is a number, a
// loss a storedLoss in JSON.
const (
	lossPrefix  = "loss "
	epochPrefix = "epoch "
)

// storedLoss is the JSON form of an open loss in table meta.
type storedLoss struct {
	Known  storedHead `json:"known"`
	Stored storedHead `json:"stored"`
}

type storedHead struct {
	Seq  uint64 `json:"seq"`
	Hash string `json:"hash"` // hexadecimal
}

func storeHead(head eventlog.Head) storedHead { return storedHead{head.Seq, head.Hash.String()} }

func (h storedHead) head() (head eventlog.Head, ok bool) {
	hash, err := hex.DecodeString(h.Hash)
	head.Seq = h.Seq
	return head, err == nil && len(hash) == copy(head.Hash[:], hash) && len(hash) == len(head.Hash)
}

// load reads the losses and epochs of earlier runs.
func (t *lossTable) load(conn *connection) error {
	return conn.query("SELECT name, value FROM meta WHERE name LIKE 'loss %' OR name LIKE 'epoch %'", func(row []driver.Value) error {
		name, _ := row[0].(string)
		if !t.loadRow(name, row[1]) {
			return fmt.Errorf("row '%s' of table meta: %w; restore a backup", name, eventlog.ErrDamaged)
		}
		return nil
	})
}

func (t *lossTable) loadRow(name string, value driver.Value) (ok bool) {
	prefix, digits, _ := strings.Cut(name, " ")
	partition, err := strconv.ParseUint(digits, 10, 8)
	if err != nil || partition >= eventlog.Partitions {
		return false
	}
	if prefix+" " == epochPrefix {
		epoch, ok := value.(int64)
		t.epochs[partition] = uint64(epoch)
		return ok && epoch > 0
	}
	var stored storedLoss
	text, _ := value.(string)
	if json.Unmarshal([]byte(text), &stored) != nil {
		return false
	}
	loss := &eventlog.LostTailError{Partition: eventlog.Partition(partition)}
	known, found := false, false
	loss.Known, known = stored.Known.head()
	loss.Stored, found = stored.Stored.head()
	t.open[partition] = loss
	return known && found
}

// ReportLoss stores the loss in the file. Appends that were queued before it may still succeed.
func (l *Log) ReportLoss(ctx context.Context, loss eventlog.LostTailError) error {
	l.losses.changeMu.Lock()
	defer l.losses.changeMu.Unlock()
	open, _, err := l.openLoss(ctx, loss.Partition)
	if err != nil || open != nil && open.Known.Seq >= loss.Known.Seq {
		return err
	}
	value, err := json.Marshal(storedLoss{storeHead(loss.Known), storeHead(loss.Stored)})
	if err != nil {
		return err
	}
	if err := l.submitMeta(map[string]driver.Value{lossPrefix + partitionNumber(loss.Partition): string(value)}); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.losses.open[loss.Partition] = &loss
	l.losses.reported = append(l.losses.reported, loss)
	l.owners.partitions[loss.Partition].revoke()
	l.tail.wake()
	return nil
}

// AcceptLoss lets the partition continue with the commits of the file.
func (l *Log) AcceptLoss(ctx context.Context, partition eventlog.Partition) error {
	l.losses.changeMu.Lock()
	defer l.losses.changeMu.Unlock()
	open, epoch, err := l.openLoss(ctx, partition)
	if err != nil {
		return err
	}
	if open == nil {
		return fmt.Errorf("partition %d has no open loss", partition)
	}
	epoch++
	if err := l.submitMeta(map[string]driver.Value{lossPrefix + partitionNumber(partition): nil, epochPrefix + partitionNumber(partition): int64(epoch)}); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.losses.open[partition], l.losses.epochs[partition] = nil, epoch
	l.grant(partition)
	return nil
}

// openLoss returns the partition's open loss or nil, and its epoch. The error says why losses cannot be changed.
func (l *Log) openLoss(ctx context.Context, partition eventlog.Partition) (open *eventlog.LostTailError, epoch uint64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.checkOpen(ctx); err != nil {
		return nil, 0, err
	}
	return l.losses.open[partition], l.losses.epochs[partition], l.appendError()
}

// Losses returns the open losses and the number of accepted ones.
func (l *Log) Losses(ctx context.Context) (found eventlog.Losses, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	found.Epochs = l.losses.epochs
	for _, loss := range l.losses.open {
		if loss != nil {
			found.Open = append(found.Open, *loss)
		}
	}
	return found, l.checkOpen(ctx)
}

func partitionNumber(partition eventlog.Partition) string { return fmt.Sprintf("%02d", partition) }

// submitMeta writes rows of table meta through the writer; nil deletes one.
func (l *Log) submitMeta(rows map[string]driver.Value) error {
	request := &writeRequest{meta: rows, done: make(chan error, 1)}
	if !l.writer.queue.put(request) {
		return errClosed()
	}
	return <-request.done
}

func (w *fileWriter) writeMeta(rows map[string]driver.Value) error {
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

// reportedLosses joins the losses of followed partitions that were reported since the call of Follow.
func (f *followSession) reportedLosses() error {
	f.log.mu.Lock()
	defer f.log.mu.Unlock()
	var lost []error
	for _, loss := range f.log.losses.reported[f.reportsSeen:] {
		if !f.skipped[loss.Partition] {
			lost = append(lost, &loss)
		}
	}
	return errors.Join(lost...)
}
