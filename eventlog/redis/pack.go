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

func packRecords(records []eventlog.Record) []byte {
	b := []byte{}
	for i := range records {
		r := &records[i]
		b = append(b, r.Command[:]...)
		b = append(b, r.Request[:]...)
		b = binary.AppendUvarint(b, r.Seq)
		b = binary.AppendVarint(b, r.At.UnixMicro())
		b = appendNullable(b, r.Rejection)
	}
	return b
}

func unpackRecords(text string, add func(eventlog.Record)) error {
	u := unpacker{rest: text}
	for len(u.rest) > 0 && !u.broken {
		var r eventlog.Record
		u.array(r.Command[:])
		u.array(r.Request[:])
		r.Seq, r.At, r.Rejection = u.uvarint(), u.time(), u.nullable()
		if !u.broken {
			add(r)
		}
	}
	return u.err("record")
}

func packOutcome(o *eventlog.Outcome) []byte {
	b := append([]byte{}, o.Command[:]...)
	b = append(b, o.Request[:]...)
	b = append(b, o.Attempt[:]...)
	b = binary.AppendUvarint(b, o.Head)
	b = binary.AppendUvarint(b, o.Seq)
	repeat := byte(0)
	if o.Repeat {
		repeat = 1
	}
	b = append(b, repeat)
	b = appendNullable(b, o.Rejection)
	return binary.AppendVarint(b, o.At.UnixMicro())
}

func unpackOutcome(text string) (o eventlog.Outcome, err error) {
	u := unpacker{rest: text}
	u.array(o.Command[:])
	u.array(o.Request[:])
	u.array(o.Attempt[:])
	o.Head, o.Seq, o.Repeat = u.uvarint(), u.uvarint(), u.take(1) == "\x01"
	o.Rejection, o.At = u.nullable(), u.time()
	return o, u.err("outcome")
}

func packLetter(d *eventlog.DeadLetter) []byte {
	b := binary.AppendVarint(nil, d.At.UnixMicro())
	for _, part := range [][]byte{[]byte(d.ID), []byte(d.Reason), d.Payload} {
		b = append(binary.AppendUvarint(b, uint64(len(part))), part...)
	}
	return b
}

func unpackLetter(text string) (d eventlog.DeadLetter, err error) {
	u := unpacker{rest: text}
	d.At = u.time()
	d.ID, d.Reason = u.text(), u.text()
	d.Payload = []byte(u.text())
	return d, u.err("dead letter")
}

func appendNullable(b, v []byte) []byte {
	if v == nil {
		return append(b, 0)
	}
	return append(binary.AppendUvarint(b, uint64(len(v))+1), v...)
}

// unpacker takes stored text apart; after the first fault every read returns nothing. All of it must be
// read.
type unpacker struct {
	rest   string
	broken bool
}

func (u *unpacker) err(what string) error {
	if u.broken || u.rest != "" {
		return fmt.Errorf("a stored %s: %w", what, eventlog.ErrDamaged)
	}
	return nil
}

func (u *unpacker) take(n uint64) string {
	if u.broken || n > uint64(len(u.rest)) {
		u.broken = true
		return ""
	}
	v := u.rest[:n]
	u.rest = u.rest[n:]
	return v
}

func (u *unpacker) array(dst []byte) { copy(dst, u.take(uint64(len(dst)))) }
func (u *unpacker) text() string     { return u.take(u.uvarint()) }
func (u *unpacker) time() time.Time  { return time.UnixMicro(u.varint()).UTC() }

func (u *unpacker) nullable() []byte {
	if n := u.uvarint(); n > 0 {
		return []byte(u.take(n - 1))
	}
	return nil
}

func (u *unpacker) uvarint() uint64 {
	v, n := binary.Uvarint([]byte(u.rest[:min(len(u.rest), binary.MaxVarintLen64)]))
	u.take(uint64(max(n, 0)))
	u.broken = u.broken || n <= 0
	return v
}

func (u *unpacker) varint() int64 {
	v, n := binary.Varint([]byte(u.rest[:min(len(u.rest), binary.MaxVarintLen64)]))
	u.take(uint64(max(n, 0)))
	u.broken = u.broken || n <= 0
	return v
}
