package formats

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"github.com/stretchr/testify/require"
)

// At every limit, a text is cut between grapheme clusters, never inside an escape, a surrogate pair or an emoji
// sequence. A cut text ends in an ellipsis and is within the limit.
func TestRender(t *testing.T) {
	const text = `a<b> & "c" @all 字字 👩‍👩‍👧 é é 𝄞𝄞 *x* \ [y](z) 🇫🇮🇨🇳 end`
	escapes := map[string]func(rune) string{
		"none": nil, "quiet": escapeMentions, "html": escapeHTML, "slack": escapeSlack, "markdown": escapeMarkdown, "mattermost": escapeMattermost,
		"lookAlikes": useLookAlikes, "guarded": escapeTags,
	}
	sizes := map[string]func(string) int{"bytes": byteLength, "units": utf16Length, "json": jsonLength}
	for name, escape := range escapes {
		for unit, size := range sizes {
			rules := textRules{escape, size}
			full := rules.render(text, 10_000)
			ends := map[string]bool{}
			whole := ""
			for graphemes := uniseg.NewGraphemes(text); graphemes.Next(); {
				whole += rules.escapeRunes(graphemes.Runes())
				ends[strings.TrimRight(whole, " ")] = true
			}
			require.Equal(t, whole, full)
			for limit := size(ellipsis); limit <= size(full)+1; limit++ {
				got := rules.render(text, limit)
				require.LessOrEqual(t, size(got), limit, "%s %s", name, unit)
				require.True(t, utf8.ValidString(got))
				if got == full {
					require.GreaterOrEqual(t, limit, size(full))
					continue
				}
				kept, cut := strings.CutSuffix(got, ellipsis)
				require.True(t, cut, "%q", got)
				require.True(t, kept == "" || ends[kept], "%s %s at %d: %q", name, unit, limit, got)
			}
		}
	}
}

func TestSingleLine(t *testing.T) {
	for text, want := range map[string]string{
		"  a\r\n\tb\u2028c\u00a0d ":         "a b c d",
		"a\x00b\x1b[31mc\u009b":             "ab[31mc",
		"\u202eevil\u202c \u2066x\u2069":    "evil x",
		"a\u200bb\ufeff\u2060":              "ab",
		"\xff\xfe":                          "�",
		"👩‍👩‍👧 \u0646\u200c\u0647":          "👩‍👩‍👧 \u0646\u200c\u0647",
		"\u200b":                            "",
		"\u3164\u115f\u1160\uffa0 \u2800":   "",
		"ac\u00adcepted\u2062\ufff9x\ufffb": "acceptedx",
		"a\U000e0069\U000e0067b":            "ab",
	} {
		require.Equal(t, want, SingleLine(text), "%q", text)
	}
}

func TestSafeLink(t *testing.T) {
	for address, want := range map[string]string{
		"https://example.com/a?x=1&y=2#z": "https://example.com/a?x=1&y=2#z",
		"javascript:alert(1)":             "",
		"//example.com":                   "",
		"":                                "",
		`https://example.com/">x)](<y|z>`: "https://example.com/%22%3Ex%29%5D%28%3Cy%7Cz%3E",
		"https://example.com/字 x":         "https://example.com/%E5%AD%97%20x",
		"https://example.com/" + strings.Repeat("x", 600): "",
	} {
		require.Equal(t, want, safeLink(address))
	}
}
