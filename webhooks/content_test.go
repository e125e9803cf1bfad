package webhooks_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/api"
	"tandem/domain"
	"tandem/projections"
	"tandem/projections/sentences"
	"tandem/webhooks"
	"tandem/webhooks/formats"
)

// exampleLink leads to a milestone.
const exampleLink = "https://tandem.example.com/a/nokia-xiaomi-2017/p/ip-routing-fp4/m/fp4-field-trial"

// now is the time of all examples.
var now = time.Date(2018, 3, 22, 9, 30, 0, 0, time.UTC)

func newBook(t testing.TB) *sentences.Book {
	book, err := sentences.New()
	require.NoError(t, err)
	return book
}

// stored returns the payloads of the domain's example events, one of each stored type.
func stored(t testing.TB) map[string]domain.Payload {
	files, err := filepath.Glob("../domain/testdata/events/*.json")
	require.NoError(t, err)
	all := map[string]domain.Payload{}
	for _, file := range files {
		kind, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".json"), "+")
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		payload, err := domain.DecodeEvent(kind, data)
		require.NoError(t, err)
		all[kind] = payload
	}
	return all
}

func contentInput(kind string, payload domain.Payload, book *sentences.Book, lang string) webhooks.ContentInput {
	name := func(id domain.PartnerID) string { return strings.ToUpper(string(id[:1])) + string(id[1:]) }
	input := webhooks.ContentInput{
		Type: domain.PublicType(kind), Payload: payload, Agreement: "Nokia–Xiaomi 2017", Actor: "Nokia",
		Link: exampleLink, Language: lang,
	}
	title := input.Agreement
	area, _, _ := strings.Cut(kind, ".")
	if area == "milestone" || area == "project" || area == "change" {
		input.Project = "IP routing on FP4"
		title = input.Project
	}
	if area == "milestone" {
		input.Milestone, input.State, input.Owner, input.DueOn = "FP4 field trial", domain.InProgress, "Nokia", domain.DateOf(now)
		title = input.Milestone
	}
	input.Sentence = book.Sentence(lang, sentences.Fact{Payload: payload, Partner: "nokia", Title: title, Name: name})
	return input
}

// Every event type has a sentence, a headline and a state in each language.
func TestEveryEventIsWorded(t *testing.T) {
	book := newBook(t)
	payloads := stored(t)
	broken := regexp.MustCompile(`\{\{|<no value>|\.v\d|%!|state\.|fact\.|message\.|[a-z]_[a-z]`)
	for _, kind := range domain.EventTypes() {
		payload, ok := payloads[kind]
		require.True(t, ok, "%s has no example in domain/testdata/events", kind)
		words := map[string]bool{}
		for _, lang := range sentences.Languages() {
			input := contentInput(kind, payload, book, lang)
			content := webhooks.EventContent(book, input)
			require.NotEmpty(t, input.Sentence)
			require.Contains(t, []formats.Tone{formats.Neutral, formats.Good, formats.Warning, formats.Bad}, content.State.Tone, kind)
			require.NotEmpty(t, content.State.Word)
			require.NotEmpty(t, content.Headline)
			require.LessOrEqual(t, len(content.Facts), 4, kind)
			all := content.Headline + "\n" + content.State.Word + "\n" + content.LinkText
			for _, fact := range content.Facts {
				require.NotEmpty(t, fact.Value)
				all += "\n" + fact.Name + ": " + fact.Value
			}
			require.NotRegexp(t, broken, all, "%s in %s", kind, lang)
			require.Equal(t, content, webhooks.EventContent(book, input))
			words[content.State.Word] = true
		}
		require.Len(t, words, len(sentences.Languages()), "%s has the same state word in two languages: %v", kind, words)
		require.True(t, webhooks.HasStateStyle(kind), "%s: add it to eventStyles in webhooks/content_state.go", kind)
	}
}

func TestHeadlines(t *testing.T) {
	book := newBook(t)
	payloads := stored(t)
	for _, test := range []struct{ kind, lang, headline, state string }{
		{"milestone.delivered.v1", "en", "[IP routing on FP4] Nokia delivered “FP4 field trial”", "in progress"},
		{"milestone.delivered.v1", "zh", "【IP routing on FP4】Nokia 交付了里程碑“FP4 field trial”", "进行中"},
		{"project.stage_changed.v1", "fi", "[Nokia–Xiaomi 2017] ", ""},
		{"agreement.activated.v1", "en", "“Nokia–Xiaomi 2017” is in force: every party has signed", "in force"},
	} {
		content := webhooks.EventContent(book, contentInput(test.kind, payloads[test.kind], book, test.lang))
		require.True(t, strings.HasPrefix(content.Headline, test.headline), "%s", content.Headline)
		if test.state != "" {
			require.Equal(t, test.state, content.State.Word)
		}
	}
}

// Facts contain the old and new dates, the owner, the acting partner and the reason, unless the headline contains them.
func TestFacts(t *testing.T) {
	book := newBook(t)
	moved, err := domain.DecodeEvent("milestone.edited.v1", []byte(`{"to":{"title":"T","owner":"nokia","due_on":"2018-04-30"},"from":{"title":"T","owner":"nokia","due_on":"2018-03-30"}}`))
	require.NoError(t, err)
	input := contentInput("milestone.edited.v1", moved, book, "en")
	content := webhooks.EventContent(book, input)
	require.Equal(t, []formats.Fact{{Name: "Due", Value: "30 March 2018 → 30 April 2018"}, {Name: "Owner", Value: "Nokia"}}, content.Facts)

	input.Sentence = "FP4 field trial moved"
	require.Contains(t, webhooks.EventContent(book, input).Facts, formats.Fact{Name: "Changed by", Value: "Nokia"})

	why := strings.Repeat("the generator failed ", 30)
	rejected, err := domain.DecodeEvent("milestone.rejected.v1", []byte(`{"acceptor":"xiaomi","round":1,"on":"2018-03-20","reasons":["`+why+`"],"delivered_on":"2018-03-15"}`))
	require.NoError(t, err)
	input = contentInput("milestone.rejected.v1", rejected, book, "en")
	content = webhooks.EventContent(book, input)
	require.True(t, strings.HasSuffix(content.Headline, "…"))
	require.Equal(t, formats.Fact{Name: "Reason", Value: why}, content.Facts[len(content.Facts)-1], "the headline is cut")
}

func TestStates(t *testing.T) {
	book := newBook(t)
	for _, test := range []struct {
		state   domain.MilestoneState
		health  domain.Health
		overdue bool
		want    formats.State
	}{
		{domain.Planned, "", false, formats.State{Word: "planned", Tone: formats.Neutral}},
		{domain.Planned, "", true, formats.State{Word: "planned, overdue", Tone: formats.Bad}},
		{domain.InProgress, domain.Green, false, formats.State{Word: "in progress", Tone: formats.Good}},
		{domain.InProgress, domain.Amber, false, formats.State{Word: "in progress, at risk", Tone: formats.Warning}},
		{domain.InProgress, domain.Red, false, formats.State{Word: "in progress, off track", Tone: formats.Bad}},
		{domain.Accepted, domain.Red, false, formats.State{Word: "accepted", Tone: formats.Good}},
		{domain.ConditionallyAccepted, "", false, formats.State{Word: "conditionally accepted", Tone: formats.Warning}},
	} {
		input := webhooks.ContentInput{Type: "milestone.progressed", State: test.state, Health: test.health, Overdue: test.overdue, Language: "en"}
		require.Equal(t, test.want, webhooks.EventContent(book, input).State)
	}
	for _, state := range domain.MilestoneStates() {
		input := webhooks.ContentInput{Type: "milestone.progressed", State: state, Language: "en"}
		require.NotEqual(t, "notice", webhooks.EventContent(book, input).State.Word, "%s: add it to milestoneStyles in webhooks/content_state.go", state)
	}
}

func TestDigestAndTest(t *testing.T) {
	book := newBook(t)
	for lang, says := range map[string][3]string{
		"en": {"2 changes in “FP4”", "1 change in “FP4”", "Test message from Tandem: messages of “ops” will look like this"},
		"zh": {"《FP4》有 2 项变更", "《FP4》有 1 项变更", "Tandem 测试消息：“ops”的消息将如此显示"},
		"fi": {"2 muutosta: ”FP4”", "1 muutos: ”FP4”", "Testiviesti Tandemista: webhookin ”ops” viestit näyttävät tältä"},
	} {
		content := webhooks.DigestContent(book, webhooks.DigestInput{Title: "FP4", Headlines: []string{"a", "b"}, Link: exampleLink, Language: lang})
		require.Equal(t, says[0], content.Headline)
		require.Equal(t, []string{"a", "b"}, content.DigestLines)
		require.Equal(t, says[1], webhooks.DigestContent(book, webhooks.DigestInput{Title: "FP4", Headlines: []string{"a"}, Language: lang}).Headline)
		require.Equal(t, says[2], webhooks.TestContent(book, "ops", exampleLink, lang).Headline)
	}
}

// A rendered event contains all data of a message.
func TestNewContentInput(t *testing.T) {
	book := newBook(t)
	actor, red := domain.PartnerID("nokia"), domain.Red
	rendered := &projections.RenderedEvent{
		Event: api.Event{Type: "milestone.progressed", Partner: &actor}, Actor: "Nokia", Sentence: "Nokia reports FP4 field trial red at 40 %",
		Payload:   domain.MilestoneProgressed{To: domain.Report{Percent: 40, Health: red, Note: "optics late"}},
		Milestone: &api.Milestone{Title: "FP4 field trial", State: domain.InProgress, Health: &red, Owner: "nokia", DueOn: domain.DateOf(now)},
		Names:     map[domain.PartnerID]string{"nokia": "Nokia"}, Project: "IP routing on FP4", Agreement: "Nokia–Xiaomi 2017",
	}
	require.Equal(t, formats.Content{
		Headline: "[IP routing on FP4] Nokia reports FP4 field trial red at 40 %",
		State:    formats.State{Word: "in progress, off track", Tone: formats.Bad}, Thread: "FP4 field trial",
		Facts: []formats.Fact{{Name: "Due", Value: "22 March 2018"}, {Name: "Owner", Value: "Nokia"}, {Name: "Reason", Value: "optics late"}},
		Link:  exampleLink, LinkText: "Open in Tandem", Language: "en",
	}, webhooks.EventContent(book, webhooks.NewContentInput(rendered, exampleLink, "en")))
	rendered.Milestone, rendered.Actor = nil, ""
	require.Equal(t, "notice", webhooks.EventContent(book, webhooks.NewContentInput(rendered, exampleLink, "en")).State.Word)
}
