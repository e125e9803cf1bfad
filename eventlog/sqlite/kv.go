package sqlite

import (
	"context"
	"database/sql/driver"
	"time"

	"tandem/eventlog"
)

// lookUp runs a query of a caller on a reader.
func (l *Log) lookUp(ctx context.Context, query string, row func([]driver.Value), args ...driver.Value) error {
	l.mu.Lock()
	err := l.open(ctx)
	l.mu.Unlock()
	if err != nil {
		return err
	}
	return l.readers.read(func(r *reader) error {
		return r.query(query, func(values []driver.Value) error { row(values); return nil }, args...)
	})
}

// blob returns a stored value; one without bytes is empty and not nil.
func blob(v driver.Value) []byte {
	if b, _ := v.([]byte); b != nil {
		return b
	}
	return []byte{}
}

// Get returns the value of a key.
func (l *Log) Get(ctx context.Context, p eventlog.Partition, key string) (value []byte, err error) {
	err = l.lookUp(ctx, "SELECT value FROM kv WHERE partition = ? AND key = ?",
		func(row []driver.Value) { value = blob(row[0]) }, int64(p), key)
	return value, err
}

// Scan returns the entries whose key begins with prefix.
func (l *Log) Scan(ctx context.Context, p eventlog.Partition, prefix string) (found []eventlog.KV, err error) {
	query, args := "SELECT key, value FROM kv WHERE partition = ? AND key >= ?", []driver.Value{int64(p), prefix}
	if end := after(prefix); end != "" {
		query, args = query+" AND key < ?", append(args, end)
	}
	err = l.lookUp(ctx, query+" ORDER BY key", func(row []driver.Value) {
		key, _ := row[0].(string)
		found = append(found, eventlog.KV{Key: key, Value: blob(row[1])})
	}, args...)
	return found, err
}

// after returns the first string, in byte order, that is after all that begin with prefix; empty
// if there is none.
func after(prefix string) string {
	for last := len(prefix) - 1; last >= 0; last-- {
		if next := prefix[last] + 1; next != 0 {
			return prefix[:last] + string([]byte{next})
		}
	}
	return ""
}

// DeadLetters returns the partition's dead letters.
func (l *Log) DeadLetters(ctx context.Context, p eventlog.Partition) (found []eventlog.DeadLetter, err error) {
	err = l.lookUp(ctx, "SELECT message, reason, at, payload FROM dead_letters WHERE partition = ? ORDER BY id", func(row []driver.Value) {
		id, _ := row[0].(string)
		reason, _ := row[1].(string)
		at, _ := row[2].(int64)
		found = append(found, eventlog.DeadLetter{ID: id, Reason: reason, At: time.UnixMicro(at).UTC(), Payload: blob(row[3])})
	}, int64(p))
	return found, err
}
