// Package wire reads the module's stored binary forms: varints as encoding/binary writes them, and bytes
// after their length. The append functions write the forms that [Reader] reads.
package wire

import (
	"encoding/binary"
	"errors"
)

// ErrMalformed means that the bytes end early, hold a length that exceeds them, or go on after their end.
var ErrMalformed = errors.New("malformed bytes: they end early, go on after their end or hold a wrong length")

// Reader reads values one after the other. After the first error every read returns zero, so a caller
// checks Err or Close once, at the end. It never copies.
type Reader struct {
	unread []byte
	err    error
}

// NewReader returns a reader of b, which must not change while it is read.
func NewReader(b []byte) *Reader { return &Reader{unread: b} }

// Fail makes the reader return zero and ErrMalformed from now on.
func (r *Reader) Fail() { r.unread, r.err = nil, ErrMalformed }

// Err returns nil or ErrMalformed.
func (r *Reader) Err() error { return r.err }

// Close returns ErrMalformed if a read failed or bytes are unread.
func (r *Reader) Close() error {
	if len(r.unread) > 0 {
		r.Fail()
	}
	return r.err
}

// Len returns the number of unread bytes.
func (r *Reader) Len() int { return len(r.unread) }

// Uvarint reads an unsigned varint.
func (r *Reader) Uvarint() uint64 {
	value, size := binary.Uvarint(r.unread)
	if size <= 0 {
		r.Fail()
		return 0
	}
	r.unread = r.unread[size:]
	return value
}

// Varint reads a signed varint.
func (r *Reader) Varint() int64 {
	value, size := binary.Varint(r.unread)
	if size <= 0 {
		r.Fail()
		return 0
	}
	r.unread = r.unread[size:]
	return value
}

// Count reads the number of elements that follow. It fails if they do not fit into the unread bytes at the
// given minimum size each, so a damaged count cannot make the caller allocate much.
func (r *Reader) Count(elementSize int) int {
	count := r.Uvarint()
	if count > uint64(len(r.unread)/elementSize) {
		r.Fail()
		return 0
	}
	return int(count)
}

// Take reads the next n bytes. The result shares the reader's memory and has no spare capacity.
func (r *Reader) Take(n uint64) []byte {
	if n > uint64(len(r.unread)) {
		r.Fail()
		return nil
	}
	taken := r.unread[:n:n]
	r.unread = r.unread[n:]
	return taken
}

// Byte reads one byte.
func (r *Reader) Byte() byte {
	if taken := r.Take(1); len(taken) == 1 {
		return taken[0]
	}
	return 0
}

// Array fills dst with the next bytes.
func (r *Reader) Array(dst []byte) { copy(dst, r.Take(uint64(len(dst)))) }

// Bytes reads bytes after their length, as AppendBytes writes them.
func (r *Reader) Bytes() []byte { return r.Take(r.Uvarint()) }

// Text reads a string after its length.
func (r *Reader) Text() string { return string(r.Bytes()) }

// Nullable reads bytes that may be nil, as AppendNullable writes them.
func (r *Reader) Nullable() []byte {
	length := r.Uvarint()
	if length == 0 {
		return nil
	}
	return r.Take(length - 1)
}

// AppendBytes appends a length and the bytes.
func AppendBytes[T ~string | ~[]byte](b []byte, value T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(value))), value...)
}

// AppendNullable appends 0 for nil, otherwise the length plus one and the bytes.
func AppendNullable(b, value []byte) []byte {
	if value == nil {
		return append(b, 0)
	}
	return append(binary.AppendUvarint(b, uint64(len(value))+1), value...)
}
