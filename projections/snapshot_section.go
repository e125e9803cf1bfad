package projections

import (
	"encoding/binary"
	"errors"
)

// sectionWriter collects one section.
type sectionWriter struct {
	body  []byte
	codes map[string]uint64
	texts []string
}

func (w *sectionWriter) uvarint(count uint64) { w.body = binary.AppendUvarint(w.body, count) }
func (w *sectionWriter) varint(n int64)       { w.body = binary.AppendVarint(w.body, n) }

func (w *sectionWriter) text(text string) {
	code, ok := w.codes[text]
	if !ok {
		code = uint64(len(w.texts))
		w.codes[text] = code
		w.texts = append(w.texts, text)
	}
	w.uvarint(code)
}

// bytes returns the table of texts and the values.
func (w *sectionWriter) bytes() []byte {
	b := binary.AppendUvarint(nil, uint64(len(w.texts)))
	for _, text := range w.texts {
		b = binary.AppendUvarint(b, uint64(len(text)))
	}
	for _, text := range w.texts {
		b = append(b, text...)
	}
	return append(b, w.body...)
}

var errMalformedSection = errors.New("a section of the snapshot ends early or has a wrong length")

// sectionReader takes a section apart. After the first fault every read returns nothing.
type sectionReader struct {
	unread []byte
	texts  []string
	err    error
}

func newSectionReader(b []byte) *sectionReader {
	reader := &sectionReader{unread: b}
	lengths := make([]uint64, reader.count(1))
	total := uint64(0)
	for i := range lengths {
		lengths[i] = reader.uvarint()
		total += lengths[i]
	}
	if reader.err != nil || total > uint64(len(reader.unread)) {
		reader.fail()
		return reader
	}
	all := string(reader.unread[:total]) // one string holds them all
	reader.unread = reader.unread[total:]
	reader.texts = make([]string, len(lengths))
	for i, count := range lengths {
		reader.texts[i], all = all[:count], all[count:]
	}
	return reader
}

func (r *sectionReader) fail() { r.unread, r.err = nil, errMalformedSection }

func (r *sectionReader) uvarint() uint64 {
	count, size := binary.Uvarint(r.unread)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.unread = r.unread[size:]
	return count
}

func (r *sectionReader) varint() int64 {
	n, size := binary.Varint(r.unread)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.unread = r.unread[size:]
	return n
}

// count reads a number of things that take at least the given number of bytes each.
func (r *sectionReader) count(size int) int {
	count := r.uvarint()
	if count > uint64(len(r.unread)/size) {
		r.fail()
		return 0
	}
	return int(count)
}

func (r *sectionReader) text() string {
	code := r.uvarint()
	if code >= uint64(len(r.texts)) {
		r.fail()
		return ""
	}
	return r.texts[code]
}
