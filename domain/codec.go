package domain

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// Replay reads millions of events written by json.Marshal, and encoding/json scans each value twice. Each stored
// type therefore has a one-pass reader that expects the fields in the order in which json.Marshal writes them. It
// gives up on input that json.Marshal writes rarely or never (an escape, a space, a null, a key out of order);
// encoding/json then reads the value. The result is always the same as that of encoding/json alone.

// wireFormat is the reader of one type that is stored or sent as JSON.
type wireFormat struct {
	goType   reflect.Type
	readFast readFunc
}

func wireFormatOf(example any) wireFormat {
	typ := reflect.TypeOf(example)
	return wireFormat{typ, readFuncOf(typ)}
}

// read decodes data. In strict mode unknown fields are an error.
func (f wireFormat) read(data []byte, strict bool) (any, error) {
	into := reflect.New(f.goType).Elem()
	if f.readFast(data, 0, into) == len(data) {
		return into.Interface(), nil
	}
	into.SetZero()
	if err := decode(data, into.Addr().Interface(), strict); err != nil {
		return nil, err
	}
	return into.Interface(), nil
}

func decode(data []byte, into any, strict bool) error {
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return errors.New("not a JSON object")
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	if strict {
		decoder.DisallowUnknownFields()
	}
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("data after the end of the JSON object")
	}
	return nil
}

// readFunc decodes the value at data[at] into value, which is zero, and returns the end of the input it used, or
// gaveUp.
type readFunc func(data []byte, at int, value reflect.Value) (end int)

const gaveUp = -1

func readFuncOf(typ reflect.Type) readFunc {
	if typ == reflect.TypeFor[Date]() {
		return readDate
	}
	if reflect.PointerTo(typ).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return readNothing
	}
	switch typ.Kind() {
	case reflect.String:
		return readString
	case reflect.Int:
		return readInt
	case reflect.Bool:
		return readBool
	case reflect.Pointer:
		return readPointer(readFuncOf(typ.Elem()))
	case reflect.Struct:
		return readStruct(typ)
	case reflect.Slice:
		if typ.Elem().Kind() == reflect.Uint8 {
			return readNothing
		}
		return readSlice(readFuncOf(typ.Elem()))
	}
	return readNothing
}

func readNothing([]byte, int, reflect.Value) int { return gaveUp }

// hasByteAt reports whether data[at] exists and equals char.
func hasByteAt(data []byte, at int, char byte) bool { return at < len(data) && data[at] == char }

// field is one member of a JSON object.
type field struct {
	key   string // with quotes and colon, as json.Marshal writes it
	index []int  // of the struct's field, as reflect.Value.FieldByIndex takes it
	read  readFunc
}

// fieldsOf returns the fields that json.Marshal writes for a struct, in its order. The fields of an embedded
// struct without a tag take the place of that struct.
func fieldsOf(typ reflect.Type, path []int) (fields []field) {
	for i := range typ.NumField() {
		structField := typ.Field(i)
		index := slices.Concat(path, structField.Index)
		name, _, _ := strings.Cut(structField.Tag.Get("json"), ",")
		if name == "-" { // not stored
			continue
		}
		if name == "" && structField.Anonymous {
			fields = append(fields, fieldsOf(structField.Type, index)...)
			continue
		}
		fields = append(fields, field{`"` + name + `":`, index, readFuncOf(structField.Type)})
	}
	return fields
}

// readStruct returns a reader for an object with keys in the order of the type's fields; each key is optional.
func readStruct(typ reflect.Type) readFunc {
	fields := fieldsOf(typ, nil)
	return func(data []byte, at int, value reflect.Value) int {
		if !hasByteAt(data, at, '{') {
			return gaveUp
		}
		at++
		first := true
		for i := 0; i < len(fields) && !hasByteAt(data, at, '}'); i++ {
			key := at
			if !first {
				if !hasByteAt(data, at, ',') {
					return gaveUp
				}
				key++
			}
			next := &fields[i]
			if len(data)-key < len(next.key) || string(data[key:key+len(next.key)]) != next.key {
				continue
			}
			if at = next.read(data, key+len(next.key), value.FieldByIndex(next.index)); at == gaveUp {
				return gaveUp
			}
			first = false
		}
		if !hasByteAt(data, at, '}') {
			return gaveUp
		}
		return at + 1
	}
}

// readSlice returns a reader for an array of at least one element.
func readSlice(element readFunc) readFunc {
	return func(data []byte, at int, value reflect.Value) int {
		if !hasByteAt(data, at, '[') {
			return gaveUp
		}
		for n := 0; ; n++ {
			value.Grow(1)
			value.SetLen(n + 1)
			if at = element(data, at+1, value.Index(n)); at == gaveUp {
				return gaveUp
			}
			if hasByteAt(data, at, ']') {
				return at + 1
			}
			if !hasByteAt(data, at, ',') {
				return gaveUp
			}
		}
	}
}

func readPointer(readTarget readFunc) readFunc {
	return func(data []byte, at int, value reflect.Value) int {
		target := reflect.New(value.Type().Elem())
		value.Set(target)
		return readTarget(data, at, target.Elem())
	}
}

// readQuoted returns the contents of the JSON string at data[at] and the index after it.
func readQuoted(data []byte, at int) (text []byte, end int) {
	if !hasByteAt(data, at, '"') {
		return nil, gaveUp
	}
	ascii := true
	for i := at + 1; i < len(data); i++ {
		switch char := data[i]; {
		case char == '"':
			text = data[at+1 : i]
			if !ascii && !utf8.Valid(text) {
				return nil, gaveUp
			}
			return text, i + 1
		case char == '\\' || char < ' ':
			return nil, gaveUp
		case char >= utf8.RuneSelf:
			ascii = false
		}
	}
	return nil, gaveUp
}

func readString(data []byte, at int, value reflect.Value) int {
	text, end := readQuoted(data, at)
	if end != gaveUp {
		value.SetString(string(text))
	}
	return end
}

func readDate(data []byte, at int, value reflect.Value) int {
	text, end := readQuoted(data, at)
	if end == gaveUp {
		return gaveUp
	}
	date, ok := parseDate(text)
	if !ok {
		return gaveUp
	}
	value.SetInt(int64(date))
	return end
}

// readInt reads an integer from 0 to 999999999 without sign.
func readInt(data []byte, at int, value reflect.Value) int {
	n, start := 0, at
	for ; at < len(data) && data[at] >= '0' && data[at] <= '9'; at++ {
		n = n*10 + int(data[at]-'0')
	}
	digits := at - start
	if digits == 0 || digits > 9 || (digits > 1 && data[start] == '0') {
		return gaveUp
	}
	value.SetInt(int64(n))
	return at
}

func readBool(data []byte, at int, value reflect.Value) int {
	switch rest := data[at:]; {
	case bytes.HasPrefix(rest, []byte("true")):
		value.SetBool(true)
		return at + len("true")
	case bytes.HasPrefix(rest, []byte("false")):
		return at + len("false")
	}
	return gaveUp
}
