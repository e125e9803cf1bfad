// Package sentences renders events as one plain sentence each, in English, Chinese and Finnish, for pages,
// histories, feeds and chat.
//
// The messages are in the folder messages, one file per area and language. The id of a message is the stored event type,
// with a suffix if the sentence depends on the content of the event. A new event type needs a case in the file of
// its area and a message in every language; a test fails otherwise.
package sentences

import (
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"

	"tandem/domain"
)

// The languages. Any other language is treated as English.
const (
	English = "en"
	Chinese = "zh"
	Finnish = "fi"
)

// Languages returns all languages.
func Languages() []string { return []string{English, Chinese, Finnish} }

//go:embed messages/*.json
var messages embed.FS

// Fact is an event with the data that its sentence needs.
type Fact struct {
	Payload domain.Payload
	Partner domain.PartnerID // that acted; empty for the operator and the system
	Member  string           // display name of the member who acted; empty for a program and if it is not known
	Former  bool             // the member was removed, and the name erased
	System  bool             // Tandem itself acted
	Private bool             // only one partner can see the event
	Title   string           // of the milestone, project or agreement; otherwise the name or id of the subject
	Name    func(domain.PartnerID) string
	// Milestone, Instrument and Item return the title of a milestone of the same project, of an instrument of the same
	// agreement and of a schedule item, whose instrument can be empty if it is not known; nil: the ids are used.
	Milestone  func(domain.MilestoneID) string
	Instrument func(domain.InstrumentID) string
	Item       func(domain.InstrumentID, domain.ItemID) string
	// MemberName returns the display name of a member of a partner, or whether that member is a former one; nil: the
	// id is used.
	MemberName func(domain.MemberRef) (name string, former bool)
}

func (f Fact) milestone(id domain.MilestoneID) string {
	if f.Milestone == nil {
		return string(id)
	}
	return f.Milestone(id)
}

func (f Fact) item(instrument domain.InstrumentID, id domain.ItemID) string {
	if f.Item == nil || id == "" {
		return string(id)
	}
	return f.Item(instrument, id)
}

func (f Fact) instrument(id domain.InstrumentID) string {
	if f.Instrument == nil {
		return string(id)
	}
	return f.Instrument(id)
}

// Book renders facts as sentences. It is safe for concurrent use.
type Book struct {
	voices map[string]*phrasebook
}

// phrasebook renders facts in one language.
type phrasebook struct {
	style     style
	localizer *i18n.Localizer
	refusals  map[string]string // translations by English format; nil for English
}

// New loads the messages.
func New() (*Book, error) {
	bundle := i18n.NewBundle(language.English)
	bundle.RegisterUnmarshalFunc("json", json.Unmarshal)
	book := &Book{voices: map[string]*phrasebook{}}
	for _, lang := range Languages() {
		files, err := fs.Glob(messages, "messages/*."+lang+".json")
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			if _, err := bundle.LoadMessageFileFS(messages, file); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
		}
		voice := &phrasebook{style: styles()[lang], localizer: i18n.NewLocalizer(bundle, lang)}
		if lang != English {
			if voice.refusals, err = loadRefusals(lang); err != nil {
				return nil, err
			}
		}
		book.voices[lang] = voice
	}
	return book, nil
}

// Sentence returns the sentence of a fact, without a full stop. An event type without a message gives the id of
// the message.
func (b *Book) Sentence(lang string, fact Fact) string {
	voice := b.voice(lang)
	id, args := voice.describe(fact)
	args["Actor"] = voice.actor(fact)
	if args["Title"] == nil || args["Title"] == "" { // otherwise the title before the event
		args["Title"] = fact.Title
	}
	text := voice.text(id, args)
	if former := voice.text("actor.former", nil); fact.Former && strings.HasPrefix(text, former) {
		first, size := utf8.DecodeRuneInString(text)
		return string(unicode.ToUpper(first)) + text[size:]
	}
	return text
}

type args map[string]any

// text returns a message. The argument Count selects the plural form.
func (p *phrasebook) text(id string, data args) string {
	config := &i18n.LocalizeConfig{MessageID: id, TemplateData: map[string]any(data)}
	if p.style.markValues {
		config.TemplateData = marked(data)
	}
	if count, ok := data["Count"]; ok {
		config.PluralCount = count
	}
	text, err := p.localizer.Localize(config)
	if err != nil && text == "" {
		return id
	}
	if p.style.markValues {
		return spaced(text)
	}
	return text
}

// member returns the display name of the member who acted; empty without one.
func (p *phrasebook) member(fact Fact) string {
	if fact.Former {
		return p.text("actor.former", nil)
	}
	return fact.Member
}

// named returns the display name of a member whom the event names.
func (p *phrasebook) named(fact Fact, ref domain.MemberRef) string {
	if fact.MemberName == nil {
		return string(ref.Member)
	}
	name, former := fact.MemberName(ref)
	if former {
		return p.text("named.former", nil)
	}
	return cmp.Or(name, string(ref.Member))
}

func (p *phrasebook) actor(fact Fact) string {
	switch {
	case fact.System:
		return "Tandem"
	case fact.Partner == "":
		return p.text("actor.operator", nil)
	}
	name := p.member(fact)
	if name == "" {
		return fact.Name(fact.Partner)
	}
	return p.text("actor.member", args{"Member": name, "Partner": fact.Name(fact.Partner)})
}

// describe returns the message id of a fact and its arguments.
func (p *phrasebook) describe(fact Fact) (string, args) {
	switch earlier := fact.Payload.(type) {
	case domain.MilestoneProgressed:
		fact.Payload = earlier.Reported()
	case domain.MilestoneAssessed:
		fact.Payload = earlier.Reported()
	}
	stored, _, err := domain.EncodeEvent(fact.Payload)
	if err != nil {
		return fmt.Sprintf("%T", fact.Payload), args{}
	}
	area, _, _ := strings.Cut(stored, ".")
	suffix, data := "", args{}
	switch area {
	case "partner", "member", "token", "webhook", "name":
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

// names joins the partners' names in the form of the language.
func (p *phrasebook) names(fact Fact, ids []domain.PartnerID) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = fact.Name(id)
	}
	return p.style.join(names)
}

func (p *phrasebook) role(role domain.Role) string { return p.text("role."+string(role), nil) }

// Member returns the display name of the member who acted; empty without one.
func (b *Book) Member(lang string, fact Fact) string { return b.voice(lang).member(fact) }

// Actor returns the member and the partner that acted, as in sentences; empty for the operator and Tandem itself.
func (b *Book) Actor(lang string, fact Fact) string {
	if fact.Partner == "" {
		return ""
	}
	return b.voice(lang).actor(fact)
}

// Text returns the message with an id such as "state.accepted", for messages that consist of more than a
// sentence. Data are the arguments of the message. An unknown id is returned as it is.
func (b *Book) Text(lang, name string, data map[string]any) string {
	return b.voice(lang).text(name, data)
}

// Names joins names in the form of the language.
func (b *Book) Names(lang string, names []string) string { return b.voice(lang).style.join(names) }

// Clauses joins clauses in the form of the language.
func (b *Book) Clauses(lang string, clauses []string) string {
	return strings.Join(clauses, b.voice(lang).style.semicolon)
}

// DisabledReason returns why a webhook is disabled. The stored reason is in English; what a receiver answered stays as it is.
func (b *Book) DisabledReason(lang, stored string) string {
	return b.voice(lang).disabledReason(stored)
}

func (p *phrasebook) disabledReason(stored string) string {
	if last, failing := strings.CutPrefix(stored, domain.FailingReason); failing {
		return p.text("webhook.failing", args{"Reason": last})
	}
	return stored
}

// Date formats a date in the form of the language.
func (b *Book) Date(lang string, date domain.Date) string { return b.voice(lang).style.date(date) }

func (b *Book) voice(lang string) *phrasebook {
	if voice, ok := b.voices[lang]; ok {
		return voice
	}
	return b.voices[English]
}
