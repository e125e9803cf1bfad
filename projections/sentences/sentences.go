// Package sentences words events for people: one plain sentence for each, in English, Chinese and
// Finnish, for pages, histories, feeds and chat.
//
// The texts are in the messages folder, a file per language. A message's name is the stored event
// type, with a suffix where an event reads differently by what it says. A new event type needs a
// case in its area's file here and its texts in every language; a test fails without them.
package sentences

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"

	"tandem/domain"
)

// The languages. Any other is answered in English.
const (
	English = "en"
	Chinese = "zh"
	Finnish = "fi"
)

// Languages lists them.
func Languages() []string { return []string{English, Chinese, Finnish} }

//go:embed messages/*.json
var messages embed.FS

// Fact is an event with what a sentence about it needs to know.
type Fact struct {
	Payload domain.Payload
	Partner domain.PartnerID // acting; empty for the operator and the system
	System  bool             // Tandem itself acted
	Private bool             // only one partner sees it
	Title   string           // of the milestone, project or agreement; the name or id of what else it is about
	Name    func(domain.PartnerID) string
}

// Book words facts. It is safe for concurrent use.
type Book struct {
	voices map[string]*phrasebook
}

// phrasebook words facts in one language.
type phrasebook struct {
	style     style
	localizer *i18n.Localizer
}

// New reads the messages.
func New() (*Book, error) {
	bundle := i18n.NewBundle(language.English)
	bundle.RegisterUnmarshalFunc("json", json.Unmarshal)
	book := &Book{voices: map[string]*phrasebook{}}
	for _, lang := range Languages() {
		if _, err := bundle.LoadMessageFileFS(messages, "messages/"+lang+".json"); err != nil {
			return nil, fmt.Errorf("sentences in %s: %w", lang, err)
		}
		book.voices[lang] = &phrasebook{styles()[lang], i18n.NewLocalizer(bundle, lang)}
	}
	return book, nil
}

// Sentence returns the fact as a sentence, without a full stop at its end. A type without a text
// gives its name.
func (b *Book) Sentence(lang string, fact Fact) string {
	voice := b.voice(lang)
	id, args := voice.describe(fact)
	args["Actor"], args["Title"] = voice.actor(fact), fact.Title
	return voice.text(id, args)
}

type args map[string]any

func (p *phrasebook) text(id string, data args) string {
	text, err := p.localizer.Localize(&i18n.LocalizeConfig{MessageID: id, TemplateData: map[string]any(data)})
	if err != nil && text == "" {
		return id
	}
	return text
}

func (p *phrasebook) actor(fact Fact) string {
	switch {
	case fact.System:
		return "Tandem"
	case fact.Partner == "":
		return p.text("actor.operator", nil)
	default:
		return fact.Name(fact.Partner)
	}
}

// describe returns the message of a fact and its arguments.
func (p *phrasebook) describe(fact Fact) (string, args) {
	stored, _, err := domain.EncodeEvent(fact.Payload)
	if err != nil {
		return fmt.Sprintf("%T", fact.Payload), args{}
	}
	area, _, _ := strings.Cut(stored, ".")
	suffix, data := "", args{}
	switch area {
	case "partner", "member", "token", "webhook":
		suffix, data = p.directory(fact)
	case "agreement", "instrument":
		suffix, data = p.agreement(fact)
	case "amendment":
		suffix, data = p.amendment(fact)
	case "project":
		suffix, data = p.project(fact)
	case "change":
		suffix, data = p.change(fact)
	case "milestone":
		suffix, data = p.milestone(fact)
	}
	if suffix != "" {
		stored += "." + suffix
	}
	return stored, data
}

// names joins the partners' names as a sentence does.
func (p *phrasebook) names(fact Fact, ids []domain.PartnerID) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = fact.Name(id)
	}
	return p.style.join(names)
}

func (p *phrasebook) role(role domain.Role) string { return p.text("role."+string(role), nil) }

// Text returns a text by its name, such as "state.accepted", with the data that it needs; for messages
// that are made of more than a sentence. Without such a text it is the name.
func (b *Book) Text(lang, name string, data map[string]any) string {
	return b.voice(lang).text(name, data)
}

// Date writes a date as the language does.
func (b *Book) Date(lang string, date domain.Date) string { return b.voice(lang).style.date(date) }

func (b *Book) voice(lang string) *phrasebook {
	if voice, ok := b.voices[lang]; ok {
		return voice
	}
	return b.voices[English]
}
