package redis

import (
	"encoding/binary"
	"fmt"
	"time"

	"tandem/eventlog"
)

// Records, outcomes and dead letters are stored as fields one after the other: numbers as varints,
// bytes after their length, and bytes that may be nil after their length plus one. A list of records
// has no count; it ends with its bytes.

func packReceipts(records []eventlog.Receipt) []byte {
	b := []byte{}
	for i := range records {
		receipt := &records[i]
		b = append(b, receipt.Command[:]...)
		b = append(b, receipt.Request[:]...)
		b = binary.AppendUvarint(b, receipt.Seq)
		b = binary.AppendVarint(b, receipt.At.UnixMicro())
		b = appendNullable(b, receipt.Rejection)
	}
	return b
}

func unpackReceipts(text string, add func(eventlog.Receipt)) error {
	reader := fieldReader{rest: text}
	for len(reader.rest) > 0 && !reader.broken {
		var receipt eventlog.Receipt
		reader.array(receipt.Command[:])
		reader.array(receipt.Request[:])
		receipt.Seq, receipt.At, receipt.Rejection = reader.uvarint(), reader.time(), reader.nullable()
		if !reader.broken {
			add(receipt)
		}
	}
	return reader.err("record")
}

func packOutcome(outcome *eventlog.Outcome) []byte {
	b := append([]byte{}, outcome.Command[:]...)
	b = append(b, outcome.Request[:]...)
	b = append(b, outcome.Attempt[:]...)
	b = binary.AppendUvarint(b, outcome.Head)
	b = binary.AppendUvarint(b, outcome.Seq)
	repeat := byte(0)
	if outcome.Repeat {
		repeat = 1
	}
	b = append(b, repeat)
	b = appendNullable(b, outcome.Rejection)
	return binary.AppendVarint(b, outcome.At.UnixMicro())
}

func unpackOutcome(text string) (outcome eventlog.Outcome, err error) {
	reader := fieldReader{rest: text}
	reader.array(outcome.Command[:])
	reader.array(outcome.Request[:])
	reader.array(outcome.Attempt[:])
	outcome.Head, outcome.Seq, outcome.Repeat = reader.uvarint(), reader.uvarint(), reader.take(1) == "\x01"
	outcome.Rejection, outcome.At = reader.nullable(), reader.time()
	return outcome, reader.err("outcome")
}

func packDeadLetter(letter *eventlog.DeadLetter) []byte {
	b := binary.AppendVarint(nil, letter.At.UnixMicro())
	for _, part := range [][]byte{[]byte(letter.ID), []byte(letter.Reason), letter.Payload} {
		b = append(binary.AppendUvarint(b, uint64(len(part))), part...)
	}
	return b
}

func unpackDeadLetter(text string) (letter eventlog.DeadLetter, err error) {
	reader := fieldReader{rest: text}
	letter.At = reader.time()
	letter.ID, letter.Reason = reader.text(), reader.text()
	letter.Payload = []byte(reader.text())
	return letter, reader.err("dead letter")
}

func appendNullable(b, value []byte) []byte {
	if value == nil {
		return append(b, 0)
	}
	return append(binary.AppendUvarint(b, uint64(len(value))+1), value...)
}

// fieldReader takes stored text apart; after the first fault every read returns nothing. All of it must be
// read.
type fieldReader struct {
	rest   string
	broken bool
}

func (r *fieldReader) err(kind string) error {
	if r.broken || r.rest != "" {
		return fmt.Errorf("a stored %s: %w", kind, eventlog.ErrDamaged)
	}
	return nil
}

func (r *fieldReader) take(size uint64) string {
	if r.broken || size > uint64(len(r.rest)) {
		r.broken = true
		return ""
	}
	value := r.rest[:size]
	r.rest = r.rest[size:]
	return value
}

func (r *fieldReader) array(dst []byte) { copy(dst, r.take(uint64(len(dst)))) }
func (r *fieldReader) text() string     { return r.take(r.uvarint()) }
func (r *fieldReader) time() time.Time  { return time.UnixMicro(r.varint()).UTC() }

func (r *fieldReader) nullable() []byte {
	if size := r.uvarint(); size > 0 {
		return []byte(r.take(size - 1))
	}
	return nil
}

func (r *fieldReader) uvarint() uint64 {
	value, n := binary.Uvarint([]byte(r.rest[:min(len(r.rest), binary.MaxVarintLen64)]))
	r.take(uint64(max(n, 0)))
	r.broken = r.broken || n <= 0
	return value
}

func (r *fieldReader) varint() int64 {
	value, n := binary.Varint([]byte(r.rest[:min(len(r.rest), binary.MaxVarintLen64)]))
	r.take(uint64(max(n, 0)))
	r.broken = r.broken || n <= 0
	return value
}
