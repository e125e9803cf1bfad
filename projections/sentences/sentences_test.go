package sentences_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/projections/sentences"
)

var update = flag.Bool("update", false, "rewrite testdata/sentences.*.txt")

// example is an event, or a message with its arguments. Its sentences are in testdata/sentences.LANGUAGE.txt.
type example struct {
	stored, data string // type and JSON of the event; or id and arguments of the message
	private      bool
}

func nameOf(partner domain.PartnerID) string {
	return strings.ToUpper(string(partner[:1])) + string(partner[1:])
}

func (e example) sentence(t *testing.T, book *sentences.Book, lang string) string {
	if !strings.HasSuffix(e.stored, ".v1") && !strings.HasSuffix(e.stored, ".v2") {
		var data map[string]any
		require.NoError(t, json.Unmarshal([]byte(e.data), &data), e.stored)
		if count, given := data["Count"].(float64); given {
			data["Count"] = int(count)
		}
		return book.Text(lang, e.stored, data)
	}
	payload, err := domain.DecodeEvent(e.stored, []byte(e.data))
	require.NoError(t, err)
	return book.Sentence(lang, sentences.Fact{
		Payload: payload, Partner: "nokia", Private: e.private, Title: "FP4 field trial", Name: nameOf,
		Milestone:  func(id domain.MilestoneID) string { return "Milestone " + string(id) },
		Instrument: func(id domain.InstrumentID) string { return "Instrument " + string(id) },
	})
}

// readExamples reads testdata/sentences.txt. Each block has the stored type and optionally "private", and the data; or
// the id and the arguments of a message.
func readExamples(t *testing.T) []example {
	b, err := os.ReadFile("testdata/sentences.txt")
	require.NoError(t, err)
	var all []example
	for block := range strings.SplitSeq(strings.TrimSpace(string(b)), "\n\n") {
		lines := strings.Split(block, "\n")
		stored, mark, _ := strings.Cut(lines[0], " ")
		all = append(all, example{stored, lines[1], mark == "private"})
	}
	return all
}

// TestSentences compares the sentences of all examples with the golden file of each language.
func TestSentences(t *testing.T) {
	book, err := sentences.New()
	require.NoError(t, err)
	examples := readExamples(t)
	var covered []string
	for _, example := range examples {
		covered = append(covered, example.stored)
	}
	for _, stored := range domain.EventTypes() {
		require.Contains(t, covered, stored, "add the event to testdata/sentences.txt")
	}
	for _, lang := range sentences.Languages() {
		var table strings.Builder
		for _, example := range examples {
			table.WriteString(example.stored + ": " + example.sentence(t, book, lang) + "\n")
		}
		golden := "testdata/sentences." + lang + ".txt"
		if *update {
			require.NoError(t, os.WriteFile(golden, []byte(table.String()), 0o600))
			continue
		}
		want, err := os.ReadFile(golden)
		require.NoError(t, err)
		require.Equal(t, len(strings.Split(string(want), "\n")), len(strings.Split(table.String(), "\n")), "run the test with -update")
		for i, line := range strings.Split(string(want), "\n") {
			require.Equal(t, line, strings.Split(table.String(), "\n")[i], "run the test with -update and read the difference")
		}
	}
}

// bannedWords are imprecise or colloquial. Sentences use the terms of docs/glossary.md in each language.
var bannedWords = map[string]*regexp.Regexp{
	sentences.English: regexp.MustCompile(`(?i)by the hand of|\bas of\b|\bcalled\b|\bcalls\b|keeps? .*to itself|goes? on with|what silence means|\bwants\b|takes back|\bbegan\b|\b(green|amber|red)\b|still to | %`),
	sentences.Chinese: regexp.MustCompile(`承诺|接受|拒绝|放弃|修正案|经理|私下|[,;:?!()]\p{Han}|\p{Han}[,;:?!()]|\p{Han}[A-Za-z0-9]|[A-Za-z0-9]\p{Han}|\p{Han} \p{Han}|[，。：；（）《》“”、] | [，。：；（）《》“”、]`),
	sentences.Finnish: regexp.MustCompile(`(?i)vaitiolo|lisäpöytäkirja|yksityi|tunnuksen|vastuuhenkilö|työn alla|vaarassa|peruste\b|keltainen|vihreä|punainen|allekirjoitus raukesi: .* ja |\d %`),
}

// chineseDates are replaced before the rule for spaces is checked, because they contain none.
var chineseDates = regexp.MustCompile(`\d+年\d+月\d+日`)

// TestSentencesUseProfessionalWording checks all examples for banned words, quotation marks in pairs and, in Chinese,
// full-width punctuation and spaces.
func TestSentencesUseProfessionalWording(t *testing.T) {
	book, err := sentences.New()
	require.NoError(t, err)
	for _, example := range readExamples(t) {
		for _, lang := range sentences.Languages() {
			sentence := example.sentence(t, book, lang)
			require.NotRegexp(t, bannedWords[lang], chineseDates.ReplaceAllString(sentence, "1·日"), example.stored)
			require.Equal(t, strings.Count(sentence, "“"), strings.Count(sentence, "”")-finnishPairs(lang, sentence), "%s: %s", lang, sentence)
			require.Equal(t, strings.Count(sentence, "《"), strings.Count(sentence, "》"), sentence)
			require.NotContains(t, sentence, `"`)
		}
	}
}

// finnishPairs returns the number of Finnish quotation marks, which open and close with the same sign, rounded down to pairs.
func finnishPairs(lang, sentence string) int {
	if lang != sentences.Finnish {
		return 0
	}
	return strings.Count(sentence, "”") / 2 * 2
}

// TestNoSentenceIsBroken renders every example as a shared and as a private event.
func TestNoSentenceIsBroken(t *testing.T) {
	book, err := sentences.New()
	require.NoError(t, err)
	broken := regexp.MustCompile(`\{\{|<no value>|\.v\d|%!|\s$|[a-z]_[a-z]`)
	for _, example := range readExamples(t) {
		t.Run(example.stored, func(t *testing.T) {
			for _, private := range []bool{false, true} {
				example.private = private
				for _, lang := range sentences.Languages() {
					require.NotRegexp(t, broken, example.sentence(t, book, lang), lang)
				}
			}
		})
	}
}

func TestLanguagesHaveTheSameMessages(t *testing.T) {
	keys := func(lang string) []string {
		files, err := filepath.Glob("messages/*." + lang + ".json")
		require.NoError(t, err)
		var names []string
		for _, file := range files {
			b, err := os.ReadFile(file)
			require.NoError(t, err)
			var all map[string]any
			require.NoError(t, json.Unmarshal(b, &all), file)
			for name := range all {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		return names
	}
	for _, lang := range sentences.Languages() {
		require.Equal(t, keys(sentences.English), keys(lang))
	}
}

func TestSentenceNamesTheActor(t *testing.T) {
	book, err := sentences.New()
	require.NoError(t, err)
	fact := sentences.Fact{Payload: domain.MilestoneStarted{}, Title: "FP4", Name: nameOf}
	require.Equal(t, "The operator started work on “FP4”", book.Sentence(sentences.English, fact))
	require.Equal(t, "The operator started work on “FP4”", book.Sentence("tlh", fact), "an unknown language is English")
	fact.System = true
	require.Equal(t, "Tandem started work on “FP4”", book.Sentence(sentences.English, fact))
}

func TestSentenceNamesTheMember(t *testing.T) {
	book, err := sentences.New()
	require.NoError(t, err)
	fact := sentences.Fact{Payload: domain.MilestoneStarted{}, Partner: "nokia", Member: "Anna Virtanen", Title: "FP4", Name: nameOf}
	require.Contains(t, book.Sentence(sentences.English, fact), "Anna Virtanen (Nokia) ")
	require.Contains(t, book.Sentence(sentences.Chinese, fact), "Anna Virtanen（Nokia）")
	require.Contains(t, book.Sentence(sentences.Finnish, fact), "Anna Virtanen (Nokia) ")
	fact.Former = true
	require.Contains(t, book.Sentence(sentences.English, fact), "Former member (Nokia) ")
	require.Contains(t, book.Sentence(sentences.Chinese, fact), "前成员（Nokia）")
	require.Contains(t, book.Sentence(sentences.Finnish, fact), "Entinen jäsen (Nokia) ")
}
