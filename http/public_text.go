package http

import (
	"bytes"
	"cmp"
	"html/template"
	"slices"
	"unicode"
	"unicode/utf8"

	"tandem/domain"
	"tandem/projections/sentences"
)

var publicLanguage = parameter{
	name: "language", kind: "string", values: sentences.Languages(), doc: "Language of the texts. Default, and for any other value: English.",
}

// publicText are the texts of public pages and badges in a language.
type publicText struct {
	book     *sentences.Book
	language string
}

// code returns the language's code, which is that of English if the language is not known.
func (t publicText) code() string {
	if slices.Contains(sentences.Languages(), t.language) {
		return t.language
	}
	return sentences.English
}

func (t publicText) message(id string, data map[string]any) string {
	return t.book.Text(t.code(), id, data)
}

// say returns the message "public." and name.
func (t publicText) say(name string) string { return t.message("public."+name, nil) }

func (t publicText) functions() template.FuncMap {
	return template.FuncMap{
		"language": t.code, "say": t.say, "tone": tone, "day": t.day,
		"and":  func(names []string) string { return t.book.Names(t.code(), names) },
		"kind": func(kind domain.InstrumentKind) string { return capitalised(t.message("kind."+string(kind), nil)) },
		"words": func(state domain.MilestoneState) string {
			return t.message("state."+string(state), nil)
		},
		"count": func(accepted, expected int) string {
			return t.message("public.accepted_count", map[string]any{"Accepted": accepted, "Expected": expected})
		},
		"of":     func(partners string) string { return t.message("public.of", map[string]any{"Partners": partners}) },
		"titled": func(title string) string { return t.message("public.titled", map[string]any{"Title": title}) },
		"signed": func(signatory, partner string) string {
			return t.message("public.signed", map[string]any{"Signatory": cmp.Or(signatory, partner), "Partner": partner})
		},
	}
}

// day formats a date; empty for none.
func (t publicText) day(date any) string {
	switch date := date.(type) {
	case domain.Date:
		return t.book.Date(t.code(), date)
	case *domain.Date:
		if date != nil {
			return t.book.Date(t.code(), *date)
		}
	}
	return ""
}

func (t publicText) render(name string, data any) ([]byte, error) {
	templates, err := publicTemplates.Clone()
	if err != nil {
		return nil, err
	}
	var page bytes.Buffer
	err = templates.Funcs(t.functions()).ExecuteTemplate(&page, name, data)
	return page.Bytes(), err
}

func capitalised(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:]
}
