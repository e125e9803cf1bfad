// Package snapshot writes and reads files of typed sections.
//
// A file is a magic word, a hash of the format, and sections: a kind, the length of the body as a varint, its
// SHA-256, the body. The last section has kind 0 and no body, so a file that was cut off is recognised. The
// form of a section follows from its Go type alone (see [Format]); a file whose types were different has
// another hash and is not read.
package snapshot

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"reflect"

	"tandem/eventlog/wire"
)

const magic = "TANDEMIM"

// The reasons not to use a file.
var (
	ErrOtherFormat = errors.New("the snapshot was written by another version")
	ErrDamaged     = errors.New("the snapshot is damaged")
)

// Kind identifies the type of a section within a [Format], counted from 1.
type Kind byte

// endKind marks the section that ends a file.
const endKind Kind = 0

// Format is the set of section types that a program writes. It is safe for concurrent use.
type Format struct {
	hash  [sha256.Size]byte
	types []reflect.Type // by kind; nil for endKind
	codec []codec
}

// NewFormat returns a format with one kind of section per type: the first has kind 1. The version and the
// description of every type make up the hash. A type may consist of strings, numbers other than floats,
// booleans, time.Time, pointers, slices, arrays, maps, structs with exported fields only, and types that
// implement [Marshaler]; any other is an error.
func NewFormat(version string, types ...reflect.Type) (*Format, error) {
	format := &Format{types: []reflect.Type{nil}, codec: []codec{{}}}
	description := version
	for _, typ := range types {
		codec, err := codecOf(typ)
		if err != nil {
			return nil, err
		}
		format.types, format.codec = append(format.types, typ), append(format.codec, codec)
		description += "; " + describe(typ)
	}
	format.hash = sha256.Sum256([]byte(description))
	return format, nil
}

// AppendHeader appends the beginning of a file.
func (f *Format) AppendHeader(b []byte) []byte { return append(append(b, magic...), f.hash[:]...) }

// AppendSection appends a section that holds value, which must have the type of the kind.
func (f *Format) AppendSection(b []byte, kind Kind, value any) []byte {
	if typ := reflect.TypeOf(value); typ != f.types[kind] {
		panic("snapshot: a section of " + f.types[kind].String() + " cannot hold " + typ.String())
	}
	return appendSection(b, kind, f.codec[kind].encode(value))
}

// AppendEnd appends the section that ends a file.
func (f *Format) AppendEnd(b []byte) []byte { return appendSection(b, endKind, nil) }

func appendSection(b []byte, kind Kind, body []byte) []byte {
	b = binary.AppendUvarint(append(b, byte(kind)), uint64(len(body)))
	sum := sha256.Sum256(body)
	return append(append(b, sum[:]...), body...)
}

// Section is a part of a file whose body is not decoded yet.
type Section struct {
	kind Kind
	sum  [sha256.Size]byte
	body []byte
}

// Sections splits a file into its sections without decoding them. The error is ErrOtherFormat or ErrDamaged.
func (f *Format) Sections(file []byte) ([]Section, error) {
	header := f.AppendHeader(nil)
	if len(file) < len(header) || string(file[:len(magic)]) != magic {
		return nil, ErrDamaged
	}
	if string(file[:len(header)]) != string(header) {
		return nil, ErrOtherFormat
	}
	var sections []Section
	for reader := wire.NewReader(file[len(header):]); reader.Err() == nil; {
		section := Section{kind: Kind(reader.Byte())}
		length := reader.Uvarint()
		copy(section.sum[:], reader.Take(sha256.Size))
		section.body = reader.Take(length)
		switch {
		case reader.Err() != nil || int(section.kind) >= len(f.types):
			return nil, ErrDamaged
		case section.kind != endKind:
			sections = append(sections, section)
		case reader.Close() != nil || sha256.Sum256(section.body) != section.sum:
			return nil, ErrDamaged
		default:
			return sections, nil
		}
	}
	return nil, ErrDamaged
}

// Decode checks a section's sum and returns its value, which has the type of its kind. The error is
// ErrDamaged.
func (f *Format) Decode(section Section) (any, error) {
	if sha256.Sum256(section.body) != section.sum {
		return nil, ErrDamaged
	}
	return f.codec[section.kind].decode(f.types[section.kind], section.body)
}
