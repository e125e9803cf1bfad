package sqlite

import (
	"database/sql/driver"
	"slices"

	"tandem/eventlog"
)

// fileWriter is the goroutine that writes to the file. Its heads and checkpoints include the transaction under way. A
// failed transaction is the last one, so they never need a rollback.
type fileWriter struct {
	log   *Log
	queue *writeQueue
	ended chan struct{}

	conn                *connection
	statements          statements
	heads               [eventlog.Partitions]eventlog.Head
	checkpoints         [eventlog.Partitions]eventlog.Offset // of the partitions' topics
	partitions          []uint8                              // of the commits after the last row of table locations
	lastArrival         uint64                               // arrival number of the newest commit
	uncheckpointedBytes int                                  // bytes written since the last checkpoint of the file
	walHoldsErased      bool                                 // the write-ahead file still has erased data
	groupsSinceTrim     int                                  // groups with receipts since the last trim
	receiptRow          int64                                // number of the newest row of table records
}

// statements are the prepared statements of a transaction.
type statements struct {
	begin, commit, commits, locations, receipts, trim, deadLetters, put, drop, setMeta, dropMeta, checkpoint *preparedStmt
}

func newFileWriter(log *Log, conn *connection) (*fileWriter, error) {
	settled := len(log.index.partitions) / log.cfg.limits.locationCommits * log.cfg.limits.locationCommits
	writer := &fileWriter{
		log: log, queue: newWriteQueue(), ended: make(chan struct{}), conn: conn,
		heads: log.index.heads, lastArrival: log.index.last(),
		partitions: append([]uint8(nil), log.index.partitions[settled:]...),
	}
	if err := writer.prepare(); err != nil {
		return nil, err
	}
	return writer, writer.loadReceipts()
}

func (w *fileWriter) prepare() error {
	stmts := &w.statements
	for _, target := range []struct {
		to  **preparedStmt
		sql string
	}{
		{&stmts.begin, "BEGIN IMMEDIATE"},
		{&stmts.commit, "COMMIT"},
		{&stmts.commits, "INSERT INTO commits VALUES (?, ?, ?, ?, ?, ?)"},
		{&stmts.locations, "INSERT INTO locations VALUES (?, ?)"},
		{&stmts.receipts, "INSERT INTO records VALUES (?, ?, ?)"},
		{&stmts.trim, "DELETE FROM records WHERE id IN (SELECT id FROM records ORDER BY id LIMIT ?) AND newest < ?"},
		{&stmts.deadLetters, "INSERT INTO dead_letters (partition, message, reason, at, payload) VALUES (?, ?, ?, ?, coalesce(?, x''))"},
		{&stmts.put, "INSERT INTO kv VALUES (?, ?, coalesce(?, x'')) ON CONFLICT DO UPDATE SET value = excluded.value"},
		{&stmts.drop, "DELETE FROM kv WHERE partition = ? AND key = ?"},
		{&stmts.setMeta, "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"},
		{&stmts.dropMeta, "DELETE FROM meta WHERE name = ?"},
		{&stmts.checkpoint, "PRAGMA wal_checkpoint(PASSIVE)"},
	} {
		var err error
		if *target.to, err = w.conn.prepare(target.sql); err != nil {
			return err
		}
	}
	return nil
}

// run writes groups until the queue is closed and empty.
func (w *fileWriter) run() {
	defer close(w.ended)
	var group, fitting []*writeRequest
	for {
		group = w.queue.take(group[:0], w.log.cfg.limits)
		if len(group) == 0 {
			return
		}
		fitting = w.selectFitting(fitting[:0], group)
		stored := w.commitGroup(fitting)
		// Refused requests wait too: a caller that reads the head again must find the commit that it conflicts with.
		for _, request := range group {
			request.done <- request.err
		}
		if stored {
			w.checkpointIfDue()
		}
		clear(group)
		clear(fitting)
	}
}

// commitGroup stores and publishes a group. It returns false if there was none or it failed.
func (w *fileWriter) commitGroup(group []*writeRequest) bool {
	if len(group) == 0 {
		return false
	}
	err := w.writeGroup(group)
	if err != nil {
		err = w.log.stop(err)
	} else {
		w.log.publish(group)
	}
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	for _, request := range group {
		request.err = err
		if request.meta != nil {
			continue
		}
		w.log.owners.partitions[request.batch.Partition].writing = false
		w.log.grant(request.batch.Partition)
	}
	return err == nil
}

// close waits until every queued request is answered.
func (w *fileWriter) close() {
	w.queue.close()
	<-w.ended
}

// selectFitting appends to fitting the requests that continue the stored state, and sets the error of the others.
func (w *fileWriter) selectFitting(fitting, group []*writeRequest) []*writeRequest {
	log := w.log
	log.mu.Lock()
	defer log.mu.Unlock()
	for _, request := range group {
		if request.err = log.writeError; request.err == nil && request.meta == nil {
			request.err = w.checkBatch(&request.batch)
		}
		if request.err == nil && request.meta != nil {
			fitting = append(fitting, request)
		} else if request.err == nil {
			log.owners.partitions[request.batch.Partition].writing = true
			fitting = append(fitting, request)
		}
	}
	return fitting
}

// checkBatch returns an error unless the batch continues the stored state and the transaction under way, and moves the
// writer's head and checkpoint. The caller holds Log.mu.
func (w *fileWriter) checkBatch(batch *eventlog.Batch) error {
	head, checkpoint := &w.heads[batch.Partition], &w.checkpoints[batch.Partition]
	switch {
	case !w.log.owners.isOwner(batch.Partition, batch.Fence):
		return conflict(*batch, "fencing token %d is not the owner's", batch.Fence)
	case *head != batch.Head:
		return conflict(*batch, "the head is at %d, expected %d", head.Seq, batch.Head.Seq)
	case *checkpoint != batch.From:
		return conflict(*batch, "the checkpoint is at %d, expected %d", *checkpoint, batch.From)
	case batch.To.Compare(batch.From) < 0:
		return conflict(*batch, "the checkpoint would move back to %d", batch.To)
	}
	if n := len(batch.Commits); n > 0 {
		*head = batch.Commits[n-1].Head()
	}
	*checkpoint = batch.To
	return nil
}

// writeGroup writes the group in one transaction, unless all of it is volatile.
func (w *fileWriter) writeGroup(group []*writeRequest) error {
	durable := false
	for _, request := range group {
		durable = durable || request.durable()
	}
	if !durable {
		return nil
	}
	err := w.statements.begin.exec()
	if err == nil {
		err = w.writeRequests(group)
	}
	erases := slices.ContainsFunc(group, func(request *writeRequest) bool { return request.batch.Erases() })
	if err == nil && erases {
		err = w.rewriteValues()
	}
	if err == nil {
		err = w.statements.commit.exec()
	}
	if err == nil && erases {
		err = w.emptyWAL() // before the append returns
	}
	if err != nil {
		// The file stays readable. SQLite may have ended the transaction already, so the error of the rollback is
		// meaningless.
		_ = w.conn.exec("ROLLBACK")
	}
	return err
}

func (w *fileWriter) writeRequests(group []*writeRequest) error {
	var receipts packedReceipts
	for _, request := range group {
		if err := w.writeCommits(request); err != nil {
			return err
		}
		if err := w.writeOthers(&request.batch); err != nil {
			return err
		}
		if err := w.writeMeta(request.meta); err != nil {
			return err
		}
		receipts.add(&request.batch)
		w.uncheckpointedBytes += request.bytes
	}
	w.uncheckpointedBytes += 3 * pageSize // pages that were written but not filled
	return w.writeReceipts(receipts)
}

func (w *fileWriter) writeCommits(request *writeRequest) error {
	for i := range request.batch.Commits {
		commit := &request.batch.Commits[i]
		w.lastArrival++
		w.partitions = append(w.partitions, uint8(commit.Partition))
		err := w.statements.commits.exec(int64(w.lastArrival), int64(commit.Partition), int64(commit.Seq), commit.Stream, commit.RecordedAt.UnixMicro(), request.frames[i])
		if err != nil {
			return err
		}
		if err := w.writeLocations(); err != nil {
			return err
		}
	}
	return nil
}

// writeLocations writes a row of table locations when it is complete.
func (w *fileWriter) writeLocations() error {
	perRow := w.log.cfg.limits.locationCommits
	if len(w.partitions) < perRow {
		return nil
	}
	err := w.statements.locations.exec(int64(w.lastArrival)/int64(perRow), w.partitions)
	w.partitions = w.partitions[:0]
	return err
}

func (w *fileWriter) writeOthers(batch *eventlog.Batch) error {
	for _, letter := range batch.DeadLetters {
		if err := w.statements.deadLetters.exec(int64(batch.Partition), letter.ID, letter.Reason, letter.At.UnixMicro(), letter.Payload); err != nil {
			return err
		}
	}
	for _, kv := range batch.Puts {
		var err error
		if kv.Value == nil {
			err = w.statements.drop.exec(int64(batch.Partition), kv.Key)
		} else {
			err = w.statements.put.exec(int64(batch.Partition), kv.Key, kv.Value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkpointIfDue moves the write-ahead file into the database when enough was written. The writer does this, and not
// SQLite within COMMIT, which would hide errors. An error stops the log; the next append returns it.
func (w *fileWriter) checkpointIfDue() {
	if w.uncheckpointedBytes < w.log.cfg.limits.walBytes {
		return
	}
	w.uncheckpointedBytes = 0
	begin := w.restartWAL
	if w.walHoldsErased {
		begin = w.emptyWAL
	}
	if err := begin(); err != nil {
		_ = w.log.stop(err) // the next append returns the error
	}
}

// restartWAL lets the write-ahead file restart with the next transaction, unless a reader uses it. When that has
// failed for too long, it blocks readers.
func (w *fileWriter) restartWAL() error {
	frames, err := w.checkpoint()
	if err != nil || frames < int64(w.log.cfg.limits.walFrames) {
		return err
	}
	w.log.readers.gate.Lock()
	defer w.log.readers.gate.Unlock()
	_, err = w.checkpoint()
	return err
}

// checkpoint moves the pages that no reader needs, and returns the number of pages in the write-ahead file.
func (w *fileWriter) checkpoint() (frames int64, err error) {
	err = w.statements.checkpoint.query(func(row []driver.Value) error {
		frames, _ = row[1].(int64)
		return nil
	})
	return frames, err
}
