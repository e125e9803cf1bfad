package snapshot

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Marshaler is implemented by pointers to types with a form of their own in a section.
type Marshaler interface {
	MarshalSection(writer *Writer)
	// UnmarshalSection reads the output of MarshalSection. On malformed bytes it calls r.Fail or relies on the
	// reads that fail.
	UnmarshalSection(reader *Reader)
}

// codec writes and reads the values of one type: struct fields in their order, numbers as varints, strings
// as codes of the section's table. It is derived from the type, so a new field needs no code.
type codec struct {
	write func(*Writer, reflect.Value)
	read  func(*Reader, reflect.Value)
}

// encode returns the body of a section.
func (c codec) encode(value any) []byte {
	writer := &Writer{codes: map[string]uint64{}}

	c.write(writer, addressable(reflect.ValueOf(value)))
	return writer.bytes()
}

// decode reverses encode.
func (c codec) decode(typ reflect.Type, body []byte) (any, error) {
	reader := newReader(slices.Clip(body))
	value := reflect.New(typ).Elem()
	if reader.Err() == nil {
		c.read(reader, value)
	}
	if err := reader.Close(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return value.Interface(), nil
}

// codecOf returns the codec of a type, or an error for a type that snapshots cannot hold.
func codecOf(typ reflect.Type) (codec, error) {
	switch {
	case reflect.PointerTo(typ).Implements(reflect.TypeFor[Marshaler]()):
		return codec{
			func(writer *Writer, value reflect.Value) { value.Addr().Interface().(Marshaler).MarshalSection(writer) },
			func(reader *Reader, value reflect.Value) {
				value.Addr().Interface().(Marshaler).UnmarshalSection(reader)
			},
		}, nil
	case typ == reflect.TypeFor[time.Time]():
		return codec{writeTime, readTime}, nil
	case typ == reflect.TypeFor[[]byte]():
		return codec{writeBytes, readBytes}, nil
	}
	switch typ.Kind() {
	case reflect.String:
		return codec{
			func(writer *Writer, value reflect.Value) { writer.text(value.String()) },
			func(reader *Reader, value reflect.Value) { value.SetString(reader.text()) },
		}, nil
	case reflect.Bool:
		return codec{writeBool, func(reader *Reader, value reflect.Value) { value.SetBool(reader.Uvarint() == 1) }}, nil
	case reflect.Int, reflect.Int32, reflect.Int64:
		return codec{
			func(writer *Writer, value reflect.Value) { writer.Varint(value.Int()) },
			func(reader *Reader, value reflect.Value) { value.SetInt(reader.Varint()) },
		}, nil
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return codec{
			func(writer *Writer, value reflect.Value) { writer.Uvarint(value.Uint()) },
			func(reader *Reader, value reflect.Value) { value.SetUint(reader.Uvarint()) },
		}, nil
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return compositeCodec(typ)
	case reflect.Struct:
		return structCodec(typ)
	}
	return codec{}, fmt.Errorf("snapshots cannot hold %s", typ)
}

func compositeCodec(typ reflect.Type) (codec, error) {
	element, err := codecOf(typ.Elem())
	if err != nil {
		return codec{}, err
	}
	switch typ.Kind() {
	case reflect.Pointer:
		return pointerCodec(typ, element), nil
	case reflect.Slice:
		return sliceCodec(typ, element), nil
	case reflect.Array:
		return arrayCodec(typ, element), nil
	default:
		key, err := codecOf(typ.Key())
		return mapCodec(typ, key, element), err
	}
}

func writeBool(writer *Writer, value reflect.Value) {
	if value.Bool() {
		writer.Uvarint(1)
	} else {
		writer.Uvarint(0)
	}
}

func writeTime(writer *Writer, value reflect.Value) {
	at := value.Interface().(time.Time)
	writer.Varint(at.Unix())
	writer.Varint(int64(at.Nanosecond()))
}

// readTime also restores the zero time, whose seconds count from 1970 like all others.
func readTime(reader *Reader, value reflect.Value) {
	value.Set(reflect.ValueOf(time.Unix(reader.Varint(), reader.Varint()).UTC()))
}

// writeLength writes 0 for nil, otherwise the length plus one: nil and empty can differ in JSON.
func writeLength(writer *Writer, value reflect.Value) {
	if value.IsNil() {
		writer.Uvarint(0)
		return
	}
	writer.Uvarint(uint64(value.Len()) + 1)
}

// readLength reverses writeLength. An element takes at least one byte, so a length that exceeds the
// unread bytes is malformed.
func readLength(reader *Reader) (length int, isNil bool) {
	n := reader.Uvarint()
	if n == 0 || n-1 > uint64(reader.Len()) {
		if n > 0 {
			reader.Fail()
		}
		return 0, true
	}
	return int(n - 1), false
}

func pointerCodec(typ reflect.Type, element codec) codec {
	return codec{
		func(writer *Writer, value reflect.Value) {
			if value.IsNil() {
				writer.Uvarint(0)
				return
			}
			writer.Uvarint(1)
			element.write(writer, value.Elem())
		},
		func(reader *Reader, value reflect.Value) {
			if reader.Uvarint() == 1 {
				value.Set(reflect.New(typ.Elem()))
				element.read(reader, value.Elem())
			}
		},
	}
}

func sliceCodec(typ reflect.Type, element codec) codec {
	return codec{
		func(writer *Writer, value reflect.Value) {
			writeLength(writer, value)
			for i := range value.Len() {
				element.write(writer, value.Index(i))
			}
		},
		func(reader *Reader, value reflect.Value) {
			length, isNil := readLength(reader)
			if isNil {
				return
			}
			value.Set(reflect.MakeSlice(typ, length, length))
			for i := 0; i < length && reader.Err() == nil; i++ {
				element.read(reader, value.Index(i))
			}
		},
	}
}

func arrayCodec(typ reflect.Type, element codec) codec {
	return codec{
		func(writer *Writer, value reflect.Value) {
			for i := range typ.Len() {
				element.write(writer, value.Index(i))
			}
		},
		func(reader *Reader, value reflect.Value) {
			for i := range typ.Len() {
				element.read(reader, value.Index(i))
			}
		},
	}
}

func mapCodec(typ reflect.Type, key, element codec) codec {
	return codec{
		func(writer *Writer, value reflect.Value) {
			writeLength(writer, value)
			if value.IsNil() {
				return
			}
			for entry := value.MapRange(); entry.Next(); {
				key.write(writer, addressable(entry.Key()))
				element.write(writer, addressable(entry.Value()))
			}
		},
		func(reader *Reader, value reflect.Value) {
			length, isNil := readLength(reader)
			if isNil {
				return
			}
			value.Set(reflect.MakeMap(typ))
			for i := 0; i < length && reader.Err() == nil; i++ {
				k, v := reflect.New(typ.Key()).Elem(), reflect.New(typ.Elem()).Elem()
				key.read(reader, k)
				element.read(reader, v)
				value.SetMapIndex(k, v)
			}
		},
	}
}

// addressable returns a copy whose address can be taken, which a Marshaler needs.
func addressable(value reflect.Value) reflect.Value {
	clone := reflect.New(value.Type()).Elem()
	clone.Set(value)
	return clone
}

func structCodec(typ reflect.Type) (codec, error) {
	fields := make([]codec, typ.NumField())
	for i := range fields {
		field := typ.Field(i)
		if !field.IsExported() {
			return codec{}, fmt.Errorf("snapshots cannot hold the field %s of %s", field.Name, typ)
		}
		var err error
		if fields[i], err = codecOf(field.Type); err != nil {
			return codec{}, err
		}
	}
	return codec{
		func(writer *Writer, value reflect.Value) {
			for i := range fields {
				fields[i].write(writer, value.Field(i))
			}
		},
		func(reader *Reader, value reflect.Value) {
			for i := range fields {
				fields[i].read(reader, value.Field(i))
			}
		},
	}, nil
}

func writeBytes(writer *Writer, value reflect.Value) {
	writeLength(writer, value)
	writer.body = append(writer.body, value.Bytes()...)
}

func readBytes(reader *Reader, value reflect.Value) {
	if length, isNil := readLength(reader); !isNil {
		value.SetBytes(slices.Clone(reader.Take(uint64(length))))
	}
}

// describe returns the structure of a type down to its last field. Types with the same description have the
// same form in a section.
func describe(typ reflect.Type) string {
	switch typ.Kind() {
	case reflect.Struct:
		if typ == reflect.TypeFor[time.Time]() {
			return "time"
		}
		var fields []string
		for i := range typ.NumField() {
			fields = append(fields, typ.Field(i).Name+" "+describe(typ.Field(i).Type))
		}
		return typ.Name() + "{" + strings.Join(fields, ";") + "}"
	case reflect.Pointer:
		return "*" + describe(typ.Elem())
	case reflect.Slice:
		return "[]" + describe(typ.Elem())
	case reflect.Array:
		return fmt.Sprintf("[%d]%s", typ.Len(), describe(typ.Elem()))
	case reflect.Map:
		return "map[" + describe(typ.Key()) + "]" + describe(typ.Elem())
	}
	return typ.Kind().String()
}
