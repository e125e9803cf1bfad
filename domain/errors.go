package domain

import (
	"errors"
	"fmt"
	"strings"
)

// Kind classifies an Error. The HTTP layer maps each kind to a status.
type Kind string

// The kinds of refusal.
const (
	Invalid      Kind = "invalid"      // a field has a wrong value
	Forbidden    Kind = "forbidden"    // the actor may see the target but not do this
	NotFound     Kind = "not_found"    // the target does not exist, or the actor may not see it
	Precondition Kind = "precondition" // the target's version is not the expected one
	Conflict     Kind = "conflict"     // the present state does not allow it
	Internal     Kind = "internal"     // the program failed; nothing changed
)

// Error is a refusal. Code is stable, in snake_case, and identifies the rule. Detail is a sentence for people,
// with the relevant values, in English; Text has the same sentence in a form that can be translated.
type Error struct {
	Kind   Kind         `json:"kind"`
	Code   string       `json:"code"`
	Detail string       `json:"detail"`
	Text   Text         `json:"text,omitzero"`
	Fields []FieldError `json:"fields,omitempty"`
}

// FieldError describes an invalid field of a command. Message is a sentence fragment: the problem with the value,
// then the remedy. Text has the same fragment in a form that can be translated.
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
	Text    Text   `json:"text,omitzero"`
}

// NewFieldError formats the message of a field error as fmt.Sprintf does.
func NewFieldError(field, format string, args ...any) FieldError {
	return FieldError{field, fmt.Sprintf(format, args...), NewText(format, args...)}
}

// String returns the field and the message, joined with a colon.
func (e FieldError) String() string { return e.Field + ": " + e.Message }

func (e *Error) Error() string { return e.Code + ": " + e.Detail }

func newError(kind Kind, code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Detail: fmt.Sprintf(format, args...), Text: NewText(format, args...)}
}

// IsTaken reports whether a command was refused because the id of the new entity is taken.
func IsTaken(err error) bool {
	refusal, ok := errors.AsType[*Error](err)
	return ok && refusal.Kind == Conflict && strings.HasSuffix(refusal.Code, "_exists")
}

func forbidden(code, format string, args ...any) *Error {
	return newError(Forbidden, code, format, args...)
}

func conflict(code, format string, args ...any) *Error {
	return newError(Conflict, code, format, args...)
}

// ErrNotFound returns the same error for a missing target and for one that the actor may not see, so that callers
// cannot distinguish them.
func ErrNotFound() *Error {
	return &Error{Kind: NotFound, Code: "not_found", Detail: "It does not exist, or you may not see it."}
}

// validation collects the field errors of one command, so that one refusal reports all of them.
type validation []FieldError

func (v *validation) add(field, format string, args ...any) {
	*v = append(*v, NewFieldError(field, format, args...))
}

func (v *validation) slug(field, value string) {
	if !ValidSlug(value) {
		v.add(field, "%q is not an id; use 1 to 63 characters of a-z, 0-9 and hyphen, not starting with a hyphen", value)
	}
}

func (v *validation) requiredDate(field string, date Date) {
	if date == 0 {
		v.add(field, "required")
	}
}

func (v validation) err() error {
	if len(v) == 0 {
		return nil
	}
	return &Error{Kind: Invalid, Code: "invalid_field", Detail: v[0].String(), Text: NewText("%s", v[0]), Fields: v}
}
