package sentences_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/projections/sentences"
)

// example is an event and how it is told.
type example struct {
	stored, data string
	private      bool
	says         map[string]string
}

func names(p domain.PartnerID) string { return strings.ToUpper(string(p[:1])) + string(p[1:]) }

func (e example) sentence(t *testing.T, book *sentences.Book, lang string) string {
	p, err := domain.DecodeEvent(e.stored, []byte(e.data))
	require.NoError(t, err)
	return book.Sentence(lang, sentences.Fact{Payload: p, Partner: "nokia", Private: e.private, Title: "FP4 field trial", Name: names})
}

// read returns the tellings of testdata/sentences.txt: the stored type (and "private"), the data,
// a line for each language.
func read(t *testing.T) []example {
	b, err := os.ReadFile("testdata/sentences.txt")
	require.NoError(t, err)
	var all []example
	for block := range strings.SplitSeq(strings.TrimSpace(string(b)), "\n\n") {
		lines := strings.Split(block, "\n")
		stored, mark, _ := strings.Cut(lines[0], " ")
		x := example{stored: stored, data: lines[1], private: mark == "private", says: map[string]string{}}
		for _, line := range lines[2:] {
			lang, text, _ := strings.Cut(line, ": ")
			x.says[lang] = text
		}
		all = append(all, x)
	}
	return all
}

// With UPDATE_SENTENCES set the test writes down what is said now.
func TestSentences(t *testing.T) {
	book, err := sentences.New()
	require.NoError(t, err)
	all := read(t)
	if os.Getenv("UPDATE_SENTENCES") != "" {
		update(t, book, all)
		return
	}
	var covered []string
	for _, x := range all {
		covered = append(covered, x.stored)
		for _, lang := range sentences.Languages() {
			require.Equal(t, x.says[lang], x.sentence(t, book, lang), "%s in %s", x.stored, lang)
		}
	}
	for _, stored := range domain.EventTypes() {
		require.Contains(t, covered, stored, "add the event to testdata/sentences.txt")
	}
}

func update(t *testing.T, book *sentences.Book, all []example) {
	var b strings.Builder
	for _, x := range all {
		b.WriteString(x.stored)
		if x.private {
			b.WriteString(" private")
		}
		b.WriteString("\n" + x.data + "\n")
		for _, lang := range sentences.Languages() {
			b.WriteString(lang + ": " + x.sentence(t, book, lang) + "\n")
		}
		b.WriteString("\n")
	}
	require.NoError(t, os.WriteFile("testdata/sentences.txt", []byte(strings.TrimSpace(b.String())+"\n"), 0o600))
}

// Even an event that says next to nothing reads like a sentence in every language.
func TestNoSentenceIsBroken(t *testing.T) {
	book, err := sentences.New()
	require.NoError(t, err)
	broken := regexp.MustCompile(`\{\{|<no value>|\.v\d|%!|\s$|[a-z]_[a-z]`)
	for _, x := range read(t) {
		for _, private := range []bool{false, true} {
			x.private = private
			for _, lang := range sentences.Languages() {
				require.NotRegexp(t, broken, x.sentence(t, book, lang), "%s in %s", x.stored, lang)
			}
		}
	}
}

func TestLanguagesHaveTheSameMessages(t *testing.T) {
	keys := func(lang string) []string {
		b, err := os.ReadFile("messages/" + lang + ".json")
		require.NoError(t, err)
		var all map[string]string
		require.NoError(t, json.Unmarshal(b, &all))
		var names []string
		for name := range all {
			names = append(names, name)
		}
		slices.Sort(names)
		return names
	}
	for _, lang := range sentences.Languages() {
		require.Equal(t, keys(sentences.English), keys(lang))
	}
}

func TestWhoActed(t *testing.T) {
	book, err := sentences.New()
	require.NoError(t, err)
	fact := sentences.Fact{Payload: domain.MilestoneStarted{}, Title: "FP4", Name: names}
	require.Equal(t, "The operator started work on FP4", book.Sentence(sentences.English, fact))
	require.Equal(t, "The operator started work on FP4", book.Sentence("tlh", fact), "an unknown language is English")
	fact.System = true
	require.Equal(t, "Tandem started work on FP4", book.Sentence(sentences.English, fact))
}
