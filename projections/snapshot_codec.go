package projections

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// A codec writes and reads the values of one type in the form of snapshots: fields in their order,
// numbers as varints, every text once in a table of its section. It follows from the type alone,
// so a new field of an entity needs no code; the schema hash then tells old snapshots apart.
type codec struct {
	write func(*sectionWriter, reflect.Value)
	read  func(*sectionReader, reflect.Value)
}

// codecOf returns the codec of a type; an error for a type that snapshots cannot hold.
func codecOf(typ reflect.Type) (codec, error) {
	switch typ {
	case reflect.TypeFor[time.Time]():
		return codec{writeTime, readTime}, nil
	case reflect.TypeFor[[]ref]():
		return codec{writeRefs, readRefs}, nil
	case reflect.TypeFor[[]byte]():
		return codec{writeBytes, readBytes}, nil
	}
	switch typ.Kind() {
	case reflect.String:
		return codec{
			func(writer *sectionWriter, value reflect.Value) { writer.text(value.String()) },
			func(reader *sectionReader, value reflect.Value) { value.SetString(reader.text()) },
		}, nil
	case reflect.Bool:
		return codec{writeBool, func(reader *sectionReader, value reflect.Value) { value.SetBool(reader.uvarint() == 1) }}, nil
	case reflect.Int, reflect.Int32, reflect.Int64:
		return codec{
			func(writer *sectionWriter, value reflect.Value) { writer.varint(value.Int()) },
			func(reader *sectionReader, value reflect.Value) { value.SetInt(reader.varint()) },
		}, nil
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return codec{
			func(writer *sectionWriter, value reflect.Value) { writer.uvarint(value.Uint()) },
			func(reader *sectionReader, value reflect.Value) { value.SetUint(reader.uvarint()) },
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

func writeBool(writer *sectionWriter, value reflect.Value) {
	count := uint64(0)
	if value.Bool() {
		count = 1
	}
	writer.uvarint(count)
}

func writeTime(writer *sectionWriter, value reflect.Value) {
	at := value.Interface().(time.Time)
	writer.varint(at.Unix())
	writer.varint(int64(at.Nanosecond()))
}

// readTime gives the zero time for the zero time, because its seconds count from 1970 too.
func readTime(reader *sectionReader, value reflect.Value) {
	value.Set(reflect.ValueOf(time.Unix(reader.varint(), reader.varint()).UTC()))
}

func pointerCodec(typ reflect.Type, element codec) codec {
	return codec{
		func(writer *sectionWriter, value reflect.Value) {
			if value.IsNil() {
				writer.uvarint(0)
				return
			}
			writer.uvarint(1)
			element.write(writer, value.Elem())
		},
		func(reader *sectionReader, value reflect.Value) {
			if reader.uvarint() == 1 {
				value.Set(reflect.New(typ.Elem()))
				element.read(reader, value.Elem())
			}
		},
	}
}

// sliceCodec tells nil from empty, because they can read differently.
func sliceCodec(typ reflect.Type, element codec) codec {
	return codec{
		func(writer *sectionWriter, value reflect.Value) {
			if value.IsNil() {
				writer.uvarint(0)
				return
			}
			writer.uvarint(uint64(value.Len()) + 1)
			for i := range value.Len() {
				element.write(writer, value.Index(i))
			}
		},
		func(reader *sectionReader, value reflect.Value) {
			count := reader.uvarint()
			if count == 0 {
				return
			}
			if count-1 > uint64(len(reader.unread)) { // an element takes a byte or more
				reader.fail()
				return
			}
			value.Set(reflect.MakeSlice(typ, int(count-1), int(count-1)))
			for i := 0; i < int(count-1) && reader.err == nil; i++ {
				element.read(reader, value.Index(i))
			}
		},
	}
}

func arrayCodec(typ reflect.Type, element codec) codec {
	return codec{
		func(writer *sectionWriter, value reflect.Value) {
			for i := range typ.Len() {
				element.write(writer, value.Index(i))
			}
		},
		func(reader *sectionReader, value reflect.Value) {
			for i := range typ.Len() {
				element.read(reader, value.Index(i))
			}
		},
	}
}

func mapCodec(typ reflect.Type, key, element codec) codec {
	return codec{
		func(writer *sectionWriter, value reflect.Value) {
			if value.IsNil() {
				writer.uvarint(0)
				return
			}
			writer.uvarint(uint64(value.Len()) + 1)
			for it := value.MapRange(); it.Next(); {
				key.write(writer, it.Key())
				element.write(writer, it.Value())
			}
		},
		func(reader *sectionReader, value reflect.Value) {
			count := reader.uvarint()
			if count == 0 {
				return
			}
			value.Set(reflect.MakeMap(typ))
			for i := uint64(1); i < count && reader.err == nil; i++ {
				mapKey, entry := reflect.New(typ.Key()).Elem(), reflect.New(typ.Elem()).Elem()
				key.read(reader, mapKey)
				element.read(reader, entry)
				value.SetMapIndex(mapKey, entry)
			}
		},
	}
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
		func(writer *sectionWriter, value reflect.Value) {
			for i := range fields {
				fields[i].write(writer, value.Field(i))
			}
		},
		func(reader *sectionReader, value reflect.Value) {
			for i := range fields {
				fields[i].read(reader, value.Field(i))
			}
		},
	}, nil
}

// writeBytes tells nil from empty, as sliceCodec does.
func writeBytes(writer *sectionWriter, value reflect.Value) {
	if value.IsNil() {
		writer.uvarint(0)
		return
	}
	writer.uvarint(uint64(value.Len()) + 1)
	writer.body = append(writer.body, value.Bytes()...)
}

func readBytes(reader *sectionReader, value reflect.Value) {
	count := reader.uvarint()
	if count == 0 {
		return
	}
	if count-1 > uint64(len(reader.unread)) {
		reader.fail()
		return
	}
	value.SetBytes(slices.Clone(reader.unread[:count-1]))
	reader.unread = reader.unread[count-1:]
}

// writeRefs writes the differences from one ref to the next, which are small.
func writeRefs(writer *sectionWriter, value reflect.Value) {
	refs := value.Interface().([]ref)
	writer.uvarint(uint64(len(refs)))
	var last ref
	for _, entry := range refs {
		writer.varint(entry.At - last.At)
		writer.uvarint(uint64(entry.Seq - last.Seq))
		writer.uvarint(uint64(entry.Index))
		writer.uvarint(uint64(entry.Audience))
		last = entry
	}
}

func readRefs(reader *sectionReader, value reflect.Value) {
	refs := make([]ref, reader.count(4))
	var last ref
	for i := range refs {
		last = ref{
			At: last.At + reader.varint(), Seq: last.Seq + uint32(reader.uvarint()),
			Index: uint16(reader.uvarint()), Audience: uint16(reader.uvarint()),
		}
		refs[i] = last
	}
	value.Set(reflect.ValueOf(refs))
}

// describe writes out a type down to its last field, so that two types with the same description
// have the same form in a snapshot.
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

// encode returns one value as a section.
func encode[T any](codec codec, value T) []byte {
	writer := &sectionWriter{codes: map[string]uint64{}}
	codec.write(writer, reflect.ValueOf(&value).Elem())
	return writer.bytes()
}

// decodeSection reads what encode wrote.
func decodeSection(codec codec, typ reflect.Type, b []byte) (any, error) {
	reader := newSectionReader(slices.Clip(b))
	value := reflect.New(typ).Elem()
	if reader.err == nil {
		codec.read(reader, value)
	}
	if reader.err == nil && len(reader.unread) > 0 {
		reader.fail()
	}
	return value.Interface(), reader.err
}
