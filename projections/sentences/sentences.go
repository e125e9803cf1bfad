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
	voices map[string]*voice
}

// voice words facts in one language.
type voice struct {
	style     style
	localizer *i18n.Localizer
}

// New reads the messages.
func New() (*Book, error) {
	bundle := i18n.NewBundle(language.English)
	bundle.RegisterUnmarshalFunc("json", json.Unmarshal)
	b := &Book{voices: map[string]*voice{}}
	for _, lang := range Languages() {
		if _, err := bundle.LoadMessageFileFS(messages, "messages/"+lang+".json"); err != nil {
			return nil, fmt.Errorf("sentences in %s: %w", lang, err)
		}
		b.voices[lang] = &voice{styles()[lang], i18n.NewLocalizer(bundle, lang)}
	}
	return b, nil
}

// Sentence returns the fact as a sentence, without a full stop at its end. A type without a text
// gives its name.
func (b *Book) Sentence(lang string, f Fact) string {
	v := b.voice(lang)
	id, args := v.describe(f)
	args["Actor"], args["Title"] = v.actor(f), f.Title
	return v.say(id, args)
}

type args map[string]any

func (v *voice) say(id string, data args) string {
	text, err := v.localizer.Localize(&i18n.LocalizeConfig{MessageID: id, TemplateData: map[string]any(data)})
	if err != nil && text == "" {
		return id
	}
	return text
}

func (v *voice) actor(f Fact) string {
	switch {
	case f.System:
		return "Tandem"
	case f.Partner == "":
		return v.say("actor.operator", nil)
	default:
		return f.Name(f.Partner)
	}
}

// describe returns the message of a fact and its arguments.
func (v *voice) describe(f Fact) (string, args) {
	stored, _, err := domain.EncodeEvent(f.Payload)
	if err != nil {
		return fmt.Sprintf("%T", f.Payload), args{}
	}
	area, _, _ := strings.Cut(stored, ".")
	suffix, data := "", args{}
	switch area {
	case "partner", "member", "token", "webhook":
		suffix, data = v.directory(f)
	case "agreement", "instrument":
		suffix, data = v.agreement(f)
	case "amendment":
		suffix, data = v.amendment(f)
	case "project":
		suffix, data = v.project(f)
	case "change":
		suffix, data = v.change(f)
	case "milestone":
		suffix, data = v.milestone(f)
	}
	if suffix != "" {
		stored += "." + suffix
	}
	return stored, data
}

// names joins the partners' names as a sentence does.
func (v *voice) names(f Fact, ids []domain.PartnerID) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = f.Name(id)
	}
	return v.style.join(names)
}

func (v *voice) role(r domain.Role) string { return v.say("role."+string(r), nil) }

// Say returns a text by its name, such as "state.accepted", with the data that it needs; for messages
// that are made of more than a sentence. Without such a text it is the name.
func (b *Book) Say(lang, name string, data map[string]any) string {
	return b.voice(lang).say(name, data)
}

// Date writes a date as the language does.
func (b *Book) Date(lang string, d domain.Date) string { return b.voice(lang).style.date(d) }

func (b *Book) voice(lang string) *voice {
	if v, ok := b.voices[lang]; ok {
		return v
	}
	return b.voices[English]
}
