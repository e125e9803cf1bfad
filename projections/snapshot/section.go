package snapshot

import (
	"encoding/binary"

	"tandem/eventlog/wire"
)

// Writer collects the values of one section. Every distinct string is stored once, in a table in front.
type Writer struct {
	body  []byte
	codes map[string]uint64
	texts []string
}

// Uvarint writes an unsigned number.
func (w *Writer) Uvarint(n uint64) { w.body = binary.AppendUvarint(w.body, n) }

// Varint writes a signed number.
func (w *Writer) Varint(n int64) { w.body = binary.AppendVarint(w.body, n) }

func (w *Writer) text(text string) {
	code, ok := w.codes[text]
	if !ok {
		code = uint64(len(w.texts))
		w.codes[text] = code
		w.texts = append(w.texts, text)
	}
	w.Uvarint(code)
}

// bytes returns the table of strings, lengths first, and the values.
func (w *Writer) bytes() []byte {
	b := binary.AppendUvarint(nil, uint64(len(w.texts)))
	for _, text := range w.texts {
		b = binary.AppendUvarint(b, uint64(len(text)))
	}
	for _, text := range w.texts {
		b = append(b, text...)
	}
	return append(b, w.body...)
}

// Reader reads the values of one section. After the first error every read returns zero.
type Reader struct {
	wire.Reader
	texts []string
}

func newReader(body []byte) *Reader {
	reader := &Reader{Reader: *wire.NewReader(body)}
	lengths := make([]uint64, reader.Count(1))
	total := uint64(0)
	for i := range lengths {
		lengths[i] = reader.Uvarint()
		total += lengths[i]
	}
	all := string(reader.Take(total)) // one allocation holds all strings
	if reader.Err() != nil {
		return reader
	}
	reader.texts = make([]string, len(lengths))
	for i, length := range lengths {
		reader.texts[i], all = all[:length], all[length:]
	}
	return reader
}

func (r *Reader) text() string {
	code := r.Uvarint()
	if code >= uint64(len(r.texts)) {
		r.Fail()
		return ""
	}
	return r.texts[code]
}
