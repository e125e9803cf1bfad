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
func codecOf(t reflect.Type) (codec, error) {
	switch t {
	case reflect.TypeFor[time.Time]():
		return codec{writeTime, readTime}, nil
	case reflect.TypeFor[[]ref]():
		return codec{writeRefs, readRefs}, nil
	case reflect.TypeFor[[]byte]():
		return codec{writeBytes, readBytes}, nil
	}
	switch t.Kind() {
	case reflect.String:
		return codec{
			func(w *sectionWriter, v reflect.Value) { w.text(v.String()) },
			func(r *sectionReader, v reflect.Value) { v.SetString(r.text()) },
		}, nil
	case reflect.Bool:
		return codec{writeBool, func(r *sectionReader, v reflect.Value) { v.SetBool(r.uvarint() == 1) }}, nil
	case reflect.Int, reflect.Int32, reflect.Int64:
		return codec{
			func(w *sectionWriter, v reflect.Value) { w.varint(v.Int()) },
			func(r *sectionReader, v reflect.Value) { v.SetInt(r.varint()) },
		}, nil
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return codec{
			func(w *sectionWriter, v reflect.Value) { w.uvarint(v.Uint()) },
			func(r *sectionReader, v reflect.Value) { v.SetUint(r.uvarint()) },
		}, nil
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return compositeCodec(t)
	case reflect.Struct:
		return structCodec(t)
	}
	return codec{}, fmt.Errorf("snapshots cannot hold %s", t)
}

func compositeCodec(t reflect.Type) (codec, error) {
	element, err := codecOf(t.Elem())
	if err != nil {
		return codec{}, err
	}
	switch t.Kind() {
	case reflect.Pointer:
		return pointerCodec(t, element), nil
	case reflect.Slice:
		return sliceCodec(t, element), nil
	case reflect.Array:
		return arrayCodec(t, element), nil
	default:
		key, err := codecOf(t.Key())
		return mapCodec(t, key, element), err
	}
}

func writeBool(w *sectionWriter, v reflect.Value) {
	n := uint64(0)
	if v.Bool() {
		n = 1
	}
	w.uvarint(n)
}

func writeTime(w *sectionWriter, v reflect.Value) {
	t := v.Interface().(time.Time)
	w.varint(t.Unix())
	w.varint(int64(t.Nanosecond()))
}

// readTime gives the zero time for the zero time, because its seconds count from 1970 too.
func readTime(r *sectionReader, v reflect.Value) {
	v.Set(reflect.ValueOf(time.Unix(r.varint(), r.varint()).UTC()))
}

func pointerCodec(t reflect.Type, element codec) codec {
	return codec{
		func(w *sectionWriter, v reflect.Value) {
			if v.IsNil() {
				w.uvarint(0)
				return
			}
			w.uvarint(1)
			element.write(w, v.Elem())
		},
		func(r *sectionReader, v reflect.Value) {
			if r.uvarint() == 1 {
				v.Set(reflect.New(t.Elem()))
				element.read(r, v.Elem())
			}
		},
	}
}

// sliceCodec tells nil from empty, because they can read differently.
func sliceCodec(t reflect.Type, element codec) codec {
	return codec{
		func(w *sectionWriter, v reflect.Value) {
			if v.IsNil() {
				w.uvarint(0)
				return
			}
			w.uvarint(uint64(v.Len()) + 1)
			for i := range v.Len() {
				element.write(w, v.Index(i))
			}
		},
		func(r *sectionReader, v reflect.Value) {
			n := r.uvarint()
			if n == 0 {
				return
			}
			if n-1 > uint64(len(r.rest)) { // an element takes a byte or more
				r.fail()
				return
			}
			v.Set(reflect.MakeSlice(t, int(n-1), int(n-1)))
			for i := 0; i < int(n-1) && r.err == nil; i++ {
				element.read(r, v.Index(i))
			}
		},
	}
}

func arrayCodec(t reflect.Type, element codec) codec {
	return codec{
		func(w *sectionWriter, v reflect.Value) {
			for i := range t.Len() {
				element.write(w, v.Index(i))
			}
		},
		func(r *sectionReader, v reflect.Value) {
			for i := range t.Len() {
				element.read(r, v.Index(i))
			}
		},
	}
}

func mapCodec(t reflect.Type, key, element codec) codec {
	return codec{
		func(w *sectionWriter, v reflect.Value) {
			if v.IsNil() {
				w.uvarint(0)
				return
			}
			w.uvarint(uint64(v.Len()) + 1)
			for it := v.MapRange(); it.Next(); {
				key.write(w, it.Key())
				element.write(w, it.Value())
			}
		},
		func(r *sectionReader, v reflect.Value) {
			n := r.uvarint()
			if n == 0 {
				return
			}
			v.Set(reflect.MakeMap(t))
			for i := uint64(1); i < n && r.err == nil; i++ {
				k, x := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
				key.read(r, k)
				element.read(r, x)
				v.SetMapIndex(k, x)
			}
		},
	}
}

func structCodec(t reflect.Type) (codec, error) {
	fields := make([]codec, t.NumField())
	for i := range fields {
		f := t.Field(i)
		if !f.IsExported() {
			return codec{}, fmt.Errorf("snapshots cannot hold the field %s of %s", f.Name, t)
		}
		var err error
		if fields[i], err = codecOf(f.Type); err != nil {
			return codec{}, err
		}
	}
	return codec{
		func(w *sectionWriter, v reflect.Value) {
			for i := range fields {
				fields[i].write(w, v.Field(i))
			}
		},
		func(r *sectionReader, v reflect.Value) {
			for i := range fields {
				fields[i].read(r, v.Field(i))
			}
		},
	}, nil
}

// writeBytes tells nil from empty, as sliceCodec does.
func writeBytes(w *sectionWriter, v reflect.Value) {
	if v.IsNil() {
		w.uvarint(0)
		return
	}
	w.uvarint(uint64(v.Len()) + 1)
	w.body = append(w.body, v.Bytes()...)
}

func readBytes(r *sectionReader, v reflect.Value) {
	n := r.uvarint()
	if n == 0 {
		return
	}
	if n-1 > uint64(len(r.rest)) {
		r.fail()
		return
	}
	v.SetBytes(slices.Clone(r.rest[:n-1]))
	r.rest = r.rest[n-1:]
}

// writeRefs writes the differences from one ref to the next, which are small.
func writeRefs(w *sectionWriter, v reflect.Value) {
	refs := v.Interface().([]ref)
	w.uvarint(uint64(len(refs)))
	var last ref
	for _, x := range refs {
		w.varint(x.At - last.At)
		w.uvarint(uint64(x.Seq - last.Seq))
		w.uvarint(uint64(x.Index))
		w.uvarint(uint64(x.Audience))
		last = x
	}
}

func readRefs(r *sectionReader, v reflect.Value) {
	refs := make([]ref, r.count(4))
	var last ref
	for i := range refs {
		last = ref{
			At: last.At + r.varint(), Seq: last.Seq + uint32(r.uvarint()),
			Index: uint16(r.uvarint()), Audience: uint16(r.uvarint()),
		}
		refs[i] = last
	}
	v.Set(reflect.ValueOf(refs))
}

// describe writes out a type down to its last field, so that two types with the same description
// have the same form in a snapshot.
func describe(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			return "time"
		}
		var fields []string
		for i := range t.NumField() {
			fields = append(fields, t.Field(i).Name+" "+describe(t.Field(i).Type))
		}
		return t.Name() + "{" + strings.Join(fields, ";") + "}"
	case reflect.Pointer:
		return "*" + describe(t.Elem())
	case reflect.Slice:
		return "[]" + describe(t.Elem())
	case reflect.Array:
		return fmt.Sprintf("[%d]%s", t.Len(), describe(t.Elem()))
	case reflect.Map:
		return "map[" + describe(t.Key()) + "]" + describe(t.Elem())
	}
	return t.Kind().String()
}

// encode returns one value as a section.
func encode[T any](c codec, x T) []byte {
	w := &sectionWriter{codes: map[string]uint64{}}
	c.write(w, reflect.ValueOf(&x).Elem())
	return w.bytes()
}

// decodeSection reads what encode wrote.
func decodeSection(c codec, t reflect.Type, b []byte) (any, error) {
	r := newSectionReader(slices.Clip(b))
	v := reflect.New(t).Elem()
	if r.err == nil {
		c.read(r, v)
	}
	if r.err == nil && len(r.rest) > 0 {
		r.fail()
	}
	return v.Interface(), r.err
}
