package projections

import (
	"encoding/binary"
	"errors"
)

// sectionWriter collects one section.
type sectionWriter struct {
	body  []byte
	codes map[string]uint64
	words []string
}

func (w *sectionWriter) uvarint(n uint64) { w.body = binary.AppendUvarint(w.body, n) }
func (w *sectionWriter) varint(n int64)   { w.body = binary.AppendVarint(w.body, n) }

func (w *sectionWriter) text(s string) {
	code, ok := w.codes[s]
	if !ok {
		code = uint64(len(w.words))
		w.codes[s] = code
		w.words = append(w.words, s)
	}
	w.uvarint(code)
}

// bytes returns the table of texts and the values.
func (w *sectionWriter) bytes() []byte {
	b := binary.AppendUvarint(nil, uint64(len(w.words)))
	for _, s := range w.words {
		b = binary.AppendUvarint(b, uint64(len(s)))
	}
	for _, s := range w.words {
		b = append(b, s...)
	}
	return append(b, w.body...)
}

var errSection = errors.New("a section of the snapshot ends early or has a wrong length")

// sectionReader takes a section apart. After the first fault every read returns nothing.
type sectionReader struct {
	rest  []byte
	words []string
	err   error
}

func newSectionReader(b []byte) *sectionReader {
	r := &sectionReader{rest: b}
	lengths := make([]uint64, r.count(1))
	total := uint64(0)
	for i := range lengths {
		lengths[i] = r.uvarint()
		total += lengths[i]
	}
	if r.err != nil || total > uint64(len(r.rest)) {
		r.fail()
		return r
	}
	all := string(r.rest[:total]) // one string holds them all
	r.rest = r.rest[total:]
	r.words = make([]string, len(lengths))
	for i, n := range lengths {
		r.words[i], all = all[:n], all[n:]
	}
	return r
}

func (r *sectionReader) fail() { r.rest, r.err = nil, errSection }

func (r *sectionReader) uvarint() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *sectionReader) varint() int64 {
	n, size := binary.Varint(r.rest)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

// count reads a number of things that take at least the given number of bytes each.
func (r *sectionReader) count(size int) int {
	n := r.uvarint()
	if n > uint64(len(r.rest)/size) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *sectionReader) text() string {
	code := r.uvarint()
	if code >= uint64(len(r.words)) {
		r.fail()
		return ""
	}
	return r.words[code]
}
