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

var update = flag.Bool("update", false, "rewrite testdata/sentences.txt")

// example is an event and its sentences.
type example struct {
	stored, data string // type and JSON of the event
	private      bool
	sentences    map[string]string // by language
}

func nameOf(partner domain.PartnerID) string {
	return strings.ToUpper(string(partner[:1])) + string(partner[1:])
}

func (e example) sentence(t *testing.T, book *sentences.Book, lang string) string {
	payload, err := domain.DecodeEvent(e.stored, []byte(e.data))
	require.NoError(t, err)
	return book.Sentence(lang, sentences.Fact{Payload: payload, Partner: "nokia", Private: e.private, Title: "FP4 field trial", Name: nameOf})
}

// readExamples reads testdata/sentences.txt. Each block has the stored type and optionally "private", the data, and
// a line for each language.
func readExamples(t *testing.T) []example {
	b, err := os.ReadFile("testdata/sentences.txt")
	require.NoError(t, err)
	var all []example
	for block := range strings.SplitSeq(strings.TrimSpace(string(b)), "\n\n") {
		lines := strings.Split(block, "\n")
		stored, mark, _ := strings.Cut(lines[0], " ")
		x := example{stored: stored, data: lines[1], private: mark == "private", sentences: map[string]string{}}
		for _, line := range lines[2:] {
			lang, text, _ := strings.Cut(line, ": ")
			x.sentences[lang] = text
		}
		all = append(all, x)
	}
	return all
}

func TestSentences(t *testing.T) {
	book, err := sentences.New()
	require.NoError(t, err)
	examples := readExamples(t)
	if *update {
		writeExamples(t, book, examples)
		return
	}
	var covered []string
	for _, example := range examples {
		covered = append(covered, example.stored)
		t.Run(example.stored, func(t *testing.T) {
			for _, lang := range sentences.Languages() {
				require.Equal(t, example.sentences[lang], example.sentence(t, book, lang), lang)
			}
		})
	}
	for _, stored := range domain.EventTypes() {
		require.Contains(t, covered, stored, "add the event to testdata/sentences.txt")
	}
}

func writeExamples(t *testing.T, book *sentences.Book, examples []example) {
	var text strings.Builder
	for _, example := range examples {
		text.WriteString(example.stored)
		if example.private {
			text.WriteString(" private")
		}
		text.WriteString("\n" + example.data + "\n")
		for _, lang := range sentences.Languages() {
			text.WriteString(lang + ": " + example.sentence(t, book, lang) + "\n")
		}
		text.WriteString("\n")
	}
	require.NoError(t, os.WriteFile("testdata/sentences.txt", []byte(strings.TrimSpace(text.String())+"\n"), 0o600))
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
			var all map[string]string
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
	require.Equal(t, "The operator started work on FP4", book.Sentence(sentences.English, fact))
	require.Equal(t, "The operator started work on FP4", book.Sentence("tlh", fact), "an unknown language is English")
	fact.System = true
	require.Equal(t, "Tandem started work on FP4", book.Sentence(sentences.English, fact))
}
