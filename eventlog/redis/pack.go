package redis

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"tandem/eventlog"
	"tandem/eventlog/wire"
)

// Receipts, outcomes and dead letters are stored as a sequence of fields: numbers as varints, bytes after their
// length, and bytes that may be nil after their length plus one. A list of receipts has no count.

func packReceipts(receipts []eventlog.Receipt) []byte {
	b := []byte{}
	for i := range receipts {
		receipt := &receipts[i]
		b = append(b, receipt.Command[:]...)
		b = append(b, receipt.Request[:]...)
		b = binary.AppendUvarint(b, receipt.Seq)
		b = binary.AppendVarint(b, receipt.At.UnixMicro())
		b = wire.AppendNullable(b, receipt.Rejection)
	}
	return b
}

func unpackReceipts(text string, add func(eventlog.Receipt)) error {
	reader := newFieldReader(text)
	for reader.Len() > 0 {
		var receipt eventlog.Receipt
		reader.Array(receipt.Command[:])
		reader.Array(receipt.Request[:])
		receipt.Seq, receipt.At, receipt.Rejection = reader.Uvarint(), reader.time(), bytes.Clone(reader.Nullable())
		if reader.Err() == nil {
			add(receipt)
		}
	}
	return reader.close("record")
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
	b = wire.AppendNullable(b, outcome.Rejection)
	return binary.AppendVarint(b, outcome.At.UnixMicro())
}

func unpackOutcome(text string) (outcome eventlog.Outcome, err error) {
	reader := newFieldReader(text)
	reader.Array(outcome.Command[:])
	reader.Array(outcome.Request[:])
	reader.Array(outcome.Attempt[:])
	outcome.Head, outcome.Seq, outcome.Repeat = reader.Uvarint(), reader.Uvarint(), reader.Byte() == 1
	outcome.Rejection, outcome.At = reader.Nullable(), reader.time()
	return outcome, reader.close("outcome")
}

func packDeadLetter(letter *eventlog.DeadLetter) []byte {
	b := binary.AppendVarint(nil, letter.At.UnixMicro())
	b = wire.AppendBytes(wire.AppendBytes(b, letter.ID), letter.Reason)
	return wire.AppendBytes(b, letter.Payload)
}

func unpackDeadLetter(text string) (letter eventlog.DeadLetter, err error) {
	reader := newFieldReader(text)
	letter.At = reader.time()
	letter.ID, letter.Reason, letter.Payload = reader.Text(), reader.Text(), reader.Bytes()
	return letter, reader.close("dead letter")
}

// fieldReader reads stored fields.
type fieldReader struct{ wire.Reader }

func newFieldReader(text string) *fieldReader {
	return &fieldReader{*wire.NewReader([]byte(text))}
}

// close returns an error if a read failed or bytes are unread.
func (r *fieldReader) close(kind string) error {
	if r.Close() != nil {
		return fmt.Errorf("a stored %s: %w", kind, eventlog.ErrDamaged)
	}
	return nil
}

func (r *fieldReader) time() time.Time { return time.UnixMicro(r.Varint()).UTC() }
