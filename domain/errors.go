package domain

import "fmt"

// Kind says what sort of refusal an Error is; the edge maps it to a status.
type Kind string

// The kinds of refusal.
const (
	Invalid      Kind = "invalid"      // a value is wrong, or a rule that has no kind of its own is broken
	Forbidden    Kind = "forbidden"    // the actor may see but not do it
	NotFound     Kind = "not_found"    // it does not exist, or the actor may not see it
	Precondition Kind = "precondition" // it moved on since the version that the caller named
	Conflict     Kind = "conflict"     // the present state forbids it
	Internal     Kind = "internal"     // the program failed; the command changed nothing
)

// Error is a refusal. Its code is stable, in snake_case, and names the rule; Detail is for people
// and carries the facts.
type Error struct {
	Kind   Kind         `json:"kind"`
	Code   string       `json:"code"`
	Detail string       `json:"detail"`
	Fields []FieldError `json:"fields,omitempty"`
}

// FieldError says what is wrong with one field of the request.
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

func (e *Error) Error() string { return e.Code + ": " + e.Detail }

func newError(kind Kind, code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Detail: fmt.Sprintf(format, args...)}
}

func forbidden(code, format string, args ...any) *Error {
	return newError(Forbidden, code, format, args...)
}

func conflict(code, format string, args ...any) *Error {
	return newError(Conflict, code, format, args...)
}

// ErrNotFound is the one answer for what does not exist and for what the actor may not see: the
// two cannot be told apart.
func ErrNotFound() *Error {
	return &Error{Kind: NotFound, Code: "not_found", Detail: "There is nothing here that you can see."}
}

// validation collects what is wrong with the fields of one command, so that all of it is told at once.
type validation []FieldError

func (v *validation) add(field, format string, args ...any) {
	*v = append(*v, FieldError{field, fmt.Sprintf(format, args...)})
}

func (v *validation) slug(field, value string) {
	if !ValidSlug(value) {
		v.add(field, "%q is not an id: 1 to 63 of a-z, 0-9 and hyphen, not beginning with a hyphen", value)
	}
}

func (v *validation) requiredDate(field string, date Date) {
	if date == 0 {
		v.add(field, "is required")
	}
}

func (v validation) err() error {
	if len(v) == 0 {
		return nil
	}
	return &Error{Kind: Invalid, Code: "invalid_field", Detail: v[0].Field + " " + v[0].Message, Fields: v}
}
