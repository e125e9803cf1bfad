package sentences

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"

	"tandem/domain"
)

// The texts of refusals are written in English where the rule is. The files of folder refusals translate them: each
// maps an English format to one in the language, in the syntax of package fmt with %s or %[n]s for the n-th argument.
// Terms such as in_progress are translated under their own value.

//go:embed refusals/*.json
var refusals embed.FS

// loadRefusals reads the translations of a language.
func loadRefusals(lang string) (texts map[string]string, err error) {
	b, err := refusals.ReadFile("refusals/" + lang + ".json")
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &texts); err != nil {
		return nil, fmt.Errorf("refusals in %s: %w", lang, err)
	}
	return texts, nil
}

// Refusal returns the text of a refusal or of a field error in a language. English is its text in English, and the
// result if there is no translation. A zero text stands for an English one without arguments.
func (b *Book) Refusal(lang string, text domain.Text, english string) string {
	if text.Format == "" {
		text.Format = english
	}
	translated, known := b.voice(lang).refusals[text.Format]
	if text.Format == "%s" && len(text.Args) == 1 {
		translated, known = "%s", true
	}
	if !known {
		return english
	}
	args := make([]any, len(text.Args))
	for i, arg := range text.Args {
		args[i] = b.argument(lang, arg)
	}
	if len(args) == 0 {
		return translated
	}
	return fmt.Sprintf(translated, args...)
}

func (b *Book) argument(lang string, arg domain.Argument) string {
	switch {
	case arg.Field != nil:
		return arg.Field.Field + ": " + b.Refusal(lang, arg.Field.Text, arg.Field.Message)
	case len(arg.Terms) > 0:
		words := make([]string, len(arg.Terms))
		for i, term := range arg.Terms {
			words[i] = b.term(lang, term)
		}
		return strings.Join(words, b.voice(lang).style.or)
	}
	return arg.Value
}

// term returns the words of a term; an untranslated one is English.
func (b *Book) term(lang string, term domain.Term) string {
	if words, ok := b.voice(lang).refusals[string(term)]; ok {
		return words
	}
	return term.String()
}
