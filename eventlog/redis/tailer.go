package redis

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"tandem/eventlog"
)

// tailer waits for new entries of many streams with one blocking read on a connection of its own. On
// a cluster each stream has a tailer, because one read cannot span servers.
//
// A read ends after a finite time anyway, and is cut short by CLIENT UNBLOCK when the set of streams
// changes.
type tailer struct {
	log   *Log
	count int // entries of one stream that a read may return

	mu      sync.Mutex
	streams map[string][]*tail
	changes uint64        // of the set
	seen    uint64        // the change that the read under way knows
	node    *redis.Client // where the read under way is; nil while there is no connection
	id      int64         // of its connection
	idle    *sync.Cond
	closed  bool
	ended   chan struct{} // closed then

	unblocking bool // a goroutine is at it

	reading map[string][]*tail // of the read under way; its goroutine's alone
}

// tail is one reader of a stream.
type tail struct {
	key     string
	after   eventlog.Offset // moved by the reading goroutine alone
	deliver func([]redis.XMessage)
	wants   func() bool // whether more can be delivered now; called with the tailer locked
	paused  bool        // the read under way leaves it out
	// inspect, if not nil, is told of every new connection, before anything is read over it, and where the
	// reader stands: the server may be another one.
	inspect func(context.Context, *redis.Conn, eventlog.Offset) error
}

// tailers are as many tailers as the kind of server needs.
type tailers struct {
	log   *Log
	count int // entries of one stream that a read may return

	mu     sync.Mutex
	byKey  map[string]*tailer // on a cluster
	one    *tailer            // otherwise
	closed bool
}

func newTailers(l *Log, count int) *tailers {
	return &tailers{log: l, count: count, byKey: make(map[string]*tailer)}
}

// of returns the tailer for a stream, nil after close.
func (ts *tailers) of(key string) *tailer {
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

// add begins to read streams, each after the place where its reader stands.
func (ts *tailers) add(readers ...*tail) {
	groups := make(map[*tailer][]*tail, 1)
	for _, r := range readers {
		if t := ts.of(r.key); t != nil {
			groups[t] = append(groups[t], r)
		}
	}
	for t, group := range groups {
		t.add(group)
	}
}

func (ts *tailers) resume(r *tail) {
	if t := ts.of(r.key); t != nil {
		t.resume(r)
	}
}

func (ts *tailers) drop(r *tail) {
	if t := ts.of(r.key); t != nil {
		t.drop(r)
	}
}

// close ends all reading, together with the end of the connections.
func (ts *tailers) close() {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.closed = true
	for _, t := range ts.byKey {
		t.close()
	}
	if ts.one != nil {
		ts.one.close()
	}
}

func (l *Log) newTailer(count int) *tailer {
	t := &tailer{log: l, count: count, streams: make(map[string][]*tail), reading: make(map[string][]*tail), ended: make(chan struct{})}
	t.idle = sync.NewCond(&t.mu)
	l.loops.Go(t.run)
	return t
}

func (t *tailer) add(readers []*tail) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range readers {
		t.streams[r.key] = append(slices.Clone(t.streams[r.key]), r)
	}
	t.changed()
}

// drop ends reading for a reader.
func (t *tailer) drop(r *tail) {
	t.mu.Lock()
	rest := slices.DeleteFunc(slices.Clone(t.streams[r.key]), func(other *tail) bool { return other == r })
	if t.streams[r.key] = rest; len(rest) == 0 {
		delete(t.streams, r.key)
	}
	t.mu.Unlock() // the read under way may go on without anybody
}

// resume reads on for a reader that wanted no more for a while.
func (t *tailer) resume(r *tail) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.paused {
		t.changed()
	}
}

// changed makes the read under way end soon, so that the next one has the new set. It needs t.mu.
func (t *tailer) changed() {
	t.changes++
	t.idle.Broadcast()
	if t.node != nil && !t.unblocking && !t.closed {
		t.unblocking = true
		t.log.loops.Go(t.unblock)
	}
}

// unblock ends reads until one has begun that knows the latest change.
func (t *tailer) unblock() {
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
			time.Sleep(time.Millisecond) // the read is on its way to the server and cannot be cut short yet
		}
	}
}

func (t *tailer) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.closed = true
		close(t.ended)
		t.idle.Broadcast()
	}
}

// run reads until close. What goes wrong is tried again; that the server cannot be used is found and told
// elsewhere.
func (t *tailer) run() {
	for {
		if _, ok := t.next(); !ok {
			return
		}
		err := t.connected()
		t.mu.Lock()
		t.node = nil
		t.mu.Unlock()
		if cluster, ok := t.log.tailing.(*redis.ClusterClient); ok && hasWord(err, "MOVED") {
			cluster.ReloadState(t.log.ctx)
		}
		select {
		case <-time.After(retryAfter):
		case <-t.ended:
		}
	}
}

// next waits until there are streams to read and returns keys and ids as XREAD wants them. Of several
// readers of a stream the one that is furthest behind counts; the others skip what they have.
func (t *tailer) next() (args []string, ok bool) {
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

func furthestBehind(readers []*tail) (from eventlog.Offset, wanted bool) {
	for _, r := range readers {
		if r.paused = !r.wants(); r.paused {
			continue
		}
		if !wanted || r.after.Compare(from) < 0 {
			from = r.after
		}
		wanted = true
	}
	return from, wanted
}

// connected reads over one connection until it breaks.
func (t *tailer) connected() error {
	args, ok := t.next()
	if !ok {
		return nil
	}
	ctx := t.log.ctx
	node, err := server(ctx, t.log.tailing, args[0])
	if err != nil {
		return err
	}
	conn := node.Conn()
	defer func() { _ = conn.Close() }() // it is broken, or the log is closed
	id, err := conn.ClientID(ctx).Result()
	if err != nil {
		return err
	}
	for _, readers := range t.reading {
		for _, r := range readers {
			if r.inspect == nil {
				continue
			}
			if err := r.inspect(ctx, conn, r.after); err != nil {
				return err
			}
		}
	}
	t.mu.Lock()
	t.node, t.id = node, id
	t.mu.Unlock()
	for {
		if args, ok = t.next(); !ok {
			return nil
		}
		streams, err := t.read(ctx, conn, args)
		if err != nil && !isNil(err) && !hasWord(err, "UNBLOCKED") {
			return err
		}
		for i := range streams {
			t.hand(&streams[i])
		}
	}
}

// read waits for entries. A server that says nothing for much longer than it was asked to is given up.
func (t *tailer) read(ctx context.Context, conn *redis.Conn, args []string) ([]redis.XStream, error) {
	block := t.log.cfg.limits.block
	ctx, cancel := context.WithTimeout(ctx, block+readTimeout)
	defer cancel()
	return conn.XRead(ctx, &redis.XReadArgs{Streams: args, Count: int64(t.count), Block: block}).Result()
}

// hand delivers what one stream had to those of its readers that are still there.
func (t *tailer) hand(got *redis.XStream) {
	t.mu.Lock()
	readers := t.streams[got.Stream]
	t.mu.Unlock()
	for _, r := range t.reading[got.Stream] {
		if r.paused || !slices.Contains(readers, r) {
			continue
		}
		if entries := after(got.Messages, r.after); len(entries) > 0 {
			r.after = offset(entries[len(entries)-1])
			r.deliver(entries)
		}
	}
}

// after returns the entries behind a place.
func after(entries []redis.XMessage, place eventlog.Offset) []redis.XMessage {
	for len(entries) > 0 && offset(entries[0]).Compare(place) <= 0 {
		entries = entries[1:]
	}
	return entries
}

// offset reads the id of an entry, which the server made.
func offset(e redis.XMessage) eventlog.Offset {
	o, _ := parseID(e.ID)
	return o
}
