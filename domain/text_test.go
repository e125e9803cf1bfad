package domain

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Texts appear to all readers as written, on a page, in a terminal and in a chat channel.
func TestTextsShowWhatTheySay(t *testing.T) {
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
		var check validation
		check.text("note", text, 20_000, true)
		require.Len(t, check, 1, name)
		require.Equal(t, "note", check[0].Field)
	}
	for _, text := range []string{
		"two\nlines\tand a tab\r\n", "光学器件迟到", "оптика", "שלום \u200fא", "नमस्ते", "ผู้ใหญ่", "e\u0301t\u00e9", "👩‍👩‍👧‍👦", "بِسْمِ ٱللَّٰهِ", "a\u200db",
		"🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f", "Zürich", "བསྒྲུབས",
	} {
		var check validation
		check.text("note", text, 2000, true)
		require.Empty(t, check, "%q", text)
	}
}

func TestALineIsOneLine(t *testing.T) {
	for _, text := range []string{"a\nb", "a\r", "a\tb", "a\u0085b"} {
		var check validation
		check.line("title", text, 200, true)
		require.Len(t, check, 1, "%q", text)
	}
	var check validation
	check.line("title", "FP4 field trial", 200, true)
	require.Empty(t, check)
}

func TestWhatNobodySeesIsNoText(t *testing.T) {
	for _, text := range []string{"", " \n", "\u200b", "\u2060\ufeff", "\u3164", "\u00ad", "\u2800", "\u180e \u200e", "\u115f\u1160\uffa0"} {
		var check validation
		check.text("reason", text, 2000, true)
		require.Len(t, check, 1, "%q", text)
		require.Equal(t, "required", check[0].Message)
	}
}
