package sqlite

import (
	"context"
	"database/sql/driver"
	"time"

	"tandem/eventlog"
)

// queryRows runs a query on a read connection.
func (l *Log) queryRows(ctx context.Context, query string, row func([]driver.Value), args ...driver.Value) error {
	l.mu.Lock()
	err := l.checkOpen(ctx)
	l.mu.Unlock()
	if err != nil {
		return err
	}
	return l.readers.read(func(reader *readConnection) error {
		return reader.query(query, func(values []driver.Value) error { row(values); return nil }, args...)
	})
}

// blobValue returns a stored value. An empty value is not nil.
func blobValue(value driver.Value) []byte {
	if b, _ := value.([]byte); b != nil {
		return b
	}
	return []byte{}
}

// Get returns the value of a key.
func (l *Log) Get(ctx context.Context, partition eventlog.Partition, key string) (value []byte, err error) {
	err = l.queryRows(ctx, "SELECT value FROM kv WHERE partition = ? AND key = ?",
		func(row []driver.Value) { value = blobValue(row[0]) }, int64(partition), key)
	return value, err
}

// Scan returns the entries whose key starts with prefix, in the order of their keys.
func (l *Log) Scan(ctx context.Context, partition eventlog.Partition, prefix string) (found []eventlog.KV, err error) {
	query, args := "SELECT key, value FROM kv WHERE partition = ? AND key >= ?", []driver.Value{int64(partition), prefix}
	if end := prefixEnd(prefix); end != "" {
		query, args = query+" AND key < ?", append(args, end)
	}
	err = l.queryRows(ctx, query+" ORDER BY key", func(row []driver.Value) {
		key, _ := row[0].(string)
		found = append(found, eventlog.KV{Key: key, Value: blobValue(row[1])})
	}, args...)
	return found, err
}

// prefixEnd returns the smallest string, in byte order, that is greater than all strings with the prefix. It is empty
// if there is none.
func prefixEnd(prefix string) string {
	for last := len(prefix) - 1; last >= 0; last-- {
		if next := prefix[last] + 1; next != 0 {
			return prefix[:last] + string([]byte{next})
		}
	}
	return ""
}

// DeadLetters returns the partition's dead letters.
func (l *Log) DeadLetters(ctx context.Context, partition eventlog.Partition) (found []eventlog.DeadLetter, err error) {
	err = l.queryRows(ctx, "SELECT message, reason, at, payload FROM dead_letters WHERE partition = ? ORDER BY id", func(row []driver.Value) {
		id, _ := row[0].(string)
		reason, _ := row[1].(string)
		at, _ := row[2].(int64)
		found = append(found, eventlog.DeadLetter{ID: id, Reason: reason, At: time.UnixMicro(at).UTC(), Payload: blobValue(row[3])})
	}, int64(partition))
	return found, err
}
