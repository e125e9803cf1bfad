// Package strictjson decodes JSON request bodies and refuses every input that a lenient decoder would guess at.
//
// A body is one JSON object (RFC 8259) in valid UTF-8 with at most [MaxDepth] levels of nesting. Names are
// case-sensitive, must be known and must not repeat. Strings contain no NUL character. A field is required unless
// its json tag has omitempty or omitzero, and null is refused unless the field is tagged nullable:"true".
//
// Decode reports all wrong values of a body at once, as [FieldErrors]. A body that cannot be parsed, or that has an
// unknown field, is a [*FormatError], which is reported first and alone.
package strictjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxDepth is the deepest nesting of arrays and objects in a body.
const MaxDepth = 32

// Codes of a FormatError.
const (
	InvalidJSON      = "invalid_json"
	InvalidCharacter = "invalid_character"
	DuplicateField   = "duplicate_field"
	UnknownField     = "unknown_field"
	TooDeep          = "too_deep"
)

// FormatError is the error for a body that is not JSON or does not have the form of the type.
type FormatError struct {
	Code   string // InvalidJSON, InvalidCharacter, DuplicateField, UnknownField or TooDeep
	Detail string // a sentence
	Field  string // the path of an unknown field, such as schedule[0].size; else empty
}

func (e *FormatError) Error() string { return e.Code + ": " + e.Detail }

// FieldError is a wrong value of a field.
type FieldError struct {
	Field   string // its path, such as schedule[0].due_on
	Message string
}

// FieldErrors are the wrong values of a body, at least one.
type FieldErrors []FieldError

func (e FieldErrors) Error() string {
	list := make([]string, len(e))
	for i, wrong := range e {
		list[i] = wrong.Field + ": " + wrong.Message
	}
	return strings.Join(list, "; ")
}

// Field describes a field of a decoder's type.
type Field struct {
	Name     string // in JSON
	Type     reflect.Type
	Required bool
	Nullable bool // null clears the value

	index int
}

// Decoder decodes bodies into values of one struct type. It is safe for concurrent use.
type Decoder struct {
	typ    reflect.Type
	fields []Field
	byName map[string]*Field
	hints  map[reflect.Type]string
}

// New returns a decoder for a struct type. Every field of the type needs a json tag with a name. Hints are the
// messages for values that cannot be decoded into a type with its own JSON format.
func New(typ reflect.Type, hints map[reflect.Type]string) *Decoder {
	d := &Decoder{typ: typ, byName: make(map[string]*Field), hints: hints}
	for i := range typ.NumField() {
		member := typ.Field(i)
		name, options, _ := strings.Cut(member.Tag.Get("json"), ",")
		d.fields = append(d.fields, Field{
			Name: name, Type: member.Type, Required: options == "", Nullable: member.Tag.Get("nullable") == "true", index: i,
		})
	}
	for i := range d.fields {
		d.byName[d.fields[i].Name] = &d.fields[i]
	}
	return d
}

// Type returns the type that the decoder was made for.
func (d *Decoder) Type() reflect.Type { return d.typ }

// Fields returns the fields in the order of the type. The caller must not change them.
func (d *Decoder) Fields() []Field { return d.fields }

// Required returns the names of the required fields, in the order of the type.
func (d *Decoder) Required() (names []string) {
	for _, field := range d.fields {
		if field.Required {
			names = append(names, field.Name)
		}
	}
	return names
}

// Decode decodes body and returns a pointer to a new value of the decoder's type. The error is a *FormatError or
// FieldErrors.
func (d *Decoder) Decode(body []byte) (any, error) {
	if err := scan(body); err != nil {
		return nil, err
	}
	into := reflect.New(d.typ)
	seen, wrong, err := d.members(body, into.Elem())
	if err != nil {
		return nil, err
	}
	for _, name := range d.Required() {
		if !seen[name] {
			wrong = append(wrong, FieldError{Field: name, Message: "required"})
		}
	}
	if len(wrong) > 0 {
		return nil, wrong
	}
	return into.Interface(), nil
}

// members decodes the members of the object one by one, so that one wrong value does not hide the next.
func (d *Decoder) members(body []byte, into reflect.Value) (seen map[string]bool, wrong FieldErrors, err error) {
	decoder := jsontext.NewDecoder(bytes.NewBuffer(body))
	open, err := decoder.ReadToken()
	if err != nil {
		return nil, nil, syntaxError(err)
	}
	if open.Kind() != '{' {
		return nil, nil, &FormatError{Code: InvalidJSON, Detail: "The body must be a JSON object."}
	}
	seen = make(map[string]bool, len(d.fields))
	for decoder.PeekKind() == '"' {
		token, err := decoder.ReadToken()
		if err != nil {
			return nil, nil, syntaxError(err)
		}
		name := token.String()
		field, known := d.byName[name]
		if !known {
			return nil, nil, unknownField(name)
		}
		value, err := decoder.ReadValue()
		if err != nil {
			return nil, nil, syntaxError(err)
		}
		seen[name] = true
		message, path, err := d.set(field, value, into.Field(field.index))
		if err != nil {
			return nil, nil, err
		}
		if message != "" {
			wrong = append(wrong, FieldError{Field: path, Message: message})
		}
	}
	return seen, wrong, checkEnd(decoder)
}

// checkEnd checks that the object is closed and is the whole body.
func checkEnd(decoder *jsontext.Decoder) error {
	if _, err := decoder.ReadToken(); err != nil {
		return syntaxError(err)
	}
	if _, err := decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return &FormatError{Code: InvalidJSON, Detail: "The body has data after the JSON object."}
	}
	return nil
}

// set decodes a value into a field. For a wrong value it returns a message and the path of the value.
func (d *Decoder) set(field *Field, value jsontext.Value, into reflect.Value) (message, path string, err error) {
	if value.Kind() == 'n' {
		if !field.Nullable {
			return "must not be null", field.Name, nil
		}
		if into.Kind() == reflect.Pointer {
			into.Set(reflect.New(into.Type().Elem())) // present, with the zero value
		}
		return "", "", nil
	}
	err = json.Unmarshal(value, into.Addr().Interface(), json.RejectUnknownMembers(true))
	var wrong *json.SemanticError
	switch {
	case err == nil:
		return "", "", nil
	case errors.As(err, &wrong) && errors.Is(wrong.Err, json.ErrUnknownName):
		return "", "", unknownField(field.Name + dotted(wrong.JSONPointer))
	case errors.As(err, &wrong):
		return d.expectation(wrong.GoType), field.Name + dotted(wrong.JSONPointer), nil
	}
	return "", "", syntaxError(err)
}

// dotted writes a JSON pointer (RFC 6901) as a path: /0/url becomes [0].url.
func dotted(pointer jsontext.Pointer) string {
	var path strings.Builder
	for token := range pointer.Tokens() {
		if strings.Trim(token, "0123456789") == "" {
			fmt.Fprintf(&path, "[%s]", token)
		} else {
			path.WriteString("." + token)
		}
	}
	return path.String()
}

// expectation describes the JSON values of a type, without the names of Go types.
func (d *Decoder) expectation(typ reflect.Type) string {
	if hint, found := d.hints[typ]; found {
		return hint
	}
	if typ == reflect.TypeFor[time.Time]() {
		return "must be an instant such as 2018-03-30T09:00:00Z"
	}
	switch typ.Kind() {
	case reflect.String:
		return "must be a string"
	case reflect.Bool:
		return "must be true or false"
	case reflect.Int, reflect.Int64:
		return "must be a whole number"
	case reflect.Slice:
		return "must be a list"
	case reflect.Struct, reflect.Map:
		return "must be an object"
	}
	return "has the wrong type"
}

func syntaxError(err error) error {
	var syntax *jsontext.SyntacticError
	if !errors.As(err, &syntax) {
		return &FormatError{Code: InvalidJSON, Detail: "The body ends before the JSON object does."}
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return &FormatError{Code: DuplicateField, Detail: fmt.Sprintf("An object repeats a name at byte %d.", syntax.ByteOffset)}
	}
	return &FormatError{Code: InvalidJSON, Detail: fmt.Sprintf("The body is not valid JSON at byte %d.", syntax.ByteOffset)}
}

func unknownField(path string) error {
	return &FormatError{Code: UnknownField, Detail: fmt.Sprintf("The field %q is unknown.", path), Field: path}
}

// scan refuses escaped NUL characters and deep nesting, which the JSON decoder accepts.
func scan(body []byte) error {
	depth, quoted := 0, false
	for i := 0; i < len(body); i++ {
		switch char := body[i]; {
		case quoted && char == '\\':
			i++
			if bytes.HasPrefix(body[i:min(i+5, len(body))], []byte("u0000")) {
				return &FormatError{Code: InvalidCharacter, Detail: "A string contains a NUL character."}
			}
		case char == '"':
			quoted = !quoted
		case !quoted && (char == '{' || char == '['):
			if depth++; depth > MaxDepth {
				return &FormatError{Code: TooDeep, Detail: fmt.Sprintf("The body is nested more than %d levels deep.", MaxDepth)}
			}
		case !quoted && (char == '}' || char == ']'):
			depth--
		}
	}
	return nil
}
