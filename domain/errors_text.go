package domain

import (
	"fmt"
	"strings"
)

// Text is a message whose format and arguments are separate, so that it can be rendered in another language.
type Text struct {
	Format string     `json:"format"` // English, in the syntax of package fmt; the key of its translations
	Args   []Argument `json:"args,omitempty"`
}

// Argument is an argument of a Text: a value that is the same in every language, terms to be translated, or a field
// error.
type Argument struct {
	Value string      `json:"value,omitempty"`
	Terms []Term      `json:"terms,omitempty"` // alternatives, such as planned or in_progress
	Field *FieldError `json:"field,omitempty"`
}

// Term is a value of an enumeration, such as in_progress, that texts show as words.
type Term string

// String returns the English words.
func (t Term) String() string { return strings.ReplaceAll(string(t), "_", " ") }

// terms are alternatives. String joins them: "planned or in progress".
type terms []Term

func (t terms) String() string {
	words := make([]string, len(t))
	for i, term := range t {
		words[i] = term.String()
	}
	return strings.Join(words, " or ")
}

// NewText returns the text of a message that is formatted as fmt.Sprintf does.
func NewText(format string, args ...any) Text {
	text := Text{Format: format}
	for _, arg := range args {
		text.Args = append(text.Args, argument(arg))
	}
	return text
}

func argument(arg any) Argument {
	switch arg := arg.(type) {
	case Term:
		return Argument{Terms: []Term{arg}}
	case terms:
		return Argument{Terms: arg}
	case MilestoneState, Stage, StageMove, ChangeState, AmendmentState, AgreementState, ItemState, Settlement, Role, RoleName, InstrumentKind:
		return Argument{Terms: []Term{Term(fmt.Sprint(arg))}}
	case FieldError:
		return Argument{Field: &arg}
	}
	return Argument{Value: fmt.Sprint(arg)}
}
