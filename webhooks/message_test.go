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
		p, err := domain.DecodeEvent(kind, data)
		require.NoError(t, err)
		all[kind] = p
	}
	return all
}

func occurrence(kind string, p domain.Payload, book *sentences.Book, lang string) webhooks.Occurrence {
	name := func(id domain.PartnerID) string { return strings.ToUpper(string(id[:1])) + string(id[1:]) }
	o := webhooks.Occurrence{
		Type: domain.PublicType(kind), Payload: p, Agreement: "Nokia–Xiaomi 2017", Partner: "Nokia",
		Link: address, Language: lang,
	}
	title := o.Agreement
	area, _, _ := strings.Cut(kind, ".")
	if area == "milestone" || area == "project" || area == "change" {
		o.Project = "IP routing on FP4"
		title = o.Project
	}
	if area == "milestone" {
		o.Milestone, o.State, o.Owner, o.Due = "FP4 field trial", domain.InProgress, "Nokia", domain.DateOf(now)
		title = o.Milestone
	}
	o.Sentence = book.Sentence(lang, sentences.Fact{Payload: p, Partner: "nokia", Title: title, Name: name})
	return o
}

// Every event type has a sentence, a headline, a state as word and as tone, in each language.
func TestEveryEventIsWorded(t *testing.T) {
	book := newBook(t)
	payloads := stored(t)
	broken := regexp.MustCompile(`\{\{|<no value>|\.v\d|%!|state\.|fact\.|message\.|[a-z]_[a-z]`)
	for _, kind := range domain.EventTypes() {
		p, ok := payloads[kind]
		require.True(t, ok, "%s has no example in domain/testdata/events", kind)
		words := map[string]bool{}
		for _, lang := range sentences.Languages() {
			o := occurrence(kind, p, book, lang)
			m := webhooks.NewMessage(book, o)
			require.NotEmpty(t, o.Sentence)
			require.Contains(t, []webhooks.Tone{webhooks.Neutral, webhooks.Good, webhooks.Warning, webhooks.Bad}, m.State.Tone, kind)
			require.NotEmpty(t, m.State.Word)
			require.NotEmpty(t, m.Headline)
			require.LessOrEqual(t, len(m.Facts), 4, kind)
			all := m.Headline + "\n" + m.State.Word + "\n" + m.LinkText
			for _, f := range m.Facts {
				require.NotEmpty(t, f.Value)
				all += "\n" + f.Name + ": " + f.Value
			}
			require.NotRegexp(t, broken, all, "%s in %s", kind, lang)
			require.Equal(t, m, webhooks.NewMessage(book, o))
			words[m.State.Word] = true
		}
		require.Len(t, words, len(sentences.Languages()), "%s has the same state word in two languages: %v", kind, words)
		require.True(t, webhooks.Worded(kind), "%s: say in webhooks/state.go how its state is shown", kind)
	}
}

func TestHeadlines(t *testing.T) {
	book := newBook(t)
	payloads := stored(t)
	for _, c := range []struct{ kind, lang, headline, state string }{
		{"milestone.delivered.v1", "en", "[IP routing on FP4] Nokia delivered FP4 field trial", "in progress"},
		{"milestone.delivered.v1", "zh", "【IP routing on FP4】Nokia交付了“FP4 field trial”", "进行中"},
		{"project.stage_changed.v1", "fi", "[Nokia–Xiaomi 2017] ", ""},
		{"agreement.activated.v1", "en", "Nokia–Xiaomi 2017 is in force: every party has signed", "in force"},
	} {
		m := webhooks.NewMessage(book, occurrence(c.kind, payloads[c.kind], book, c.lang))
		require.True(t, strings.HasPrefix(m.Headline, c.headline), "%s", m.Headline)
		if c.state != "" {
			require.Equal(t, c.state, m.State.Word)
		}
	}
}

// The facts: dates old and new, the owner, who acted and why, but not what the headline says in full.
func TestFacts(t *testing.T) {
	book := newBook(t)
	moved, err := domain.DecodeEvent("milestone.edited.v1", []byte(`{"to":{"title":"T","owner":"nokia","due_on":"2018-04-30"},"from":{"title":"T","owner":"nokia","due_on":"2018-03-30"}}`))
	require.NoError(t, err)
	o := occurrence("milestone.edited.v1", moved, book, "en")
	m := webhooks.NewMessage(book, o)
	require.Equal(t, []webhooks.Fact{{Name: "Due", Value: "30 March 2018 → 30 April 2018"}, {Name: "Owner", Value: "Nokia"}}, m.Facts)

	o.Sentence = "FP4 field trial moved"
	require.Contains(t, webhooks.NewMessage(book, o).Facts, webhooks.Fact{Name: "Changed by", Value: "Nokia"})

	why := strings.Repeat("the generator failed ", 30)
	rejected, err := domain.DecodeEvent("milestone.rejected.v1", []byte(`{"acceptor":"xiaomi","round":1,"on":"2018-03-20","reasons":["`+why+`"],"delivered_on":"2018-03-15"}`))
	require.NoError(t, err)
	o = occurrence("milestone.rejected.v1", rejected, book, "en")
	m = webhooks.NewMessage(book, o)
	require.True(t, strings.HasSuffix(m.Headline, "…"))
	require.Equal(t, webhooks.Fact{Name: "Reason", Value: why}, m.Facts[len(m.Facts)-1], "the headline had no room for it")
}

func TestStates(t *testing.T) {
	book := newBook(t)
	for _, c := range []struct {
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
		o := webhooks.Occurrence{Type: "milestone.progressed", State: c.state, Health: c.health, Overdue: c.overdue, Language: "en"}
		require.Equal(t, c.want, webhooks.NewMessage(book, o).State)
	}
	for _, s := range domain.MilestoneStates() {
		o := webhooks.Occurrence{Type: "milestone.progressed", State: s, Language: "en"}
		require.NotEqual(t, "notice", webhooks.NewMessage(book, o).State.Word, "%s: say in webhooks/state.go how it is shown", s)
	}
}

func TestDigestAndTest(t *testing.T) {
	book := newBook(t)
	for lang, says := range map[string][3]string{
		"en": {"2 changes in FP4", "1 change in FP4", "A test from Tandem: messages of “ops” will look like this"},
		"zh": {"FP4有2项变化", "FP4有1项变化", "Tandem 测试消息：“ops”的消息将如此显示"},
		"fi": {"2 muutosta: FP4", "1 muutos: FP4", "Testiviesti Tandemista: ”ops” näyttää viestinsä näin"},
	} {
		m := webhooks.NewDigest(book, webhooks.Summary{Title: "FP4", Headlines: []string{"a", "b"}, Link: address, Language: lang})
		require.Equal(t, says[0], m.Headline)
		require.Equal(t, []string{"a", "b"}, m.Digest)
		require.Equal(t, says[1], webhooks.NewDigest(book, webhooks.Summary{Title: "FP4", Headlines: []string{"a"}, Language: lang}).Headline)
		require.Equal(t, says[2], webhooks.NewTest(book, "ops", address, lang).Headline)
	}
}

// A digest that is too long says how much of it is missing, in its language.
func TestDigestSaysWhatIsMissing(t *testing.T) {
	book := newBook(t)
	var lines []string
	for range 1000 {
		lines = append(lines, strings.Repeat("标题", 40))
	}
	for lang, more := range map[string]*regexp.Regexp{
		"en": regexp.MustCompile(`and 9\d\d more`), "zh": regexp.MustCompile(`另有 9\d\d 条`), "fi": regexp.MustCompile(`ja vielä 9\d\d`),
	} {
		m := webhooks.NewDigest(book, webhooks.Summary{Title: "FP4", Headlines: lines, Link: address, Language: lang})
		for _, f := range webhooks.Formats() {
			if !f.Limits().Chat {
				continue
			}
			r, _ := sent(t, f, delivery(m), targets[f.Name()])
			fake := endpoint(f)
			require.True(t, through(t, f, fake, r).OK, f.Name())
			require.Regexp(t, more, fake.Messages()[0].Text(), f.Name())
		}
	}
}

// What the image tells of an event has all that a message is made of.
func TestOccurrenceOf(t *testing.T) {
	book := newBook(t)
	actor, red := domain.PartnerID("nokia"), domain.Red
	told := &projections.Told{
		Event: projections.Event{Type: "milestone.progressed", Partner: &actor}, Sentence: "Nokia reports FP4 field trial red at 40 %",
		Payload:   domain.MilestoneProgressed{To: domain.Report{Percent: 40, Health: red, Note: "optics late"}},
		Milestone: &projections.Milestone{Title: "FP4 field trial", State: domain.InProgress, Health: &red, Owner: "nokia", DueOn: domain.DateOf(now)},
		Names:     map[domain.PartnerID]string{"nokia": "Nokia"}, Project: "IP routing on FP4", Agreement: "Nokia–Xiaomi 2017",
	}
	require.Equal(t, webhooks.Message{
		Headline: "[IP routing on FP4] Nokia reports FP4 field trial red at 40 %",
		State:    webhooks.State{Word: "in progress, off track", Tone: webhooks.Bad}, Thread: "FP4 field trial",
		Facts: []webhooks.Fact{{Name: "Due", Value: "22 March 2018"}, {Name: "Owner", Value: "Nokia"}, {Name: "Reason", Value: "optics late"}},
		Link:  address, LinkText: "Open in Tandem", Language: "en",
	}, webhooks.NewMessage(book, webhooks.OccurrenceOf(told, address, "en")))
	told.Milestone, told.Event.Partner = nil, nil
	require.Equal(t, "notice", webhooks.NewMessage(book, webhooks.OccurrenceOf(told, address, "en")).State.Word)
}
