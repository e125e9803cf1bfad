package webhooks_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/projections"
	"tandem/projections/sentences"
	"tandem/webhooks"
)

func newBook(t testing.TB) *sentences.Book {
	book, err := sentences.New()
	require.NoError(t, err)
	return book
}

// stored are the payloads of the domain's examples: each stored type there is.
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
		Type: domain.PublicType(kind), Payload: payload, Agreement: "Nokia–Xiaomi 2017", Partner: "Nokia",
		Link: parseAddress, Language: lang,
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

// Every event type has a sentence, a headline, a state as word and as tone, in each language.
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
			require.Contains(t, []webhooks.Tone{webhooks.Neutral, webhooks.Good, webhooks.Warning, webhooks.Bad}, content.State.Tone, kind)
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
		require.True(t, webhooks.HasStateStyle(kind), "%s: say in webhooks/state.go how its state is shown", kind)
	}
}

func TestHeadlines(t *testing.T) {
	book := newBook(t)
	payloads := stored(t)
	for _, test := range []struct{ kind, lang, headline, state string }{
		{"milestone.delivered.v1", "en", "[IP routing on FP4] Nokia delivered FP4 field trial", "in progress"},
		{"milestone.delivered.v1", "zh", "【IP routing on FP4】Nokia交付了“FP4 field trial”", "进行中"},
		{"project.stage_changed.v1", "fi", "[Nokia–Xiaomi 2017] ", ""},
		{"agreement.activated.v1", "en", "Nokia–Xiaomi 2017 is in force: every party has signed", "in force"},
	} {
		content := webhooks.EventContent(book, contentInput(test.kind, payloads[test.kind], book, test.lang))
		require.True(t, strings.HasPrefix(content.Headline, test.headline), "%s", content.Headline)
		if test.state != "" {
			require.Equal(t, test.state, content.State.Word)
		}
	}
}

// The facts: dates old and new, the owner, who acted and why, but not what the headline says in full.
func TestFacts(t *testing.T) {
	book := newBook(t)
	moved, err := domain.DecodeEvent("milestone.edited.v1", []byte(`{"to":{"title":"T","owner":"nokia","due_on":"2018-04-30"},"from":{"title":"T","owner":"nokia","due_on":"2018-03-30"}}`))
	require.NoError(t, err)
	input := contentInput("milestone.edited.v1", moved, book, "en")
	content := webhooks.EventContent(book, input)
	require.Equal(t, []webhooks.Fact{{Name: "Due", Value: "30 March 2018 → 30 April 2018"}, {Name: "Owner", Value: "Nokia"}}, content.Facts)

	input.Sentence = "FP4 field trial moved"
	require.Contains(t, webhooks.EventContent(book, input).Facts, webhooks.Fact{Name: "Changed by", Value: "Nokia"})

	why := strings.Repeat("the generator failed ", 30)
	rejected, err := domain.DecodeEvent("milestone.rejected.v1", []byte(`{"acceptor":"xiaomi","round":1,"on":"2018-03-20","reasons":["`+why+`"],"delivered_on":"2018-03-15"}`))
	require.NoError(t, err)
	input = contentInput("milestone.rejected.v1", rejected, book, "en")
	content = webhooks.EventContent(book, input)
	require.True(t, strings.HasSuffix(content.Headline, "…"))
	require.Equal(t, webhooks.Fact{Name: "Reason", Value: why}, content.Facts[len(content.Facts)-1], "the headline had no room for it")
}

func TestStates(t *testing.T) {
	book := newBook(t)
	for _, test := range []struct {
		state   domain.MilestoneState
		health  domain.Health
		overdue bool
		want    webhooks.State
	}{
		{domain.Planned, "", false, webhooks.State{Word: "planned", Tone: webhooks.Neutral}},
		{domain.Planned, "", true, webhooks.State{Word: "planned, overdue", Tone: webhooks.Bad}},
		{domain.InProgress, domain.Green, false, webhooks.State{Word: "in progress", Tone: webhooks.Good}},
		{domain.InProgress, domain.Amber, false, webhooks.State{Word: "in progress, at risk", Tone: webhooks.Warning}},
		{domain.InProgress, domain.Red, false, webhooks.State{Word: "in progress, off track", Tone: webhooks.Bad}},
		{domain.Accepted, domain.Red, false, webhooks.State{Word: "accepted", Tone: webhooks.Good}},
		{domain.ConditionallyAccepted, "", false, webhooks.State{Word: "conditionally accepted", Tone: webhooks.Warning}},
	} {
		input := webhooks.ContentInput{Type: "milestone.progressed", State: test.state, Health: test.health, Overdue: test.overdue, Language: "en"}
		require.Equal(t, test.want, webhooks.EventContent(book, input).State)
	}
	for _, state := range domain.MilestoneStates() {
		input := webhooks.ContentInput{Type: "milestone.progressed", State: state, Language: "en"}
		require.NotEqual(t, "notice", webhooks.EventContent(book, input).State.Word, "%s: say in webhooks/state.go how it is shown", state)
	}
}

func TestDigestAndTest(t *testing.T) {
	book := newBook(t)
	for lang, says := range map[string][3]string{
		"en": {"2 changes in FP4", "1 change in FP4", "A test from Tandem: messages of “ops” will look like this"},
		"zh": {"FP4有2项变化", "FP4有1项变化", "Tandem 测试消息：“ops”的消息将如此显示"},
		"fi": {"2 muutosta: FP4", "1 muutos: FP4", "Testiviesti Tandemista: ”ops” näyttää viestinsä näin"},
	} {
		content := webhooks.DigestContent(book, webhooks.DigestInput{Title: "FP4", Headlines: []string{"a", "b"}, Link: parseAddress, Language: lang})
		require.Equal(t, says[0], content.Headline)
		require.Equal(t, []string{"a", "b"}, content.DigestLines)
		require.Equal(t, says[1], webhooks.DigestContent(book, webhooks.DigestInput{Title: "FP4", Headlines: []string{"a"}, Language: lang}).Headline)
		require.Equal(t, says[2], webhooks.TestContent(book, "ops", parseAddress, lang).Headline)
	}
}

// A digest that is too long says how much of it is missing, in its language.
func TestLongDigestCountsMissingLines(t *testing.T) {
	book := newBook(t)
	var lines []string
	for range 1000 {
		lines = append(lines, strings.Repeat("标题", 40))
	}
	for lang, more := range map[string]*regexp.Regexp{
		"en": regexp.MustCompile(`and 9\d\d more`), "zh": regexp.MustCompile(`另有 9\d\d 条`), "fi": regexp.MustCompile(`ja vielä 9\d\d`),
	} {
		content := webhooks.DigestContent(book, webhooks.DigestInput{Title: "FP4", Headlines: lines, Link: parseAddress, Language: lang})
		for _, format := range webhooks.Formats() {
			if !format.Limits().Chat {
				continue
			}
			request, _ := formatRequest(t, format, testMessage(content), targets[format.Name()])
			fake := endpoint(format)
			require.True(t, exchangeWithFake(t, format, fake, request).OK, format.Name())
			require.Regexp(t, more, fake.Messages()[0].Text(), format.Name())
		}
	}
}

// What the image tells of an event has all that a message is made of.
func TestNewContentInput(t *testing.T) {
	book := newBook(t)
	actor, red := domain.PartnerID("nokia"), domain.Red
	rendered := &projections.RenderedEvent{
		Event: projections.Event{Type: "milestone.progressed", Partner: &actor}, Sentence: "Nokia reports FP4 field trial red at 40 %",
		Payload:   domain.MilestoneProgressed{To: domain.Report{Percent: 40, Health: red, Note: "optics late"}},
		Milestone: &projections.Milestone{Title: "FP4 field trial", State: domain.InProgress, Health: &red, Owner: "nokia", DueOn: domain.DateOf(now)},
		Names:     map[domain.PartnerID]string{"nokia": "Nokia"}, Project: "IP routing on FP4", Agreement: "Nokia–Xiaomi 2017",
	}
	require.Equal(t, webhooks.Content{
		Headline: "[IP routing on FP4] Nokia reports FP4 field trial red at 40 %",
		State:    webhooks.State{Word: "in progress, off track", Tone: webhooks.Bad}, Thread: "FP4 field trial",
		Facts: []webhooks.Fact{{Name: "Due", Value: "22 March 2018"}, {Name: "Owner", Value: "Nokia"}, {Name: "Reason", Value: "optics late"}},
		Link:  parseAddress, LinkText: "Open in Tandem", Language: "en",
	}, webhooks.EventContent(book, webhooks.NewContentInput(rendered, parseAddress, "en")))
	rendered.Milestone, rendered.Event.Partner = nil, nil
	require.Equal(t, "notice", webhooks.EventContent(book, webhooks.NewContentInput(rendered, parseAddress, "en")).State.Word)
}
