package sentences_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/projections/sentences"
)

func TestRefusal(t *testing.T) {
	book, err := sentences.New()
	require.NoError(t, err)
	overdue := domain.NewFieldError("on", "%s is in the past; use today or a later date", domain.NewDate(2018, 3, 30))
	text := domain.NewText("Milestone %s is %s and can no longer change.", "fp4", domain.Accepted)
	require.Equal(t, "里程碑 fp4 的状态为“验收通过”，不能再更改。", book.Refusal(sentences.Chinese, text, "english"))
	require.Equal(t, "Välitavoite fp4 on tilassa ”hyväksytty”, eikä sitä voi enää muuttaa.", book.Refusal(sentences.Finnish, text, "english"))
	require.Equal(t, "english", book.Refusal(sentences.English, text, "english"))
	require.Equal(t, "on: 2018-03-30 on menneisyydessä; käytä tätä päivää tai myöhempää",
		book.Refusal(sentences.Finnish, domain.NewText("%s", overdue), overdue.String()))
	require.Equal(t, "pakollinen", book.Refusal(sentences.Finnish, domain.Text{}, "required"), "a text without arguments is its own key")
	require.Equal(t, "No such text", book.Refusal(sentences.Finnish, domain.Text{}, "No such text"))
}

// TestTranslationsUseTheArgumentsOfTheFormat: a translation takes each argument of its English format exactly once.
func TestTranslationsUseTheArgumentsOfTheFormat(t *testing.T) {
	for _, lang := range []string{sentences.Chinese, sentences.Finnish} {
		for format, translated := range readRefusals(t, lang) {
			require.NotEmpty(t, translated, format)
			require.Equal(t, argumentsOf(t, format), argumentsOf(t, translated), "%s: %s", lang, translated)
		}
	}
}

func readRefusals(t *testing.T, lang string) (texts map[string]string) {
	b, err := os.ReadFile("refusals/" + lang + ".json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &texts))
	return texts
}

var formatVerb = regexp.MustCompile(`%(?:\[(\d)\])?([a-z%])`)

// argumentsOf returns the sorted numbers of the arguments that a format uses.
func argumentsOf(t *testing.T, format string) []int {
	numbers, next := []int{}, 1
	for _, verb := range formatVerb.FindAllStringSubmatch(format, -1) {
		if verb[2] == "%" {
			continue
		}
		if verb[1] != "" {
			number, err := strconv.Atoi(verb[1])
			require.NoError(t, err)
			next = number
		}
		numbers = append(numbers, next)
		next++
	}
	slices.Sort(numbers)
	return numbers
}
