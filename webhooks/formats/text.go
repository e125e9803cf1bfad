package formats

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// textRules describe how a service reads text: how to escape each character so that it is displayed and never
// interpreted, whatever stands next to it, and how the service counts lengths.
type textRules struct {
	escape func(rune) string // nil if the service interprets no character
	size   func(string) int
}

const (
	ellipsis = "…"
	// zeroWidthSpace breaks mentions: after an @ it separates the next word.
	zeroWidthSpace = "\u200b"
)

// render returns text as one escaped line of at most limit units. A longer text is cut between grapheme clusters and
// ends in an ellipsis.
func (r textRules) render(text string, limit int) string {
	var line strings.Builder
	used, fits, mark := 0, 0, r.size(ellipsis)
	for graphemes := uniseg.NewGraphemes(SingleLine(text)); graphemes.Next(); {
		piece := r.escapeRunes(graphemes.Runes())
		if used += r.size(piece); used > limit {
			return strings.TrimRight(line.String()[:fits], " ") + ellipsis
		}
		line.WriteString(piece)
		if used+mark <= limit {
			fits = line.Len()
		}
	}
	return line.String()
}

// Truncate returns text as one line of at most limit UTF-16 code units; see [SingleLine]. A cut ends in an ellipsis.
func Truncate(text string, limit int) string { return textRules{size: utf16Length}.render(text, limit) }

// escapeRunes escapes each rune of a grapheme cluster.
func (r textRules) escapeRunes(text []rune) string {
	if r.escape == nil {
		return string(text)
	}
	var escaped strings.Builder
	for _, char := range text {
		escaped.WriteString(r.escape(char))
	}
	return escaped.String()
}

// SingleLine returns text as one line of valid UTF-8 without control characters, bidirectional marks and invisible
// characters, except those that emoji and scripts need.
func SingleLine(text string) string {
	text = strings.Map(func(char rune) rune {
		switch {
		case unicode.IsSpace(char) || char == '\u2028' || char == '\u2029' || unicode.Is(blankRunes, char):
			return ' '
		case unicode.Is(unicode.Cc, char), char == '\u200b', char == '\u2060', char == '\ufeff', char == '\ufffe', char == '\uffff',
			unicode.Is(unicode.Bidi_Control, char), unicode.Is(hiddenRunes, char):
			return -1
		}
		return char
	}, strings.ToValidUTF8(text, string(utf8.RuneError)))
	return strings.Join(strings.Fields(text), " ")
}

// blankRunes are letters without ink: Hangul fillers and the empty Braille cell.
var blankRunes = &unicode.RangeTable{R16: []unicode.Range16{
	{Lo: 0x115f, Hi: 0x1160, Stride: 1},
	{Lo: 0x2800, Hi: 0x2800, Stride: 1},
	{Lo: 0x3164, Hi: 0x3164, Stride: 1},
	{Lo: 0xffa0, Hi: 0xffa0, Stride: 1},
}}

// hiddenRunes can hide text from people: soft hyphens, invisible operators, annotations and tags. Without tags, the
// flags of subdivisions such as Scotland become black flags.
var hiddenRunes = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x00ad, Hi: 0x00ad, Stride: 1},
		{Lo: 0x180e, Hi: 0x180e, Stride: 1},
		{Lo: 0x2061, Hi: 0x2064, Stride: 1},
		{Lo: 0x206a, Hi: 0x206f, Stride: 1},
		{Lo: 0xfff9, Hi: 0xfffb, Stride: 1},
	},
	R32:         []unicode.Range32{{Lo: 0xe0000, Hi: 0xe007f, Stride: 1}},
	LatinOffset: 1,
}

func byteLength(text string) int { return len(text) }

// utf16Length counts UTF-16 code units. Services that count runes count at most as many.
func utf16Length(text string) int {
	n := 0
	for _, char := range text {
		n++
		if char > 0xffff {
			n++
		}
	}
	return n
}

// jsonLength counts the bytes of a text inside a JSON string, as encodeJSON writes it.
func jsonLength(text string) int {
	return len(text) + strings.Count(text, `"`) + strings.Count(text, `\`)
}

// escapeMentions breaks mentions and leaves all other characters unchanged.
func escapeMentions(char rune) string {
	if char == '@' || char == '＠' {
		return string(char) + zeroWidthSpace
	}
	return string(char)
}

// escapeHTML escapes for services that read HTML.
func escapeHTML(char rune) string {
	switch char {
	case '&':
		return "&amp;"
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	case '"':
		return "&quot;"
	}
	return escapeMentions(char)
}

// escapeMarkdown escapes for services that support CommonMark's backslash escapes.
func escapeMarkdown(char rune) string {
	if strings.ContainsRune("\\`*_{}[]()<>#+-.!|~:&$=", char) {
		return `\` + string(char)
	}
	return escapeMentions(char)
}

// lookAlikes replace markup characters for services whose Markdown has no escapes.
var lookAlikes = map[rune]string{
	'\\': "＼", '`': "ˋ", '*': "∗", '_': "ˍ", '[': "［", ']': "］", '<': "‹", '>': "›", '#': "＃", '~': "∼", '|': "∣",
	'$': "＄", '@': "＠" + zeroWidthSpace, '＠': "＠" + zeroWidthSpace, '&': "&" + zeroWidthSpace, ':': ":" + zeroWidthSpace,
}

// useLookAlikes replaces markup characters by look-alikes.
func useLookAlikes(char rune) string {
	if other, ok := lookAlikes[char]; ok {
		return other
	}
	return string(char)
}

// escapeTags escapes plain text for services that interpret tags such as <at> elsewhere.
func escapeTags(char rune) string {
	if char == '<' {
		return "<" + zeroWidthSpace
	}
	return escapeMentions(char)
}

// maxLinkLength is the length of the longest link that is sent; links to Tandem are far shorter.
const maxLinkLength = 500

// safeLink returns an http or https URL with all characters escaped that any service could read as markup, or "" for
// other addresses.
func safeLink(address string) string {
	parsed, err := url.Parse(address)
	if err != nil || (parsed.Scheme != "https" && parsed.Scheme != "http") || parsed.Host == "" {
		return ""
	}
	var text strings.Builder
	for _, char := range []byte(parsed.String()) {
		if char <= ' ' || char > '~' || strings.IndexByte("\"'()*<>[\\]^`{|}", char) >= 0 {
			const hex = "0123456789ABCDEF"
			text.WriteString("%" + string(hex[char>>4]) + string(hex[char&15]))
			continue
		}
		text.WriteByte(char)
	}
	if text.Len() > maxLinkLength {
		return ""
	}
	return text.String()
}
