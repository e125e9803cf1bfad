package redis

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"tandem/eventlog"
)

// streamTailer waits for new entries of many streams with one blocking read on its own connection. On a cluster each
// stream has a tailer, because one read cannot span servers.
//
// A read ends after a limited time. CLIENT UNBLOCK ends it earlier when the set of streams changes.
type streamTailer struct {
	log   *Log
	count int // maximum number of entries of a stream in one read

	mu      sync.Mutex
	streams map[string][]*streamReader
	changes uint64        // counts changes of the set of streams
	seen    uint64        // the change that the present read includes
	node    *redis.Client // server of the present read; nil without a connection
	id      int64         // of the connection
	idle    *sync.Cond
	closed  bool
	ended   chan struct{} // closed by close

	unblocking bool // a goroutine runs unblock

	reading map[string][]*streamReader // streams of the present read; belongs to run's goroutine
}

// streamReader is one reader of a stream.
type streamReader struct {
	key       string
	after     eventlog.Offset // id of the last entry; changed by run's goroutine only
	receive   func([]redis.XMessage)
	wantsMore func() bool // reports whether the reader can receive more; called with the tailer's mutex held
	paused    bool        // the present read leaves it out
	// onConnect, if not nil, is called for every new connection before the first read, with the reader's position: the
	// server may be another one.
	onConnect func(context.Context, *redis.Conn, eventlog.Offset) error
}

// tailerSet has one tailer, or on a cluster one for each stream.
type tailerSet struct {
	log   *Log
	count int // maximum number of entries of a stream in one read

	mu     sync.Mutex
	byKey  map[string]*streamTailer // on a cluster
	one    *streamTailer            // otherwise
	closed bool
}

func newTailers(log *Log, count int) *tailerSet {
	return &tailerSet{log: log, count: count, byKey: make(map[string]*streamTailer)}
}

// tailerOf returns the tailer of a stream, or nil after close.
func (ts *tailerSet) tailerOf(key string) *streamTailer {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.log.addr.cluster != nil {
		if ts.byKey[key] == nil && !ts.closed {
			ts.byKey[key] = ts.log.newTailer(ts.count)
		}
		return ts.byKey[key]
	}
	if ts.one == nil && !ts.closed {
		ts.one = ts.log.newTailer(ts.count)
	}
	return ts.one
}

// add starts to read streams after the positions of their readers.
func (ts *tailerSet) add(readers ...*streamReader) {
	groups := make(map[*streamTailer][]*streamReader, 1)
	for _, reader := range readers {
		if tailer := ts.tailerOf(reader.key); tailer != nil {
			groups[tailer] = append(groups[tailer], reader)
		}
	}
	for tailer, group := range groups {
		tailer.add(group)
	}
}

func (ts *tailerSet) resume(reader *streamReader) {
	if tailer := ts.tailerOf(reader.key); tailer != nil {
		tailer.resume(reader)
	}
}

func (ts *tailerSet) drop(reader *streamReader) {
	if tailer := ts.tailerOf(reader.key); tailer != nil {
		tailer.drop(reader)
	}
}

// close stops all tailers. Closing the client ends their blocking reads.
func (ts *tailerSet) close() {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.closed = true
	for _, tailer := range ts.byKey {
		tailer.close()
	}
	if ts.one != nil {
		ts.one.close()
	}
}

func (l *Log) newTailer(count int) *streamTailer {
	tailer := &streamTailer{log: l, count: count, streams: make(map[string][]*streamReader), reading: make(map[string][]*streamReader), ended: make(chan struct{})}
	tailer.idle = sync.NewCond(&tailer.mu)
	l.loops.Go(tailer.run)
	return tailer
}

func (t *streamTailer) add(readers []*streamReader) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, reader := range readers {
		t.streams[reader.key] = append(slices.Clone(t.streams[reader.key]), reader)
	}
	t.changed()
}

// drop removes a reader.
func (t *streamTailer) drop(reader *streamReader) {
	t.mu.Lock()
	rest := slices.DeleteFunc(slices.Clone(t.streams[reader.key]), func(other *streamReader) bool { return other == reader })
	if t.streams[reader.key] = rest; len(rest) == 0 {
		delete(t.streams, reader.key)
	}
	t.mu.Unlock() // the present read may continue without readers
}

// resume continues a reader that was paused.
func (t *streamTailer) resume(reader *streamReader) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if reader.paused {
		t.changed()
	}
}

// changed makes the present read end soon, so that the next one includes the new set. The caller holds t.mu.
func (t *streamTailer) changed() {
	t.changes++
	t.idle.Broadcast()
	if t.node != nil && !t.unblocking && !t.closed {
		t.unblocking = true
		t.log.loops.Go(t.unblock)
	}
}

// unblock ends reads until one has started that includes the latest change.
func (t *streamTailer) unblock() {
	for {
		t.mu.Lock()
		node, id := t.node, t.id
		if node == nil || t.seen == t.changes || t.closed {
			t.unblocking = false
			t.mu.Unlock()
			return
		}
		t.mu.Unlock()
		ctx, cancel := context.WithTimeout(t.log.ctx, time.Second)
		ended, err := node.ClientUnblock(ctx, id).Result()
		cancel()
		if err != nil || ended == 0 {
			time.Sleep(time.Millisecond) // the read has not reached the server yet
		}
	}
}

func (t *streamTailer) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.closed = true
		close(t.ended)
		t.idle.Broadcast()
	}
}

// run reads until close. It retries after errors; others report an unusable server.
func (t *streamTailer) run() {
	for {
		if _, ok := t.nextStreams(); !ok {
			return
		}
		err := t.readConnection()
		t.mu.Lock()
		t.node = nil
		t.mu.Unlock()
		if cluster, ok := t.log.tailing.(*redis.ClusterClient); ok && hasCode(err, "MOVED") {
			cluster.ReloadState(t.log.ctx)
		}
		select {
		case <-time.After(retryDelay):
		case <-t.ended:
		}
	}
}

// nextStreams waits until there are streams to read and returns keys and ids as arguments of XREAD. A stream is read
// from the position of its reader that is furthest behind; the others skip entries.
func (t *streamTailer) nextStreams() (args []string, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for !t.closed {
		var ids []string
		clear(t.reading)
		for key, readers := range t.streams {
			if from, wanted := furthestBehind(readers); wanted {
				args, ids = append(args, key), append(ids, formatID(from))
				t.reading[key] = readers
			}
		}
		t.seen = t.changes
		if len(args) > 0 {
			return slices.Concat(args, ids), true
		}
		t.idle.Wait()
	}
	return nil, false
}

func furthestBehind(readers []*streamReader) (from eventlog.Offset, wanted bool) {
	for _, reader := range readers {
		if reader.paused = !reader.wantsMore(); reader.paused {
			continue
		}
		if !wanted || reader.after.Compare(from) < 0 {
			from = reader.after
		}
		wanted = true
	}
	return from, wanted
}

// readConnection reads over one connection until it fails.
func (t *streamTailer) readConnection() error {
	args, ok := t.nextStreams()
	if !ok {
		return nil
	}
	ctx := t.log.ctx
	node, err := serverOf(ctx, t.log.tailing, args[0])
	if err != nil {
		return err
	}
	conn := node.Conn()
	defer func() { _ = conn.Close() }() // it failed, or the log is closed
	id, err := conn.ClientID(ctx).Result()
	if err != nil {
		return err
	}
	for _, readers := range t.reading {
		for _, reader := range readers {
			if reader.onConnect == nil {
				continue
			}
			if err := reader.onConnect(ctx, conn, reader.after); err != nil {
				return err
			}
		}
	}
	t.mu.Lock()
	t.node, t.id = node, id
	t.mu.Unlock()
	for {
		if args, ok = t.nextStreams(); !ok {
			return nil
		}
		streams, err := t.read(ctx, conn, args)
		if err != nil && !isNil(err) && !hasCode(err, "UNBLOCKED") {
			return err
		}
		for i := range streams {
			t.dispatch(&streams[i])
		}
	}
}

// read waits for entries. It gives up a server that exceeds the requested blocking time by far.
func (t *streamTailer) read(ctx context.Context, conn *redis.Conn, args []string) ([]redis.XStream, error) {
	block := t.log.cfg.limits.readBlock
	ctx, cancel := context.WithTimeout(ctx, block+readTimeout)
	defer cancel()
	return conn.XRead(ctx, &redis.XReadArgs{Streams: args, Count: int64(t.count), Block: block}).Result()
}

// dispatch passes the entries of one stream to its present readers.
func (t *streamTailer) dispatch(got *redis.XStream) {
	t.mu.Lock()
	readers := t.streams[got.Stream]
	t.mu.Unlock()
	for _, reader := range t.reading[got.Stream] {
		if reader.paused || !slices.Contains(readers, reader) {
			continue
		}
		if entries := entriesAfter(got.Messages, reader.after); len(entries) > 0 {
			reader.after = entryOffset(entries[len(entries)-1])
			reader.receive(entries)
		}
	}
}

// entriesAfter returns the entries after an offset.
func entriesAfter(entries []redis.XMessage, place eventlog.Offset) []redis.XMessage {
	for len(entries) > 0 && entryOffset(entries[0]).Compare(place) <= 0 {
		entries = entries[1:]
	}
	return entries
}

// entryOffset parses the id of an entry, which the server generated.
func entryOffset(entry redis.XMessage) eventlog.Offset {
	offset, _ := parseID(entry.ID)
	return offset
}
