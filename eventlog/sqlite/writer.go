package sqlite

import (
	"database/sql/driver"
	"slices"

	"tandem/eventlog"
)

// writer is the only goroutine that writes to the file. It is ahead of the published state by the
// transaction under way; as a failed one is the last, it never has to go back.
type writer struct {
	log   *Log
	queue *queue
	ended chan struct{}

	conn        *conn
	statements  statements
	heads       [eventlog.Partitions]eventlog.Head
	checkpoints [eventlog.Partitions]eventlog.Offset // of the partitions' topics
	partitions  []uint8                              // of the commits after the last row of locations
	arrived     uint64                               // number of the newest commit
	unsettled   int                                  // bytes written since the last checkpoint of the file
	uncut       bool                                 // something was erased, and the write-ahead file still has it
	untrimmed   int                                  // groups with records since the last trim
	recordRow   int64                                // number of the newest row of records
}

// statements are those of the transaction.
type statements struct {
	begin, commit, commits, locations, records, trim, letters, put, drop, setMeta, dropMeta, checkpoint *stmt
}

func newWriter(l *Log, c *conn) (*writer, error) {
	settled := len(l.index.partitions) / l.cfg.limits.location * l.cfg.limits.location
	w := &writer{
		log: l, queue: newQueue(), ended: make(chan struct{}), conn: c,
		heads: l.index.heads, arrived: l.index.last(),
		partitions: append([]uint8(nil), l.index.partitions[settled:]...),
	}
	if err := w.prepare(); err != nil {
		return nil, err
	}
	return w, w.loadRecords()
}

func (w *writer) prepare() error {
	s := &w.statements
	for _, p := range []struct {
		to  **stmt
		sql string
	}{
		{&s.begin, "BEGIN IMMEDIATE"},
		{&s.commit, "COMMIT"},
		{&s.commits, "INSERT INTO commits VALUES (?, ?, ?, ?, ?, ?)"},
		{&s.locations, "INSERT INTO locations VALUES (?, ?)"},
		{&s.records, "INSERT INTO records VALUES (?, ?, ?)"},
		{&s.trim, "DELETE FROM records WHERE id IN (SELECT id FROM records ORDER BY id LIMIT ?) AND newest < ?"},
		{&s.letters, "INSERT INTO dead_letters (partition, message, reason, at, payload) VALUES (?, ?, ?, ?, coalesce(?, x''))"},
		{&s.put, "INSERT INTO kv VALUES (?, ?, coalesce(?, x'')) ON CONFLICT DO UPDATE SET value = excluded.value"},
		{&s.drop, "DELETE FROM kv WHERE partition = ? AND key = ?"},
		{&s.setMeta, "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"},
		{&s.dropMeta, "DELETE FROM meta WHERE name = ?"},
		{&s.checkpoint, "PRAGMA wal_checkpoint(PASSIVE)"},
	} {
		var err error
		if *p.to, err = w.conn.prepare(p.sql); err != nil {
			return err
		}
	}
	return nil
}

// run takes groups until the queue is closed and empty.
func (w *writer) run() {
	defer close(w.ended)
	var group, fitting []*request
	for {
		group = w.queue.take(group[:0], w.log.cfg.limits)
		if len(group) == 0 {
			return
		}
		fitting = w.accept(fitting[:0], group)
		stored := w.handle(fitting)
		// Those that did not fit wait too: who rereads the head must find what was in their way.
		for _, r := range group {
			r.done <- r.err
		}
		if stored {
			w.settle()
		}
		clear(group)
		clear(fitting)
	}
}

// handle stores and publishes a group, and reports whether it did.
func (w *writer) handle(group []*request) bool {
	if len(group) == 0 {
		return false
	}
	err := w.store(group)
	if err != nil {
		err = w.log.stop(err)
	} else {
		w.log.published(group)
	}
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	for _, r := range group {
		r.err = err
		if r.meta != nil {
			continue
		}
		w.log.owners.partitions[r.batch.Partition].writing = false
		w.log.grant(r.batch.Partition)
	}
	return err == nil
}

// close waits until everything in the queue is answered.
func (w *writer) close() {
	w.queue.close()
	<-w.ended
}

// accept appends to fitting the requests that continue what is stored, and gives the others
// their error.
func (w *writer) accept(fitting, group []*request) []*request {
	l := w.log
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range group {
		if r.err = l.fault; r.err == nil && r.meta == nil {
			r.err = w.fits(&r.batch)
		}
		if r.err == nil && r.meta != nil {
			fitting = append(fitting, r)
		} else if r.err == nil {
			l.owners.partitions[r.batch.Partition].writing = true
			fitting = append(fitting, r)
		}
	}
	return fitting
}

// fits returns an error unless the batch continues what is stored and what the transaction
// under way holds already, and moves that on. The caller holds Log.mu.
func (w *writer) fits(b *eventlog.Batch) error {
	head, checkpoint := &w.heads[b.Partition], &w.checkpoints[b.Partition]
	switch {
	case !w.log.owners.owns(b.Partition, b.Fence):
		return conflict(*b, "fence %d is not the owner's", b.Fence)
	case *head != b.Head:
		return conflict(*b, "the head is at %d, expected %d", head.Seq, b.Head.Seq)
	case *checkpoint != b.From:
		return conflict(*b, "the checkpoint is at %d, expected %d", *checkpoint, b.From)
	case b.To.Compare(b.From) < 0:
		return conflict(*b, "the checkpoint would move back to %d", b.To)
	}
	if n := len(b.Commits); n > 0 {
		*head = b.Commits[n-1].Head()
	}
	*checkpoint = b.To
	return nil
}

// store writes the group in one transaction, if it has anything to write.
func (w *writer) store(group []*request) error {
	durable := false
	for _, r := range group {
		durable = durable || r.durable()
	}
	if !durable {
		return nil
	}
	err := w.statements.begin.exec()
	if err == nil {
		err = w.write(group)
	}
	erases := slices.ContainsFunc(group, func(r *request) bool { return r.batch.Erases() })
	if err == nil && erases {
		err = w.rewriteValues()
	}
	if err == nil {
		err = w.statements.commit.exec()
	}
	if err == nil && erases {
		err = w.emptyWAL() // before anybody hears that it is gone
	}
	if err != nil {
		// The file can be read on. SQLite may have ended the transaction already, so an error of
		// the rollback says nothing.
		_ = w.conn.exec("ROLLBACK")
	}
	return err
}

func (w *writer) write(group []*request) error {
	var records packed
	for _, r := range group {
		if err := w.writeCommits(r); err != nil {
			return err
		}
		if err := w.writeOthers(&r.batch); err != nil {
			return err
		}
		if err := w.writeMeta(r.meta); err != nil {
			return err
		}
		records.add(&r.batch)
		w.unsettled += r.bytes
	}
	w.unsettled += 3 * pageSize // the pages that were written but not filled
	return w.writeRecords(records)
}

func (w *writer) writeCommits(r *request) error {
	for i := range r.batch.Commits {
		c := &r.batch.Commits[i]
		w.arrived++
		w.partitions = append(w.partitions, uint8(c.Partition))
		err := w.statements.commits.exec(int64(w.arrived), int64(c.Partition), int64(c.Seq), c.Stream, c.RecordedAt.UnixMicro(), r.frames[i])
		if err != nil {
			return err
		}
		if err := w.writeLocations(); err != nil {
			return err
		}
	}
	return nil
}

// writeLocations writes a row of table locations when it is full.
func (w *writer) writeLocations() error {
	perRow := w.log.cfg.limits.location
	if len(w.partitions) < perRow {
		return nil
	}
	err := w.statements.locations.exec(int64(w.arrived)/int64(perRow), w.partitions)
	w.partitions = w.partitions[:0]
	return err
}

func (w *writer) writeOthers(b *eventlog.Batch) error {
	for _, d := range b.DeadLetters {
		if err := w.statements.letters.exec(int64(b.Partition), d.ID, d.Reason, d.At.UnixMicro(), d.Payload); err != nil {
			return err
		}
	}
	for _, kv := range b.Puts {
		var err error
		if kv.Value == nil {
			err = w.statements.drop.exec(int64(b.Partition), kv.Key)
		} else {
			err = w.statements.put.exec(int64(b.Partition), kv.Key, kv.Value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// settle moves the write-ahead file's content into the database, once enough has gathered. This
// is done here and not by SQLite within COMMIT, which would not report a fault. A fault stops the
// log; nobody waits for it, and the next append gets the error.
func (w *writer) settle() {
	if w.unsettled < w.log.cfg.limits.walBytes {
		return
	}
	w.unsettled = 0
	begin := w.beginAgain
	if w.uncut {
		begin = w.emptyWAL
	}
	if err := begin(); err != nil {
		_ = w.log.stop(err) // it returns what the next append will get
	}
}

// beginAgain lets the write-ahead file begin again with the next transaction, unless a reader
// still uses it. When that has happened for too long, readers have to wait for a moment.
func (w *writer) beginAgain() error {
	frames, err := w.checkpoint()
	if err != nil || frames < int64(w.log.cfg.limits.walFrames) {
		return err
	}
	w.log.readers.gate.Lock()
	defer w.log.readers.gate.Unlock()
	_, err = w.checkpoint()
	return err
}

// checkpoint moves what no reader needs any more and returns how many pages the write-ahead file
// has.
func (w *writer) checkpoint() (frames int64, err error) {
	err = w.statements.checkpoint.query(func(row []driver.Value) error {
		frames, _ = row[1].(int64)
		return nil
	})
	return frames, err
}
