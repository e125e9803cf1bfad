package domain

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"unicode/utf8"
)

// A replay reads millions of events that json.Marshal wrote, and encoding/json reads each of them
// twice. So a value is read by a plan of its type first: one pass that knows the order in which
// the fields were written. A plan gives up at whatever json.Marshal rarely or never writes (an
// escape, a space, a null, a key out of its place), and encoding/json has the last word: nothing
// is accepted, refused or understood otherwise than by it.

// format is a type that is stored or sent as JSON.
type format struct {
	kind reflect.Type
	plan plan
}

func formatOf(example any) format {
	t := reflect.TypeOf(example)
	return format{t, planOf(t)}
}

// read returns the value that data describes. Strict refuses fields that the type does not have.
func (f format) read(data []byte, strict bool) (any, error) {
	into := reflect.New(f.kind).Elem()
	if f.plan(data, 0, into) == len(data) {
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
	d := json.NewDecoder(bytes.NewReader(data))
	if strict {
		d.DisallowUnknownFields()
	}
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more after its end")
	}
	return nil
}

// plan reads the value that begins at data[at] into the empty v and returns where it ends, or
// gaveUp.
type plan func(data []byte, at int, v reflect.Value) (end int)

const gaveUp = -1

func planOf(t reflect.Type) plan {
	if t == reflect.TypeFor[Date]() {
		return readDate
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return giveUp
	}
	switch t.Kind() {
	case reflect.String:
		return readString
	case reflect.Int:
		return readInt
	case reflect.Bool:
		return readBool
	case reflect.Pointer:
		return readPointer(planOf(t.Elem()))
	case reflect.Struct:
		return readStruct(t)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return giveUp
		}
		return readSlice(planOf(t.Elem()))
	}
	return giveUp
}

func giveUp([]byte, int, reflect.Value) int { return gaveUp }

// begins reports whether data goes on with c at the given place.
func begins(data []byte, at int, c byte) bool { return at < len(data) && data[at] == c }

// readStruct reads an object whose keys come in the order of t's fields; each may be left out.
func readStruct(t reflect.Type) plan {
	type field struct {
		key  string // as written: "name":
		read plan
	}
	fields := make([]field, t.NumField())
	for i := range fields {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		fields[i] = field{`"` + name + `":`, planOf(t.Field(i).Type)}
	}
	return func(data []byte, at int, v reflect.Value) int {
		if !begins(data, at, '{') {
			return gaveUp
		}
		at++
		first := true
		for i := 0; i < len(fields) && !begins(data, at, '}'); i++ {
			key := at
			if !first {
				if !begins(data, at, ',') {
					return gaveUp
				}
				key++
			}
			f := &fields[i]
			if len(data)-key < len(f.key) || string(data[key:key+len(f.key)]) != f.key {
				continue
			}
			if at = f.read(data, key+len(f.key), v.Field(i)); at == gaveUp {
				return gaveUp
			}
			first = false
		}
		if !begins(data, at, '}') {
			return gaveUp
		}
		return at + 1
	}
}

// readSlice reads an array of at least one element.
func readSlice(element plan) plan {
	return func(data []byte, at int, v reflect.Value) int {
		if !begins(data, at, '[') {
			return gaveUp
		}
		for n := 0; ; n++ {
			v.Grow(1)
			v.SetLen(n + 1)
			if at = element(data, at+1, v.Index(n)); at == gaveUp {
				return gaveUp
			}
			if begins(data, at, ']') {
				return at + 1
			}
			if !begins(data, at, ',') {
				return gaveUp
			}
		}
	}
}

func readPointer(target plan) plan {
	return func(data []byte, at int, v reflect.Value) int {
		x := reflect.New(v.Type().Elem())
		v.Set(x)
		return target(data, at, x.Elem())
	}
}

// quoted returns the text between the quotes that begin at data[at], and where it ends.
func quoted(data []byte, at int) (text []byte, end int) {
	if !begins(data, at, '"') {
		return nil, gaveUp
	}
	ascii := true
	for i := at + 1; i < len(data); i++ {
		switch c := data[i]; {
		case c == '"':
			text = data[at+1 : i]
			if !ascii && !utf8.Valid(text) {
				return nil, gaveUp
			}
			return text, i + 1
		case c == '\\' || c < ' ':
			return nil, gaveUp
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return nil, gaveUp
}

func readString(data []byte, at int, v reflect.Value) int {
	text, end := quoted(data, at)
	if end != gaveUp {
		v.SetString(string(text))
	}
	return end
}

func readDate(data []byte, at int, v reflect.Value) int {
	text, end := quoted(data, at)
	if end == gaveUp {
		return gaveUp
	}
	d, ok := parseDate(text)
	if !ok {
		return gaveUp
	}
	v.SetInt(int64(d))
	return end
}

// readInt reads 0 to 999999999 without a sign.
func readInt(data []byte, at int, v reflect.Value) int {
	n, start := 0, at
	for ; at < len(data) && data[at] >= '0' && data[at] <= '9'; at++ {
		n = n*10 + int(data[at]-'0')
	}
	digits := at - start
	if digits == 0 || digits > 9 || (digits > 1 && data[start] == '0') {
		return gaveUp
	}
	v.SetInt(int64(n))
	return at
}

func readBool(data []byte, at int, v reflect.Value) int {
	switch rest := data[at:]; {
	case bytes.HasPrefix(rest, []byte("true")):
		v.SetBool(true)
		return at + len("true")
	case bytes.HasPrefix(rest, []byte("false")):
		return at + len("false")
	}
	return gaveUp
}
