package domain

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Texts appear to all readers as written, on a page, in a terminal and in a chat channel.
func TestReadableTexts(t *testing.T) {
	for name, text := range map[string]string{
		"turned round":   "pay \u202e000,1\u202c",
		"isolated":       "pay \u2067abc\u2069",
		"escape":         "red \x1b[31m",
		"bell":           "ding\a",
		"delete":         "a\x7f",
		"C1":             "a\u009bb",
		"line separator": "a\u2028b",
		"piled up":       "a" + strings.Repeat("\u0301", 10_000),
		"tags":           "a\U000e0041\U000e0042",
	} {
		t.Run(name, func(t *testing.T) {
			var check validation
			check.text("note", text, 20_000, true)
			require.Len(t, check, 1)
			require.Equal(t, "note", check[0].Field)
		})
	}
	for name, text := range map[string]string{
		"line breaks":   "two\nlines\tand a tab\r\n",
		"Chinese":       "光学器件迟到",
		"Cyrillic":      "оптика",
		"Hebrew":        "שלום \u200fא",
		"Devanagari":    "नमस्ते",
		"Thai":          "ผู้ใหญ่",
		"accents":       "e\u0301t\u00e9",
		"joined emoji":  "👩‍👩‍👧‍👦",
		"Arabic":        "بِسْمِ ٱللَّٰهِ",
		"joiner":        "a\u200db",
		"regional flag": "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
		"umlaut":        "Zürich",
		"Tibetan":       "བསྒྲུབས",
	} {
		t.Run(name, func(t *testing.T) {
			var check validation
			check.text("note", text, 2000, true)
			require.Empty(t, check)
		})
	}
}

func TestSingleLineTexts(t *testing.T) {
	for name, text := range map[string]string{"line feed": "a\nb", "carriage return": "a\r", "tab": "a\tb", "next line": "a\u0085b"} {
		t.Run(name, func(t *testing.T) {
			var check validation
			check.line("title", text, 200, true)
			require.Len(t, check, 1)
		})
	}
	var check validation
	check.line("title", "FP4 field trial", 200, true)
	require.Empty(t, check)
}

func TestInvisibleTextsAreMissing(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "white space": " \n", "zero width space": "\u200b", "word joiner": "\u2060\ufeff", "Hangul filler": "\u3164",
		"soft hyphen": "\u00ad", "empty Braille": "\u2800", "marks of direction": "\u180e \u200e", "other fillers": "\u115f\u1160\uffa0",
	} {
		t.Run(name, func(t *testing.T) {
			var check validation
			check.text("reason", text, 2000, true)
			require.Equal(t, validation{NewFieldError("reason", "required")}, check)
		})
	}
}
