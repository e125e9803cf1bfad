package sentences_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
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

// TestEveryRefusalIsTranslated: the formats of refusals in the source and the translations are the same set.
func TestEveryRefusalIsTranslated(t *testing.T) {
	formats := refusalFormats(t, "../../domain", "../../http", "../../http/strictjson", "../../bus")
	for _, lang := range []string{sentences.Chinese, sentences.Finnish} {
		texts := readRefusals(t, lang)
		var missing, stale []string
		for _, format := range formats {
			if texts[format] == "" {
				missing = append(missing, format)
			}
		}
		for format := range texts {
			if strings.Contains(format, " ") && !slices.Contains(formats, format) {
				stale = append(stale, format)
			}
		}
		require.Empty(t, missing, "add these to refusals/%s.json", lang)
		require.Empty(t, stale, "remove these from refusals/%s.json", lang)
	}
}

// formatArguments are the functions whose argument is the format of a refusal, with its index.
var formatArguments = map[string]int{
	"conflict": 1, "forbidden": 1, "newError": 2, "add": 1, "NewFieldError": 1, "refuse": 2, "unavailable": 1,
	"awaitingOperator": 1, "addError": 1,
}

// refusalFormats returns the formats of refusals and field errors that are literals in the source of the packages.
func refusalFormats(t *testing.T, dirs ...string) (formats []string) {
	for _, dir := range dirs {
		files, err := filepath.Glob(dir + "/*.go")
		require.NoError(t, err)
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			ast.Inspect(tree, func(node ast.Node) bool {
				if format, ok := refusalFormat(node); ok && format != "%s" && !slices.Contains(formats, format) {
					formats = append(formats, format)
				}
				return true
			})
		}
	}
	slices.Sort(formats)
	require.Greater(t, len(formats), 200)
	return formats
}

func refusalFormat(node ast.Node) (format string, ok bool) {
	switch node := node.(type) {
	case *ast.CallExpr:
		name := ""
		switch function := node.Fun.(type) {
		case *ast.Ident:
			name = function.Name
		case *ast.SelectorExpr:
			name = function.Sel.Name
		}
		if index, known := formatArguments[name]; known && len(node.Args) > index {
			return literal(node.Args[index])
		}
	case *ast.KeyValueExpr:
		if key, isName := node.Key.(*ast.Ident); isName && slices.Contains([]string{"Message", "Detail", "detail"}, key.Name) {
			return literal(node.Value)
		}
	}
	return "", false
}

// literal returns the value of a string literal, or of a sum of string literals.
func literal(expr ast.Expr) (string, bool) {
	switch expr := expr.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(expr.Value)
		return text, err == nil && expr.Kind == token.STRING
	case *ast.BinaryExpr:
		left, isLeft := literal(expr.X)
		right, isRight := literal(expr.Y)
		return left + right, isLeft && isRight
	}
	return "", false
}
