package http

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"tandem/domain"
)

const (
	maxBody  = 1 << 20 // bytes
	maxDepth = 32
)

// readBody returns the whole request body.
func (c *call) readBody() ([]byte, error) {
	tooLarge := refuse(http.StatusRequestEntityTooLarge, "body_too_large", "The request body exceeds 1 MiB.")
	if c.request.ContentLength > maxBody {
		return nil, tooLarge
	}
	// A request made in this process has neither deadlines nor a partial body.
	control := http.NewResponseController(c.echoCtx.Response())
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout))
	defer func() { _ = control.SetReadDeadline(time.Time{}) }()
	body, err := io.ReadAll(io.LimitReader(c.request.Body, maxBody+1))
	if err != nil {
		return nil, &refusal{status: http.StatusBadRequest, code: "body_unreadable", detail: "The request body ended early.", cause: err}
	}
	if len(body) > maxBody {
		return nil, tooLarge
	}
	return body, nil
}

// mediaType refuses bodies that are not declared as JSON in UTF-8.
func (c *call) mediaType() error {
	wrong := refuse(http.StatusUnsupportedMediaType, "unsupported_media_type", "Send the body as application/json.")
	if c.header("Content-Encoding") != "" {
		return refuse(http.StatusUnsupportedMediaType, "unsupported_encoding", "Send the body without a content encoding.")
	}
	kind, params, err := mime.ParseMediaType(c.header("Content-Type"))
	if err != nil {
		return wrong
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return wrong
	}
	if kind == "application/json" || (c.request.Method == http.MethodPatch && kind == "application/merge-patch+json") {
		return nil
	}
	return wrong
}

// shape describes the decoding of a request body type: its fields by name.
type shape struct {
	of       reflect.Type
	fields   map[string]field
	required []string // in the order of declaration
}

type field struct {
	index    int
	nullable bool // null is valid and clears the field
}

// shapeOf derives the shape of a struct from its tags. A field is required unless its json tag contains omitempty or
// omitzero; null is refused unless the field is tagged nullable.
func shapeOf(typ reflect.Type) *shape {
	shape := &shape{of: typ, fields: make(map[string]field)}
	for i := range typ.NumField() {
		structField := typ.Field(i)
		name, options, _ := strings.Cut(structField.Tag.Get("json"), ",")
		shape.fields[name] = field{i, structField.Tag.Get("nullable") == "true"}
		if options == "" {
			shape.required = append(shape.required, name)
		}
	}
	return shape
}

// decode decodes body strictly into a new value of the shape and returns a pointer to it. It reports all invalid
// values at once; a syntax error is reported alone.
func (s *shape) decode(body []byte) (any, error) {
	if err := scan(body); err != nil {
		return nil, err
	}
	into := reflect.New(s.of)
	seen, fieldErrors, err := s.members(body, into.Elem())
	if err != nil {
		return nil, err
	}
	for _, name := range s.required {
		if !seen[name] {
			fieldErrors = append(fieldErrors, domain.FieldError{Field: name, Message: "required"})
		}
	}
	if len(fieldErrors) > 0 {
		return nil, invalid(fieldErrors...)
	}
	return into.Interface(), nil
}

// members decodes the members of the object in body one by one, so that one invalid value does not hide the next.
func (s *shape) members(body []byte, into reflect.Value) (seen map[string]bool, fieldErrors []domain.FieldError, err error) {
	decoder := jsontext.NewDecoder(bytes.NewBuffer(body))
	open, err := decoder.ReadToken()
	if err != nil {
		return nil, nil, unparsable(err)
	}
	if open.Kind() != '{' {
		return nil, nil, malformed("the body must be a JSON object")
	}
	seen = make(map[string]bool, len(s.fields))
	for decoder.PeekKind() == '"' {
		name, err := decoder.ReadToken()
		if err != nil {
			return nil, nil, unparsable(err)
		}
		key := name.String()
		field, known := s.fields[key]
		if !known {
			return nil, nil, unknownField(key)
		}
		value, err := decoder.ReadValue()
		if err != nil {
			return nil, nil, unparsable(err)
		}
		seen[key] = true
		fault, err := field.set(key, value, into)
		if err != nil {
			return nil, nil, err
		}
		if fault != nil {
			fieldErrors = append(fieldErrors, *fault)
		}
	}
	return seen, fieldErrors, ended(decoder)
}

// ended checks that the object is closed and that no data follows.
func ended(decoder *jsontext.Decoder) error {
	if _, err := decoder.ReadToken(); err != nil {
		return unparsable(err)
	}
	if _, err := decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return malformed("data follows the JSON object")
	}
	return nil
}

func (f field) set(name string, value jsontext.Value, into reflect.Value) (*domain.FieldError, error) {
	to := into.Field(f.index)
	if value.Kind() == 'n' {
		if !f.nullable {
			return &domain.FieldError{Field: name, Message: "cannot be null"}, nil
		}
		if to.Kind() == reflect.Pointer {
			to.Set(reflect.New(to.Type().Elem())) // set to null
		}
		return nil, nil
	}
	err := json.Unmarshal(value, to.Addr().Interface(), json.RejectUnknownMembers(true))
	var wrong *json.SemanticError
	switch {
	case err == nil:
		return nil, nil
	case errors.As(err, &wrong) && errors.Is(wrong.Err, json.ErrUnknownName):
		return nil, unknownField(name + dotted(wrong.JSONPointer))
	case errors.As(err, &wrong):
		return &domain.FieldError{Field: name + dotted(wrong.JSONPointer), Message: mismatch(wrong)}, nil
	}
	return nil, unparsable(err)
}

// dotted converts a JSON pointer to a path: /0/url becomes [0].url.
func dotted(pointer jsontext.Pointer) string {
	var out strings.Builder
	for token := range pointer.Tokens() {
		if strings.Trim(token, "0123456789") == "" {
			fmt.Fprintf(&out, "[%s]", token)
		} else {
			out.WriteString("." + token)
		}
	}
	return out.String()
}

// mismatch describes the expected value without naming Go types.
func mismatch(mismatch *json.SemanticError) string {
	if mismatch.GoType == reflect.TypeFor[domain.Date]() {
		return "must be a date such as 2018-03-30"
	}
	if mismatch.GoType.String() == "time.Time" {
		return "must be an instant such as 2018-03-30T09:00:00Z"
	}
	switch mismatch.GoType.Kind() {
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

func malformed(format string, args ...any) *refusal {
	return refuse(http.StatusBadRequest, "invalid_json", format, args...)
}

func unparsable(err error) error {
	var syntax *jsontext.SyntacticError
	if !errors.As(err, &syntax) {
		return malformed("the body ends early")
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return refuse(http.StatusBadRequest, "duplicate_field", "a name occurs twice in one object, at byte %d", syntax.ByteOffset)
	}
	return malformed("not JSON at byte %d", syntax.ByteOffset)
}

func unknownField(name string) *refusal {
	refusal := refuse(http.StatusBadRequest, "unknown_field", "field %q does not exist here", name)
	refusal.fields = []domain.FieldError{{Field: name, Message: "is not known"}}
	return refusal
}

// scan refuses what a JSON decoder accepts: NUL characters and deep nesting.
func scan(body []byte) error {
	depth, quoted := 0, false
	for i := 0; i < len(body); i++ {
		switch char := body[i]; {
		case quoted && char == '\\':
			i++
			if bytes.HasPrefix(body[i:min(i+5, len(body))], []byte("u0000")) {
				return refuse(http.StatusBadRequest, "invalid_character", "a string contains a NUL character")
			}
		case char == '"':
			quoted = !quoted
		case !quoted && (char == '{' || char == '['):
			if depth++; depth > maxDepth {
				return refuse(http.StatusBadRequest, "too_deep", "the body is nested more than %d levels deep", maxDepth)
			}
		case !quoted && (char == '}' || char == ']'):
			depth--
		}
	}
	return nil
}
